//! Twin of `shaders/linear_values.wgsl`: the first layer over coalitions, a product with the bits of the players: what each
//! adds to each sum of the baseline row, where it is present. Linear models have no other.

use super::elementary::{sigmoid, tanh};
use crate::form::Activation;
use crate::shap::BitColumns;

/// Coalitions that go through the layers together.
pub(super) const LANES: usize = 16;

pub(super) type Lanes = [f32; LANES];

/// The first layer of one game.
#[derive(Clone, Copy)]
pub struct FirstLayer<'a> {
    /// `[n_units]`, of the baseline row.
    pub sums: &'a [f32],
    /// `[n_players × n_units]`, what the record's features add.
    pub steps: &'a [f32],
}

/// Units whose sums stay in registers together.
const TILE: usize = 4;

/// Appends the units of 16 coalitions from `start` on.
#[inline(always)]
pub(super) fn first_layer(
    activation: Activation,
    first: FirstLayer,
    columns: &BitColumns,
    start: usize,
    units: &mut Vec<Lanes>,
) {
    let n_units = first.sums.len();
    let present: Vec<Lanes> = (0..columns.n_players()).map(|player| presence(columns, player, start)).collect();
    units.clear();
    weighted_sums(first.sums, &present, |unit, player| first.steps[player * n_units + unit], units);
    units.iter_mut().for_each(|unit| activate(activation, unit));
}

/// 1 or 0 for each of 16 coalitions: a product with it is exact, and stays in vectors where a choice by bits does not.
#[inline(always)]
fn presence(columns: &BitColumns, player_idx: usize, start: usize) -> Lanes {
    let word = columns.player(player_idx)[start / u64::BITS as usize];
    let bits = (word >> (start % u64::BITS as usize)) as u16;
    std::array::from_fn(|lane| f32::from(bits >> lane & 1))
}

/// Appends bias[u] + Σ_i weight(u, i)·inputs[i] for each unit u, in the order of the inputs.
#[inline(always)]
pub(super) fn weighted_sums(
    bias: &[f32],
    inputs: &[Lanes],
    weight: impl Fn(usize, usize) -> f32,
    units: &mut Vec<Lanes>,
) {
    let mut first = 0;
    for bias in bias.chunks(TILE) {
        let mut sums = [[0.0; LANES]; TILE];
        sums.iter_mut().zip(bias).for_each(|(sums, &bias)| *sums = [bias; LANES]);
        for (idx, input) in inputs.iter().enumerate() {
            for (unit, sums) in sums.iter_mut().enumerate() {
                // Units past the last repeat it, and are thrown away.
                let weight = weight((first + unit).min(first + bias.len() - 1), idx);
                for (sum, &x) in sums.iter_mut().zip(input) {
                    *sum += weight * x;
                }
            }
        }
        units.extend_from_slice(&sums[..bias.len()]);
        first += bias.len();
    }
}

#[inline(always)]
pub(super) fn activate(activation: Activation, unit: &mut Lanes) {
    match activation {
        Activation::Identity => {}
        Activation::Relu => unit.iter_mut().for_each(|x| *x = x.max(0.0)),
        Activation::Tanh => unit.iter_mut().for_each(|x| *x = tanh(*x)),
        Activation::Logistic => unit.iter_mut().for_each(|x| *x = sigmoid(*x)),
    }
}
