//! Which game each record plays and how it is solved, and which records go together: chunks bounded in values and in
//! operators.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{ExplainError, Settings};
use crate::compute::cpu::exact;
use crate::config::Kernel;
use crate::form::ValueFunction;
use crate::model::{Call, Predictor, Valuation};
use crate::records::Pieces;
use crate::shap::{Design, DesignLimits, Operator};

/// Values of one chunk of records, in bytes; a running request holds them a few times over.
const CHUNK_VALUE_BYTES_MAX: usize = 8 << 20;

/// Distinct operators of one chunk, in bytes; a running request holds them whatever the cache does.
const CHUNK_OPERATOR_BYTES_MAX: usize = 64 << 20;

/// Steps of a model in the process for one chunk, some 20 ms of one core: others pass between the chunks.
const CHUNK_STEPS_MAX: usize = 1 << 19;

pub(super) struct Plan {
    pub(super) record_idx: usize,
    /// Piece of each player.
    pub(super) players: Vec<u32>,
    pub(super) n_pieces: usize,
    /// A text without units can be told from the baseline by no player.
    has_blank_text: bool,
    pub(super) solver: Solver,
}

impl Plan {
    /// Nothing tells the record from the baseline.
    pub(super) fn is_baseline(&self) -> bool {
        self.players.is_empty() && !self.has_blank_text
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Solver {
    /// A closed form: no coalition is asked.
    Exact,
    Design(Design),
}

/// Operators of a chunk.
#[derive(Default)]
pub(super) struct Operators(HashMap<Design, Arc<Operator>>);

impl Extend<Arc<Operator>> for Operators {
    fn extend<I: IntoIterator<Item = Arc<Operator>>>(&mut self, operators: I) {
        self.0.extend(operators.into_iter().map(|operator| (operator.design, operator)));
    }
}

impl Operators {
    /// None for closed forms.
    pub(super) fn of(&self, solver: Solver) -> Option<Arc<Operator>> {
        match solver {
            Solver::Exact => None,
            Solver::Design(design) => Some(Arc::clone(&self.0[&design])),
        }
    }

    /// For a model that is asked, which has no closed form.
    pub(super) fn of_asked(&self, solver: Solver) -> Arc<Operator> {
        self.of(solver).expect("a model that is asked has no closed form. This is a bug.")
    }
}

/// The designs of some plans, each once.
pub(super) fn designs(plans: &[Plan]) -> HashSet<Design> {
    let design = |plan: &Plan| match plan.solver {
        Solver::Design(design) => Some(design),
        Solver::Exact => None,
    };
    plans.iter().filter_map(design).collect()
}

/// What all records of a request have in common.
pub(super) struct Planner<'a> {
    pub(super) predictor: &'a dyn Predictor,
    pub(super) settings: &'a Settings,
    pub(super) limits: DesignLimits,
    pub(super) call: &'a Call,
}

impl Planner<'_> {
    /// Whether the games have closed forms, which are those of the true Shapley kernel.
    pub(super) fn is_exact(&self) -> Result<bool, ExplainError> {
        let function = match self.predictor.valuation(self.call)? {
            Valuation::Asked(_) => None,
            Valuation::Computed { function, .. } => Some(function),
        };
        let applies = |function: &Arc<ValueFunction>| exact::applies(function);
        Ok(self.settings.kernel == Kernel::Shapley && function.is_some_and(applies))
    }

    /// Kernel `shapley` leaves features out that equal the baseline; under `clarify` all of them play.
    pub(super) fn plan(&self, record_idx: usize, is_exact: bool) -> Result<Plan, ExplainError> {
        let Self { predictor, settings, limits, call } = *self;
        let n_pieces = call.n_pieces(record_idx);
        let pieces = call.pieces(record_idx);
        let has_blank_text = pieces.is_some_and(Pieces::has_blank_text);
        let players = match settings.kernel {
            Kernel::Shapley => predictor.differing(call, record_idx)?,
            Kernel::Clarify => (0..n_pieces as u32).collect(),
        };
        let design = || settings.design(players.len(), limits);
        let solver = match is_exact {
            true => Solver::Exact,
            false => {
                let n_units = pieces.map_or(0, Pieces::n_units);
                let refused = |reason| ExplainError::Design { record: record_idx + 1, n_units, reason };
                Solver::Design(design().map_err(refused)?)
            }
        };
        Ok(Plan { record_idx, players, n_pieces, has_blank_text, solver })
    }
}

/// What one record of a request costs.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    pub(super) n_outputs: usize,
    /// Of a model in the process, for all baseline rows.
    pub(super) n_steps: usize,
}

impl Cost {
    pub(super) fn of(valuation: &Valuation, n_outputs: usize) -> Self {
        let n_steps = match valuation {
            Valuation::Asked(_) => 0,
            Valuation::Computed { function, .. } => function.n_baseline_rows() * function.steps_per_row,
        };
        Self { n_outputs, n_steps }
    }
}

/// Neighbouring plans whose values, steps and distinct operators fit their limits together; one plan alone always goes.
pub(super) fn chunks(plans: Vec<Plan>, cost: Cost) -> Vec<Vec<Plan>> {
    cut(plans, cost, CHUNK_OPERATOR_BYTES_MAX)
}

fn cut(plans: Vec<Plan>, cost: Cost, operator_bytes_max: usize) -> Vec<Vec<Plan>> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk::default();
    for plan in plans {
        chunk.count(plan.solver, cost);
        if !chunk.plans.is_empty() && !chunk.fits(operator_bytes_max) {
            chunks.push(std::mem::take(&mut chunk).plans);
            chunk.count(plan.solver, cost);
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
    n_steps: usize,
}

impl Chunk {
    fn count(&mut self, solver: Solver, cost: Cost) {
        self.n_steps += cost.n_steps;
        let Solver::Design(design) = solver else { return };
        self.value_bytes += 2 * design.n_pairs * cost.n_outputs * size_of::<f64>();
        if self.designs.insert(design) {
            self.operator_bytes += design.operator_bytes();
        }
    }

    fn fits(&self, operator_bytes_max: usize) -> bool {
        let fits_memory = self.value_bytes <= CHUNK_VALUE_BYTES_MAX && self.operator_bytes <= operator_bytes_max;
        fits_memory && self.n_steps <= CHUNK_STEPS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(n_players: &[usize]) -> Vec<Plan> {
        let limits = DesignLimits { players_max: 1000, operator_bytes_max: usize::MAX };
        let design = |n: usize| Design::new(n, None, 0, Kernel::Shapley, limits).expect("within the limits");
        let plan = |(record_idx, &n)| Plan {
            record_idx,
            players: Vec::new(),
            n_pieces: n,
            has_blank_text: false,
            solver: Solver::Design(design(n)),
        };
        n_players.iter().enumerate().map(plan).collect()
    }

    fn cut_indexes(n_players: &[usize], n_steps: usize, operator_bytes_max: usize) -> Vec<Vec<usize>> {
        let chunks = cut(plans(n_players), Cost { n_outputs: 1, n_steps }, operator_bytes_max);
        chunks.iter().map(|chunk| chunk.iter().map(|plan| plan.record_idx).collect()).collect()
    }

    #[test]
    fn chunks_keep_the_order_and_end_at_either_limit() {
        assert!(cut_indexes(&[], 0, usize::MAX).is_empty());
        assert_eq!(cut_indexes(&[30, 30, 30], 0, usize::MAX), [vec![0, 1, 2]]);
        assert_eq!(cut_indexes(&[30, 30, 30], CHUNK_STEPS_MAX / 2, usize::MAX), [vec![0, 1], vec![2]]);
        let Solver::Design(design) = plans(&[30])[0].solver else { panic!("nothing is exact here") };
        let one = design.operator_bytes();
        assert_eq!(cut_indexes(&[30, 30, 31, 30], 0, one), [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(cut_indexes(&[30, 31], 0, 0), [vec![0], vec![1]]);
        let many = cut_indexes(&vec![30; 1200], 0, usize::MAX);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [497, 497, 206]);
    }
}
