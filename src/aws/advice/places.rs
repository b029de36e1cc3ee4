//! A JSON value → the places in it, each with the JMESPath expression that finds it. Knows nothing of what stands there.

use serde_json::Value;

/// Members within members that are looked at.
const DEPTH_MAX: usize = 4;

/// Places of one value that are looked at.
const PLACES_MAX: usize = 256;

/// How to come to a value: through members, and through lists that hold nothing but it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Only,
}

/// Every value that is no object and holds none, in the order of their names.
pub(super) fn places(value: &Value) -> Vec<(Place, &Value)> {
    let mut found = Vec::new();
    collect(value, &Place(Vec::new()), &mut found);
    found
}

fn collect<'a>(value: &'a Value, place: &Place, found: &mut Vec<(Place, &'a Value)>) {
    if found.len() == PLACES_MAX || place.0.len() > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, &place.to(Step::Member(name.clone())), found);
            }
        }
        Value::Array(elements) => match elements.as_slice() {
            [only @ Value::Object(_)] => collect(only, &place.to(Step::Only), found),
            _ => found.push((place.clone(), value)),
        },
        _ => found.push((place.clone(), value)),
    }
}

impl Place {
    fn to(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// Whether it is the whole value.
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of the innermost member.
    pub(super) fn name(&self) -> &str {
        let mut members = self.0.iter().filter_map(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Only => None,
        });
        members.next_back().unwrap_or_default()
    }

    /// As JMESPath.
    pub(super) fn expression(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Only => text.push_str("[0]"),
                Step::Member(name) => {
                    text.push_str(if text.is_empty() { "" } else { "." });
                    text.push_str(&identifier(name));
                }
            }
        }
        text
    }

    /// JSON that has `text` in this place and nothing else.
    pub(super) fn around(&self, text: &str) -> String {
        self.0.iter().rev().fold(text.to_owned(), |inner, step| match step {
            Step::Only => format!("[{inner}]"),
            Step::Member(name) => format!("{{{}:{inner}}}", Value::from(name.as_str())),
        })
    }

    /// The value with another one in this place.
    pub(super) fn replaced(&self, value: &Value, by: Value) -> Value {
        let mut value = value.clone();
        let place = self.0.iter().fold(&mut value, |part, step| match step {
            Step::Only => &mut part[0],
            Step::Member(name) => &mut part[name.as_str()],
        });
        *place = by;
        value
    }
}

/// Names that are no plain words stand in quotes.
fn identifier(name: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_plain = name.chars().all(is_word) && name.starts_with(|c: char| !c.is_ascii_digit());
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::{Expression, parse_json};

    #[test]
    fn expressions_find_the_value_of_their_place() {
        let value = json!({
            "score": 0.5, "data": {"my features": [1, 2]}, "predictions": [{"p": [0.1, 0.9]}], "1st": "a", "l": [],
        });
        let found = places(&value);
        let expressions: Vec<String> = found.iter().map(|(place, _)| place.expression()).collect();
        assert_eq!(expressions, ["\"1st\"", "data.\"my features\"", "l", "predictions[0].p", "score"]);
        let json = parse_json(&value.to_string()).expect("is JSON");
        for (place, value) in &found {
            let expression = Expression::compile(&place.expression()).expect("compiles");
            assert_eq!(expression.evaluate(&json).expect("is found").to_string(), value.to_string());
            let around: Value = serde_json::from_str(&place.around(&value.to_string())).expect("is JSON");
            assert_eq!(places(&around), [(place.clone(), *value)]);
        }
        assert_eq!(found[3].0.replaced(&value, json!(7))["predictions"], json!([{"p": 7}]));
    }

    #[test]
    fn what_nests_deep_or_wide_is_cut() {
        let deep = (0..40).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert_eq!(places(&deep), []);
        let wide: Value =
            (0..1000).map(|idx| (idx.to_string(), json!(idx))).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(places(&wide).len(), PLACES_MAX);
    }
}
