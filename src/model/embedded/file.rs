//! The bytes of a model file → a form, by the loader that knows them.

use super::onnx::{self, OnnxError};
use super::xgboost::{self, XgboostError};
use crate::form::Form;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Xgboost(#[from] XgboostError),
}

/// Reads a model file, whatever wrote it.
pub fn read(bytes: &[u8]) -> Result<Form, FileError> {
    if onnx::recognise(bytes) {
        return Ok(onnx::load(bytes)?);
    }
    Ok(xgboost::load(bytes)?)
}
