//! Twin of `shaders/steps.wgsl`: inputs of a record and of a baseline row → what each player adds to the sums of the first
//! layer.

use super::live_leaves::NOBODY;
use super::tree_values::Sum;
use crate::form::Layer;

/// One record against one baseline row, each `[n_inputs]`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub record: &'a [f32],
    pub baseline: &'a [f32],
    /// Who owns the feature behind each input.
    pub players: &'a [u32],
}

/// `[n_players × n_units]`
pub fn steps<T: Sum>(first: &Layer, rows: Rows, n_players: usize) -> Vec<T> {
    let n_units = first.n_outputs();
    let mut steps = vec![T::default(); n_players * n_units];
    for (unit, weights) in first.weights.chunks_exact(first.n_inputs()).enumerate() {
        let inputs = weights.iter().zip(rows.record).zip(rows.baseline).zip(rows.players);
        for (((&weight, &x), &b), &player) in inputs.filter(|(_, player)| **player != NOBODY) {
            steps[player as usize * n_units + unit] += T::from(weight) * (T::from(x) - T::from(b));
        }
    }
    steps
}
