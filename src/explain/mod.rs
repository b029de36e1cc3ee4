//! The pipeline: records in, predictions and attributions out. The only place that sees both seams.
//!
//! decode → predict → select → games → values → attribute; nothing flows back.

mod attribution;
mod report;

use std::sync::Arc;

use ndarray::Array2;

use crate::compute::{Attributor, AttributorClosed};
use crate::config::Kernel;
use crate::model::{Game, ModelError, Predictions, Predictor};
use crate::offload::offload;
use crate::records::{AnswerError, Filter, FilterError, Format, Table, TableError, read_answer};
use crate::shap::{Design, DesignError, Operator, OperatorCache};
use crate::telemetry;

use report::Clock;
pub use report::{Report, Stage};

/// Values of one chunk of records, in bytes: a large request is explained chunk by chunk.
const CHUNK_BYTES_MAX: usize = 32 << 20;

/// What all endpoints of a process share.
pub struct Shared {
    pub attributor: Attributor,
    pub operators: OperatorCache,
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Records of one request.
    pub records_max: usize,
    /// Players of one record.
    pub players_max: usize,
    /// One operator, in bytes.
    pub operator_bytes_max: usize,
}

/// How an endpoint's records are explained.
#[derive(Debug)]
pub struct Settings {
    pub kernel: Kernel,
    pub number_of_samples: Option<u64>,
    pub seed: i64,
    /// Which records are explained where the request does not say; all without it.
    pub filter: Option<Arc<Filter>>,
}

/// One endpoint's model with everything needed to explain it.
pub struct Explainer {
    predictor: Arc<dyn Predictor>,
    settings: Settings,
    shared: Arc<Shared>,
    records_per_chunk: usize,
}

/// One request, as bytes and choices.
pub struct Request {
    pub payload: bytes::Bytes,
    pub accept: Format,
    /// Replaces the endpoint's own expression.
    pub filter: Option<String>,
}

#[derive(Debug)]
pub struct Explanation {
    pub predictions: Predictions,
    /// Per record `[n_features × n_outputs]`, none where the record was not selected.
    pub attributions: Vec<Option<Array2<f64>>>,
    /// f(baseline) on the link's scale, `[n_outputs]`.
    pub base_values: Vec<f64>,
    pub report: Report,
}

#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(transparent)]
    Records(#[from] TableError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("record {record}: {source}")]
    Design { record: usize, source: DesignError },
    #[error(transparent)]
    Compute(#[from] AttributorClosed),
    #[error("an attribution of record {record} is not finite. This is a bug.")]
    NotFinite { record: usize },
}

impl Explainer {
    /// Fails when a record with all `n_features` as players would pass a limit of the operators.
    pub fn new(
        predictor: Arc<dyn Predictor>,
        (n_features, n_outputs): (usize, usize),
        settings: Settings,
        shared: Arc<Shared>,
    ) -> Result<Self, DesignError> {
        let largest = settings.design(n_features.min(shared.limits.players_max), shared.limits)?;
        // The usual operator is there before the first request.
        shared.operators.get(largest);
        let record_bytes = 2 * largest.n_pairs * n_outputs * size_of::<f64>();
        let records_per_chunk = (CHUNK_BYTES_MAX / record_bytes.max(1)).max(1);
        Ok(Self { predictor, settings, shared, records_per_chunk })
    }

    /// Dropping the future stops the work at the next block of coalitions.
    pub async fn explain(&self, request: Request) -> Result<Explanation, ExplainError> {
        let mut clock = Clock::start();
        let records_max = self.shared.limits.records_max;
        let own_filter = request.filter.as_deref().map(Filter::compile).transpose()?.map(Arc::new);
        let records = Arc::new(offload(move |_| Table::read_csv(&request.payload, records_max)).await?);
        let predictions = self.predictor.predict(&records, request.accept).await?;
        let (got, expected) = (predictions.values.nrows(), records.n_records());
        if got != expected {
            return Err(AnswerError::Count { got, expected }.into());
        }
        let filter = own_filter.or_else(|| self.settings.filter.clone());
        let (predictions, selected) = offload(move |_| select(filter.as_deref(), predictions)).await?;
        let null = self.predictor.null_value().await?;
        clock.lap(Stage::Predict);

        let mut report = Report::new(self.settings.kernel, predictions.clipped + null.clipped);
        let mut attributions = vec![None; records.n_records()];
        for chunk in selected.chunks(self.records_per_chunk) {
            let operators = self.operators(&records, chunk).await?;
            let games: Vec<Game> = operators.iter().map(|(game, _)| game.clone()).collect();
            let values = self.predictor.values(&records, games).await?;
            clock.lap(Stage::Values);
            let played = operators.into_iter().zip(values).map(|((game, operator), values)| {
                report.clipped += values.clipped;
                report.estimators.insert(operator.design.estimator);
                let delta = &predictions.values.row(game.record_idx) - &ndarray::aview1(&null.value);
                attribution::Played { game, operator, values: values.values, delta: delta.to_vec() }
            });
            let played = Arc::new(played.collect::<Vec<_>>());
            let solved = attribution::solve(&self.shared.attributor, &played, &mut report.devices).await?;
            for (played, players) in played.iter().zip(solved) {
                let of_features = attribution::to_features(&played.game, &players, records.n_columns())?;
                attributions[played.game.record_idx] = Some(of_features);
            }
            clock.lap(Stage::Attribute);
        }
        report.stages = clock.stages();
        Ok(Explanation { predictions, attributions, base_values: null.value, report })
    }

    /// Players and operator of each record; operators met for the first time are built here.
    async fn operators(
        &self,
        records: &Table,
        chunk: &[usize],
    ) -> Result<Vec<(Game, Arc<Operator>)>, ExplainError> {
        let mut players = Vec::with_capacity(chunk.len());
        for &record_idx in chunk {
            let playing = match self.settings.kernel {
                Kernel::Shapley => self.predictor.differing(records, record_idx)?,
                Kernel::Clarify => (0..records.n_columns() as u32).collect(),
            };
            let design = self.settings.design(playing.len(), self.shared.limits);
            let design = design.map_err(|source| ExplainError::Design { record: record_idx + 1, source })?;
            players.push((record_idx, playing, design));
        }
        let shared = Arc::clone(&self.shared);
        let with_operator = move |(record_idx, players, design)| {
            let operator = shared.operators.get(design);
            (Game { record_idx, players, coalitions: Arc::clone(&operator.coalitions) }, operator)
        };
        let operators = offload(move |_| players.into_iter().map(with_operator).collect()).await;
        telemetry::set_operator_bytes(self.shared.operators.bytes());
        Ok(operators)
    }
}

/// Indexes of the records that the filter selects; all without one.
fn select(filter: Option<&Filter>, predictions: Predictions) -> Result<(Predictions, Vec<usize>), ExplainError> {
    let n_records = predictions.values.nrows();
    let selected = match filter {
        None => (0..n_records).collect(),
        Some(filter) => filter.select(&read_answer(&predictions.text, predictions.format, n_records)?)?,
    };
    Ok((predictions, selected))
}

impl Settings {
    fn design(&self, n_players: usize, limits: Limits) -> Result<Design, DesignError> {
        let limits = (limits.players_max, limits.operator_bytes_max as u64);
        Design::new(n_players, self.number_of_samples, self.seed, self.kernel, limits)
    }
}
