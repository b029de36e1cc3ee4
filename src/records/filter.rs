//! EnableExplanations: a JMESPath expression that says for each record whether to explain it.

use super::expression::{Expression, ExpressionError, Json};

/// Steps on all records of one answer together.
const FILTER_STEPS_MAX: u64 = 100_000_000;

/// A compiled expression.
#[derive(Debug)]
pub struct Filter(Expression);

/// Records count from 1, as people do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    #[error("record {record}: {source}")]
    Record { record: usize, source: ExpressionError },
    #[error("the expression {expression:?} gives {result} on record {record}, not true or false")]
    NotBoolean { expression: String, record: usize, result: String },
    #[error(
        "the expression {expression:?} may take {steps} steps on records 1 to {record}; \
         the limit is {FILTER_STEPS_MAX} steps"
    )]
    TooManySteps { expression: String, record: usize, steps: u64 },
}

impl Filter {
    pub fn compile(expression: &str) -> Result<Self, FilterError> {
        Ok(Self(Expression::compile(expression)?))
    }

    /// Indexes of the records to explain. Anything but true or false is an error: no truthiness.
    pub fn select(&self, records: &[Json]) -> Result<Vec<usize>, FilterError> {
        let (mut selected, mut steps) = (Vec::new(), 0);
        for (record_idx, json) in records.iter().enumerate() {
            if self.holds(record_idx + 1, json, &mut steps)? {
                selected.push(record_idx);
            }
        }
        Ok(selected)
    }

    fn holds(&self, record: usize, json: &Json, steps: &mut u64) -> Result<bool, FilterError> {
        let expression = || self.0.text().to_owned();
        let evaluated = self.0.evaluate_counted(json);
        let (result, more) = evaluated.map_err(|source| FilterError::Record { record, source })?;
        *steps += more;
        if *steps > FILTER_STEPS_MAX {
            return Err(FilterError::TooManySteps { expression: expression(), record, steps: *steps });
        }
        let not_boolean =
            || FilterError::NotBoolean { expression: expression(), record, result: result.get_type().to_string() };
        result.as_boolean().ok_or_else(not_boolean)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, answer_records, parse_json};
    use super::*;

    fn select(expression: &str, records: &[Json]) -> Result<Vec<usize>, String> {
        let filter = Filter::compile(expression).map_err(|error| error.to_string())?;
        filter.select(records).map_err(|error| error.to_string())
    }

    fn explains(expression: &str, answer: &str, format: Format) -> Result<bool, String> {
        let records = answer_records(answer, format, 1).map_err(|error| error.to_string())?;
        select(expression, &records).map(|selected| selected == [0])
    }

    #[test]
    fn documented_expressions_select_as_documented() {
        let labelled = r#"{"predicted_label":1,"probability":0.6}"#;
        let many = r#"{"probabilities": [0.4, 0.1, 0.4], "labels":["cat","dog","fish"]}"#;
        for (expression, answer, format, expected) in [
            ("`true`", "1,0.6", Format::Csv, true),
            ("`true`", labelled, Format::JsonLines, true),
            ("`false`", "1,0.6", Format::Csv, false),
            ("[1]>`0.5`", "1,0.6", Format::Csv, true),
            ("probability>`0.5`", labelled, Format::JsonLines, true),
            ("!contains(probabilities[:-1], max(probabilities))", many, Format::JsonLines, false),
            ("[0]>`0.8`", "0.6380207487381995", Format::Csv, false),
            ("[0]>`0.95`", "0.9766594", Format::Csv, true),
            ("[0]>`0.99`", "0.9766594", Format::Csv, false),
            ("max([1])>`0.5`", "\"['a','b']\",\"[0.1,0.6]\"", Format::Csv, true),
        ] {
            assert_eq!(explains(expression, answer, format), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_not_boolean_or_does_not_parse_is_an_error_with_the_record() {
        let rows = ["[0.9]", r#"["x"]"#].map(|text| parse_json(text).expect("parses"));
        for (expression, fragment) in [
            ("[0]", "gives number on record 1"),
            ("[5]>`0.8`", "gives null on record 1"),
            ("[0]>'0.5'", "gives null on record 1"),
            ("[0]>`0.1`", "gives null on record 2"),
            ("true", "gives null on record 1"),
            ("max([0])>`0.5`", "record 1: the expression \"max([0])>`0.5`\" fails"),
            ("[1]>", "does not parse"),
            ("prediction_score < 0.85", "does not parse"),
        ] {
            let error = select(expression, &rows).expect_err(expression);
            assert!(error.contains(fragment), "{expression}: {error}");
        }
    }

    #[test]
    fn truthiness_is_not_truth() {
        let record = parse_json(r#"{"one":1,"text":"x","list":[0],"yes":true}"#).expect("parses");
        for (expression, expected) in
            [("one", "number"), ("text || `false`", "string"), ("list && text", "string"), ("none && yes", "null")]
        {
            let error = select(expression, std::slice::from_ref(&record)).expect_err(expression);
            assert!(error.contains(&format!("gives {expected} on record 1")), "{expression}: {error}");
        }
        assert_eq!(select("!one || yes", &[record]), Ok(vec![0]));
    }

    #[test]
    fn many_records_share_one_limit_of_steps() {
        let expression = "[@,@,@,@][].[@,@,@,@][].[@,@,@,@][].[@,@,@,@][] == @";
        let record = parse_json("[1,2,3]").expect("parses");
        assert_eq!(select(expression, &vec![record.clone(); 10]), Ok(vec![]));
        let error = select(expression, &vec![record; 100_000]).expect_err("is refused");
        assert!(error.contains("the limit is 100000000 steps"), "{error}");
    }
}
