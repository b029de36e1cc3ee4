//! Where documents stay when the process ends: a shelf and a key → bytes. What they mean, others know.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub shelf: String,
    pub key: String,
    pub bytes: Vec<u8>,
}

/// A shelf and a key are plain names: small letters, digits, hyphens.
pub trait Store: Send + Sync {
    fn load(&self) -> Result<Vec<Document>, StoreError>;

    /// When it returns, the document is there, and stays after a crash of the process or the machine. A crash on the
    /// way leaves the one that was there, or this one; never a part.
    fn put(&self, document: &Document) -> Result<(), StoreError>;

    /// The same for a document that goes.
    fn remove(&self, shelf: &str, key: &str) -> Result<(), StoreError>;

    /// Where a document is, for people.
    fn place(&self, shelf: &str, key: &str) -> String;
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{place}: {reason}")]
    Io { place: String, reason: io::Error },
    #[error("{place}: another process uses this folder")]
    InUse { place: String },
    #[error("{place}: appeared while this process ran; start it again to take it over")]
    Appeared { place: String },
    #[error("{place}: {n_bytes} bytes are more than the limit of {bytes_max} bytes")]
    TooLarge { place: String, n_bytes: u64, bytes_max: u64 },
}

/// The largest holds two deployments of ten variants, each with its container.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;
const EXTENSION: &str = "json";
/// Of documents that are being written.
const UNFINISHED: &str = "unfinished";
const LOCK: &str = "lock";

/// A folder for each shelf, a file for each document. The folder is made with the first document, and belongs to
/// one process at a time.
pub struct FolderStore {
    root: PathBuf,
    lock: Mutex<Option<File>>,
}

impl FolderStore {
    /// A folder that is there is taken; one that is not is not made.
    pub fn open(root: PathBuf) -> Result<Self, StoreError> {
        let lock = if root.is_dir() { Some(lock(&root)?) } else { None };
        Ok(Self { root, lock: Mutex::new(lock) })
    }

    /// Makes the folder with the first document. What another process has put there in the meantime is not known here.
    fn acquire(&self) -> Result<(), StoreError> {
        let mut own = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_some() {
            return Ok(());
        }
        if self.root.is_dir() {
            return Err(StoreError::Appeared { place: self.root.display().to_string() });
        }
        let made = fs::create_dir_all(&self.root).and_then(|()| sync_folder_of(&self.root));
        made.map_err(|reason| failed(&self.root, reason))?;
        *own = Some(lock(&self.root)?);
        Ok(())
    }

    fn path(&self, shelf: &str, key: &str) -> PathBuf {
        self.root.join(shelf).join(key).with_extension(EXTENSION)
    }

    fn load_shelf(&self, shelf: &Path) -> Result<Vec<Document>, StoreError> {
        let mut documents = Vec::new();
        for path in entries(shelf)? {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(EXTENSION) => {
                    let bytes = read(&path)?;
                    documents.push(Document { shelf: stem(shelf), key: stem(&path), bytes });
                }
                // A crash left it; its document is as it was before.
                Some(UNFINISHED) => fs::remove_file(&path).map_err(|reason| failed(&path, reason))?,
                _ => {}
            }
        }
        Ok(documents)
    }
}

impl Store for FolderStore {
    fn load(&self) -> Result<Vec<Document>, StoreError> {
        if !self.root.is_dir() {
            return Ok(Vec::new());
        }
        let shelves = entries(&self.root)?.into_iter().filter(|path| path.is_dir());
        let documents: Vec<Vec<Document>> =
            shelves.map(|shelf| self.load_shelf(&shelf)).collect::<Result<_, _>>()?;
        Ok(documents.into_iter().flatten().collect())
    }

    fn put(&self, document: &Document) -> Result<(), StoreError> {
        self.acquire()?;
        let path = self.path(&document.shelf, &document.key);
        check_size(&path, document.bytes.len() as u64)?;
        write(&path, &document.bytes).map_err(|reason| failed(&path, reason))
    }

    fn remove(&self, shelf: &str, key: &str) -> Result<(), StoreError> {
        let path = self.path(shelf, key);
        let removed = match fs::remove_file(&path) {
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        };
        removed.and_then(|()| sync_folder_of(&path)).map_err(|reason| failed(&path, reason))
    }

    fn place(&self, shelf: &str, key: &str) -> String {
        self.path(shelf, key).display().to_string()
    }
}

/// For as long as the file is open.
fn lock(root: &Path) -> Result<File, StoreError> {
    let at_root = |reason| failed(root, reason);
    let file = File::create(root.join(LOCK)).map_err(at_root)?;
    file.try_lock().map_err(|reason| match reason {
        fs::TryLockError::WouldBlock => StoreError::InUse { place: root.display().to_string() },
        fs::TryLockError::Error(reason) => at_root(reason),
    })?;
    Ok(file)
}

fn check_size(path: &Path, n_bytes: u64) -> Result<(), StoreError> {
    let (place, bytes_max) = (path.display().to_string(), DOCUMENT_BYTES_MAX);
    if n_bytes > bytes_max { Err(StoreError::TooLarge { place, n_bytes, bytes_max }) } else { Ok(()) }
}

fn failed(path: &Path, reason: io::Error) -> StoreError {
    StoreError::Io { place: path.display().to_string(), reason }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// In the order of their names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut entries = read().map_err(|reason| failed(folder, reason))?;
    entries.sort();
    Ok(entries)
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    check_size(path, fs::metadata(path).map_err(|reason| failed(path, reason))?.len())?;
    fs::read(path).map_err(|reason| failed(path, reason))
}

/// Beside its place first, then moved there, each step on the disk before the next.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let shelf = path.parent().unwrap_or(path);
    if !shelf.is_dir() {
        fs::create_dir_all(shelf)?;
        sync_folder_of(shelf)?;
    }
    let unfinished = path.with_extension(UNFINISHED);
    let written = create_private(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(reason) = written.and_then(|()| fs::rename(&unfinished, path)) {
        // What is left of it would only take room.
        let _ = fs::remove_file(&unfinished);
        return Err(reason);
    }
    sync_folder_of(path)
}

/// An Environment may hold what is nobody else's business.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Names are kept by the folder. Windows has no such step.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|_| cfg!(unix)) {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(test: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("explaind-{}-store-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        root
    }

    fn document(shelf: &str, key: &str, text: &str) -> Document {
        Document { shelf: shelf.to_owned(), key: key.to_owned(), bytes: text.into() }
    }

    #[test]
    fn documents_are_there_when_the_folder_is_opened_again() {
        let root = root("again");
        let store = FolderStore::open(root.clone()).expect("opens");
        assert_eq!(store.load().expect("loads"), []);
        assert!(!root.exists(), "nothing was written");
        for (shelf, key, text) in
            [("b", "x", "1"), ("a", "z", "2"), ("b", "x", "3"), ("b", "y", "4"), ("b", "w", "")]
        {
            store.put(&document(shelf, key, text)).expect("writes");
        }
        store.remove("b", "y").expect("is there");
        drop(store);
        let store = FolderStore::open(root.clone()).expect("opens");
        let expected = [document("a", "z", "2"), document("b", "w", ""), document("b", "x", "3")];
        assert_eq!(store.load().expect("loads"), expected);
        fs::remove_dir_all(root).expect("is removed");
    }

    #[test]
    fn what_a_crash_left_unfinished_goes_and_the_old_document_stays() {
        let root = root("crash");
        let store = FolderStore::open(root.clone()).expect("opens");
        store.put(&document("a", "x", "old")).expect("writes");
        fs::write(root.join("a/x.unfinished"), "ne").expect("writes");
        assert_eq!(store.load().expect("loads"), [document("a", "x", "old")]);
        assert!(!root.join("a/x.unfinished").exists());
        fs::remove_dir_all(root).expect("is removed");
    }

    #[test]
    fn a_folder_has_one_owner() {
        let root = root("owner");
        let (first, second) = (FolderStore::open(root.clone()), FolderStore::open(root.clone()));
        first.expect("opens").put(&document("a", "x", "1")).expect("writes");
        let first = FolderStore::open(root.clone()).expect("the other is gone");
        let refused = second.expect("opens").put(&document("a", "x", "2")).expect_err("is not known to it");
        assert!(matches!(refused, StoreError::Appeared { .. }), "{refused}");
        assert!(matches!(FolderStore::open(root.clone()), Err(StoreError::InUse { .. })));
        assert_eq!(first.load().expect("loads"), [document("a", "x", "1")]);
        fs::remove_dir_all(root).expect("is removed");
    }

    #[test]
    fn a_document_that_could_not_be_read_again_is_not_written() {
        let root = root("large");
        let store = FolderStore::open(root.clone()).expect("opens");
        let large = Document { bytes: vec![b' '; DOCUMENT_BYTES_MAX as usize + 1], ..document("a", "x", "") };
        assert!(matches!(store.put(&large), Err(StoreError::TooLarge { n_bytes: 67_108_865, .. })));
        assert_eq!(store.load().expect("loads"), []);
        fs::remove_dir_all(root).expect("is removed");
    }

    #[test]
    fn a_document_that_is_gone_is_removed() {
        let root = root("gone");
        let store = FolderStore::open(root.clone()).expect("opens");
        store.put(&document("a", "x", "1")).expect("writes");
        fs::remove_file(root.join("a/x.json")).expect("is there");
        store.remove("a", "x").expect("is gone");
        fs::remove_dir_all(root).expect("is removed");
    }

    #[test]
    fn a_failed_write_is_told_with_its_place_and_changes_nothing() {
        let root = root("failed");
        let store = FolderStore::open(root.clone()).expect("opens");
        store.put(&document("a", "x", "1")).expect("writes");
        fs::create_dir(root.join("a/y.json")).expect("is made");
        let refused = store.put(&document("a", "y", "2")).expect_err("a folder is in the way").to_string();
        assert!(refused.contains("y.json"), "{refused}");
        fs::remove_dir(root.join("a/y.json")).expect("is removed");
        assert_eq!(store.load().expect("loads"), [document("a", "x", "1")]);
        fs::remove_dir_all(root).expect("is removed");
    }
}
