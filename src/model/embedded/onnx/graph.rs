//! A decoded graph → its model: which outputs are scores, which nodes they need, and those one after the other.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::finish::finish;
use super::node::Node;
use super::operators::apply;
use super::proto::{Graph, ValueInfoProto, elem};
use super::select::concat;
use super::tensor::Constant;
use super::values::{COLUMNS_MAX, Context, Names, Rows, Value};
use super::{OnnxError, cut, wrong};
use crate::form::Column;
use crate::model::embedded::FileModel;

pub(super) fn model(graph: Graph) -> Result<FileModel, OnnxError> {
    let mut context = Context::new();
    let mut values = HashMap::new();
    for tensor in &graph.initializers {
        let place = || format!("initializer \"{}\"", cut(&tensor.name));
        let constant = Constant::read(tensor).map_err(|problem| OnnxError::at(place(), problem))?;
        values.insert(tensor.name.clone(), Value::Constant(Rc::new(constant)));
    }
    push_inputs(&mut context, &mut values, &graph.inputs)?;
    let nodes = graph.nodes.into_iter().enumerate().map(|(n, node)| Node::read(n, node));
    let nodes = nodes.collect::<Result<Vec<Node>, _>>()?;
    let outputs = score_outputs(&graph.outputs, &nodes)?;
    for node in needed(&nodes, &outputs) {
        evaluate(&mut context, graph.opset, node, &mut values)?;
    }
    finished(&mut context, &outputs, &values)
}

fn finished(
    context: &mut Context,
    outputs: &[&str],
    values: &HashMap<String, Value>,
) -> Result<FileModel, OnnxError> {
    let place = || format!("output \"{}\"", cut(&outputs.join(" ")));
    let at_outputs = |problem: String| OnnxError::at(place(), problem);
    let value = |name: &&str| values.get(*name).cloned().ok_or_else(|| at_outputs("no node gives it".to_owned()));
    let parts = outputs.iter().map(value).collect::<Result<Vec<Value>, _>>()?;
    let Value::Scores(scores) = concat(context, &parts).map_err(at_outputs)? else {
        return Err(at_outputs("there is no model between it and the features".to_owned()));
    };
    finish(context, &scores).map_err(at_outputs)
}

/// The columns of a record, in the order of the graph's inputs.
fn push_inputs(
    context: &mut Context,
    values: &mut HashMap<String, Value>,
    inputs: &[ValueInfoProto],
) -> Result<(), OnnxError> {
    // Old versions list initializers among the inputs.
    let inputs: Vec<&ValueInfoProto> = inputs.iter().filter(|input| !values.contains_key(&input.name)).collect();
    for input in inputs {
        let at_input = |problem: String| OnnxError::at(format!("input \"{}\"", cut(&input.name)), problem);
        let (width, elem_type) = shape(input).map_err(at_input)?;
        let start = context.names.len() as u32;
        let features = start..start + width as u32;
        if features.end as usize > COLUMNS_MAX {
            return Err(at_input(wrong("the number of columns", features.end, format!("at most {COLUMNS_MAX}"))));
        }
        let is_text = elem_type == elem::STRING;
        context.names.extend(features.clone().map(|_| is_text.then(Names::default)));
        let value = if is_text {
            Value::Texts(features.collect())
        } else {
            let columns = features.map(|source| Column { source, steps: Vec::new() }).collect();
            let is_whole = [elem::INT32, elem::INT64].contains(&elem_type);
            Value::Rows(context.push_rows(Rows { prefix: 0, columns, is_whole, rank: 2 }).map_err(at_input)?)
        };
        values.insert(input.name.clone(), value);
    }
    Ok(())
}

/// Columns and type of the elements.
fn shape(input: &ValueInfoProto) -> Result<(usize, i32), String> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).ok_or("it is no tensor")?;
    let types = [elem::FLOAT, elem::DOUBLE, elem::INT32, elem::INT64, elem::STRING];
    if !types.contains(&tensor.elem_type) {
        return Err(wrong("its type", tensor.elem_type, "1, 11, 6, 7 or 8: float, double, int32, int64, string"));
    }
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let width = match dims {
        [_] => Some(1),
        [_, columns] => usize::try_from(columns.dim_value).ok().filter(|width| (1..=COLUMNS_MAX).contains(width)),
        _ => None,
    };
    let expected = format!("1 or 2 dimensions, the second with a number of columns from 1 to {COLUMNS_MAX}");
    let shown: Vec<i64> = dims.iter().take(8).map(|dim| dim.dim_value).collect();
    width.map(|width| (width, tensor.elem_type)).ok_or_else(|| wrong("its shape", format!("{shown:?}"), expected))
}

/// Outputs that are no labels: of real numbers, or what a ZipMap gives.
fn score_outputs<'a>(outputs: &'a [ValueInfoProto], nodes: &[Node]) -> Result<Vec<&'a str>, OnnxError> {
    let zipped: HashSet<&String> =
        nodes.iter().filter(|node| node.operator == "ZipMap").flat_map(|node| &node.outputs).collect();
    let is_score = |output: &&ValueInfoProto| {
        let tensor = output.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let is_real = tensor.is_some_and(|tensor| [elem::FLOAT, elem::DOUBLE].contains(&tensor.elem_type));
        is_real || zipped.contains(&output.name)
    };
    let scores: Vec<&str> = outputs.iter().filter(is_score).map(|output| output.name.as_str()).collect();
    if scores.is_empty() {
        return Err(OnnxError::at(
            "the graph",
            "it has no output of real numbers: scores, probabilities or predictions",
        ));
    }
    Ok(scores)
}

/// The nodes that the outputs depend on, in their order.
fn needed<'a>(nodes: &'a [Node], outputs: &[&'a str]) -> Vec<&'a Node> {
    let mut names: HashSet<&str> = outputs.iter().copied().collect();
    let mut needed = Vec::new();
    for node in nodes.iter().rev() {
        if node.outputs.iter().any(|output| names.contains(output.as_str())) {
            names.extend(node.inputs.iter().map(String::as_str));
            needed.push(node);
        }
    }
    needed.reverse();
    needed
}

fn evaluate(
    context: &mut Context,
    opset: i64,
    node: &Node,
    values: &mut HashMap<String, Value>,
) -> Result<(), OnnxError> {
    let at_node = |problem: String| OnnxError::at(node.place.as_str(), problem);
    // An input without a name is one that is left out.
    let names: Vec<&String> = node.inputs.iter().take_while(|name| !name.is_empty()).collect();
    if node.inputs[names.len()..].iter().any(|name| !name.is_empty()) {
        return Err(at_node("an input is left out before others; that is not supported".to_owned()));
    }
    let value = |name: &String| {
        let unknown = || at_node(format!("no node before it gives its input \"{}\"", cut(name)));
        values.get(name).cloned().ok_or_else(unknown)
    };
    let inputs = names.into_iter().map(value).collect::<Result<Vec<Value>, _>>()?;
    let outputs = apply(context, opset, node, &inputs).map_err(at_node)?;
    let named = node.outputs.iter().zip(outputs).filter_map(|(name, value)| Some((name.clone(), value?)));
    values.extend(named);
    Ok(())
}
