//! Which game each record plays, and which records go together: chunks bounded in values and in operators.

use std::collections::HashSet;
use std::sync::Arc;

use super::{ExplainError, Settings};
use crate::config::Kernel;
use crate::model::{Game, Predictor};
use crate::records::Table;
use crate::shap::{Design, DesignLimits, Operator, OperatorCache};

/// Values of one chunk of records, in bytes.
const CHUNK_BYTES_MAX: usize = 32 << 20;

pub(super) struct Plan {
    record_idx: usize,
    /// Feature of each player.
    players: Vec<u32>,
    design: Design,
}

impl Plan {
    pub(super) fn game(self, operators: &OperatorCache) -> (Game, Arc<Operator>) {
        let operator = operators.get(self.design);
        let coalitions = Arc::clone(&operator.coalitions);
        (Game { record_idx: self.record_idx, players: self.players, coalitions }, operator)
    }
}

/// Kernel `shapley` leaves features out that equal the baseline; under `clarify` all of them play.
pub(super) fn plan(
    predictor: &dyn Predictor,
    settings: &Settings,
    limits: DesignLimits,
    records: &Table,
    record_idx: usize,
) -> Result<Plan, ExplainError> {
    let players = match settings.kernel {
        Kernel::Shapley => predictor.differing(records, record_idx)?,
        Kernel::Clarify => (0..records.n_columns() as u32).collect(),
    };
    let design = settings
        .design(players.len(), limits)
        .map_err(|reason| ExplainError::Design { record: record_idx + 1, reason })?;
    Ok(Plan { record_idx, players, design })
}

/// Neighbouring plans whose values and distinct operators fit their limits together; one plan alone always goes.
pub(super) fn chunks(plans: Vec<Plan>, n_outputs: usize, operator_bytes_max: usize) -> Vec<Vec<Plan>> {
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
    chunks.push(chunk.plans);
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
        self.value_bytes <= CHUNK_BYTES_MAX && self.operator_bytes <= operator_bytes_max
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

    fn cut(n_players: &[usize], operator_bytes_max: usize) -> Vec<Vec<usize>> {
        let chunks = chunks(plans(n_players), 1, operator_bytes_max);
        chunks.iter().map(|chunk| chunk.iter().map(|plan| plan.record_idx).collect()).collect()
    }

    #[test]
    fn chunks_keep_the_order_and_end_at_either_limit() {
        assert_eq!(cut(&[30, 30, 30], usize::MAX), [vec![0, 1, 2]]);
        let one = plans(&[30])[0].design.operator_bytes();
        assert_eq!(cut(&[30, 30, 31, 30], one), [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(cut(&[30, 31], 0), [vec![0], vec![1]]);
        let many = cut(&vec![30; 5000], usize::MAX);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [1989, 1989, 1022]);
    }
}
