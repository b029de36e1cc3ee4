//! What a model was asked and what came back → what may mend it: members of the definition, or what the client accepts.
//! Nothing is asked here: whoever shows a remedy to people tries it before.

mod csv;
mod json_lines;
mod places;
mod requests;

use serde_json::{Value, json};

use super::definition::{Amendment, Place};
use crate::explain::ExplainError;
use crate::model::container::{ContainerError, ProtocolError};
use crate::model::{ModelError, Reply};
use crate::records::{AnswerError, Format};

pub use requests::{for_features, for_single_records, for_size, for_template};

/// Remedies of one kind that are worth a try.
const CANDIDATES_MAX: usize = 4;

/// What may make an answer readable.
#[derive(Clone, Debug, PartialEq)]
pub enum Remedy {
    Amend(Amendment),
    /// What clients must accept.
    Accept(Format),
}

/// An answer that reads and may be meant otherwise.
#[derive(Debug, PartialEq)]
pub struct Doubt {
    pub reason: String,
    pub amendment: Amendment,
}

/// For an answer to a client's own records that does not do, or none.
pub fn for_answer(error: &ExplainError, reply: Option<&Reply>, n_records: usize) -> Vec<Remedy> {
    let amend = |amendments: Vec<Amendment>| amendments.into_iter().map(Remedy::Amend).collect();
    match reply {
        None => for_refusal(error),
        Some(reply) if is_about_outputs(error) => amend(outputs(&reply.body)),
        Some(_) if !is_about_places(error) => Vec::new(),
        Some(reply) => {
            let text = String::from_utf8_lossy(&reply.body);
            match reply.content_type.as_deref().and_then(Format::from_mime) {
                Some(Format::Csv) => amend(csv::scores(&text, n_records)),
                Some(Format::JsonLines) => amend(json_lines::scores(&text)),
                None => for_other_type(&text),
            }
        }
    }
}

/// For an answer that reads. `has_labels` where something names the scores already.
pub fn doubt(text: &str, format: Format, n_records: usize, n_scores: usize, has_labels: bool) -> Option<Doubt> {
    match format {
        Format::Csv => csv::doubt(text, n_records, has_labels),
        Format::JsonLines => json_lines::doubt(text, n_scores, has_labels),
    }
}

/// Whether the answer may be right and only looked for in the wrong place.
fn is_about_places(error: &ExplainError) -> bool {
    let error = match error {
        ExplainError::Labels { .. } | ExplainError::Model(ModelError::AnswerType(_)) => return true,
        ExplainError::Answer(error) | ExplainError::Model(ModelError::Answer(error)) => error,
        _ => return false,
    };
    matches!(
        error,
        AnswerError::Count { .. }
            | AnswerError::Index { .. }
            | AnswerError::Expression { .. }
            | AnswerError::NoAttribute { .. }
            | AnswerError::Score { .. }
            | AnswerError::NoScores { .. }
            | AnswerError::Outputs { .. }
    )
}

/// Whether a server of the Open Inference Protocol answers with more than scores.
fn is_about_outputs(error: &ExplainError) -> bool {
    use ProtocolError::{NoOutput, Outputs};
    matches!(error, ExplainError::Model(ModelError::Protocol(Outputs { .. } | NoOutput { .. })))
}

/// Probabilities before all others.
fn outputs(body: &[u8]) -> Vec<Amendment> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let outputs = answer["outputs"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = outputs.filter_map(|output| output["name"].as_str()).collect();
    names.sort_by_key(|name| !name.contains("prob"));
    let amendment = |name| Amendment::new(Place::Environment, [("EXPLAIND_V2_OUTPUT", json!(name))]);
    names.into_iter().take(CANDIDATES_MAX).map(amendment).collect()
}

/// Servers of MLflow and of the Open Inference Protocol answer JSON; others speak as the client likes it.
fn for_other_type(text: &str) -> Vec<Remedy> {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let protocol = match (&answer["predictions"], &answer["outputs"], &answer["model_name"]) {
        (Value::Array(_), ..) => Some(mlflow()),
        (_, Value::Array(_), Value::String(model)) => Some(Amendment::new(
            Place::Environment,
            [("EXPLAIND_PROTOCOL", json!("v2")), ("EXPLAIND_V2_MODEL", json!(model))],
        )),
        _ => None,
    };
    let accepted = [Format::Csv, Format::JsonLines].map(Remedy::Accept);
    protocol.map(Remedy::Amend).into_iter().chain(accepted).collect()
}

/// MLflow takes a first line of CSV for a header and refuses JSON Lines.
fn for_refusal(error: &ExplainError) -> Vec<Remedy> {
    match error {
        ExplainError::Model(ModelError::Container(ContainerError::Refused { status, .. })) => match status {
            406 => [Format::Csv, Format::JsonLines].map(Remedy::Accept).to_vec(),
            400 | 415 | 422 | 500 => vec![Remedy::Amend(mlflow())],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn mlflow() -> Amendment {
    Amendment::new(Place::Environment, [("EXPLAIND_PROTOCOL", json!("mlflow"))])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(content_type: &str, body: &'static str) -> Reply {
        let content_type = Some(content_type.to_owned());
        Reply { body: body.into(), content_type, custom_attributes: None, took: Duration::ZERO }
    }

    fn told(remedies: Vec<Remedy>) -> Vec<String> {
        let told = |remedy| match remedy {
            Remedy::Amend(amendment) => amendment.lines().join(" "),
            Remedy::Accept(format) => format!("accept {}", format.mime()),
        };
        remedies.into_iter().map(told).collect()
    }

    #[test]
    fn answers_of_other_types_have_a_protocol_or_speak_as_asked() {
        let error: ExplainError = ModelError::AnswerType("application/json".to_owned()).into();
        let accept = ["accept text/csv", "accept application/jsonlines"];
        let mlflow = "\"EXPLAIND_PROTOCOL\": \"mlflow\"";
        let v2 = "\"EXPLAIND_PROTOCOL\": \"v2\", \"EXPLAIND_V2_MODEL\": \"iris\"";
        for (body, protocol) in [
            ("{\"predictions\": [[0.25, 0.75]]}", Some(mlflow)),
            ("{\"model_name\":\"iris\",\"outputs\":[{\"data\":[1]}]}", Some(v2)),
            ("{\"outputs\":[{\"data\":[1]}]}", None),
            ("[0.25]", None),
            ("<html>", None),
        ] {
            let expected: Vec<&str> = protocol.into_iter().chain(accept).collect();
            assert_eq!(told(for_answer(&error, Some(&reply("application/json", body)), 1)), expected, "{body}");
        }
    }

    #[test]
    fn one_of_several_outputs_is_chosen() {
        let error: ExplainError = ModelError::from(ProtocolError::Outputs { names: String::new() }).into();
        let body = r#"{"outputs":[{"name":"predict","data":[1]},{"name":"predict_proba","data":[0.5]}]}"#;
        let expected = ["\"EXPLAIND_V2_OUTPUT\": \"predict_proba\"", "\"EXPLAIND_V2_OUTPUT\": \"predict\""];
        assert_eq!(told(for_answer(&error, Some(&reply("application/json", body)), 1)), expected);
        assert_eq!(told(for_answer(&error, Some(&reply("application/json", "no json")), 1)), [""; 0]);
    }

    #[test]
    fn refusals_are_mended_where_they_may_be_about_the_words() {
        for (status, expected) in [
            (400, &["\"EXPLAIND_PROTOCOL\": \"mlflow\""][..]),
            (415, &["\"EXPLAIND_PROTOCOL\": \"mlflow\""]),
            (406, &["accept text/csv", "accept application/jsonlines"]),
            (404, &[]),
            (413, &[]),
            (503, &[]),
        ] {
            let refused = ContainerError::Refused { status, message: String::new() };
            assert_eq!(told(for_answer(&ModelError::from(refused).into(), None, 1)), expected, "{status}");
        }
        assert_eq!(for_answer(&ModelError::from(ContainerError::Unreachable).into(), None, 1), []);
    }

    #[test]
    fn scores_that_are_wrong_are_not_looked_for_elsewhere() {
        let not_finite = AnswerError::NotFinite { record: 1, score: f64::NAN };
        let labels = ExplainError::Labels { got: 1, expected: 2 };
        let csv = reply("text/csv; charset=utf-8", "nan,0.5");
        assert_eq!(for_answer(&ModelError::from(not_finite).into(), Some(&csv), 1), []);
        assert_eq!(told(for_answer(&labels, Some(&csv), 1)), ["\"ProbabilityIndex\": 1"]);
    }
}
