//! A record in JSON Lines → where its features are and how one is written; what a container refused → smaller requests.

use serde_json::{Value, json};

use super::CANDIDATES_MAX;
use super::places::{Place, places};
use crate::aws::definition::{Amendment, Place as Part};

const FEATURES: &str = "$features";
const MIB: usize = 1 << 20;

/// Amendments that may find the features of a record; of several lists, one as long as the baseline is wide comes first.
pub fn for_features(line: &str, n_features: usize) -> Vec<Amendment> {
    let Some(record) = object(line) else { return Vec::new() };
    let attribute =
        |place: Place| Amendment::new(Part::InferenceConfig, [("FeaturesAttribute", json!(place.expression()))]);
    lists(&record, n_features).into_iter().map(attribute).take(CANDIDATES_MAX).collect()
}

/// Amendments that may write records as this one is written: nothing but its features, or all that stands beside them.
pub fn for_template(line: &str, n_features: usize) -> Vec<Amendment> {
    let Some(record) = object(line) else { return Vec::new() };
    let template = |text: String| Amendment::new(Part::InferenceConfig, [("ContentTemplate", json!(text))]);
    let templates = lists(&record, n_features).into_iter().flat_map(|place| {
        let whole = place.replaced(&record, json!(FEATURES)).to_string();
        [place.around(FEATURES), whole.replace(&format!("\"{FEATURES}\""), FEATURES)]
    });
    let mut templates: Vec<String> = templates.collect();
    templates.dedup();
    templates.into_iter().map(template).take(CANDIDATES_MAX).collect()
}

/// What keeps requests below the size that a container took.
pub fn for_size(n_rows: usize, bytes: usize, bytes_taken: usize) -> Amendment {
    let member = match bytes_taken / MIB {
        0 => ("MaxRecordCount", json!((n_rows * bytes_taken / bytes.max(1)).max(1))),
        mib => ("MaxPayloadInMB", json!(mib)),
    };
    Amendment::new(Part::InferenceConfig, [member])
}

pub fn for_single_records() -> Amendment {
    Amendment::new(Part::InferenceConfig, [("MaxRecordCount", json!(1))])
}

fn object(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object)
}

/// Lists of plain values.
fn lists(record: &Value, n_features: usize) -> Vec<Place> {
    let is_plain = |element: &Value| !element.is_array() && !element.is_object();
    let n_elements = |value: &Value| Some(value.as_array().filter(|list| list.iter().all(is_plain))?.len());
    let found = places(record);
    let lists = found.into_iter().filter_map(|(place, value)| Some((place, n_elements(value)?)));
    let mut lists: Vec<(Place, usize)> = lists.collect();
    lists.sort_by_key(|(_, n_elements)| *n_elements != n_features);
    lists.into_iter().map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(amendments: &[Amendment]) -> Vec<String> {
        let value = |line: &String| line.split_once(": ").expect("is a member").1.to_owned();
        amendments.iter().flat_map(Amendment::lines).map(|line| value(&line)).collect()
    }

    #[test]
    fn features_are_the_list_that_is_as_long_as_the_baseline() {
        for (line, expected) in [
            (r#"{"features":[1,"a",null]}"#, &["\"features\""][..]),
            (r#"{"data":{"features":[1,2,3]},"tags":["a"]}"#, &["\"data.features\"", "\"tags\""]),
            (r#"{"instances":[{"x":[1,2,3]}]}"#, &["\"instances[0].x\""]),
            (r#"{"rows":[[1,2,3]]}"#, &[]),
            (r#"{"a":1,"b":2,"c":3}"#, &[]),
            ("[1,2,3]", &[]),
            ("no json", &[]),
        ] {
            assert_eq!(values(&for_features(line, 3)), expected, "{line}");
        }
    }

    #[test]
    fn templates_write_the_features_alone_or_with_what_stands_beside_them() {
        for (line, expected) in [
            (r#"{"features":[1,2]}"#, &[r#""{\"features\":$features}""#][..]),
            (
                r#"{"id":7,"data":{"features":[1,2]}}"#,
                &[r#""{\"data\":{\"features\":$features}}""#, r#""{\"data\":{\"features\":$features},\"id\":7}""#],
            ),
            (r#"{"instances":[{"x":[1,2]}]}"#, &[r#""{\"instances\":[{\"x\":$features}]}""#]),
            ("[1,2]", &[]),
        ] {
            assert_eq!(values(&for_template(line, 2)), expected, "{line}");
        }
    }

    #[test]
    fn sizes_are_told_in_megabytes_and_below_them_in_records() {
        for ((n_rows, bytes, bytes_taken), expected) in [
            ((100, 6 << 20, 3 << 20), "\"MaxPayloadInMB\": 3"),
            ((100, 6 << 20, (2 << 20) - 1), "\"MaxPayloadInMB\": 1"),
            ((100, 4000, 1000), "\"MaxRecordCount\": 25"),
            ((100, 4000, 10), "\"MaxRecordCount\": 1"),
            ((1, 0, 0), "\"MaxRecordCount\": 1"),
        ] {
            assert_eq!(for_size(n_rows, bytes, bytes_taken).lines(), [expected]);
        }
    }
}
