//! A setup → an endpoint: model loaded, baseline read, everything checked against each other before it serves.

use std::borrow::Cow;
use std::sync::Arc;

use super::setup::{BaselineSource, ContainerSource, ExplainerSetup, FeatureType, ModelSource, Setup};
use super::stamp::{ModelIdentity, Stamped};
use super::{Endpoint, Explained, Service};
use crate::config::ContainerConfig;
use crate::explain::{Explainer, Settings, Shared, labels_fit};
use crate::fetch::{FetchError, fetch, read_file};
use crate::model::container::{Container, ContainerModel, ContainerSettings, Protocol, SingleModel, Translator};
use crate::model::embedded::{Embedded, EmbeddedForward, Scorer, xgboost};
use crate::model::{Forward, Model, ModelError};
use crate::records::{
    AnswerLayout, CellError, Expression, ExpressionError, Filter, FilterError, Table, TableError, Template,
    TemplateError,
};
use crate::shap::{DesignError, Estimator};

/// Rows of a baseline; each one is evaluated with every coalition.
const BASELINE_ROWS_MAX: usize = 10_000;

/// What a setup may load, and how its containers are treated.
#[derive(Clone, Debug)]
pub struct LoadLimits {
    pub model_bytes_max: u64,
    pub baseline_bytes_max: u64,
    pub containers: ContainerConfig,
}

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    ModelFile(FetchError),
    #[error("{name}: {reason}")]
    Model { name: String, reason: xgboost::XgboostError },
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
    #[error("text features are not supported by this version")]
    Text,
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

const MODEL_FILE_ANSWERS: &str =
    "it answers with all scores of a record in a line, or with {\"score\": ...}, and no labels";

impl Setup {
    /// Loads model and baseline and checks all parts against each other.
    pub async fn open(self, shared: &Arc<Shared>, limits: &LoadLimits) -> Result<Endpoint, SetupError> {
        let Self { name, model, explainer } = self;
        let service = match explainer {
            Some(explainer) => {
                Service::Explain(Arc::new(open_explained(&model, explainer, shared, limits).await?))
            }
            None => Service::Forward(match &model {
                ModelSource::Container(source) => forwarding(source, limits, shared.limits.records_max),
                file => {
                    let (scorer, _) = load(file, limits)?;
                    Box::new(EmbeddedForward::new(scorer, shared.limits.records_max))
                }
            }),
        };
        Ok(Endpoint { name, service })
    }
}

async fn open_explained(
    model: &ModelSource,
    setup: ExplainerSetup,
    shared: &Arc<Shared>,
    limits: &LoadLimits,
) -> Result<Explained, SetupError> {
    let features = compiled(setup.features_attribute.as_deref()).map_err(SetupError::FeaturesAttribute)?;
    let bytes = baseline_bytes(&setup.baseline.source, limits).await?;
    let baseline = Table::read(&bytes, setup.baseline.format, features.as_ref(), BASELINE_ROWS_MAX)?;
    let n_features = baseline.n_columns();
    check_types(&setup, &baseline)?;
    let stamp = |model| {
        let (config, seed, kernel) = (&setup.config, setup.seed, setup.kernel);
        Stamped { model, baseline: &bytes, config, seed, kernel, estimator: Estimator::KernelShap }.stamp()
    };
    let (model, stamp): (Arc<dyn Model>, String) = match model {
        ModelSource::Container(source) => {
            let settings = container_settings(source, &setup, baseline)?;
            let stamp = stamp(ModelIdentity::Container(source));
            (Arc::new(ContainerModel::new(container(source, limits), settings)), stamp)
        }
        file => {
            let (scorer, bytes) = load(file, limits)?;
            check_embedded(&setup, scorer.n_outputs())?;
            let stamp = stamp(ModelIdentity::Bytes(&bytes));
            (Arc::new(Embedded::new(scorer, baseline.numbers()?.clone(), setup.link)?), stamp)
        }
    };
    check_headers(&setup, n_features)?;
    let settings = Settings {
        kernel: setup.kernel,
        number_of_samples: setup.number_of_samples,
        seed: setup.seed,
        filter: setup.filter.as_deref().map(Filter::compile).transpose()?.map(Arc::new),
        features: features.map(Arc::new),
        label_headers: setup.label_headers,
    };
    let explainer = Explainer::new(model, n_features, settings, Arc::clone(shared))?;
    Ok(Explained { explainer, feature_headers: setup.feature_headers, stamp, config: setup.config })
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
            let bytes = fetch(location, limits.baseline_bytes_max).await;
            bytes.map(Cow::Owned).map_err(SetupError::BaselineFile)
        }
    }
}

/// Types fit the columns, and nothing is text.
fn check_types(setup: &ExplainerSetup, baseline: &Table) -> Result<(), SetupError> {
    let expected = baseline.n_columns();
    let has_text = match &setup.feature_types {
        Some(types) if types.len() != expected => {
            return Err(SetupError::FeatureTypes { got: types.len(), expected });
        }
        Some(types) => types.contains(&FeatureType::Text),
        None => setup.text.is_some() && baseline.numbers().is_err(),
    };
    if has_text { Err(SetupError::Text) } else { Ok(()) }
}

fn check_headers(setup: &ExplainerSetup, expected: usize) -> Result<(), SetupError> {
    match setup.feature_headers.as_ref().map(Vec::len) {
        Some(got) if got != expected => Err(SetupError::FeatureHeaders { got, expected }),
        _ => Ok(()),
    }
}

fn container(source: &ContainerSource, limits: &LoadLimits) -> Arc<Container> {
    Arc::new(Container::new(&source.url, &limits.containers))
}

/// A container whose answers are passed through; its clients speak as they do to SageMaker.
fn forwarding(source: &ContainerSource, limits: &LoadLimits, records_max: usize) -> Box<dyn Forward> {
    let container = container(source, limits);
    match &source.protocol {
        Protocol::SageMaker => Box::new(SingleModel::new(container, &source.protocol)),
        protocol => Box::new(Translator::new(container, protocol, records_max)),
    }
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

/// What says how answers are read must fit the answers of a model file: one line of scores, or `{"score": ...}`.
fn check_embedded(setup: &ExplainerSetup, n_outputs: usize) -> Result<(), SetupError> {
    if let Some(got) = setup.label_headers.as_ref().map(Vec::len).filter(|&got| !labels_fit(got, n_outputs)) {
        return Err(SetupError::LabelHeaders { got, expected: n_outputs });
    }
    // Without use here, but not without sense.
    setup.content_template.as_deref().map(Template::compile).transpose()?;
    let does_not_fit = |text: &String| AttributeError::ModelFile(text.clone());
    match setup {
        ExplainerSetup { probability_index: Some(index), .. } if *index > 0 || n_outputs > 1 => {
            Err(SetupError::ProbabilityIndex { index: *index })
        }
        ExplainerSetup { label_index: Some(index), .. } => Err(SetupError::LabelIndex { index: *index }),
        ExplainerSetup { probability_attribute: Some(text), .. } if text.trim() != "score" => {
            Err(SetupError::ProbabilityAttribute(does_not_fit(text)))
        }
        ExplainerSetup { label_attribute: Some(text), .. } => Err(SetupError::LabelAttribute(does_not_fit(text))),
        _ => Ok(()),
    }
}

/// The model of a file, and the file's bytes.
fn load(model: &ModelSource, limits: &LoadLimits) -> Result<(Scorer, Cow<'static, [u8]>), SetupError> {
    let (name, bytes) = match model {
        ModelSource::File(path) => {
            let bytes = read_file(path, limits.model_bytes_max).map_err(SetupError::ModelFile)?;
            (path.display().to_string(), Cow::Owned(bytes))
        }
        ModelSource::Bundled(bytes) => ("the bundled model".to_owned(), Cow::Borrowed(*bytes)),
        ModelSource::Folder(_) | ModelSource::Container(_) => panic!("this is no file. This is a bug."),
    };
    let trees = xgboost::load(&bytes).map_err(|reason| SetupError::Model { name, reason })?;
    Ok((Scorer::new(trees), bytes))
}
