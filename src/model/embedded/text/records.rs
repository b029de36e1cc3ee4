//! Records as they are → their margins, in blocks on all cores.

use ndarray::Array2;

use super::model::TextModel;
use crate::model::ModelError;
use crate::offload::{Stop, in_turns};
use crate::records::Table;

/// Records whose terms are counted by one thread, one after the other.
const BLOCK_RECORDS: usize = 16;

/// Margins of all records, `[n_records × n_outputs]`, row-major. `numbers` is `[n_records × n_features]`.
pub(in crate::model::embedded) fn record_margins(
    model: &TextModel,
    records: &Table,
    numbers: &Array2<f32>,
    stop: &Stop,
) -> Result<Vec<f32>, ModelError> {
    let n_outputs = model.n_outputs();
    let mut margins = vec![0.0; records.n_records() * n_outputs];
    let blocks: Vec<_> = margins.chunks_mut(BLOCK_RECORDS * n_outputs).enumerate().collect();
    let steps_per_block = steps(model, records) / blocks.len().max(1);
    in_turns(blocks, steps_per_block, stop, |(block_idx, margins)| {
        let mut scratch = model.scratch();
        for (idx, margins) in margins.chunks_exact_mut(n_outputs).enumerate() {
            let record_idx = block_idx * BLOCK_RECORDS + idx;
            let features = numbers.row(record_idx);
            let features = features.as_slice().expect("rows are contiguous. This is a bug.");
            let texts: Vec<Vec<u8>> =
                model.sources.iter().map(|source| source.text(records, record_idx)).collect();
            let text = |source: usize| texts[source].as_slice();
            let done = model.margins(text, features, &mut scratch, margins);
            done.map_err(|_| ModelError::Tokens { record: record_idx + 1 })?;
        }
        Ok::<_, ModelError>(())
    })?;
    Ok(margins)
}

fn steps(model: &TextModel, records: &Table) -> usize {
    let n_bytes = |record_idx: usize| {
        let cells = model.sources.iter().map(move |source| records.cell(record_idx, source.feature as usize));
        cells.map(|cell| cell.raw().len()).sum::<usize>()
    };
    (0..records.n_records()).map(|record_idx| model.steps(n_bytes(record_idx))).sum()
}
