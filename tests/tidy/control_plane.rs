//! docs/compatibility.md lists every operation of the service model and every member of its inputs, and no other.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::root;

/// A structure and one of its members.
type Member = (String, String);

const STATES: &[&str] = &["same", "reading", "differs", "extension", "refused", "kept"];

struct Model(Value);

impl Model {
    fn read() -> Self {
        let path = root().join("src/aws/service_model/sagemaker.json");
        let text = fs::read_to_string(path).expect("the service model is there");
        Self(serde_json::from_str(&text).expect("the service model is JSON"))
    }

    fn operations(&self) -> BTreeSet<String> {
        self.0["operations"].as_object().expect("has operations").keys().cloned().collect()
    }

    fn text(value: &Value) -> String {
        value.as_str().expect("is the name of a shape").to_owned()
    }

    fn input(&self, operation: &str) -> String {
        Self::text(&self.0["operations"][operation])
    }

    /// The structure at this shape, where a list or a map stands for what it holds.
    fn structure(&self, shape: &str) -> Option<String> {
        let facts = &self.0["shapes"][shape];
        match Self::text(&facts["type"]).as_str() {
            "structure" => Some(shape.to_owned()),
            "list" => self.structure(&Self::text(&facts["member"])),
            _ => None,
        }
    }

    /// The members that a path names on its way through an operation's input, if it has one.
    fn resolve(&self, operation: &str, path: &str) -> Option<Vec<Member>> {
        let (mut shape, mut members) = (self.input(operation), Vec::new());
        for name in path.split('.') {
            let structure = self.structure(&shape)?;
            shape = self.0["shapes"][&structure]["members"][name].as_str()?.to_owned();
            members.push((structure, name.to_owned()));
        }
        Some(members)
    }

    fn collect_members(&self, shape: &str, found: &mut BTreeSet<Member>) {
        let Some(structure) = self.structure(shape) else { return };
        for (name, target) in self.0["shapes"][&structure]["members"].as_object().expect("has members") {
            found.insert((structure.clone(), name.clone()));
            self.collect_members(&Self::text(target), found);
        }
    }
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cell `A`, `B`: `C`, `D` names A, B, B.C and B.D.
fn paths(cell: &str) -> Vec<String> {
    let (before, below) = cell.split_once("`: ").map_or((cell, ""), |(before, below)| (before, below));
    let mut paths: Vec<String> = in_backticks(before).map(str::to_owned).collect();
    let base = paths.last().cloned().unwrap_or_default();
    paths.extend(in_backticks(below).map(|member| format!("{base}.{member}")));
    paths
}

#[test]
fn the_compatibility_page_lists_every_member_of_the_control_plane() {
    let page = fs::read_to_string(root().join("docs/compatibility.md")).expect("docs/compatibility.md is there");
    let (_, section) = page.split_once("\n## Control plane\n").expect("the page has the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let model = Model::read();
    let (mut listed_operations, mut listed) = (BTreeSet::new(), BTreeSet::new());
    for part in section.split("\n### ").skip(1) {
        let heading = part.lines().next().unwrap_or_default();
        let operations: Vec<&str> = in_backticks(heading).collect();
        let is_known = operations.iter().all(|&name| model.operations().contains(name));
        assert!(is_known, "{heading}: the service model has other operations");
        listed_operations.extend(operations.iter().map(|&name| name.to_owned()));
        for row in part.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(STATES.contains(&cells[2]), "{row}: {:?} is no state", cells[2]);
            for path in paths(cells[1]) {
                let resolved: Vec<_> = operations.iter().filter_map(|name| model.resolve(name, &path)).collect();
                assert!(!resolved.is_empty(), "{heading}: the service model has no {path}");
                listed.extend(resolved.into_iter().flatten());
            }
        }
    }
    assert_eq!(listed_operations, model.operations());
    let mut all = BTreeSet::new();
    for operation in model.operations() {
        model.collect_members(&model.input(&operation), &mut all);
    }
    let missing: Vec<_> = all.difference(&listed).collect();
    assert!(missing.is_empty() && all.len() > 200, "docs/compatibility.md does not list {missing:?}");
}

#[test]
fn a_cell_names_members_and_those_below_the_last() {
    assert_eq!(paths("`A`, `B`: `C.D`, `E`"), ["A", "B", "B.C.D", "B.E"]);
    assert_eq!(paths("`A`"), ["A"]);
}
