//! Whole answers.

use insta::assert_snapshot;

use crate::show::show;
use crate::support::{Answer, TestApp, example_folder, get, invoke, open, records, with};

const EXPRESSION: &str = "x-amzn-sagemaker-enable-explanations";

async fn answer(request: axum::http::Request<http_body_util::Full<bytes::Bytes>>) -> Answer {
    TestApp::start().await.send(request).await
}

#[tokio::test]
async fn one_record() {
    assert_snapshot!(show(&answer(invoke("breast-cancer", records("breast-cancer", 1))).await));
}

#[tokio::test]
async fn one_record_under_the_estimator_trend() {
    let folder = example_folder("wine");
    let definition = std::fs::read(folder.join("endpoint.json")).expect("reads");
    let mut definition: serde_json::Value = serde_json::from_slice(&definition).expect("is JSON");
    definition["PrimaryContainer"]["Environment"] = serde_json::json!({ "EXPLAIND_ESTIMATOR": "trend" });
    let app = TestApp::with_endpoint(open(&definition, &folder).await.expect("opens")).await;
    assert_snapshot!(show(&app.send(invoke("wine", records("wine", 1))).await));
}

#[tokio::test]
async fn records_that_a_filter_leaves_out_are_null() {
    let request = with(invoke("wine", records("wine", 3)), EXPRESSION, "[1]>`0.5`");
    assert_snapshot!(show(&answer(request).await));
}

#[tokio::test]
async fn nothing_explained() {
    let request = with(invoke("breast-cancer", records("breast-cancer", 3)), EXPRESSION, "`false`");
    assert_snapshot!(show(&answer(request).await));
}

#[tokio::test]
async fn json_lines_when_asked_for() {
    let request = with(invoke("wine", records("wine", 2)), "accept", "application/jsonlines");
    let request = with(request, EXPRESSION, "`false`");
    assert_snapshot!(show(&answer(request).await));
}

#[tokio::test]
async fn a_record_equal_to_the_baseline_has_no_players() {
    let definition = std::fs::read(example_folder("wine").join("endpoint.json")).expect("reads");
    let definition: serde_json::Value = serde_json::from_slice(&definition).expect("is JSON");
    let shap = &definition["ExplainerConfig"]["ClarifyExplainerConfig"]["ShapConfig"];
    let baseline = shap["ShapBaselineConfig"]["ShapBaseline"].as_str().expect("is text");
    assert_snapshot!(show(&answer(invoke("wine", baseline.to_owned())).await));
}

#[tokio::test]
async fn an_expression_sees_the_answer_in_the_format_that_was_asked_for() {
    let app = TestApp::start().await;
    let explained = async |accept: &str, expression: &str| {
        let request = with(invoke("breast-cancer", records("breast-cancer", 2)), "accept", accept);
        let document = app.send(with(request, EXPRESSION, expression)).await.json();
        let records = document["explanations"]["kernel_shap"].as_array().cloned().unwrap_or_default();
        records.iter().map(|record| !record.is_null()).collect::<Vec<bool>>()
    };
    assert_eq!(explained("text/csv", "[0]>`0.5`").await, [true, false]);
    assert_eq!(explained("text/csv", "  [0]<=`0.5` ").await, [false, true]);
    assert_eq!(explained("application/jsonlines", "score>`0.5`").await, [true, false]);
}

#[tokio::test]
async fn content_types_are_compared_without_parameters_and_accept_may_be_absent_or_anything() {
    let app = TestApp::start().await;
    let plain = app.send(invoke("wine", records("wine", 1))).await;
    for (name, value) in [
        ("content-type", "Text/CSV; charset=utf-8"),
        ("accept", "*/*"),
        ("accept", "image/png, text/csv;q=0.5"),
        ("x-amzn-sagemaker-target-variant", "AllTraffic"),
        ("x-amzn-sagemaker-inference-id", "42"),
    ] {
        let answer = app.send(with(invoke("wine", records("wine", 1)), name, value)).await;
        assert_eq!((answer.status, &answer.body), (200, &plain.body), "{name}: {value}");
    }
}

#[tokio::test]
async fn the_last_line_break_and_carriage_returns_change_nothing() {
    let app = TestApp::start().await;
    let plain = app.send(invoke("wine", records("wine", 2))).await;
    for body in [format!("{}\n", records("wine", 2)), format!("{}\r\n", records("wine", 2).replace('\n', "\r\n"))]
    {
        assert_eq!(app.send(invoke("wine", body)).await.body, plain.body);
    }
}

#[tokio::test]
async fn a_record_gets_the_same_attributions_alone_and_among_others() {
    let app = TestApp::start().await;
    let together = app.send(invoke("breast-cancer", records("breast-cancer", 5))).await.json();
    for (idx, record) in records("breast-cancer", 5).lines().enumerate() {
        let alone = app.send(invoke("breast-cancer", record.to_owned())).await.json();
        assert_eq!(alone["explanations"]["kernel_shap"][0], together["explanations"]["kernel_shap"][idx]);
    }
}

#[tokio::test]
async fn answers_are_compact_json_without_a_final_line_break() {
    let answer = answer(invoke("wine", records("wine", 1))).await;
    let body = std::str::from_utf8(&answer.body).expect("is UTF-8");
    assert!(body.starts_with(r#"{"version":"1.0","predictions":{"content_type":"text/csv","data":""#), "{body}");
    assert!(body.ends_with("]}}") && answer.header("content-length") == body.len().to_string(), "{body}");
}

#[tokio::test]
async fn health_and_metrics() {
    let app = TestApp::start().await;
    let ping = app.send(get("/ping")).await;
    assert_eq!((ping.status, ping.body.len()), (200, 0));
    app.send(invoke("wine", records("wine", 1))).await;
    let metrics = app.send(get("/metrics")).await;
    let text = String::from_utf8(metrics.body.to_vec()).expect("is UTF-8");
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    for line in
        ["# TYPE explaind_requests_total counter", r#"endpoint="wine",status="200""#, "explaind_build_info"]
    {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
