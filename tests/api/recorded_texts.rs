//! Recorded answers about texts, asked again: a stub container knows what each text with replaced units is worth, so that
//! the recorded attributions are the right ones, and the answer is the recorded one but for the last digits of numbers.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::container::{StubContainer, typed};
use crate::recorded::{recording, shape};
use crate::support::{TestApp, invoke, with};

/// Of an attribution, against the recorded one: what float64 sums of some ten scores may differ by.
const ATTRIBUTION_ERROR_MAX: f64 = 1e-14;

/// A recorded text: its units with the recorded attributions, and the model's recorded score.
struct Text {
    units: Vec<(String, usize, f64)>,
    score: f64,
}

impl Text {
    fn of(record: &Value, score: f64) -> Self {
        let unit = |item: &Value| {
            let described = &item["description"];
            let start_idx = described["start_idx"].as_u64().expect("is a number") as usize;
            let attribution = item["attribution"][0].as_f64().expect("is a number");
            (described["partial_text"].as_str().expect("is a text").to_owned(), start_idx, attribution)
        };
        let units = record[0]["attributions"].as_array().expect("is a list").iter().map(unit).collect();
        Self { units, score }
    }

    /// The text with the units of a coalition, a bit each, and what stands for the others.
    fn spliced(&self, present: usize, baseline: &str) -> String {
        let mut text = String::new();
        let mut n_chars = 0;
        for (idx, (unit, start_idx, _)) in self.units.iter().enumerate() {
            text.push_str(&" ".repeat(start_idx - n_chars));
            text.push_str(if present >> idx & 1 == 1 { unit } else { baseline });
            n_chars = start_idx + unit.chars().count();
        }
        text
    }

    fn grand(&self) -> usize {
        (1 << self.units.len()) - 1
    }

    fn whole(&self) -> String {
        self.spliced(self.grand(), "")
    }

    /// What the baseline is worth, if attributions add up.
    fn base(&self) -> f64 {
        self.score - self.units.iter().map(|(_, _, attribution)| attribution).sum::<f64>()
    }

    /// Coalitions that are neither empty nor all, and what they are worth in the additive game.
    fn worths<'a>(&'a self, baseline: &'a str) -> impl Iterator<Item = (String, f64)> + 'a {
        let worth = |present: usize| {
            let of_unit = |(idx, (_, _, attribution)): (usize, &(String, usize, f64))| {
                if present >> idx & 1 == 1 { *attribution } else { 0.0 }
            };
            self.base() + self.units.iter().enumerate().map(of_unit).sum::<f64>()
        };
        (1..self.grand()).map(move |present| (self.spliced(present, baseline), worth(present)))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Sends the recorded request to an endpoint whose container gives the recorded scores.
async fn replay(config: Value, baseline: &str, expression: Option<&str>, body: &Value) -> crate::support::Answer {
    let data = body["predictions"]["data"].as_str().expect("is a text").to_owned();
    let records = body["explanations"]["kernel_shap"].as_array();
    let texts: Vec<Option<Text>> = data
        .lines()
        .enumerate()
        .map(|(idx, score)| {
            let record = records.map(|records| &records[idx]).filter(|record| !record.is_null())?;
            Some(Text::of(record, score.parse().expect("is a number")))
        })
        .collect();
    let line = |text: &Option<Text>| quoted(&text.as_ref().map_or("Not explained.".to_owned(), Text::whole));
    let payload = texts.iter().map(line).collect::<Vec<_>>().join("\n");
    let explained: Vec<&Text> = texts.iter().flatten().collect();
    let mut worths: HashMap<String, f64> = explained
        .iter()
        .flat_map(|text| text.worths(baseline))
        .map(|(text, worth)| (quoted(&text), worth))
        .collect();
    // Nobody is the baseline row, which stands as the endpoint spells it.
    worths.extend(
        explained.iter().flat_map(|text| [baseline.to_owned(), quoted(baseline)].map(|row| (row, text.base()))),
    );
    let original = payload.clone();
    let container = StubContainer::start(move |asked| {
        let worth = |line: &&str| format!("{:?}", worths.get(*line).unwrap_or_else(|| panic!("{line} was asked")));
        let synthetic = || asked.lines().iter().map(worth).collect::<Vec<_>>().join("\n");
        typed("text/csv", if asked.body == original { data.clone() } else { synthetic() })
    })
    .await;
    let mut request = invoke("remote", payload);
    if let Some(expression) = expression {
        request = with(request, "x-amzn-sagemaker-enable-explanations", expression);
    }
    TestApp::defining(container.endpoint(config)).await.send(request).await
}

/// All numbers of the explanations, in the order of the document.
fn attributions(body: &Value) -> Vec<f64> {
    match body {
        Value::Array(items) => items.iter().flat_map(attributions).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("attribution", Value::Array(numbers)) => numbers.iter().filter_map(Value::as_f64).collect(),
                _ => attributions(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The answer's bytes with the recorded attributions in place of its own, which they equal but for float64's last digits.
fn with_recorded_numbers(text: &str, own: &[f64], recorded: &[f64]) -> String {
    let mut rest = text;
    let mut written = String::new();
    for (own, recorded) in own.iter().zip(recorded) {
        assert!((own - recorded).abs() < ATTRIBUTION_ERROR_MAX, "{own} {recorded}");
        let (before, after) = rest.split_once("\"attribution\":[").expect("a list for each attribution");
        let (_, after) = after.split_once(']').expect("a list ends");
        written.push_str(&format!("{before}\"attribution\":[{recorded:?}]"));
        rest = after;
    }
    written + rest
}

async fn comes_out_as_recorded(
    config: Value,
    baseline: &str,
    expression: Option<&str>,
    body: &Value,
    content_length: Option<usize>,
) {
    let answer = replay(config, baseline, expression, body).await;
    assert_eq!((answer.status, shape(&answer.json())), (200, shape(body)));
    let (own, recorded) = (attributions(&answer.json()), attributions(body));
    let text = with_recorded_numbers(std::str::from_utf8(&answer.body).expect("is UTF-8"), &own, &recorded);
    assert_eq!(serde_json::from_str::<Value>(&text).expect("is JSON"), *body);
    assert_eq!(content_length.unwrap_or(text.len()), text.len());
}

#[tokio::test]
async fn recorded_sentences_have_their_units_places_and_bytes() {
    let config = json!({
        "InferenceConfig": {"FeatureTypes": ["text"]},
        "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": "<UNK>"},
            "TextConfig": {"Granularity": "sentence", "Language": "en"},
        },
    });
    for answer in recording("text").notebook.answers {
        let expression = answer.enable_explanations.as_deref();
        comes_out_as_recorded(config.clone(), "<UNK>", expression, &answer.body, answer.content_length).await;
    }
}

#[tokio::test]
async fn the_tokens_of_the_documentation_have_their_units_and_places() {
    let answer = recording("text-token").notebook.answers.remove(0);
    let config = json!({
        "InferenceConfig": {"FeatureTypes": ["text"], "MaxRecordCount": 100},
        "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": "\"<MASK>\""},
            "TextConfig": {"Granularity": "token", "Language": "en"},
            "NumberOfSamples": 100,
        },
    });
    comes_out_as_recorded(config, "<MASK>", None, &answer.body, answer.content_length).await;
}
