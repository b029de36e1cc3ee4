//! Games of a model in the process: closed forms and listings on the host in float64, all others through the batcher.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use ndarray::Array2;

use super::attribution::{self, Played, Posed, Solved, pose};
use super::plan::{Operators, Plan};
use super::{ExplainError, Predicted, Report};
use crate::compute::cpu::{double, exact, scores::Rule};
use crate::compute::{Attributor, Explicand, Problem, Work};
use crate::form::ValueFunction;
use crate::model::{LinkedValue, ModelError};
use crate::offload::{in_turns, offload, offload_large};
use crate::shap::{Matrix, Operator, adding_up, attributions};
use crate::telemetry;

pub(super) struct Computed<'a> {
    pub(super) attributor: &'a Attributor,
    pub(super) function: &'a Arc<ValueFunction>,
}

/// A game with the record that it explains.
type Own = (Posed, Explicand);

/// Games under one operator, or with closed forms.
type Group = (Option<Arc<Operator>>, Vec<Own>);

/// The games of a chunk by operator.
pub(super) fn pose_all(
    predicted: &Predicted<'_>,
    numbers: &Array2<f32>,
    null: &LinkedValue,
    chunk: Vec<Plan>,
    operators: &Operators,
) -> Result<Vec<Group>, ExplainError> {
    let mut groups = BTreeMap::<Option<u64>, Group>::new();
    for plan in chunk {
        let record_idx = plan.record_idx;
        let (posed, solver) = pose(plan, predicted.predictions.values.row(record_idx), &null.value)?;
        let features = numbers.row(record_idx).to_vec();
        let explicand = Explicand { features, players: posed.players.clone(), deltas: posed.delta.clone() };
        let operator = operators.of(solver);
        let group = groups.entry(operator.as_ref().map(|operator| operator.id));
        group.or_insert_with(|| (operator, Vec::new())).1.push((posed, explicand));
    }
    Ok(groups.into_values().collect())
}

impl Computed<'_> {
    pub(super) async fn solve(
        &self,
        groups: Vec<Group>,
        report: &mut Report,
    ) -> Result<Vec<Solved>, ExplainError> {
        for (operator, _) in &groups {
            let estimator = operator.as_ref().map(|operator| operator.design.estimator.name());
            report.estimators.insert(estimator.unwrap_or(exact::NAME));
        }
        let of_group = async |(operator, games): Group| match operator {
            None => Ok((vec![self.closed_forms(games).await?], 0)),
            Some(operator) if self.is_single(&operator) => self.on_device(operator, games).await,
            Some(operator) => self.in_double(operator, games).await,
        };
        let solved = try_join_all(groups.into_iter().map(of_group)).await?;
        report.clipped += solved.iter().map(|(_, clipped)| clipped).sum::<usize>();
        Ok(solved.into_iter().flat_map(|(solved, _)| solved).collect())
    }

    /// Whether float32 is enough for operator and values, and no coalition needs a row.
    fn is_single(&self, operator: &Operator) -> bool {
        let has_rule = Rule::of(self.function).is_some() && self.function.input_features.is_some();
        has_rule && matches!(operator.matrix, Matrix::Single(_))
    }

    async fn closed_forms(&self, games: Vec<Own>) -> Result<Solved, ExplainError> {
        let function = Arc::clone(self.function);
        let n_steps = function.n_baseline_rows() * function.steps_per_row;
        let finish = move |(posed, explicand): Own| {
            let phi = exact::attributions(&function, &explicand);
            posed.finish(|output, delta| adding_up(phi.column(output).to_vec(), delta))
        };
        let attributions = offload(move |stop| in_turns(games, n_steps, stop, finish)).await?;
        Ok(Solved { attributions, device: "cpu".into() })
    }

    /// Values in float64, row by row where it must be.
    async fn in_double(
        &self,
        operator: Arc<Operator>,
        games: Vec<Own>,
    ) -> Result<(Vec<Solved>, usize), ExplainError> {
        let (function, shared) = (Arc::clone(self.function), Arc::clone(&operator));
        let n_steps = function.n_baseline_rows() * function.steps_per_row * operator.columns.n_coalitions;
        let play = move |(posed, explicand): Own| {
            let (values, clipped) = double::values(&function, &shared.columns, &explicand);
            match values.iter().find(|value| !value.is_finite()) {
                Some(&score) => Err(ModelError::NotFinite { record: posed.record_idx + 1, score }),
                None => Ok((Played { posed, operator: Arc::clone(&shared), values }, clipped)),
            }
        };
        let played = offload(move |stop| in_turns(games, n_steps, stop, play)).await?;
        let (played, clipped): (Vec<Played>, Vec<usize>) = played.into_iter().unzip();
        let solved = attribution::solve(self.attributor, played).await?;
        Ok((solved, clipped.into_iter().sum()))
    }

    /// Values and attributions on the device. Games that float32 cannot hold go on in float64.
    async fn on_device(
        &self,
        operator: Arc<Operator>,
        games: Vec<Own>,
    ) -> Result<(Vec<Solved>, usize), ExplainError> {
        let (posed, explicands): (Vec<Posed>, Vec<Explicand>) = games.into_iter().unzip();
        let explicands: Arc<[Explicand]> = explicands.into();
        let work = Work::Games { function: Arc::clone(self.function), explicands: Arc::clone(&explicands) };
        let solution = self.attributor.solve(Problem { operator: Arc::clone(&operator), work }).await?;
        let n_players = operator.design.n_players;
        let n_bytes = size_of_val(solution.attributions.as_slice());
        let finished = offload_large(n_bytes, move |_| finish(posed, &solution.attributions, n_players));
        let (attributions, left) = finished.await?;
        let mut solved = vec![Solved { attributions, device: solution.device }];
        if left.is_empty() {
            return Ok((solved, 0));
        }
        telemetry::count_fallback("float32");
        let left = left.into_iter().map(|(game_idx, posed)| (posed, explicands[game_idx].clone())).collect();
        let (in_double, clipped) = self.in_double(operator, left).await?;
        solved.extend(in_double);
        Ok((solved, clipped))
    }
}

type Finished = (Vec<(usize, Array2<f64>)>, Vec<(usize, Posed)>);

/// Products `[n_games × n_outputs × n_players]` → attributions; the games whose products are not finite are left.
fn finish(games: Vec<Posed>, products: &[f32], n_players: usize) -> Result<Finished, ExplainError> {
    let (mut finished, mut left) = (Vec::with_capacity(games.len()), Vec::new());
    let n_of_game = games.first().map_or(0, |posed| posed.delta.len() * n_players);
    for (game_idx, posed) in games.into_iter().enumerate() {
        let products = &products[game_idx * n_of_game..][..n_of_game];
        if !products.iter().all(|product| product.is_finite()) {
            left.push((game_idx, posed));
            continue;
        }
        let of_output = |output: usize, delta: f64| {
            let product = &products[output * n_players..][..n_players];
            attributions(&product.iter().map(|&element| f64::from(element)).collect::<Vec<f64>>(), delta)
        };
        finished.push(posed.finish(of_output)?);
    }
    Ok((finished, left))
}
