//! An endpoint as it would serve, to be asked step by step: opened and checked as for serving, but nothing computes
//! attributions. Knows neither what is asked nor what to make of it.

use std::sync::Arc;
use std::time::Instant;

use super::open::{LoadLimits, OpenedModel, SetupError, parts};
use super::setup::Setup;
use crate::explain::{ExplainError, Settings};
use crate::model::container::{Asked, ContainerModel, Exchange};
use crate::model::{Call, Model, ModelError, Predictions, Reply};
use crate::records::{CellError, Cutter, Format, Pieces, Table, TableError};
use crate::shap::{Design, DesignLimits, Link};

/// A model with all that is needed to ask it as its endpoint would. Its scores are not linked.
pub struct Probe {
    model: OpenedModel,
    settings: Settings,
    /// Of a record whose features all play.
    design: Design,
    limits: DesignLimits,
    pub n_features: usize,
    pub n_baseline_rows: usize,
    pub max_record_count: Option<usize>,
    /// Of the endpoint.
    pub link: Link,
}

impl Setup {
    /// None without an explainer. Refuses what `open` refuses.
    pub async fn probe(self, designs: DesignLimits, limits: &LoadLimits) -> Result<Option<Probe>, SetupError> {
        let Some(mut explainer) = self.explainer else { return Ok(None) };
        let link = std::mem::replace(&mut explainer.link, Link::Identity);
        let max_record_count = explainer.max_record_count;
        let parts = parts(&self.model, explainer, limits).await?;
        let (n_features, n_baseline_rows) = (parts.n_features, parts.n_baseline_rows);
        let design = parts.settings.usual_design(n_features, designs)?;
        let (model, settings) = (parts.model, parts.settings);
        let limits = designs;
        Ok(Some(Probe { model, settings, design, limits, n_features, n_baseline_rows, max_record_count, link }))
    }
}

impl Probe {
    /// None where the model is evaluated in this process.
    pub fn container(&self) -> Option<&ContainerModel> {
        match &self.model {
            OpenedModel::Container(container) => Some(container),
            OpenedModel::Files(_) => None,
        }
    }

    /// A client's payload as records.
    pub fn records(&self, payload: &[u8], format: Format, records_max: usize) -> Result<Table, TableError> {
        Table::read(payload, format, self.settings.features.as_deref(), records_max)
    }

    /// Pieces of such records, where some feature is a text. What does not fit is left to who predicts.
    pub fn pieces(&self, records: &Table) -> Result<Option<Arc<[Option<Pieces>]>>, CellError> {
        let cutter = self.cutter().filter(|cutter| cutter.fits(records));
        cutter.map(|cutter| cutter.cut_each(records).map(|pieces| pieces.map(Some)).collect()).transpose()
    }

    /// How texts play, where some feature is one.
    pub fn cutter(&self) -> Option<&Cutter> {
        self.settings.cutter.as_deref()
    }

    /// The scores of the client's own records; as many features as the baseline has columns.
    pub async fn own(&self, call: &Arc<Call>) -> Asked<Predictions> {
        let started = Instant::now();
        let unanswered = |error| Asked { exchanges: Vec::new(), took: started.elapsed(), read: Err(error) };
        match &self.model {
            OpenedModel::Container(container) => match container.probe(&call.message).await {
                Ok(probe) => probe.own(call).await,
                Err(error) => unanswered(error),
            },
            OpenedModel::Files(model) => match predicted(model.as_ref(), call).await {
                Ok(predictions) => answered(call, predictions, started),
                Err(error) => unanswered(error),
            },
        }
    }

    /// Indexes of the records that would be explained.
    pub fn selected(&self, predictions: &Predictions, n_records: usize) -> Result<Vec<usize>, ExplainError> {
        self.settings.selected(predictions, n_records)
    }

    /// Of one explained record whose features all play, with the baseline.
    pub fn n_synthetic_records(&self) -> usize {
        self.n_rows(self.design)
    }

    /// The same of a record whose pieces all play.
    pub fn n_synthetic_records_of(&self, record_idx: usize, pieces: &Pieces) -> Result<usize, ExplainError> {
        let refused = |reason| ExplainError::Design { record: record_idx + 1, n_units: pieces.n_units(), reason };
        Ok(self.n_rows(self.settings.design(pieces.len(), self.limits).map_err(refused)?))
    }

    fn n_rows(&self, design: Design) -> usize {
        (1 + 2 * design.n_pairs).saturating_mul(self.n_baseline_rows)
    }
}

async fn predicted(model: &dyn Model, call: &Arc<Call>) -> Result<Predictions, ModelError> {
    model.predictor(&call.message).await?.predict(call).await
}

/// What a model in the process was asked and said.
fn answered(call: &Call, predictions: Predictions, started: Instant) -> Asked<Predictions> {
    let took = started.elapsed();
    let body = predictions.text.clone().into();
    let content_type = Some(predictions.content_type.clone());
    let reply = Reply { body, content_type, custom_attributes: None, took };
    let exchange = Exchange { sent: call.message.clone(), reply: Some(reply) };
    Asked { exchanges: vec![exchange], took, read: Ok(predictions) }
}
