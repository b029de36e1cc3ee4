//! Bytes from where an operator's definition says, under size limits. Local files for now.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{path}: {reason}")]
    Io { path: PathBuf, reason: io::Error },
    #[error("{path}: larger than the limit of {limit} bytes")]
    TooLarge { path: PathBuf, limit: u64 },
}

/// The whole file, if it has at most `bytes_max` bytes.
pub fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
    let io_error = |reason| FetchError::Io { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io_error)?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() as u64 > bytes_max {
        return Err(FetchError::TooLarge { path: path.to_owned(), limit: bytes_max });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_the_limit_and_a_missing_file_are_named() {
        let manifest = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        assert!(read_file(manifest, 1 << 20).is_ok());
        let too_large = read_file(manifest, 10).expect_err("is too large").to_string();
        assert!(too_large.ends_with("Cargo.toml: larger than the limit of 10 bytes"), "{too_large}");
        assert!(read_file(Path::new("no/such/file"), 10).is_err());
    }
}
