//! `X-Explaind-Stamp`: what decides an answer changes it, and nothing else does.

use std::path::{Path, PathBuf};

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
    let mut estimator = wine();
    estimator["PrimaryContainer"]["Environment"] = json!({ "EXPLAIND_ESTIMATOR": "trend" });
    seen.push(stamp(&estimator, &folder).await);
    seen.push(stamp(&wine(), &folder_with_model("changed", true)).await);
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
    renamed["PrimaryContainer"]["Environment"] =
        json!({ "EXPLAIND_KERNEL": "shapley", "EXPLAIND_ESTIMATOR": "kernel-shap", "OTHER": "x" });
    assert_eq!(stamp(&renamed, &folder).await, own);
    assert_eq!(stamp(&wine(), &folder_with_model("copied", false)).await, own);
}

#[tokio::test]
async fn the_content_of_a_baseline_file_is_stamped() {
    let stamp_of = async |file: &str, content: &str| {
        let folder = folder_with_model("baseline", false);
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

/// A folder with the example's model, or with that model and one other weight in it.
fn folder_with_model(test: &str, is_changed: bool) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stamp-{test}"));
    std::fs::create_dir_all(&folder).expect("is made");
    let mut model = std::fs::read_to_string(example_folder("wine").join("model.json")).expect("reads");
    if is_changed {
        let weights = model.find("base_weights").expect("has weights");
        let digit = weights + model[weights..].find('1').expect("has the digit");
        model.replace_range(digit..=digit, "2");
    }
    std::fs::write(folder.join("model.json"), model).expect("writes");
    folder
}
