//! A model's answer → one JSON value per record, as an expression sees it.

use serde_json::Value;

use super::Format;
use super::table::{Table, TableError};

#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the model answered {got} records for {expected}")]
    Count { got: usize, expected: usize },
    #[error("the model's answer is not CSV: {0}")]
    Csv(#[from] TableError),
    #[error("the model's answer, line {line}: {source}")]
    Json { line: usize, source: serde_json::Error },
}

/// A CSV line is an array of numbers and texts, a JSON line its value.
pub fn read_answer(text: &str, format: Format, n_records: usize) -> Result<Vec<Value>, AnswerError> {
    let values = match format {
        Format::Csv => csv_values(&Table::read_csv(text.as_bytes(), n_records.saturating_add(1))?),
        Format::JsonLines => json_values(text)?,
    };
    if values.len() != n_records {
        return Err(AnswerError::Count { got: values.len(), expected: n_records });
    }
    Ok(values)
}

fn csv_values(table: &Table) -> Vec<Value> {
    let record = |record| (0..table.n_columns()).map(|column| cell_value(table.cell(record, column))).collect();
    (0..table.n_records()).map(record).map(Value::Array).collect()
}

/// A finite number where the cell is one, else its text.
fn cell_value(cell: &str) -> Value {
    let number = cell.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    number.map_or_else(|| Value::from(cell), Value::Number)
}

fn json_values(text: &str) -> Result<Vec<Value>, AnswerError> {
    let parse =
        |(idx, line)| serde_json::from_str(line).map_err(|source| AnswerError::Json { line: idx + 1, source });
    text.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_record_becomes_one_value() {
        let csv = read_answer("0.1,cat\n2,nan", Format::Csv, 2).expect("reads");
        assert_eq!(csv, [json!([0.1, "cat"]), json!([2.0, "nan"])]);
        let lines = read_answer("{\"score\":0.6}\n{\"score\":[1,2]}", Format::JsonLines, 2).expect("reads");
        assert_eq!(lines, [json!({"score": 0.6}), json!({"score": [1, 2]})]);
    }

    #[test]
    fn a_wrong_count_is_never_zipped_short() {
        assert!(matches!(read_answer("1\n2", Format::Csv, 3), Err(AnswerError::Count { got: 2, expected: 3 })));
        assert!(matches!(
            read_answer("1\n2\n3", Format::Csv, 1),
            Err(AnswerError::Csv(_) | AnswerError::Count { .. })
        ));
    }
}
