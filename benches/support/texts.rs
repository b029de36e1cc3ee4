//! Texts of a given number of tokens, from a model's own words; what a server says of them.

use std::path::Path;

use explaind::records::units::{Granularity, split};
use prost::Message;
use serde_json::Value;

use super::spread::Spread;

pub struct Texts {
    /// Each is one token.
    words: Vec<String>,
}

/// Of an ONNX file, the way to the words of its vectorizer. Fields by their numbers in `onnx.proto`.
#[derive(Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<NodeProto>,
}

#[derive(Message)]
struct NodeProto {
    #[prost(message, repeated, tag = "5")]
    attributes: Vec<AttributeProto>,
}

#[derive(Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "9")]
    strings: Vec<String>,
}

impl Texts {
    pub fn of_model(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the example has its model");
        let graph = ModelProto::decode(bytes.as_slice()).expect("is an ONNX file").graph.expect("has a graph");
        let mut attributes = graph.nodes.into_iter().flat_map(|node| node.attributes);
        let pool = attributes.find(|attribute| attribute.name == "pool_strings").expect("has a vectorizer");
        let is_token = |word: &String| split(word, Granularity::Token, "en").len() == 1;
        let words: Vec<String> = pool.strings.into_iter().filter(is_token).collect();
        assert!(words.len() > 1000, "the model has only {} words", words.len());
        Self { words }
    }

    /// The same for the same numbers; another `idx` is another text.
    pub fn of_length(&self, n_tokens: usize, idx: usize) -> String {
        let word = |place: usize| self.words[(place * 977 + idx * 131) % self.words.len()].as_str();
        (0..n_tokens).map(word).collect::<Vec<&str>>().join(" ")
    }
}

/// One column of quoted texts.
pub fn csv<T: AsRef<str>>(texts: &[T]) -> String {
    texts.iter().map(|text| format!("\"{}\"\n", text.as_ref())).collect()
}

/// Of each record and unit, for the first output.
pub fn attributions(body: &[u8]) -> Vec<Vec<f64>> {
    let document: Value = serde_json::from_slice(body).expect("is JSON");
    let of_unit = |unit: &Value| unit["attribution"][0].as_f64().expect("is a number");
    let of_record = |record: &Value| {
        record[0]["attributions"].as_array().expect("a text has units").iter().map(of_unit).collect()
    };
    document["explanations"]["kernel_shap"].as_array().expect("is explained").iter().map(of_record).collect()
}

pub fn distance(own: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(own.len(), theirs.len(), "as many units as the other package finds");
    let norm = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut own.iter().zip(theirs).map(|(own, theirs)| own - theirs));
    apart / norm(&mut theirs.iter().copied())
}

/// Server-Timing of many answers.
pub struct Stages(Vec<[f64; Stages::NAMES.len()]>);

impl Stages {
    pub const NAMES: [&'static str; 6] = ["decode", "predict", "plan", "values", "attribute", "encode"];

    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn add(&mut self, timing: &str) {
        let ms = |name: &str| {
            let entry = timing.split(", ").find_map(|entry| entry.strip_prefix(name)?.strip_prefix(";dur="));
            entry.expect("the server says each stage").parse().expect("is a number")
        };
        self.0.push(Self::NAMES.map(ms));
    }

    /// A record's share.
    pub fn medians_ms(&self, n_records: usize) -> [f64; Self::NAMES.len()] {
        let median = |stage| Spread::of(self.0.iter().map(|all| all[stage]).collect()).median_s;
        std::array::from_fn(|stage| median(stage) / n_records as f64)
    }

    pub fn to_json(&self, n_records: usize) -> Value {
        let named = Self::NAMES.into_iter().zip(self.medians_ms(n_records));
        named.map(|(name, ms)| (name.to_owned(), ms.into())).collect::<serde_json::Map<_, _>>().into()
    }
}
