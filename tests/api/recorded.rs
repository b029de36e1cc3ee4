//! Answers that the hosted service gave, as public notebooks printed them: our writer gives the same bytes.

use std::fs;
use std::path::Path;

use explaind::aws::document::{Attributions, Document, Feature, Predictions, Unit};
use explaind::endpoints::FeatureType;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::container::{StubContainer, baseline, typed};
use crate::support::{TestApp, invoke, with};

/// Bodies for which the service's content-length was printed.
const MEASURED: usize = 7;

#[derive(Deserialize)]
pub struct Notebook {
    source: String,
    pub answers: Vec<Answer>,
}

#[derive(Deserialize)]
pub struct Answer {
    cell: u32,
    pub enable_explanations: Option<String>,
    /// In bytes.
    pub content_length: Option<usize>,
    pub body: Value,
}

#[derive(Deserialize)]
struct Body {
    version: String,
    predictions: BodyPredictions,
    label_headers: Option<Vec<String>>,
    explanations: BodyExplanations,
}

#[derive(Deserialize)]
struct BodyPredictions {
    content_type: String,
    data: String,
}

#[derive(Deserialize)]
struct BodyExplanations {
    kernel_shap: Option<Vec<Option<Vec<BodyFeature>>>>,
}

#[derive(Deserialize)]
struct BodyFeature {
    attributions: Vec<BodyAttribution>,
    feature_header: Option<String>,
    feature_type: Option<String>,
}

#[derive(Deserialize)]
struct BodyAttribution {
    attribution: Vec<f64>,
    description: Option<BodyDescription>,
}

#[derive(Deserialize)]
struct BodyDescription {
    partial_text: String,
    start_idx: usize,
}

fn document(body: &Body) -> Document<'_> {
    let records = body.explanations.kernel_shap.as_ref();
    Document {
        version: &body.version,
        predictions: Predictions { content_type: &body.predictions.content_type, data: &body.predictions.data },
        label_headers: body.label_headers.as_deref(),
        kernel_shap: records.map(|records| records.iter().map(record).collect()),
    }
}

fn record(features: &Option<Vec<BodyFeature>>) -> Option<Vec<Feature<'_>>> {
    Some(features.as_ref()?.iter().map(feature).collect())
}

fn feature(feature: &BodyFeature) -> Feature<'_> {
    Feature {
        attributions: attributions(&feature.attributions),
        feature_header: feature.feature_header.as_deref(),
        feature_type: feature.feature_type.as_deref().map(|name| match name {
            "numerical" => FeatureType::Numerical,
            "categorical" => FeatureType::Categorical,
            "text" => FeatureType::Text,
            _ => panic!("{name} is no type of a feature"),
        }),
    }
}

fn attributions(items: &[BodyAttribution]) -> Attributions<'_> {
    match items {
        [BodyAttribution { attribution, description: None }] => Attributions::Whole(attribution),
        units => Attributions::Units(units.iter().map(unit).collect()),
    }
}

fn unit(item: &BodyAttribution) -> Unit<'_> {
    let BodyDescription { partial_text, start_idx } = item.description.as_ref().expect("units are described");
    Unit { attribution: &item.attribution, partial_text, start_idx: *start_idx }
}

pub struct Recording {
    pub text: String,
    pub notebook: Notebook,
}

pub fn recording(name: &str) -> Recording {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/recorded").join(name).with_extension("json");
    let text = fs::read_to_string(path).expect("the recording is there");
    let notebook = serde_json::from_str(&text).expect("a recording");
    Recording { text, notebook }
}

#[test]
fn recorded_answers_are_written_byte_for_byte() {
    let mut n_measured = 0;
    for Recording { text, notebook } in ["tabular", "text", "text-token", "multi-model"].map(recording) {
        for Answer { cell, content_length, body, .. } in notebook.answers {
            let source = format!("{}, cell {cell}", notebook.source);
            let parsed = Body::deserialize(&body).expect(&source);
            let written = String::from_utf8(document(&parsed).to_json()).expect("is UTF-8");
            assert_eq!(serde_json::from_str::<Value>(&written).expect("is JSON"), body, "{source}");
            assert!(text.contains(&format!("\n{written}}}")), "{source}: {written}");
            if let Some(content_length) = content_length {
                assert_eq!(written.len(), content_length, "{source}");
                n_measured += 1;
            }
        }
    }
    assert_eq!(n_measured, MEASURED);
}

#[tokio::test]
async fn a_container_that_gives_the_recorded_scores_gets_a_document_of_the_recorded_shape() {
    for Recording { notebook, .. } in ["tabular", "multi-model"].map(recording) {
        let headers = headers(&notebook.answers[0].body);
        for Answer { cell, enable_explanations, body, .. } in notebook.answers {
            let answer = replay(&headers, enable_explanations, &body).await;
            assert_eq!(shape(&answer.json()), shape(&body), "{}, cell {cell}", notebook.source);
        }
    }
}

/// FeatureHeaders of the recorded endpoint.
fn headers(body: &Value) -> Vec<Value> {
    let features = body["explanations"]["kernel_shap"][0].as_array().expect("the first answer is explained");
    features.iter().map(|feature| feature["feature_header"].clone()).collect()
}

/// The recorded request again, to a container that answers it as recorded and synthetic records with one score.
async fn replay(headers: &[Value], expression: Option<String>, body: &Value) -> crate::support::Answer {
    let row = |cell: &str| vec![cell; headers.len()].join(",");
    let (content_type, data) = (&body["predictions"]["content_type"], &body["predictions"]["data"]);
    let (content_type, data) =
        (content_type.as_str().expect("text").to_owned(), data.as_str().expect("text").to_owned());
    let n_records = data.split([',', '\n']).filter(|score| !score.is_empty()).count();
    let payload = vec![row("9"); n_records].join("\n");
    let original = payload.clone();
    let container = StubContainer::start(move |asked| {
        let synthetic = || vec!["0.5"; asked.lines().len()].join("\n");
        typed(&content_type, if asked.body == original { data.clone() } else { synthetic() })
    })
    .await;
    let mut config = baseline(&row("0"));
    config["InferenceConfig"] = json!({ "FeatureHeaders": headers });
    let mut request = invoke("remote", payload);
    if let Some(expression) = expression {
        request = with(request, "x-amzn-sagemaker-enable-explanations", expression);
    }
    TestApp::defining(container.endpoint(config)).await.send(request).await
}

/// Everything but the attributions themselves.
pub fn shape(value: &Value) -> Value {
    match value {
        Value::Number(_) => json!(0),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        other => other.clone(),
    }
}
