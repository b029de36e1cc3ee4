//! The bytes of a model file → its model, by the loader that knows them.

use std::sync::Arc;

use super::archive::{self, ArchiveError};
use super::file_model::FileModel;
use super::lightgbm::{self, LightgbmError};
use super::onnx::{self, OnnxError};
use super::xgboost::{self, XgboostError};

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Xgboost(#[from] XgboostError),
    #[error(transparent)]
    Lightgbm(#[from] LightgbmError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{name} in the archive: {reason}")]
    Inside { name: String, reason: Box<FileError> },
    #[error("this is {what}; supported: {SUPPORTED}")]
    Unknown { what: String },
}

const SUPPORTED: &str = "XGBoost's JSON and UBJSON, LightGBM's text, ONNX, and a model.tar.gz with one of them";

/// What a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Xgboost,
    Lightgbm,
    Onnx,
    Gzip,
}

/// Reads a model file, whatever wrote it; what is packed may take `unpacked_bytes_max`.
pub fn read(bytes: &[u8], unpacked_bytes_max: u64) -> Result<FileModel, FileError> {
    match kind(bytes) {
        Some(Kind::Gzip) => {
            let file = archive::model_file(bytes, unpacked_bytes_max)?;
            read_plain(&file.bytes)
                .map_err(|reason| FileError::Inside { name: file.name, reason: Box::new(reason) })
        }
        _ => read_plain(bytes),
    }
}

fn read_plain(bytes: &[u8]) -> Result<FileModel, FileError> {
    match kind(bytes) {
        Some(Kind::Xgboost) => Ok(FileModel::Form(Arc::new(xgboost::load(bytes)?))),
        Some(Kind::Lightgbm) => Ok(FileModel::Form(Arc::new(lightgbm::load(bytes)?))),
        Some(Kind::Onnx) => Ok(onnx::load(bytes)?),
        Some(Kind::Gzip) => Err(FileError::Unknown { what: "an archive inside an archive".to_owned() }),
        None => Err(FileError::Unknown { what: what(bytes) }),
    }
}

fn kind(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Kind::Gzip),
        _ if lightgbm::recognises(bytes) => Some(Kind::Lightgbm),
        _ if bytes.trim_ascii_start().starts_with(b"{") => Some(Kind::Xgboost),
        _ if onnx::recognise(bytes) => Some(Kind::Onnx),
        _ => None,
    }
}

/// What a file without loader seems to be, and what to do about it.
fn what(bytes: &[u8]) -> String {
    const XGBOOST: &str = "load it with the xgboost that wrote it and save it with save_model(\"model.ubj\")";
    match bytes {
        [] => "an empty file".to_owned(),
        _ if xgboost::is_old_binary(bytes) => format!("XGBoost's old binary format; {XGBOOST}"),
        // The protocols of pickles that have a mark.
        [0x80, 2..=5, ..] => {
            format!("a Python pickle, which is code and is not run; if it is XGBoost's, {XGBOOST}")
        }
        [b'P', b'K', 3, 4, ..] => "a ZIP archive".to_owned(),
        [b'[', ..] => "a JSON array".to_owned(),
        [first, ..] => format!("no model that is known, from its first byte 0x{first:02x} on"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_loader_are_named_with_what_to_do() {
        let raw_binary = [&[0, 0, 0, 0x3f][..], &[0; 132], &15u64.to_le_bytes(), b"binary:logistic"].concat();
        let cases: [(&[u8], &str); 9] = [
            (b"", "this is an empty file; supported: XGBoost's JSON and UBJSON, LightGBM's text, ONNX, and a"),
            (b"binf\0\0\0\x3f", "this is XGBoost's old binary format; load it with the xgboost that wrote it"),
            (b"bs64\tYmlu", "this is XGBoost's old binary format"),
            (&raw_binary, "this is XGBoost's old binary format"),
            (b"\x80\x04\x95", "this is a Python pickle, which is code and is not run; if it is XGBoost's, load"),
            (b"PK\x03\x04", "this is a ZIP archive"),
            (b"[1, 2]", "this is a JSON array"),
            (b"\x09\x07", "this is no model that is known, from its first byte 0x09 on; supported"),
            (b"\x1f\x8b", "this is no archive that can be read"),
        ];
        for (bytes, start) in cases {
            let text = read(bytes, 1 << 20).err().expect("it is refused").to_string();
            assert!(text.starts_with(start), "got: {text}\nwant: {start}");
        }
    }
}
