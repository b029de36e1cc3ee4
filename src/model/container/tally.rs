//! Scores of rows, batch by batch → mean scores over the baseline rows, in the order of the rows. Scores that other rows
//! of the request may need are kept. Knows no bytes.

use ndarray::Array2;

use super::batches::{Source, known_rows_max};
use crate::model::{ModelError, Predictions};
use crate::records::Scores;

/// The scores of one of the client's own records: at least one.
pub(super) struct Outputs {
    pub(super) n_outputs: usize,
    /// What names each of several outputs.
    names: Option<Vec<String>>,
}

impl Outputs {
    pub(super) fn of(predictions: &Predictions) -> Self {
        let n_outputs = predictions.values.ncols();
        let names = predictions.labels.clone().filter(|labels| n_outputs > 1 && labels.len() == n_outputs);
        Self { n_outputs, names }
    }

    /// Synthetic records have the same scores, in number and in order.
    pub(super) fn check(&self, Scores { scores, labels }: &Scores) -> Result<(), ModelError> {
        if scores.ncols() != self.n_outputs {
            return Err(ModelError::Outputs { got: scores.ncols(), expected: self.n_outputs });
        }
        if self.names.is_some() && self.names != *labels {
            return Err(ModelError::Labels);
        }
        Ok(())
    }
}

/// What the rows of a request have shown so far.
pub(super) struct Tally {
    /// Baseline rows.
    n_rows_each: usize,
    n_outputs: usize,
    /// `[n_known × n_outputs]`, row-major: rows in the order in which they were asked.
    known: Vec<f64>,
    /// `[n_sums × n_outputs]`, row-major.
    sums: Vec<f64>,
    n_rows: usize,
}

impl Tally {
    pub(super) fn new(n_rows_each: usize, n_outputs: usize) -> Self {
        Self { n_rows_each, n_outputs, known: Vec::new(), sums: Vec::new(), n_rows: 0 }
    }

    /// `asked` are the scores of the rows of one batch, `[n_asked × n_outputs]`, row-major.
    pub(super) fn add(&mut self, sources: &[Source], asked: &[f64]) {
        let room = known_rows_max(self.n_outputs) * self.n_outputs - self.known.len();
        self.known.extend_from_slice(&asked[..asked.len().min(room)]);
        let mut rows = asked.chunks_exact(self.n_outputs);
        for source in sources {
            if self.n_rows.is_multiple_of(self.n_rows_each) {
                self.sums.resize(self.sums.len() + self.n_outputs, 0.0);
            }
            let start = self.sums.len() - self.n_outputs;
            let row = match source {
                Source::Asked => rows.next().expect("one row of scores for each row. This is a bug."),
                Source::Known(idx) => &self.known[*idx as usize * self.n_outputs..][..self.n_outputs],
            };
            self.sums[start..].iter_mut().zip(row).for_each(|(sum, score)| *sum += score);
            self.n_rows += 1;
        }
        assert!(rows.next().is_none(), "more scores than rows. This is a bug.");
    }

    /// The means since the last call, `[n_sums × n_outputs]`.
    pub(super) fn take_means(&mut self) -> Array2<f64> {
        self.n_rows = 0;
        let sums = std::mem::take(&mut self.sums);
        let sums = Array2::from_shape_vec((sums.len() / self.n_outputs, self.n_outputs), sums);
        sums.expect("one sum for each output. This is a bug.") / self.n_rows_each as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_rows_take_part_where_they_stand() {
        let mut tally = Tally::new(2, 1);
        tally.add(&[Source::Asked, Source::Asked, Source::Known(0)], &[1.0, 3.0]);
        tally.add(&[Source::Asked, Source::Known(2), Source::Known(1)], &[9.0]);
        assert_eq!(tally.take_means().into_raw_vec_and_offset().0, [2.0, 5.0, 6.0]);
        tally.add(&[Source::Known(2), Source::Asked], &[0.0]);
        assert_eq!(tally.take_means().into_raw_vec_and_offset().0, [4.5]);
    }
}
