//! Weighted sums of terms, and of columns beside them → a model over texts.

use std::sync::Arc;

use super::linear::layer;
use super::scores::Margin;
use super::terms::Terms;
use super::values::{Block, BlocksId, Context, RowsId};
use crate::form::{Activation, Layers, Transform};
use crate::model::embedded::text::{Bag, Source, TextModel, WeightedNumbers};

/// The model whose margins are these sums over blocks.
pub(super) fn text_model(
    context: &mut Context,
    blocks: BlocksId,
    margins: &[Margin],
    transform: Transform,
) -> Result<TextModel, String> {
    let mut model = TextModel {
        features: Vec::new(),
        sources: Vec::new(),
        bags: Vec::new(),
        numbers: Vec::new(),
        bias: margins.iter().map(|margin| margin.offset).collect(),
        transform,
    };
    let mut start = 0;
    for block in context.blocks[blocks].clone() {
        let end = start + context.block_width(&block);
        let own: Vec<&[f64]> = margins.iter().map(|margin| &margin.weights[start..end]).collect();
        match block {
            Block::Terms(terms) => {
                let source = place(&mut model.sources, terms.source);
                model.bags.push(bag(&terms, source, &own)?);
            }
            Block::Rows(rows) => model.numbers.push(numbers(context, rows, &own)?),
        }
        start = end;
    }
    model.features = context.features();
    Ok(model)
}

fn place(sources: &mut Vec<Source>, source: Source) -> usize {
    sources.iter().position(|&known| known == source).unwrap_or_else(|| {
        sources.push(source);
        sources.len() - 1
    })
}

/// `own` is `[n_outputs]` of `[n_terms]`.
fn bag(terms: &Terms, source: usize, own: &[&[f64]]) -> Result<Bag, String> {
    if terms.is_shifted {
        return Err("after 1 more for each count only Log is supported".to_owned());
    }
    let weights = (0..terms.scale.len()).flat_map(|term| own.iter().map(move |own| own[term] as f32));
    let weights: Vec<f32> = weights.collect();
    if weights.iter().any(|weight| !weight.is_finite()) {
        return Err("a weight is outside the range of float32".to_owned());
    }
    Ok(Bag {
        source,
        tokenizer: Arc::clone(&terms.tokenizer),
        vocabulary: Arc::clone(&terms.vocabulary),
        frequency: terms.frequency,
        scale: terms.scale.clone(),
        norm: terms.norm,
        weights,
    })
}

/// `own` is `[n_outputs]` of `[n_columns]`.
fn numbers(context: &mut Context, rows: RowsId, own: &[&[f64]]) -> Result<WeightedNumbers, String> {
    // The same columns may stand here many times, each with lists of its own.
    context.charge(context.inputs_cost(rows))?;
    let margins: Vec<Margin> = own.iter().map(|own| Margin { weights: own.to_vec(), offset: 0.0 }).collect();
    let layers = Layers::new(vec![layer(margins.iter(), Activation::Identity)?]);
    Ok(WeightedNumbers { inputs: context.inputs(rows), layers })
}
