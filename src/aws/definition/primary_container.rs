//! PrimaryContainer, in the words of CreateModel → which model answers, and our own variables of its Environment.

use std::path::Path;

use super::container_map::ContainerMap;
use super::location::{ContainerUrl, is_http};
use super::members::Members;
use super::model_data::ModelData;
use super::pattern;
use super::shape::{Absent, Choice, Text};
use crate::aws::service_model::OfShape;
use crate::config::{Kernel, SampledEstimator};
use crate::endpoints::{ContainerSource, ModelSource};
use crate::model::container::Protocol;
use crate::shap::Method;

const VARIABLE: Text = Text { chars: 0..=1024, pattern: pattern::ANY };
const IMAGE: Text = Text { chars: 0..=255, pattern: pattern::NO_BLANKS };
const KERNELS: Choice<Kernel> = Choice(&[("shapley", Kernel::Shapley), ("clarify", Kernel::Clarify)]);
const ESTIMATORS: Choice<SampledEstimator> = Choice(&[
    ("auto", SampledEstimator::Auto),
    ("kernel-shap", SampledEstimator::KernelShap),
    ("trend", SampledEstimator::Trend),
]);

/// Whether one container holds many models.
const MODES: Choice<bool> = Choice(&[("SingleModel", false), ("MultiModel", true)]);
const CONTAINER_URL: &str = "EXPLAIND_CONTAINER_URL";
const PROTOCOL: &str = "EXPLAIND_PROTOCOL";
const V2_MODEL: &str = "EXPLAIND_V2_MODEL";
const V2_OUTPUT: &str = "EXPLAIND_V2_OUTPUT";

/// The words for `Protocol`.
#[derive(Clone, Copy)]
enum Spoken {
    SageMaker,
    MlFlow,
    V2,
}

const PROTOCOLS: Choice<Spoken> =
    Choice(&[("sagemaker", Spoken::SageMaker), ("mlflow", Spoken::MlFlow), ("v2", Spoken::V2)]);
const MODEL_PATH: Text = Text { chars: 1..=256, pattern: pattern::MODEL_PATH };
const TENSOR_NAME: Text = Text { chars: 1..=256, pattern: pattern::LINE };

pub struct PrimaryContainer {
    pub model: ModelSource,
    kernel: Option<Kernel>,
    estimator: Option<SampledEstimator>,
}

impl PrimaryContainer {
    /// As its Environment says, else as the flags do.
    pub fn method(&self, flags: Method) -> Method {
        let Method { kernel, estimator } = flags;
        Method { kernel: self.kernel.unwrap_or(kernel), estimator: self.estimator.unwrap_or(estimator) }
    }
}

/// Paths are relative to `folder`.
pub fn read(container: &mut Members, folder: &Path, containers: &ContainerMap) -> Option<PrimaryContainer> {
    let image = container.take("Image", &IMAGE);
    let mapped = image.as_deref().filter(|image| !is_http(image)).and_then(|image| containers.url(image));
    let image_is_container = mapped.is_some() || image.is_some_and(|image| is_http(&image));
    let read_environment = |environment: &mut Members| read_environment(environment, image_is_container);
    let environment = container.structure("Environment", read_environment).unwrap_or_default();
    let has_many_models = container.take("Mode", &MODES).unwrap_or(false);
    let speaks_other = environment.protocol.as_ref().is_some_and(|protocol| *protocol != Protocol::SageMaker);
    if has_many_models && speaks_other {
        container.refuse("Mode", "Member must be SingleModel, unless EXPLAIND_PROTOCOL is sagemaker");
    }
    read_without_effect(container);
    let is_foreign = environment.names_container || image_is_container;
    let data = ModelData { folder, has_many_models, is_foreign };
    let location = data.read(container);
    let running = |(url, protocol)| {
        let prefix = |location: &String| data.models_prefix(location);
        let models = has_many_models.then(|| location.as_ref().map(prefix).unwrap_or_default());
        ModelSource::Container(ContainerSource { url, protocol, models })
    };
    // The first place that names a model wins; those behind it are for the hosted service.
    let model = if environment.names_container {
        environment.container_url.zip(environment.protocol).map(running)
    } else if image_is_container {
        mapped.or_else(|| container.take("Image", &ContainerUrl)).zip(environment.protocol).map(running)
    } else {
        if !container.has("ModelDataUrl") && !container.has("ModelDataSource") {
            let constraint = "Member must not be null, unless Environment.EXPLAIND_CONTAINER_URL or Image \
                              is the URL of a running container";
            container.refuse("ModelDataUrl", constraint);
        }
        location.and_then(|location| data.source(&location))
    };
    let Environment { kernel, estimator, .. } = environment;
    Some(PrimaryContainer { model: model?, kernel, estimator })
}

/// Members that scripts for the hosted service have: what could change an answer is refused, the rest has no effect.
fn read_without_effect(container: &mut Members) {
    for name in ["ContainerHostname", "ContainerMetricsConfig", "ImageConfig", "MultiModelConfig"] {
        container.take(name, &OfShape(name));
    }
    for name in ["ModelPackageName", "InferenceSpecificationName"] {
        container.take(name, &Absent("Member must be null: there is no registry of model packages here"));
    }
    container.take("AdditionalModelDataSources", &Absent("Member must be null: a model is one file"));
}

struct Environment {
    kernel: Option<Kernel>,
    estimator: Option<SampledEstimator>,
    names_container: bool,
    container_url: Option<String>,
    /// None where it was refused.
    protocol: Option<Protocol>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            kernel: None,
            estimator: None,
            names_container: false,
            container_url: None,
            protocol: Some(Protocol::default()),
        }
    }
}

/// Our own switches are checked; the model's variables are not ours to judge.
fn read_environment(environment: &mut Members, image_is_container: bool) -> Environment {
    environment.pass_over(
        |name| !name.starts_with("EXPLAIND_"),
        &VARIABLE,
        "Member must be a String of at most 1024 characters",
    );
    let names_container = environment.has(CONTAINER_URL);
    if environment.has(PROTOCOL) && !names_container && !image_is_container {
        let constraint =
            "Member must be null, unless EXPLAIND_CONTAINER_URL or Image is the URL of a running container";
        environment.refuse(PROTOCOL, constraint);
    }
    Environment {
        kernel: environment.take("EXPLAIND_KERNEL", &KERNELS),
        estimator: environment.take("EXPLAIND_ESTIMATOR", &ESTIMATORS),
        names_container,
        container_url: environment.take(CONTAINER_URL, &ContainerUrl),
        protocol: read_protocol(environment),
    }
}

fn read_protocol(environment: &mut Members) -> Option<Protocol> {
    let spoken = environment.take(PROTOCOL, &PROTOCOLS);
    let (model, output) = (environment.take(V2_MODEL, &MODEL_PATH), environment.take(V2_OUTPUT, &TENSOR_NAME));
    match spoken.or((!environment.has(PROTOCOL)).then_some(Spoken::SageMaker))? {
        Spoken::SageMaker => {
            refuse_v2(environment);
            Some(Protocol::SageMaker)
        }
        Spoken::MlFlow => {
            refuse_v2(environment);
            Some(Protocol::MlFlow)
        }
        Spoken::V2 => {
            if !environment.has(V2_MODEL) {
                environment.refuse(V2_MODEL, "Member must not be null when EXPLAIND_PROTOCOL is v2");
            }
            Some(Protocol::OpenInference { model: model?, output })
        }
    }
}

fn refuse_v2(environment: &mut Members) {
    for name in [V2_MODEL, V2_OUTPUT] {
        if environment.has(name) {
            environment.refuse(name, "Member must be null, unless EXPLAIND_PROTOCOL is v2");
        }
    }
}
