//! ONNX, as skl2onnx and onnxmltools write pipelines of scikit-learn, XGBoost and LightGBM → a form,
//! or a model over texts. The graph is read back from its scores; what only makes labels is left out. The file is not trusted: it costs time
//! and memory in proportion to its length and to stated limits, and ends as a form or as an error that says where.

mod activations;
#[cfg(test)]
mod builder;
mod columns;
mod encoders;
mod finish;
mod forest;
mod graph;
#[cfg(test)]
mod hostile;
mod linear;
mod node;
mod operators;
mod proto;
mod scores;
mod select;
mod splits;
mod tensor;
mod terms;
#[cfg(test)]
mod tests;
mod text_model;
#[cfg(test)]
mod text_tests;
mod texts;
mod trees;
mod values;

use super::file_model::FileModel;

/// Longest text of the file that an error repeats, in characters.
const QUOTE_CHARS_MAX: usize = 80;

/// Why a file is not a model that can be served.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OnnxError {
    #[error("damaged ONNX: {detail}")]
    Damaged { detail: String },
    #[error("this is no ONNX model: it has no graph")]
    NoGraph,
    #[error("{actual} times {what}; the limit is {limit}")]
    TooMany { what: &'static str, actual: usize, limit: usize },
    #[error("{place}: {problem}")]
    Place { place: String, problem: String },
}

impl OnnxError {
    fn at(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Place { place: place.into(), problem: problem.into() }
    }
}

/// Whether a file begins as ONNX files do, with the version of their format.
pub fn recognise(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 0x01..=0x7f, ..])
}

/// Reads a model.
pub fn load(bytes: &[u8]) -> Result<FileModel, OnnxError> {
    graph::model(proto::read(bytes)?)
}

/// Text from the file as an error may repeat it: short, and in one line.
fn cut(text: &str) -> String {
    let mut escaped = text.escape_debug();
    let shown: String = escaped.by_ref().take(QUOTE_CHARS_MAX).collect();
    if escaped.next().is_some() { format!("{shown}...") } else { shown }
}

/// The problem of something that is not as it must be.
fn wrong(what: &str, actual: impl std::fmt::Display, expected: impl std::fmt::Display) -> String {
    format!("{what} is {}; expected {expected}", cut(&actual.to_string()))
}
