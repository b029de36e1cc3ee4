//! A setup → an endpoint: model loaded, baseline read, everything checked against each other before it serves.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::files::MODEL_FILE_ANSWERS;
use super::setup::{Baseline, BaselineSource, ContainerSource, ExplainerSetup, ModelSource, Setup, TextSetup};
use super::stamp::{Stamp, Stamped};
use super::{Explained, Opened, Service, files};
use crate::config::ContainerConfig;
use crate::explain::{Explainer, Settings, Shared};
use crate::fetch::{FetchError, Reach, ReachError, check_folder, fetch};
use crate::model::container::{
    Container, ContainerError, ContainerModel, ContainerSettings, Models, MultiModelContainer, Protocol,
    SingleModel, Translator,
};
use crate::model::embedded::FileError;
use crate::model::{Forward, Model, ModelError};
use crate::records::{
    AnswerLayout, CellError, Cutter, Expression, ExpressionError, Filter, FilterError, Table, TableError,
    Template, TemplateError, inferred_types,
};
use crate::shap::DesignError;

/// Rows of a baseline; each one is evaluated with every coalition.
const BASELINE_ROWS_MAX: usize = 10_000;

/// What a setup may load, and how its containers are treated.
#[derive(Clone, Debug)]
pub struct LoadLimits {
    pub model_bytes_max: u64,
    pub baseline_bytes_max: u64,
    /// Where models, baselines and containers may be, also later, on each load and each connection.
    pub reach: Reach,
    pub containers: ContainerConfig,
    /// A container must be there when an endpoint with it is opened.
    pub asks_containers: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    ModelFile(FetchError),
    #[error("{name}: {reason}")]
    Model { name: String, reason: FileError },
    #[error("{path}: a folder of model files is needed: {reason}")]
    ModelFolder { path: String, reason: io::Error },
    #[error("{place}: {reason}")]
    ModelReach { place: String, reason: ReachError },
    #[error(transparent)]
    ContainerReach(ReachError),
    #[error("GET {path}: {reason}")]
    Container { path: String, reason: ContainerError },
    #[error(transparent)]
    BaselineFile(FetchError),
    #[error(transparent)]
    BaselineTable(#[from] TableError),
    #[error(transparent)]
    BaselineCell(#[from] CellError),
    #[error(transparent)]
    Baseline(#[from] ModelError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    FeaturesAttribute(AttributeError),
    #[error(transparent)]
    ProbabilityAttribute(AttributeError),
    #[error(transparent)]
    LabelAttribute(AttributeError),
    #[error("{index} does not fit a model file: {MODEL_FILE_ANSWERS}")]
    ProbabilityIndex { index: usize },
    #[error("{index} does not fit a model file: {MODEL_FILE_ANSWERS}")]
    LabelIndex { index: usize },
    #[error(transparent)]
    ContentTemplate(#[from] TemplateError),
    #[error("the protocol {protocol} has its own way to write records; a template has no place in it")]
    ContentTemplateUnused { protocol: &'static str },
    #[error("{got} names for {expected} features")]
    FeatureHeaders { got: usize, expected: usize },
    #[error("{got} types for {expected} features")]
    FeatureTypes { got: usize, expected: usize },
    #[error("{got} names for {expected} outputs")]
    LabelHeaders { got: usize, expected: usize },
    #[error(
        "feature {feature} is a text that plays in units, and the model reads no text there; FeatureTypes says what it is"
    )]
    Text { feature: usize },
    #[error(transparent)]
    Samples(#[from] DesignError),
}

/// An expression that says where features, scores or labels are.
#[derive(Debug, thiserror::Error)]
pub enum AttributeError {
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    #[error("the expression {0:?} lists the members of an object, which have no order; name them, as [a, b]")]
    NoOrder(String),
    #[error("{0:?} does not fit a model file: {MODEL_FILE_ANSWERS}")]
    ModelFile(String),
}

impl Setup {
    /// Loads model and baseline and checks all parts against each other.
    pub async fn open(self, shared: &Arc<Shared>, limits: &LoadLimits) -> Result<Opened, SetupError> {
        let Self { model, explainer, .. } = self;
        let service = match explainer {
            Some(explainer) => {
                Service::Explain(Arc::new(open_explained(&model, explainer, shared, limits).await?))
            }
            None => Service::Forward(match &model {
                ModelSource::Container(source) => forwarding(source, limits, shared.limits.records_max).await?,
                files => files::forward(files, shared.limits.records_max, limits).await?,
            }),
        };
        Ok(Opened { has_many_models: model.is_many(), service })
    }
}

async fn open_explained(
    model: &ModelSource,
    setup: ExplainerSetup,
    shared: &Arc<Shared>,
    limits: &LoadLimits,
) -> Result<Explained, SetupError> {
    let Parts { model, stamp, n_features, settings, feature_headers, .. } = parts(model, setup, limits).await?;
    let feature_types = settings.cutter.as_ref().map(|cutter| cutter.types().to_vec());
    let model: Arc<dyn Model> = match model {
        OpenedModel::Container(container) => Arc::new(container),
        OpenedModel::Files(model) => model,
    };
    let explainer = Explainer::new(model, n_features, settings, Arc::clone(shared))?;
    Ok(Explained { explainer, feature_headers, feature_types, stamp })
}

/// What an explainer is made of, loaded and checked against each other.
pub(super) struct Parts {
    pub(super) model: OpenedModel,
    stamp: Stamp,
    pub(super) n_features: usize,
    pub(super) n_baseline_rows: usize,
    pub(super) settings: Settings,
    feature_headers: Option<Vec<String>>,
}

/// Where answers come from.
pub(super) enum OpenedModel {
    Container(ContainerModel),
    Files(Arc<dyn Model>),
}

pub(super) async fn parts(
    model: &ModelSource,
    setup: ExplainerSetup,
    limits: &LoadLimits,
) -> Result<Parts, SetupError> {
    let features = compiled(setup.features_attribute.as_deref()).map_err(SetupError::FeaturesAttribute)?;
    let bytes = baseline_bytes(&setup.baseline.source, limits).await?;
    let baseline = read_baseline(&bytes, &setup.baseline, features.as_ref(), &limits.reach)?;
    let (n_features, n_baseline_rows) = (baseline.n_columns(), baseline.n_records());
    let cutter = cutter(&setup, &baseline)?.map(Arc::new);
    let texts: Vec<usize> = cutter.iter().flat_map(|cutter| cutter.texts()).collect();
    let baseline = if texts.is_empty() { baseline } else { baseline.with_strings(&texts) };
    let (config, seed, kernel, estimator) = (&setup.config, setup.seed, setup.kernel, setup.estimator);
    let stamp = Stamp::new(&Stamped { baseline: &bytes, config, seed, kernel, estimator });
    let model = match model {
        ModelSource::Container(source) => {
            let settings = container_settings(source, &setup, baseline)?;
            OpenedModel::Container(ContainerModel::new(models(source, limits).await?, settings))
        }
        files => OpenedModel::Files(files::model(files, &setup, texts, baseline, limits).await?),
    };
    check_headers(&setup, n_features)?;
    let settings = Settings {
        kernel: setup.kernel,
        estimator: setup.estimator,
        number_of_samples: setup.number_of_samples,
        seed: setup.seed,
        filter: setup.filter.as_deref().map(Filter::compile).transpose()?.map(Arc::new),
        features: features.map(Arc::new),
        label_headers: setup.label_headers,
        cutter,
    };
    let feature_headers = setup.feature_headers;
    Ok(Parts { model, stamp, n_features, n_baseline_rows, settings, feature_headers })
}

/// An expression whose result has an order: of features, of scores or of their names.
fn compiled(expression: Option<&str>) -> Result<Option<Expression>, AttributeError> {
    let Some(text) = expression else { return Ok(None) };
    let expression = Expression::compile(text)?;
    if expression.lists_members() {
        return Err(AttributeError::NoOrder(text.to_owned()));
    }
    Ok(Some(expression))
}

async fn baseline_bytes<'a>(source: &'a BaselineSource, limits: &LoadLimits) -> Result<Cow<'a, [u8]>, SetupError> {
    match source {
        BaselineSource::Inline(text) => Ok(Cow::Borrowed(text.as_bytes())),
        BaselineSource::Location(location) => {
            let bytes = fetch(location, limits.baseline_bytes_max, &limits.reach).await;
            bytes.map(Cow::Owned).map_err(SetupError::BaselineFile)
        }
    }
}

/// Whoever names a file is not told what is in it, unless all files are theirs.
fn read_baseline(
    bytes: &[u8],
    baseline: &Baseline,
    features: Option<&Expression>,
    reach: &Reach,
) -> Result<Table, TableError> {
    let table = Table::read(bytes, baseline.format, features, BASELINE_ROWS_MAX);
    match baseline.source {
        BaselineSource::Location(_) if !reach.is_everywhere() => {
            table.map(Table::without_texts).map_err(TableError::without_texts)
        }
        BaselineSource::Location(_) | BaselineSource::Inline(_) => table,
    }
}

/// None where no feature is a text that plays in units. The types fit the columns.
fn cutter(setup: &ExplainerSetup, baseline: &Table) -> Result<Option<Cutter>, SetupError> {
    let expected = baseline.n_columns();
    if let Some(got) = setup.feature_types.as_ref().map(Vec::len).filter(|&got| got != expected) {
        return Err(SetupError::FeatureTypes { got, expected });
    }
    let Some(TextSetup { granularity, language }) = &setup.text else { return Ok(None) };
    let types = setup.feature_types.clone().unwrap_or_else(|| inferred_types(baseline));
    let cutter = Cutter::new(types, baseline, *granularity, language);
    for column_idx in cutter.iter().flat_map(Cutter::texts) {
        (0..baseline.n_records()).try_for_each(|row_idx| baseline.text(row_idx, column_idx).map(drop))?;
    }
    Ok(cutter)
}

fn check_headers(setup: &ExplainerSetup, expected: usize) -> Result<(), SetupError> {
    match setup.feature_headers.as_ref().map(Vec::len) {
        Some(got) if got != expected => Err(SetupError::FeatureHeaders { got, expected }),
        _ => Ok(()),
    }
}

async fn models(source: &ContainerSource, limits: &LoadLimits) -> Result<Models, SetupError> {
    let resolver = limits.reach.backend(&source.url).await.map_err(SetupError::ContainerReach)?;
    if let Some(folder) = &source.models {
        check_folder(folder, &limits.reach).map_err(SetupError::ModelFile)?;
    }
    let container = Arc::new(Container::new(&source.url, resolver, &limits.containers));
    if limits.asks_containers {
        let path = source.protocol.ready_path();
        container.wait_for(&path).await.map_err(|reason| SetupError::Container { path, reason })?;
    }
    Ok(match &source.models {
        Some(models) => {
            let load_wait = Duration::from_millis(limits.containers.model_load_ms);
            Models::Many(MultiModelContainer::new(container, models.clone(), load_wait))
        }
        None => Models::One(SingleModel::new(container, source.protocol.clone())),
    })
}

/// A container whose answers are passed through; its clients speak as they do to SageMaker.
async fn forwarding(
    source: &ContainerSource,
    limits: &LoadLimits,
    records_max: usize,
) -> Result<Arc<dyn Forward>, SetupError> {
    Ok(match models(source, limits).await? {
        Models::Many(models) => Arc::new(models),
        Models::One(model) if source.protocol == Protocol::SageMaker => Arc::new(model),
        Models::One(model) => Arc::new(Translator::new(model, records_max)),
    })
}

fn container_settings(
    source: &ContainerSource,
    setup: &ExplainerSetup,
    baseline: Table,
) -> Result<ContainerSettings, SetupError> {
    let protocol = source.protocol.clone();
    if setup.content_template.is_some() && protocol != Protocol::SageMaker {
        return Err(SetupError::ContentTemplateUnused { protocol: protocol.name() });
    }
    let probability_attribute = setup.probability_attribute.as_deref().or(protocol.score_attribute());
    let layout = AnswerLayout {
        probability_index: setup.probability_index,
        label_index: setup.label_index,
        probability_attribute: compiled(probability_attribute).map_err(SetupError::ProbabilityAttribute)?,
        label_attribute: compiled(setup.label_attribute.as_deref()).map_err(SetupError::LabelAttribute)?,
    };
    // Records that are bare arrays need no words around them.
    let bare = setup.features_attribute.is_none().then_some("$features");
    let template = setup.content_template.as_deref().or(bare).map(Template::compile).transpose()?;
    Ok(ContainerSettings {
        protocol,
        baseline,
        link: setup.link,
        layout,
        template,
        columns: setup.feature_headers.clone(),
        max_record_count: setup.max_record_count,
        max_payload_bytes: setup.max_payload_bytes,
    })
}
