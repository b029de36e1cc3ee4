//! A `model.tar.gz` → the one model file inside it, unpacked in memory.
//! The archive is not trusted: nothing is written, links are not followed, and what is unpacked has a limit. It must not
//! know what the file means.

use std::io::{self, Read};
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry};

use super::checks::cut;

const ENTRIES_MAX: usize = 1_000;

/// Files that an error names.
const NAMES_MAX: usize = 8;

/// SageMaker's own XGBoost calls its model so.
const MODEL_NAME: &str = "xgboost-model";
const MODEL_EXTENSIONS: [&str; 4] = ["json", "ubj", "txt", "onnx"];

/// Below this folder are scripts of inference.
const CODE_FOLDER: &str = "code";

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ArchiveError {
    #[error("this is no archive that can be read: {reason}")]
    Damaged { reason: String },
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the archive has more than {ENTRIES_MAX} entries")]
    TooMany,
    #[error(
        "the archive has no model file ({MODEL_NAME}, *.json, *.ubj, *.txt, *.onnx); its files: {}",
        list(names)
    )]
    None { names: Vec<String> },
    #[error("the archive has several model files: {}; expected one", list(names))]
    Several { names: Vec<String> },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

pub(super) struct ModelFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The model file of a gzipped tar archive.
pub(super) fn model_file(gzip: &[u8], unpacked_bytes_max: u64) -> Result<ModelFile, ArchiveError> {
    let mut unpacked = Limited { inner: MultiGzDecoder::new(gzip), n_left: unpacked_bytes_max, is_over: false };
    find(Archive::new(&mut unpacked), unpacked_bytes_max).map_err(|error| match error {
        Stopped::Refused(error) => error,
        Stopped::Failed(_) if unpacked.is_over => ArchiveError::TooLarge { limit: unpacked_bytes_max },
        Stopped::Failed(error) => ArchiveError::Damaged { reason: cut(&error.to_string()) },
    })
}

enum Stopped {
    Refused(ArchiveError),
    Failed(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn find<R: Read>(mut archive: Archive<R>, bytes_max: u64) -> Result<ModelFile, Stopped> {
    let (mut models, mut others) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    for (n, entry) in archive.entries()?.enumerate() {
        if n == ENTRIES_MAX {
            return Err(Stopped::Refused(ArchiveError::TooMany));
        }
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let is_model = is_model(&entry.path()?);
        let names = if is_model { &mut models } else { &mut others };
        if names.len() < NAMES_MAX {
            names.push(shown(&entry)?);
        }
        if is_model && models.len() == 1 {
            // A second guard: an entry must not become longer than what it was read from.
            entry.by_ref().take(bytes_max).read_to_end(&mut bytes)?;
        }
    }
    match models.len() {
        0 => Err(Stopped::Refused(ArchiveError::None { names: others })),
        1 => Ok(ModelFile { name: models.remove(0), bytes }),
        _ => Err(Stopped::Refused(ArchiveError::Several { names: models })),
    }
}

/// Hidden files are none, such as those that macOS adds.
fn is_model(path: &Path) -> bool {
    let is_code = |part: Component| part.as_os_str() == CODE_FOLDER;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let has_extension =
        MODEL_EXTENSIONS.iter().any(|&extension| path.extension().is_some_and(|own| own == extension));
    !path.components().any(is_code) && !name.starts_with('.') && (name == MODEL_NAME || has_extension)
}

fn shown<R: Read>(entry: &Entry<R>) -> io::Result<String> {
    Ok(cut(&entry.path()?.to_string_lossy().escape_debug().to_string()))
}

/// A reader that fails behind its limit, where `Read::take` would end.
struct Limited<R> {
    inner: R,
    n_left: u64,
    is_over: bool,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let n_left = self.n_left.checked_sub(n as u64);
        self.is_over |= n_left.is_none();
        self.n_left = n_left.ok_or_else(|| io::Error::other("the limit is reached"))?;
        Ok(n)
    }
}
