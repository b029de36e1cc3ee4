//! A form behind the `Predictor` seam: coalitions are evaluated row by row, on all cores.

use std::sync::Arc;

use futures_util::FutureExt;
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::answer::write_answer;
use super::scores::{linked, to_scores};
use crate::form::TreeEnsemble;
use crate::model::{Answer, Game, LinkedValue, ModelError, Predictions, Predictor, Values};
use crate::offload::{Stop, offload};
use crate::records::{Format, Table};
use crate::shap::{Clipped, Link};

/// Rows evaluated together: enough to keep a tree in cache, few enough to stay in it themselves.
const BLOCK_ROWS: usize = 64;

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
        let rows = inner.baseline.iter().copied().collect::<Vec<f32>>();
        inner.null_value = inner.value_of(&rows, 0)?;
        Ok(Self(Arc::new(inner)))
    }

    pub fn n_outputs(&self) -> usize {
        self.0.trees.n_outputs
    }
}

impl Predictor for Embedded {
    fn predict<'a>(&'a self, records: &'a Arc<Table>, accept: Format) -> Answer<'a, Predictions> {
        let (inner, records) = (Arc::clone(&self.0), Arc::clone(records));
        offload(move |_| inner.predict(&records, accept)).boxed()
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

    fn values<'a>(&'a self, records: &'a Arc<Table>, games: Vec<Game>) -> Answer<'a, Vec<Values>> {
        let (inner, records) = (Arc::clone(&self.0), Arc::clone(records));
        offload(move |stop| {
            let numbers = records.numbers()?;
            let game_values = |game: &Game| inner.game_values(numbers.row(game.record_idx), game, stop);
            games.par_iter().map(game_values).collect()
        })
        .boxed()
    }
}

impl Inner {
    fn predict(&self, records: &Table, accept: Format) -> Result<Predictions, ModelError> {
        let expected = self.trees.n_features;
        if records.n_columns() != expected {
            return Err(ModelError::Width { record: 1, n_columns: records.n_columns(), expected });
        }
        let (n_records, n_outputs) = (records.n_records(), self.trees.n_outputs);
        let rows = records.numbers()?.as_standard_layout();
        let rows = rows.as_slice().expect("standard layout is contiguous. This is a bug.");
        let mut margins = vec![0.0; n_records * n_outputs];
        margins
            .par_chunks_mut(BLOCK_ROWS * n_outputs)
            .zip(rows.par_chunks(BLOCK_ROWS * expected))
            .for_each(|(margins, rows)| self.trees.margins(rows, margins));
        let (values, clipped) = self.own_values(&margins)?;
        margins.chunks_exact_mut(n_outputs).for_each(|row| to_scores(self.trees.transform, row));
        let scores = Array2::from_shape_vec((n_records, n_outputs), margins)
            .expect("one margin for each record and output. This is a bug.");
        Ok(Predictions { text: write_answer(&scores, accept), format: accept, values, clipped })
    }

    /// f(record) on the link's scale from the records' margins, `[n_records × n_outputs]`.
    fn own_values(&self, margins: &[f32]) -> Result<(Array2<f64>, Clipped), ModelError> {
        let n_outputs = self.trees.n_outputs;
        let mut values = Array2::zeros((margins.len() / n_outputs, n_outputs));
        let mut clipped = 0;
        for (record_idx, mut value) in values.rows_mut().into_iter().enumerate() {
            let mut row = margins[record_idx * n_outputs..][..n_outputs].to_vec();
            let linked = self.link_margins(&mut row, record_idx)?;
            value.assign(&ArrayView1::from(&linked.value));
            clipped += linked.clipped;
        }
        Ok((values, clipped))
    }

    /// The value of one coalition from its rows, `[n_rows × n_features]`.
    fn value_of(&self, rows: &[f32], record_idx: usize) -> Result<LinkedValue, ModelError> {
        let mut margins = vec![0.0; rows.len() / self.trees.n_features * self.trees.n_outputs];
        self.trees.margins(rows, &mut margins);
        self.link_margins(&mut margins, record_idx)
    }

    fn link_margins(&self, margins: &mut [f32], record_idx: usize) -> Result<LinkedValue, ModelError> {
        let mut linked_value = LinkedValue { value: vec![0.0; self.trees.n_outputs], clipped: 0 };
        let LinkedValue { value, clipped } = &mut linked_value;
        linked(self.trees.transform, self.link, margins, self.trees.n_outputs, value, clipped);
        match value.iter().find(|score| !score.is_finite()) {
            Some(&score) => Err(ModelError::NotFinite { record: record_idx + 1, score }),
            None => Ok(linked_value),
        }
    }

    fn game_values(&self, record: ArrayView1<f32>, game: &Game, stop: &Stop) -> Result<Values, ModelError> {
        let (n_outputs, n_coalitions) = (self.trees.n_outputs, 2 * game.coalitions.n_pairs());
        let coalitions_per_block = (BLOCK_ROWS / self.baseline.nrows()).max(1);
        let mut by_coalition = vec![0.0; n_coalitions * n_outputs];
        let blocks = by_coalition.par_chunks_mut(coalitions_per_block * n_outputs).enumerate();
        let clipped = blocks
            .map(|(block_idx, values)| {
                if stop.is_set() {
                    return Err(ModelError::GivenUp);
                }
                self.block_values(record, game, block_idx * coalitions_per_block, values)
            })
            .try_reduce(|| 0, |a, b| Ok(a + b))?;
        let by_coalition = Array2::from_shape_vec((n_coalitions, n_outputs), by_coalition)
            .expect("one value for each coalition and output. This is a bug.");
        Ok(Values { values: by_coalition.reversed_axes().as_standard_layout().into_owned(), clipped })
    }

    /// Values of neighbouring coalitions, `[n_coalitions_here × n_outputs]`.
    fn block_values(
        &self,
        record: ArrayView1<f32>,
        game: &Game,
        first_coalition: usize,
        values: &mut [f64],
    ) -> Result<Clipped, ModelError> {
        let n_outputs = self.trees.n_outputs;
        let n_coalitions = values.len() / n_outputs;
        let mut rows = Vec::with_capacity(n_coalitions * self.baseline.len());
        for coalition_idx in first_coalition..first_coalition + n_coalitions {
            self.push_rows(&mut rows, record, game, coalition_idx);
        }
        let mut margins = vec![0.0; n_coalitions * self.baseline.nrows() * n_outputs];
        self.trees.margins(&rows, &mut margins);
        let mut clipped = 0;
        let of_coalitions = margins.chunks_exact_mut(self.baseline.nrows() * n_outputs);
        for (margins, value) in of_coalitions.zip(values.chunks_exact_mut(n_outputs)) {
            let linked = self.link_margins(margins, game.record_idx)?;
            value.copy_from_slice(&linked.value);
            clipped += linked.clipped;
        }
        Ok(clipped)
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
