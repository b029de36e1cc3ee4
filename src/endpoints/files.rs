//! Model files of an endpoint, one or a folder of many → models that fit its baseline and its configuration.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::open::{AttributeError, LoadLimits, SetupError};
use super::setup::{ExplainerSetup, ModelSource};
use crate::explain::labels_fit;
use crate::fetch::read_file;
use crate::model::embedded::{Embedded, EmbeddedForward, Folder, FolderLimits, Misfit, Scorer};
use crate::model::{Forward, Model, ModelError};
use crate::records::{CellError, Table, Template};
use crate::shap::Link;

pub(super) const MODEL_FILE_ANSWERS: &str =
    "it answers with all scores of a record in a line, or with {\"score\": ...}, and no labels";

/// Models with a game.
pub(super) fn model(
    source: &ModelSource,
    setup: &ExplainerSetup,
    baseline: Table,
    limits: &LoadLimits,
) -> Result<Arc<dyn Model>, SetupError> {
    check_words(setup)?;
    let frame = Frame {
        baseline,
        link: setup.link,
        n_label_headers: setup.label_headers.as_ref().map(Vec::len),
        probability_index: setup.probability_index,
    };
    Ok(match source {
        ModelSource::Folder(path) => Arc::new(folder(path, limits, move |scorer| Ok(frame.fit(scorer)?))?),
        file => Arc::new(frame.fit(load(file, limits)?)?),
    })
}

/// Models without one.
pub(super) fn forward(
    source: &ModelSource,
    records_max: usize,
    limits: &LoadLimits,
) -> Result<Arc<dyn Forward>, SetupError> {
    let forward = move |scorer| EmbeddedForward::new(scorer, records_max);
    Ok(match source {
        ModelSource::Folder(path) => Arc::new(folder(path, limits, move |scorer| Ok(forward(scorer)))?),
        file => Arc::new(forward(load(file, limits)?)),
    })
}

fn folder<M: Clone + Send + Sync + 'static>(
    path: &Path,
    limits: &LoadLimits,
    fit: impl Fn(Scorer) -> Result<M, Misfit> + Send + Sync + 'static,
) -> Result<Folder<M>, SetupError> {
    let folder_limits = FolderLimits {
        model_bytes_max: limits.model_bytes_max,
        models_bytes_max: limits.containers.models_mib_max << 20,
        load_wait: Duration::from_millis(limits.containers.model_load_ms),
    };
    Folder::open(path, folder_limits, fit)
        .map_err(|reason| SetupError::ModelFolder { path: path.display().to_string(), reason })
}

fn load(source: &ModelSource, limits: &LoadLimits) -> Result<Scorer, SetupError> {
    let read = |name: String, bytes: &[u8]| {
        let scorer = Scorer::read(bytes, limits.model_bytes_max);
        scorer.map_err(|reason| SetupError::Model { name, reason })
    };
    match source {
        ModelSource::File(path) => {
            let bytes = read_file(path, limits.model_bytes_max).map_err(SetupError::ModelFile)?;
            read(path.display().to_string(), &bytes)
        }
        ModelSource::Bundled(bytes) => read("the bundled model".to_owned(), bytes),
        ModelSource::Folder(_) | ModelSource::Container(_) => panic!("this is no file. This is a bug."),
    }
}

/// What says how answers are read must fit the answers of any model file: one line of scores, or `{"score": ...}`.
fn check_words(setup: &ExplainerSetup) -> Result<(), SetupError> {
    // Without use here, but not without sense.
    setup.content_template.as_deref().map(Template::compile).transpose()?;
    let does_not_fit = |text: &String| AttributeError::ModelFile(text.clone());
    match setup {
        ExplainerSetup { probability_index: Some(index @ 1..), .. } => {
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

/// What each model of an endpoint must fit.
struct Frame {
    baseline: Table,
    link: Link,
    n_label_headers: Option<usize>,
    probability_index: Option<usize>,
}

#[derive(Debug, thiserror::Error)]
enum MisfitError {
    #[error("it takes {expected} features, and the baseline has {got}")]
    Width { got: usize, expected: usize },
    #[error("{got} LabelHeaders for {expected} outputs")]
    LabelHeaders { got: usize, expected: usize },
    #[error("ProbabilityIndex {index} for {n_outputs} outputs: {MODEL_FILE_ANSWERS}")]
    ProbabilityIndex { index: usize, n_outputs: usize },
    #[error("of the baseline: {0}")]
    Baseline(#[from] ModelError),
    #[error("of the baseline: {0}")]
    BaselineCell(#[from] CellError),
}

impl Frame {
    fn fit(&self, scorer: Scorer) -> Result<Embedded, MisfitError> {
        let (got, expected, n_outputs) = (self.baseline.n_columns(), scorer.n_features(), scorer.n_outputs());
        if got != expected {
            return Err(MisfitError::Width { got, expected });
        }
        if let Some(got) = self.n_label_headers.filter(|&got| !labels_fit(got, n_outputs)) {
            return Err(MisfitError::LabelHeaders { got, expected: n_outputs });
        }
        if let Some(index) = self.probability_index.filter(|_| n_outputs > 1) {
            return Err(MisfitError::ProbabilityIndex { index, n_outputs });
        }
        let baseline = scorer.encode(&self.baseline)?.into_shared();
        Ok(Embedded::new(scorer, baseline, self.link)?)
    }
}

/// Of the one model of an endpoint.
impl From<MisfitError> for SetupError {
    fn from(error: MisfitError) -> Self {
        match error {
            MisfitError::Width { got, expected } => {
                Self::Baseline(ModelError::Width { record: 1, n_columns: got, expected })
            }
            MisfitError::LabelHeaders { got, expected } => Self::LabelHeaders { got, expected },
            MisfitError::ProbabilityIndex { index, .. } => Self::ProbabilityIndex { index },
            MisfitError::Baseline(error) => Self::Baseline(error),
            MisfitError::BaselineCell(error) => Self::BaselineCell(error),
        }
    }
}
