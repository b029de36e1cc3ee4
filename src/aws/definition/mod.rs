//! endpoint.json, in the words of CreateModel and CreateEndpointConfig → the setup of an endpoint.

mod amendment;
mod container_map;
mod explainer_config;
pub(super) mod json;
mod location;
pub(super) mod members;
mod model_data;
pub(super) mod pattern;
mod primary_container;
pub(super) mod shape;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Map, Value};

pub use amendment::{Amendment, Place};

use super::fault::Faults;
use crate::endpoints::{Setup, SetupError};
use crate::shap::{DesignError, Method};
pub use container_map::{ContainerMap, ContainerMapError, Defaults};
use members::Members;
use shape::Text;

const ENDPOINT_NAME: Text = Text { chars: 0..=63, pattern: pattern::ENDPOINT_NAME };

/// The path of a member of ClarifyExplainerConfig.
macro_rules! in_clarify {
    ($member:literal) => {
        concat!("ExplainerConfig.ClarifyExplainerConfig.", $member)
    };
}

#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("the definition does not read: {reason}")]
    Json { reason: serde_json::Error },
    #[error(transparent)]
    Faults(#[from] Faults),
}

/// The member of a definition that a failed setup is about.
pub fn member(error: &SetupError) -> &'static str {
    match error {
        SetupError::ModelFile(_)
        | SetupError::Model { .. }
        | SetupError::ModelFolder { .. }
        | SetupError::ModelReach { .. } => "PrimaryContainer.ModelDataUrl",
        SetupError::Container { .. } | SetupError::ContainerReach(_) => "PrimaryContainer",
        SetupError::BaselineFile(_) => in_clarify!("ShapConfig.ShapBaselineConfig.ShapBaselineUri"),
        SetupError::BaselineTable(_) | SetupError::BaselineCell(_) | SetupError::Baseline(_) => {
            in_clarify!("ShapConfig.ShapBaselineConfig")
        }
        SetupError::Filter(_) => in_clarify!("EnableExplanations"),
        SetupError::FeaturesAttribute(_) => in_clarify!("InferenceConfig.FeaturesAttribute"),
        SetupError::ContentTemplate(_) | SetupError::ContentTemplateUnused { .. } => {
            in_clarify!("InferenceConfig.ContentTemplate")
        }
        SetupError::FeatureHeaders { .. } => in_clarify!("InferenceConfig.FeatureHeaders"),
        SetupError::FeatureTypes { .. } => in_clarify!("InferenceConfig.FeatureTypes"),
        SetupError::LabelHeaders { .. } => in_clarify!("InferenceConfig.LabelHeaders"),
        SetupError::Text { .. } => in_clarify!("ShapConfig.TextConfig"),
        SetupError::ProbabilityIndex { .. } => in_clarify!("InferenceConfig.ProbabilityIndex"),
        SetupError::LabelIndex { .. } => in_clarify!("InferenceConfig.LabelIndex"),
        SetupError::ProbabilityAttribute(_) => in_clarify!("InferenceConfig.ProbabilityAttribute"),
        SetupError::LabelAttribute(_) => in_clarify!("InferenceConfig.LabelAttribute"),
        SetupError::Samples(DesignError::TrendKernel(_)) => "PrimaryContainer.Environment.EXPLAIND_ESTIMATOR",
        SetupError::Samples(_) => in_clarify!("ShapConfig.NumberOfSamples"),
    }
}

/// Reads a definition. Paths are relative to `folder`; `defaults` serve where it names none.
pub fn read(json: &[u8], folder: &Path, defaults: impl Into<Defaults>) -> Result<Setup, DefinitionError> {
    let values = json::read_object(json).map_err(|reason| DefinitionError::Json { reason })?;
    Ok(read_values(&values, folder, &defaults.into())?)
}

/// One whose JSON has been read.
pub fn read_values(values: &Map<String, Value>, folder: &Path, defaults: &Defaults) -> Result<Setup, Faults> {
    members::read(values, |definition| read_setup(definition, folder, defaults))
}

/// What can be said of an ExplainerConfig without its model.
pub fn check_explainer(config: &Value) -> Result<(), Faults> {
    let values = Map::from_iter([("ExplainerConfig".to_owned(), config.clone())]);
    members::read(&values, |definition| {
        let read = |part: &mut Members| explainer_config::read(part, Method::default(), Path::new(""));
        definition.structure("ExplainerConfig", read)
    })
    .map(drop)
}

fn read_setup(definition: &mut Members, folder: &Path, defaults: &Defaults) -> Option<Setup> {
    definition.require("EndpointName");
    definition.require("PrimaryContainer");
    let name = definition.take("EndpointName", &ENDPOINT_NAME);
    let read_container = |part: &mut Members| primary_container::read(part, folder, &defaults.containers);
    let container = definition.structure("PrimaryContainer", read_container).flatten();
    let method = container.as_ref().map_or(defaults.method, |container| container.method(defaults.method));
    let read_config = |part: &mut Members| explainer_config::read(part, method, folder);
    let explainer = definition.structure("ExplainerConfig", read_config).flatten();
    Some(Setup { name: name?, model: container?.model, explainer })
}
