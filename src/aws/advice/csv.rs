//! An answer in CSV → which column may hold the scores, and which their names. Reads no config.

use serde_json::{Value, json};

use super::Doubt;
use crate::aws::definition::{Amendment, Place};
use crate::records::{Format, Json, answer_records};

/// How far the scores of all classes may be from 1 together.
const SUM_TOLERANCE: f64 = 1e-3;

/// What stands in one column of all records.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    /// Numbers; whether all are whole.
    Numbers {
        are_whole: bool,
    },
    Texts,
    NumberLists,
    /// Of so many texts.
    TextLists {
        len: usize,
    },
    Mixed,
}

/// Amendments that may find scores, the likeliest first.
pub(super) fn scores(text: &str, n_records: usize) -> Vec<Amendment> {
    let Some(records) = records(text, n_records) else { return Vec::new() };
    let columns = columns(&records);
    let are_numbers = columns.iter().all(|column| matches!(column, Column::Numbers { .. }));
    if are_numbers && columns.len() == 1 {
        return vec![amendment(None, &columns, &records)];
    }
    let mut indexes: Vec<Option<usize>> = at(&columns, |column| column == Column::NumberLists).map(Some).collect();
    // Scores stand behind labels, and labels may be whole numbers.
    indexes.extend(at(&columns, |column| column == Column::Numbers { are_whole: false }).rev().map(Some));
    indexes.extend(are_numbers.then_some(None));
    indexes.extend(at(&columns, |column| column == Column::Numbers { are_whole: true }).rev().map(Some));
    indexes.into_iter().map(|index| amendment(index, &columns, &records)).collect()
}

/// What reads but may be meant otherwise.
pub(super) fn doubt(text: &str, n_records: usize, has_labels: bool) -> Option<Doubt> {
    let records = records(text, n_records)?;
    let columns = columns(&records);
    let names = at(&columns, |column| matches!(column, Column::TextLists { .. })).next();
    if let Some(index) = names.filter(|_| !has_labels) {
        let amendment = Amendment::new(Place::InferenceConfig, [("LabelIndex", json!(index))]);
        return Some(Doubt { reason: format!("column {index} names the scores"), amendment });
    }
    let label = at(&columns, |column| column == Column::Numbers { are_whole: true }).next()?;
    let score = at(&columns, |column| column == Column::Numbers { are_whole: false }).next_back()?;
    let is_doubtful = columns.iter().all(|column| matches!(column, Column::Numbers { .. }))
        && !records.iter().all(|record| is_distribution(record));
    let amendment = Amendment::new(Place::InferenceConfig, [("ProbabilityIndex", json!(score))]);
    let reason = format!("each record has {} scores; column {label} may be a label", columns.len());
    is_doubtful.then_some(Doubt { reason, amendment })
}

fn records(text: &str, n_records: usize) -> Option<Vec<Vec<Json>>> {
    let records = answer_records(text, Format::Csv, n_records).ok()?;
    records.iter().map(|record| record.as_array().cloned()).collect()
}

/// None where all records have one score each, or all their columns are scores.
fn amendment(index: Option<usize>, columns: &[Column], records: &[Vec<Json>]) -> Amendment {
    let n_scores = index.and_then(|index| records[0][index].as_array().map(Vec::len));
    let names = n_scores.and_then(|len| at(columns, |column| column == Column::TextLists { len }).next());
    let scores = ("ProbabilityIndex", index.map_or(Value::Null, Value::from));
    let names = names.map(|index| ("LabelIndex", json!(index)));
    Amendment::new(Place::InferenceConfig, [scores].into_iter().chain(names))
}

fn at(columns: &[Column], is_wanted: impl Fn(Column) -> bool) -> impl DoubleEndedIterator<Item = usize> {
    (0..columns.len()).filter(move |&index| is_wanted(columns[index]))
}

fn columns(records: &[Vec<Json>]) -> Vec<Column> {
    let column = |index: usize| {
        let kinds = records.iter().map(|record| record.get(index).map_or(Column::Mixed, kind));
        kinds.reduce(common).unwrap_or(Column::Mixed)
    };
    (0..records.first().map_or(0, Vec::len)).map(column).collect()
}

fn kind(cell: &Json) -> Column {
    if let Some(number) = cell.as_number() {
        return Column::Numbers { are_whole: number.fract() == 0.0 };
    }
    match cell.as_array() {
        None if cell.is_string() => Column::Texts,
        Some(items) if !items.is_empty() && items.iter().all(|item| item.is_number()) => Column::NumberLists,
        Some(items) if !items.is_empty() && items.iter().all(|item| item.is_string()) => {
            Column::TextLists { len: items.len() }
        }
        _ => Column::Mixed,
    }
}

fn common(a: Column, b: Column) -> Column {
    match (a, b) {
        (Column::Numbers { are_whole: a }, Column::Numbers { are_whole: b }) => {
            Column::Numbers { are_whole: a && b }
        }
        (a, b) if a == b => a,
        _ => Column::Mixed,
    }
}

fn is_distribution(record: &[Json]) -> bool {
    let sum: f64 = record.iter().filter_map(|cell| cell.as_number()).sum();
    (sum - 1.0).abs() < SUM_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(amendments: &[Amendment]) -> Vec<String> {
        amendments.iter().map(|amendment| amendment.lines().join(" ")).collect()
    }

    #[test]
    fn columns_of_scores_are_found_in_the_order_of_their_likelihood() {
        const LISTS: &str = "\"['cat','dog']\",\"[0.25,0.75]\"\n\"['cat','dog']\",\"[0.5,0.5]\"";
        for (text, n_records, expected) in [
            ("yes,0.6\nno,0.3", 2, &["\"ProbabilityIndex\": 1"][..]),
            ("0.6,yes", 1, &["\"ProbabilityIndex\": 0"]),
            ("1,0.6", 1, &["\"ProbabilityIndex\": 1", "\"ProbabilityIndex\": null", "\"ProbabilityIndex\": 0"]),
            ("yes,0.4,0.6", 1, &["\"ProbabilityIndex\": 2", "\"ProbabilityIndex\": 1"]),
            ("yes,1\nno,0.5", 2, &["\"ProbabilityIndex\": 1"]),
            (LISTS, 2, &["\"LabelIndex\": 0, \"ProbabilityIndex\": 1"]),
            ("7,\"[0.25,0.75]\"", 1, &["\"ProbabilityIndex\": 1", "\"ProbabilityIndex\": 0"]),
            ("\"['a']\",\"[0.25,0.75]\"", 1, &["\"ProbabilityIndex\": 1"]),
            // One line for several records: no column is left to choose.
            ("0.6,0.3", 2, &["\"ProbabilityIndex\": null"]),
            ("yes,no", 2, &[]),
            ("yes,no", 1, &[]),
            ("1\n2\n3", 2, &[]),
            ("", 1, &[]),
        ] {
            assert_eq!(lines(&scores(text, n_records)), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_may_be_labels_and_unused_names_are_doubted() {
        let label = "each record has 2 scores; column 0 may be a label; \"ProbabilityIndex\": 1";
        for (text, n_records, has_labels, expected) in [
            ("1,0.6", 1, false, label),
            ("1,0.6\n0,0.3", 2, false, label),
            ("1.0,0.6", 1, false, label),
            // Two classes, a sure model and two numbers of a regression.
            ("0.4,0.6", 1, false, ""),
            ("1.0,0.0", 1, false, ""),
            ("1,0.0\n0.25,0.75", 2, false, ""),
            ("7,8", 1, false, ""),
            ("0.6", 1, false, ""),
            ("\"['a','b']\",\"[0.25,0.75]\"", 1, false, "column 0 names the scores; \"LabelIndex\": 0"),
            ("\"['a','b']\",\"[0.25,0.75]\"", 1, true, ""),
        ] {
            let doubt = doubt(text, n_records, has_labels);
            let told =
                doubt.map(|Doubt { reason, amendment }| format!("{reason}; {}", amendment.lines().join(" ")));
            assert_eq!(told.unwrap_or_default(), expected, "{text}");
        }
    }
}
