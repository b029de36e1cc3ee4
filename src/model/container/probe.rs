//! One container, asked step by step with the very pieces that serve requests; what was sent and what came back is kept
//! for whoever looks at it. Knows no games.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hyper::Method;
use ndarray::Array2;

use super::ContainerError;
use super::asking::Asking;
use super::batches::Batch;
use super::batching::BatchLimits;
use super::predictor::{ContainerModel, ContainerPredictor};
use crate::model::rows::Cells;
use crate::model::{Answer, Call, Forward, Message, ModelError, Predictions, Reply};

/// A container that is ready says so at once (SageMaker documentation, "Custom Inference Code with Hosting Services").
const READY_WAIT: Duration = Duration::from_secs(2);

/// Sends what it is given and keeps it, with the answer.
struct Recorder {
    transport: Arc<dyn Forward>,
    exchanges: Mutex<Vec<Exchange>>,
}

/// A message, and the answer where there was one.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub sent: Message,
    pub reply: Option<Reply>,
}

/// What came of a question.
#[derive(Debug)]
pub struct Asked<T> {
    /// In the order of their ends.
    pub exchanges: Vec<Exchange>,
    pub took: Duration,
    pub read: Result<T, ModelError>,
}

impl<T> Asked<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Asked<U> {
        Asked { exchanges: self.exchanges, took: self.took, read: self.read.map(change) }
    }
}

/// Which record stands in a row of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchRow {
    Baseline(usize),
    Record(usize),
}

/// A container during one call.
pub struct ContainerProbe {
    predictor: ContainerPredictor,
    recorder: Arc<Recorder>,
}

impl ContainerModel {
    /// What will answer such a message.
    pub async fn probe(&self, message: &Message) -> Result<ContainerProbe, ModelError> {
        let mut recorder = None;
        let predictor =
            self.0.predictor(message, |transport| recorder.insert(Recorder::new(transport)).clone()).await?;
        let recorder = recorder.expect("a predictor has a transport. This is a bug.");
        Ok(ContainerProbe { predictor, recorder })
    }

    /// Whether the container says that it can be asked.
    pub async fn ping(&self) -> Result<(), ContainerError> {
        let deadline = Instant::now() + READY_WAIT;
        self.0.models.container().manage(Method::GET, &self.ready_path(), None, deadline).await.map(|_| ())
    }

    pub fn ready_path(&self) -> String {
        self.0.models.ready_path()
    }
}

impl ContainerProbe {
    /// What one request may hold by now, after what was refused.
    pub fn limits(&self) -> BatchLimits {
        self.predictor.batching().limits()
    }

    /// The client's own records.
    pub async fn own(&self, call: &Arc<Call>) -> Asked<Predictions> {
        self.recorder.hear(self.predictor.predictions(call)).await
    }

    /// Baseline rows and the call's records, these again and again, written as synthetic records are: at most so many, and
    /// no more than the endpoint's limits allow. At least one is a record.
    pub fn batch(
        &self,
        call: &Call,
        predictions: &Predictions,
        rows_max: usize,
    ) -> Result<ProbeBatch<'_>, ModelError> {
        let asking = self.predictor.asking(call, predictions)?;
        let limits = self.limits();
        let limits = asking.limits(BatchLimits { rows_max: limits.rows_max.min(rows_max).max(1), ..limits });
        let baseline = &self.predictor.model.baseline(asking.shape.cells).cells;
        let records = Cells::of_records(&call.records, &asking.shape.cells);
        let rows = rows(baseline.len(), records.len(), limits.rows_max);
        let cells = rows.clone().map(|row| match row {
            BatchRow::Baseline(idx) => &baseline[idx],
            BatchRow::Record(idx) => &records[idx],
        });
        let batch = Batch::of_records(cells, &asking.shape, limits)?;
        let rows = rows.take(batch.n_rows()).collect();
        Ok(ProbeBatch { probe: self, asking, batch, rows })
    }
}

/// Which records stand in a batch of so many rows.
fn rows(n_baseline_rows: usize, n_records: usize, n_rows: usize) -> impl Iterator<Item = BatchRow> + Clone {
    let baseline = (0..n_baseline_rows.min(n_rows - 1)).map(BatchRow::Baseline);
    baseline.chain((0..n_records).cycle().map(BatchRow::Record)).take(n_rows)
}

/// Synthetic records that are ready to be asked.
pub struct ProbeBatch<'a> {
    probe: &'a ContainerProbe,
    asking: Arc<Asking>,
    batch: Batch,
    pub rows: Vec<BatchRow>,
}

impl ProbeBatch<'_> {
    /// In one request. Scores are `[n_rows × n_outputs]`.
    pub async fn together(&self) -> Asked<Array2<f64>> {
        let asked = self.probe.recorder.hear(self.asking.ask_together(&self.batch)).await;
        asked.map(|scores| self.by_row(scores))
    }

    /// With all that is done when a request is refused: halves, and one record at a time.
    pub async fn with_remedies(self) -> Asked<Array2<f64>> {
        let Self { probe, asking, batch, rows } = self;
        let asked = probe.recorder.hear(Arc::clone(&asking).ask(batch)).await;
        asked.map(|answered| by_row(answered.scores, rows.len()))
    }

    fn by_row(&self, scores: Vec<f64>) -> Array2<f64> {
        by_row(scores, self.rows.len())
    }
}

fn by_row(scores: Vec<f64>, n_rows: usize) -> Array2<f64> {
    let shape = (n_rows, scores.len() / n_rows);
    Array2::from_shape_vec(shape, scores).expect("each row has all outputs. This is a bug.")
}

impl Recorder {
    fn new(transport: Arc<dyn Forward>) -> Arc<Self> {
        Arc::new(Self { transport, exchanges: Mutex::default() })
    }

    async fn hear<T>(&self, question: impl Future<Output = Result<T, ModelError>>) -> Asked<T> {
        let started = Instant::now();
        let read = question.await;
        Asked { exchanges: std::mem::take(&mut *self.exchanges()), took: started.elapsed(), read }
    }

    fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().expect("no code panics while it holds the lock. This is a bug.")
    }
}

impl Forward for Recorder {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        async move {
            let outcome = self.transport.forward(message.clone()).await;
            self.exchanges().push(Exchange { sent: message, reply: outcome.as_ref().ok().cloned() });
            outcome
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::BatchRow::{Baseline, Record};
    use super::*;

    #[test]
    fn a_batch_has_the_baseline_first_and_at_least_one_record() {
        let cases = [
            ((1, 2, 1), vec![Record(0)]),
            ((1, 2, 2), vec![Baseline(0), Record(0)]),
            ((9, 2, 3), vec![Baseline(0), Baseline(1), Record(0)]),
            ((1, 2, 5), vec![Baseline(0), Record(0), Record(1), Record(0), Record(1)]),
        ];
        for ((n_baseline_rows, n_records, n_rows), expected) in cases {
            assert_eq!(rows(n_baseline_rows, n_records, n_rows).collect::<Vec<_>>(), expected);
        }
    }
}
