//! Endpoints whose models are the files of a folder: each is loaded when it is asked for, and must fit the endpoint.

use std::path::{Path, PathBuf};

use axum::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::show::show_error;
use crate::support::{Answer, TestApp, example_folder, invoke, open, open_treating, records, with};

const TARGET: &str = "x-amzn-sagemaker-target-model";

/// A folder with the wine model below `models`, which `make` may change.
fn folder(test: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("models-{test}"));
    let models = folder.join("models");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&models).expect("is made");
    std::fs::write(models.join("wine.json"), wine_model()).expect("writes");
    make(&models);
    folder
}

fn wine_model() -> String {
    std::fs::read_to_string(example_folder("wine").join("model.json")).expect("reads")
}

/// The wine model with another base score.
fn other_model() -> String {
    wine_model().replacen("[6.204486E-3,", "[6.204486E-1,", 1)
}

/// The wine example over a folder of models.
fn definition() -> Value {
    let definition = std::fs::read(example_folder("wine").join("endpoint.json")).expect("reads");
    let mut definition: Value = serde_json::from_slice(&definition).expect("is JSON");
    definition["PrimaryContainer"] = json!({ "Mode": "MultiModel", "ModelDataUrl": "models" });
    definition
}

async fn serving(folder: &Path) -> TestApp {
    TestApp::with_endpoint(open(&definition(), folder).await.expect("opens")).await
}

fn ask(target: &str) -> Request<Full<Bytes>> {
    with(invoke("wine", records("wine", 2)), TARGET, target)
}

fn stamp(answer: &Answer) -> &str {
    answer.header("x-explaind-stamp")
}

#[tokio::test]
async fn each_file_answers_as_it_does_alone() {
    let folder = folder("alone", |models| {
        std::fs::create_dir(models.join("eu")).expect("is made");
        std::fs::write(models.join("eu/other.json"), other_model()).expect("writes");
        std::fs::write(models.join("copy.json"), wine_model()).expect("writes");
    });
    let app = serving(&folder).await;
    let alone = TestApp::start().await.send(invoke("wine", records("wine", 2))).await;
    let wine = app.send(ask("wine.json")).await;
    assert_eq!((wine.status, &wine.body), (200, &alone.body), "{wine:?}");
    let other = app.send(ask("eu/other.json")).await;
    assert_eq!(other.status, 200, "{other:?}");
    assert_ne!(other.body, wine.body);
    // The stamp covers the bytes of the model, wherever they are.
    assert_ne!(stamp(&other), stamp(&wine));
    assert_eq!(stamp(&app.send(ask("copy.json")).await), stamp(&wine));
    assert_eq!(stamp(&alone), stamp(&wine));
}

#[tokio::test]
async fn a_loaded_model_is_kept_as_it_was_read() {
    let folder = folder("kept", |_| {});
    let app = serving(&folder).await;
    let first = app.send(ask("wine.json")).await;
    std::fs::write(folder.join("models/wine.json"), "{}").expect("writes");
    assert_eq!(app.send(ask("wine.json")).await.body, first.body);
}

#[tokio::test]
async fn models_that_do_not_fit_their_endpoint_are_named() {
    let folder = folder("misfits", |models| {
        std::fs::copy(example_folder("breast-cancer").join("model.json"), models.join("cancer.json"))
            .expect("copies");
        std::fs::write(models.join("damaged.json"), &wine_model()[..5000]).expect("writes");
        std::fs::write(models.join("weights.bin"), "binary").expect("writes");
        let large = std::fs::File::create(models.join("large.json")).expect("is made");
        large.set_len((64 << 20) + 1).expect("grows");
    });
    let app = serving(&folder).await;
    let mut shown = String::new();
    for target in ["cancer.json", "damaged.json", "weights.bin", "large.json", "absent.json"] {
        shown += &format!("=== {target}\n{}\n\n", show_error(&app.send(ask(target)).await));
    }
    assert!(!shown.contains("models-misfits"), "{shown}");
    let mut two_labels = definition();
    two_labels["ExplainerConfig"]["ClarifyExplainerConfig"]["InferenceConfig"]["LabelHeaders"] = json!(["a", "b"]);
    two_labels["ExplainerConfig"]["ClarifyExplainerConfig"]["InferenceConfig"]["ProbabilityIndex"] = Value::Null;
    let app = TestApp::with_endpoint(open(&two_labels, &folder).await.expect("opens")).await;
    shown += &format!("=== two names for three outputs\n{}", show_error(&app.send(ask("wine.json")).await));
    assert_snapshot!(shown);
}

#[tokio::test]
async fn a_file_that_was_mended_is_read_again() {
    let folder = folder("mended", |models| std::fs::write(models.join("late.json"), "{").expect("writes"));
    let app = serving(&folder).await;
    assert_eq!(app.send(ask("late.json")).await.status, 424);
    std::fs::write(folder.join("models/late.json"), wine_model()).expect("writes");
    assert_eq!(app.send(ask("late.json")).await.status, 200);
}

#[tokio::test]
async fn names_that_lead_out_of_the_folder_are_refused() {
    let folder = folder("outside", |models| {
        std::fs::write(models.with_file_name("secret.json"), wine_model()).expect("writes");
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret.json", models.join("link.json")).expect("is made");
        std::fs::create_dir(models.join("a")).expect("is made");
    });
    let app = serving(&folder).await;
    for name in [
        "../secret.json",
        "a/../../secret.json",
        "/etc/passwd",
        "%2e%2e/secret.json",
        "..\\secret.json",
        "link.json",
        "a",
        "",
        "a/",
        ".",
    ] {
        let answer = app.send(ask(name)).await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (400, "ValidationError"), "{name:?}");
    }
    assert_snapshot!(show_error(&app.send(ask("link.json")).await));
    assert_eq!(app.send(invoke("wine", records("wine", 1))).await.status, 400);
}

#[tokio::test]
async fn a_load_that_takes_longer_than_the_wait_goes_on() {
    // So many bytes take longer than 1 ms, but not long.
    let folder = folder("slow", |models| {
        std::fs::write(models.join("slow.json"), wine_model() + &" ".repeat(32 << 20)).expect("writes");
    });
    let endpoint = open_treating(&definition(), &folder, |config| config.model_load_ms = 1).await.expect("opens");
    let app = TestApp::with_endpoint(endpoint).await;
    let first = app.send(ask("slow.json")).await;
    assert_snapshot!(show_error(&first));
    // No request waits long enough itself.
    let asked = async { while app.send(ask("slow.json")).await.status != 200 {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), asked).await.expect("is loaded");
}

#[tokio::test]
async fn without_an_explainer_the_answer_of_the_target_is_passed_through() {
    let folder = folder("forward", |_| {});
    let mut definition = definition();
    definition.as_object_mut().expect("is an object").remove("ExplainerConfig");
    let app = TestApp::with_endpoint(open(&definition, &folder).await.expect("opens")).await;
    let answer = app.send(ask("wine.json")).await;
    let explained = TestApp::start().await.send(invoke("wine", records("wine", 2))).await.json();
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv"));
    assert_eq!(explained["predictions"]["data"].as_str().expect("is text").as_bytes(), answer.body);
    assert_eq!(app.send(ask("absent.json")).await.status, 400);
}
