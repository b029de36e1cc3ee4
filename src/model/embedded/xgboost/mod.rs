//! XGBoost's JSON and UBJSON, as `save_model` of 1.7 to 3.x writes them → a form of trees or of one dense layer.
//! The file is not trusted: whatever it holds, it costs time and memory in proportion to its
//! length, and ends as a form or as an error that says where. The margins of trees are finite.

mod categories;
mod document;
mod json;
mod learner;
mod linear;
mod parts;
#[cfg(test)]
mod tests;
mod tree;
mod trees;
mod ubjson;

use self::document::Document;
use self::learner::Booster;
use self::parts::{Content, Dart, File, Learner, Linear, Trees};
use super::checks::Wrong;
use crate::form::Form;

/// Reads a model. All its trees are summed, as `Booster.predict` does, `best_iteration` or not.
pub fn load(bytes: &[u8]) -> Result<Form, XgboostError> {
    let document = Document::open(bytes)?;
    let (booster, frame) = learner::read(&document.read::<File<Learner>>()?)?;
    match booster {
        Booster::Trees => Ok(trees::form(frame, &content::<Trees>(&document)?.model)?),
        Booster::Dart => Ok(trees::dart_form(frame, &content::<Dart>(&document)?)?),
        Booster::Linear => Ok(linear::form(frame, &content::<Linear>(&document)?.model)?),
    }
}

/// Bytes of the learner's parameters in the old binary format, before the name of its objective.
const OLD_HEADER_BYTES: usize = 136;

/// The format of before JSON: marked, or the parameters themselves.
pub(super) fn is_old_binary(bytes: &[u8]) -> bool {
    let is_name_byte = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b':' | b'_');
    let name =
        bytes.get(OLD_HEADER_BYTES..).and_then(|rest| rest.split_first_chunk()).and_then(|(length, rest)| {
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            rest.get(..length).filter(|name| !name.is_empty())
        });
    bytes.starts_with(b"binf")
        || bytes.starts_with(b"bs64")
        || name.is_some_and(|name| name.iter().all(is_name_byte))
}

fn content<B: serde::de::DeserializeOwned>(document: &Document) -> Result<B, XgboostError> {
    Ok(document.read::<File<Content<B>>>()?.learner.gradient_booster)
}

/// Why a file is not a model that can be served.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum XgboostError {
    #[error("the file has {actual} bytes; expected fewer than {limit}")]
    TooLong { actual: usize, limit: usize },
    #[error("damaged {encoding}: {detail}")]
    Damaged { encoding: &'static str, detail: String },
    #[error("{path}: {detail}")]
    Type { path: String, detail: String },
    #[error("booster \"{name}\" is not supported; supported: {}", learner::boosters())]
    Booster { name: String },
    #[error("objective \"{name}\" is not supported; supported: {}", learner::objectives())]
    Objective { name: String },
    #[error(transparent)]
    Value(#[from] Wrong),
}
