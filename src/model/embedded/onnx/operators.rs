//! One node of the graph: the values that it reads → the values that it makes.
//! The list of operators that are known is here; what each does, elsewhere.

use std::rc::Rc;

use super::activations::{activate, magnitude, softmax, total, with_constant, with_scores};
use super::columns::{Arithmetic, arithmetic, cast, imputer, normalizer, scaler};
use super::encoders::{label_encoder, one_hot};
use super::linear::{classifier, gemm, mat_mul, regressor};
use super::node::Node;
use super::scores::{Curve, Scores};
use super::select::{check_axis, concat, flat, pick, reshape, slice, split};
use super::tensor::Constant;
use super::values::{Context, RowsId, Value};
use super::{terms, texts, trees, wrong};

/// The values of the node's outputs; a classifier's first output, its label, stays without.
pub(super) fn apply(
    context: &mut Context,
    opset: i64,
    node: &Node,
    inputs: &[Value],
) -> Result<Vec<Option<Value>>, String> {
    let label_and = |scores: Value| vec![None, Some(scores)];
    let input = |index: usize| inputs.get(index).ok_or_else(|| format!("input {index} is missing"));
    Ok(match node.operator.as_str() {
        "TreeEnsembleClassifier" => label_and(trees::classifier(context, node, rows(input(0)?)?)?),
        "LinearClassifier" => label_and(classifier(context, node, input(0)?)?),
        "Split" => {
            let sizes = inputs.get(1).map(constant).transpose()?;
            split(context, node, input(0)?, sizes)?.into_iter().map(Some).collect()
        }
        _ => vec![Some(one(context, opset, node, inputs)?)],
    })
}

/// Operators with one output.
fn one(context: &mut Context, opset: i64, node: &Node, inputs: &[Value]) -> Result<Value, String> {
    let operator = node.operator.as_str();
    if operator == "Constant" {
        return value_of_constant(node);
    }
    let (first, rest) = inputs.split_first().ok_or("it has no input")?;
    match operator {
        "Identity" | "ZipMap" => Ok(first.clone()),
        "Cast" => cast(context, node, first),
        "Concat" => concat_of(context, node, inputs),
        "Gather" => gather(context, node, first, constant(second(rest)?)?),
        "ArrayFeatureExtractor" => pick(context, first, &constant(second(rest)?)?.integers()?),
        "Slice" => slice(context, node, first, &constants(rest)?),
        "Reshape" => {
            let shape = rest.first().map(constant).transpose()?.map(|shape| shape.integers()).transpose()?;
            reshape(context, first, &shape.unwrap_or_else(|| node.ints("shape").to_vec()))
        }
        "Flatten" => node.expect("axis", 1).and_then(|()| flat(context, first)),
        "StringNormalizer" => texts::string_normalizer(node, first),
        "Tokenizer" => texts::tokenizer(context, node, first),
        "TfIdfVectorizer" => terms::vectorizer(context, node, first),
        "Log" => terms::logarithm(context, first),
        "Scaler" => scaler(context, node, rows(first)?),
        "Imputer" => imputer(context, node, rows(first)?),
        "Normalizer" => normalizer(context, node, first),
        "OneHotEncoder" => one_hot(context, node, first),
        "LabelEncoder" => label_encoder(context, node, first),
        "TreeEnsembleRegressor" => trees::regressor(context, node, rows(first)?),
        "LinearRegressor" => regressor(context, node, first),
        "MatMul" => mat_mul(context, first, constant(second(rest)?)?),
        "Gemm" => {
            let offsets = rest.get(1).map(constant).transpose()?;
            gemm(context, node, first, constant(second(rest)?)?, offsets)
        }
        "Add" | "Sub" | "Mul" | "Div" => binary(context, arithmetic_of(operator), first, second(rest)?),
        "Sum" => rest.iter().try_fold(first.clone(), |sum, next| binary(context, Arithmetic::Add, &sum, next)),
        _ => curve(context, opset, node, first, rest),
    }
}

/// Operators on scores alone.
fn curve(context: &mut Context, opset: i64, node: &Node, first: &Value, rest: &[Value]) -> Result<Value, String> {
    let known = match node.operator.as_str() {
        "Relu" => Some(Curve::Relu),
        "Tanh" => Some(Curve::Tanh),
        "Sigmoid" => Some(Curve::Logistic),
        "Exp" => Some(Curve::Exponential),
        "Softmax" | "Abs" | "ReduceSum" => None,
        _ => return Err("this operator is not supported".to_owned()),
    };
    if let Some(known) = known {
        return activate(context, known, &*scores(first)?);
    }
    match node.operator.as_str() {
        "Softmax" => {
            check_axis(context, first, node.int("axis", if opset < 13 { 1 } else { -1 }))?;
            softmax(context, &*scores(first)?)
        }
        "Abs" => magnitude(&scores(first)?),
        _ => {
            let axes = rest.first().map(constant).transpose()?.map(|axes| axes.integers()).transpose()?;
            let axes = axes.unwrap_or_else(|| node.ints("axes").to_vec());
            let &[axis] = axes.as_slice() else { return Err(wrong("axes", format!("{axes:?}"), "[1]")) };
            node.expect("keepdims", 1)?;
            check_axis(context, first, axis)?;
            total(context, &*scores(first)?)
        }
    }
}

fn concat_of(context: &mut Context, node: &Node, inputs: &[Value]) -> Result<Value, String> {
    for input in inputs {
        check_axis(context, input, node.int("axis", 1))?;
    }
    concat(context, inputs)
}

fn gather(context: &mut Context, node: &Node, value: &Value, places: &Constant) -> Result<Value, String> {
    check_axis(context, value, node.int("axis", 0))?;
    pick(context, value, &places.integers()?)
}

fn arithmetic_of(operator: &str) -> Arithmetic {
    match operator {
        "Add" => Arithmetic::Add,
        "Sub" => Arithmetic::Sub,
        "Mul" => Arithmetic::Mul,
        _ => Arithmetic::Div,
    }
}

fn binary(context: &mut Context, operator: Arithmetic, a: &Value, b: &Value) -> Result<Value, String> {
    match (a, b) {
        (&Value::Rows(rows), Value::Constant(constant)) => arithmetic(context, operator, rows, constant, false),
        (Value::Constant(constant), &Value::Rows(rows)) => arithmetic(context, operator, rows, constant, true),
        (&Value::Blocks(blocks), Value::Constant(constant)) => {
            terms::arithmetic(context, operator, blocks, constant, false)
        }
        (Value::Constant(constant), &Value::Blocks(blocks)) => {
            terms::arithmetic(context, operator, blocks, constant, true)
        }
        (Value::Scores(scores), Value::Constant(constant)) => {
            with_constant(context, operator, scores, constant, false)
        }
        (Value::Constant(constant), Value::Scores(scores)) => {
            with_constant(context, operator, scores, constant, true)
        }
        (Value::Scores(a), Value::Scores(b)) => with_scores(context, operator, a, b),
        _ => Err("arithmetic of columns with columns is not supported".to_owned()),
    }
}

fn value_of_constant(node: &Node) -> Result<Value, String> {
    let constant = if let Some(tensor) = node.tensor("value")? {
        tensor
    } else if node.has("value_float") {
        Constant::of_numbers(vec![node.float("value_float", 0.0).into()])
    } else if node.has("value_int") {
        Constant::of_numbers(vec![node.int("value_int", 0) as f64])
    } else if node.has("value_ints") {
        Constant::of_numbers(node.ints("value_ints").iter().map(|&number| number as f64).collect())
    } else {
        Constant::of_numbers(node.numbers("value_floats")?)
    };
    Ok(Value::Constant(Rc::new(constant)))
}

fn second(rest: &[Value]) -> Result<&Value, String> {
    rest.first().ok_or_else(|| "the second input is missing".to_owned())
}

fn constants(values: &[Value]) -> Result<Vec<Constant>, String> {
    values.iter().map(|value| constant(value).cloned()).collect()
}

fn constant(value: &Value) -> Result<&Constant, String> {
    match value {
        Value::Constant(constant) => Ok(constant),
        _ => Err("an input depends on the record; expected a constant".to_owned()),
    }
}

fn rows(value: &Value) -> Result<RowsId, String> {
    match value {
        Value::Rows(rows) => Ok(*rows),
        Value::Texts(_) | Value::Lower(_) | Value::Tokens(_) => {
            Err("its input is text; expected numbers".to_owned())
        }
        Value::Blocks(_) => Err("its input has terms of texts; that is not supported".to_owned()),
        Value::Constant(_) => Err("its input is a constant; expected columns of features".to_owned()),
        Value::Scores(_) => Err("its input mixes features, by sums or models; that is not supported".to_owned()),
    }
}

fn scores(value: &Value) -> Result<Rc<Scores>, String> {
    match value {
        Value::Scores(scores) => Ok(Rc::clone(scores)),
        _ => Err("this operator on columns of features is not supported; expected scores".to_owned()),
    }
}
