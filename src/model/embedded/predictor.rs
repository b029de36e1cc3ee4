//! A form behind the `Predictor` seam: it scores the client's records, and shows the function of its games.

use std::sync::Arc;

use futures_util::FutureExt;
use ndarray::{ArcArray2, Array2};

use super::scorer::Scorer;
use super::scores::write_value;
use crate::form::ValueFunction;
use crate::model::{
    Answer, Call, Identity, LinkedValue, Message, Model, ModelError, Predictions, Predictor, Valuation,
};
use crate::offload::{Stop, offload};
use crate::shap::{Clipped, Link};

/// A model in the process with its baseline and link.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    scorer: Scorer,
    function: Arc<ValueFunction>,
    null_value: LinkedValue,
}

impl Embedded {
    /// `baseline` is `[n_baseline_rows × n_features]`, at least one row.
    pub fn new(scorer: Scorer, baseline: ArcArray2<f32>, link: Link) -> Result<Self, ModelError> {
        if baseline.ncols() != scorer.n_features() {
            let expected = scorer.n_features();
            return Err(ModelError::Width { record: 1, n_columns: baseline.ncols(), expected });
        }
        let function = Arc::new(ValueFunction::new(Arc::clone(&scorer.form), baseline, link));
        let null_value = value_of_nobody(&function)?;
        Ok(Self(Arc::new(Inner { scorer, function, null_value })))
    }
}

impl Model for Embedded {
    fn predictor<'a>(&'a self, _: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        let predictor: Arc<dyn Predictor> = Arc::new(self.clone());
        std::future::ready(Ok(predictor)).boxed()
    }
}

impl Predictor for Embedded {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        let (inner, call) = (Arc::clone(&self.0), Arc::clone(call));
        offload(move |stop| inner.predict(&call, stop)).boxed()
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

impl Inner {
    fn predict(&self, call: &Call, stop: &Stop) -> Result<Predictions, ModelError> {
        let format = call.message.accepted()?;
        let margins = self.scorer.margins(&call.records, stop)?;
        let (values, clipped) = self.own_values(&margins)?;
        Ok(Predictions {
            text: self.scorer.answer(margins, format),
            content_type: format.mime().to_owned(),
            format,
            values,
            labels: None,
            custom_attributes: None,
            clipped,
        })
    }

    /// f(record) on the link's scale from the records' margins, `[n_records × n_outputs]`.
    fn own_values(&self, margins: &[f32]) -> Result<(Array2<f64>, Clipped), ModelError> {
        let n_outputs = self.scorer.n_outputs();
        let mut values = Array2::zeros((margins.len() / n_outputs, n_outputs));
        let mut clipped = 0;
        for (record_idx, margins) in margins.chunks_exact(n_outputs).enumerate() {
            let own = linked_value(&self.function, margins.to_vec(), record_idx)?;
            values.row_mut(record_idx).iter_mut().zip(own.value).for_each(|(value, own)| *value = own);
            clipped += own.clipped;
        }
        Ok((values, clipped))
    }
}

fn value_of_nobody(function: &ValueFunction) -> Result<LinkedValue, ModelError> {
    linked_value(function, function.baseline_margins.clone(), 0)
}

/// From the margins of some rows, `[n_rows × n_outputs]`.
fn linked_value(
    function: &ValueFunction,
    mut margins: Vec<f32>,
    record_idx: usize,
) -> Result<LinkedValue, ModelError> {
    let mut value = vec![0.0; function.form.n_outputs()];
    let clipped = write_value(function.form.transform, function.link, &mut margins, &mut value);
    match value.iter().find(|score| !score.is_finite()) {
        Some(&score) => Err(ModelError::NotFinite { record: record_idx + 1, score }),
        None => Ok(LinkedValue { value, clipped }),
    }
}
