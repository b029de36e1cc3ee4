//! Paths as definitions name them → what they lead to below some folders, but for what the server keeps to itself there.
//! A path is looked at without its `..` first, so that nothing outside tells whether it is there.

use std::path::{Component, Path, PathBuf};

use super::ReachSettingError;

#[derive(Debug)]
pub(super) struct Roots {
    /// Canonical.
    inside: Vec<PathBuf>,
    /// Absolute. Where they lead is looked at each time: they may be made, or linked anew, while the server runs.
    kept: Vec<PathBuf>,
}

impl Roots {
    pub(super) fn open(roots: &[PathBuf], kept: &[PathBuf]) -> Result<Self, ReachSettingError> {
        let root = |path: &PathBuf| {
            path.canonicalize().map_err(|reason| ReachSettingError::FileRoot { path: path.clone(), reason })
        };
        let inside = roots.iter().map(root).collect::<Result<_, _>>()?;
        // An empty path names nothing.
        let kept = kept.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
        Ok(Self { inside, kept })
    }

    /// The canonical path, links followed, of what is there; none outside, and none where nothing is.
    pub(super) fn find(&self, path: &Path) -> Option<PathBuf> {
        let found = clean(path)?.canonicalize().ok()?;
        self.contain(&found).then_some(found)
    }

    /// Whether a path, or what it leads to as far as it is on this disk, is inside.
    pub(super) fn hold(&self, path: &Path) -> bool {
        clean(path).is_some_and(|path| self.contain(&settled(&path)))
    }

    fn contain(&self, path: &Path) -> bool {
        self.inside.iter().any(|root| path.starts_with(root)) && !self.kept.iter().any(|kept| meet(path, kept))
    }
}

/// Whether a path leads into what is kept, or is a folder that leads to it.
fn meet(path: &Path, kept: &Path) -> bool {
    let kept = settled(kept);
    path.starts_with(&kept) || kept.starts_with(path)
}

/// Of an absolute path: canonical as far as it is there, and the rest as it is named.
fn settled(path: &Path) -> PathBuf {
    let there = |start: &Path| Some(start.canonicalize().ok()?.join(path.strip_prefix(start).ok()?));
    without_parents(&path.ancestors().find_map(there).unwrap_or_else(|| path.to_owned()))
}

fn clean(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok().map(|path| without_parents(&path))
}

/// Each `..` taken off with the part before it.
fn without_parents(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(cleaned.pop()),
            part => cleaned.push(part),
        }
    }
    cleaned
}
