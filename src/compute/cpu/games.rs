//! Games of a model in the process → what the operator multiplies: values of all coalitions without a row for any of
//! them. The same steps as on a GPU, on the same buffers.

use super::Instructions;
use super::game::Game;
use super::linear_values::FirstLayer;
use super::mlp_values::mlp_values;
use super::rows;
use super::scores::{Rule, Scores, differences, trends};
use crate::compute::Explicand;
use crate::form::{Body, ValueFunction};
use crate::shap::{BitColumns, Operator};

/// The columns of one record, one for each output, `[n_pairs]` each. Elements that float32 cannot hold are NaN.
/// Panics where the function needs rows or float64.
pub fn columns(
    instructions: Instructions,
    function: &ValueFunction,
    operator: &Operator,
    explicand: &Explicand,
) -> Vec<Vec<f32>> {
    if operator.design.n_pairs == 0 {
        return vec![Vec::new(); function.form.n_outputs()];
    }
    let values = values(instructions, function, &operator.columns, explicand);
    let trends = trends(operator.design.n_players);
    let outputs = values.chunks_exact(operator.columns.n_padded()).zip(&explicand.deltas);
    let column =
        |(values, &delta): (&[f32], &f64)| differences(values, operator.coalitions.sizes(), &trends, delta as f32);
    outputs.map(column).collect()
}

/// `[n_outputs × n_padded]`, up to a constant that is the same for all coalitions.
fn values(
    instructions: Instructions,
    function: &ValueFunction,
    columns: &BitColumns,
    explicand: &Explicand,
) -> Vec<f32> {
    let rule = Rule::of(function).expect("such values need float64. This is a bug.");
    let (n_outputs, n_padded) = (function.form.n_outputs(), columns.n_padded());
    let mut game = Game::<f32>::new(function, explicand);
    let mut scores = Scores::new(instructions, rule, n_outputs, n_padded);
    let mut margins = vec![0.0; n_outputs * n_padded];
    for baseline_row in 0..function.n_baseline_rows() {
        margins_of(&mut game, explicand, instructions, baseline_row, columns, &mut margins);
        scores.add(function.baseline_margins(baseline_row), &margins);
    }
    scores.values()
}

/// Writes what the coalitions' margins are beyond those of a baseline row, `[n_outputs × n_padded]`.
fn margins_of(
    game: &mut Game<f32>,
    explicand: &Explicand,
    instructions: Instructions,
    baseline_row: usize,
    columns: &BitColumns,
    margins: &mut [f32],
) {
    let function = game.function;
    match &function.form.body {
        Body::Layers(layers) if !layers.is_linear() => {
            let steps = game.steps(layers, baseline_row);
            let first = FirstLayer { sums: game.function.baseline_sums(baseline_row), steps: &steps };
            mlp_values(instructions, layers, first, columns, margins);
            let n_padded = columns.n_padded();
            let baseline = function.baseline_margins(baseline_row);
            for (margins, baseline) in margins.chunks_exact_mut(n_padded).zip(baseline) {
                margins.iter_mut().for_each(|margin| *margin -= baseline);
            }
        }
        _ => match game.conjunctions(baseline_row, rows::leaves_max(function)) {
            Some(groups) => groups.sums(instructions, columns, margins),
            None => row_by_row(function, explicand, baseline_row, columns, margins),
        },
    }
}

fn row_by_row(
    function: &ValueFunction,
    explicand: &Explicand,
    baseline_row: usize,
    columns: &BitColumns,
    margins: &mut [f32],
) {
    let n_padded = columns.n_padded();
    let (baseline, mut of_rows) = (function.baseline_margins(baseline_row), Vec::new());
    for first in (0..columns.n_coalitions).step_by(rows::BLOCK_COALITIONS) {
        let here = first..columns.n_coalitions.min(first + rows::BLOCK_COALITIONS);
        rows::margins(function, explicand, baseline_row, columns, here.clone(), &mut of_rows);
        for (coalition_idx, of_row) in here.zip(of_rows.chunks_exact(baseline.len())) {
            for (output, (margin, baseline)) in of_row.iter().zip(baseline).enumerate() {
                margins[output * n_padded + coalition_idx] = margin - baseline;
            }
        }
    }
}
