//! Margins → scores and linked values, as the model's own library computes them in float32.

use crate::form::Transform;
use crate::shap::{Clipped, Link, logistic_logits, score_logit, softmax_logits};

/// Turns the margins of one row into its scores, in place.
pub(super) fn to_scores(transform: Transform, margins: &mut [f32]) {
    match transform {
        Transform::Identity => {}
        Transform::Logistic => margins.iter_mut().for_each(|margin| *margin = sigmoid(*margin)),
        Transform::Softmax => softmax(margins),
        Transform::Exponential => margins.iter_mut().for_each(|margin| *margin = margin.exp()),
    }
}

fn sigmoid(margin: f32) -> f32 {
    1.0 / (1.0 + (-margin).exp())
}

/// Exponentials in float32, their sum in float64, as XGBoost has it.
fn softmax(margins: &mut [f32]) {
    let largest = margins.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    margins.iter_mut().for_each(|margin| *margin = (*margin - largest).exp());
    let sum: f64 = margins.iter().map(|&e| f64::from(e)).sum();
    margins.iter_mut().for_each(|e| *e /= sum as f32);
}

/// Writes the value of one coalition on the link's scale, `[n_outputs]`, from the margins of its rows, one for each
/// baseline row: `[n_rows × n_outputs]`, row-major. The link is taken of the mean score. Returns how many were clipped.
pub(super) fn write_value(transform: Transform, link: Link, margins: &mut [f32], value: &mut [f64]) -> Clipped {
    let mut clipped = 0;
    match (link, transform) {
        (Link::Logit, Transform::Logistic) => logistic_logits(margins, value),
        (Link::Logit, Transform::Softmax) => softmax_logits(margins, value),
        (Link::Identity, _) => mean_score(transform, margins, value),
        (Link::Logit, Transform::Identity | Transform::Exponential) => {
            mean_score(transform, margins, value);
            value.iter_mut().for_each(|score| *score = score_logit(*score, &mut clipped));
        }
    }
    clipped
}

fn mean_score(transform: Transform, margins: &mut [f32], value: &mut [f64]) {
    let n_rows = (margins.len() / value.len()) as f64;
    value.fill(0.0);
    for row in margins.chunks_exact_mut(value.len()) {
        to_scores(transform, row);
        value.iter_mut().zip(row).for_each(|(sum, score)| *sum += f64::from(*score));
    }
    value.iter_mut().for_each(|sum| *sum /= n_rows);
}
