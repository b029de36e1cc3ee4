//! A form behind the `Predictor` seam: coalitions are evaluated row by row, on all cores.

use std::sync::Arc;

use futures_util::FutureExt;
use ndarray::{ArcArray2, Array2, ArrayView1};

use super::scorer::{BLOCK_ROWS, Scorer};
use super::scores::write_value;
use super::turns::in_turns;
use crate::model::{
    Answer, Call, Game, Identity, LinkedValue, Message, Model, ModelError, Predictions, Predictor, Values,
};
use crate::offload::{Stop, offload};
use crate::shap::{Clipped, Link};

/// A model in the process with its baseline and link.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    scorer: Scorer,
    /// `[n_baseline_rows × n_features]`.
    baseline: ArcArray2<f32>,
    /// Whether a feature differs among the baseline rows.
    varies: Vec<bool>,
    link: Link,
    null_value: LinkedValue,
}

impl Embedded {
    /// `baseline` is `[n_baseline_rows × n_features]`, at least one row.
    pub fn new(scorer: Scorer, baseline: ArcArray2<f32>, link: Link) -> Result<Self, ModelError> {
        if baseline.ncols() != scorer.n_features() {
            let expected = scorer.n_features();
            return Err(ModelError::Width { record: 1, n_columns: baseline.ncols(), expected });
        }
        let empty = LinkedValue { value: vec![0.0; scorer.n_outputs()], clipped: 0 };
        let varies = |column: ArrayView1<f32>| column.iter().any(|&number| !is_same(number, column[0]));
        let varies = baseline.columns().into_iter().map(varies).collect();
        let mut inner = Inner { scorer, baseline, varies, link, null_value: empty };
        inner.null_value = inner.value_of_nobody()?;
        Ok(Self(Arc::new(inner)))
    }
}

impl Model for Embedded {
    fn predictor<'a>(&'a self, _: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        let predictor: Arc<dyn Predictor> = Arc::new(self.clone());
        std::future::ready(Ok(predictor)).boxed()
    }
}

impl Predictor for Embedded {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        let (inner, call) = (Arc::clone(&self.0), Arc::clone(call));
        offload(move |stop| inner.predict(&call, stop)).boxed()
    }

    fn differing(&self, call: &Call, record_idx: usize) -> Result<Vec<u32>, ModelError> {
        let numbers = call.records.numbers()?;
        let record = numbers.row(record_idx);
        let differs = |&feature: &u32| {
            let feature = feature as usize;
            self.0.varies[feature] || !is_same(record[feature], self.0.baseline[[0, feature]])
        };
        Ok((0..record.len() as u32).filter(differs).collect())
    }

    fn values<'a>(&'a self, call: &'a Arc<Call>, games: Vec<Game>, _: &'a Predictions) -> Answer<'a, Values> {
        let (inner, call) = (Arc::clone(&self.0), Arc::clone(call));
        offload(move |stop| inner.values(call.records.numbers()?, &games, stop)).boxed()
    }

    fn identity(&self) -> Identity {
        self.0.scorer.identity()
    }
}

/// Missing values are the same.
fn is_same(a: f32, b: f32) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// A block of neighbouring coalitions of one game, and where their values go.
struct Block<'a> {
    game: &'a Game,
    first_coalition: usize,
    /// `[n_coalitions_here × n_outputs]`.
    values: &'a mut [f64],
}

impl Inner {
    fn predict(&self, call: &Call, stop: &Stop) -> Result<Predictions, ModelError> {
        let format = call.message.accepted()?;
        let margins = self.scorer.margins(&call.records, stop)?;
        let (values, clipped) = self.own_values(&margins)?;
        Ok(Predictions {
            text: self.scorer.answer(margins, format),
            content_type: format.mime().to_owned(),
            format,
            values,
            labels: None,
            custom_attributes: None,
            clipped,
        })
    }

    /// f(record) on the link's scale from the records' margins, `[n_records × n_outputs]`.
    fn own_values(&self, margins: &[f32]) -> Result<(Array2<f64>, Clipped), ModelError> {
        let n_outputs = self.scorer.n_outputs();
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
        let mut margins = vec![0.0; self.baseline.nrows() * self.scorer.n_outputs()];
        self.scorer.form.margins(&rows, &mut margins);
        let mut value = vec![0.0; self.scorer.n_outputs()];
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
        let clipped = write_value(self.scorer.form.transform, self.link, margins, value);
        match value.iter().find(|score| !score.is_finite()) {
            Some(&score) => Err(ModelError::NotFinite { record: record_idx + 1, score }),
            None => Ok(clipped),
        }
    }

    fn values(&self, records: &Array2<f32>, games: &[Game], stop: &Stop) -> Result<Values, ModelError> {
        let n_outputs = self.scorer.n_outputs();
        let mut values: Vec<Vec<f64>> =
            games.iter().map(|game| vec![0.0; 2 * game.coalitions.n_pairs() * n_outputs]).collect();
        let mut blocks: Vec<Block> =
            games.iter().zip(&mut values).flat_map(|(game, values)| self.blocks(game, values)).collect();
        let walks_per_block = BLOCK_ROWS.max(self.baseline.nrows()) * self.scorer.form.steps_per_row();
        let fill = |block: &mut Block| self.fill(block, records.row(block.game.record_idx));
        let clipped = in_turns(&mut blocks, walks_per_block, stop, fill)?;
        let of_games = values.into_iter().map(|values| by_output(values, n_outputs)).collect();
        Ok(Values { null: self.null_value.clone(), of_games, clipped })
    }

    fn blocks<'a>(&self, game: &'a Game, values: &'a mut [f64]) -> impl Iterator<Item = Block<'a>> {
        let coalitions_per_block = (BLOCK_ROWS / self.baseline.nrows()).max(1);
        let chunks = values.chunks_mut(coalitions_per_block * self.scorer.n_outputs()).enumerate();
        chunks.map(move |(block_idx, values)| Block {
            game,
            first_coalition: block_idx * coalitions_per_block,
            values,
        })
    }

    fn fill(&self, block: &mut Block, record: ArrayView1<f32>) -> Result<Clipped, ModelError> {
        let n_outputs = self.scorer.n_outputs();
        let n_coalitions = block.values.len() / n_outputs;
        let mut rows = Vec::with_capacity(n_coalitions * self.baseline.len());
        for coalition_idx in block.first_coalition..block.first_coalition + n_coalitions {
            self.push_rows(&mut rows, record, block.game, coalition_idx);
        }
        let mut margins = vec![0.0; n_coalitions * self.baseline.nrows() * n_outputs];
        self.scorer.form.margins(&rows, &mut margins);
        let of_coalitions = margins.chunks_exact_mut(self.baseline.nrows() * n_outputs);
        let values = of_coalitions.zip(block.values.chunks_exact_mut(n_outputs));
        values.map(|(margins, value)| self.write_value(margins, value, block.game.record_idx)).sum()
    }

    /// One row for each baseline row, with the present players' features from the record.
    fn push_rows(&self, rows: &mut Vec<f32>, record: ArrayView1<f32>, game: &Game, coalition_idx: usize) {
        for baseline_row in self.baseline.rows() {
            let start = rows.len();
            rows.extend(baseline_row.iter());
            for (player_idx, &feature) in game.players.iter().enumerate() {
                if game.coalitions.is_present(coalition_idx, player_idx) {
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
