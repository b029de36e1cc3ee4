//! Where the files of many models are, below a local folder or a prefix of S3, and the one that a name leads to there.
//! A name leads to a regular file below the folder, links followed, or to an object below the prefix, or to none.

use std::io;
use std::path::{Path, PathBuf};

use super::folder::Misfit;
use crate::fetch::{Reach, fetch, read_file};
use crate::model::TargetName;
use crate::offload::offload;

pub enum Place {
    /// Canonical.
    Folder(PathBuf),
    Prefix(Prefix),
}

/// `s3://BUCKET/`, or `s3://BUCKET/.../`.
pub struct Prefix {
    url: String,
    reach: Reach,
}

impl Place {
    pub fn folder(path: &Path) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if root.is_dir() { Ok(Self::Folder(root)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// `url` ends with a slash.
    pub fn prefix(url: String, reach: Reach) -> Self {
        Self::Prefix(Prefix { url, reach })
    }

    /// The bytes of one model; none where the name leads to nothing.
    pub(super) async fn read(&self, name: &TargetName, bytes_max: u64) -> Result<Option<Vec<u8>>, Misfit> {
        match self {
            Self::Folder(root) => {
                let (root, name) = (root.clone(), name.clone());
                offload(move |_| read_below(&root, &name, bytes_max)).await
            }
            // What is no plain text in a URL is escaped when the request is signed, and no name has escapes of its own.
            Self::Prefix(Prefix { url, reach }) => match fetch(&format!("{url}{name}"), bytes_max, reach).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.is_absent() => Ok(None),
                Err(error) => Err(error.into_reason().into()),
            },
        }
    }
}

fn read_below(root: &Path, name: &TargetName, bytes_max: u64) -> Result<Option<Vec<u8>>, Misfit> {
    let Some(path) = find(root, name)? else { return Ok(None) };
    read_file(&path, bytes_max).map(Some).map_err(|error| error.into_reason().into())
}

/// The canonical path of a regular file below a canonical folder; none where the name leads to anything else.
fn find(root: &Path, name: &TargetName) -> io::Result<Option<PathBuf>> {
    let path = match name.below(root).canonicalize() {
        Err(error) if leads_nowhere(&error) => return Ok(None),
        outcome => outcome?,
    };
    Ok(Some(path).filter(|path| path.starts_with(root) && path.is_file()))
}

fn leads_nowhere(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    // ErrorKind::FilesystemLoop has no stable name yet.
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}
