//! A form that scores records and words its answers; alone it is a model that answers messages without a game.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use ndarray::Array2;

use super::answer::write_answer;
use super::file::{self, FileError};
use super::scores::to_scores;
use crate::form::{Feature, Form};
use crate::model::{Answer, Forward, Identity, Message, ModelError, Reply, sha256};
use crate::offload::{Stop, in_turns, offload};
use crate::records::{CellError, Encoding, Format, Table};

/// Rows evaluated together: enough to keep a tree in cache, few enough to stay in it themselves.
const BLOCK_ROWS: usize = 64;

pub struct Scorer {
    pub(super) form: Arc<Form>,
    encoding: Encoding,
    /// Of the file that it was read from.
    sha256: String,
}

impl Scorer {
    /// Reads a model file; one that is packed may unpack to `bytes_max`.
    pub fn read(file: &[u8], bytes_max: u64) -> Result<Self, FileError> {
        let form = file::read(file, bytes_max)?;
        Ok(Self { encoding: encoding(&form), form: Arc::new(form), sha256: sha256(file) })
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
        self.form.n_features()
    }

    pub fn n_outputs(&self) -> usize {
        self.form.n_outputs()
    }

    /// Margins of all records, `[n_records × n_outputs]`, row-major.
    pub(super) fn margins(&self, records: &Table, stop: &Stop) -> Result<Vec<f32>, ModelError> {
        let (expected, n_outputs) = (self.n_features(), self.n_outputs());
        if records.n_columns() != expected {
            return Err(ModelError::Width { record: 1, n_columns: records.n_columns(), expected });
        }
        let rows = self.numbers(records)?.as_standard_layout();
        let rows = rows.as_slice().expect("standard layout is contiguous. This is a bug.");
        let mut margins = vec![0.0; records.n_records() * n_outputs];
        let blocks = margins.chunks_mut(BLOCK_ROWS * n_outputs).zip(rows.chunks(BLOCK_ROWS * expected));
        let steps_per_block = BLOCK_ROWS * self.form.steps_per_row();
        in_turns(blocks.collect(), steps_per_block, stop, |(margins, rows)| {
            self.form.margins(rows, margins);
            Ok::<_, ModelError>(())
        })?;
        Ok(margins)
    }

    /// The text of an answer; margins become scores.
    pub(super) fn answer(&self, mut margins: Vec<f32>, format: Format) -> String {
        let n_outputs = self.n_outputs();
        margins.chunks_exact_mut(n_outputs).for_each(|row| to_scores(self.form.transform, row));
        let scores = Array2::from_shape_vec((margins.len() / n_outputs, n_outputs), margins);
        write_answer(&scores.expect("one margin for each record and output. This is a bug."), format)
    }
}

/// What the cells of each feature's column stand for.
fn encoding(form: &Form) -> Encoding {
    Encoding::new(form.features.iter().map(|feature| match feature {
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
