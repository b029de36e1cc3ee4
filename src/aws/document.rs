//! An explanation → the response document of an endpoint with the Clarify explainer, as compact JSON.

use std::io;

use ndarray::{Array2, ArrayView1};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::endpoints::Endpoint;
use crate::explain::Explanation;
use crate::records::spell;

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    predictions: Predictions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_headers: Option<&'a [String]>,
    explanations: Explanations<'a>,
}

#[derive(Serialize)]
struct Predictions<'a> {
    content_type: &'static str,
    data: &'a str,
}

/// `{}` when nothing was explained, else one entry for each record, null where it was not.
#[derive(Serialize)]
struct Explanations<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_shap: Option<Vec<Option<Vec<Feature<'a>>>>>,
}

#[derive(Serialize)]
struct Feature<'a> {
    attributions: [Attribution<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_header: Option<&'a str>,
}

#[derive(Serialize)]
struct Attribution<'a> {
    #[serde(serialize_with = "each_output")]
    attribution: ArrayView1<'a, f64>,
}

fn each_output<S: serde::Serializer>(outputs: &ArrayView1<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(outputs)
}

/// The body of the answer, without a final line break.
pub fn write(endpoint: &Endpoint, explanation: &Explanation) -> Vec<u8> {
    let is_explained = explanation.attributions.iter().any(Option::is_some);
    let document = Document {
        version: "1.0",
        predictions: Predictions {
            content_type: explanation.predictions.format.mime(),
            data: &explanation.predictions.text,
        },
        label_headers: endpoint.label_headers.as_deref(),
        explanations: Explanations { kernel_shap: is_explained.then(|| records(endpoint, explanation)) },
    };
    to_json(&document)
}

fn records<'a>(endpoint: &'a Endpoint, explanation: &'a Explanation) -> Vec<Option<Vec<Feature<'a>>>> {
    let features = |attributions: &'a Array2<f64>| record_features(endpoint, attributions);
    explanation.attributions.iter().map(|attributions| attributions.as_ref().map(features)).collect()
}

fn record_features<'a>(endpoint: &'a Endpoint, attributions: &'a Array2<f64>) -> Vec<Feature<'a>> {
    let headers = endpoint.feature_headers.as_deref();
    let feature = |(feature_idx, outputs): (usize, ArrayView1<'a, f64>)| Feature {
        attributions: [Attribution { attribution: outputs }],
        feature_header: headers.map(|headers: &[String]| headers[feature_idx].as_str()),
    };
    attributions.outer_iter().enumerate().map(feature).collect()
}

/// A list of numbers as the documents spell them.
pub fn write_numbers(numbers: &[f64]) -> String {
    String::from_utf8(to_json(&numbers)).expect("JSON is UTF-8. This is a bug.")
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PythonNumbers);
    value.serialize(&mut serializer).expect("our documents have text keys and a Vec takes all. This is a bug.");
    bytes
}

/// Compact JSON with numbers as Python's `repr` spells them.
struct PythonNumbers;

impl Formatter for PythonNumbers {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(spell(value).as_bytes())
    }
}
