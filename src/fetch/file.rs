//! A local file → its bytes, under a limit of size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::Reason;

pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(Reason::TooLarge { bytes_max }) } else { Ok(bytes) }
}
