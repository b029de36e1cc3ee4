//! From the values of games to attributions: exact operators on the host in float64, the others through the batcher.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use ndarray::{Array2, ArrayView1, aview1};
use rayon::prelude::*;

use super::ExplainError;
use super::plan::{Plan, Solver};
use crate::compute::cpu::{Instructions, attribute::attribute};
use crate::compute::{Attributor, Problem, Work};
use crate::offload::{offload, offload_large};
use crate::shap::{Matrix, Operator, Panels, attributions, differences, scaled, unscaled};

/// How far a model's answers to equal rows may lie apart, relative to the base value or 1, whichever is larger: batches of
/// other sizes round otherwise.
const UNSTABLE: f64 = 1e-6;

/// One record's game, whose values are still to come.
pub(super) struct Posed {
    pub(super) record_idx: usize,
    /// Piece of each player.
    pub(super) players: Vec<u32>,
    pub(super) n_pieces: usize,
    /// v(everybody) − v(nobody), `[n_outputs]`.
    pub(super) delta: Vec<f64>,
}

/// A game whose coalitions have their values.
pub(super) struct Played {
    pub(super) posed: Posed,
    pub(super) operator: Arc<Operator>,
    /// `[2·n_pairs × n_outputs]`.
    pub(super) values: Array2<f64>,
}

/// Δ of a record. A record without players is the baseline itself; a model that answers otherwise cannot be explained.
pub(super) fn pose(
    plan: Plan,
    values: ArrayView1<f64>,
    base_values: &[f64],
) -> Result<(Posed, Solver), ExplainError> {
    let delta = (&values - &aview1(base_values)).to_vec();
    let differs = |&(&delta, &base): &(&f64, &f64)| delta.abs() > UNSTABLE * base.abs().max(1.0);
    let unstable = delta.iter().zip(base_values).find(differs).filter(|_| plan.is_baseline());
    match unstable {
        Some((&delta, &base_value)) => {
            Err(ExplainError::Unstable { record: plan.record_idx + 1, value: base_value + delta, base_value })
        }
        None => {
            let Plan { record_idx, players, n_pieces, solver, .. } = plan;
            Ok((Posed { record_idx, players, n_pieces, delta }, solver))
        }
    }
}

/// Attributions of some games, by one device.
pub(super) struct Solved {
    /// Record and its `[n_pieces × n_outputs]`.
    pub(super) attributions: Vec<(usize, Array2<f64>)>,
    pub(super) device: Arc<str>,
}

/// Games under one operator are solved together, all operators at the same time.
pub(super) async fn solve(attributor: &Attributor, played: Vec<Played>) -> Result<Vec<Solved>, ExplainError> {
    let mut groups = BTreeMap::<u64, Vec<Played>>::new();
    for game in played {
        groups.entry(game.operator.id).or_default().push(game);
    }
    try_join_all(groups.into_values().map(|group| solve_group(attributor, group))).await
}

async fn solve_group(attributor: &Attributor, group: Vec<Played>) -> Result<Solved, ExplainError> {
    let operator = Arc::clone(&group[0].operator);
    if matches!(operator.matrix, Matrix::Double(_)) {
        let attributions = offload(move |_| finish(&group, host_products(&group))).await?;
        return Ok(Solved { attributions, device: "cpu".into() });
    }
    let n_bytes = group.iter().map(|played| size_of_val(played.values.as_slice().unwrap_or_default())).sum();
    let (group, columns, scales) = offload_large(n_bytes, move |_| scaled_columns(group)).await;
    let solution = attributor.solve(Problem { operator, work: Work::Columns(columns) }).await?;
    let attributions = offload_large(size_of_val(solution.attributions.as_slice()), move |_| {
        let products = solution.attributions.chunks_exact(group[0].operator.design.n_players).zip(scales);
        finish(&group, products.map(|(product, scale)| unscaled(product, scale)))
    });
    Ok(Solved { attributions: attributions.await?, device: solution.device })
}

/// One product for each game and output, in float64 throughout; zeros, the equal split, where nothing was asked.
fn host_products(group: &[Played]) -> impl Iterator<Item = Vec<f64>> {
    let Operator { design, matrix, .. } = group[0].operator.as_ref();
    let Matrix::Double(matrix) = matrix else { panic!("float32 operators are the device's. This is a bug.") };
    let columns: Vec<Vec<f64>> = group.iter().flat_map(columns).collect();
    let panels = Panels::from_columns(design.n_pairs, &columns);
    let products = attribute(Instructions::detect(), matrix, &panels);
    let n_players = design.n_players;
    (0..columns.len()).map(move |idx| products[idx * n_players..][..n_players].to_vec())
}

type ScaledColumns = (Vec<Played>, Vec<Vec<f32>>, Vec<f64>);

/// Columns in float32, and what each was divided by.
fn scaled_columns(group: Vec<Played>) -> ScaledColumns {
    let (columns, scales) = match group.as_slice() {
        // One game alone is done before another thread is awake.
        [played] => columns(played).map(|column| scaled(&column)).unzip(),
        games => games.par_iter().flat_map_iter(columns).map(|column| scaled(&column)).unzip(),
    };
    (group, columns, scales)
}

/// What the operator multiplies, one column for each output.
fn columns(played: &Played) -> impl Iterator<Item = Vec<f64>> + '_ {
    let outputs = played.values.columns().into_iter().zip(&played.posed.delta);
    outputs.map(|(values, &delta)| differences(&played.operator.coalitions, &values.to_vec(), delta))
}

/// Products, one for each game and output, → attributions that add up, at the pieces of the players.
fn finish(
    group: &[Played],
    mut products: impl Iterator<Item = Vec<f64>>,
) -> Result<Vec<(usize, Array2<f64>)>, ExplainError> {
    let mut next = || products.next().expect("one product for each game and output. This is a bug.");
    let of_game = |played: &Played| played.posed.finish(|_, delta| attributions(&next(), delta));
    group.iter().map(of_game).collect()
}

impl Posed {
    /// `of_output` gives the attributions of the players to an output, from its index and its Δ.
    pub(super) fn finish(
        &self,
        mut of_output: impl FnMut(usize, f64) -> Vec<f64>,
    ) -> Result<(usize, Array2<f64>), ExplainError> {
        let mut pieces = Array2::zeros((self.n_pieces, self.delta.len()));
        for (output_idx, &delta) in self.delta.iter().enumerate() {
            for (&piece, attribution) in self.players.iter().zip(of_output(output_idx, delta)) {
                pieces[[piece as usize, output_idx]] = attribution;
            }
        }
        match pieces.iter().all(|attribution: &f64| attribution.is_finite()) {
            true => Ok((self.record_idx, pieces)),
            false => Err(ExplainError::NotFinite { record: self.record_idx + 1 }),
        }
    }
}
