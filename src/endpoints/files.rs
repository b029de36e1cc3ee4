//! Model files of an endpoint, one or many below a folder → models that fit its baseline and its configuration.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::open::{AttributeError, LoadLimits, SetupError};
use super::setup::{ExplainerSetup, ModelSource};
use crate::explain::labels_fit;
use crate::fetch::{check_folder, fetch, fetch_file, shown};
use crate::model::embedded::{Embedded, EmbeddedForward, Folder, FolderLimits, Misfit, Place, Scorer};
use crate::model::{Forward, Model, ModelError};
use crate::offload::offload;
use crate::records::{CellError, Table, Template};
use crate::shap::Link;

pub(super) const MODEL_FILE_ANSWERS: &str =
    "it answers with all scores of a record in a line, or with {\"score\": ...}, and no labels";

/// Models with a game in which `texts` are features that play in units.
pub(super) async fn model(
    source: &ModelSource,
    setup: &ExplainerSetup,
    texts: Vec<usize>,
    baseline: Table,
    limits: &LoadLimits,
) -> Result<Arc<dyn Model>, SetupError> {
    check_words(setup)?;
    let frame = Frame {
        baseline: Arc::new(baseline),
        texts,
        link: setup.link,
        n_label_headers: setup.label_headers.as_ref().map(Vec::len),
        probability_index: setup.probability_index,
    };
    Ok(match place(source, limits).await? {
        Some(place) => Arc::new(folder(place, limits, move |scorer| Ok(frame.fit(scorer)?))),
        None => {
            let scorer = load(source, limits).await?;
            Arc::new(offload(move |_| frame.fit(scorer)).await?)
        }
    })
}

/// Models without one.
pub(super) async fn forward(
    source: &ModelSource,
    records_max: usize,
    limits: &LoadLimits,
) -> Result<Arc<dyn Forward>, SetupError> {
    let forward = move |scorer| EmbeddedForward::new(scorer, records_max);
    Ok(match place(source, limits).await? {
        Some(place) => Arc::new(folder(place, limits, move |scorer| Ok(forward(scorer)))),
        None => Arc::new(forward(load(source, limits).await?)),
    })
}

/// Of many models; none where there is one.
async fn place(source: &ModelSource, limits: &LoadLimits) -> Result<Option<Place>, SetupError> {
    match source {
        ModelSource::Folder(path) => {
            let (path, reach) = (path.clone(), limits.reach.clone());
            offload(move |_| {
                let shown = || path.display().to_string();
                let within =
                    reach.folder(&path).map_err(|reason| SetupError::ModelReach { place: shown(), reason })?;
                let place = Place::folder(&within);
                place.map(Some).map_err(|reason| SetupError::ModelFolder { path: shown(), reason })
            })
            .await
        }
        ModelSource::Prefix(prefix) => {
            check_folder(prefix, &limits.reach).map_err(SetupError::ModelFile)?;
            Ok(Some(Place::prefix(prefix.clone(), limits.reach.clone())))
        }
        _ => Ok(None),
    }
}

fn folder<M: Clone + Send + Sync + 'static>(
    place: Place,
    limits: &LoadLimits,
    fit: impl Fn(Scorer) -> Result<M, Misfit> + Send + Sync + 'static,
) -> Folder<M> {
    let folder_limits = FolderLimits {
        model_bytes_max: limits.model_bytes_max,
        models_bytes_max: limits.containers.models_mib_max << 20,
        load_wait: Duration::from_millis(limits.containers.model_load_ms),
    };
    Folder::new(place, folder_limits, fit)
}

/// One file, read off the async threads.
async fn load(source: &ModelSource, limits: &LoadLimits) -> Result<Scorer, SetupError> {
    let bytes_max = limits.model_bytes_max;
    let (name, bytes) = match source {
        ModelSource::File(path) => {
            (path.display().to_string(), fetch_file(path, bytes_max, &limits.reach).await.map(Cow::Owned))
        }
        ModelSource::Remote(location) => {
            (shown(location), fetch(location, bytes_max, &limits.reach).await.map(Cow::Owned))
        }
        ModelSource::Bundled(bytes) => ("the bundled model".to_owned(), Ok(Cow::Borrowed(*bytes))),
        ModelSource::Folder(_) | ModelSource::Prefix(_) | ModelSource::Container(_) => {
            panic!("this is no file. This is a bug.")
        }
    };
    let bytes = bytes.map_err(SetupError::ModelFile)?;
    let scorer = offload(move |_| Scorer::read(&bytes, bytes_max)).await;
    scorer.map_err(|reason| SetupError::Model { name, reason })
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
    baseline: Arc<Table>,
    /// Features that play in units.
    texts: Vec<usize>,
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
    #[error("feature {feature} is a text that plays in units, and the model reads no text there")]
    Text { feature: usize },
    #[error("of the baseline: {0}")]
    Baseline(ModelError),
    #[error("of the baseline: {0}")]
    BaselineCell(CellError),
}

impl From<ModelError> for MisfitError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cell(error) => Self::BaselineCell(error),
            error => Self::Baseline(error),
        }
    }
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
        if let Some(feature) = self.texts.iter().find(|&&feature| !scorer.reads_text(feature)) {
            return Err(MisfitError::Text { feature: feature + 1 });
        }
        Ok(Embedded::new(scorer, &self.baseline, self.link)?)
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
            MisfitError::Text { feature } => Self::Text { feature },
            MisfitError::Baseline(error) => Self::Baseline(error),
            MisfitError::BaselineCell(error) => Self::BaselineCell(error),
        }
    }
}
