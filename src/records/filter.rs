//! EnableExplanations: a JMESPath expression that says for each record whether to explain it.

use serde_json::Value;

/// A compiled expression.
#[derive(Debug)]
pub struct Filter(jmespath::Expression<'static>);

#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("the expression {expression:?} does not parse (literals stand in backticks, as `0.5`): {reason}")]
    DoesNotParse { expression: String, reason: String },
    #[error("the expression {expression:?} fails on record {record}: {reason}")]
    Fails { expression: String, record: usize, reason: String },
    #[error("the expression {expression:?} gives {result} on record {record}, not true or false")]
    NotBoolean { expression: String, record: usize, result: String },
}

impl Filter {
    pub fn compile(expression: &str) -> Result<Self, FilterError> {
        let does_not_parse = |error: jmespath::JmespathError| FilterError::DoesNotParse {
            expression: expression.to_owned(),
            reason: first_line(&error),
        };
        jmespath::compile(expression).map(Self).map_err(does_not_parse)
    }

    /// Indexes of the records to explain. Anything but true or false is an error: no truthiness.
    pub fn select(&self, records: &[Value]) -> Result<Vec<usize>, FilterError> {
        let mut selected = Vec::new();
        for (record_idx, value) in records.iter().enumerate() {
            if self.holds(record_idx + 1, value)? {
                selected.push(record_idx);
            }
        }
        Ok(selected)
    }

    fn holds(&self, record: usize, value: &Value) -> Result<bool, FilterError> {
        let expression = || self.0.as_str().to_owned();
        let result = self.0.search(value).map_err(|error| FilterError::Fails {
            expression: expression(),
            record,
            reason: first_line(&error),
        })?;
        result.as_boolean().ok_or_else(|| FilterError::NotBoolean {
            expression: expression(),
            record,
            result: result.get_type().to_string(),
        })
    }
}

fn first_line(error: &jmespath::JmespathError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn select(expression: &str, records: &[Value]) -> Result<Vec<usize>, String> {
        let filter = Filter::compile(expression).map_err(|error| error.to_string())?;
        filter.select(records).map_err(|error| error.to_string())
    }

    #[test]
    fn documented_expressions_select_as_documented() {
        let rows = [json!([1.0, 0.6]), json!([0.0, 0.3])];
        assert_eq!(select("`true`", &rows), Ok(vec![0, 1]));
        assert_eq!(select("`false`", &rows), Ok(vec![]));
        assert_eq!(select("[1]>`0.5`", &rows), Ok(vec![0]));
        assert_eq!(select("probability>`0.5`", &[json!({"probability": 0.6})]), Ok(vec![0]));
        let probabilities = [json!({"probabilities": [0.4, 0.1, 0.4]})];
        assert_eq!(select("!contains(probabilities[:-1], max(probabilities))", &probabilities), Ok(vec![]));
    }

    #[test]
    fn what_is_not_boolean_or_does_not_parse_is_an_error_with_the_record() {
        let rows = [json!([0.9]), json!(["x"])];
        for (expression, fragment) in [
            ("[0]", "gives number on record 1"),
            ("[5]>`0.8`", "gives null on record 1"),
            ("[0]>`0.1`", "gives null on record 2"),
            ("true", "gives null on record 1"),
            ("max([0])>`0.5`", "fails on record 1"),
            ("[1]>", "does not parse"),
            ("score < 0.85", "does not parse"),
        ] {
            let error = select(expression, &rows).expect_err(expression);
            assert!(error.contains(fragment), "{expression}: {error}");
        }
    }
}
