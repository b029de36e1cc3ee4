//! The pipeline: records in, predictions and attributions out. The only place that sees both seams.
//!
//! decode → predict → select → games → values → attribute; nothing flows back.

mod asked;
mod attribution;
mod builders;
mod computed;
mod cutting;
mod error;
mod plan;
mod report;

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use futures_util::stream::{self, StreamExt};
use ndarray::Array2;

use crate::compute::Attributor;
use crate::config::{Kernel, SampledEstimator};
use crate::model::{Call, Identity, Model, ModelError, Predictions, Predictor, Valuation};
use crate::offload::{Stop, offload, offload_large};
use crate::records::{AnswerError, Cutter, Expression, Filter, Format, Pieces, Table, answer_records};
use crate::shap::{Design, DesignError, DesignLimits, Method, Operator, OperatorCache};
use crate::telemetry;

pub use crate::model::{Message, Reply, TargetName};
use builders::Builders;
use computed::Computed;
pub use error::ExplainError;
use plan::{Cost, Operators, Plan, Planner};
use report::Clock;
pub use report::{Report, Stage};

/// What all endpoints of a process share.
pub struct Shared {
    pub attributor: Attributor,
    pub operators: OperatorCache,
    builders: Builders,
    pub limits: Limits,
}

impl Shared {
    pub fn new(attributor: Attributor, operators: OperatorCache, limits: Limits) -> Arc<Self> {
        let n_cores = available_parallelism().map_or(1, NonZero::get);
        let builders = Builders::new(limits.design.operator_bytes_max, n_cores);
        Arc::new(Self { attributor, operators, builders, limits })
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

impl Limits {
    /// Whether an answer may have the attributions of so many pieces.
    fn check(&self, n_records: usize, n_pieces: usize, n_outputs: usize) -> Result<(), ExplainError> {
        let (got, limit) = (n_pieces.saturating_mul(n_outputs), self.attributions_max);
        match got <= limit {
            true => Ok(()),
            false => Err(ExplainError::TooLarge { n_records, n_pieces, n_outputs, got, limit }),
        }
    }
}

/// How an endpoint's records are explained.
#[derive(Debug, Default)]
pub struct Settings {
    pub kernel: Kernel,
    pub estimator: SampledEstimator,
    pub number_of_samples: Option<u64>,
    pub seed: i64,
    /// Which records are explained where the request does not say; all without it.
    pub filter: Option<Arc<Filter>>,
    /// Where the features of a record in JSON Lines are.
    pub features: Option<Arc<Expression>>,
    /// Names of the outputs; those of the model's answer without them.
    pub label_headers: Option<Vec<String>>,
    /// Cuts texts into units; none where no feature is a text.
    pub cutter: Option<Arc<Cutter>>,
}

/// One endpoint's model with everything needed to explain it.
pub struct Explainer {
    model: Arc<dyn Model>,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

/// One request: what the model gets, and choices.
pub struct Request {
    pub message: Message,
    /// Of the payload.
    pub format: Format,
    /// Replaces the endpoint's own expression.
    pub filter: Option<String>,
}

#[derive(Debug)]
pub struct Explanation {
    /// Which model answered.
    pub model: Identity,
    pub predictions: Predictions,
    /// Per record `[n_pieces × n_outputs]`, none where the record was not selected.
    pub attributions: Vec<Option<Array2<f64>>>,
    /// Of the records that were explained, where a feature is a text.
    pub pieces: Option<Arc<[Option<Pieces>]>>,
    /// f(baseline) on the link's scale, `[n_outputs]`; none where nothing was explained.
    pub base_values: Option<Vec<f64>>,
    pub label_headers: Option<Vec<String>>,
    pub report: Report,
}

impl Explainer {
    /// Fails as `usual_design` does.
    pub fn new(
        model: Arc<dyn Model>,
        n_features: usize,
        settings: Settings,
        shared: Arc<Shared>,
    ) -> Result<Self, DesignError> {
        // The usual operator is there before the first request.
        shared.operators.get(settings.usual_design(n_features, shared.limits.design)?);
        Ok(Self { model, settings: Arc::new(settings), shared })
    }

    /// Dropping the future stops the work at the next turn of coalitions.
    pub async fn explain(&self, request: Request) -> Result<Explanation, ExplainError> {
        let mut clock = Clock::start();
        let own_filter = request.filter.as_deref().map(Filter::compile).transpose()?.map(Arc::new);
        let call = self.decode(request.message, request.format).await?;
        clock.lap(Stage::Decode);
        let n_records = call.records.n_records();
        let predictor = self.model.predictor(&call.message).await?;
        let predictions = predictor.predict(&call).await?;
        let filter = own_filter.or_else(|| self.settings.filter.clone());
        let n_bytes = if filter.is_some() { usize::MAX } else { 0 };
        let select = move || {
            let selected = select(filter.as_deref(), &predictions, n_records)?;
            Ok::<_, ExplainError>((predictions, selected))
        };
        let (predictions, selected) = offload_large(n_bytes, move |_| select()).await?;
        clock.lap(Stage::Predict);
        let mut report = Report::new(self.settings.kernel, predictions.clipped);
        let mut attributions = vec![None; n_records];
        let (mut base_values, mut pieces) = (None, None);
        if !selected.is_empty() {
            self.settings.check_labels(&predictions)?;
            let call = self.cut(call, &selected, predictions.values.ncols()).await?;
            clock.lap(Stage::Decode);
            pieces.clone_from(&call.pieces);
            let predicted = Predicted { call: &call, predictor: &predictor, predictions: &predictions };
            let solved = self.attribute(&predicted, selected, &mut report, &mut clock).await?;
            solved.attributions.into_iter().for_each(|(record_idx, own)| attributions[record_idx] = Some(own));
            base_values = Some(solved.base_values);
        }
        report.stages = clock.stages();
        // The endpoint's own names win over those of the answer.
        let label_headers = self.settings.label_headers.clone().or_else(|| predictions.labels.clone());
        Ok(Explanation {
            model: predictor.identity(),
            predictions,
            attributions,
            pieces,
            base_values,
            label_headers,
            report,
        })
    }

    async fn decode(&self, message: Message, format: Format) -> Result<Arc<Call>, ExplainError> {
        let (settings, records_max) = (Arc::clone(&self.settings), self.shared.limits.records_max);
        // An expression may take long on little.
        let n_bytes = if settings.features.is_some() { usize::MAX } else { message.payload.len() };
        let decode = move || {
            let records = Table::read(&message.payload, format, settings.features.as_deref(), records_max)?;
            Ok(Arc::new(Call { message, records: Arc::new(records), pieces: None }))
        };
        offload_large(n_bytes, move |_| decode()).await
    }

    /// The same call with the texts of the selected records in units.
    async fn cut(&self, call: Arc<Call>, selected: &[usize], n_outputs: usize) -> Result<Arc<Call>, ExplainError> {
        let Some(cutter) = self.settings.cutter.clone() else { return Ok(call) };
        let (selected, limits) = (selected.to_vec(), self.shared.limits);
        offload(move |stop| cutting::cut(&call, &cutter, &selected, n_outputs, &limits, stop).map(Arc::new)).await
    }

    /// Plays the games of the selected records, chunk by chunk.
    async fn attribute(
        &self,
        predicted: &Predicted<'_>,
        selected: Vec<usize>,
        report: &mut Report,
        clock: &mut Clock,
    ) -> Result<Attributed, ExplainError> {
        let n_outputs = predicted.predictions.values.ncols();
        let mut attributions = Vec::with_capacity(selected.len());
        let mut base = None;
        let plans = self.plans(predicted, selected).await?;
        let cost = Cost::of(&predicted.predictor.valuation(predicted.call)?, n_outputs);
        for chunk in plan::chunks(plans, cost) {
            let operators = self.operators(&chunk).await;
            clock.lap(Stage::Plan);
            let attributor = &self.shared.attributor;
            let (solved, null) = match predicted.predictor.valuation(predicted.call)? {
                Valuation::Asked(model) => {
                    let (played, null) = asked::play(model, predicted, chunk, &operators, report).await?;
                    clock.lap(Stage::Values);
                    (attribution::solve(attributor, played).await?, null)
                }
                Valuation::Computed { function, numbers, null } => {
                    let games = computed::pose_all(predicted, numbers, null, chunk, &operators)?;
                    let computed = Computed { attributor, function };
                    (computed.solve(games, report).await?, null.clone())
                }
            };
            clock.lap(Stage::Attribute);
            for solved in solved {
                report.devices.insert(solved.device);
                attributions.extend(solved.attributions);
            }
            base.get_or_insert(null);
        }
        let base = base.expect("at least one record is selected. This is a bug.");
        report.clipped += base.clipped;
        Ok(Attributed { attributions, base_values: base.value })
    }

    /// Players of each selected record, and how its game is solved.
    async fn plans(&self, predicted: &Predicted<'_>, selected: Vec<usize>) -> Result<Vec<Plan>, ExplainError> {
        let Predicted { call, predictor, predictions } = predicted;
        let (n_records, n_outputs) = (selected.len(), predictions.values.ncols());
        let n_pieces: usize = selected.iter().map(|&record_idx| call.n_pieces(record_idx)).sum();
        self.shared.limits.check(n_records, n_pieces, n_outputs)?;
        let (predictor, settings) = (Arc::clone(predictor), Arc::clone(&self.settings));
        let (call, limits) = (Arc::clone(call), self.shared.limits.design);
        let plan = move |stop: &Stop| {
            let planner = Planner { predictor: predictor.as_ref(), settings: &settings, limits, call: &call };
            let is_exact = planner.is_exact()?;
            let plan = |record_idx| match stop.is_set() {
                true => Err(ModelError::GivenUp.into()),
                false => planner.plan(record_idx, is_exact),
            };
            selected.into_iter().map(plan).collect()
        };
        offload_large(size_of::<f64>() * n_pieces, plan).await
    }

    /// The operators of a chunk. Few are built at a time in the whole process, since each takes a core and memory of its
    /// own; no more of one request wait, so that others stand in between. Who waits occupies no thread.
    async fn operators(&self, chunk: &[Plan]) -> Operators {
        let designs = plan::designs(chunk);
        let operators = stream::iter(designs).map(|design| self.operator(design));
        let operators = operators.buffer_unordered(self.shared.builders.n_places as usize).collect().await;
        telemetry::set_operator_bytes(self.shared.operators.bytes());
        operators
    }

    async fn operator(&self, design: Design) -> Arc<Operator> {
        if let Some(operator) = self.shared.operators.cached(design) {
            return operator;
        }
        let shared = Arc::clone(&self.shared);
        let build = |place| {
            offload(move |_| {
                let _place = place;
                shared.operators.get(design)
            })
        };
        self.shared.builders.build(design, build).await
    }
}

/// A request whose records have been predicted.
struct Predicted<'a> {
    call: &'a Arc<Call>,
    predictor: &'a Arc<dyn Predictor>,
    predictions: &'a Predictions,
}

/// Attributions of the selected records.
struct Attributed {
    /// Record and its `[n_pieces × n_outputs]`.
    attributions: Vec<(usize, Array2<f64>)>,
    /// `[n_outputs]`.
    base_values: Vec<f64>,
}

/// Whether so many names can be those of so many outputs. A binary model has one score; it may be named by one header
/// or by one for each class.
pub fn labels_fit(n_labels: usize, n_outputs: usize) -> bool {
    n_labels == n_outputs || (n_outputs == 1 && n_labels == 2)
}

/// Indexes of the records that the filter selects; all without one. An answer of another length is refused.
fn select(
    filter: Option<&Filter>,
    predictions: &Predictions,
    n_records: usize,
) -> Result<Vec<usize>, ExplainError> {
    if predictions.values.nrows() != n_records {
        return Err(AnswerError::Count { got: predictions.values.nrows(), expected: n_records }.into());
    }
    match filter {
        None => Ok((0..n_records).collect()),
        Some(filter) => Ok(filter.select(&answer_records(&predictions.text, predictions.format, n_records)?)?),
    }
}

impl Settings {
    /// The design of a record whose features all play. Fails when they would pass a limit of the operators; under kernel
    /// `shapley` fewer play as a rule, so there only the samples are judged.
    pub fn usual_design(&self, n_features: usize, limits: DesignLimits) -> Result<Design, DesignError> {
        let n_players = match self.kernel {
            Kernel::Shapley => n_features.min(limits.players_max),
            Kernel::Clarify => n_features,
        };
        self.design(n_players, limits)
    }

    /// Indexes of the records that are explained where the request does not say which.
    pub fn selected(&self, predictions: &Predictions, n_records: usize) -> Result<Vec<usize>, ExplainError> {
        let selected = select(self.filter.as_deref(), predictions, n_records)?;
        if !selected.is_empty() {
            self.check_labels(predictions)?;
        }
        Ok(selected)
    }

    fn check_labels(&self, predictions: &Predictions) -> Result<(), ExplainError> {
        let expected = predictions.values.ncols();
        match self.label_headers.as_ref().map(Vec::len) {
            Some(got) if !labels_fit(got, expected) => Err(ExplainError::Labels { got, expected }),
            _ => Ok(()),
        }
    }

    /// Of so many players.
    pub fn design(&self, n_players: usize, limits: DesignLimits) -> Result<Design, DesignError> {
        let method = Method { kernel: self.kernel, estimator: self.estimator };
        Design::new(n_players, self.number_of_samples, self.seed, method, limits)
    }
}
