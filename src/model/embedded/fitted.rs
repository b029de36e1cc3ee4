//! A model of a file with the baseline and the link of its endpoint, of whichever kind it is.

use std::sync::Arc;

use futures_util::FutureExt;

use super::file_model::FileModel;
use super::form_predictor::FormPredictor;
use super::scorer::Scorer;
use super::text::TextPredictor;
use crate::model::{Answer, Message, Model, ModelError, Predictor};
use crate::records::Table;
use crate::shap::Link;

/// A model in the process that can be explained.
#[derive(Clone)]
pub struct Embedded(Arc<dyn Predictor>);

impl Embedded {
    /// The baseline has at least one row.
    pub fn new(scorer: Scorer, baseline: &Arc<Table>, link: Link) -> Result<Self, ModelError> {
        let (n_columns, expected) = (baseline.n_columns(), scorer.n_features());
        if n_columns != expected {
            return Err(ModelError::Width { record: 1, n_columns, expected });
        }
        Ok(Self(match scorer.model.clone() {
            FileModel::Form(form) => {
                let baseline = scorer.encode(baseline)?.into_shared();
                Arc::new(FormPredictor::new(scorer, form, baseline, link)?)
            }
            FileModel::Text(model) => Arc::new(TextPredictor::new(scorer, model, baseline, link)?),
        }))
    }

    pub(super) fn into_predictor(self) -> Arc<dyn Predictor> {
        self.0
    }
}

impl Model for Embedded {
    fn predictor<'a>(&'a self, _: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        std::future::ready(Ok(Arc::clone(&self.0))).boxed()
    }
}
