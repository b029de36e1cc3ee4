//! Paths as definitions name them → what they lead to below some folders. A path is looked at without its `..` first,
//! so that nothing outside tells whether it is there.

use std::path::{Component, Path, PathBuf};

use super::ReachSettingError;

/// Canonical.
#[derive(Debug)]
pub(super) struct Roots(Vec<PathBuf>);

impl Roots {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, ReachSettingError> {
        let root = |path: &PathBuf| {
            path.canonicalize().map_err(|reason| ReachSettingError::FileRoot { path: path.clone(), reason })
        };
        paths.iter().map(root).collect::<Result<_, _>>().map(Self)
    }

    /// The canonical path, links followed, of what is there; none outside, and none where nothing is.
    pub(super) fn find(&self, path: &Path) -> Option<PathBuf> {
        let found = clean(path)?.canonicalize().ok()?;
        self.contain(&found).then_some(found)
    }

    /// Whether a path, or what it leads to where it is on this disk, is inside.
    pub(super) fn hold(&self, path: &Path) -> bool {
        let Some(path) = clean(path) else { return false };
        self.contain(&path.canonicalize().unwrap_or(path))
    }

    fn contain(&self, path: &Path) -> bool {
        self.0.iter().any(|root| path.starts_with(root))
    }
}

/// Absolute, and each `..` taken off with the part before it.
fn clean(path: &Path) -> Option<PathBuf> {
    let mut cleaned = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => drop(cleaned.pop()),
            part => cleaned.push(part),
        }
    }
    Some(cleaned)
}
