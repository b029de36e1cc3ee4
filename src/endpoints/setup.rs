//! What an endpoint is made of, in our own words, before anything of it is loaded.

use std::path::PathBuf;

use crate::config::{Kernel, SampledEstimator};
use crate::model::container::Protocol;
pub use crate::records::FeatureType;
use crate::records::Format;
pub use crate::records::units::Granularity;
use crate::shap::Link;

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
    pub estimator: SampledEstimator,
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
    /// The configuration as it was given: what is stamped.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSetup {
    pub granularity: Granularity,
    /// A code of the service's list.
    pub language: String,
}

#[derive(Debug)]
pub enum ModelSource {
    File(PathBuf),
    /// One file at `s3:` or `https:`.
    Remote(String),
    /// Part of the program.
    Bundled(&'static [u8]),
    /// Files of many models, one for each name below the folder.
    Folder(PathBuf),
    /// The same for objects below a prefix of S3, its slash included.
    Prefix(String),
    Container(ContainerSource),
}

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSource {
    /// Scheme, host and port.
    pub url: String,
    pub protocol: Protocol,
    /// Of a container of many models: what stands before a model's name where it is loaded from, its slash included.
    pub models: Option<String>,
}

impl ModelSource {
    /// Whether each request says which model it asks.
    pub fn is_many(&self) -> bool {
        matches!(
            self,
            Self::Folder(_) | Self::Prefix(_) | Self::Container(ContainerSource { models: Some(_), .. })
        )
    }
}
