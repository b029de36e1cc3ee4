//! A form behind the `Predictor` seam: coalitions are evaluated row by row, on all cores.

use std::sync::Arc;

use futures_util::FutureExt;
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use tokio::sync::Semaphore;

use super::answer::write_answer;
use super::scores::{to_scores, write_value};
use crate::form::TreeEnsemble;
use crate::model::{Answer, Game, LinkedValue, ModelError, Predictions, Predictor, Values};
use crate::offload::{Stop, offload};
use crate::records::{Format, Table};
use crate::shap::{Clipped, Link};

/// Rows evaluated together: enough to keep a tree in cache, few enough to stay in it themselves.
const BLOCK_ROWS: usize = 64;

/// Walks down a tree between two looks at who else waits for the cores, some 10 ms: a request of many records must
/// not keep a small one waiting.
const TURN_WALKS: usize = 4 << 20;

/// Taken for a turn, first come first served: one large request has the cores at a time.
static LARGE_TURN: Semaphore = Semaphore::const_new(1);

/// A model in the process with its baseline and link.
pub struct Embedded(Arc<Inner>);

struct Inner {
    trees: TreeEnsemble,
    /// `[n_baseline_rows × n_features]`.
    baseline: Array2<f32>,
    link: Link,
    null_value: LinkedValue,
}

impl Embedded {
    /// `baseline` is `[n_baseline_rows × n_features]`, at least one row.
    pub fn new(trees: TreeEnsemble, baseline: Array2<f32>, link: Link) -> Result<Self, ModelError> {
        if baseline.ncols() != trees.n_features {
            return Err(ModelError::Width { record: 1, n_columns: baseline.ncols(), expected: trees.n_features });
        }
        let empty = LinkedValue { value: vec![0.0; trees.n_outputs], clipped: 0 };
        let mut inner = Inner { trees, baseline, link, null_value: empty };
        inner.null_value = inner.value_of_nobody()?;
        Ok(Self(Arc::new(inner)))
    }

    pub fn n_features(&self) -> usize {
        self.0.trees.n_features
    }

    pub fn n_outputs(&self) -> usize {
        self.0.trees.n_outputs
    }
}

impl Predictor for Embedded {
    fn predict<'a>(&'a self, records: &'a Arc<Table>, accept: Format) -> Answer<'a, Predictions> {
        let (inner, records) = (Arc::clone(&self.0), Arc::clone(records));
        offload(move |stop| inner.predict(&records, accept, stop)).boxed()
    }

    fn differing(&self, records: &Table, record_idx: usize) -> Result<Vec<u32>, ModelError> {
        let numbers = records.numbers()?;
        let record = numbers.row(record_idx);
        let differs = |&feature: &u32| {
            let (x, rows) = (record[feature as usize], self.0.baseline.column(feature as usize));
            rows.iter().any(|&b| x != b && !(x.is_nan() && b.is_nan()))
        };
        Ok((0..record.len() as u32).filter(differs).collect())
    }

    fn null_value(&self) -> Answer<'_, LinkedValue> {
        std::future::ready(Ok(self.0.null_value.clone())).boxed()
    }

    fn values<'a>(&'a self, records: &'a Arc<Table>, games: Vec<Game>) -> Answer<'a, Values> {
        let (inner, records) = (Arc::clone(&self.0), Arc::clone(records));
        offload(move |stop| inner.values(records.numbers()?, &games, stop)).boxed()
    }
}

/// A block of neighbouring coalitions of one game, and where their values go.
struct Block<'a> {
    game: &'a Game,
    first_coalition: usize,
    /// `[n_coalitions_here × n_outputs]`.
    values: &'a mut [f64],
}

impl Inner {
    fn predict(&self, records: &Table, accept: Format, stop: &Stop) -> Result<Predictions, ModelError> {
        let expected = self.trees.n_features;
        if records.n_columns() != expected {
            return Err(ModelError::Width { record: 1, n_columns: records.n_columns(), expected });
        }
        let (n_records, n_outputs) = (records.n_records(), self.trees.n_outputs);
        let rows = records.numbers()?.as_standard_layout();
        let rows = rows.as_slice().expect("standard layout is contiguous. This is a bug.");
        let mut margins = vec![0.0; n_records * n_outputs];
        let blocks = margins.chunks_mut(BLOCK_ROWS * n_outputs).zip(rows.chunks(BLOCK_ROWS * expected));
        self.in_turns(&mut blocks.collect::<Vec<_>>(), stop, |(margins, rows)| {
            self.trees.margins(rows, margins);
            Ok(0)
        })?;
        let (values, clipped) = self.own_values(&margins)?;
        margins.chunks_exact_mut(n_outputs).for_each(|row| to_scores(self.trees.transform, row));
        let scores = Array2::from_shape_vec((n_records, n_outputs), margins)
            .expect("one margin for each record and output. This is a bug.");
        Ok(Predictions { text: write_answer(&scores, accept), format: accept, values, clipped })
    }

    /// f(record) on the link's scale from the records' margins, `[n_records × n_outputs]`.
    fn own_values(&self, margins: &[f32]) -> Result<(Array2<f64>, Clipped), ModelError> {
        let n_outputs = self.trees.n_outputs;
        let mut margins = margins.to_vec();
        let mut values = vec![0.0; margins.len()];
        let mut clipped = 0;
        let rows = margins.chunks_exact_mut(n_outputs).zip(values.chunks_exact_mut(n_outputs));
        for (record_idx, (margins, value)) in rows.enumerate() {
            clipped += self.write_value(margins, value, record_idx)?;
        }
        Ok((by_output(values, n_outputs), clipped))
    }

    fn value_of_nobody(&self) -> Result<LinkedValue, ModelError> {
        let rows: Vec<f32> = self.baseline.iter().copied().collect();
        let mut margins = vec![0.0; self.baseline.nrows() * self.trees.n_outputs];
        self.trees.margins(&rows, &mut margins);
        let mut value = vec![0.0; self.trees.n_outputs];
        let clipped = self.write_value(&mut margins, &mut value, 0)?;
        Ok(LinkedValue { value, clipped })
    }

    /// The value of one coalition from the margins of its rows.
    fn write_value(
        &self,
        margins: &mut [f32],
        value: &mut [f64],
        record_idx: usize,
    ) -> Result<Clipped, ModelError> {
        let clipped = write_value(self.trees.transform, self.link, margins, value);
        match value.iter().find(|score| !score.is_finite()) {
            Some(&score) => Err(ModelError::NotFinite { record: record_idx + 1, score }),
            None => Ok(clipped),
        }
    }

    fn values(&self, records: &Array2<f32>, games: &[Game], stop: &Stop) -> Result<Values, ModelError> {
        let n_outputs = self.trees.n_outputs;
        let mut values: Vec<Vec<f64>> =
            games.iter().map(|game| vec![0.0; 2 * game.coalitions.n_pairs() * n_outputs]).collect();
        let mut blocks: Vec<Block> =
            games.iter().zip(&mut values).flat_map(|(game, values)| self.blocks(game, values)).collect();
        let fill = |block: &mut Block| self.fill(block, records.row(block.game.record_idx));
        let clipped = self.in_turns(&mut blocks, stop, fill)?;
        Ok(Values { of_games: values.into_iter().map(|values| by_output(values, n_outputs)).collect(), clipped })
    }

    /// All blocks on all cores. Work of one turn begins at once; more waits before each turn for other large work.
    fn in_turns<B: Send>(
        &self,
        blocks: &mut [B],
        stop: &Stop,
        work: impl Fn(&mut B) -> Result<Clipped, ModelError> + Sync,
    ) -> Result<Clipped, ModelError> {
        let walks_per_block = (BLOCK_ROWS.max(self.baseline.nrows()) * self.trees.roots.len()).max(1);
        let blocks_per_turn = (TURN_WALKS / walks_per_block).max(1);
        let is_large = blocks.len() > blocks_per_turn;
        let mut clipped = 0;
        for turn in blocks.chunks_mut(blocks_per_turn) {
            let _turn = is_large.then(|| pollster::block_on(LARGE_TURN.acquire()));
            if stop.is_set() {
                return Err(ModelError::GivenUp);
            }
            clipped += turn.par_iter_mut().map(&work).try_reduce(|| 0, |a, b| Ok(a + b))?;
        }
        Ok(clipped)
    }

    fn blocks<'a>(&self, game: &'a Game, values: &'a mut [f64]) -> impl Iterator<Item = Block<'a>> {
        let coalitions_per_block = (BLOCK_ROWS / self.baseline.nrows()).max(1);
        let chunks = values.chunks_mut(coalitions_per_block * self.trees.n_outputs).enumerate();
        chunks.map(move |(block_idx, values)| Block {
            game,
            first_coalition: block_idx * coalitions_per_block,
            values,
        })
    }

    fn fill(&self, block: &mut Block, record: ArrayView1<f32>) -> Result<Clipped, ModelError> {
        let n_outputs = self.trees.n_outputs;
        let n_coalitions = block.values.len() / n_outputs;
        let mut rows = Vec::with_capacity(n_coalitions * self.baseline.len());
        for coalition_idx in block.first_coalition..block.first_coalition + n_coalitions {
            self.push_rows(&mut rows, record, block.game, coalition_idx);
        }
        let mut margins = vec![0.0; n_coalitions * self.baseline.nrows() * n_outputs];
        self.trees.margins(&rows, &mut margins);
        let of_coalitions = margins.chunks_exact_mut(self.baseline.nrows() * n_outputs);
        let values = of_coalitions.zip(block.values.chunks_exact_mut(n_outputs));
        values.map(|(margins, value)| self.write_value(margins, value, block.game.record_idx)).sum()
    }

    /// One row for each baseline row, with the present players' features from the record.
    fn push_rows(&self, rows: &mut Vec<f32>, record: ArrayView1<f32>, game: &Game, coalition_idx: usize) {
        let n_pairs = game.coalitions.n_pairs();
        let (pair_idx, is_complement) = (coalition_idx % n_pairs, coalition_idx >= n_pairs);
        for baseline_row in self.baseline.rows() {
            let start = rows.len();
            rows.extend(baseline_row.iter());
            for (player_idx, &feature) in game.players.iter().enumerate() {
                if game.coalitions.contains(pair_idx, player_idx) != is_complement {
                    rows[start + feature as usize] = record[feature as usize];
                }
            }
        }
    }
}

/// `[n × n_outputs]`, row-major.
fn by_output(values: Vec<f64>, n_outputs: usize) -> Array2<f64> {
    let shape = (values.len() / n_outputs, n_outputs);
    Array2::from_shape_vec(shape, values).expect("one value for each row and output. This is a bug.")
}
