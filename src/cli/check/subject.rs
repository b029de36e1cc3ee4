//! The endpoint that is checked: its definition opened as for serving, the same with a remedy, and what its model is
//! asked. Shows nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use ndarray::Array2;
use serde_json::Value;

use super::input::Records;
use crate::aws::advice::{self, Doubt, Remedy};
use crate::aws::definition::{self, Defaults};
use crate::cli::serve;
use crate::endpoints::{ContainerSource, LoadLimits, ModelSource, Probe, Setup};
use crate::explain::ExplainError;
use crate::fetch::{self, read_file};
use crate::model::container::{Asked, BatchLimits, BatchRow, ContainerError, Exchange, Protocol};
use crate::model::{ModelError, Predictions};
use crate::records::Format;
use crate::shap::DesignLimits;

/// Records of a batch where the endpoint names no MaxRecordCount.
const BATCH_ROWS: usize = 100;
const BATCH_ROWS_MAX: usize = 10_000;

/// Opens definitions of one file.
pub(super) struct Opener {
    pub(super) path: PathBuf,
    defaults: Defaults,
    design: DesignLimits,
    limits: LoadLimits,
}

/// An endpoint that is open, and what its clients accept.
pub(super) struct Subject {
    definition: Value,
    accept: Option<String>,
    wait: Duration,
    pub(super) name: String,
    /// Where its answers come from.
    pub(super) place: String,
    has_label_headers: bool,
    pub(super) probe: Probe,
}

/// A client's own records, asked.
pub(super) struct Own {
    pub(super) n_records: usize,
    pub(super) took: Duration,
    pub(super) exchange: Option<Exchange>,
    pub(super) outcome: Result<Predictions, String>,
    /// Of the records that would be explained.
    pub(super) n_selected: usize,
    /// What may mend the outcome.
    pub(super) remedies: Vec<Remedy>,
}

/// Synthetic records, asked in one request, and as serving does it when that is refused.
pub(super) struct Batched {
    pub(super) rows: Vec<BatchRow>,
    pub(super) together: Asked<Array2<f64>>,
    pub(super) with_remedies: Option<Asked<Array2<f64>>>,
    /// What one request may hold after it.
    pub(super) limits: BatchLimits,
}

impl Opener {
    pub(super) fn new(path: PathBuf, defaults: Defaults, design: DesignLimits, limits: LoadLimits) -> Self {
        Self { path, defaults, design, limits }
    }

    /// What the file says.
    pub(super) async fn open(&self, accept: Option<String>, has_target: bool) -> anyhow::Result<Subject> {
        let json = read_file(&self.path, serve::DEFINITION_BYTES_MAX)?;
        let setup = self.read(&json)?;
        check_target(&setup, has_target)?;
        self.subject(serde_json::from_slice(&json)?, setup, accept).await
    }

    /// The same with a remedy; none where it does not open.
    pub(super) async fn mended(&self, subject: &Subject, remedy: &Remedy) -> Option<Subject> {
        let (definition, accept) = match remedy {
            Remedy::Amend(amendment) => (amendment.apply(subject.definition.clone()), subject.accept.clone()),
            Remedy::Accept(format) => (subject.definition.clone(), Some(format.mime().to_owned())),
        };
        let setup = self.read(definition.to_string().as_bytes()).ok()?;
        self.subject(definition, setup, accept).await.ok()
    }

    fn read(&self, json: &[u8]) -> anyhow::Result<Setup> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        Ok(definition::read(json, folder, self.defaults.clone())?)
    }

    async fn subject(&self, definition: Value, setup: Setup, accept: Option<String>) -> anyhow::Result<Subject> {
        let (name, place) = (setup.name.clone(), place(&setup.model));
        let explainer = setup.explainer.as_ref();
        let has_label_headers = explainer.is_some_and(|explainer| explainer.label_headers.is_some());
        let Some(probe) = setup.probe(self.design, &self.limits).await.map_err(serve::in_member)? else {
            bail!("the endpoint has no ExplainerConfig: it answers what its model answers and explains nothing");
        };
        let wait = Duration::from_millis(self.limits.containers.container_answer_ms);
        Ok(Subject { definition, accept, wait, name, place, has_label_headers, probe })
    }
}

fn check_target(setup: &Setup, has_target: bool) -> anyhow::Result<()> {
    match (setup.model.is_many(), has_target) {
        (true, false) => bail!("the endpoint has many models: --target-model must name one"),
        (false, true) => bail!("the endpoint has one model: --target-model has nothing to choose from"),
        _ => Ok(()),
    }
}

fn place(model: &ModelSource) -> String {
    let name = |path: &Path| path.display().to_string();
    match model {
        ModelSource::File(path) => format!("the model file {}", name(path)),
        ModelSource::Remote(location) => format!("the model file {}", fetch::shown(location)),
        ModelSource::Bundled(_) => "the bundled model".to_owned(),
        ModelSource::Folder(path) => format!("the model files in {}", name(path)),
        ModelSource::Prefix(prefix) => format!("the model files in {prefix}"),
        ModelSource::Container(ContainerSource { url, models: Some(_), .. }) => {
            format!("many models in the container at {url}")
        }
        ModelSource::Container(ContainerSource { url, protocol: Protocol::SageMaker, .. }) => {
            format!("the container at {url}")
        }
        ModelSource::Container(ContainerSource { url, protocol, .. }) => {
            format!("the container at {url}, protocol {}", protocol.name())
        }
    }
}

impl Subject {
    /// The first records of the file in one request, as a client sends them.
    pub(super) async fn own(&self, records: &Records, n_records: usize) -> anyhow::Result<Own> {
        let call = records.call(&self.probe, n_records, self.accept.as_deref(), self.wait)?;
        let Asked { exchanges, took, read } = self.probe.own(&call).await;
        let exchange = exchanges.into_iter().next();
        let selected = read.map_err(ExplainError::from).and_then(|predictions| {
            let selected = self.probe.selected(&predictions, n_records)?;
            Ok((predictions, selected.len()))
        });
        let reply = exchange.as_ref().and_then(|exchange| exchange.reply.as_ref());
        let remedies = selected.as_ref().err().map(|error| advice::for_answer(error, reply, n_records));
        let n_selected = selected.as_ref().map_or(0, |(_, n_selected)| *n_selected);
        let outcome = selected.map(|(predictions, _)| predictions).map_err(|error| told(&error));
        Ok(Own { n_records, took, exchange, outcome, n_selected, remedies: remedies.unwrap_or_default() })
    }

    /// What reads and may be meant otherwise. A model file's answers are known.
    pub(super) fn doubt(&self, own: &Predictions, n_records: usize) -> Option<Doubt> {
        self.probe.container()?;
        let has_labels = self.has_label_headers || own.labels.is_some();
        advice::doubt(&own.text, own.format, n_records, own.values.ncols(), has_labels)
    }

    /// Synthetic records; the inner error is that of a batch that could not be written.
    pub(super) async fn batch(
        &self,
        records: &Records,
        like: &Predictions,
    ) -> anyhow::Result<Result<Batched, ModelError>> {
        let container = self.probe.container().expect("only containers get batches. This is a bug.");
        let n_rows = self.probe.max_record_count.unwrap_or(BATCH_ROWS).min(BATCH_ROWS_MAX);
        let n_records = records.lines.len().min(n_rows);
        let call = records.call(&self.probe, n_records, self.accept.as_deref(), self.wait)?;
        let batched = async {
            let probe = container.probe(&call.message).await?;
            let batch = probe.batch(&call, like, n_rows)?;
            let (rows, together) = (batch.rows.clone(), batch.together().await);
            let with_remedies = match &together.read {
                Err(_) if rows.len() > 1 => Some(batch.with_remedies().await),
                _ => None,
            };
            Ok(Batched { rows, together, with_remedies, limits: probe.limits() })
        };
        Ok(batched.await)
    }

    /// What may mend a batch that failed as a whole and in parts, or was not even written.
    pub(super) fn remedies_of_batch(&self, records: &Records) -> Vec<Remedy> {
        let templates = match (records.format(), records.lines.first()) {
            (Format::JsonLines, Some(line)) => advice::for_template(line, self.probe.n_features),
            _ => Vec::new(),
        };
        templates.into_iter().map(Remedy::Amend).collect()
    }
}

impl Batched {
    /// The scores of all rows, however they were got.
    pub(super) fn scores(&self) -> Option<&Array2<f64>> {
        let remedied = || self.with_remedies.as_ref().and_then(|asked| asked.read.as_ref().ok());
        self.together.read.as_ref().ok().or_else(remedied)
    }

    /// What spares serving the request that was refused, and the records of a request that was not.
    pub(super) fn spare(&self) -> Option<(Remedy, usize)> {
        let asked = self.with_remedies.as_ref().filter(|asked| asked.read.is_ok())?;
        if self.limits.rows_max == 1 {
            return Some((Remedy::Amend(advice::for_single_records()), 1));
        }
        let bytes = |exchange: &Exchange| exchange.sent.payload.len();
        let whole = self.together.exchanges.iter().map(bytes).max()?;
        let taken: Vec<usize> =
            asked.exchanges.iter().filter(|exchange| exchange.reply.is_some()).map(bytes).collect();
        let largest = taken.iter().copied().max()?;
        let n_rows = (self.rows.len() / taken.len()).max(1);
        Some((Remedy::Amend(advice::for_size(self.rows.len(), whole, largest)), n_rows))
    }
}

/// What a container refused, with its status.
pub(super) fn told(error: &ExplainError) -> String {
    match error {
        ExplainError::Model(error) => told_of_model(error),
        error => error.to_string(),
    }
}

pub(super) fn told_of_model(error: &ModelError) -> String {
    match error {
        ModelError::Container(ContainerError::Refused { status, message }) if message.is_empty() => {
            format!("the container refused with status {status}")
        }
        ModelError::Container(ContainerError::Refused { status, message }) => {
            format!("the container refused with status {status}: {message}")
        }
        error => error.to_string(),
    }
}
