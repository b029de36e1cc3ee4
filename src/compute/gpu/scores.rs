//! From margins to what the operator multiplies: `shaders/scores.wgsl`.

use super::design::DesignBuffers;
use super::kernel::{Context, GROUP_THREADS, Kernel};
use super::passage::Passage;
use super::program::{Program, Sizes};
use super::shaders::shader;
use super::store::{INPUT, Scratch, Slice, WORK};
use crate::compute::cpu::scores::Rule;
use crate::form::Transform;
use crate::shap::PANEL_WIDTH;

pub(super) struct ScoreKernels {
    add: Kernel,
    finish: Kernel,
    margins: Scratch,
    totals: Scratch,
    deltas: Scratch,
    columns: Scratch,
    is_coarse: Scratch,
}

/// What all records of a submission have in common.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rule: Rule,
    pub(super) n_outputs: usize,
    pub(super) n_padded: usize,
    pub(super) n_pairs: usize,
    pub(super) n_baseline_rows: usize,
}

/// What stands between the kernels of a submission.
pub(super) struct ScoreWork {
    totals: Slice,
    deltas: Slice,
    /// In panels, for the operator.
    pub(super) columns: Slice,
    /// `[n_columns]`, 1 where float32 is not enough.
    pub(super) is_coarse: Slice,
}

impl Shape {
    /// Of a game, in bytes.
    pub(super) fn margins_bytes(&self) -> u64 {
        (size_of::<f32>() * self.n_outputs * self.n_padded) as u64
    }

    /// Of a record, in bytes; columns with the panels that they begin.
    pub(super) fn record_bytes(&self) -> u64 {
        let n_columns = self.n_pairs * (self.n_outputs + PANEL_WIDTH);
        self.totals_bytes() + (size_of::<f32>() * n_columns) as u64
    }

    fn totals_bytes(&self) -> u64 {
        self.rule.n_sums() as u64 * self.margins_bytes()
    }

    fn sizes(&self, n_rows: usize, first_row: usize) -> Sizes {
        let (rule, transform) = match self.rule {
            Rule::Margin => (0, Transform::Identity),
            Rule::Score(transform) => (1, transform),
            Rule::LogOdds(transform) => (2, transform),
        };
        let transform = match transform {
            Transform::Identity => 0,
            Transform::Logistic => 1,
            Transform::Softmax => 2,
            Transform::Exponential => 3,
        };
        let Self { n_outputs, n_padded, n_pairs, n_baseline_rows, .. } = *self;
        let counts = [n_outputs, n_padded, n_pairs, n_rows, first_row, n_baseline_rows];
        let [a, b, c, d, e, f] = counts.map(|n| n as u32);
        [a, b, c, d, e, f, rule, transform]
    }
}

impl ScoreKernels {
    pub(super) fn new(context: &Context) -> Self {
        let kernel = |entry_point, first_binding| {
            Kernel::new(context, entry_point, shader!("scores"), entry_point, first_binding)
        };
        Self {
            add: kernel("add", 1),
            finish: kernel("finish", 3),
            margins: Scratch::new("scores.margins", WORK),
            totals: Scratch::new("scores.totals", WORK),
            deltas: Scratch::new("scores.deltas", INPUT),
            columns: Scratch::new("scores.columns", WORK),
            is_coarse: Scratch::new("scores.is_coarse", WORK),
        }
    }

    pub(super) fn margins(&mut self, context: &Context, shape: Shape, n_games: usize) -> Slice {
        self.margins.take(&context.device, shape.margins_bytes() * n_games as u64)
    }

    /// `deltas` is `[n_columns]`.
    pub(super) fn work(&mut self, context: &Context, shape: Shape, n_records: usize, deltas: &[f32]) -> ScoreWork {
        let n_panels = deltas.len().div_ceil(PANEL_WIDTH);
        let panel_bytes = (size_of::<f32>() * shape.n_pairs * PANEL_WIDTH) as u64;
        ScoreWork {
            totals: self.totals.take(&context.device, shape.totals_bytes() * n_records as u64),
            deltas: context.put(&mut self.deltas, deltas),
            columns: self.columns.take(&context.device, panel_bytes * n_panels as u64),
            is_coarse: self.is_coarse.take(&context.device, size_of_val(deltas) as u64),
        }
    }

    pub(super) fn encode_start(program: &mut Program, work: &ScoreWork) {
        program.clear(&work.totals);
        program.clear(&work.is_coarse);
    }

    /// Adds the baseline rows of a passage to the totals.
    pub(super) fn encode_add(
        &self,
        program: &mut Program,
        shape: Shape,
        baseline_margins: &Slice,
        passage: &Passage,
        work: &ScoreWork,
    ) {
        let sizes = shape.sizes(passage.n_rows, passage.first_row);
        let groups = [shape.n_padded.div_ceil(GROUP_THREADS), passage.n_records, 1];
        program.dispatch(&self.add, sizes, &[&passage.margins, baseline_margins, &work.totals], groups);
    }

    pub(super) fn encode_finish(
        &self,
        program: &mut Program,
        shape: Shape,
        design: &DesignBuffers,
        n_columns: usize,
        work: &ScoreWork,
    ) {
        let bindings = [&work.totals, &work.deltas, &design.trends, &work.columns, &work.is_coarse];
        let groups = [shape.n_pairs.div_ceil(GROUP_THREADS), n_columns, 1];
        program.dispatch(&self.finish, shape.sizes(0, 0), &bindings, groups);
    }
}
