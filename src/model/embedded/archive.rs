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
    #[error("the archive has an entry with an absolute path, or with '..' in it: {name}")]
    LeadsOut { name: String },
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
        if leads_out(&entry.path()?) {
            return Err(Stopped::Refused(ArchiveError::LeadsOut { name: shown(&entry)? }));
        }
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

/// Nothing is written, but whoever packs so means no model.
fn leads_out(path: &Path) -> bool {
    path.components().any(|part| matches!(part, Component::ParentDir | Component::RootDir | Component::Prefix(_)))
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tar::{Builder, EntryType, Header};

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn header(kind: EntryType, size: usize) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(0o644);
        header
    }

    /// Regular files by name and content.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = header(EntryType::Regular, content.len());
            builder.append_data(&mut header, name, *content).unwrap();
        }
        packed(&builder.into_inner().unwrap())
    }

    fn found(gzip: &[u8]) -> Result<(String, Vec<u8>), String> {
        let file = model_file(gzip, LIMIT).map_err(|error| error.to_string())?;
        Ok((file.name, file.bytes))
    }

    #[test]
    fn the_one_model_file_is_found_among_others() {
        let long = format!("{}model.ubj", "folder/".repeat(30));
        for name in ["xgboost-model", "./xgboost-model", "a/b/model.json", "model.txt", "model.onnx", &long] {
            let others: [(&str, &[u8]); 5] = [
                ("code/inference.json", b"{}"),
                ("._model.json", b"x"),
                ("README.md", b"y"),
                (name, b"model"),
                ("model/code/requirements.txt", b"numpy"),
            ];
            let (found, bytes) = found(&archive(&others)).unwrap();
            assert!(name.trim_start_matches("./").starts_with(found.trim_end_matches("...")), "{found}");
            assert_eq!(bytes, b"model");
        }
    }

    #[test]
    fn several_model_files_or_none_are_named() {
        let several = found(&archive(&[("a.json", b"1"), ("b", b"2"), ("xgboost-model", b"3")]));
        let want = "the archive has several model files: a.json, xgboost-model; expected one";
        assert_eq!(several, Err(want.to_owned()));
        let none = found(&archive(&[("model.pkl", b"1"), ("code/model.json", b"2"), ("new\nline", b"3")]));
        let want = "the archive has no model file (xgboost-model, *.json, *.ubj, *.txt, *.onnx); its files: model.pkl, \
            code/model.json, new\\nline";
        assert_eq!(none, Err(want.to_owned()));
        assert!(found(&archive(&[])).unwrap_err().ends_with("its files: none"));
    }

    #[test]
    fn links_are_not_followed() {
        let mut builder = Builder::new(Vec::new());
        for (kind, target) in [(EntryType::Symlink, "/etc/passwd"), (EntryType::Link, "other")] {
            builder.append_link(&mut header(kind, 0), "model.json", target).unwrap();
        }
        let told = found(&packed(&builder.into_inner().unwrap())).unwrap_err();
        assert!(told.starts_with("the archive has no model file"), "{told}");
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for name in ["/model.json", "/etc/passwd", "../model.json", "a/../../model.json", "a/.."] {
            let mut builder = Builder::new(Vec::new());
            builder.append_data(&mut header(EntryType::Regular, 1), "model.json", &b"1"[..]).unwrap();
            let mut raw = header(EntryType::Regular, 1);
            raw.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            raw.set_cksum();
            builder.append(&raw, &b"2"[..]).unwrap();
            let told = format!("the archive has an entry with an absolute path, or with '..' in it: {name}");
            assert_eq!(found(&packed(&builder.into_inner().unwrap())), Err(told));
        }
    }

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused_early() {
        let started = Instant::now();
        let zeros = vec![0; 64 << 20];
        for files in [[("model.json", &*zeros), ("b", b"")], [("padding", &*zeros), ("model.json", b"{}")]] {
            let gzip = archive(&files);
            assert!(gzip.len() < 1 << 20);
            assert_eq!(found(&gzip), Err("the archive unpacks to more than 1048576 bytes".to_owned()));
        }
        let claim = header(EntryType::Regular, usize::MAX >> 2);
        let told = found(&packed(claim.as_bytes())).unwrap_err();
        assert!(told.starts_with("this is no archive that can be read"), "{told}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_thousand_entries_are_read_and_no_more() {
        let names: Vec<String> = (0..ENTRIES_MAX).map(|n| n.to_string()).collect();
        let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        files[ENTRIES_MAX - 1].0 = "model.json";
        assert!(found(&archive(&files)).is_ok());
        files.push(("one-more", b""));
        assert_eq!(found(&archive(&files)), Err("the archive has more than 1000 entries".to_owned()));
    }

    #[test]
    fn what_is_damaged_or_cut_is_refused() {
        let whole = archive(&[("model.json", &[7; 5_000])]);
        let plain = packed(b"{}");
        for bytes in [&whole[..whole.len() / 2], &whole[..20], &plain, &[0x1f, 0x8b]] {
            let told = found(bytes).unwrap_err();
            assert!(told.starts_with("this is no archive that can be read: "), "{told}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn bytes_changed_at_random_do_no_harm(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            is_inside in any::<bool>(),
        ) {
            let mut builder = Builder::new(Vec::new());
            for name in ["model.json", "code/inference.py", &"folder/".repeat(30)] {
                builder.append_data(&mut header(EntryType::Regular, 3), name, &b"abc"[..]).unwrap();
            }
            let mut bytes = builder.into_inner().unwrap();
            bytes = if is_inside { bytes } else { packed(&bytes) };
            for (place, byte) in changes {
                *place.get_mut(&mut bytes) = byte;
            }
            let started = Instant::now();
            if let Ok(file) = model_file(&if is_inside { packed(&bytes) } else { bytes }, LIMIT) {
                prop_assert!(file.bytes.len() as u64 <= LIMIT);
            }
            prop_assert!(started.elapsed() < Duration::from_secs(5));
        }
    }
}
