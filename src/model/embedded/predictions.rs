//! Margins of the client's records → predictions on the link's scale.

use ndarray::Array2;

use super::scorer::Scorer;
use super::scores::write_value;
use crate::model::{Call, LinkedValue, ModelError, Predictions};
use crate::offload::Stop;
use crate::shap::{Clipped, Link};

impl Scorer {
    /// Scores of a call's records, and the answer that says them.
    pub(super) fn predict(&self, call: &Call, link: Link, stop: &Stop) -> Result<Predictions, ModelError> {
        let format = call.message.accepted()?;
        let margins = self.margins(&call.records, stop)?;
        let (values, clipped) = self.own_values(link, &margins)?;
        Ok(Predictions {
            text: self.answer(margins, format),
            content_type: format.mime().to_owned(),
            format,
            values,
            labels: None,
            custom_attributes: None,
            clipped,
        })
    }

    /// f(record) on the link's scale from the records' margins, `[n_records × n_outputs]`.
    fn own_values(&self, link: Link, margins: &[f32]) -> Result<(Array2<f64>, Clipped), ModelError> {
        let n_outputs = self.n_outputs();
        let mut values = Array2::zeros((margins.len() / n_outputs, n_outputs));
        let mut clipped = 0;
        for (record_idx, margins) in margins.chunks_exact(n_outputs).enumerate() {
            let own = self.linked_value(link, margins.to_vec(), record_idx)?;
            values.row_mut(record_idx).iter_mut().zip(own.value).for_each(|(value, own)| *value = own);
            clipped += own.clipped;
        }
        Ok((values, clipped))
    }

    /// The mean score of some rows on the link's scale, from their margins `[n_rows × n_outputs]`.
    pub(super) fn linked_value(
        &self,
        link: Link,
        mut margins: Vec<f32>,
        record_idx: usize,
    ) -> Result<LinkedValue, ModelError> {
        let mut value = vec![0.0; self.n_outputs()];
        let clipped = write_value(self.transform(), link, &mut margins, &mut value);
        match value.iter().find(|score| !score.is_finite()) {
            Some(&score) => Err(ModelError::NotFinite { record: record_idx + 1, score }),
            None => Ok(LinkedValue { value, clipped }),
        }
    }
}
