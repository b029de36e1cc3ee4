//! Games of a model that is asked for every coalition.

use std::sync::Arc;

use super::attribution::{Played, pose};
use super::plan::{Operators, Plan};
use super::{ExplainError, Predicted, Report};
use crate::model::{Ask, Game, LinkedValue};

/// Asks the model for every coalition of a chunk.
pub(super) async fn play(
    model: &dyn Ask,
    predicted: &Predicted<'_>,
    chunk: Vec<Plan>,
    operators: &Operators,
    report: &mut Report,
) -> Result<(Vec<Played>, LinkedValue), ExplainError> {
    let Predicted { call, predictions, .. } = predicted;
    let games: Vec<Game> = chunk.iter().map(|plan| game(plan, operators)).collect();
    let values = model.values(call, games, predictions).await?;
    report.clipped += values.clipped;
    assert_eq!(values.of_games.len(), chunk.len(), "a game without values. This is a bug.");
    let null = values.null;
    let played = chunk.into_iter().zip(values.of_games).map(|(plan, values)| {
        let own = predictions.values.row(plan.record_idx);
        let (posed, solver) = pose(plan, own, &null.value)?;
        let operator = operators.of_asked(solver);
        report.estimators.insert(operator.design.estimator.name());
        Ok(Played { posed, operator, values })
    });
    Ok((played.collect::<Result<_, ExplainError>>()?, null))
}

fn game(plan: &Plan, operators: &Operators) -> Game {
    let coalitions = Arc::clone(&operators.of_asked(plan.solver).coalitions);
    Game { record_idx: plan.record_idx, players: plan.players.clone(), coalitions }
}
