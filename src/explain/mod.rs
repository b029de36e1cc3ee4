//! The pipeline: records in, predictions and attributions out. The only place that sees both seams.
//!
//! decode → predict → select → games → values → attribute; nothing flows back.

mod attribution;
mod plan;
mod report;

use std::collections::HashMap;
use std::sync::Arc;

use ndarray::Array2;
use tokio::sync::Semaphore;

use crate::compute::{Attributor, AttributorClosed};
use crate::config::Kernel;
use crate::model::{Game, LinkedValue, ModelError, Predictions, Predictor};
use crate::offload::offload;
use crate::records::{AnswerError, Filter, FilterError, Format, Table, TableError, read_answer};
use crate::shap::{Design, DesignError, DesignLimits, Operator, OperatorCache};
use crate::telemetry;

use attribution::Played;
use plan::{Plan, plan};
use report::Clock;
pub use report::{Report, Stage};

/// What all endpoints of a process share.
pub struct Shared {
    pub attributor: Attributor,
    pub operators: OperatorCache,
    /// Taken by who builds an operator.
    builder: Arc<Semaphore>,
    pub limits: Limits,
}

impl Shared {
    pub fn new(attributor: Attributor, operators: OperatorCache, limits: Limits) -> Arc<Self> {
        Arc::new(Self { attributor, operators, builder: Arc::new(Semaphore::new(1)), limits })
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Records of one request.
    pub records_max: usize,
    /// Numbers of one answer: explained records × features × outputs.
    pub attributions_max: usize,
    pub design: DesignLimits,
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
    settings: Arc<Settings>,
    shared: Arc<Shared>,
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
    #[error("record {record}: {reason}")]
    Design { record: usize, reason: DesignError },
    #[error(
        "{n_records} records with {n_features} features and {n_outputs} outputs give {got} attributions; \
         the limit is {limit}"
    )]
    TooLarge { n_records: usize, n_features: usize, n_outputs: usize, got: usize, limit: usize },
    #[error(transparent)]
    Compute(#[from] AttributorClosed),
    #[error("an attribution of record {record} is not finite. This is a bug.")]
    NotFinite { record: usize },
}

impl Explainer {
    /// Fails when the model's features, all of them players, would pass a limit of the operators. Under kernel
    /// `shapley` fewer play as a rule, so there only the samples are judged.
    pub fn new(
        predictor: Arc<dyn Predictor>,
        n_features: usize,
        settings: Settings,
        shared: Arc<Shared>,
    ) -> Result<Self, DesignError> {
        let n_players = match settings.kernel {
            Kernel::Shapley => n_features.min(shared.limits.design.players_max),
            Kernel::Clarify => n_features,
        };
        // The usual operator is there before the first request.
        shared.operators.get(settings.design(n_players, shared.limits.design)?);
        Ok(Self { predictor, settings: Arc::new(settings), shared })
    }

    /// Dropping the future stops the work at the next turn of coalitions.
    pub async fn explain(&self, request: Request) -> Result<Explanation, ExplainError> {
        let mut clock = Clock::start();
        let records_max = self.shared.limits.records_max;
        let own_filter = request.filter.as_deref().map(Filter::compile).transpose()?.map(Arc::new);
        let records = Arc::new(offload(move |_| Table::read_csv(&request.payload, records_max)).await?);
        let predictions = self.predictor.predict(&records, request.accept).await?;
        let filter = own_filter.or_else(|| self.settings.filter.clone());
        let n_records = records.n_records();
        let (predictions, selected) = offload(move |_| select(filter.as_deref(), predictions, n_records)).await?;
        let null = self.predictor.null_value().await?;
        clock.lap(Stage::Predict);

        let mut report = Report::new(self.settings.kernel, predictions.clipped + null.clipped);
        let mut attributions = vec![None; n_records];
        let plans = self.plans(&records, selected, null.value.len()).await?;
        for chunk in plan::chunks(plans, null.value.len()) {
            let played = self.play(&records, chunk, &predictions, &null, &mut report).await?;
            clock.lap(Stage::Values);
            for solved in attribution::solve(&self.shared.attributor, played, records.n_columns()).await? {
                report.devices.insert(solved.device);
                solved.attributions.into_iter().for_each(|(record_idx, own)| attributions[record_idx] = Some(own));
            }
            clock.lap(Stage::Attribute);
        }
        report.stages = clock.stages();
        Ok(Explanation { predictions, attributions, base_values: null.value, report })
    }

    /// Players and design of each selected record.
    async fn plans(
        &self,
        records: &Arc<Table>,
        selected: Vec<usize>,
        n_outputs: usize,
    ) -> Result<Vec<Plan>, ExplainError> {
        let (n_records, n_features) = (selected.len(), records.n_columns());
        let (got, limit) = (n_records * n_features * n_outputs, self.shared.limits.attributions_max);
        if got > limit {
            return Err(ExplainError::TooLarge { n_records, n_features, n_outputs, got, limit });
        }
        let (predictor, settings) = (Arc::clone(&self.predictor), Arc::clone(&self.settings));
        let (records, limits) = (Arc::clone(records), self.shared.limits.design);
        let plan = move |record_idx| plan(predictor.as_ref(), &settings, limits, &records, record_idx);
        offload(move |_| selected.into_iter().map(plan).collect()).await
    }

    /// Asks the model for every coalition of a chunk; operators met for the first time are built here.
    async fn play(
        &self,
        records: &Arc<Table>,
        chunk: Vec<Plan>,
        predictions: &Predictions,
        null: &LinkedValue,
        report: &mut Report,
    ) -> Result<Vec<Played>, ExplainError> {
        let operators = self.operators(&chunk).await;
        let (games, operators): (Vec<Game>, Vec<_>) = chunk.into_iter().map(|plan| plan.game(&operators)).unzip();
        let values = self.predictor.values(records, games.clone()).await?;
        report.clipped += values.clipped;
        assert_eq!(values.of_games.len(), games.len(), "a game without values. This is a bug.");
        let played = games.into_iter().zip(operators).zip(values.of_games).map(|((game, operator), values)| {
            report.estimators.insert(operator.design.estimator);
            let delta = &predictions.values.row(game.record_idx) - &ndarray::aview1(&null.value);
            Played { game, operator, values, delta: delta.to_vec() }
        });
        Ok(played.collect())
    }

    /// The operators of a chunk. One is built at a time in the whole process, since building takes a core and memory
    /// of its own; who waits for that occupies no thread.
    async fn operators(&self, chunk: &[Plan]) -> HashMap<Design, Arc<Operator>> {
        let mut operators = HashMap::new();
        for design in chunk.iter().map(|plan| plan.design) {
            if operators.contains_key(&design) {
                continue;
            }
            let operator = match self.shared.operators.cached(design) {
                Some(operator) => operator,
                None => self.build(design).await,
            };
            operators.insert(design, operator);
        }
        telemetry::set_operator_bytes(self.shared.operators.bytes());
        operators
    }

    async fn build(&self, design: Design) -> Arc<Operator> {
        let builder = Arc::clone(&self.shared.builder).acquire_owned().await;
        let shared = Arc::clone(&self.shared);
        offload(move |_| {
            let _builder = builder;
            shared.operators.get(design)
        })
        .await
    }
}

/// Indexes of the records that the filter selects; all without one. An answer of another length is refused.
fn select(
    filter: Option<&Filter>,
    predictions: Predictions,
    n_records: usize,
) -> Result<(Predictions, Vec<usize>), ExplainError> {
    if predictions.values.nrows() != n_records {
        return Err(AnswerError::Count { got: predictions.values.nrows(), expected: n_records }.into());
    }
    let selected = match filter {
        None => (0..n_records).collect(),
        Some(filter) => filter.select(&read_answer(&predictions.text, predictions.format, n_records)?)?,
    };
    Ok((predictions, selected))
}

impl Settings {
    fn design(&self, n_players: usize, limits: DesignLimits) -> Result<Design, DesignError> {
        Design::new(n_players, self.number_of_samples, self.seed, self.kernel, limits)
    }
}
