//! Coalitions row by row: for models whose inputs mix features, and for trees with so many live leaves that walking down
//! them is cheaper.

use std::ops::Range;

use crate::compute::Explicand;
use crate::form::ValueFunction;
use crate::shap::BitColumns;

/// Coalitions whose rows are made together.
pub(super) const BLOCK_COALITIONS: usize = 64;

/// Live leaves for each step of a row, beyond which rows are cheaper: a leaf costs a coalition a sixteenth of a vector
/// operation, a step down a tree costs it several.
const LEAVES_PER_STEP: usize = 16;

pub(super) fn leaves_max(function: &ValueFunction) -> usize {
    LEAVES_PER_STEP * function.steps_per_row
}

/// Writes the margins of some neighbouring coalitions, `[n_coalitions_here × n_outputs]`.
pub(super) fn margins(
    function: &ValueFunction,
    explicand: &Explicand,
    baseline_row: usize,
    columns: &BitColumns,
    coalitions: Range<usize>,
    out: &mut Vec<f32>,
) {
    let mut rows = Vec::with_capacity(coalitions.len() * explicand.features.len());
    out.resize(coalitions.len() * function.form.n_outputs(), 0.0);
    for coalition_idx in coalitions {
        let start = rows.len();
        rows.extend(function.baseline.row(baseline_row));
        for (player_idx, &feature) in explicand.players.iter().enumerate() {
            if columns.is_present(coalition_idx, player_idx) {
                rows[start + feature as usize] = explicand.features[feature as usize];
            }
        }
    }
    function.form.margins(&rows, out);
}
