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

pub struct PrimaryContainer {
    pub model: ModelSource,
    pub kernel: Option<Kernel>,
}

/// Paths are relative to `folder`.
pub fn read(container: &mut Members, folder: &Path) -> Option<PrimaryContainer> {
    let environment = container.structure("Environment", read_environment).unwrap_or_default();
    if container.take("Mode", &MODES) == Some(true) {
        container.refuse("Mode", "Member must be SingleModel: multi-model endpoints are not supported");
    }
    let image = container.take("Image", &IMAGE);
    let location = container.take("ModelDataUrl", &MODEL_DATA_URL);
    // The first place that names a model wins; those behind it are for the hosted service.
    let model = if environment.names_container {
        environment.container_url.map(running)
    } else if image.is_some_and(|image| is_http(&image)) {
        container.take("Image", &ContainerUrl).map(running)
    } else {
        model_file(container, location, folder)
    };
    Some(PrimaryContainer { model: model?, kernel: environment.kernel })
}

fn running(url: String) -> ModelSource {
    ModelSource::Container(ContainerSource { url, protocol: Protocol::SageMaker, models: None })
}

#[derive(Default)]
struct Environment {
    kernel: Option<Kernel>,
    names_container: bool,
    container_url: Option<String>,
}

/// Our own switches are checked; the model's variables are not ours to judge.
fn read_environment(environment: &mut Members) -> Environment {
    environment.pass_over(
        |name| !name.starts_with("EXPLAIND_"),
        &VARIABLE,
        "Member must be a String of at most 1024 characters",
    );
    Environment {
        kernel: environment.take("EXPLAIND_KERNEL", &KERNELS),
        names_container: environment.has(CONTAINER_URL),
        container_url: environment.take(CONTAINER_URL, &ContainerUrl),
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
