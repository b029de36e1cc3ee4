//! PrimaryContainer, in the words of CreateModel → which model answers, and our own variables of its Environment.

use std::path::Path;

use super::location::{ContainerUrl, is_http, local_path};
use super::members::Members;
use super::pattern;
use super::shape::{Choice, Text};
use crate::config::Kernel;
use crate::endpoints::{ContainerSource, ModelSource};
use crate::model::container::Protocol;

const VARIABLE: Text = Text { chars: 0..=1024, pattern: pattern::ANY };
const IMAGE: Text = Text { chars: 0..=255, pattern: pattern::NO_BLANKS };
const MODEL_DATA_URL: Text = Text { chars: 1..=1024, pattern: pattern::ANY };
const KERNELS: Choice<Kernel> = Choice(&[("shapley", Kernel::Shapley), ("clarify", Kernel::Clarify)]);

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
    pub kernel: Option<Kernel>,
}

/// Paths are relative to `folder`.
pub fn read(container: &mut Members, folder: &Path) -> Option<PrimaryContainer> {
    let image = container.take("Image", &IMAGE).filter(|image| is_http(image));
    let read_environment = |environment: &mut Members| read_environment(environment, image.is_some());
    let environment = container.structure("Environment", read_environment).unwrap_or_default();
    if container.take("Mode", &MODES) == Some(true) {
        container.refuse("Mode", "Member must be SingleModel: multi-model endpoints are not supported");
    }
    let location = container.take("ModelDataUrl", &MODEL_DATA_URL);
    // The first place that names a model wins; those behind it are for the hosted service.
    let model = if environment.names_container {
        environment.container_url.zip(environment.protocol).map(running)
    } else if image.is_some() {
        container.take("Image", &ContainerUrl).zip(environment.protocol).map(running)
    } else {
        model_file(container, location, folder)
    };
    Some(PrimaryContainer { model: model?, kernel: environment.kernel })
}

fn running((url, protocol): (String, Protocol)) -> ModelSource {
    ModelSource::Container(ContainerSource { url, protocol, models: None })
}

struct Environment {
    kernel: Option<Kernel>,
    names_container: bool,
    container_url: Option<String>,
    /// None where it was refused.
    protocol: Option<Protocol>,
}

impl Default for Environment {
    fn default() -> Self {
        Self { kernel: None, names_container: false, container_url: None, protocol: Some(Protocol::default()) }
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
        names_container,
        container_url: environment.take(CONTAINER_URL, &ContainerUrl),
        protocol: read_protocol(environment),
    }
}

fn read_protocol(environment: &mut Members) -> Option<Protocol> {
    let (model, output) = (environment.take(V2_MODEL, &MODEL_PATH), environment.take(V2_OUTPUT, &TENSOR_NAME));
    let spoken = environment.take(PROTOCOL, &PROTOCOLS);
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

fn model_file(container: &mut Members, location: Option<String>, folder: &Path) -> Option<ModelSource> {
    if !container.has("ModelDataUrl") {
        let constraint = "Member must not be null, unless Environment.EXPLAIND_CONTAINER_URL or Image \
                          is the URL of a running container";
        container.refuse("ModelDataUrl", constraint);
    }
    let path = local_path(&location?, folder);
    if path.is_none() {
        let constraint = "Member must be a local file: a path relative to the definition, or file:";
        container.refuse("ModelDataUrl", constraint);
    }
    path.map(ModelSource::File)
}
