//! A model's answer → scores and label headers, and one JSON value per record as an expression sees it.
//! Both readings share one view of the text, so that they agree on which record is which.

mod csv;
mod json;
mod list;

use ndarray::Array2;

use super::table::TableError;
use super::{Expression, ExpressionError, Format, Json, shorten};

/// Where scores and label headers stand in an answer. Indexes are for CSV and count from 0, attributes for JSON Lines.
#[derive(Debug, Default)]
pub struct AnswerLayout {
    /// The whole row is scores without it.
    pub probability_index: Option<usize>,
    pub label_index: Option<usize>,
    /// The whole line is scores without it.
    pub probability_attribute: Option<Expression>,
    pub label_attribute: Option<Expression>,
}

/// What a model says about some records.
#[derive(Debug, PartialEq)]
pub struct Scores {
    /// `[n_records × n_outputs]`, finite.
    pub scores: Array2<f64>,
    /// From the first record. A label that is a number names nothing and gives none.
    pub labels: Option<Vec<String>>,
}

/// Records count from 1, as people do; indexes of fields from 0, as in the config.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the model's answer is empty")]
    Empty,
    #[error("the model's answer has {got} records instead of {expected}")]
    Count { got: usize, expected: usize },
    #[error("the model's answer has more than {expected} records")]
    TooMany { expected: usize },
    #[error("the model's answer is not CSV: {0}")]
    Csv(TableError),
    #[error("the model's answer, record {record}: the line is empty")]
    EmptyLine { record: usize },
    #[error("the model's answer has about {n_values} JSON values; the limit is {limit} values")]
    TooManyValues { n_values: usize, limit: usize },
    #[error("the model's answer, record {record}, is not JSON: {source}")]
    Json { record: usize, source: serde_json::Error },
    #[error("the model's answer, record {record}: index {index} is beyond its {n_fields} fields")]
    Index { record: usize, index: usize, n_fields: usize },
    #[error("the model's answer, record {record}: {source}")]
    Expression { record: usize, source: ExpressionError },
    #[error(
        "the model's answer, record {record}, holds {value} where scores should be: ProbabilityAttribute must say where they stand"
    )]
    NoAttribute { record: usize, value: String },
    #[error("the model's answer, record {record}, {place}: {reason}")]
    Score { record: usize, place: String, reason: String },
    #[error("the model's answer has no scores for record {record}")]
    NoScores { record: usize },
    #[error("the model's answer has {got} scores for record {record} and {expected} for record 1")]
    Outputs { record: usize, got: usize, expected: usize },
    #[error("the model's answer names the scores of record {record} otherwise than those of record 1")]
    Labels { record: usize },
    #[error("the model's answer has the score {score} for record {record}: scores must be finite")]
    NotFinite { record: usize, score: f64 },
}

impl AnswerLayout {
    pub fn read(&self, text: &str, format: Format, n_records: usize) -> Result<Scores, AnswerError> {
        match format {
            Format::Csv => csv::scores(self, text, n_records),
            Format::JsonLines => json::scores(self, text, n_records),
        }
    }
}

/// A CSV line is an array of numbers, texts and lists, a JSON line its value.
pub fn answer_records(text: &str, format: Format, n_records: usize) -> Result<Vec<Json>, AnswerError> {
    match format {
        Format::Csv => csv::records(text, n_records),
        Format::JsonLines => json::records(text, n_records),
    }
}

/// Rows of scores below each other. `row` takes a record's number, from 1.
fn stack(
    n_records: usize,
    row: impl Fn(usize) -> Result<Vec<f64>, AnswerError>,
) -> Result<Array2<f64>, AnswerError> {
    let (mut scores, mut n_outputs) = (Vec::new(), 0);
    for record in 1..=n_records {
        let row = row(record)?;
        n_outputs = if record == 1 { row.len() } else { n_outputs };
        check_row(&row, record, n_outputs)?;
        scores.extend(row);
    }
    Ok(Array2::from_shape_vec((n_records, n_outputs), scores).expect("rows of two lengths. This is a bug."))
}

/// The labels of record 1. Where they name each of several scores, all records must have them in that order.
fn common_labels(
    scores: &Array2<f64>,
    labels: impl Fn(usize) -> Result<Option<Vec<String>>, AnswerError>,
) -> Result<Option<Vec<String>>, AnswerError> {
    let first = labels(1)?;
    let names_scores = first.as_ref().is_some_and(|names| names.len() > 1 && names.len() == scores.ncols());
    for record in 2..=scores.nrows() {
        if names_scores && labels(record)? != first {
            return Err(AnswerError::Labels { record });
        }
    }
    Ok(first)
}

fn check_row(row: &[f64], record: usize, expected: usize) -> Result<(), AnswerError> {
    if row.is_empty() {
        return Err(AnswerError::NoScores { record });
    }
    if row.len() != expected {
        return Err(AnswerError::Outputs { record, got: row.len(), expected });
    }
    match row.iter().find(|score| !score.is_finite()) {
        Some(&score) => Err(AnswerError::NotFinite { record, score }),
        None => Ok(()),
    }
}

/// Enough of a text to find it again, in quotes.
fn shown(text: &str) -> String {
    format!("{:?}", shorten(text))
}

#[cfg(test)]
mod tests;
