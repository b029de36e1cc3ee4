//! The weights of a `gblinear` → one dense layer. A missing value adds nothing, as a 0 does.

use super::learner::Frame;
use super::parts::{Float, LinearModel};
use crate::form::{Activation, Body, Column, Feature, Form, Inputs, Layer, Layers, Stage, Step};
use crate::model::embedded::checks::{Place, Wrong};

pub(super) fn form(frame: Frame, model: &LinearModel) -> Result<Form, Wrong> {
    let (n_features, n_outputs) = (frame.n_features, frame.base_margins.len());
    let weights: Vec<f32> = model.weights.iter().map(|&Float(weight)| weight).collect();
    let n_weights = (n_features + 1) * n_outputs;
    if weights.len() != n_weights {
        let expected = format!("{n_weights}: num_feature + 1 for each of {n_outputs} outputs");
        return Err(Place::Model.wrong("weights", format!("{} numbers long", weights.len()), expected));
    }
    if let Some(weight) = weights.iter().find(|weight| !weight.is_finite()) {
        return Err(Place::Model.wrong("weights", weight, "finite numbers"));
    }
    let (of_features, intercepts) = weights.split_at(n_features * n_outputs);
    let layer = Layer {
        weights: transposed(of_features, n_outputs),
        // Of several base scores XGBoost adds the first to every output of this booster.
        bias: intercepts.iter().map(|intercept| intercept + frame.base_margins[0]).collect(),
        activation: Activation::Identity,
    };
    Ok(Form {
        features: vec![Feature::Number; n_features],
        inputs: Inputs { stages: vec![Stage::Columns((0..n_features as u32).map(column).collect())] },
        body: Body::Layers(Layers::new(vec![layer])),
        transform: frame.transform,
    })
}

/// `[n_features × n_outputs]` → `[n_outputs × n_features]`.
fn transposed(weights: &[f32], n_outputs: usize) -> Vec<f32> {
    let of_output = |output| weights.iter().skip(output).step_by(n_outputs).copied();
    (0..n_outputs).flat_map(of_output).collect()
}

fn column(source: u32) -> Column {
    Column { source, steps: vec![Step::Impute { missing: f32::NAN, with: 0.0 }] }
}
