//! LightGBM's text, as `save_model` of 2.x to 4.x writes it (versions v2, v3 and v4) → a form of trees.
//! The file is not trusted: whatever it holds, it costs time and memory in proportion to its length, and ends as an
//! ensemble whose margins are finite or as an error that says where.

mod objective;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use self::objective::Objective;
use self::text::{Fields, Text};
use super::checks::{CLASSES_MAX, FEATURES_MAX, LeafSums, Place, Wrong, quote};
use crate::form::{Body, Form, Transform, TreeEnsemble};

const VERSIONS: [&str; 3] = ["v2", "v3", "v4"];

/// Why a file is not a model that can be served.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LightgbmError {
    #[error("the file has {actual} bytes; expected fewer than {limit}")]
    TooLong { actual: usize, limit: usize },
    #[error("byte {at} is not UTF-8")]
    NotUtf8 { at: usize },
    #[error("the file ends inside the trees; it was cut")]
    Cut,
    #[error("objective \"{name}\" is not supported; supported: {}", objective::supported())]
    Objective { name: String },
    #[error("{place}linear trees are not supported; train with linear_tree=false")]
    Linear { place: Place },
    #[error(transparent)]
    Value(#[from] Wrong),
}

/// Whether a file begins as LightGBM's do.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n")
}

/// Reads a model. All its trees are summed, `best_iteration` or not.
pub(super) fn load(bytes: &[u8]) -> Result<Form, LightgbmError> {
    let text = Text::read(bytes)?;
    let header = Header::read(&text)?;
    let mut ensemble = TreeEnsemble::new(header.n_features, vec![0.0; header.n_outputs], 1);
    let mut sums = LeafSums::new(&ensemble.base_margins);
    for (t, fields) in text.trees.iter().enumerate() {
        let nodes = tree::nodes(t, fields, &header)?;
        let output = (t % header.n_outputs) as u32;
        sums.add(output, &nodes);
        ensemble.push_tree(output, nodes);
    }
    sums.check()?;
    Ok(Form::of_numbers(Body::Trees(ensemble), header.transform))
}

/// What all trees share.
struct Header {
    n_features: usize,
    n_outputs: usize,
    transform: Transform,
    /// Of all leaves.
    factor: f64,
}

impl Header {
    fn read(text: &Text) -> Result<Self, LightgbmError> {
        let fields = &text.header;
        check_version(fields)?;
        let last_feature: usize = fields.number("max_feature_idx", 0..=FEATURES_MAX - 1)?;
        let n_outputs = fields.number("num_tree_per_iteration", 1..=CLASSES_MAX)?;
        let objective = Objective::read(fields.find("objective"), n_outputs)?;
        let n_rounds = n_rounds(text.trees.len(), n_outputs)?;
        let is_mean = fields.find("average_output").is_some();
        let factor = if is_mean { objective.factor / n_rounds as f64 } else { objective.factor };
        Ok(Self { n_features: last_feature + 1, n_outputs, transform: objective.transform, factor })
    }
}

fn check_version(fields: &Fields) -> Result<(), Wrong> {
    let version = fields.text("version")?;
    if VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(Place::Model.wrong("version", quote(version), VERSIONS.join(", ")))
}

fn n_rounds(n_trees: usize, n_outputs: usize) -> Result<usize, Wrong> {
    if n_trees > 0 && n_trees.is_multiple_of(n_outputs) {
        return Ok(n_trees / n_outputs);
    }
    let expected = format!("a multiple of num_tree_per_iteration, {n_outputs}");
    Err(Place::Model.wrong("the number of trees", n_trees, expected))
}
