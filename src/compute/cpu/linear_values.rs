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

/// Weights of a layer as they are met: four units side by side, input after input; those past the last unit are 0.
pub(super) struct Tiles {
    n_units: usize,
    n_inputs: usize,
    /// `[n_tiles × 4]`
    bias: Vec<[f32; TILE]>,
    /// `[n_tiles × n_inputs × 4]`
    weights: Vec<[f32; TILE]>,
}

impl Tiles {
    /// `weight` is that of a unit and an input.
    pub(super) fn new(bias: &[f32], n_inputs: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let (n_units, n_tiles) = (bias.len(), bias.len().div_ceil(TILE));
        let of_tile = |tile: usize, of_unit: &dyn Fn(usize) -> f32| {
            std::array::from_fn(|idx| TILE * tile + idx)
                .map(|unit| if unit < n_units { of_unit(unit) } else { 0.0 })
        };
        let pairs = (0..n_tiles).flat_map(|tile| (0..n_inputs).map(move |input| (tile, input)));
        Self {
            n_units,
            n_inputs,
            bias: (0..n_tiles).map(|tile| of_tile(tile, &|unit| bias[unit])).collect(),
            weights: pairs.map(|(tile, input)| of_tile(tile, &|unit| weight(unit, input))).collect(),
        }
    }

    pub(super) fn of_first_layer(first: FirstLayer, n_players: usize) -> Self {
        let n_units = first.sums.len();
        Self::new(first.sums, n_players, |unit, player| first.steps[player * n_units + unit])
    }

    /// Writes bias + Σ weight·input of each unit, in the order of the inputs.
    #[inline(always)]
    pub(super) fn sums(&self, inputs: &[Lanes], units: &mut Vec<Lanes>) {
        units.clear();
        for (bias, weights) in self.bias.iter().zip(self.weights.chunks_exact(self.n_inputs.max(1))) {
            let mut sums = bias.map(|bias| [bias; LANES]);
            for (weights, input) in weights.iter().zip(inputs) {
                for (sums, &weight) in sums.iter_mut().zip(weights) {
                    for (sum, &x) in sums.iter_mut().zip(input) {
                        *sum += weight * x;
                    }
                }
            }
            units.extend_from_slice(&sums);
        }
        units.truncate(self.n_units);
    }
}

/// Which players are present in 16 coalitions from `start` on, `[n_players]`.
#[inline(always)]
pub(super) fn presences(columns: &BitColumns, start: usize, present: &mut Vec<Lanes>) {
    present.clear();
    present.extend((0..columns.n_players()).map(|player| presence(columns, player, start)));
}

/// 1 or 0 for each of 16 coalitions: a product with it is exact, and stays in vectors where a choice by bits does not.
#[inline(always)]
fn presence(columns: &BitColumns, player_idx: usize, start: usize) -> Lanes {
    let word = columns.player(player_idx)[start / u64::BITS as usize];
    let bits = (word >> (start % u64::BITS as usize)) as u16;
    std::array::from_fn(|lane| f32::from(bits >> lane & 1))
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
