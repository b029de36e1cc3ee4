//! OneHotEncoder and LabelEncoder: text or numbers → numbers.

use super::node::Node;
use super::tensor::{Constant, Data};
use super::values::{Context, Rows, RowsId, Value};
use super::wrong;
use crate::form::{Column, Step};

/// A category that no number of the list equals becomes zeros, also where the file would refuse it.
pub(super) fn one_hot(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    if context.width(value)? != 1 {
        return Err(wrong("the number of columns", context.width(value)?, "1"));
    }
    let equals = |column: &Column, number: f32| {
        let steps = column.steps.iter().cloned().chain([Step::Equals(number)]).collect();
        Column { source: column.source, steps }
    };
    let (prefix, columns) = match value {
        Value::Texts(features) => {
            let column = Column { source: features[0], steps: Vec::new() };
            let codes = node.texts("cats_strings")?.into_iter().map(|name| context.code(features[0], &name));
            (0, codes.map(|code| equals(&column, code)).collect::<Vec<Column>>())
        }
        Value::Rows(id) => {
            let id = truncated(context, *id)?;
            let rows = &context.rows[id];
            let numbers = node.ints("cats_int64s");
            let columns = numbers.iter().map(|&number| Ok(equals(&rows.columns[0], single(number as f64)?)));
            (rows.prefix, columns.collect::<Result<_, String>>()?)
        }
        _ => return Err("only columns of text or numbers can be encoded".to_owned()),
    };
    Ok(Value::Rows(context.push_rows(Rows { prefix, columns, is_whole: false, rank: 3 })?))
}

fn truncated(context: &mut Context, rows: RowsId) -> Result<RowsId, String> {
    if context.rows[rows].is_whole { Ok(rows) } else { context.with_step(rows, |_| Step::Truncate, true) }
}

/// A number that float32 can tell from its neighbours.
fn single(number: f64) -> Result<f32, String> {
    match number as f32 {
        single if f64::from(single) == number || number.is_nan() => Ok(single),
        _ => Err(wrong("a category", number, "a number that float32 holds")),
    }
}

pub(super) fn label_encoder(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    let values = Mapped::read(node)?;
    let keys = keys(node)?;
    match (value, keys) {
        (Value::Texts(features), Data::Texts(names)) => {
            check_pairs(names.len(), &values)?;
            context.charge(features.len() * names.len())?;
            let column = |&feature: &u32| {
                let keys = names.iter().map(|name| context.code(feature, name)).collect();
                Column { source: feature, steps: vec![values.step(keys)] }
            };
            let columns = features.iter().map(column).collect();
            let rows = Rows { prefix: 0, columns, is_whole: values.are_whole, rank: 2 };
            Ok(Value::Rows(context.push_rows(rows)?))
        }
        (Value::Rows(id), Data::Numbers(keys)) => {
            check_pairs(keys.len(), &values)?;
            let keys = keys.into_iter().map(single).collect::<Result<Vec<f32>, _>>()?;
            Ok(Value::Rows(context.with_step(*id, |_| values.step(keys.clone()), values.are_whole)?))
        }
        _ => Err("keys and columns are not of one kind: text or numbers".to_owned()),
    }
}

/// What keys are mapped to.
struct Mapped {
    numbers: Vec<f32>,
    otherwise: f32,
    are_whole: bool,
}

impl Mapped {
    fn read(node: &Node) -> Result<Self, String> {
        if let Some(tensor) = node.tensor("values_tensor")? {
            let numbers = tensor.numbers()?.iter().map(|&number| number as f32).collect();
            let default = node.tensor("default_tensor")?;
            let otherwise = match default.as_ref().map(Constant::numbers).transpose()? {
                Some(&[number]) => number as f32,
                _ => return Err("default_tensor is not one number".to_owned()),
            };
            return Ok(Self { numbers, otherwise, are_whole: false });
        }
        if node.has("values_floats") {
            let numbers = node.floats("values_floats").to_vec();
            return Ok(Self { numbers, otherwise: node.float("default_float", -0.0), are_whole: false });
        }
        if node.has("values_int64s") {
            let numbers = node.ints("values_int64s").iter().map(|&number| single(number as f64));
            let otherwise = single(node.int("default_int64", -1) as f64)?;
            return Ok(Self { numbers: numbers.collect::<Result<_, _>>()?, otherwise, are_whole: true });
        }
        Err("it has no values that are numbers".to_owned())
    }

    fn step(&self, keys: Vec<f32>) -> Step {
        Step::LookUp { keys, values: self.numbers.clone(), otherwise: self.otherwise }
    }
}

fn keys(node: &Node) -> Result<Data, String> {
    if let Some(tensor) = node.tensor("keys_tensor")? {
        return Ok(tensor.data);
    }
    if node.has("keys_strings") {
        return Ok(Data::Texts(node.texts("keys_strings")?));
    }
    let whole = node.ints("keys_int64s").iter().map(|&key| key as f64);
    let floats = node.floats("keys_floats").iter().map(|&key| key.into());
    Ok(Data::Numbers(whole.chain(floats).collect()))
}

fn check_pairs(n_keys: usize, values: &Mapped) -> Result<(), String> {
    if n_keys == values.numbers.len() && n_keys > 0 {
        return Ok(());
    }
    Err(wrong("the number of keys", n_keys, format!("{}, that of the values, and not 0", values.numbers.len())))
}
