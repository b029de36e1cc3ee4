//! An answer in JSON Lines → where the scores may stand in a line, and where their names. Reads no config.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::places::{Place, places};
use super::{CANDIDATES_MAX, Doubt};
use crate::aws::definition::{Amendment, Place as Part};

/// What members with scores are called.
const SCORE_WORDS: [&str; 4] = ["score", "prob", "confidence", "predictions"];

/// Amendments that may find scores, the likeliest first.
pub(super) fn scores(text: &str) -> Vec<Amendment> {
    let Some(line) = first_line(text) else { return Vec::new() };
    if let Value::Array(elements) = &line {
        return elements_with_scores(elements);
    }
    let places = places(&line);
    let mut found: Vec<(&Place, usize, Rank)> =
        places.iter().filter_map(|(place, value)| Some((place, n_scores(value)?, rank(place, value)))).collect();
    found.sort_by_key(|(_, _, rank)| Reverse(*rank));
    let amendment = |(place, n_scores, _): (&Place, usize, Rank)| {
        let names = names(&places, n_scores).map(|names| ("LabelAttribute", json!(names.expression())));
        Amendment::new(Part::InferenceConfig, [attribute(place)].into_iter().chain(names))
    };
    found.into_iter().take(CANDIDATES_MAX).map(amendment).collect()
}

/// Names of scores that nobody asked for.
pub(super) fn doubt(text: &str, n_scores: usize, has_labels: bool) -> Option<Doubt> {
    let line = first_line(text).filter(|_| !has_labels)?;
    let places = places(&line);
    let names = names(&places, n_scores)?.expression();
    let amendment = Amendment::new(Part::InferenceConfig, [("LabelAttribute", json!(names))]);
    Some(Doubt { reason: format!("{names} names the scores"), amendment })
}

fn first_line(text: &str) -> Option<Value> {
    serde_json::from_str(text.lines().next()?).ok()
}

/// A line that is scores as a whole needs no attribute.
fn attribute(place: &Place) -> (&'static str, Value) {
    let expression = (!place.is_root()).then(|| place.expression());
    ("ProbabilityAttribute", expression.map_or(Value::Null, Value::from))
}

/// Lists of numbers and lone numbers; of the others none.
fn n_scores(value: &Value) -> Option<usize> {
    match value {
        Value::Number(_) => Some(1),
        Value::Array(elements) if elements.iter().all(Value::is_number) => {
            Some(elements.len()).filter(|&n_scores| n_scores > 0)
        }
        _ => None,
    }
}

/// What is called a score, then what cannot be a label: lists and fractions.
type Rank = (bool, bool);

fn rank(place: &Place, value: &Value) -> Rank {
    let name = place.name().to_ascii_lowercase();
    let is_called_so = SCORE_WORDS.iter().any(|word| name.contains(word));
    (is_called_so, value.as_f64().is_none_or(|number| number.fract() != 0.0))
}

/// A list of as many texts as there are scores.
fn names<'a>(places: &'a [(Place, &Value)], n_scores: usize) -> Option<&'a Place> {
    let is_names = |value: &Value| {
        let elements = value.as_array().filter(|elements| elements.len() == n_scores && n_scores > 1);
        elements.is_some_and(|elements| elements.iter().all(Value::is_string))
    };
    places.iter().find(|(_, value)| is_names(value)).map(|(place, _)| place)
}

/// A line that is a list of a label and its scores.
fn elements_with_scores(elements: &[Value]) -> Vec<Amendment> {
    let mut found: Vec<usize> =
        (0..elements.len()).rev().filter(|&index| n_scores(&elements[index]).is_some()).collect();
    found.sort_by_key(|&index| Reverse(rank_of_element(&elements[index])));
    let attribute = |index| match elements.iter().all(Value::is_number) {
        true => Value::Null,
        false => json!(format!("[{index}]")),
    };
    let mut amendments: Vec<Amendment> = Vec::new();
    for index in found {
        let amendment = Amendment::new(Part::InferenceConfig, [("ProbabilityAttribute", attribute(index))]);
        if amendments.len() < CANDIDATES_MAX && !amendments.contains(&amendment) {
            amendments.push(amendment);
        }
    }
    amendments
}

fn rank_of_element(value: &Value) -> bool {
    value.as_f64().is_none_or(|number| number.fract() != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_scores_are_found_in_the_order_of_their_likelihood() {
        let attribute = |expression: &str| format!("\"ProbabilityAttribute\": {}", json!(expression));
        for (text, expected) in [
            ("{\"score\":0.6}\n{\"score\":1}", vec![attribute("score")]),
            (
                "{\"predicted_label\":1,\"probability\":0.6}",
                vec![attribute("probability"), attribute("predicted_label")],
            ),
            ("{\"a\":1,\"b\":0.5}", vec![attribute("b"), attribute("a")]),
            (
                "{\"id\":7,\"out\":{\"class scores\":[1,0]}}",
                vec![attribute("out.\"class scores\""), attribute("id")],
            ),
            ("{\"predictions\":[{\"score\":0.6}]}", vec![attribute("predictions[0].score")]),
            (
                "{\"labels\":[\"a\",\"b\"],\"probabilities\":[0.25,0.75]}",
                vec![format!("\"LabelAttribute\": \"labels\", {}", attribute("probabilities"))],
            ),
            ("{\"labels\":[\"a\"],\"probabilities\":[0.25,0.75]}", vec![attribute("probabilities")]),
            ("[\"yes\",0.6]", vec![attribute("[1]")]),
            ("[1,[0.25,0.75]]", vec![attribute("[1]"), attribute("[0]")]),
            ("[0.25,0.75]", vec!["\"ProbabilityAttribute\": null".to_owned()]),
            ("0.5", vec!["\"ProbabilityAttribute\": null".to_owned()]),
            ("{\"label\":\"yes\",\"scores\":[],\"mixed\":[1,\"a\"]}", vec![]),
            ("not json", vec![]),
            ("", vec![]),
        ] {
            let lines: Vec<String> = scores(text).iter().map(|amendment| amendment.lines().join(" ")).collect();
            assert_eq!(lines, expected, "{text}");
        }
        let many: serde_json::Map<String, Value> = (0..100).map(|idx| (idx.to_string(), json!(idx))).collect();
        assert_eq!(scores(&Value::from(many).to_string()).len(), CANDIDATES_MAX);
    }

    #[test]
    fn names_of_scores_are_seen() {
        let text = "{\"labels\":[\"a\",\"b\"],\"p\":[0.25,0.75]}";
        let doubt = |n_scores, has_labels| doubt(text, n_scores, has_labels).map(|doubt| doubt.amendment.lines());
        assert_eq!(doubt(2, false), Some(vec!["\"LabelAttribute\": \"labels\"".to_owned()]));
        assert_eq!((doubt(3, false), doubt(2, true), doubt(1, false)), (None, None, None));
    }
}
