//! One game of a model over texts: coalitions → rows → margins → values, in blocks on all cores. Texts are spliced from
//! bytes that were written once.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::baseline::Baseline;
use super::model::{BLOCK_STEPS, Scratch, TextModel};
use crate::model::embedded::scores::write_value;
use crate::model::rows::{BaselineRows, Cells, Columns, Presence, row_bytes_max, write_cells};
use crate::model::{Call, Game, ModelError};
use crate::offload::{GivenUp, Stop, in_turns};
use crate::shap::{Clipped, Link};

/// The rows of one game.
pub(super) struct TextGame<'a> {
    model: &'a TextModel,
    game: &'a Game,
    /// One for each source of the model.
    texts: Vec<Text<'a>>,
    columns: Columns,
    numbers: Numbers<'a>,
}

/// One text of the record, with what stands in its place: `[n_baseline_rows]`.
struct Text<'a> {
    record: Cells,
    absent: Absent<'a>,
}

enum Absent<'a> {
    Shared(&'a [Cells]),
    Own(Vec<Cells>),
}

/// Features as numbers; what is absent comes from the baseline `[n_baseline_rows × n_features]`.
struct Numbers<'a> {
    record: ArrayView1<'a, f32>,
    baseline: ArrayView2<'a, f32>,
    /// Player and feature, of features that are one piece.
    players: Vec<(usize, usize)>,
}

impl Text<'_> {
    fn absent(&self) -> &[Cells] {
        match &self.absent {
            Absent::Shared(cells) => cells,
            Absent::Own(cells) => cells,
        }
    }

    fn row_bytes_max(&self) -> usize {
        self.absent().iter().map(|absent| row_bytes_max(&self.record, absent)).max().unwrap_or(0)
    }
}

impl<'a> TextGame<'a> {
    /// `numbers` are those of the call's records.
    pub(super) fn new(
        model: &'a TextModel,
        baseline: &'a Baseline,
        call: &Call,
        numbers: &'a Array2<f32>,
        game: &'a Game,
    ) -> Self {
        let text = |(source, rows): (_, &'a BaselineRows)| {
            let (record, absent) = rows.against(call, game.record_idx, source);
            Text { record, absent: absent.map_or(Absent::Shared(&rows.cells), Absent::Own) }
        };
        let features = feature_pieces(call, game.record_idx);
        let feature = |(player, &piece): (usize, &u32)| {
            let feature = features.binary_search_by_key(&piece, |&(piece, _)| piece).ok()?;
            Some((player, features[feature].1))
        };
        let players = game.players.iter().enumerate().filter_map(feature).collect();
        Self {
            model,
            game,
            texts: model.sources.iter().zip(&baseline.sources).map(text).collect(),
            columns: Columns::of(&game.players),
            numbers: Numbers { record: numbers.row(game.record_idx), baseline: baseline.numbers.view(), players },
        }
    }

    /// What every coalition is worth, `[2·n_pairs × n_outputs]`, and how many scores the link had to clip.
    pub(super) fn values(&self, link: Link, stop: &Stop) -> Result<(Array2<f64>, Clipped), ModelError> {
        let (n_outputs, n_coalitions) = (self.model.n_outputs(), 2 * self.game.coalitions.n_pairs());
        let mut values = Array2::zeros((n_coalitions, n_outputs));
        let steps_of_row = self.model.steps(|source| self.texts[source].row_bytes_max());
        let steps_each = steps_of_row.saturating_mul(self.numbers.baseline.nrows());
        let n_each = (BLOCK_STEPS / steps_each.max(1)).max(1);
        let out = values.as_slice_mut().expect("a new array is contiguous. This is a bug.");
        let blocks = out.chunks_mut(n_each * n_outputs).enumerate().collect();
        let clipped = in_turns(blocks, n_each.saturating_mul(steps_each), stop, |(block_idx, values)| {
            let mut worker = Worker::new(self);
            let coalitions = block_idx * n_each..;
            let of_one = |(coalition_idx, value)| worker.write(self, coalition_idx, link, stop, value);
            coalitions.zip(values.chunks_exact_mut(n_outputs)).map(of_one).sum::<Result<Clipped, ModelError>>()
        })?;
        Ok((values, clipped.into_iter().sum()))
    }
}

/// Pieces that are a feature as a whole, and the feature; both ascending.
pub(super) fn feature_pieces(call: &Call, record_idx: usize) -> Vec<(u32, usize)> {
    let Some(pieces) = call.pieces(record_idx) else {
        return (0..call.records.n_columns()).map(|feature| (feature as u32, feature)).collect();
    };
    let is_whole = |&(_, feature): &(u32, usize)| pieces.features()[feature].is_none();
    (0..).zip(pieces.columns()).filter(is_whole).collect()
}

/// What one thread evaluates rows with.
struct Worker {
    /// Room for a row of each source, and where it ends.
    texts: Vec<(Vec<u8>, usize)>,
    features: Vec<f32>,
    /// `[n_baseline_rows × n_outputs]`.
    margins: Vec<f32>,
    scratch: Scratch,
}

impl Worker {
    fn new(game: &TextGame) -> Self {
        Self {
            texts: game.texts.iter().map(|text| (vec![0; text.row_bytes_max()], 0)).collect(),
            features: vec![0.0; game.model.n_features()],
            margins: vec![0.0; game.numbers.baseline.nrows() * game.model.n_outputs()],
            scratch: game.model.scratch(),
        }
    }

    /// Writes what a coalition is worth, `[n_outputs]`.
    fn write(
        &mut self,
        game: &TextGame,
        coalition_idx: usize,
        link: Link,
        stop: &Stop,
        value: &mut [f64],
    ) -> Result<Clipped, ModelError> {
        let presence = Presence::of(&game.game.coalitions, coalition_idx);
        let record = game.game.record_idx + 1;
        for baseline_idx in 0..game.numbers.baseline.nrows() {
            if stop.is_set() {
                return Err(GivenUp.into());
            }
            self.write_row(game, presence, coalition_idx, baseline_idx);
            let margins = &mut self.margins[baseline_idx * value.len()..][..value.len()];
            let text = |source: usize| &self.texts[source].0[..self.texts[source].1];
            let done = game.model.margins(text, &self.features, &mut self.scratch, margins);
            done.map_err(|_| ModelError::Tokens { record })?;
        }
        let clipped = write_value(game.model.transform, link, &mut self.margins, value);
        match value.iter().find(|score| !score.is_finite()) {
            Some(&score) => Err(ModelError::NotFinite { record, score }),
            None => Ok(clipped),
        }
    }

    fn write_row(&mut self, game: &TextGame, presence: Presence, coalition_idx: usize, baseline_idx: usize) {
        for (text, (bytes, end)) in game.texts.iter().zip(&mut self.texts) {
            let absent = &text.absent()[baseline_idx];
            *end = write_cells(bytes, 0, &game.columns, presence, &text.record, absent);
        }
        if game.model.numbers.is_empty() {
            return;
        }
        let Numbers { record, baseline, players } = &game.numbers;
        self.features.iter_mut().zip(baseline.row(baseline_idx)).for_each(|(own, &absent)| *own = absent);
        for &(player, feature) in players {
            if game.game.coalitions.is_present(coalition_idx, player) {
                self.features[feature] = record[feature];
            }
        }
    }
}
