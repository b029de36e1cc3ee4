//! A model's answer in CSV → scores, label headers and JSON values.

use std::borrow::Cow;

use jmespath::Variable;
use serde_json::Number;

use super::list::{Item, is_list, parse_list};
use super::{AnswerError, AnswerLayout, Scores, common_labels, shown, stack};
use crate::records::table::{Table, TableError};
use crate::records::{Format, Json};

/// Fields of each record, whether it has a line of its own or all share one.
struct Rows {
    table: Table,
    /// One line with one field for each of several records.
    is_one_line: bool,
}

impl Rows {
    fn read(text: &str, n_records: usize) -> Result<Self, AnswerError> {
        if text.trim().is_empty() {
            return Err(AnswerError::Empty);
        }
        let table = Table::read(text.as_bytes(), Format::Csv, None, n_records).map_err(|error| match error {
            TableError::TooMany { limit } => AnswerError::TooMany { expected: limit },
            error => AnswerError::Csv(error),
        })?;
        let is_one_line = n_records > 1 && table.n_records() == 1 && table.n_columns() == n_records;
        if !is_one_line && table.n_records() != n_records {
            return Err(AnswerError::Count { got: table.n_records(), expected: n_records });
        }
        Ok(Self { table, is_one_line })
    }

    fn n_fields(&self) -> usize {
        if self.is_one_line { 1 } else { self.table.n_columns() }
    }

    /// Records count from 1.
    fn row(&self, record: usize) -> Vec<Cow<'_, str>> {
        (0..self.n_fields()).map(|index| self.text(record, index)).collect()
    }

    fn field(&self, record: usize, index: usize) -> Result<Cow<'_, str>, AnswerError> {
        let n_fields = self.n_fields();
        if index < n_fields {
            Ok(self.text(record, index))
        } else {
            Err(AnswerError::Index { record, index, n_fields })
        }
    }

    fn text(&self, record: usize, index: usize) -> Cow<'_, str> {
        let (line, column) = if self.is_one_line { (0, record - 1) } else { (record - 1, index) };
        self.table.cell(line, column).text()
    }
}

pub fn scores(layout: &AnswerLayout, text: &str, n_records: usize) -> Result<Scores, AnswerError> {
    let rows = Rows::read(text, n_records)?;
    if rows.is_one_line && layout.probability_index.is_some() {
        return Err(AnswerError::Count { got: 1, expected: n_records });
    }
    let scores = stack(n_records, |record| match layout.probability_index {
        Some(index) => field_scores(&rows.field(record, index)?, record, index),
        None => row_scores(&rows.row(record), record),
    })?;
    let labels = common_labels(&scores, |record| match layout.label_index {
        Some(index) => Ok(labels(&rows.field(record, index)?)),
        None => Ok(None),
    })?;
    Ok(Scores { scores, labels })
}

/// The whole row: numbers, or one list.
fn row_scores(row: &[Cow<str>], record: usize) -> Result<Vec<f64>, AnswerError> {
    match row {
        [field] => field_scores(field, record, 0),
        fields => {
            (0..).zip(fields).map(|(index, field)| number(field).map_err(score_error(record, index))).collect()
        }
    }
}

fn field_scores(field: &str, record: usize, index: usize) -> Result<Vec<f64>, AnswerError> {
    let scores = if is_list(field) { list_scores(field) } else { number(field).map(|score| vec![score]) };
    scores.map_err(score_error(record, index))
}

fn list_scores(field: &str) -> Result<Vec<f64>, String> {
    let items = parse_list(field).map_err(|reason| format!("{} is no list: {reason}", shown(field)))?;
    let score = |item| match item {
        Item::Bare(text) => number(text),
        Item::Text(text) => Err(format!("{} in a list of scores is a text", shown(&text))),
    };
    items.into_iter().map(score).collect()
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("{} is not a number or a list of numbers", shown(text)))
}

fn score_error(record: usize, index: usize) -> impl Fn(String) -> AnswerError {
    move |reason| AnswerError::Score { record, place: format!("index {index}"), reason }
}

/// Labels only describe: a field that holds none is no error.
fn labels(field: &str) -> Option<Vec<String>> {
    if is_list(field) {
        let items = parse_list(field).ok()?.into_iter();
        let labels: Vec<String> = items.map(label).collect();
        return (!labels.is_empty()).then_some(labels);
    }
    let is_text = !field.trim().is_empty() && number(field).is_err();
    is_text.then(|| vec![field.to_owned()])
}

fn label(item: Item<'_>) -> String {
    match item {
        Item::Bare(text) => text.to_owned(),
        Item::Text(text) => text,
    }
}

pub fn records(text: &str, n_records: usize) -> Result<Vec<Json>, AnswerError> {
    let rows = Rows::read(text, n_records)?;
    let record = |record| array(rows.row(record).iter().map(|field| field_json(field)));
    Ok((1..=n_records).map(record).collect())
}

fn array(elements: impl Iterator<Item = Json>) -> Json {
    Json::new(Variable::Array(elements.collect()))
}

/// A list where the field is one, a finite number where it is one, else its text.
fn field_json(field: &str) -> Json {
    match parse_list(field) {
        Ok(items) => array(items.into_iter().map(item_json)),
        Err(_) => finite(field).unwrap_or_else(|| Json::new(Variable::String(field.to_owned()))),
    }
}

fn item_json(item: Item<'_>) -> Json {
    let word = |text: &str| match text {
        "true" | "True" => Variable::Bool(true),
        "false" | "False" => Variable::Bool(false),
        "null" | "None" => Variable::Null,
        text => Variable::String(text.to_owned()),
    };
    match item {
        Item::Bare(text) => finite(text).unwrap_or_else(|| Json::new(word(text))),
        Item::Text(text) => Json::new(Variable::String(text)),
    }
}

fn finite(text: &str) -> Option<Json> {
    let number = text.trim().parse().ok().and_then(Number::from_f64)?;
    Some(Json::new(Variable::Number(number)))
}
