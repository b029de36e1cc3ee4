//! Operators on columns of features, one by one: Scaler, Imputer, Cast, and arithmetic with constants.

use super::node::Node;
use super::scores::Scores;
use super::tensor::Constant;
use super::values::{Context, Rows, RowsId, Value};
use super::{proto::elem, terms, wrong};
use crate::form::{Column, Norm, Stage, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

/// One number for each of `width` columns, or the same for all.
pub(super) fn for_columns(what: &str, numbers: &[f64], width: usize) -> Result<Vec<f64>, String> {
    match numbers {
        &[number] => Ok(vec![number; width]),
        _ if numbers.len() == width => Ok(numbers.to_vec()),
        _ => Err(wrong(
            what,
            format!("{} numbers long", numbers.len()),
            format!("1 or {width}, that of the columns"),
        )),
    }
}

fn floats(node: &Node, name: &str, width: usize) -> Result<Vec<f64>, String> {
    let numbers: Vec<f64> = node.floats(name).iter().map(|&number| number.into()).collect();
    for_columns(name, &numbers, width)
}

fn finite(what: &str, numbers: &[f64]) -> Result<(), String> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(wrong(what, number, "a finite number")),
        None => Ok(()),
    }
}

pub(super) fn scaler(context: &mut Context, node: &Node, rows: RowsId) -> Result<Value, String> {
    let width = context.rows[rows].columns.len();
    let (offset, scale) = (floats(node, "offset", width)?, floats(node, "scale", width)?);
    finite("offset", &offset)?;
    finite("scale", &scale)?;
    scaled(context, rows, &offset, &scale)
}

fn scaled(context: &mut Context, rows: RowsId, offset: &[f64], scale: &[f64]) -> Result<Value, String> {
    let step = |n: usize| Step::Scale { offset: offset[n] as f32, scale: scale[n] as f32 };
    Ok(Value::Rows(context.with_step(rows, step, false)?))
}

pub(super) fn imputer(context: &mut Context, node: &Node, rows: RowsId) -> Result<Value, String> {
    let width = context.rows[rows].columns.len();
    let (missing, with) = if node.has("imputed_value_int64s") {
        let with: Vec<f64> = node.ints("imputed_value_int64s").iter().map(|&number| number as f64).collect();
        (node.int("replaced_value_int64", 0) as f32, for_columns("imputed_value_int64s", &with, width)?)
    } else {
        (node.float("replaced_value_float", 0.0), floats(node, "imputed_value_floats", width)?)
    };
    let is_whole = context.rows[rows].is_whole;
    let step = |n: usize| Step::Impute { missing, with: with[n] as f32 };
    Ok(Value::Rows(context.with_step(rows, step, is_whole)?))
}

pub(super) fn normalizer(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    let norm = node.text("norm", "MAX")?;
    match value {
        Value::Rows(rows) => normalised(context, *rows, known_norm(&norm)?),
        Value::Blocks(blocks) => terms::normalised(context, *blocks, known_norm(&norm)?),
        Value::Scores(scores) if norm == "L1" && adds_up_to_one(scores)? => Ok(value.clone()),
        _ => Err("only columns of features, and shares that add up to 1, are normalised".to_owned()),
    }
}

fn known_norm(name: &str) -> Result<Norm, String> {
    match name {
        "MAX" => Ok(Norm::Max),
        "L1" => Ok(Norm::L1),
        "L2" => Ok(Norm::L2),
        _ => Err(wrong("norm", name, "MAX, L1 or L2")),
    }
}

fn normalised(context: &mut Context, rows: RowsId, norm: Norm) -> Result<Value, String> {
    let mut prefix = context.inputs(rows);
    prefix.stages.push(Stage::Normalise(norm));
    let width = context.rows[rows].columns.len();
    // Each normalizer repeats the stages before it.
    context.charge(prefix.stages.len() * width)?;
    context.prefixes.push(prefix);
    let columns = (0..width as u32).map(|source| Column { source, steps: Vec::new() }).collect();
    let rows = Rows { prefix: context.prefixes.len() - 1, columns, is_whole: false, rank: 2 };
    Ok(Value::Rows(context.push_rows(rows)?))
}

fn adds_up_to_one(scores: &Scores) -> Result<bool, String> {
    let (first, rest) = scores.columns.split_first().expect("there is a column. This is a bug.");
    let total = rest.iter().try_fold(first.clone(), |total, score| total.plus(score))?;
    Ok(scores.columns.iter().all(|score| score.is_share()) && total.constant() == Some(1.0))
}

/// To integers, what stands after the point is cut off.
pub(super) fn cast(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    match (node.int("to", 0).try_into().unwrap_or(0), value) {
        (elem::FLOAT | elem::DOUBLE, Value::Rows(id)) => {
            let rows = Rows { is_whole: false, ..context.rows[*id].clone() };
            if context.rows[*id].is_whole { Ok(Value::Rows(context.push_rows(rows)?)) } else { Ok(value.clone()) }
        }
        (elem::FLOAT | elem::DOUBLE, Value::Scores(_) | Value::Blocks(_))
        | (elem::STRING, Value::Texts(_) | Value::Lower(_) | Value::Tokens(_)) => Ok(value.clone()),
        (elem::BOOL, &Value::Blocks(blocks)) => terms::presence(context, blocks),
        (elem::INT32 | elem::INT64, Value::Rows(id)) if context.rows[*id].is_whole => Ok(value.clone()),
        (elem::INT32 | elem::INT64, Value::Rows(id)) => {
            Ok(Value::Rows(context.with_step(*id, |_| Step::Truncate, true)?))
        }
        (elem::FLOAT | elem::DOUBLE, Value::Constant(constant)) => constant.numbers().map(|_| value.clone()),
        (elem::INT32 | elem::INT64, Value::Constant(constant)) => constant.integers().map(|_| value.clone()),
        (to, _) => Err(wrong("to", to, "a type that these values can have: float, double, or int of columns")),
    }
}

/// `rows · constant`, or `constant · rows`.
pub(super) fn arithmetic(
    context: &mut Context,
    operator: Arithmetic,
    rows: RowsId,
    constant: &Constant,
    is_constant_first: bool,
) -> Result<Value, String> {
    let width = context.rows[rows].columns.len();
    let numbers = for_columns("the constant", constant.finite()?, width)?;
    let ones = vec![1.0; width];
    let negated: Vec<f64> = numbers.iter().map(|number| -number).collect();
    match (operator, is_constant_first) {
        (Arithmetic::Add, _) => scaled(context, rows, &negated, &ones),
        (Arithmetic::Sub, false) => scaled(context, rows, &numbers, &ones),
        (Arithmetic::Sub, true) => scaled(context, rows, &numbers, &vec![-1.0; width]),
        (Arithmetic::Mul, _) => scaled(context, rows, &vec![0.0; width], &numbers),
        (Arithmetic::Div, false) if !context.rows[rows].is_whole => {
            let inverse: Vec<f64> = numbers.iter().map(|number| 1.0 / number).collect();
            finite("1 over the constant", &inverse)?;
            scaled(context, rows, &vec![0.0; width], &inverse)
        }
        (Arithmetic::Div, _) => Err("only columns of real numbers over a constant are supported".to_owned()),
    }
}
