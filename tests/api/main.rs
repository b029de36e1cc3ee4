//! The server as its clients meet it: a real one on a loopback port, whole answers and whole errors.

mod access;
mod answers;
mod backend_answers;
mod backend_circuit;
mod backend_models;
mod backend_property;
mod backend_rows;
mod backends;
mod check;
mod connections;
mod container;
mod containers;
mod control;
mod control_calls;
mod control_crash;
mod errors;
mod failures;
mod fake;
mod fault_server;
mod formats;
mod games;
mod hostile;
mod limits;
mod made_to_cost;
mod many_models;
mod model_folder;
mod multi_model;
mod pass_through;
mod process;
mod protocols;
mod reach;
mod recorded;
mod recorded_texts;
mod show;
mod shutdown;
mod signer;
mod stamp;
mod startup;
mod support;
mod text;
mod text_games;
mod text_models;
mod wire;

use std::path::Path;

#[test]
fn every_snapshot_belongs_to_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    for entry in std::fs::read_dir(folder.join("snapshots")).expect("there are snapshots") {
        let name = entry.expect("reads").file_name().into_string().expect("is UTF-8");
        let parts: Vec<&str> = name.trim_end_matches(".snap").split("__").collect();
        let [_, module, test] = parts[..] else { panic!("{name}: not api__module__test.snap") };
        let source = std::fs::read_to_string(folder.join(module).with_extension("rs")).unwrap_or_default();
        assert!(source.contains(&format!("fn {test}()")), "{name} is stale");
    }
}
