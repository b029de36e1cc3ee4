//! Records as they are → their margins, in blocks on all cores.

use std::ops::Range;

use ndarray::Array2;

use super::model::{BLOCK_STEPS, TextModel};
use crate::model::ModelError;
use crate::offload::{GivenUp, Stop, in_turns};
use crate::records::Table;

/// Records whose terms are counted by one thread, one after the other.
const BLOCK_RECORDS_MAX: usize = 16;

/// Margins of all records, `[n_records × n_outputs]`, row-major. `numbers` is `[n_records × n_features]`.
pub(in crate::model::embedded) fn record_margins(
    model: &TextModel,
    records: &Table,
    numbers: &Array2<f32>,
    stop: &Stop,
) -> Result<Vec<f32>, ModelError> {
    let n_outputs = model.n_outputs();
    let mut margins = vec![0.0; records.n_records() * n_outputs];
    let steps: Vec<usize> = (0..records.n_records()).map(|record_idx| steps(model, records, record_idx)).collect();
    let blocks = blocks(&steps);
    let largest = blocks.iter().map(|block| steps[block.clone()].iter().sum()).max();
    let mut rest = margins.as_mut_slice();
    let with_margins = blocks.into_iter().map(|block| {
        let own = rest.split_off_mut(..block.len() * n_outputs);
        (block, own.expect("each record has its margins. This is a bug."))
    });
    in_turns(with_margins.collect(), largest.unwrap_or(0), stop, |(block, margins)| {
        write_block(model, records, numbers, block, stop, margins)
    })?;
    Ok(margins)
}

fn write_block(
    model: &TextModel,
    records: &Table,
    numbers: &Array2<f32>,
    block: Range<usize>,
    stop: &Stop,
    margins: &mut [f32],
) -> Result<(), ModelError> {
    let mut scratch = model.scratch();
    for (record_idx, margins) in block.zip(margins.chunks_exact_mut(model.n_outputs())) {
        if stop.is_set() {
            return Err(GivenUp.into());
        }
        let features = numbers.row(record_idx);
        let features = features.as_slice().expect("rows are contiguous. This is a bug.");
        let texts: Vec<Vec<u8>> = model.sources.iter().map(|source| source.text(records, record_idx)).collect();
        let text = |source: usize| texts[source].as_slice();
        let done = model.margins(text, features, &mut scratch, margins);
        done.map_err(|_| ModelError::Tokens { record: record_idx + 1 })?;
    }
    Ok(())
}

/// What a record costs.
fn steps(model: &TextModel, records: &Table, record_idx: usize) -> usize {
    model.steps(|source| records.cell(record_idx, model.sources[source].feature as usize).raw().len())
}

/// Records next to each other that are few and cost little, from what each costs.
fn blocks(steps: &[usize]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut steps_left = 0;
    for (record_idx, &own) in steps.iter().enumerate() {
        match blocks.last_mut() {
            Some(block) if own <= steps_left && block.len() < BLOCK_RECORDS_MAX => {
                block.end += 1;
                steps_left -= own;
            }
            _ => {
                blocks.push(record_idx..record_idx + 1);
                steps_left = BLOCK_STEPS.saturating_sub(own);
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;
    use crate::form::{Feature, Transform};
    use crate::model::embedded::text::{Bag, Frequency, Source, Tokenizer, Vocabulary};
    use crate::offload::offload;
    use crate::records::Format;

    /// It counts the letters a of a text, once for each bag.
    fn model(n_bags: usize) -> TextModel {
        let term = ["a".to_owned()];
        let bag = || Bag {
            source: 0,
            tokenizer: Arc::new(Tokenizer::new(".", 1).expect("can be compiled")),
            vocabulary: Arc::new(Vocabulary::new([(term.as_slice(), 0)].into_iter()).expect("is there once")),
            frequency: Frequency::Count,
            scale: vec![1.0],
            norm: None,
            weights: vec![1.0],
        };
        TextModel {
            features: vec![Feature::Category(Vec::new())],
            sources: vec![Source { feature: 0, is_lower: false }],
            bags: (0..n_bags).map(|_| bag()).collect(),
            numbers: Vec::new(),
            bias: vec![0.0],
            transform: Transform::Identity,
        }
    }

    fn table(lines: &str) -> Table {
        Table::read(lines.as_bytes(), Format::Csv, None, 100).expect("is a table")
    }

    #[test]
    fn each_bag_cuts_the_text_of_a_record_anew() {
        let records = table("aba");
        assert!(steps(&model(1), &records, 0) > 0);
        assert_eq!(steps(&model(5), &records, 0), 5 * steps(&model(1), &records, 0));
    }

    #[test]
    fn blocks_have_few_records_of_little_cost() {
        let cases: [(Vec<usize>, Vec<Range<usize>>); 4] = [
            (vec![], vec![]),
            (vec![1; 20], vec![0..16, 16..20]),
            (vec![1, BLOCK_STEPS - 1, 1, usize::MAX, 0, 1], vec![0..2, 2..3, 3..5, 5..6]),
            (vec![usize::MAX, usize::MAX], vec![0..1, 1..2]),
        ];
        for (steps, expected) in cases {
            assert_eq!(blocks(&steps), expected, "{steps:?}");
        }
    }

    #[test]
    fn margins_of_all_blocks_stand_in_the_order_of_the_records() {
        let texts: Vec<String> = (1..40).map(|n| "a".repeat(n)).collect();
        let numbers = Array2::zeros((39, 1));
        let margins = record_margins(&model(2), &table(&texts.join("\n")), &numbers, &Stop::default());
        assert_eq!(margins.expect("answers"), (1..40).map(|n| (2 * n) as f32).collect::<Vec<f32>>());
    }

    #[tokio::test]
    async fn a_block_ends_when_nobody_waits_for_it() {
        let (report, ended) = mpsc::channel();
        let work = offload(move |stop| {
            while !stop.is_set() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let done = write_block(&model(1), &table("a"), &Array2::zeros((1, 1)), 0..1, stop, &mut [0.0]);
            report.send(matches!(done, Err(ModelError::GivenUp))).expect("the test waits");
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        assert!(ended.recv_timeout(Duration::from_secs(10)).expect("the block has ended"));
    }
}
