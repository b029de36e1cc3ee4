//! Endpoints whose model is asked in another protocol: MLflow's scoring server and the Open Inference Protocol. Clients see
//! what a SageMaker container would have answered.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use crate::container::{Asked, StubContainer, baseline, refusing, typed};
use crate::support::{Answer, TestApp, attributions, invoke, open, with};

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/jsonlines";
/// One row to its values in one output.
type Score = fn(&[Value]) -> Vec<f64>;

const SUM: &[(&str, Score)] = &[("p", |row| vec![sum(row)])];
const CUSTOM: &str = "x-amzn-sagemaker-custom-attributes";

fn json_answer(answer: impl Into<Body>) -> Response<Body> {
    typed(JSON, answer)
}

fn sum(row: &[Value]) -> f64 {
    row.iter().map(|cell| cell.as_f64().expect("is a number")).sum()
}

/// Reads a split DataFrame as MLflow does and answers each row with what `predict` says.
async fn mlflow(predict: impl Fn(&[Value]) -> Value + Send + Sync + 'static) -> StubContainer {
    StubContainer::start(move |asked| {
        assert_eq!((asked.target.as_str(), asked.header("content-type")), ("POST /invocations", Some(JSON)));
        let body: Value = serde_json::from_str(&asked.body).expect("is JSON");
        let rows = body["dataframe_split"]["data"].as_array().expect("has rows");
        let predictions: Vec<Value> = rows.iter().map(|row| predict(row.as_array().expect("is a row"))).collect();
        json_answer(json!({ "predictions": predictions }).to_string())
    })
    .await
}

/// Describes its model when it is asked to, and answers each row of the tensor with one number for each output.
async fn v2(metadata: Value, outputs: &'static [(&'static str, Score)]) -> StubContainer {
    StubContainer::start(move |asked| match asked.target.as_str() {
        "GET /v2/models/iris" => json_answer(metadata.to_string()),
        "POST /v2/models/iris/infer" => infer(asked, outputs),
        _ => refusing(404, "{\"error\":\"no such model\"}"),
    })
    .await
}

fn infer(asked: &Asked, outputs: &[(&str, Score)]) -> Response<Body> {
    let body: Value = serde_json::from_str(&asked.body).expect("is JSON");
    let wanted = body["outputs"][0]["name"].as_str();
    let [n_rows, n_columns] = shape(&body);
    let data = body["inputs"][0]["data"].as_array().expect("has data");
    assert_eq!(data.len(), n_rows * n_columns);
    let tensor = |(name, score): &(&str, Score)| {
        let rows: Vec<Vec<f64>> = data.chunks(n_columns).map(score).collect();
        json!({ "name": name, "shape": [n_rows, rows[0].len()], "datatype": "FP64", "data": rows.concat() })
    };
    let chosen = outputs.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    json_answer(json!({ "model_name": "iris", "outputs": chosen.map(tensor).collect::<Vec<Value>>() }).to_string())
}

fn shape(body: &Value) -> [usize; 2] {
    serde_json::from_value(body["inputs"][0]["shape"].clone()).expect("is a shape")
}

fn described(inputs: &[(&str, &str)]) -> Value {
    let inputs: Vec<Value> = inputs
        .iter()
        .map(|(name, datatype)| json!({ "name": name, "datatype": datatype, "shape": [-1, -1] }))
        .collect();
    json!({ "name": "iris", "versions": ["1"], "platform": "stub", "inputs": inputs, "outputs": [] })
}

fn over_mlflow(container: &StubContainer, config: Value) -> Value {
    container.endpoint_with(config, json!({ "EXPLAIND_PROTOCOL": "mlflow" }))
}

fn over_v2(container: &StubContainer, config: Value, output: Option<&str>) -> Value {
    let mut environment = json!({ "EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_MODEL": "iris" });
    if let Some(output) = output {
        environment["EXPLAIND_V2_OUTPUT"] = output.into();
    }
    container.endpoint_with(config, environment)
}

fn with_inference(mut config: Value, inference: Value) -> Value {
    config["InferenceConfig"] = inference;
    config
}

fn without_explainer(mut definition: Value) -> Value {
    definition.as_object_mut().expect("is an object").remove("ExplainerConfig");
    definition
}

async fn ask(definition: Value, body: &str) -> Answer {
    TestApp::defining(definition).await.send(invoke("remote", body.to_owned())).await
}

fn refusal(answer: &Answer, status: u16) -> String {
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(status)), "{answer:?}");
    answer.json()["OriginalMessage"].as_str().expect("is text").to_owned()
}

fn bodies(container: &StubContainer) -> Vec<Value> {
    let sent = container.asked().into_iter().filter(|asked| asked.target.starts_with("POST"));
    sent.map(|asked| serde_json::from_str(&asked.body).expect("is JSON")).collect()
}

#[tokio::test]
async fn an_mlflow_model_is_explained_in_every_format_that_clients_send_and_accept() {
    let inference = json!({ "FeatureHeaders": ["mean radius", "b", "c"] });
    for (content_type, payload) in [("text/csv", "1e0,2.50,3\r\n4, 5,7"), (JSON_LINES, "[1e0,2.50,3]\n[4,5, 7]\n")]
    {
        for (accept, told) in
            [("text/csv", "6.5\n16.0"), ("*/*", "6.5\n16.0"), (JSON_LINES, "{\"score\":6.5}\n{\"score\":16.0}")]
        {
            let container = mlflow(|row| json!(sum(row))).await;
            let definition = over_mlflow(&container, with_inference(baseline("0,1,0"), inference.clone()));
            let request = with(invoke("remote", payload), "content-type", content_type);
            let answer = TestApp::defining(definition).await.send(with(request, "accept", accept)).await;
            let got = attributions(&answer).concat().concat();
            let expected = [1.0, 1.5, 3.0, 4.0, 4.0, 7.0];
            assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-9));
            let mime = if accept == JSON_LINES { JSON_LINES } else { "text/csv" };
            assert_eq!(answer.json()["predictions"], json!({ "content_type": mime, "data": told }));
            let asked = container.asked();
            let split = "\"columns\":[\"mean radius\",\"b\",\"c\"],\"data\":[[1e0,2.50,3],[4,5,7]]";
            assert_eq!(asked[0].body, format!("{{\"dataframe_split\":{{{split}}}}}"));
            assert!(asked[1].body.contains("[[0,1,0],"), "{}", asked[1].body);
            assert!(asked.iter().all(|asked| asked.header("accept") == Some(JSON)));
        }
    }
}

#[tokio::test]
async fn without_feature_headers_mlflow_numbers_the_columns() {
    let container = mlflow(|row| json!(sum(row))).await;
    assert_eq!(ask(over_mlflow(&container, baseline("0,1")), "1,2").await.status, 200);
    assert!(bodies(&container).iter().all(|body| body["dataframe_split"].get("columns").is_none()));
}

#[tokio::test]
async fn probabilities_of_classes_and_data_frames_are_read_by_index_and_by_attribute() {
    let of_classes = mlflow(|row| json!([1.0 - sum(row), sum(row)])).await;
    let config = with_inference(baseline("0,0"), json!({ "LabelHeaders": ["no", "yes"] }));
    let answer = ask(over_mlflow(&of_classes, config), "0.25,0.5").await;
    assert_eq!(attributions(&answer), [[[-0.25, 0.25], [-0.5, 0.5]]]);
    assert_eq!(answer.json()["predictions"]["data"], "0.25,0.75");

    let frame = |row: &[Value]| json!({ "label": "a,b", "score": sum(row) });
    let inference = json!({
        "ProbabilityIndex": 1, "LabelIndex": 0, "ProbabilityAttribute": "score", "LabelAttribute": "label",
    });
    for (accept, told) in [
        ("text/csv", "\"a,b\",0.75\n\"a,b\",2.0"),
        (JSON_LINES, "{\"label\":\"a,b\",\"score\":0.75}\n{\"label\":\"a,b\",\"score\":2.0}"),
    ] {
        let container = mlflow(frame).await;
        let definition = over_mlflow(&container, with_inference(baseline("0,0"), inference.clone()));
        let request = with(invoke("remote", "0.25,0.5\n1,1"), "accept", accept);
        let answer = TestApp::defining(definition).await.send(request).await;
        assert_eq!(attributions(&answer), [[[0.25], [0.5]], [[1.0], [1.0]]]);
        assert_eq!(answer.json()["predictions"]["data"], told);
    }
}

#[tokio::test]
async fn answers_are_passed_through_in_the_accepted_format() {
    let container = StubContainer::start(|_| {
        let mut response = json_answer("{\"predictions\": [0.50, 1e-3]}");
        response.headers_mut().insert(CUSTOM, "trace=7".parse().expect("is a value"));
        response
    })
    .await;
    let app = TestApp::defining(without_explainer(over_mlflow(&container, json!({})))).await;
    for (accept, told) in [("text/csv", "0.50\n1e-3"), (JSON_LINES, "{\"score\":0.50}\n{\"score\":1e-3}")] {
        let answer = app.send(with(with(invoke("remote", "1,2\n3,4"), "accept", accept), CUSTOM, "a=b")).await;
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.header(CUSTOM)),
            (200, accept, "trace=7")
        );
        assert_eq!(answer.body, told);
    }
    let asked = container.asked();
    assert_eq!(asked[0].header(CUSTOM), Some("a=b"));
    assert_eq!(asked[0].body, "{\"dataframe_split\":{\"data\":[[1,2],[3,4]]}}");
    for (request, expected) in [
        (
            with(invoke("remote", "x"), "content-type", "image/png"),
            "the content type \"image/png\" is not supported",
        ),
        (with(invoke("remote", "1"), "accept", "image/png"), "the accepted type \"image/png\" is not supported"),
        (invoke("remote", "1,2\n3"), "record 2 has 1 features instead of 2"),
        (invoke("remote", "1"), "the model's answer has 2 records instead of 1"),
    ] {
        let message = refusal(&app.send(request).await, 400);
        assert!(message.starts_with(expected), "{message}");
    }
    assert_eq!(container.asked().len(), 3);
}

#[tokio::test]
async fn answers_of_mlflow_that_cannot_be_used_are_refused() {
    for (predictions, expected) in [
        ("{\"predictions\": [0.5]}", "the model's answer has 1 records instead of 2"),
        ("{\"predictions\": [0.5, 0.5, 0.5]}", "the model's answer has 3 records instead of 2"),
        ("{\"predictions\": [0.5, NaN]}", "the model's answer is not JSON: expected value at line 1 column 23"),
        ("{\"predictions\": [0.5, \"high\"]}", "the model's answer, record 2, index 0: \"high\" is not a number"),
        ("{\"other\": [0.5, 0.5]}", "the model's answer has no predictions"),
    ] {
        let container = StubContainer::start(move |_| json_answer(predictions)).await;
        let message = refusal(&ask(over_mlflow(&container, baseline("0,0")), "1,2\n3,4").await, 400);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn a_refusal_of_mlflow_says_what_to_mend_and_no_more() {
    let schema = "{\"error_code\": \"BAD_REQUEST\", \"message\": \"Failed to predict data '[[17.99]]'. \\nError: Failed to \
                  enforce schema of data '[[17.99]]'. Error: Model is missing inputs ['mean radius'].\"}";
    let inside = "{\"error_code\": \"BAD_REQUEST\", \"message\": \"Encountered an unexpected error.\", \"stack_trace\": \
                  \"Traceback:\\n  File \\\"/srv/model/m.py\\\"\\nValueError: could not convert string to float\\n\"}";
    for (body, expected) in [
        (schema, "Model is missing inputs ['mean radius']."),
        (inside, "Encountered an unexpected error. ValueError: could not convert string to float"),
    ] {
        let container = StubContainer::start(move |_| refusing(400, body)).await;
        assert_eq!(refusal(&ask(over_mlflow(&container, baseline("0")), "1").await, 400), expected);
    }
}

#[tokio::test]
async fn a_v2_model_is_explained_and_described_once() {
    let container = v2(described(&[("X:0", "FP32")]), SUM).await;
    let app = TestApp::defining(over_v2(&container, baseline("0,1"), None)).await;
    for (content_type, accept, told) in
        [("text/csv", "text/csv", "3.5\n7.0"), (JSON_LINES, JSON_LINES, "{\"score\":3.5}\n{\"score\":7.0}")]
    {
        let payload = if content_type == JSON_LINES { "[1e0,2.50]\n[3,4]" } else { "1e0,2.50\n3,4" };
        let request = with(with(invoke("remote", payload), "content-type", content_type), "accept", accept);
        let answer = app.send(request).await;
        assert_eq!(attributions(&answer), [[[1.0], [1.5]], [[3.0], [3.0]]]);
        assert_eq!(answer.json()["predictions"], json!({ "content_type": accept, "data": told }));
    }
    let asked = container.asked();
    let own = "\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[1e0,2.50,3,4]";
    assert_eq!(asked[1].body, format!("{{\"inputs\":[{{\"name\":\"X:0\",{own}}}]}}"));
    assert_eq!(asked.iter().filter(|asked| asked.target.starts_with("GET")).count(), 1);
    assert!(asked[1..].iter().all(|asked| asked.header("content-type") == Some(JSON)));
}

#[tokio::test]
async fn a_server_that_describes_no_input_gets_a_default_one() {
    let container = v2(json!({ "name": "iris", "versions": [], "inputs": [] }), SUM).await;
    let answer = ask(without_explainer(over_v2(&container, json!({}), None)), "1,2").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"3.0"[..]));
    let body = &bodies(&container)[0];
    assert_eq!(body["inputs"][0]["name"], "input-0");
    assert_eq!(body["inputs"][0]["datatype"], "FP64");
}

#[tokio::test]
async fn of_several_outputs_the_chosen_one_is_asked_and_read() {
    const OUTPUTS: &[(&str, Score)] =
        &[("predict", |_| vec![1.0]), ("predict_proba", |row| vec![1.0 - sum(row), sum(row)])];
    let container = v2(described(&[("x", "FP64")]), OUTPUTS).await;
    let answer = ask(over_v2(&container, baseline("0,0"), Some("predict_proba")), "0.25,0.5").await;
    assert_eq!(attributions(&answer), [[[-0.25, 0.25], [-0.5, 0.5]]]);
    assert_eq!(answer.json()["predictions"]["data"], "0.25,0.75");
    assert!(bodies(&container).iter().all(|body| body["outputs"] == json!([{ "name": "predict_proba" }])));

    let message = refusal(&ask(over_v2(&container, baseline("0,0"), None), "1,2").await, 400);
    assert_eq!(
        message,
        "the model answers with the outputs \"predict\", \"predict_proba\": EXPLAIND_V2_OUTPUT must say which one holds \
         the scores"
    );
}

#[tokio::test]
async fn categories_reach_a_v2_model_as_texts() {
    const OUTPUTS: &[(&str, Score)] = &[("p", |row| {
        let cells: Vec<&str> = row.iter().map(|cell| cell.as_str().expect("is a text")).collect();
        vec![f64::from(cells[0] == "red") + cells[1].parse::<f64>().expect("is a number")]
    })];
    let container = v2(described(&[("x", "BYTES")]), OUTPUTS).await;
    let answer = ask(over_v2(&container, baseline("blue,1.50"), None), "red,4").await;
    assert_eq!(attributions(&answer), [[[1.0], [2.5]]]);
}

#[tokio::test]
async fn records_and_baselines_that_a_v2_model_would_cut_are_refused() {
    for (baseline_rows, records, expected) in [
        ("0,1.5", "1,2", "baseline row 1, column 2: the model takes INT64, and would cut \"1.5\" to an integer"),
        ("0,1", "1,2\n3.5,4", "record 2, column 1: the model takes INT64, and would cut \"3.5\" to an integer"),
    ] {
        let container = v2(described(&[("x", "INT64")]), SUM).await;
        let answer = ask(over_v2(&container, baseline(baseline_rows), None), records).await;
        assert_eq!(refusal(&answer, 400), expected);
        assert!(bodies(&container).is_empty());
    }
}

#[tokio::test]
async fn models_that_cannot_take_records_are_refused_with_the_reason() {
    for (inputs, expected) in [
        (
            &[("age", "FP32"), ("sex", "FP32")][..],
            "the model has 2 inputs (\"age\", \"sex\"); records can be sent",
        ),
        (&[("x", "FP16")], "the input \"x\" of the model takes FP16; supported: FP32, FP64, INT8, "),
    ] {
        let container = v2(described(inputs), &[]).await;
        let message = refusal(&ask(over_v2(&container, baseline("0"), None), "1").await, 400);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn a_v2_model_that_is_not_loaded_yet_is_described_later() {
    let is_loaded = AtomicBool::new(false);
    let container = StubContainer::start(move |asked| match asked.target.as_str() {
        "GET /v2/models/iris/versions/3" if !is_loaded.swap(true, Ordering::Relaxed) => {
            refusing(404, "{\"error\":\"Model iris not found\"}")
        }
        "GET /v2/models/iris/versions/3" => json_answer(described(&[("x", "FP64")]).to_string()),
        "POST /v2/models/iris/versions/3/infer" => infer(asked, SUM),
        _ => refusing(404, "no such path"),
    })
    .await;
    let environment = json!({ "EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_MODEL": "iris/versions/3" });
    let app = TestApp::defining(container.endpoint_with(baseline("0,0"), environment)).await;
    let first = app.send(invoke("remote", "1,2")).await;
    assert_eq!(refusal(&first, 404), "Model iris not found");
    assert_eq!(attributions(&app.send(invoke("remote", "1,2")).await), [[[1.0], [2.0]]]);
}

#[tokio::test]
async fn requests_keep_their_limits_with_all_that_stands_around_the_records() {
    const MIB: usize = 1 << 20;
    let container = mlflow(|row| json!(sum(row))).await;
    let names: Vec<String> = (0..20).map(|idx| format!("{idx:060}")).collect();
    let row = |digit: &str| vec![format!("0.{}", digit.repeat(48)); names.len()].join(",");
    for (rows_max, names_bytes) in [(1100, 20 * 63), (300, 20 * 63)] {
        let inference = json!({ "MaxPayloadInMB": 1, "MaxRecordCount": rows_max, "FeatureHeaders": names });
        let definition = over_mlflow(&container, with_inference(baseline(&row("1")), inference));
        let before = container.asked().len();
        assert_eq!(ask(definition, &row("2")).await.status, 200);
        let asked = &container.asked()[before..];
        let sizes: Vec<usize> = asked.iter().map(|asked| asked.body.len()).collect();
        let rows: Vec<usize> = asked.iter().map(|asked| asked.body.matches("],[").count() + 1).collect();
        let (largest, most) = (*sizes.iter().max().expect("was asked"), *rows.iter().max().expect("was asked"));
        assert!(largest <= MIB && most <= rows_max, "{sizes:?} {rows:?}");
        // One of the two limits was reached.
        assert!(largest > MIB - names_bytes || most == rows_max, "{sizes:?} {rows:?}");
    }
}

#[tokio::test]
async fn a_content_template_has_no_place_in_these_protocols() {
    let container = mlflow(|row| json!(sum(row))).await;
    let config = with_inference(baseline("0"), json!({ "ContentTemplate": "{\"inputs\":$features}" }));
    for (definition, protocol) in
        [(over_mlflow(&container, config.clone()), "mlflow"), (over_v2(&container, config, None), "v2")]
    {
        let Err(error) = open(&definition, Path::new("")).await else { panic!("{protocol} opens") };
        let expected =
            format!("the protocol {protocol} has its own way to write records; a template has no place in it");
        assert_eq!(error.to_string(), expected);
        assert!(explaind::aws::definition::member(&error).ends_with("InferenceConfig.ContentTemplate"));
    }
}

#[tokio::test]
async fn the_examples_of_the_page_open() {
    let page = include_str!("../../docs/containers.md");
    let examples: Vec<&str> =
        page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let definition = serde_json::from_str(example).expect("is JSON");
        assert!(open(&definition, Path::new("")).await.is_ok(), "{example}");
    }
}
