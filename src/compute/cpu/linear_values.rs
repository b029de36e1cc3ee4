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

/// Appends the units of 16 coalitions from `start` on.
#[inline(always)]
pub(super) fn first_layer(
    activation: Activation,
    first: FirstLayer,
    columns: &BitColumns,
    start: usize,
    units: &mut Vec<Lanes>,
) {
    units.clear();
    units.extend(first.sums.iter().map(|&sum| [sum; LANES]));
    for (player_idx, steps) in first.steps.chunks_exact(first.sums.len()).enumerate() {
        let word = columns.player(player_idx)[start / u64::BITS as usize];
        let bits = (word >> (start % u64::BITS as usize)) as u16;
        // A product with 1 or 0 is exact, and stays in vectors where a choice by bits does not.
        let present: Lanes = std::array::from_fn(|lane| f32::from(bits >> lane & 1));
        for (unit, &step) in units.iter_mut().zip(steps) {
            for (sum, is_present) in unit.iter_mut().zip(present) {
                *sum += step * is_present;
            }
        }
    }
    units.iter_mut().for_each(|unit| activate(activation, unit));
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
