//! Rows of one request → their scores from a container, whatever it refuses: in halves when there were too many bytes, one
//! by one when it takes no batches. The order of the rows is kept.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::batches::{Batch, Source};
use super::batching::{BatchLimits, Batching};
use super::client::ContainerError;
use super::message::shown_type;
use super::protocol::{Dialect, RowShape};
use super::tally::Outputs;
use crate::model::{Forward, Message, ModelError, Reply};
use crate::offload::offload_large;
use crate::records::{AnswerLayout, Format, Scores};
use crate::telemetry;

/// Asks one model for the rows of one request.
pub(super) struct Asking {
    pub(super) transport: Arc<dyn Forward>,
    /// The client's, whose payload is replaced.
    pub(super) message: Message,
    pub(super) dialect: Arc<Dialect>,
    pub(super) shape: Arc<RowShape>,
    pub(super) n_columns: usize,
    pub(super) layout: Arc<AnswerLayout>,
    pub(super) outputs: Outputs,
    pub(super) batching: Arc<Batching>,
    /// Requests under way.
    pub(super) in_flight_max: usize,
    /// What the container may take for an answer.
    pub(super) answer_wait: Duration,
}

/// What helps when many records in one request are refused.
enum Remedy {
    Halves(Excess),
    OneByOne,
}

/// What there was too much of.
enum Excess {
    Bytes,
    Time,
}

/// A batch whose rows have their scores.
pub(super) struct Answered {
    pub(super) sources: Vec<Source>,
    /// `[n_asked × n_outputs]`, row-major.
    pub(super) scores: Vec<f64>,
}

impl Asking {
    pub(super) async fn ask(self: Arc<Self>, mut batch: Batch) -> Result<Answered, ModelError> {
        let rows = Rows { bytes: Bytes::from(std::mem::take(&mut batch.rows)), batch: &batch };
        let mut scores = Vec::with_capacity(batch.n_rows() * self.outputs.n_outputs);
        // The last one is next.
        let mut parts: Vec<Range<usize>> = std::iter::once(0..batch.n_rows()).collect();
        while let Some(part) = parts.pop().filter(|part| !part.is_empty()) {
            match self.send(&rows, part.clone()).await {
                Ok(own) => scores.extend(own),
                Err(error) => match self.remedy(&error).filter(|_| part.len() > 1) {
                    None => return Err(error),
                    Some(Remedy::Halves(excess)) => {
                        telemetry::count_batch_refusal("halves");
                        self.learn(excess, rows.of(part.clone(), &self.shape).len(), part.len());
                        let middle = part.start + part.len() / 2;
                        parts.extend([middle..part.end, part.start..middle]);
                    }
                    Some(Remedy::OneByOne) => {
                        telemetry::count_batch_refusal("one by one");
                        scores.extend(self.one_by_one(&rows, part).await?);
                        self.batching.takes_single_records();
                    }
                },
            }
        }
        Ok(Answered { sources: batch.sources, scores })
    }

    /// What rows may take of a request.
    pub(super) fn limits(&self, request: BatchLimits) -> BatchLimits {
        let (before, after) = self.dialect.envelope(request.rows_max, self.n_columns);
        let around = before.len() + after.len();
        BatchLimits {
            rows_max: request.rows_max,
            bytes_max: request.bytes_max.saturating_sub(around),
            row_bytes_max: request.row_bytes_max.saturating_sub(around),
        }
    }

    fn learn(&self, excess: Excess, n_bytes: usize, n_rows: usize) {
        match excess {
            Excess::Bytes => self.batching.refused_bytes(n_bytes),
            Excess::Time => self.batching.was_late(n_rows),
        }
    }

    /// All rows in one request, without any remedy.
    pub(super) async fn ask_together(self: &Arc<Self>, batch: &Batch) -> Result<Vec<f64>, ModelError> {
        let rows = Rows { bytes: Bytes::copy_from_slice(&batch.rows), batch };
        self.send(&rows, 0..batch.n_rows()).await
    }

    fn remedy(&self, error: &ModelError) -> Option<Remedy> {
        match error {
            ModelError::Container(ContainerError::Refused { status, .. }) => match status {
                413 => Some(Remedy::Halves(Excess::Bytes)),
                // It is busy, and more requests would not help.
                408 | 429 => None,
                400..=500 => Some(Remedy::OneByOne),
                _ => None,
            },
            // Where a deadline was near, fewer records would not have been answered either.
            ModelError::Container(ContainerError::TimedOut { waited }) if *waited >= self.answer_wait => {
                Some(Remedy::Halves(Excess::Time))
            }
            // Containers that take one record answer for the first or for the last one.
            ModelError::Answer(_) | ModelError::Outputs { .. } => Some(Remedy::OneByOne),
            _ => None,
        }
    }

    async fn one_by_one(self: &Arc<Self>, rows: &Rows<'_>, part: Range<usize>) -> Result<Vec<f64>, ModelError> {
        let answers = stream::iter(part).map(|row_idx| self.send(rows, row_idx..row_idx + 1));
        answers.buffered(self.in_flight_max).try_concat().await
    }

    async fn send(self: &Arc<Self>, rows: &Rows<'_>, part: Range<usize>) -> Result<Vec<f64>, ModelError> {
        let n_rows = part.len();
        let payload = self.dialect.enclose(rows.of(part, &self.shape), n_rows, self.n_columns);
        let can_be_split = n_rows > 1;
        let message = Message { can_be_split, ..self.dialect.request(&self.message, payload) };
        let reply = self.transport.forward(message).await?;
        self.batching.answered(n_rows, reply.took);
        let scores = self.read(reply, n_rows).await?;
        self.outputs.check(&scores)?;
        Ok(scores.scores.into_raw_vec_and_offset().0)
    }

    async fn read(self: &Arc<Self>, reply: Reply, n_rows: usize) -> Result<Scores, ModelError> {
        let asking = Arc::clone(self);
        offload_large(reply.body.len(), move |_| {
            let reply = asking.dialect.reply(reply, n_rows, &asking.message)?;
            Ok(read(&asking.layout, reply, n_rows)?.scores)
        })
        .await
    }
}

/// The rows of a batch in their requests.
struct Rows<'a> {
    bytes: Bytes,
    batch: &'a Batch,
}

impl Rows<'_> {
    fn of(&self, part: Range<usize>, shape: &RowShape) -> Bytes {
        self.bytes.slice(self.batch.bytes_of(part, shape))
    }
}

/// An answer that has been read.
pub(super) struct Read {
    pub(super) text: String,
    pub(super) content_type: String,
    pub(super) format: Format,
    pub(super) scores: Scores,
}

/// The answer's own content type decides how it is read.
pub(super) fn read(layout: &AnswerLayout, reply: Reply, n_records: usize) -> Result<Read, ModelError> {
    let content_type = reply.content_type.unwrap_or_default();
    let Some(format) = Format::from_mime(&content_type) else {
        return Err(ModelError::AnswerType(shown_type(&content_type)));
    };
    let text = String::from_utf8(reply.body.into()).map_err(|_| ModelError::AnswerText)?;
    let scores = layout.read(&text, format, n_records)?;
    Ok(Read { text, content_type, format, scores })
}
