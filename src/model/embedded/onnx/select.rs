//! Operators that move columns without changing them: Concat, Gather, ArrayFeatureExtractor, Slice, Split, Reshape.

use std::rc::Rc;

use super::node::Node;
use super::scores::Scores;
use super::tensor::Constant;
use super::values::{Basis, Context, Rows, Value, check_width};
use super::{terms, wrong};

/// Refuses an axis other than that of the columns.
pub(super) fn check_axis(context: &Context, value: &Value, axis: i64) -> Result<(), String> {
    let last = match value {
        Value::Rows(rows) => context.rows[*rows].rank - 1,
        _ => 1,
    };
    if axis == last || axis == -1 {
        Ok(())
    } else {
        Err(wrong("axis", axis, format!("{last}, that of the columns")))
    }
}

/// The columns at these places; negative ones count from the end.
pub(super) fn pick(context: &mut Context, value: &Value, places: &[i64]) -> Result<Value, String> {
    let width = context.width(value)?;
    check_width(places.len())?;
    let place = |&place: &i64| {
        let from_start = if place < 0 { place + width as i64 } else { place };
        let place_in = usize::try_from(from_start).ok().filter(|&place| place < width);
        place_in.ok_or_else(|| wrong("a column", place, format!("below {width}")))
    };
    let places = places.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
    match value {
        Value::Constant(_) => unreachable_constant(),
        Value::Lower(_) | Value::Tokens(_) | Value::Blocks(_) => {
            Err("columns of a text, or of its terms, cannot be picked one by one".to_owned())
        }
        Value::Texts(features) => Ok(Value::Texts(places.iter().map(|&place| features[place]).collect())),
        Value::Rows(id) => {
            let rows = &context.rows[*id];
            let columns = places.iter().map(|&place| rows.columns[place].clone()).collect();
            let rows = Rows { columns, ..*rows };
            Ok(Value::Rows(context.push_rows(rows)?))
        }
        Value::Scores(scores) => {
            context.charge(places.iter().map(|&place| scores.columns[place].cost()).sum())?;
            let columns = places.iter().map(|&place| scores.columns[place].clone()).collect();
            Ok(Value::Scores(Rc::new(Scores::new(scores.basis, columns)?)))
        }
    }
}

fn unreachable_constant() -> Result<Value, String> {
    Err(wrong("an input", "a constant", "a row for each record"))
}

pub(super) fn concat(context: &mut Context, values: &[Value]) -> Result<Value, String> {
    let (first, rest) = values.split_first().ok_or("there is nothing to join")?;
    rest.iter().try_fold(first.clone(), |all, next| join(context, &all, next))
}

fn join(context: &mut Context, a: &Value, b: &Value) -> Result<Value, String> {
    match (a, b) {
        (Value::Blocks(_), Value::Blocks(_) | Value::Rows(_)) | (Value::Rows(_), Value::Blocks(_)) => {
            terms::join(context, a, b)
        }
        (Value::Texts(a), Value::Texts(b)) => Ok(Value::Texts([a.as_slice(), b].concat())),
        (&Value::Rows(a), &Value::Rows(b)) => {
            let (a, b) = (&context.rows[a], &context.rows[b]);
            if (a.prefix, a.rank) != (b.prefix, b.rank) {
                return Err(
                    "columns that stand before and after a Normalizer are joined, or tensors of 2 and of 3 \
                            dimensions; that is not supported"
                        .to_owned(),
                );
            }
            let columns = a.columns.iter().chain(&b.columns).cloned().collect();
            let rows = Rows { columns, is_whole: a.is_whole && b.is_whole, ..*a };
            Ok(Value::Rows(context.push_rows(rows)?))
        }
        (Value::Scores(a), Value::Scores(b)) => {
            let (a, b) = on_one_basis(context, a, b)?;
            context.charge(a.cost() + b.cost())?;
            let columns = a.columns.iter().chain(&b.columns).cloned().collect();
            Ok(Value::Scores(Rc::new(Scores::new(a.basis, columns)?)))
        }
        _ => Err("columns of different kinds are joined: text, numbers, constants, or scores".to_owned()),
    }
}

/// The same scores as sums over the same numbers; forests over the same columns are joined for it.
pub(super) fn on_one_basis(
    context: &mut Context,
    a: &Rc<Scores>,
    b: &Rc<Scores>,
) -> Result<(Rc<Scores>, Rc<Scores>), String> {
    if a.basis == b.basis {
        return Ok((Rc::clone(a), Rc::clone(b)));
    }
    match (&context.bases[a.basis], &context.bases[b.basis]) {
        (Basis::Forests { rows, forests }, Basis::Forests { rows: other_rows, forests: others })
            if rows == other_rows =>
        {
            let forests = forests.iter().chain(others).map(Rc::clone).collect();
            let (before, after) = (context.basis_width(a.basis), context.basis_width(b.basis));
            let basis = Basis::Forests { rows: *rows, forests };
            context.charge((a.columns.len() + b.columns.len()) * (before + after))?;
            let basis = context.push_basis(basis);
            Ok((Rc::new(a.padded(basis, 0, after)), Rc::new(b.padded(basis, before, 0))))
        }
        _ => Err("scores of models over different columns are joined; that is not supported".to_owned()),
    }
}

/// `Slice`: attributes in old versions, constants since.
pub(super) fn slice(
    context: &mut Context,
    node: &Node,
    value: &Value,
    ranges: &[Constant],
) -> Result<Value, String> {
    let list = |index: usize, name: &str| match ranges.get(index) {
        Some(range) => range.integers(),
        None => Ok(node.ints(name).to_vec()),
    };
    let (starts, ends, axes, steps) = (list(0, "starts")?, list(1, "ends")?, list(2, "axes")?, list(3, "steps")?);
    let (&[start], &[end], &[axis], [] | [1]) =
        (starts.as_slice(), ends.as_slice(), axes.as_slice(), steps.as_slice())
    else {
        return Err("only one range of columns, with step 1, is supported".to_owned());
    };
    check_axis(context, value, axis)?;
    let width = context.width(value)? as i64;
    let place = |place: i64| if place < 0 { (place + width).max(0) } else { place.min(width) };
    let places: Vec<i64> = (place(start)..place(end)).collect();
    pick(context, value, &places)
}

/// `Split`: sizes as attribute, as constant, or equal ones.
pub(super) fn split(
    context: &mut Context,
    node: &Node,
    value: &Value,
    sizes: Option<&Constant>,
) -> Result<Vec<Value>, String> {
    check_axis(context, value, node.int("axis", 0))?;
    let (width, n_parts) = (context.width(value)?, node.outputs.len().max(1));
    let sizes = match sizes {
        Some(sizes) => sizes.integers()?,
        None if node.has("split") => node.ints("split").to_vec(),
        None => vec![width.div_ceil(n_parts) as i64; n_parts],
    };
    if sizes.len() != n_parts
        || sizes.iter().any(|size| !(1..=width as i64).contains(size))
        || sizes.iter().sum::<i64>() != width as i64
    {
        return Err(wrong("split", format!("{sizes:?}"), format!("{n_parts} parts of {width} columns")));
    }
    let mut start = 0;
    let mut part = |size: i64| {
        let places: Vec<i64> = (start..start + size).collect();
        start += size;
        pick(context, value, &places)
    };
    sizes.into_iter().map(&mut part).collect()
}

/// `Reshape` to what is already there: rows with their columns, or one column without them.
pub(super) fn reshape(context: &mut Context, value: &Value, shape: &[i64]) -> Result<Value, String> {
    let width = context.width(value)? as i64;
    match *shape {
        [-1 | 0, -1] => {}
        [-1 | 0, n] if n == width => {}
        [-1] if width == 1 => {}
        _ => return Err(wrong("the new shape", format!("{shape:?}"), format!("[-1, {width}]"))),
    }
    flat(context, value)
}

/// The same with two dimensions.
pub(super) fn flat(context: &mut Context, value: &Value) -> Result<Value, String> {
    match value {
        Value::Rows(id) if context.rows[*id].rank == 3 => {
            let rows = Rows { rank: 2, ..context.rows[*id].clone() };
            Ok(Value::Rows(context.push_rows(rows)?))
        }
        _ => Ok(value.clone()),
    }
}
