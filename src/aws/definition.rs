//! endpoint.json, in the words of CreateModel and CreateEndpointConfig → the setup of an endpoint.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::headers::EXPRESSION_CHARS_MAX;
use crate::config::Kernel;
use crate::endpoints::{Baseline, BaselineSource, ExplainerSetup, ModelSource, Setup, SetupError};
use crate::records::Format;
use crate::shap::Link;

/// The seed of endpoints that name none: repeated calls agree.
const DEFAULT_SEED: i64 = 0;
const NAME_CHARS_MAX: usize = 63;
const INLINE_BASELINE_CHARS_MAX: usize = 4096;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct Definition {
    endpoint_name: String,
    primary_container: Container,
    explainer_config: ExplainerConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct Container {
    model_data_url: String,
    #[serde(default)]
    mode: Mode,
    /// Stored by callers for the hosted service; an embedded model needs none.
    #[serde(default, rename = "Image")]
    _image: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
enum Mode {
    #[default]
    SingleModel,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct ExplainerConfig {
    clarify_explainer_config: ClarifyExplainerConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct ClarifyExplainerConfig {
    enable_explanations: Option<String>,
    #[serde(default)]
    inference_config: InferenceConfig,
    shap_config: ShapConfig,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct InferenceConfig {
    feature_headers: Option<Vec<String>>,
    label_headers: Option<Vec<String>>,
    /// For containers: an embedded model takes any number of records of any size.
    #[serde(rename = "MaxRecordCount")]
    _max_record_count: Option<u32>,
    #[serde(rename = "MaxPayloadInMB")]
    _max_payload_in_mb: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct ShapConfig {
    shap_baseline_config: ShapBaselineConfig,
    number_of_samples: Option<u64>,
    #[serde(default)]
    use_logit: bool,
    seed: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
struct ShapBaselineConfig {
    #[serde(default)]
    mime_type: BaselineMime,
    shap_baseline: String,
}

#[derive(Default, Deserialize)]
enum BaselineMime {
    #[default]
    #[serde(rename = "text/csv")]
    Csv,
}

#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("{path}: {reason}")]
    Json { path: String, reason: serde_json::Error },
    #[error("{path}: {value:?} {rule}")]
    Rule { path: &'static str, value: String, rule: String },
}

const ENVIRONMENT: &str = "PrimaryContainer.Environment";
const MODEL_DATA_URL: &str = "PrimaryContainer.ModelDataUrl";
const ENABLE_EXPLANATIONS: &str = "ExplainerConfig.ClarifyExplainerConfig.EnableExplanations";
const FEATURE_HEADERS: &str = "ExplainerConfig.ClarifyExplainerConfig.InferenceConfig.FeatureHeaders";
const LABEL_HEADERS: &str = "ExplainerConfig.ClarifyExplainerConfig.InferenceConfig.LabelHeaders";
const NUMBER_OF_SAMPLES: &str = "ExplainerConfig.ClarifyExplainerConfig.ShapConfig.NumberOfSamples";
const SHAP_BASELINE: &str = "ExplainerConfig.ClarifyExplainerConfig.ShapConfig.ShapBaselineConfig.ShapBaseline";

/// The member of a definition that a failed setup is about.
pub fn member(error: &SetupError) -> &'static str {
    match error {
        SetupError::ModelFile(_) | SetupError::Model { .. } => MODEL_DATA_URL,
        SetupError::BaselineTable(_) | SetupError::BaselineCell(_) | SetupError::Baseline(_) => SHAP_BASELINE,
        SetupError::Filter(_) => ENABLE_EXPLANATIONS,
        SetupError::FeatureHeaders { .. } => FEATURE_HEADERS,
        SetupError::LabelHeaders { .. } => LABEL_HEADERS,
        SetupError::Samples(_) => NUMBER_OF_SAMPLES,
    }
}

/// Reads a definition. A model's path is relative to `folder`; `kernel` serves where Environment names none.
pub fn read(json: &[u8], folder: &Path, kernel: Kernel) -> Result<Setup, DefinitionError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let definition: Definition = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| DefinitionError::Json { path: place(error.path()), reason: error.into_inner() })?;
    deserializer
        .end()
        .map_err(|reason| DefinitionError::Json { path: "after the definition".to_owned(), reason })?;
    definition.into_setup(folder, kernel)
}

/// The member, or words where the fault is in no member.
fn place(path: &serde_path_to_error::Path) -> String {
    if path.iter().next().is_none() { "the definition".to_owned() } else { path.to_string() }
}

impl Definition {
    fn into_setup(self, folder: &Path, kernel: Kernel) -> Result<Setup, DefinitionError> {
        let Self { endpoint_name, primary_container, explainer_config } = self;
        let ClarifyExplainerConfig { enable_explanations, inference_config, shap_config } =
            explainer_config.clarify_explainer_config;
        let Container { model_data_url, mode: Mode::SingleModel, environment, .. } = primary_container;
        let ShapBaselineConfig { mime_type: BaselineMime::Csv, shap_baseline } = shap_config.shap_baseline_config;
        check_name(&endpoint_name)?;
        check_chars(ENABLE_EXPLANATIONS, enable_explanations.as_deref(), EXPRESSION_CHARS_MAX)?;
        check_chars(SHAP_BASELINE, Some(&shap_baseline), INLINE_BASELINE_CHARS_MAX)?;
        if shap_config.number_of_samples == Some(0) {
            return Err(rule(NUMBER_OF_SAMPLES, "0", "is below the minimum of 1"));
        }
        Ok(Setup {
            name: endpoint_name,
            model: ModelSource::File(model_path(&model_data_url, folder)?),
            explainer: Some(ExplainerSetup {
                kernel: environment_kernel(&environment)?.unwrap_or(kernel),
                baseline: Baseline { source: BaselineSource::Inline(shap_baseline), format: Format::Csv },
                number_of_samples: shap_config.number_of_samples,
                seed: shap_config.seed.unwrap_or(DEFAULT_SEED),
                link: if shap_config.use_logit { Link::Logit } else { Link::Identity },
                filter: enable_explanations,
                features_attribute: None,
                content_template: None,
                max_record_count: None,
                max_payload_bytes: 6 << 20,
                probability_index: None,
                label_index: None,
                probability_attribute: None,
                label_attribute: None,
                feature_headers: inference_config.feature_headers,
                label_headers: inference_config.label_headers,
                feature_types: None,
                text: None,
                config: serde_json::Value::Null,
            }),
        })
    }
}

fn rule(path: &'static str, value: &str, rule: impl Into<String>) -> DefinitionError {
    DefinitionError::Rule { path, value: value.chars().take(80).collect(), rule: rule.into() }
}

/// `^[a-zA-Z0-9](-*[a-zA-Z0-9])*`, at most 63 characters.
fn check_name(name: &str) -> Result<(), DefinitionError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    let fits = name.len() <= NAME_CHARS_MAX
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
        && name.chars().all(|c| is_plain(c) || c == '-');
    let words = "must be 1 to 63 letters, digits and inner hyphens";
    if fits { Ok(()) } else { Err(rule("EndpointName", name, words)) }
}

fn check_chars(path: &'static str, text: Option<&str>, chars_max: usize) -> Result<(), DefinitionError> {
    match text.map(|text| (text, text.chars().count())) {
        Some((text, n)) if n == 0 || n > chars_max => {
            Err(rule(path, text, format!("has {n} characters; allowed are 1 to {chars_max}")))
        }
        _ => Ok(()),
    }
}

/// Plain paths and `file:` URLs; other schemes belong to backends that are not here.
fn model_path(url: &str, folder: &Path) -> Result<std::path::PathBuf, DefinitionError> {
    match url.split_once(':') {
        Some(("file", path)) => Ok(folder.join(path.strip_prefix("//").unwrap_or(path))),
        Some((scheme, _)) if scheme.len() > 1 => {
            Err(rule(MODEL_DATA_URL, url, "is not a local file: give a path relative to the definition, or file:"))
        }
        _ => Ok(folder.join(url)),
    }
}

/// Our own switches are checked; the model's variables are not ours to judge.
fn environment_kernel(environment: &BTreeMap<String, String>) -> Result<Option<Kernel>, DefinitionError> {
    let ours = |name: &&String| name.starts_with("EXPLAIND_") && *name != "EXPLAIND_KERNEL";
    if let Some(unknown) = environment.keys().find(ours) {
        return Err(rule(ENVIRONMENT, unknown, "is not known; known is EXPLAIND_KERNEL"));
    }
    let parse = |name: &String| {
        <Kernel as clap::ValueEnum>::from_str(name, false)
            .map_err(|_| rule(ENVIRONMENT, name, "is not a kernel; known are shapley and clarify"))
    };
    environment.get("EXPLAIND_KERNEL").map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(environment: &str, flag: Kernel) -> Kernel {
        let json = format!(
            r#"{{"EndpointName": "e", "PrimaryContainer": {{"ModelDataUrl": "m", "Environment": {environment}}},
                "ExplainerConfig": {{"ClarifyExplainerConfig": {{"ShapConfig":
                    {{"ShapBaselineConfig": {{"ShapBaseline": "0"}}}}}}}}}}"#
        );
        read(json.as_bytes(), Path::new("folder"), flag).expect("is a definition").explainer.expect("explains").kernel
    }

    #[test]
    fn the_environment_of_an_endpoint_wins_over_the_flag() {
        assert_eq!(kernel(r#"{"EXPLAIND_KERNEL": "clarify"}"#, Kernel::Shapley), Kernel::Clarify);
        assert_eq!(kernel(r#"{"EXPLAIND_KERNEL": "shapley"}"#, Kernel::Clarify), Kernel::Shapley);
        assert_eq!(kernel(r#"{"OTHER": "x"}"#, Kernel::Clarify), Kernel::Clarify);
    }

    #[test]
    fn model_paths_are_relative_to_the_definition_or_files() {
        let path = |url| model_path(url, Path::new("folder")).map(|path| path.display().to_string());
        assert_eq!(path("model.json").expect("a path"), "folder/model.json");
        assert_eq!(path("file:model.json").expect("a path"), "folder/model.json");
        assert_eq!(path("file:///models/m.json").expect("a path"), "/models/m.json");
        assert!(path("s3://bucket/m.json").is_err());
    }
}
