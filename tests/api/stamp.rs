//! `X-Explaind-Stamp`: what decides an answer changes it, and nothing else does.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{TestApp, example_folder, invoke, open, records, with};

/// Where the members of an example's ClarifyExplainerConfig are.
const CLARIFY: &str = "/ExplainerConfig/ClarifyExplainerConfig";

fn wine() -> Value {
    let definition = std::fs::read(example_folder("wine").join("endpoint.json")).expect("reads");
    serde_json::from_slice(&definition).expect("is JSON")
}

async fn stamp(definition: &Value, folder: &Path) -> String {
    let name = definition["EndpointName"].as_str().expect("is text").to_owned();
    let app = TestApp::with_endpoint(open(definition, folder).await.expect("opens")).await;
    let stamps = [1, 2].map(|n| {
        let request = with(invoke(&name, records("wine", n)), "accept", "application/jsonlines");
        app.send(with(request, "x-amzn-sagemaker-enable-explanations", "`true`"))
    });
    let [one, two] = stamps;
    let (one, two) = (one.await, two.await);
    assert_eq!(one.header("x-explaind-stamp"), two.header("x-explaind-stamp"), "records change nothing");
    one.header("x-explaind-stamp").to_owned()
}

#[tokio::test]
async fn what_decides_an_answer_changes_the_stamp() {
    let folder = example_folder("wine");
    let own = stamp(&wine(), &folder).await;
    assert_eq!(own.len(), 64, "{own}");
    let mut seen = vec![own];
    let changes: [(&str, Value); 6] = [
        ("/ShapConfig/Seed", json!(1)),
        ("/ShapConfig/NumberOfSamples", json!(500)),
        ("/ShapConfig/UseLogit", json!(true)),
        ("/EnableExplanations", json!("`true`")),
        ("/ShapConfig/ShapBaselineConfig/ShapBaseline", json!(["1"; 13].join(","))),
        ("/InferenceConfig/LabelHeaders", json!(["a", "b", "c"])),
    ];
    for (member, value) in changes {
        let mut definition = wine();
        let (parent, name) = member.rsplit_once('/').expect("has a parent");
        definition.pointer_mut(&format!("{CLARIFY}{parent}")).expect("is there")[name] = value;
        seen.push(stamp(&definition, &folder).await);
    }
    let mut kernel = wine();
    kernel["PrimaryContainer"]["Environment"] = json!({ "EXPLAIND_KERNEL": "clarify" });
    seen.push(stamp(&kernel, &folder).await);
    let (elsewhere, _) = copy_of_model("changed", "1", "2");
    seen.push(stamp(&wine(), &elsewhere).await);
    let n_seen = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), n_seen, "two of them agree");
}

#[tokio::test]
async fn what_decides_nothing_leaves_the_stamp() {
    let folder = example_folder("wine");
    let own = stamp(&wine(), &folder).await;
    let mut renamed = wine();
    renamed["EndpointName"] = json!("other-name");
    renamed["PrimaryContainer"]["Environment"] = json!({ "EXPLAIND_KERNEL": "shapley", "OTHER": "x" });
    assert_eq!(stamp(&renamed, &folder).await, own);
    let (elsewhere, _) = copy_of_model("copied", "", "");
    assert_eq!(stamp(&wine(), &elsewhere).await, own);
    let baseline = wine().pointer(&format!("{CLARIFY}/ShapConfig/ShapBaselineConfig/ShapBaseline")).cloned();
    let text = serde_json::to_string(&wine()).expect("is JSON");
    let reordered: Value = serde_json::from_str(&text).expect("is JSON");
    assert!(baseline.is_some());
    assert_eq!(stamp(&reordered, &folder).await, own);
}

#[tokio::test]
async fn the_content_of_a_baseline_file_is_stamped_and_not_its_place() {
    let stamp_of = async |file: &str, content: &str| {
        let (folder, _) = copy_of_model("baseline", "", "");
        std::fs::write(folder.join(file), content).expect("writes");
        let mut definition = wine();
        let config = definition.pointer_mut(&format!("{CLARIFY}/ShapConfig")).expect("is there");
        config["ShapBaselineConfig"] = json!({ "ShapBaselineUri": "rows.csv" });
        stamp(&definition, &folder).await
    };
    let row = |cell: &str| [cell; 13].join(",");
    let first = stamp_of("rows.csv", &row("1")).await;
    assert_ne!(stamp_of("rows.csv", &row("2")).await, first);
    assert_eq!(stamp_of("rows.csv", &row("1")).await, first);
}

/// A folder with the example's model, its first `from` after the objective replaced by `to`.
fn copy_of_model(test: &str, from: &str, to: &str) -> (std::path::PathBuf, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stamp-{test}"));
    std::fs::create_dir_all(&folder).expect("is made");
    let model = std::fs::read_to_string(example_folder("wine").join("model.json")).expect("reads");
    let model = if from.is_empty() { model } else { changed(&model, from, to) };
    std::fs::write(folder.join("model.json"), &model).expect("writes");
    (folder, model)
}

/// One digit of one leaf changed.
fn changed(model: &str, from: &str, to: &str) -> String {
    let start = model.find("base_weights").expect("has weights");
    let digit = start + model[start..].find(from).expect("has the digit");
    format!("{}{to}{}", &model[..digit], &model[digit + from.len()..])
}
