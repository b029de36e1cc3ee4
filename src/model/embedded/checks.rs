//! What loaders check alike, and how they say which value of a file is wrong.

use std::fmt;

use crate::form::Node;

pub(super) const FEATURES_MAX: usize = 65_536;
pub(super) const CLASSES_MAX: usize = 1_000;

/// Longest text of the file that an error repeats, in characters.
const QUOTE_CHARS_MAX: usize = 80;

/// A value that may not stand where it does.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{place}{field} is {actual}; expected {expected}")]
pub struct Wrong {
    pub place: Place,
    pub field: &'static str,
    pub actual: String,
    pub expected: String,
}

/// Where in the file a value stands, by the file's own numbers of trees and nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Model,
    Tree(usize),
    Node(usize, usize),
}

impl Place {
    pub(super) fn wrong(
        self,
        field: &'static str,
        actual: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Wrong {
        Wrong { place: self, field, actual: actual.to_string(), expected: expected.to_string() }
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

pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

/// Text from the file as an error may repeat it.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Half of float32's range leaves room for the rounding of each addition.
const SUM_MAX: f64 = f32::MAX as f64 / 2.0;

/// How large margins can get, whichever leaves a row comes to: `[n_outputs]`, sums of magnitudes.
pub(super) struct LeafSums(Vec<f64>);

impl LeafSums {
    pub(super) fn new(base_margins: &[f32]) -> Self {
        Self(base_margins.iter().copied().map(magnitude).collect())
    }

    /// Takes in a tree whose leaves add to `output`, and where they have several numbers to those after it.
    pub(super) fn add(&mut self, output: u32, nodes: &[Node]) {
        let leaves = nodes.iter().filter_map(|node| match node {
            Node::Leaf(numbers) => Some(numbers),
            Node::Split { .. } => None,
        });
        let mut largest = Vec::new();
        for numbers in leaves {
            largest.resize(numbers.len(), 0.0);
            largest
                .iter_mut()
                .zip(numbers)
                .for_each(|(largest, &number)| *largest = magnitude(number).max(*largest));
        }
        self.0[output as usize..].iter_mut().zip(largest).for_each(|(sum, largest)| *sum += largest);
    }

    /// Refuses leaves that could add up to infinity in float32.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let Some(sum) = self.0.iter().find(|&&sum| sum > SUM_MAX) else { return Ok(()) };
        let (actual, expected) = (format!("{sum:.2e}"), format!("at most {SUM_MAX:.2e}"));
        Err(Place::Model.wrong("the sum of the trees' largest leaves", actual, expected))
    }
}

fn magnitude(number: f32) -> f64 {
    f64::from(number.abs())
}
