//! The texts of the records that are explained → their units, no more than one answer may have attributions.

use std::sync::Arc;

use super::{ExplainError, Limits};
use crate::model::{Call, ModelError};
use crate::offload::Stop;
use crate::records::{Cutter, Pieces};

/// The same call with the selected records in pieces, which have `n_outputs` attributions each.
pub(super) fn cut(
    call: &Call,
    cutter: &Cutter,
    selected: &[usize],
    n_outputs: usize,
    limits: &Limits,
    stop: &Stop,
) -> Result<Call, ExplainError> {
    let mut pieces: Vec<Option<Pieces>> = Vec::new();
    pieces.resize_with(call.records.n_records(), || None);
    let mut n_pieces = 0;
    for &record_idx in selected {
        if stop.is_set() {
            return Err(ModelError::GivenUp.into());
        }
        let own = cutter.cut(&call.records, record_idx).map_err(ModelError::from)?;
        n_pieces += own.len();
        // Beyond the limit they are counted for the refusal, and not kept.
        pieces[record_idx] = limits.check(selected.len(), n_pieces, n_outputs).is_ok().then_some(own);
    }
    limits.check(selected.len(), n_pieces, n_outputs)?;
    let (message, records) = (call.message.clone(), Arc::clone(&call.records));
    Ok(Call { message, records, pieces: Some(pieces.into()) })
}
