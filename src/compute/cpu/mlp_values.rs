//! Twin of `shaders/mlp_values.wgsl`: dense layers over coalitions. The first layer is a product with the bits of the
//! players: what each player adds to each sum of the baseline row, where it is present.

use super::elementary::{sigmoid, tanh};
use super::instructions::{Instructions, Kernel};
use crate::form::{Activation, Layer, Layers};
use crate::shap::BitColumns;

/// Coalitions that go through the layers together.
const LANES: usize = 16;

type Lanes = [f32; LANES];

/// The first layer of one game.
pub struct FirstLayer<T> {
    /// `[n_units]`, of the baseline row.
    pub sums: Vec<f32>,
    /// `[n_players × n_units]`, what the record's features add.
    pub steps: Vec<T>,
}

/// Writes the margins of all coalitions, `[n_outputs × n_padded]`.
pub fn mlp_values(
    instructions: Instructions,
    layers: &Layers,
    first: &FirstLayer<f32>,
    columns: &BitColumns,
    margins: &mut [f32],
) {
    instructions.run(Mlp { layers: layers.as_slice(), first, columns, margins });
}

struct Mlp<'a> {
    layers: &'a [Layer],
    first: &'a FirstLayer<f32>,
    columns: &'a BitColumns,
    margins: &'a mut [f32],
}

impl Kernel for Mlp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { layers, first, columns, margins } = self;
        let n_padded = columns.n_words * u64::BITS as usize;
        let (mut units, mut next) = (Vec::new(), Vec::new());
        for start in (0..n_padded).step_by(LANES) {
            first_layer(layers[0].activation, first, columns, start, &mut units);
            for layer in &layers[1..] {
                dense(layer, &units, &mut next);
                std::mem::swap(&mut units, &mut next);
            }
            for (margins, unit) in margins.chunks_exact_mut(n_padded).zip(&units) {
                margins[start..start + LANES].copy_from_slice(unit);
            }
        }
    }
}

#[inline(always)]
fn first_layer(
    activation: Activation,
    first: &FirstLayer<f32>,
    columns: &BitColumns,
    start: usize,
    units: &mut Vec<Lanes>,
) {
    units.clear();
    units.extend(first.sums.iter().map(|&sum| [sum; LANES]));
    for (player_idx, steps) in first.steps.chunks_exact(first.sums.len()).enumerate() {
        let word = columns.player(player_idx)[start / u64::BITS as usize];
        let bits = (word >> (start % u64::BITS as usize)) as u32;
        for (unit, &step) in units.iter_mut().zip(steps) {
            for (lane, sum) in unit.iter_mut().enumerate() {
                *sum += if bits & (1 << lane) == 0 { 0.0 } else { step };
            }
        }
    }
    units.iter_mut().for_each(|unit| activate(activation, unit));
}

#[inline(always)]
fn dense(layer: &Layer, units: &[Lanes], next: &mut Vec<Lanes>) {
    next.clear();
    for (weights, &bias) in layer.weights.chunks_exact(units.len()).zip(&layer.bias) {
        let mut sums = [bias; LANES];
        for (&weight, unit) in weights.iter().zip(units) {
            for (sum, &x) in sums.iter_mut().zip(unit) {
                *sum += weight * x;
            }
        }
        activate(layer.activation, &mut sums);
        next.push(sums);
    }
}

#[inline(always)]
fn activate(activation: Activation, unit: &mut Lanes) {
    match activation {
        Activation::Identity => {}
        Activation::Relu => unit.iter_mut().for_each(|x| *x = x.max(0.0)),
        Activation::Tanh => unit.iter_mut().for_each(|x| *x = tanh(*x)),
        Activation::Logistic => unit.iter_mut().for_each(|x| *x = sigmoid(*x)),
    }
}
