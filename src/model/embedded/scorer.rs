//! A model of a file that scores records and words its answers; alone it answers messages without a game.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use ndarray::Array2;

use super::answer::write_answer;
use super::file::{self, FileError};
use super::file_model::FileModel;
use super::scores::to_scores;
use super::text::record_margins;
use crate::form::{Feature, Form, Transform};
use crate::model::{Answer, Forward, Identity, Message, ModelError, Reply, sha256};
use crate::offload::{Stop, in_turns, offload};
use crate::records::{CellError, Encoding, Format, Table};

/// Rows evaluated together: enough to keep a tree in cache, few enough to stay in it themselves.
const BLOCK_ROWS: usize = 64;

pub struct Scorer {
    pub(super) model: FileModel,
    encoding: Encoding,
    /// Of the file that it was read from.
    sha256: String,
}

impl Scorer {
    /// Reads a model file; one that is packed may unpack to `bytes_max`.
    pub fn read(file: &[u8], bytes_max: u64) -> Result<Self, FileError> {
        let model = file::read(file, bytes_max)?;
        Ok(Self { encoding: encoding(model.features()), model, sha256: sha256(file) })
    }

    /// What the features of a table's cells are, `[n_records × n_features]`.
    pub fn encode(&self, table: &Table) -> Result<Array2<f32>, CellError> {
        table.encode(&self.encoding)
    }

    /// The same of the records of a call, which are read once.
    pub(super) fn numbers<'a>(&self, records: &'a Table) -> Result<&'a Array2<f32>, CellError> {
        records.numbers(&self.encoding)
    }

    pub fn identity(&self) -> Identity {
        Identity::File(self.sha256.clone())
    }

    pub fn n_features(&self) -> usize {
        self.model.features().len()
    }

    pub fn n_outputs(&self) -> usize {
        self.model.n_outputs()
    }

    /// Whether this feature is a text that may play in units, and no number or category.
    pub fn reads_text(&self, feature_idx: usize) -> bool {
        match &self.model {
            FileModel::Form(_) => false,
            FileModel::Text(model) => model.reads_text(feature_idx),
        }
    }

    pub(super) fn transform(&self) -> Transform {
        match &self.model {
            FileModel::Form(form) => form.transform,
            FileModel::Text(model) => model.transform,
        }
    }

    /// Margins of all records, `[n_records × n_outputs]`, row-major.
    pub fn margins(&self, records: &Table, stop: &Stop) -> Result<Vec<f32>, ModelError> {
        let expected = self.n_features();
        if records.n_columns() != expected {
            return Err(ModelError::Width { record: 1, n_columns: records.n_columns(), expected });
        }
        let numbers = self.numbers(records)?;
        match &self.model {
            FileModel::Form(form) => form_margins(form, numbers, stop),
            FileModel::Text(model) => record_margins(model, records, numbers, stop),
        }
    }

    /// The text of an answer; margins become scores.
    pub(super) fn answer(&self, mut margins: Vec<f32>, format: Format) -> String {
        let n_outputs = self.n_outputs();
        margins.chunks_exact_mut(n_outputs).for_each(|row| to_scores(self.transform(), row));
        let scores = Array2::from_shape_vec((margins.len() / n_outputs, n_outputs), margins);
        write_answer(&scores.expect("one margin for each record and output. This is a bug."), format)
    }
}

/// Margins of rows `[n_rows × n_features]`, in blocks on all cores.
fn form_margins(form: &Form, numbers: &Array2<f32>, stop: &Stop) -> Result<Vec<f32>, ModelError> {
    let (n_features, n_outputs) = (form.n_features(), form.n_outputs());
    let rows = numbers.as_standard_layout();
    let rows = rows.as_slice().expect("standard layout is contiguous. This is a bug.");
    let mut margins = vec![0.0; numbers.nrows() * n_outputs];
    let blocks = margins.chunks_mut(BLOCK_ROWS * n_outputs).zip(rows.chunks(BLOCK_ROWS * n_features));
    let steps_per_block = BLOCK_ROWS * form.steps_per_row();
    in_turns(blocks.collect(), steps_per_block, stop, |(margins, rows)| {
        form.margins(rows, margins);
        Ok::<_, ModelError>(())
    })?;
    Ok(margins)
}

/// What the cells of each feature's column stand for.
fn encoding(features: &[Feature]) -> Encoding {
    Encoding::new(features.iter().map(|feature| match feature {
        Feature::Number => None,
        Feature::Category(names) => Some(names.as_slice()),
    }))
}

/// A scorer that answers messages of some records at most.
#[derive(Clone)]
pub struct EmbeddedForward {
    scorer: Arc<Scorer>,
    records_max: usize,
}

impl EmbeddedForward {
    pub fn new(scorer: Scorer, records_max: usize) -> Self {
        Self { scorer: Arc::new(scorer), records_max }
    }
}

impl Forward for EmbeddedForward {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        let (scorer, records_max) = (Arc::clone(&self.scorer), self.records_max);
        offload(move |stop| forward(&scorer, &message, records_max, stop)).boxed()
    }
}

fn forward(scorer: &Scorer, message: &Message, records_max: usize, stop: &Stop) -> Result<Reply, ModelError> {
    let started = Instant::now();
    let accept = message.accepted()?;
    let records = message.records(records_max)?;
    let text = scorer.answer(scorer.margins(&records, stop)?, accept);
    Ok(Reply {
        body: text.into(),
        content_type: Some(accept.mime().to_owned()),
        custom_attributes: None,
        took: started.elapsed(),
    })
}
