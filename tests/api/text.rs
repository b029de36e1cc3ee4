//! Texts explained unit by unit: what the container is asked, what the document says, and games that mix texts with
//! other columns.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::container::{StubContainer, csv};
use crate::support::{Answer, TestApp, invoke, open, with};

/// Words and what each adds to the score.
const WORDS: [(&str, f64); 4] = [("good", 0.3), ("bad", -0.2), ("very", 0.05), ("<MASK>", -0.01)];

/// The text of the last cell, its quotes undone.
fn text(line: &str) -> String {
    let quoted = line.strip_prefix('"').or_else(|| line.split_once(",\"").map(|(_, rest)| rest));
    match quoted.and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => line.rsplit(',').next().unwrap_or_default().to_owned(),
    }
}

/// Additive in the words that stand in a text.
fn score(line: &str) -> f64 {
    let text = text(line);
    let of_word = |(word, weight): &(&str, f64)| weight * text.matches(word).count() as f64;
    let number = line.split(',').next().and_then(|cell| cell.parse::<f64>().ok()).unwrap_or(0.0);
    0.5 + WORDS.iter().map(of_word).sum::<f64>() + number / 8.0
}

async fn container() -> StubContainer {
    StubContainer::start(|asked| {
        csv(asked.lines().into_iter().map(|line| format!("{:?}", score(line))).collect::<Vec<String>>().join("\n"))
    })
    .await
}

fn config(baseline: &str, granularity: &str) -> Value {
    json!({"ShapConfig": {
        "ShapBaselineConfig": {"ShapBaseline": baseline},
        "TextConfig": {"Granularity": granularity, "Language": "en"},
    }})
}

async fn explain(container: &StubContainer, config: Value, body: &str) -> Answer {
    TestApp::defining(container.endpoint(config)).await.send(invoke("remote", body.to_owned())).await
}

/// What was asked after the client's own records.
fn synthetic_rows(container: &StubContainer) -> Vec<String> {
    let asked = container.asked();
    asked[1..].iter().flat_map(|asked| asked.lines()).map(str::to_owned).collect()
}

/// `(partial_text, start_idx, attribution)` of one feature.
fn units(feature: &Value) -> Vec<(String, u64, f64)> {
    let items = feature["attributions"].as_array().expect("is a list").iter();
    items
        .map(|item| {
            let described = &item["description"];
            let text = described["partial_text"].as_str().expect("is described").to_owned();
            (
                text,
                described["start_idx"].as_u64().expect("is a number"),
                item["attribution"][0].as_f64().expect("is a number"),
            )
        })
        .collect()
}

fn record(answer: &Answer, idx: usize) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["explanations"]["kernel_shap"][idx].as_array().expect("is explained").clone()
}

#[tokio::test]
async fn every_token_of_a_text_has_its_attribution_and_its_place() {
    let container = container().await;
    let answer = explain(&container, config("\"<MASK>\"", "token"), "\"Größe is very good!\"").await;
    let features = record(&answer, 0);
    assert_eq!((features.len(), &features[0]["feature_type"]), (1, &json!("text")));
    let units = units(&features[0]);
    let places: Vec<(&str, u64)> = units.iter().map(|(text, start, _)| (text.as_str(), *start)).collect();
    assert_eq!(places, [("Größe", 0), ("is", 6), ("very", 9), ("good", 14), ("!", 18)]);
    // A word that is replaced costs what the replacement adds.
    for ((_, _, got), expected) in units.iter().zip([0.01, 0.01, 0.06, 0.31, 0.01]) {
        // The baseline is one replacement, not one for each unit, which is shared by all.
        let expected = expected - 0.04 / 5.0;
        assert!((got - expected).abs() < 1e-9, "{got} {expected}");
    }
    let base: Vec<f64> = serde_json::from_str(answer.header("x-explaind-base-values")).expect("is a list");
    assert_eq!(base, [score("<MASK>")]);
}

#[tokio::test]
async fn absent_units_are_replaced_in_place_and_nobody_is_the_baseline_row() {
    let container = container().await;
    explain(&container, config("\"<UNK>\"", "token"), "\"a \"\"b\"\".  c\"").await;
    let asked = container.asked();
    assert_eq!(asked[0].body, "\"a \"\"b\"\".  c\"", "the payload goes as it came");
    let rows = synthetic_rows(&container);
    assert_eq!(rows[0], "\"<UNK>\"");
    let rows: BTreeSet<&str> = rows[1..].iter().map(String::as_str).collect();
    // a " b " . and two blanks c: spaCy keeps the second blank as a unit of its own.
    assert!(rows.contains("\"<UNK> \"\"b\"\".  c\"") && rows.contains("\"a \"\"<UNK>\"\".  c\""), "{rows:?}");
    assert!(rows.iter().all(|row| row.starts_with('"') && row.ends_with('"')));
}

#[tokio::test]
async fn an_empty_baseline_drops_the_unit() {
    let container = container().await;
    explain(&container, config("\"\"", "sentence"), "\"One thing. Another one.\"").await;
    let rows: BTreeSet<String> = synthetic_rows(&container).into_iter().collect();
    assert_eq!(rows.into_iter().collect::<Vec<_>>(), ["\" Another one.\"", "\"\"", "\"One thing. \""]);
}

#[tokio::test]
async fn texts_and_other_columns_play_one_game() {
    let container = container().await;
    let mut config = config("0,\"<MASK>\"", "token");
    config["InferenceConfig"] =
        json!({"FeatureTypes": ["numerical", "text"], "FeatureHeaders": ["age", "review"]});
    let answer = explain(&container, config, "8,very good\n0,bad").await;
    let first = record(&answer, 0);
    let types: Vec<(&Value, &Value)> = first.iter().map(|f| (&f["feature_header"], &f["feature_type"])).collect();
    assert_eq!(types, [(&json!("age"), &json!("numerical")), (&json!("review"), &json!("text"))]);
    assert!(first[0]["attributions"][0].get("description").is_none());
    let age = first[0]["attributions"][0]["attribution"][0].as_f64().expect("is a number");
    let sum: f64 = units(&first[1]).iter().map(|(_, _, attribution)| attribution).sum();
    assert!((age + sum - (score("8,very good") - score("0,<MASK>"))).abs() < 1e-9);
    let second = record(&answer, 1);
    assert_eq!(second[0]["attributions"][0]["attribution"][0], json!(0.0), "it is as the baseline");
    assert_eq!(units(&second[1]).len(), 1);
}

#[tokio::test]
async fn an_empty_text_has_no_units() {
    let container = container().await;
    let answer = explain(&container, config("\"<MASK>\"", "token"), "\"\"\n\"  \"\ngood").await;
    for idx in [0, 1] {
        assert_eq!(record(&answer, idx)[0]["attributions"], json!([]));
    }
    assert_eq!(units(&record(&answer, 2)[0]).len(), 1);
}

#[tokio::test]
async fn a_text_of_too_many_units_is_refused_with_their_number() {
    let container = container().await;
    let answer = explain(&container, config("\"<MASK>\"", "token"), &"word ".repeat(2000)).await;
    assert_eq!(answer.status, 424, "{answer:?}");
    let message = answer.json()["OriginalMessage"].to_string();
    assert!(
        message.contains(
            "record 1, whose texts have 2000 units: 2000 players are more than the limit of 1024 players"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn texts_in_json_lines_keep_their_place_in_the_template() {
    let container = Arc::new(
        StubContainer::start(|asked| {
            let score = |line: &str| {
                let record: Value = serde_json::from_str(line).expect("is JSON");
                json!({"score": score(record["features"][0].as_str().expect("is a text"))}).to_string()
            };
            let lines = asked.lines().into_iter().map(score).collect::<Vec<String>>().join("\n");
            crate::container::typed("application/jsonlines", lines)
        })
        .await,
    );
    let mut config = config("<MASK>", "token");
    config["InferenceConfig"] = json!({
        "FeaturesAttribute": "features", "ContentTemplate": "{\"features\":$features}", "ProbabilityAttribute": "score",
        "FeatureTypes": ["text"],
    });
    let app = TestApp::defining(container.endpoint(config)).await;
    let request = with(
        invoke("remote", "{\"features\":[\"¿Qué \\\"good\\\" \\u00e9\"]}"),
        "content-type",
        "application/jsonlines",
    );
    let answer = app.send(request).await;
    let units = units(&record(&answer, 0)[0]);
    let places: Vec<(&str, u64)> = units.iter().map(|(text, start, _)| (text.as_str(), *start)).collect();
    assert_eq!(places, [("¿", 0), ("Qué", 1), ("\"", 5), ("good", 6), ("\"", 10), ("é", 12)]);
}

#[tokio::test]
async fn a_blank_text_stays_as_the_client_spelled_it() {
    let container = StubContainer::start(|asked| {
        let score = |line: &&str| if line.contains("null") { "0.5" } else { "0.25" };
        csv(asked.lines().iter().map(score).collect::<Vec<_>>().join("\n"))
    })
    .await;
    let mut config = config("0,0,\"<MASK>\"", "token");
    config["InferenceConfig"] = json!({"FeatureTypes": ["numerical", "numerical", "text"]});
    let app = TestApp::defining(container.endpoint(config)).await;
    let answer = app.send(with(invoke("remote", "[1,2,null]"), "content-type", "application/jsonlines")).await;
    let features = record(&answer, 0);
    assert_eq!(features[2]["attributions"], json!([]));
    let rows: BTreeSet<String> = synthetic_rows(&container).into_iter().collect();
    assert_eq!(rows.into_iter().collect::<Vec<_>>(), ["[0,0,\"<MASK>\"]", "[0,2,null]", "[1,0,null]"]);
    let attributions: Vec<&Value> =
        features[..2].iter().map(|f| &f["attributions"][0]["attribution"][0]).collect();
    assert_eq!(attributions, [&json!(0.125), &json!(0.125)], "what the blank is worth falls to those beside it");
}

#[tokio::test]
async fn a_text_that_is_not_explained_may_have_any_length() {
    let container = container().await;
    let app = TestApp::defining(container.endpoint(config("\"<MASK>\"", "token"))).await;
    let request = invoke("remote", format!("{}\nvery good", "bad ".repeat(2000)));
    let answer = app.send(with(request, "x-amzn-sagemaker-enable-explanations", "[0]>`0`")).await;
    assert_eq!((answer.status, &answer.json()["explanations"]["kernel_shap"][0]), (200, &Value::Null));
    assert_eq!(units(&record(&answer, 1)[0]).len(), 2);
}

#[tokio::test]
async fn a_baseline_of_a_text_feature_is_a_text() {
    let container = container().await;
    let mut config = config("[5]", "token");
    config["InferenceConfig"] = json!({"FeatureTypes": ["text"]});
    config["ShapConfig"]["ShapBaselineConfig"]["MimeType"] = json!("application/jsonlines");
    let opened = open(&container.endpoint(config), Path::new("")).await;
    let refused = opened.map(drop).expect_err("5 is a number").to_string();
    let reason = "record 1, column 1: 5 is no text; a text feature is a string or null in JSON, \
                    and FeatureTypes says which features are texts";
    assert!(refused.contains(reason), "{refused}");
}

#[tokio::test]
async fn nobody_is_a_string_in_a_text_feature_whatever_the_baseline_looks_like() {
    for (spelled, nobody) in [(",5", "[\"\",5]"), ("0,5", "[\"0\",5]"), ("\"<UNK>\",5", "[\"<UNK>\",5]")] {
        let container = StubContainer::saying(|n_lines| vec!["0.5"; n_lines].join("\n")).await;
        let mut config = config(spelled, "token");
        config["InferenceConfig"] = json!({"FeatureTypes": ["text", "numerical"]});
        let app = TestApp::defining(container.endpoint(config)).await;
        let answer =
            app.send(with(invoke("remote", "[\"a b\",7]"), "content-type", "application/jsonlines")).await;
        assert_eq!(units(&record(&answer, 0)[0]).len(), 2);
        assert_eq!(container.asked()[1].lines()[0], nobody);
    }
}

#[tokio::test]
async fn texts_of_too_many_units_in_all_are_refused_with_their_number() {
    let container = container().await;
    let texts = vec!["good ".repeat(70_000); 3].join("\n");
    let answer = explain(&container, config("\"<MASK>\"", "token"), &texts).await;
    let text = "3 records have 210000 features or units of texts in all, and 210000 attributions for 1 outputs; \
                the limit is 200000";
    assert_eq!((answer.status, &answer.json()["OriginalMessage"]), (424, &json!(text)));
    assert_eq!(container.asked().len(), 1, "no synthetic record was asked");
}
