//! A timestamp of AWS JSON → seconds since 1970.

use chrono::DateTime;
use serde_json::Value;

/// A number of seconds, as boto3 writes them, or a text as RFC 3339 has it. None for anything else.
pub fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            Some(time.timestamp() as f64 + f64::from(time.timestamp_subsec_nanos()) / 1e9)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_texts_are_seconds_since_1970() {
        for (value, expected) in [
            (json!(0), Some(0.0)),
            (json!(1_686_294_529), Some(1_686_294_529.0)),
            (json!(1.686294529147E9), Some(1_686_294_529.147)),
            (json!("1970-01-01T00:00:00Z"), Some(0.0)),
            (json!("2023-06-09T07:08:49.147Z"), Some(1_686_294_529.147)),
            (json!("2023-06-09T09:08:49+02:00"), Some(1_686_294_529.0)),
            (json!("1969-12-31T23:59:59.5Z"), Some(-0.5)),
            (json!("2023-06-09"), None),
            (json!("1686294529"), None),
            (json!("2023-02-30T00:00:00Z"), None),
            (json!(true), None),
            (json!({}), None),
        ] {
            assert_eq!(seconds(&value), expected, "{value}");
        }
    }
}
