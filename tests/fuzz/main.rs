//! The fuzz targets over their corpus: every input that a fuzzer kept or that broke a law once.

mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use targets::{TARGETS, Target};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus");
/// Of one input: the corpus stays small.
const INPUT_BYTES_MAX: usize = 4 << 10;

fn inputs(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(CORPUS).join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("reads").path());
    paths.map(|path| (path.clone(), fs::read(path).expect("reads"))).collect()
}

/// Whether the target takes the input; names the input that breaks a law.
fn replay(target: &Target, path: &Path, data: &[u8]) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| targets::run(target, data)));
    outcome.unwrap_or_else(|_| panic!("{} breaks a law of {}", path.display(), target.name))
}

#[test]
fn the_laws_hold_on_the_corpus_and_it_is_taken_and_refused_often_enough() {
    for target in &TARGETS {
        let inputs = inputs(target);
        let n_taken = inputs.iter().filter(|(path, data)| replay(target, path, data)).count();
        let n_refused = inputs.len() - n_taken;
        assert!(n_taken > 5 && n_refused > 5, "{}: {n_taken} taken, {n_refused} refused", target.name);
    }
}

#[test]
fn beginnings_of_the_corpus_keep_the_laws() {
    for target in &TARGETS {
        for (path, data) in inputs(target) {
            let step = data.len() / 32 + 1;
            for end in (0..data.len()).step_by(step) {
                replay(target, &path, &data[..end]);
            }
        }
    }
}

#[test]
fn every_corpus_belongs_to_a_target_and_stays_small() {
    for entry in fs::read_dir(CORPUS).expect("there is a corpus") {
        let name = entry.expect("reads").file_name().into_string().expect("is UTF-8");
        assert!(TARGETS.iter().any(|target| target.name == name), "{name} belongs to no target");
    }
    for (path, data) in TARGETS.iter().flat_map(inputs) {
        assert!(data.len() <= INPUT_BYTES_MAX, "{}: {} bytes", path.display(), data.len());
    }
}
