//! Model files over texts: what they answer, how their texts play whole and in units, and what does not fit them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, example_folder, invoke, open, with};

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models");
const JSON_LINES: &str = "application/jsonlines";

/// Between a score and its shortest decimal as a float32.
const ROUNDING: f64 = 1e-7;

fn fixture(name: &str) -> String {
    std::fs::read_to_string(Path::new(MODELS).join(name)).expect("reads")
}

fn scores(text: &str) -> Vec<Vec<f64>> {
    let line = |line: &str| line.split(',').map(|score| score.parse().expect("is a score")).collect();
    text.trim_end().split('\n').map(line).collect()
}

fn predicted(answer: &Answer) -> Vec<Vec<f64>> {
    scores(answer.json()["predictions"]["data"].as_str().expect("is text"))
}

fn assert_near(got: &[f64], expected: &[f64], bound: f64) {
    assert_eq!(got.len(), expected.len(), "{got:?} {expected:?}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= bound, "{got} {expected}");
    }
}

fn endpoint(model: &str, config: Value) -> Value {
    json!({
        "EndpointName": "text",
        "PrimaryContainer": {"ModelDataUrl": Path::new(MODELS).join(model), "Mode": "SingleModel"},
        "ExplainerConfig": {"ClarifyExplainerConfig": config},
    })
}

fn spam(granularity: Option<&str>, baseline: &str) -> Value {
    let mut shap = json!({"ShapBaselineConfig": {"ShapBaseline": baseline}, "UseLogit": false});
    if let Some(granularity) = granularity {
        shap["TextConfig"] = json!({"Granularity": granularity, "Language": "en"});
    }
    endpoint("text-spam.model.onnx", json!({"ShapConfig": shap}))
}

fn table(granularity: &str, types: &[&str]) -> Value {
    let shap = json!({
        "ShapBaselineConfig": {"ShapBaseline": "30,\"\",\"\"\n40,Hello,see you"},
        "TextConfig": {"Granularity": granularity, "Language": "en"},
        "UseLogit": false,
    });
    let inference = json!({"FeatureTypes": types});
    endpoint("text-table.model.onnx", json!({"ShapConfig": shap, "InferenceConfig": inference}))
}

async fn ask(definition: Value, body: &str) -> Answer {
    let answer = TestApp::defining(definition).await.send(invoke("text", body.to_owned())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// `[n_records][n_features]`, the sum over the units of each feature and output.
fn shares(answer: &Answer) -> Vec<Vec<Vec<f64>>> {
    let record = |record: &Value| record.as_array().expect("is explained").iter().map(share).collect();
    answer.json()["explanations"]["kernel_shap"].as_array().expect("is a list").iter().map(record).collect()
}

fn share(feature: &Value) -> Vec<f64> {
    let mut sum = Vec::new();
    for item in feature["attributions"].as_array().expect("is a list") {
        let own =
            item["attribution"].as_array().expect("is a list").iter().map(|x| x.as_f64().expect("is a number"));
        sum = match sum.as_slice() {
            [] => own.collect(),
            _ => sum.iter().zip(own).map(|(a, b)| a + b).collect(),
        };
    }
    sum
}

fn base_values(answer: &Answer) -> Vec<f64> {
    serde_json::from_str(answer.header("x-explaind-base-values")).expect("is a list")
}

#[tokio::test]
async fn predictions_are_those_of_onnxruntime() {
    for (name, definition) in
        [("spam", spam(None, "\"\"")), ("table", table("token", &["numerical", "text", "text"]))]
    {
        let mut definition = definition;
        definition["ExplainerConfig"]["ClarifyExplainerConfig"]["EnableExplanations"] = json!("`false`");
        let answer = ask(definition, &fixture(&format!("text-{name}.rows.csv"))).await;
        for (got, expected) in predicted(&answer).iter().zip(scores(&fixture(&format!("text-{name}.scores.csv"))))
        {
            assert_near(got, &expected, 2e-7);
        }
    }
}

#[tokio::test]
async fn a_text_without_units_is_one_player() {
    let answer = ask(spam(None, "nothing known"), "Free money now! It's free.\n\"\"").await;
    let scores = predicted(&answer);
    let base = base_values(&answer)[0];
    let shares = shares(&answer);
    assert_near(&shares[0][0], &[scores[0][0] - base], ROUNDING);
    assert_eq!(shares[1][0], [0.0], "no word of either text is known");
    let feature = &answer.json()["explanations"]["kernel_shap"][0][0];
    assert_eq!(feature["attributions"][0].get("description"), None, "{feature}");
}

#[tokio::test]
async fn tokens_of_a_text_have_attributions_that_add_up() {
    let text = "Größe: FREE prize? «now»";
    let answer = ask(spam(Some("token"), "\"\""), text).await;
    let feature = answer.json()["explanations"]["kernel_shap"][0][0].clone();
    assert_eq!(feature["feature_type"], json!("text"));
    let place = |item: &Value| {
        let described = &item["description"];
        (described["partial_text"].as_str().expect("is text").to_owned(), described["start_idx"].as_u64())
    };
    let places: Vec<(String, Option<u64>)> =
        feature["attributions"].as_array().expect("is a list").iter().map(place).collect();
    let expected =
        [("Größe", 0), (":", 5), ("FREE", 7), ("prize", 12), ("?", 17), ("«", 19), ("now", 20), ("»", 23)];
    assert_eq!(places, expected.map(|(text, start)| (text.to_owned(), Some(start))));
    let of_unit = |idx: usize| feature["attributions"][idx]["attribution"][0].as_f64().expect("is a number");
    assert!(of_unit(2) > 0.05 && of_unit(3) > 0.05, "{feature}");
    // What is no part of a word that the model knows changes nothing.
    assert!([0, 1, 4, 5, 7].iter().all(|&idx| of_unit(idx).abs() < 1e-6), "{feature}");
    let sum: f64 = (0..8).map(of_unit).sum();
    assert!((sum - (predicted(&answer)[0][0] - base_values(&answer)[0])).abs() < ROUNDING);
}

#[tokio::test]
async fn texts_numbers_and_whole_texts_play_one_game() {
    let definition = table("sentence", &["numerical", "text", "categorical"]);
    let answer = ask(definition, &fixture("text-table.rows.csv")).await;
    let (scores, base) = (predicted(&answer), base_values(&answer));
    for (record, scores) in shares(&answer).iter().zip(&scores) {
        assert_eq!(record.len(), 3);
        for (output, score) in scores.iter().enumerate() {
            let sum: f64 = record.iter().map(|feature| feature[output]).sum();
            assert!((sum - (score - base[output])).abs() < ROUNDING, "{record:?}");
        }
    }
    let kinds: Vec<Value> = answer.json()["explanations"]["kernel_shap"][0]
        .as_array()
        .expect("is a list")
        .iter()
        .map(|feature| feature["feature_type"].clone())
        .collect();
    assert_eq!(kinds, [json!("numerical"), json!("text"), json!("categorical")]);
}

#[tokio::test]
async fn many_records_are_explained_as_each_of_them_alone() {
    let app = TestApp::defining(table("token", &["numerical", "text", "text"])).await;
    let rows = fixture("text-table.rows.csv");
    let all = app.send(invoke("text", rows.clone())).await;
    assert_eq!(all.status, 200, "{all:?}");
    for (idx, row) in rows.lines().enumerate() {
        let alone = app.send(invoke("text", row.to_owned())).await;
        let of = |answer: &Answer, idx: usize| answer.json()["explanations"]["kernel_shap"][idx].clone();
        assert_eq!(of(&alone, 0), of(&all, idx));
    }
}

#[tokio::test]
async fn json_lines_are_answered_as_csv_is() {
    let app = TestApp::defining(spam(Some("token"), "\"<MASK>\"")).await;
    let text = "You win a \"free\" prize\tnow";
    let csv = app.send(invoke("text", format!("\"{}\"", text.replace('"', "\"\"")))).await;
    let lines = json!([text]).to_string();
    let lines = app.send(with(invoke("text", lines), "content-type", JSON_LINES)).await;
    assert_eq!((csv.status, lines.status), (200, 200), "{lines:?}");
    assert_eq!(csv.json()["explanations"], lines.json()["explanations"]);
    let accepted =
        with(with(invoke("text", json!([text]).to_string()), "content-type", JSON_LINES), "accept", JSON_LINES);
    let accepted = app.send(accepted).await;
    let score = predicted(&csv)[0][0] as f32;
    assert_eq!(accepted.json()["predictions"]["data"], json!(format!("{{\"score\":{score}}}")));
}

#[tokio::test]
async fn without_an_explainer_the_scores_are_the_answer() {
    let mut definition = spam(None, "\"\"");
    definition.as_object_mut().expect("is an object").remove("ExplainerConfig");
    let app = TestApp::defining(definition).await;
    let answer = app.send(invoke("text", fixture("text-spam.rows.csv"))).await;
    let body = String::from_utf8(answer.body.to_vec()).expect("is text");
    for (got, expected) in scores(&body).iter().zip(scores(&fixture("text-spam.scores.csv"))) {
        assert_near(got, &expected, 2e-7);
    }
}

/// A folder with these model files below `models`.
fn folder(test: &str, files: &[(&str, PathBuf)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("text-models-{test}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("models")).expect("is made");
    for (name, from) in files {
        std::fs::copy(from, folder.join("models").join(name)).expect("copies");
    }
    folder
}

#[tokio::test]
async fn a_folder_may_hold_models_over_texts_among_others() {
    let folder = folder(
        "folder",
        &[
            ("spam.onnx", Path::new(MODELS).join("text-spam.model.onnx")),
            ("wine.json", example_folder("wine").join("model.json")),
        ],
    );
    let mut definition = spam(Some("token"), "\"\"");
    definition["PrimaryContainer"] = json!({"Mode": "MultiModel", "ModelDataUrl": "models"});
    let app = TestApp::with_endpoint(open(&definition, &folder).await.expect("opens")).await;
    let to = |model: &str| with(invoke("text", "Free money"), "x-amzn-sagemaker-target-model", model);
    let answer = app.send(to("spam.onnx")).await;
    let alone = ask(spam(Some("token"), "\"\""), "Free money").await;
    assert_eq!((answer.status, &answer.body), (200, &alone.body), "{answer:?}");
    let other = app.send(to("wine.json")).await;
    assert_ne!(other.status, 200, "{other:?}");
    let message = other.json().to_string();
    assert!(message.contains("it takes 13 features, and the baseline has 1"), "{message}");
}

#[tokio::test]
async fn a_feature_that_the_model_reads_as_a_number_or_a_name_has_no_units() {
    let told =
        async |definition: Value| open(&definition, Path::new(".")).await.err().expect("is refused").to_string();
    let expected =
        "feature 1 is a text that plays in units, and the model reads no text there; FeatureTypes says what it is";
    assert_eq!(told(table("token", &["text", "text", "text"])).await, expected);
    let wine = example_folder("wine").join("model.json");
    let shap = json!({
        "ShapBaselineConfig": {"ShapBaseline": "1,2,3,4,5,6,7,8,9,10,11,12,13"},
        "TextConfig": {"Granularity": "token", "Language": "en"},
    });
    let types = vec!["numerical"; 12].into_iter().chain(["text"]).collect::<Vec<_>>();
    let mut numbers = endpoint("", json!({"ShapConfig": shap, "InferenceConfig": {"FeatureTypes": types}}));
    numbers["PrimaryContainer"]["ModelDataUrl"] = json!(wine);
    assert_eq!(told(numbers).await, expected.replace("feature 1", "feature 13"));
}

#[tokio::test]
async fn a_record_of_another_width_is_refused() {
    let app = TestApp::defining(spam(Some("token"), "\"\"")).await;
    let answer = app.send(invoke("text", "free,money")).await;
    let message = answer.json()["OriginalMessage"].to_string();
    assert!(answer.status == 424 && message.contains("record 1 has 2 features instead of 1"), "{answer:?}");
}
