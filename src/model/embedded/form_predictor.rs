//! A form behind the `Predictor` seam: it scores the client's records, and shows the function of its games.

use std::sync::Arc;

use futures_util::FutureExt;
use ndarray::ArcArray2;

use super::scorer::Scorer;
use crate::form::{Form, ValueFunction};
use crate::model::{Answer, Call, Identity, LinkedValue, ModelError, Predictions, Predictor, Valuation};
use crate::offload::offload;
use crate::shap::Link;

/// A form with its baseline and link.
#[derive(Clone)]
pub(super) struct FormPredictor(Arc<Inner>);

struct Inner {
    scorer: Scorer,
    function: Arc<ValueFunction>,
    null_value: LinkedValue,
}

impl FormPredictor {
    /// The form is the scorer's; `baseline` is `[n_baseline_rows × n_features]`, at least one row.
    pub(super) fn new(
        scorer: Scorer,
        form: Arc<Form>,
        baseline: ArcArray2<f32>,
        link: Link,
    ) -> Result<Self, ModelError> {
        let function = Arc::new(ValueFunction::new(form, baseline, link));
        let null_value = scorer.linked_value(link, function.baseline_margins.clone(), 0)?;
        Ok(Self(Arc::new(Inner { scorer, function, null_value })))
    }
}

impl Predictor for FormPredictor {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        let (inner, call) = (Arc::clone(&self.0), Arc::clone(call));
        offload(move |stop| inner.scorer.predict(&call, inner.function.link, stop)).boxed()
    }

    fn differing(&self, call: &Call, record_idx: usize) -> Result<Vec<u32>, ModelError> {
        Ok(self.0.function.differing(self.0.scorer.numbers(&call.records)?.row(record_idx)))
    }

    fn valuation<'a>(&'a self, call: &'a Call) -> Result<Valuation<'a>, ModelError> {
        let Inner { scorer, function, null_value } = self.0.as_ref();
        Ok(Valuation::Computed { function, numbers: scorer.numbers(&call.records)?, null: null_value })
    }

    fn identity(&self) -> Identity {
        self.0.scorer.identity()
    }
}
