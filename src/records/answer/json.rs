//! A model's answer in JSON Lines → scores, label headers and JSON values.

use jmespath::Variable;

use super::{AnswerError, AnswerLayout, Scores, common_labels, shown, stack};
use crate::records::{Expression, Json, parse_json};

/// JSON values of one answer. Each takes some 70 bytes while it is read.
const VALUES_MAX: usize = 4 << 20;

/// One value a line; a last line break is no record.
pub fn records(text: &str, n_records: usize) -> Result<Vec<Json>, AnswerError> {
    if text.trim().is_empty() {
        return Err(AnswerError::Empty);
    }
    let mut lines = (1..).zip(text.lines());
    if let Some((record, _)) = lines.clone().find(|(_, line)| line.trim().is_empty()) {
        return Err(AnswerError::EmptyLine { record });
    }
    let got = lines.clone().count();
    if got != n_records {
        return Err(AnswerError::Count { got, expected: n_records });
    }
    check_values(text)?;
    let json = |(record, line)| parse_json(line).map_err(|source| AnswerError::Json { record, source });
    lines.by_ref().map(json).collect()
}

/// Every value but the first of a line stands behind one of these, which strings may hold, too.
fn check_values(text: &str) -> Result<(), AnswerError> {
    let n_values = 1 + text.bytes().filter(|byte| b",[{:\n".contains(byte)).count();
    if n_values > VALUES_MAX {
        return Err(AnswerError::TooManyValues { n_values, limit: VALUES_MAX });
    }
    Ok(())
}

pub fn scores(layout: &AnswerLayout, text: &str, n_records: usize) -> Result<Scores, AnswerError> {
    let records = records(text, n_records)?;
    let scores = stack(n_records, |record| match &layout.probability_attribute {
        Some(expression) => found_scores(expression, record, &records[record - 1]),
        None => line_scores(record, &records[record - 1]),
    })?;
    let labels = common_labels(&scores, |record| match &layout.label_attribute {
        Some(expression) => Ok(labels(&*evaluate(expression, record, &records[record - 1])?)),
        None => Ok(None),
    })?;
    Ok(Scores { scores, labels })
}

fn evaluate(expression: &Expression, record: usize, json: &Json) -> Result<Json, AnswerError> {
    expression.evaluate(json).map_err(|source| AnswerError::Expression { record, source })
}

fn found_scores(expression: &Expression, record: usize, json: &Json) -> Result<Vec<f64>, AnswerError> {
    numbers(&*evaluate(expression, record, json)?).map_err(|value| {
        let reason = format!("{value} is not a number or a list of numbers");
        AnswerError::Score { record, place: expression.text().to_owned(), reason }
    })
}

fn line_scores(record: usize, json: &Json) -> Result<Vec<f64>, AnswerError> {
    numbers(json).map_err(|value| AnswerError::NoAttribute { record, value })
}

/// Fails with what stands where a number should.
fn numbers(json: &Variable) -> Result<Vec<f64>, String> {
    match json {
        Variable::Array(elements) => elements.iter().map(|element| number(element)).collect(),
        json => number(json).map(|score| vec![score]),
    }
}

fn number(json: &Variable) -> Result<f64, String> {
    json.as_number().ok_or_else(|| match json {
        Variable::String(text) => shown(text),
        Variable::Bool(truth) => truth.to_string(),
        json => json.get_type().to_string(),
    })
}

/// Labels only describe: a value that holds none is no error.
fn labels(json: &Variable) -> Option<Vec<String>> {
    match json {
        Variable::String(text) => Some(vec![text.clone()]),
        Variable::Array(elements) if !elements.is_empty() => {
            elements.iter().map(|element| label(element)).collect()
        }
        _ => None,
    }
}

fn label(json: &Variable) -> Option<String> {
    match json {
        Variable::String(text) => Some(text.clone()),
        Variable::Number(number) => Some(number.to_string()),
        Variable::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
