//! XGBoost's JSON, as `save_model("model.json")` of 1.7 to 3.x writes it → a form of trees.
//! The file is not trusted: whatever it holds, it costs time and memory in proportion to its
//! length, and ends as an ensemble whose margins are finite or as an error that says where.

mod json;
mod learner;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;

use self::json::Model;
use crate::form::{Body, Form, Node, TreeEnsemble};

/// Longest text of the file that an error repeats, in characters.
const QUOTE_CHARS_MAX: usize = 80;

/// Reads a model. All its trees are summed, as `Booster.predict` does, `best_iteration` or not.
pub fn load(bytes: &[u8]) -> Result<Form, XgboostError> {
    json::recognise(bytes)?;
    let json = json::quote_not_finite(bytes);
    let (mut ensemble, transform) = learner::empty_ensemble(&json::learner(&json)?)?;
    let model = json::model(&json)?;
    check_counts(&model)?;
    push_trees(&mut ensemble, &model)?;
    Ok(Form::of_numbers(Body::Trees(ensemble), transform))
}

/// Why a file is not a model that can be served.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum XgboostError {
    #[error("this looks like UBJSON, not JSON; save the model with save_model(\"model.json\")")]
    Ubjson,
    #[error("this is not JSON: {actual}; save the model with save_model(\"model.json\")")]
    NotJson { actual: String },
    #[error("the file has {actual} bytes; expected fewer than {limit}")]
    TooLong { actual: usize, limit: usize },
    #[error("damaged JSON: {detail}")]
    Damaged { detail: String },
    #[error("{path}: {detail}")]
    Type { path: String, detail: String },
    #[error("booster \"{name}\" is not supported; supported: gbtree")]
    Booster { name: String },
    #[error("objective \"{name}\" is not supported; supported: {}", learner::supported())]
    Objective { name: String },
    #[error("{place}{field} is {actual}; expected {expected}")]
    Value { place: Place, field: &'static str, actual: String, expected: String },
    #[error("{place}a categorical split, which is refused until supported")]
    Categorical { place: Place },
}

/// Where in the file a value stands, by the file's own numbers of trees and nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Model,
    Tree(usize),
    Node(usize, usize),
}

impl Place {
    /// The error of a value that may not stand here.
    fn wrong(self, field: &'static str, actual: impl fmt::Display, expected: impl fmt::Display) -> XgboostError {
        let (actual, expected) = (actual.to_string(), expected.to_string());
        XgboostError::Value { place: self, field, actual, expected }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Model => Ok(()),
            Place::Tree(tree) => write!(f, "tree {tree}: "),
            Place::Node(tree, node) => write!(f, "tree {tree}, node {node}: "),
        }
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

/// Text from the file as an error may repeat it.
fn cut(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn check_counts(model: &Model) -> Result<(), XgboostError> {
    let (n_trees, n_classes) = (model.trees.len(), model.tree_info.len());
    let num_trees = &model.gbtree_model_param.num_trees;
    if n_trees == 0 {
        return Err(Place::Model.wrong("trees", "empty", "at least one tree"));
    }
    if num_trees.parse() != Ok(n_trees) {
        return Err(Place::Model.wrong("num_trees", quote(num_trees), n_trees));
    }
    if n_classes != n_trees {
        let expected = format!("one class for each of {n_trees} trees");
        return Err(Place::Model.wrong("tree_info", format!("{n_classes} classes long"), expected));
    }
    Ok(())
}

/// Parallel trees of a round are trees like others.
fn push_trees(ensemble: &mut TreeEnsemble, model: &Model) -> Result<(), XgboostError> {
    let mut largest_sums: Vec<f64> = ensemble.base_margins.iter().copied().map(magnitude).collect();
    for (t, (tree, &class)) in model.trees.iter().zip(&model.tree_info).enumerate() {
        let output = output(t, class, ensemble.n_outputs)?;
        let nodes = tree::nodes(t, tree, ensemble.n_inputs)?;
        largest_sums[output as usize] += largest_leaf(&nodes);
        ensemble.push_tree(output, nodes);
    }
    check_sums(&largest_sums)
}

/// The margin that a tree adds to.
fn output(t: usize, class: i32, n_outputs: usize) -> Result<u32, XgboostError> {
    let output = u32::try_from(class).ok().filter(|&output| (output as usize) < n_outputs);
    let expected = || format!("a class from 0 to {}", n_outputs - 1);
    output.ok_or_else(|| Place::Tree(t).wrong("tree_info", class, expected()))
}

fn largest_leaf(nodes: &[Node]) -> f64 {
    let leaf = |node: &Node| match node {
        Node::Leaf(numbers) => numbers.iter().copied().map(magnitude).fold(0.0, f64::max),
        Node::Split { .. } => 0.0,
    };
    nodes.iter().map(leaf).fold(0.0, f64::max)
}

fn magnitude(value: f32) -> f64 {
    f64::from(value.abs())
}

/// Refuses leaves that could add up to infinity in float32, whichever leaves a row comes to.
fn check_sums(largest_sums: &[f64]) -> Result<(), XgboostError> {
    // Half of the range leaves room for the rounding of each addition.
    let limit = f64::from(f32::MAX / 2.0);
    let Some(sum) = largest_sums.iter().find(|&&sum| sum > limit) else {
        return Ok(());
    };
    let (actual, expected) = (format!("{sum:.2e}"), format!("at most {limit:.2e}"));
    Err(Place::Model.wrong("the sum of the trees' largest leaves", actual, expected))
}
