//! Which game each record plays, and which records go together: chunks bounded in values and in operators.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{ExplainError, Settings};
use crate::config::Kernel;
use crate::model::{Call, Game, Predictor};
use crate::shap::{Design, DesignLimits, Operator};

/// Values of one chunk of records, in bytes; a running request holds them a few times over.
const CHUNK_VALUE_BYTES_MAX: usize = 8 << 20;

/// Distinct operators of one chunk, in bytes; a running request holds them whatever the cache does.
const CHUNK_OPERATOR_BYTES_MAX: usize = 64 << 20;

pub(super) struct Plan {
    record_idx: usize,
    /// Feature of each player.
    players: Vec<u32>,
    pub(super) design: Design,
}

impl Plan {
    pub(super) fn game(self, operators: &HashMap<Design, Arc<Operator>>) -> (Game, Arc<Operator>) {
        let operator = Arc::clone(&operators[&self.design]);
        let coalitions = Arc::clone(&operator.coalitions);
        (Game { record_idx: self.record_idx, players: self.players, coalitions }, operator)
    }
}

/// Kernel `shapley` leaves features out that equal the baseline; under `clarify` all of them play.
pub(super) fn plan(
    predictor: &dyn Predictor,
    settings: &Settings,
    limits: DesignLimits,
    call: &Call,
    record_idx: usize,
) -> Result<Plan, ExplainError> {
    let players = match settings.kernel {
        Kernel::Shapley => predictor.differing(call, record_idx)?,
        Kernel::Clarify => (0..call.records.n_columns() as u32).collect(),
    };
    let design = settings
        .design(players.len(), limits)
        .map_err(|reason| ExplainError::Design { record: record_idx + 1, reason })?;
    Ok(Plan { record_idx, players, design })
}

/// Neighbouring plans whose values and distinct operators fit their limits together; one plan alone always goes.
pub(super) fn chunks(plans: Vec<Plan>, n_outputs: usize) -> Vec<Vec<Plan>> {
    cut(plans, n_outputs, CHUNK_OPERATOR_BYTES_MAX)
}

fn cut(plans: Vec<Plan>, n_outputs: usize, operator_bytes_max: usize) -> Vec<Vec<Plan>> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk::default();
    for plan in plans {
        chunk.count(&plan.design, n_outputs);
        if !chunk.plans.is_empty() && !chunk.fits(operator_bytes_max) {
            chunks.push(std::mem::take(&mut chunk).plans);
            chunk.count(&plan.design, n_outputs);
        }
        chunk.plans.push(plan);
    }
    chunks.extend((!chunk.plans.is_empty()).then_some(chunk.plans));
    chunks
}

#[derive(Default)]
struct Chunk {
    plans: Vec<Plan>,
    designs: HashSet<Design>,
    value_bytes: usize,
    operator_bytes: usize,
}

impl Chunk {
    fn count(&mut self, design: &Design, n_outputs: usize) {
        self.value_bytes += 2 * design.n_pairs * n_outputs * size_of::<f64>();
        if self.designs.insert(*design) {
            self.operator_bytes += design.operator_bytes();
        }
    }

    fn fits(&self, operator_bytes_max: usize) -> bool {
        self.value_bytes <= CHUNK_VALUE_BYTES_MAX && self.operator_bytes <= operator_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(n_players: &[usize]) -> Vec<Plan> {
        let limits = DesignLimits { players_max: 1000, operator_bytes_max: usize::MAX };
        let design = |n: usize| Design::new(n, None, 0, Kernel::Shapley, limits).expect("within the limits");
        let plan = |(record_idx, &n)| Plan { record_idx, players: Vec::new(), design: design(n) };
        n_players.iter().enumerate().map(plan).collect()
    }

    fn cut_indexes(n_players: &[usize], operator_bytes_max: usize) -> Vec<Vec<usize>> {
        let chunks = cut(plans(n_players), 1, operator_bytes_max);
        chunks.iter().map(|chunk| chunk.iter().map(|plan| plan.record_idx).collect()).collect()
    }

    #[test]
    fn chunks_keep_the_order_and_end_at_either_limit() {
        assert!(cut_indexes(&[], usize::MAX).is_empty());
        assert_eq!(cut_indexes(&[30, 30, 30], usize::MAX), [vec![0, 1, 2]]);
        let one = plans(&[30])[0].design.operator_bytes();
        assert_eq!(cut_indexes(&[30, 30, 31, 30], one), [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(cut_indexes(&[30, 31], 0), [vec![0], vec![1]]);
        let many = cut_indexes(&vec![30; 1200], usize::MAX);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [497, 497, 206]);
    }
}
