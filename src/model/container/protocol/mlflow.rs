//! MLflow's scoring server: records as a split DataFrame, which keeps a type for each column; answers under `predictions`.

use serde_json::json;

use super::lines::Lines;
use super::{ProtocolError, list};
use crate::model::ModelError;
use crate::records::{Format, Spelled};

/// What stands before and behind rows that are arrays. A model with named inputs wants the names, and without them MLflow
/// numbers the columns.
pub(super) fn envelope(columns: Option<&[String]>) -> (String, &'static str) {
    let columns = columns.map(|columns| format!("\"columns\":{},", json!(columns))).unwrap_or_default();
    (format!("{{\"dataframe_split\":{{{columns}\"data\":["), "]}}")
}

/// Each prediction is a number, a text, a list, or an object where the model gives a DataFrame.
pub(super) fn lines(answer: &str, n_records: usize, format: Format) -> Result<String, ModelError> {
    let answer = Spelled::read(answer).map_err(ProtocolError::NotJson)?;
    let mut lines = Lines::new(format, n_records);
    list(answer, "predictions")?.try_for_each(|prediction| lines.push(prediction))?;
    Ok(lines.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{Csv, JsonLines};

    #[test]
    fn rows_stand_in_a_split_dataframe() {
        let (before, after) = envelope(None);
        assert_eq!(before + after, "{\"dataframe_split\":{\"data\":[]}}");
        let (before, after) = envelope(Some(&["mean \"radius\"".to_owned(), "é".to_owned()]));
        assert_eq!(
            before + after,
            "{\"dataframe_split\":{\"columns\":[\"mean \\\"radius\\\"\",\"é\"],\"data\":[]}}"
        );
    }

    #[test]
    fn predictions_become_lines() {
        for (predictions, csv, json) in [
            (
                "[513470.9208374351, 6e5]",
                "513470.9208374351\n6e5",
                "{\"score\":513470.9208374351}\n{\"score\":6e5}",
            ),
            ("[[0.88, 0.12], [1.0, 0]]", "0.88,0.12\n1.0,0", "{\"score\":[0.88,0.12]}\n{\"score\":[1.0,0]}"),
            ("[[0.88], [1.0]]", "0.88\n1.0", "{\"score\":0.88}\n{\"score\":1.0}"),
            ("[\"class_2\", \"a,b\"]", "class_2\n\"a,b\"", "{\"score\":\"class_2\"}\n{\"score\":\"a,b\"}"),
            ("[null, null]", "\"\"\n\"\"", "{\"score\":null}\n{\"score\":null}"),
            (
                "[{\"score\": 0.50, \"label\": \"x\"},\n {\"score\": 1e-2, \"label\": \"y\"}]",
                "0.50,x\n1e-2,y",
                "{\"score\": 0.50, \"label\": \"x\"}\n{\"score\": 1e-2, \"label\": \"y\"}",
            ),
            (
                "[{\"b\":[0.1,0.9],\"a\":null},{\"b\":[0.2,0.8],\"a\":1}]",
                "\"[0.1,0.9]\",\n\"[0.2,0.8]\",1",
                "{\"b\":[0.1,0.9],\"a\":null}\n{\"b\":[0.2,0.8],\"a\":1}",
            ),
        ] {
            let answer = format!("{{\"predictions\": {predictions}}}\n");
            assert_eq!(lines(&answer, 2, Csv).expect("is read"), csv);
            assert_eq!(lines(&answer, 2, JsonLines).expect("is read"), json);
        }
    }

    #[test]
    fn what_is_no_line_for_each_record_is_refused() {
        for (answer, expected) in [
            ("{\"predictions\": [NaN, 1]}", "the model's answer is not JSON: expected value at line 1 column 18"),
            ("<html>", "the model's answer is not JSON: expected value at line 1 column 1"),
            ("[1, 2]", "the model's answer has no predictions"),
            ("{\"predictions\": {\"a\": [1, 2]}}", "predictions of the model's answer is an object, not an array"),
            ("{\"predictions\": []}", "the model's answer has 0 records instead of 2"),
            ("{\"predictions\": [1]}", "the model's answer has 1 records instead of 2"),
            ("{\"predictions\": [1, 2, [3], 4]}", "the model's answer has 4 records instead of 2"),
            ("{\"predictions\": [[], []]}", "the model's answer has no scores for record 1"),
            ("{\"predictions\": [{}, {}]}", "the model's answer has no scores for record 1"),
            (
                "{\"predictions\": [[1], [1, 2]]}",
                "the model's answer has 2 scores for record 2 and 1 for record 1",
            ),
            (
                "{\"predictions\": [{\"a\":1,\"b\":2}, {\"b\":1,\"a\":2}]}",
                "the model's answer names the scores of record 2 otherwise than those of record 1",
            ),
            (
                "{\"predictions\": [{\"a\":1}, 2]}",
                "the model's answer names the scores of record 2 otherwise than those of record 1",
            ),
        ] {
            for format in [Csv, JsonLines] {
                assert_eq!(lines(answer, 2, format).expect_err("is refused").to_string(), expected, "{answer}");
            }
        }
        let half = lines("{\"predictions\": [\"\\ud800\"]}", 1, Csv).expect_err("is refused").to_string();
        assert!(half.starts_with("the model's answer, record 1, is not JSON: "), "{half}");
    }
}
