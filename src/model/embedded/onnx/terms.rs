//! TfIdfVectorizer and what follows it: tokens → counts of terms, scaled and normalised, beside other columns.

use std::rc::Rc;
use std::sync::Arc;

use super::columns::{Arithmetic, for_columns};
use super::node::Node;
use super::tensor::Constant;
use super::texts::Tokens;
use super::values::{Block, BlocksId, Context, Value};
use super::wrong;
use crate::form::Norm;
use crate::model::embedded::text::{Frequency, Source, Tokenizer, Twice, Vocabulary};

/// Terms of one vectorizer, and columns of any tensor with terms.
const TERMS_MAX: usize = 1 << 20;

/// Lists of terms beside each other, and so also the texts that a model reads; for each its text is cut anew.
const BAGS_MAX: usize = 64;

/// Tokens of one term.
const TERM_TOKENS_MAX: usize = 16;

/// The terms of a text, as far as the graph has come with them.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub source: Source,
    pub tokenizer: Arc<Tokenizer>,
    pub vocabulary: Arc<Vocabulary>,
    pub frequency: Frequency,
    /// 1 was added to each count, which only a logarithm can follow.
    pub is_shifted: bool,
    /// `[n_terms]`.
    pub scale: Vec<f32>,
    pub norm: Option<Norm>,
}

impl Terms {
    /// Whether these are still the numbers that were counted.
    fn are_counts(&self) -> bool {
        self.frequency == Frequency::Count
            && !self.is_shifted
            && self.norm.is_none()
            && self.scale.iter().all(|&scale| scale == 1.0)
    }
}

pub(super) fn vectorizer(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    let Value::Tokens(tokens) = value else { return Err("its input is no list of tokens".to_owned()) };
    node.expect("max_skip_count", 0)?;
    let pool = node.texts("pool_strings")?;
    let grams = grams(node, &pool)?;
    let columns = columns(node, grams.len())?;
    let n_terms = columns.iter().max().map_or(0, |&last| last as usize + 1);
    context.charge(n_terms + pool.iter().map(|token| 8 + token.len() / 8).sum::<usize>())?;
    let (least, most) = (node.int("min_gram_length", 1), node.int("max_gram_length", 1));
    let is_counted = |&(gram, _): &(&[String], u32)| (least..=most).contains(&(gram.len() as i64));
    let terms = grams.iter().copied().zip(columns.iter().copied()).filter(is_counted);
    let vocabulary = Vocabulary::new(terms).map_err(|Twice| "pool_strings has an n-gram twice".to_owned())?;
    let (frequency, scale) = weighting(node, &columns, n_terms)?;
    let Tokens { source, tokenizer } = tokens.as_ref();
    let (source, tokenizer, vocabulary) = (*source, Arc::clone(tokenizer), Arc::new(vocabulary));
    Ok(push(context, Terms { source, tokenizer, vocabulary, frequency, is_shifted: false, scale, norm: None }))
}

fn push(context: &mut Context, terms: Terms) -> Value {
    Value::Blocks(context.push_blocks(vec![Block::Terms(Rc::new(terms))]))
}

/// The n-grams of a pool in its order: those of one token, those of two, and so on, each length from its place on.
fn grams<'a>(node: &Node, pool: &'a [String]) -> Result<Vec<&'a [String]>, String> {
    let starts = node.ints("ngram_counts");
    if pool.is_empty() || starts.is_empty() {
        return Err("it has no pool_strings, or no ngram_counts; n-grams of numbers are not supported".to_owned());
    }
    if starts.len() > TERM_TOKENS_MAX {
        return Err(wrong("the length of ngram_counts", starts.len(), format!("at most {TERM_TOKENS_MAX}")));
    }
    let place = |&start: &i64| usize::try_from(start).ok().filter(|&start| start <= pool.len());
    let mut grams = Vec::new();
    for (idx, own) in starts.iter().enumerate() {
        let (start, end) = (place(own), starts.get(idx + 1).map_or(Some(pool.len()), place));
        let part = start.zip(end).and_then(|(start, end)| pool.get(start..end));
        let part = part.filter(|part| part.len().is_multiple_of(idx + 1)).ok_or_else(|| {
            wrong("ngram_counts", format!("{starts:?}"), "where n-grams of each length begin in pool_strings")
        })?;
        grams.extend(part.chunks_exact(idx + 1));
    }
    Ok(grams)
}

/// The column of each n-gram.
fn columns(node: &Node, n_grams: usize) -> Result<Vec<u32>, String> {
    let indexes = node.ints("ngram_indexes");
    if indexes.len() != n_grams {
        return Err(wrong(
            "the length of ngram_indexes",
            indexes.len(),
            format!("{n_grams}, that of the n-grams"),
        ));
    }
    let column = |&index: &i64| usize::try_from(index).ok().filter(|&index| index < TERMS_MAX);
    let expected = || format!("0 to {}", TERMS_MAX - 1);
    let checked = |index| column(index).map(|column| column as u32).ok_or_else(|| (*index, expected()));
    let columns = indexes.iter().map(checked).collect::<Result<_, _>>();
    columns.map_err(|(index, expected)| wrong("ngram_indexes", index, expected))
}

/// What an n-gram counts, and what that is multiplied by, `[n_terms]`.
fn weighting(node: &Node, columns: &[u32], n_terms: usize) -> Result<(Frequency, Vec<f32>), String> {
    let mode = node.text("mode", "")?;
    let frequency = match mode.as_str() {
        "TF" => return Ok((Frequency::Count, vec![1.0; n_terms])),
        "IDF" => Frequency::Presence,
        "TFIDF" => Frequency::Count,
        _ => return Err(wrong("mode", mode, "TF, IDF or TFIDF")),
    };
    let weights = node.floats("weights");
    if weights.is_empty() {
        return Ok((frequency, vec![1.0; n_terms]));
    }
    if weights.len() != columns.len() || weights.iter().any(|weight| !weight.is_finite()) {
        return Err(format!("weights are not one finite number for each of {} n-grams", columns.len()));
    }
    let mut scale = vec![f32::NAN; n_terms];
    for (&column, &weight) in columns.iter().zip(weights) {
        let place = &mut scale[column as usize];
        if !place.is_nan() && *place != weight {
            return Err(wrong("ngram_indexes", column, "another column for an n-gram of another weight"));
        }
        *place = weight;
    }
    // Columns of no n-gram.
    scale.iter_mut().filter(|scale| scale.is_nan()).for_each(|scale| *scale = 1.0);
    Ok((frequency, scale))
}

/// The terms of one text, alone and before their norm, since only these change one by one.
fn alone(context: &Context, blocks: BlocksId) -> Result<Rc<Terms>, String> {
    match context.blocks[blocks].as_slice() {
        [Block::Terms(terms)] if terms.norm.is_none() => Ok(Rc::clone(terms)),
        [Block::Terms(_)] => Err("terms that are normalised can only be joined and summed".to_owned()),
        _ => Err("terms beside other columns can only be joined and summed".to_owned()),
    }
}

fn unshifted(context: &Context, blocks: BlocksId) -> Result<Rc<Terms>, String> {
    let terms = alone(context, blocks)?;
    if terms.is_shifted { Err("after 1 more for each count only Log is supported".to_owned()) } else { Ok(terms) }
}

pub(super) fn arithmetic(
    context: &mut Context,
    operator: Arithmetic,
    blocks: BlocksId,
    constant: &Constant,
    is_constant_first: bool,
) -> Result<Value, String> {
    let terms = unshifted(context, blocks)?;
    let n_terms = terms.scale.len();
    let numbers = for_columns("the constant", constant.finite()?, n_terms)?;
    context.charge(n_terms)?;
    let are_ones = numbers.iter().all(|&number| number == 1.0);
    let changed = match (operator, is_constant_first) {
        (Arithmetic::Mul, _) => scaled(&terms, &numbers, |own, by| own * by)?,
        (Arithmetic::Div, false) => scaled(&terms, &numbers, |own, by| own / by)?,
        (Arithmetic::Add, _) if terms.are_counts() && are_ones => Terms { is_shifted: true, ..(*terms).clone() },
        _ => {
            return Err(
                "of terms only products with constants, and 1 more for each count, are supported".to_owned()
            );
        }
    };
    Ok(push(context, changed))
}

/// Each term's scale changed by its number, in float32 as the graph has it.
fn scaled(terms: &Terms, numbers: &[f64], scale: impl Fn(f32, f32) -> f32) -> Result<Terms, String> {
    let scale: Vec<f32> = terms.scale.iter().zip(numbers).map(|(&own, &by)| scale(own, by as f32)).collect();
    match scale.iter().all(|scale| scale.is_finite()) {
        true => Ok(Terms { scale, ..terms.clone() }),
        false => Err("a term is multiplied by a number outside the range of float32".to_owned()),
    }
}

/// Of 1 and a count.
pub(super) fn logarithm(context: &mut Context, value: &Value) -> Result<Value, String> {
    let Value::Blocks(blocks) = value else { return Err("only of counts of terms this is supported".to_owned()) };
    let terms = alone(context, *blocks)?;
    if !terms.is_shifted {
        return Err("only of 1 and a count this is supported".to_owned());
    }
    context.charge(terms.scale.len())?;
    let changed = Terms { is_shifted: false, frequency: Frequency::Logarithm, ..(*terms).clone() };
    Ok(push(context, changed))
}

/// A count as true or false.
pub(super) fn presence(context: &mut Context, blocks: BlocksId) -> Result<Value, String> {
    let terms = unshifted(context, blocks)?;
    if !terms.are_counts() {
        return Err("only counts of terms become true or false".to_owned());
    }
    context.charge(terms.scale.len())?;
    Ok(push(context, Terms { frequency: Frequency::Presence, ..(*terms).clone() }))
}

pub(super) fn normalised(context: &mut Context, blocks: BlocksId, norm: Norm) -> Result<Value, String> {
    let terms = unshifted(context, blocks)?;
    context.charge(terms.scale.len())?;
    Ok(push(context, Terms { norm: Some(norm), ..(*terms).clone() }))
}

/// Terms and other columns beside each other.
pub(super) fn join(context: &mut Context, a: &Value, b: &Value) -> Result<Value, String> {
    let mut blocks = Vec::new();
    for value in [a, b] {
        match value {
            Value::Blocks(id) => blocks.extend_from_slice(&context.blocks[*id]),
            Value::Rows(rows) if context.rows[*rows].rank == 2 => blocks.push(Block::Rows(*rows)),
            _ => return Err("terms are joined with columns of another kind".to_owned()),
        }
    }
    check_size(context, &blocks)?;
    context.charge(blocks.len())?;
    Ok(Value::Blocks(context.push_blocks(blocks)))
}

fn check_size(context: &Context, blocks: &[Block]) -> Result<(), String> {
    let n_bags = blocks.iter().filter(|block| matches!(block, Block::Terms(_))).count();
    if n_bags > BAGS_MAX {
        return Err(wrong("the number of vectorizers beside each other", n_bags, format!("at most {BAGS_MAX}")));
    }
    let n_columns: usize = blocks.iter().map(|block| context.block_width(block)).sum();
    if n_columns > TERMS_MAX {
        return Err(wrong("the number of columns", n_columns, format!("at most {TERMS_MAX}")));
    }
    Ok(())
}
