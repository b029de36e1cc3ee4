//! The house rules that a compiler does not hold: which rooms may import which, and what every file must say.

mod control_plane;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom; `config`, `telemetry` and `offload` are open to all. The rule in words is in `src/lib.rs`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("telemetry", &[]),
    ("offload", &[]),
    ("shap", &[]),
    ("records", &[]),
    ("form", &["shap"]),
    ("fetch", &[]),
    ("compute", &["shap", "form"]),
    ("model", &["records", "shap", "form", "fetch"]),
    ("explain", &["records", "model", "shap", "form", "compute"]),
    ("endpoints", &["explain", "model", "records", "shap", "fetch"]),
    ("aws", &["endpoints", "explain", "model", "records", "shap"]),
    ("http", &["aws", "endpoints", "explain", "records"]),
    ("cli", &["http", "aws", "endpoints", "explain", "model", "compute", "records", "fetch", "shap"]),
];
const OPEN_TO_ALL: &[&str] = &["config", "telemetry", "offload"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

/// The first part of every `crate::` path in a source, groups in braces opened.
fn imported_rooms(source: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (start, _) in source.match_indices("crate::") {
        let rest = &source[start + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = &group[..group.find("};").unwrap_or(0)];
                rooms.extend(group.split(',').map(first_word));
            }
            None => drop(rooms.insert(first_word(rest))),
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn room_of(path: &Path) -> String {
    let below_src = path.strip_prefix(root().join("src")).expect("sources are below src");
    let first = below_src.components().next().expect("a file has a name");
    Path::new(&first).file_stem().expect("a room has a name").to_string_lossy().into_owned()
}

#[test]
fn imports_go_one_way() {
    for path in files_below(&root().join("src"), "rs") {
        let room = room_of(&path);
        if room == "lib" || room == "main" {
            continue;
        }
        let (_, allowed) = MAY_IMPORT.iter().find(|(name, _)| *name == room).expect("every room has its rule");
        let source = fs::read_to_string(&path).expect("sources are text");
        for imported in imported_rooms(&source) {
            let is_allowed = imported == room
                || OPEN_TO_ALL.contains(&imported.as_str())
                || allowed.contains(&imported.as_str());
            assert!(is_allowed, "{}: {room} may not import {imported}", path.display());
        }
    }
}

#[test]
fn the_reader_of_imports_sees_them_all() {
    let source = "use crate::{http, telemetry::x};\nuse crate::shap::Design; fn f() { crate::form::g() }";
    let rooms: Vec<String> = imported_rooms(source).into_iter().collect();
    assert_eq!(rooms, ["form", "http", "shap", "telemetry"]);
}

#[test]
fn every_source_says_what_it_is_and_stays_small() {
    for folder in ["src", "tests", "benches"] {
        for path in files_below(&root().join(folder), "rs") {
            let source = fs::read_to_string(&path).expect("sources are text");
            assert!(source.starts_with("//!"), "{} does not say what it is", path.display());
            assert!(source.lines().count() <= 500, "{} has more than 500 lines", path.display());
        }
    }
}

#[test]
fn every_shader_has_its_twin() {
    for path in files_below(&root().join("shaders"), "wgsl") {
        let name = path.file_stem().expect("a shader has a name").to_string_lossy().into_owned();
        let twin = root().join(format!("src/compute/cpu/{name}.rs"));
        assert!(twin.is_file(), "{} has no twin", path.display());
    }
}

#[test]
fn architecture_stays_within_three_pages() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md is there");
    assert!(text.lines().count() <= 180, "docs/architecture.md is longer than three pages");
}

/// `file::test` is a test of tests/api, `folder/file.py` one of the clients', `file` alone all tests of a file.
#[test]
fn every_test_that_the_compatibility_page_names_is_there() {
    let text = fs::read_to_string(root().join("docs/compatibility.md")).expect("docs/compatibility.md is there");
    let (mut n_named, mut is_named_here) = (0, false);
    for line in text.lines() {
        let last_cell = line.strip_prefix('|').and_then(|row| row.trim_end_matches(['|', ' ']).rsplit('|').next());
        is_named_here = last_cell.is_some_and(|cell| is_named_here || cell.trim() == "test");
        let named = last_cell.filter(|_| is_named_here).into_iter();
        for name in named.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            assert!(is_test(name), "docs/compatibility.md names {name}, which is not there");
            n_named += 1;
        }
    }
    assert!(n_named > 50, "the page names only {n_named} tests");
}

fn is_test(name: &str) -> bool {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let api = |file: &str| read(root().join("tests/api").join(file).with_extension("rs"));
    if name.ends_with(".py") {
        return root().join("tests/clients").join(name).is_file();
    }
    match name.split_once("::") {
        Some((file, test)) => api(file).contains(&format!("fn {test}()")),
        None => root().join(name).exists() || !api(name).is_empty(),
    }
}
