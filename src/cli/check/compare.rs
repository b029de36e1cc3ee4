//! Scores of one record, alone and among others → whether they are the same. Knows nothing of how they were asked.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView1};

use super::report::numbers;
use crate::model::container::BatchRow;

/// Of the largest score: what float32 and sums in another order may cost.
const ROUNDING: f64 = 1e-6;

/// More than this is another score.
const OTHER: f64 = 1e-3;

/// How far the scores of a record are from each other, as a part of the largest score.
#[derive(Debug, PartialEq)]
pub(super) enum Comparison {
    Same {
        difference: f64,
    },
    /// What is told of it.
    Near(String),
    Other(String),
}

impl Comparison {
    pub(super) fn worse(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Same { difference: own }, Self::Same { difference }) if own >= difference => self,
            (Self::Same { .. }, _) => other,
            (Self::Near(_), Self::Other(_)) => other,
            _ => self,
        }
    }
}

/// `alone` are the scores of the first record, asked by itself; each row of `scores` is a record that `rows` names.
/// Records that stand in several rows must have the same scores in all of them.
pub(super) fn compare(alone: ArrayView1<f64>, rows: &[BatchRow], scores: &Array2<f64>) -> Comparison {
    let scale = scores.iter().chain(alone).fold(0.0, |largest: f64, score| largest.max(score.abs()));
    let apart = |a: ArrayView1<f64>, b: ArrayView1<f64>| {
        let largest = a.iter().zip(b).fold(0.0, |largest: f64, (a, b)| largest.max((a - b).abs()));
        if scale > 0.0 { largest / scale } else { 0.0 }
    };
    let mut seen = HashMap::from([(BatchRow::Record(0), (None, alone))]);
    let (mut difference, mut worst) = (0.0, None);
    for (row_idx, (row, scores)) in rows.iter().zip(scores.rows()).enumerate() {
        let &mut (first, expected) = seen.entry(*row).or_insert((Some(row_idx), scores));
        if apart(expected, scores) > difference {
            (difference, worst) = (apart(expected, scores), Some((row_idx, first, expected, scores)));
        }
    }
    let Some((row_idx, first, expected, found)) = worst.filter(|_| difference > ROUNDING) else {
        return Comparison::Same { difference };
    };
    let place = first.map_or("alone".to_owned(), |row_idx: usize| format!("in row {}", row_idx + 1));
    let told = format!(
        "{} has the scores {} {place} and {} in row {} of {}",
        name(rows[row_idx]),
        numbers(expected),
        numbers(found),
        row_idx + 1,
        rows.len()
    );
    if difference <= OTHER {
        return Comparison::Near(format!("{told}: attributions can be no more exact than that"));
    }
    let elsewhere = |&idx: &usize| rows[idx] != rows[row_idx] && apart(expected, scores.row(idx)) <= ROUNDING;
    let reason = match (0..rows.len()).find(elsewhere) {
        Some(idx) => format!("the answers are in another order; these scores stand in row {}", idx + 1),
        None => "answers are mixed up or misread, or the model does not always answer the same".to_owned(),
    };
    Comparison::Other(format!("{told}: {reason}"))
}

fn name(row: BatchRow) -> String {
    match row {
        BatchRow::Baseline(idx) => format!("baseline row {}", idx + 1),
        BatchRow::Record(idx) => format!("record {}", idx + 1),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::BatchRow::{Baseline, Record};
    use super::*;

    #[test]
    fn rounding_passes_and_more_is_told() {
        let rows = [Baseline(0), Record(0), Record(1), Record(0), Record(1)];
        let column = |scores: &[f64]| Array2::from_shape_vec((scores.len(), 1), scores.to_vec()).expect("fits");
        let told = |scores: [f64; 5]| compare(array![0.5].view(), &rows, &column(&scores));
        let same = |difference| Comparison::Same { difference };
        let near = "record 1 has the scores [0.5] alone and [0.50001] in row 4 of 5: attributions can be no more exact \
                    than that";
        let reordered = "record 1 has the scores [0.5] alone and [0.0] in row 2 of 5: the answers are in another order; \
                         these scores stand in row 1";
        let restless = "record 2 has the scores [1.0] in row 3 and [0.75] in row 5 of 5: answers are mixed up or misread, \
                        or the model does not always answer the same";
        for (scores, expected) in [
            ([0.0, 0.5, 1.0, 0.5, 1.0], same(0.0)),
            ([0.0, 0.5, 1.0, 0.500_000_5, 1.0], same(0.500_000_5 - 0.5)),
            ([0.0, 0.5, 1.0, 0.50001, 1.0], Comparison::Near(near.to_owned())),
            ([0.5, 0.0, 1.0, 0.5, 1.0], Comparison::Other(reordered.to_owned())),
            ([0.0, 0.5, 1.0, 0.5, 0.75], Comparison::Other(restless.to_owned())),
        ] {
            assert_eq!(told(scores), expected, "{scores:?}");
        }
        assert_eq!(compare(array![0.0].view(), &rows[1..2], &array![[0.0]]), same(0.0));
    }
}
