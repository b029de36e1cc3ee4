//! What an endpoint is made of → an endpoint: model loaded, baseline read, everything checked before it serves.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::Endpoint;
use crate::config::Kernel;
use crate::explain::{Explainer, Settings, Shared};
use crate::fetch::{FetchError, read_file};
use crate::model::ModelError;
use crate::model::embedded::{Embedded, xgboost};
use crate::records::{CellError, Filter, FilterError, Format, Table, TableError};
use crate::shap::{DesignError, Link};

/// Rows of a baseline; each one is evaluated with every coalition.
const BASELINE_ROWS_MAX: usize = 10_000;

/// Everything that defines an endpoint, in our own words.
#[derive(Debug)]
pub struct Setup {
    pub name: String,
    pub model: ModelSource,
    /// None: the model's answers are passed through.
    pub explainer: Option<ExplainerSetup>,
}

/// How an endpoint explains. Texts of expressions and templates are compiled when the endpoint is opened.
#[derive(Debug)]
pub struct ExplainerSetup {
    pub kernel: Kernel,
    pub baseline: Baseline,
    pub number_of_samples: Option<u64>,
    pub seed: i64,
    pub link: Link,
    pub filter: Option<String>,
    /// Where the features of a JSON Lines record are.
    pub features_attribute: Option<String>,
    /// A JSON line for the container, with `$features` in it.
    pub content_template: Option<String>,
    /// Records of one request to the container.
    pub max_record_count: Option<usize>,
    /// Bytes of one request to the container.
    pub max_payload_bytes: usize,
    pub probability_index: Option<usize>,
    pub label_index: Option<usize>,
    pub probability_attribute: Option<String>,
    pub label_attribute: Option<String>,
    pub feature_headers: Option<Vec<String>>,
    pub label_headers: Option<Vec<String>>,
    pub feature_types: Option<Vec<FeatureType>>,
    /// How text features are cut; text features need it.
    pub text: Option<TextSetup>,
    /// The configuration as it was given: what is echoed and stamped.
    pub config: serde_json::Value,
}

/// Replacement rows, features only, one or more.
#[derive(Debug)]
pub struct Baseline {
    pub source: BaselineSource,
    pub format: Format,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaselineSource {
    Inline(String),
    /// `s3:`, `https:`, `file:`, or a path that is already relative to the working directory.
    Location(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureType {
    Numerical,
    Categorical,
    Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSetup {
    pub granularity: Granularity,
    /// A code of the service's list.
    pub language: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    Token,
    Sentence,
    Paragraph,
}

#[derive(Debug)]
pub enum ModelSource {
    File(PathBuf),
    /// Part of the program.
    Bundled(&'static [u8]),
    /// The base URL of a running container.
    Container(String),
}

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    ModelFile(#[from] FetchError),
    #[error("{name}: {reason}")]
    Model { name: String, reason: xgboost::XgboostError },
    #[error(transparent)]
    BaselineTable(#[from] TableError),
    #[error(transparent)]
    BaselineCell(#[from] CellError),
    #[error(transparent)]
    Baseline(#[from] ModelError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("{got} names for {expected} features")]
    FeatureHeaders { got: usize, expected: usize },
    #[error("{got} names for {expected} outputs")]
    LabelHeaders { got: usize, expected: usize },
    #[error(transparent)]
    Samples(#[from] DesignError),
}

impl Setup {
    /// Loads the model (at most `model_bytes_max` bytes) and checks all parts against each other.
    pub fn open(self, shared: &Arc<Shared>, model_bytes_max: u64) -> Result<Endpoint, SetupError> {
        let in_model = |reason| SetupError::Model { name: self.model.name(), reason };
        let trees = xgboost::load(&self.model.bytes(model_bytes_max)?).map_err(in_model)?;
        let setup = self.explainer.expect("TODO");
        let BaselineSource::Inline(baseline) = &setup.baseline.source else { unimplemented!() };
        let baseline = Table::read_csv(baseline.as_bytes(), BASELINE_ROWS_MAX)?;
        let predictor = Embedded::new(trees, baseline.numbers()?.clone(), setup.link)?;
        let (n_features, n_outputs) = (predictor.n_features(), predictor.n_outputs());
        let (feature_headers, label_headers) = (setup.feature_headers, setup.label_headers);
        if let Some(got) = feature_headers.as_ref().map(Vec::len).filter(|&got| got != n_features) {
            return Err(SetupError::FeatureHeaders { got, expected: n_features });
        }
        // A binary model has one score; it may be named by one header or by one for each class.
        let is_pair = |got| n_outputs == 1 && got == 2;
        if let Some(got) = label_headers.as_ref().map(Vec::len).filter(|&got| got != n_outputs && !is_pair(got)) {
            return Err(SetupError::LabelHeaders { got, expected: n_outputs });
        }
        let settings = Settings {
            kernel: setup.kernel,
            number_of_samples: setup.number_of_samples,
            seed: setup.seed,
            filter: setup.filter.as_deref().map(Filter::compile).transpose()?.map(Arc::new),
        };
        let explainer = Explainer::new(Arc::new(predictor), n_features, settings, Arc::clone(shared))?;
        Ok(Endpoint { name: self.name, explainer, feature_headers, label_headers })
    }
}

impl ModelSource {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bundled(_) => "the bundled model".to_owned(),
            Self::Container(url) => url.clone(),
        }
    }

    fn bytes(&self, bytes_max: u64) -> Result<Cow<'static, [u8]>, FetchError> {
        match self {
            Self::File(path) => read_file(path, bytes_max).map(Cow::Owned),
            Self::Bundled(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Container(_) => unimplemented!(),
        }
    }
}
