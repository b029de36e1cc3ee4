//! Baseline rows in all that a model over texts takes of them, and which pieces of a record differ from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ndarray::Array2;

use super::game::feature_pieces;
use super::model::TextModel;
use crate::form::Feature;
use crate::model::Call;
use crate::model::rows::{BaselineRows, Place, Writing};
use crate::records::{Cell, Table};

pub(super) struct Baseline {
    /// For each source of the model.
    pub(super) sources: Vec<BaselineRows>,
    /// `[n_rows × n_features]`.
    pub(super) numbers: Array2<f32>,
    texts: BaselineRows,
    writing: Texts,
}

/// Texts as they are, and nothing for numbers.
struct Texts {
    /// `[n_features]`.
    are_numbers: Vec<bool>,
}

impl Baseline {
    /// `numbers` are those of the table's cells.
    pub(super) fn new(model: &TextModel, table: &Arc<Table>, numbers: Array2<f32>) -> Self {
        let writing = Texts { are_numbers: model.features.iter().map(|f| *f == Feature::Number).collect() };
        let rows = |source| BaselineRows::new(Arc::clone(table), source);
        let sources = model.sources.iter().map(rows).collect();
        Self { sources, numbers, texts: BaselineRows::new(Arc::clone(table), &writing), writing }
    }

    /// Pieces whose text, or whose number, is not that of all rows.
    pub(super) fn differing(&self, call: &Call, record_idx: usize, numbers: &Array2<f32>) -> Vec<u32> {
        let texts = self.texts.differing(call, record_idx, &self.writing);
        let differs = |feature: usize| {
            let own = numbers[[record_idx, feature]];
            let is_same = |&other: &f32| other == own || (other.is_nan() && own.is_nan());
            !self.numbers.column(feature).iter().all(is_same)
        };
        let pieces = feature_pieces(call, record_idx).into_iter();
        let of_numbers = pieces.filter(|&(_, feature)| differs(feature)).map(|(piece, _)| piece);
        of_numbers.chain(texts).collect::<BTreeSet<u32>>().into_iter().collect()
    }
}

impl Writing for Texts {
    fn cell(&self, cell: Cell, place: Place, out: &mut Vec<u8>) {
        if !self.are_numbers[place.column_idx] {
            out.extend_from_slice(cell.text().as_bytes());
        }
    }

    fn open(&self, _: Place, _: &mut Vec<u8>) {}

    fn part(&self, part: &str, _: Place, out: &mut Vec<u8>) {
        out.extend_from_slice(part.as_bytes());
    }

    fn close(&self, _: Place, _: &mut Vec<u8>) {}
}
