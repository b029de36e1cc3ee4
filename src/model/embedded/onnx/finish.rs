//! Scores of a graph → body and transform of a form, or a model over texts.

use std::sync::Arc;

use super::forest::ensemble;
use super::linear::{as_margins, layer};
use super::scores::{Curve, Margin, Score, Scores, Term};
use super::text_model::text_model;
use super::values::{Basis, BasisId, Context, RowsId};
use crate::form::{Activation, Body, Form, Layers, Transform};
use crate::model::embedded::FileModel;

/// The model whose scores these are.
pub(super) fn finish(context: &mut Context, scores: &Scores) -> Result<FileModel, String> {
    let (basis, margins, transform) = margins(context, scores)?;
    if let Basis::Blocks(blocks) = context.bases[basis] {
        return Ok(FileModel::Text(Arc::new(text_model(context, blocks, &margins, transform)?)));
    }
    let (rows, body) = body(context, basis, &margins)?;
    let inputs = context.inputs(rows);
    Ok(FileModel::Form(Arc::new(Form { inputs, features: context.features(), body, transform })))
}

/// The margins whose transform the scores are.
fn margins(context: &mut Context, scores: &Scores) -> Result<(BasisId, Vec<Margin>, Transform), String> {
    let scores = without_complement(scores);
    if let Some((margins, transform)) = transformed(&scores.columns) {
        return Ok((scores.basis, margins, transform));
    }
    let scores = as_margins(context, &scores)?;
    let (margins, transform) = transformed(&scores.columns).expect("these are margins. This is a bug.");
    Ok((scores.basis, margins, transform))
}

/// Of two scores with a constant sum the second says all: the probability of class 1.
fn without_complement(scores: &Scores) -> Scores {
    if let [first, second] = scores.columns.as_slice()
        && first.plus(second).is_ok_and(|sum| sum.constant().is_some())
    {
        return Scores { basis: scores.basis, columns: vec![second.clone()] };
    }
    scores.clone()
}

/// The margins whose transform the scores are.
fn transformed(scores: &[Score]) -> Option<(Vec<Margin>, Transform)> {
    let all = |margin: &dyn Fn(usize, &Score) -> Option<Margin>| {
        scores.iter().enumerate().map(|(n, score)| margin(n, score)).collect::<Option<Vec<Margin>>>()
    };
    let of_curve =
        |is_right: &dyn Fn(usize, Curve) -> bool| all(&|n, score| margin_of(score, |curve| is_right(n, curve)));
    let is_share = |n: usize, curve: Curve| {
        matches!((curve, softmax_id(&scores[0])), (Curve::Softmax { id, index, n: of }, Some(first))
            if id == first && index == n && of == scores.len())
    };
    None.or_else(|| Some((all(&|_, score| score.margin().cloned())?, Transform::Identity)))
        .or_else(|| Some((of_curve(&|_, curve| curve == Curve::Logistic)?, Transform::Logistic)))
        .or_else(|| Some((of_curve(&|_, curve| curve == Curve::Exponential)?, Transform::Exponential)))
        .or_else(|| Some((of_curve(&is_share)?, Transform::Softmax)))
}

/// The margin of a score that is one curve of it; 1 − σ(m) is σ(−m).
fn margin_of(score: &Score, is_right: impl Fn(Curve) -> bool) -> Option<Margin> {
    let Score::Curves { terms, offset } = score else { return None };
    let [Term { factor, curve, margin }] = terms.as_slice() else { return None };
    match (*factor, *offset) {
        _ if !is_right(*curve) => None,
        (1.0, 0.0) => Some(margin.clone()),
        (-1.0, 1.0) if *curve == Curve::Logistic => Some(margin.scaled(-1.0)),
        _ => None,
    }
}

fn softmax_id(score: &Score) -> Option<usize> {
    match score {
        Score::Curves { terms, .. } => match terms.as_slice() {
            [Term { curve: Curve::Softmax { id, .. }, .. }] => Some(*id),
            _ => None,
        },
        Score::Margin(_) => None,
    }
}

fn body(context: &Context, basis: BasisId, margins: &[Margin]) -> Result<(RowsId, Body), String> {
    if let Basis::Forests { rows, forests } = &context.bases[basis] {
        let n_inputs = context.rows[*rows].columns.len();
        return Ok((*rows, Body::Trees(ensemble(forests, margins, n_inputs)?)));
    }
    let mut layers = vec![layer(margins.iter(), Activation::Identity)?];
    let mut basis = basis;
    loop {
        match &context.bases[basis] {
            Basis::Rows(rows) => {
                layers.reverse();
                return Ok((*rows, Body::Layers(Layers::new(layers))));
            }
            Basis::Layer { below, layer } => {
                layers.push(layer.clone());
                basis = *below;
            }
            Basis::Blocks(_) => return Err("layers over terms of texts are not supported".to_owned()),
            Basis::Forests { .. } => return Err("layers over trees are not supported".to_owned()),
        }
    }
}
