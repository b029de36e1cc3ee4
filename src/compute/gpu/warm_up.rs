//! Small games of every kind, so that each pipeline has been compiled and has run before the first batch.

use std::sync::Arc;

use ndarray::ArcArray2;

use crate::compute::{Cpu, Device, DeviceError, Explicand, Games};
use crate::config::Kernel;
use crate::form::{
    Activation, Body, Feature, Form, Inputs, Layer, Layers, Node, Transform, TreeEnsemble, ValueFunction, View,
};
use crate::shap::{Design, DesignLimits, Link, Operator};

const N_PLAYERS: usize = 16;
const N_SAMPLES: u64 = 128;

/// Largest deviation from the CPU path, as a share of the largest attribution.
const DEVIATION_MAX: f32 = 1e-3;

/// Fails where the device answers otherwise than the CPU.
pub(super) fn warm_up(device: &mut dyn Device) -> Result<(), DeviceError> {
    let limits = DesignLimits { players_max: N_PLAYERS, operator_bytes_max: usize::MAX };
    let design = Design::new(N_PLAYERS, Some(N_SAMPLES), 0, Kernel::Shapley, limits)
        .expect("so many players are allowed. This is a bug.");
    let operator = Operator::of(design);
    let features = (0..N_PLAYERS).map(|feature| 1.0 + feature as f32).collect();
    let explicand = Explicand { features, players: (0..N_PLAYERS as u32).collect(), deltas: vec![0.5] };
    for body in [trees(), layers()] {
        let function = function(body);
        let games = Games { function: &function, operator: &operator, explicands: &[&explicand] };
        let (got, want) = (device.explain(games)?, Cpu::detect().explain(games)?);
        let apart = got.iter().zip(&want).map(|(got, want)| (got - want).abs()).fold(0.0, f32::max);
        let largest = want.iter().fold(0.0, |largest: f32, attribution| largest.max(attribution.abs()));
        let is_near = apart <= DEVIATION_MAX * largest && got.iter().all(|attribution| attribution.is_finite());
        if !is_near {
            let text = format!("the warm-up gave attributions {apart} apart from the CPU's, of at most {largest}");
            return Err(DeviceError::Refused(text));
        }
    }
    Ok(())
}

fn function(body: Body) -> ValueFunction {
    let features = vec![Feature::Number; N_PLAYERS];
    let form = Form { features, inputs: Inputs::default(), body, transform: Transform::Logistic };
    ValueFunction::new(Arc::new(form), ArcArray2::zeros((2, N_PLAYERS)), Link::Logit)
}

/// One split for each player.
fn trees() -> Body {
    let mut trees = TreeEnsemble::new(N_PLAYERS, vec![0.1], 1);
    for input in 0..N_PLAYERS as u32 {
        let view = View::Number { input, missing_right: false, zero_is_missing: false };
        let leaf = |number: f32| Node::Leaf(vec![number]);
        let right = 0.1 * (1.0 + input as f32);
        trees.push_tree(0, vec![Node::Split { view, threshold: 0.5, left: 1 }, leaf(-0.1), leaf(right)]);
    }
    Body::Trees(trees)
}

fn layers() -> Body {
    let layer = |n_inputs: usize, n_units: usize, activation| {
        let weights = (0..n_inputs * n_units).map(|idx| 0.02 * (idx % 7) as f32 - 0.05).collect();
        Layer { weights, bias: vec![0.1; n_units], activation }
    };
    let layers = [layer(N_PLAYERS, 8, Activation::Tanh), layer(8, 1, Activation::Identity)];
    Body::Layers(Layers::new(layers.into()))
}
