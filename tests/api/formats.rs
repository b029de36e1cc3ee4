//! Records and model answers in both formats, as containers and model files take and give them.

use std::path::Path;

use serde_json::{Value, json};

use crate::container::{StubContainer, baseline, typed};
use crate::support::{Answer, TestApp, attributions, example_folder, invoke, open, records, with};

const JSON_LINES: &str = "application/jsonlines";

fn with_inference(mut config: Value, inference: Value) -> Value {
    config["InferenceConfig"] = inference;
    config
}

async fn ask(definition: Value, content_type: &str, body: &str) -> Answer {
    let request = with(invoke("remote", body.to_owned()), "content-type", content_type);
    TestApp::defining(definition).await.send(request).await
}

fn refusal(answer: &Answer) -> String {
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(400)), "{answer:?}");
    answer.json()["OriginalMessage"].as_str().expect("is text").to_owned()
}

/// Scores JSON Lines: the sum of the numbers in `features`, or in the line itself.
async fn json_container() -> StubContainer {
    let score = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("is JSON");
        let features = line.get("features").unwrap_or(&line).as_array().expect("is a list");
        let sum: f64 = features.iter().filter_map(Value::as_f64).sum();
        json!({ "predicted_label": 1, "score": sum }).to_string()
    };
    StubContainer::start(move |asked| {
        typed(JSON_LINES, asked.lines().into_iter().map(score).collect::<Vec<String>>().join("\n"))
    })
    .await
}

#[tokio::test]
async fn a_csv_baseline_with_blanks_serves_requests_in_json_lines() {
    let container = json_container().await;
    let inference = json!({
        "FeaturesAttribute": "features",
        "ContentTemplate": "{\"features\":$features}",
        "ProbabilityAttribute": "score",
        "LabelAttribute": "predicted_label",
        "MaxPayloadInMB": 6,
    });
    let definition = container.endpoint(with_inference(baseline("25, 2, 226802"), inference));
    let body = "{\"id\": 7, \"features\": [25, 1e5, 226800.50]}\n";
    let answer = ask(definition, JSON_LINES, body).await;
    assert_eq!(attributions(&answer), [[[0.0], [99_998.0], [-1.5]]]);
    assert_eq!(answer.json()["predictions"]["content_type"], JSON_LINES);
    assert_eq!(answer.json().get("label_headers"), None);
    let asked = container.asked();
    assert_eq!(asked[0].body, body);
    let mut rows = asked[1].lines();
    assert_eq!(rows.remove(0), "{\"features\":[25,2,226802]}");
    rows.sort_unstable();
    assert_eq!(rows, ["{\"features\":[25,1e5,226802]}", "{\"features\":[25,2,226800.50]}"]);
}

#[tokio::test]
async fn bare_arrays_need_neither_attribute_nor_template() {
    let container = json_container().await;
    let config = with_inference(baseline("0,red"), json!({ "ProbabilityAttribute": "score" }));
    let answer = ask(container.endpoint(config), JSON_LINES, "[1.50, \"bl\\u00fce\"]\n[2,\"red\"]").await;
    assert_eq!(attributions(&answer), [[[1.5], [0.0]], [[2.0], [0.0]]]);
    let asked = container.asked();
    let rows = asked[1].lines();
    assert_eq!(rows[0], "[0,\"red\"]");
    assert!(rows.contains(&"[1.50,\"red\"]"), "{rows:?}");
}

#[tokio::test]
async fn objects_without_an_attribute_or_a_template_are_refused() {
    let container = json_container().await;
    let body = "{\"features\":[1,2]}";
    let nowhere = refusal(&ask(container.endpoint(baseline("0,0")), JSON_LINES, body).await);
    assert!(nowhere.contains("record 1") && nowhere.contains("FeaturesAttribute"), "{nowhere}");
    assert!(container.asked().is_empty());
    let inference = json!({ "FeaturesAttribute": "features", "ProbabilityAttribute": "score" });
    let wordless = ask(container.endpoint(with_inference(baseline("0,0"), inference)), JSON_LINES, body).await;
    assert!(refusal(&wordless).contains("ContentTemplate"), "{wordless:?}");
}

#[tokio::test]
async fn a_baseline_in_json_lines_serves_requests_in_csv() {
    let container = StubContainer::scoring(|row| row[0] * 2.0 + row[1]).await;
    let mut config = baseline("{\"features\":[1.0, 2]}\n[3, 4]");
    config["ShapConfig"]["ShapBaselineConfig"]["MimeType"] = json!(JSON_LINES);
    config["InferenceConfig"] = json!({ "FeaturesAttribute": "features" });
    let answer = ask(container.endpoint(config), "text/csv", "5,6").await;
    assert_eq!(attributions(&answer), [[[6.0], [3.0]]]);
    assert!(container.asked()[1].body.starts_with("1.0,2\n3,4\n"), "{:?}", container.asked());
}

#[tokio::test]
async fn request_and_answer_may_have_different_formats() {
    let to_json = |line: &str| format!("{{\"probability\":{}}}", line.split(',').next().expect("has a cell"));
    let container = StubContainer::start(move |asked| {
        let body = asked.lines().into_iter().map(to_json).collect::<Vec<String>>().join("\n");
        typed("application/jsonlines; charset=utf-8", body)
    })
    .await;
    let config = with_inference(baseline("0,0"), json!({ "ProbabilityAttribute": "probability" }));
    let app = TestApp::defining(container.endpoint(config)).await;
    let request = with(invoke("remote", "0.5,1\n0.25,1"), "accept", JSON_LINES);
    let request = with(request, "x-amzn-sagemaker-enable-explanations", "probability>`0.3`");
    let answer = app.send(request).await;
    assert_eq!(attributions(&answer), [[[0.5], [0.0]]]);
    let document = answer.json();
    assert_eq!(document["predictions"]["content_type"], "application/jsonlines; charset=utf-8");
    assert!(document["explanations"]["kernel_shap"][1].is_null());
}

/// An answer that the documentation lists.
struct Documented {
    content_type: &'static str,
    /// InferenceConfig.
    inference: Value,
    answer: &'static str,
    /// `[n_records][n_outputs]`
    scores: Vec<Vec<f64>>,
    labels: Value,
}

fn csv_answer(inference: Value, answer: &'static str, scores: &[&[f64]]) -> Documented {
    let scores = scores.iter().map(|record| record.to_vec()).collect();
    Documented { content_type: "text/csv", inference, answer, scores, labels: Value::Null }
}

fn json_answer(inference: Value, answer: &'static str, scores: &[&[f64]]) -> Documented {
    Documented { content_type: JSON_LINES, ..csv_answer(inference, answer, scores) }
}

fn documented_answers() -> Vec<Documented> {
    let none = || json!({});
    let lists = || json!({ "ProbabilityIndex": 1, "LabelIndex": 0 });
    let labelled = |answer| Documented { labels: json!(["cat", "dog", "fish"]), ..answer };
    vec![
        csv_answer(none(), "0.6", &[&[0.6]]),
        csv_answer(none(), "0.6,0.3", &[&[0.6], &[0.3]]),
        csv_answer(none(), "0.6\n0.3", &[&[0.6], &[0.3]]),
        csv_answer(none(), "0.1,0.6,0.3", &[&[0.1, 0.6, 0.3]]),
        csv_answer(none(), "0.1,0.6,0.3\n0.2,0.5,0.3", &[&[0.1, 0.6, 0.3], &[0.2, 0.5, 0.3]]),
        csv_answer(json!({ "ProbabilityIndex": 1 }), "1,0.6", &[&[0.6]]),
        csv_answer(json!({ "ProbabilityIndex": 1 }), "1,0.6\n0,0.3", &[&[0.6], &[0.3]]),
        labelled(csv_answer(lists(), "\"['cat','dog','fish']\",\"[0.1,0.6,0.3]\"", &[&[0.1, 0.6, 0.3]])),
        labelled(csv_answer(
            lists(),
            "\"['cat','dog','fish']\",\"[0.1,0.6,0.3]\"\n\"['cat','dog','fish']\",\"[0.2,0.5,0.3]\"",
            &[&[0.1, 0.6, 0.3], &[0.2, 0.5, 0.3]],
        )),
        json_answer(json!({ "ProbabilityAttribute": "score" }), "{\"score\":0.6}", &[&[0.6]]),
        json_answer(
            json!({ "ProbabilityAttribute": "score" }),
            "{\"score\":0.6}\n{\"score\":0.3}",
            &[&[0.6], &[0.3]],
        ),
        json_answer(
            json!({ "ProbabilityAttribute": "probability" }),
            "{\"predicted_label\":1,\"probability\":0.6}\n{\"predicted_label\":0,\"probability\":0.3}",
            &[&[0.6], &[0.3]],
        ),
        labelled(json_answer(
            json!({ "ProbabilityAttribute": "probabilities", "LabelAttribute": "predicted_labels" }),
            "{\"predicted_labels\":[\"cat\",\"dog\",\"fish\"],\"probabilities\":[0.1,0.6,0.3]}",
            &[&[0.1, 0.6, 0.3]],
        )),
    ]
}

#[tokio::test]
async fn every_documented_answer_is_read_as_documented() {
    for Documented { content_type, inference, answer: text, scores, labels } in documented_answers() {
        let n_records = scores.len();
        // The baseline, and every synthetic record, scores 0 in the same form.
        let zero = zeroed(text.lines().next().expect("has a line"));
        let is_one_line = n_records > 1 && text.lines().count() == 1;
        let container = StubContainer::start(move |asked| {
            let n_lines = asked.lines().len();
            let zeros = || match is_one_line {
                true => vec!["0"; n_lines].join(","),
                false => vec![zero.as_str(); n_lines].join("\n"),
            };
            typed(content_type, if asked.body.contains('9') { text.to_owned() } else { zeros() })
        })
        .await;
        let body = vec!["9"; n_records].join("\n");
        let answer = ask(container.endpoint(with_inference(baseline("1"), inference)), "text/csv", &body).await;
        let expected: Vec<Vec<Vec<f64>>> = scores.into_iter().map(|record| vec![record]).collect();
        assert_eq!(attributions(&answer), expected, "{text}");
        assert_eq!(answer.json()["label_headers"], labels, "{text}");
        assert_eq!(answer.json()["predictions"]["data"], text);
    }
}

/// The same answer with every score 0.
fn zeroed(text: &str) -> String {
    ["0.1", "0.2", "0.3", "0.5", "0.6"].into_iter().fold(text.to_owned(), |text, score| text.replace(score, "0.0"))
}

#[tokio::test]
async fn label_headers_of_the_endpoint_win_over_those_of_the_answer() {
    let answer = "\"['cat','dog']\",\"[0.4,0.6]\"";
    let container =
        StubContainer::start(move |asked| typed("text/csv", vec![answer; asked.lines().len()].join("\n"))).await;
    let labelled = async |headers: Value| {
        let mut inference = json!({ "ProbabilityIndex": 1, "LabelIndex": 0 });
        if !headers.is_null() {
            inference["LabelHeaders"] = headers;
        }
        ask(container.endpoint(with_inference(baseline("0,0"), inference)), "text/csv", "1,2").await
    };
    assert_eq!(labelled(Value::Null).await.json()["label_headers"], json!(["cat", "dog"]));
    assert_eq!(labelled(json!(["no", "yes"])).await.json()["label_headers"], json!(["no", "yes"]));
    assert_eq!(refusal(&labelled(json!(["a", "b", "c"])).await), "3 LabelHeaders for 2 outputs of the model");
}

#[tokio::test]
async fn labels_in_another_order_are_refused() {
    // Sorted by score, as some containers do.
    let sorted = |line: &str| match line.trim() {
        "1" => "\"['yes','no']\",\"[0.7,0.3]\"",
        _ => "\"['no','yes']\",\"[0.9,0.1]\"",
    };
    let container = StubContainer::start(move |asked| {
        typed("text/csv", asked.lines().into_iter().map(sorted).collect::<Vec<&str>>().join("\n"))
    })
    .await;
    let definition = || {
        let layout = json!({ "ProbabilityIndex": 1, "LabelIndex": 0 });
        container.endpoint(with_inference(baseline("0"), layout))
    };
    let among_records = refusal(&ask(definition(), "text/csv", "1\n2").await);
    assert!(among_records.contains("record 2 otherwise than those of record 1"), "{among_records}");
    let among_answers = refusal(&ask(definition(), "text/csv", "1").await);
    assert!(among_answers.contains("a synthetic record otherwise"), "{among_answers}");
    assert_eq!(attributions(&ask(definition(), "text/csv", "2").await), [[[0.0, 0.0]]]);
}

#[tokio::test]
async fn expressions_without_an_order_are_refused() {
    let container = json_container().await;
    for (member, expression) in [
        ("FeaturesAttribute", "values(@)"),
        ("FeaturesAttribute", "[a, features.*][1]"),
        ("ProbabilityAttribute", "probabilities.*"),
        ("LabelAttribute", "keys(probabilities)"),
    ] {
        let definition = container.endpoint(with_inference(baseline("0,0"), json!({ member: expression })));
        let error = open(&definition, Path::new("")).await.err().expect("is refused");
        assert!(error.to_string().contains("have no order"), "{member}: {error}");
        assert!(explaind::aws::definition::member(&error).ends_with(member), "{member}");
    }
}

#[tokio::test]
async fn a_model_file_takes_both_formats_and_answers_by_accept() {
    let app = TestApp::start().await;
    let csv = app.send(invoke("wine", records("wine", 2))).await;
    let arrays: Vec<String> = records("wine", 2).lines().map(|line| format!("[{line}]")).collect();
    let request = with(invoke("wine", arrays.join("\n")), "content-type", JSON_LINES);
    let json = app.send(request.clone()).await;
    assert_eq!((json.status, &json.body), (200, &csv.body));
    let document = app.send(with(request, "accept", JSON_LINES)).await.json();
    assert_eq!(document["predictions"]["content_type"], JSON_LINES);
    assert!(document["predictions"]["data"].as_str().expect("is text").starts_with("{\"score\":["), "{document}");
}

#[tokio::test]
async fn settings_that_do_not_fit_the_answers_of_a_model_file_are_refused() {
    let folder = example_folder("wine");
    let definition = std::fs::read(folder.join("endpoint.json")).expect("reads");
    let definition: Value = serde_json::from_slice(&definition).expect("is JSON");
    for (member, value) in [
        ("ProbabilityIndex", json!(1)),
        ("LabelIndex", json!(0)),
        ("ProbabilityAttribute", json!("probability")),
        ("LabelAttribute", json!("label")),
    ] {
        let mut definition = definition.clone();
        definition["ExplainerConfig"]["ClarifyExplainerConfig"]["InferenceConfig"][member] = value;
        let error = open(&definition, &folder).await.err().expect("is refused");
        assert!(error.to_string().contains("does not fit a model file"), "{member}: {error}");
        assert!(explaind::aws::definition::member(&error).ends_with(member), "{member}");
    }
    let mut senseless = definition.clone();
    senseless["ExplainerConfig"]["ClarifyExplainerConfig"]["InferenceConfig"]["ContentTemplate"] = json!("{");
    let error = open(&senseless, &folder).await.err().expect("is refused");
    assert!(explaind::aws::definition::member(&error).ends_with("ContentTemplate"), "{error}");
    let mut definition = definition;
    definition["ExplainerConfig"]["ClarifyExplainerConfig"]["InferenceConfig"]["ProbabilityAttribute"] =
        json!("score");
    assert!(open(&definition, &folder).await.is_ok());
}
