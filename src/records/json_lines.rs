//! `application/jsonlines` → rows of features as they are spelled, found in each record by an expression.
//! Knows nothing of JSON's grammar.

use jmespath::Variable;

use super::json_tree::Tree;
use super::payload::{PayloadError, readable};
use super::table::{Rows, TableError};
use super::{Expression, ExpressionError, Json, spell};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeaturesError {
    #[error("it is an object, and InferenceConfig.FeaturesAttribute does not say where its features are")]
    NoExpression,
    #[error("it is not an array of features but {0}")]
    NotAnArray(&'static str),
    #[error("the expression {expression:?} gives not an array of features but {gives}")]
    ExpressionGives { expression: String, gives: &'static str },
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error("feature {column} is {kind}")]
    Nested { column: usize, kind: &'static str },
}

/// One record a line; a last line break is no record, an empty line is an error.
pub(super) fn read(payload: &[u8], features: Option<&Expression>, rows: &mut Rows) -> Result<(), TableError> {
    if payload.iter().all(|byte| b" \t\r\n".contains(byte)) {
        return Err(TableError::Empty);
    }
    let (text, fault) = readable(payload);
    let whole_lines = match fault {
        Some(_) => &text[..text.rfind('\n').map_or(0, |at| at + 1)],
        None => text,
    };
    for line in whole_lines.lines() {
        read_record(line, features, rows)?;
    }
    match fault {
        Some(fault) => Err(TableError::Json { record: rows.record(), reason: fault.into() }),
        None => Ok(()),
    }
}

fn read_record(line: &str, features: Option<&Expression>, rows: &mut Rows) -> Result<(), TableError> {
    let record = rows.record();
    if line.bytes().all(|byte| b" \t\r".contains(&byte)) {
        return Err(TableError::EmptyLine { record });
    }
    let tree = Tree::read(line).map_err(|reason| TableError::Json { record, reason })?;
    push_features(&tree, features, rows).map_err(|reason| TableError::Features { record, reason })?;
    rows.end_record()
}

fn push_features(tree: &Tree, features: Option<&Expression>, rows: &mut Rows) -> Result<(), FeaturesError> {
    let found = find_features(&tree.root, features)?;
    for feature in found.as_array().into_iter().flatten() {
        match (tree.spelling(feature), &**feature) {
            (Some(spelling), _) => rows.push(spelling),
            (None, Variable::Number(number)) => rows.push(&spell_computed(number)),
            // No record has it, but a literal of the expression may.
            (None, Variable::String(text)) if text.contains('\0') => return Err(PayloadError::Nul.into()),
            (None, Variable::Array(_) | Variable::Object(_) | Variable::Expref(_)) => {
                return Err(FeaturesError::Nested { column: rows.column(), kind: kind(feature) });
            }
            (None, _) => rows.push(&feature.to_string()),
        }
    }
    Ok(())
}

/// An array in all cases. A record that is an array is its features whatever the expression says: baselines are
/// features only, while the expression is written for requests.
fn find_features(record: &Json, features: Option<&Expression>) -> Result<Json, FeaturesError> {
    let Some(expression) = features else {
        return match &**record {
            Variable::Array(_) => Ok(Json::clone(record)),
            Variable::Object(_) => Err(FeaturesError::NoExpression),
            _ => Err(FeaturesError::NotAnArray(kind(record))),
        };
    };
    match expression.evaluate(record) {
        Ok(found) if found.is_array() => Ok(found),
        _ if record.is_array() => Ok(Json::clone(record)),
        Ok(found) => {
            Err(FeaturesError::ExpressionGives { expression: expression.text().to_owned(), gives: kind(&found) })
        }
        Err(error) => Err(error.into()),
    }
}

/// A number that stands nowhere in the record.
fn spell_computed(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => spell(float),
        _ => number.to_string(),
    }
}

fn kind(json: &Json) -> &'static str {
    match &**json {
        Variable::Null => "null",
        Variable::String(_) => "a string",
        Variable::Bool(_) => "true or false",
        Variable::Number(_) => "a number",
        Variable::Array(_) => "an array",
        Variable::Object(_) => "an object",
        Variable::Expref(_) => "an expression",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Format, Table};

    fn read(payload: &[u8], features: &str) -> Result<Vec<Vec<String>>, String> {
        let expression = (!features.is_empty()).then(|| Expression::compile(features).expect("compiles"));
        let table = Table::read(payload, Format::JsonLines, expression.as_ref(), 5);
        let table = table.map_err(|error| error.to_string())?;
        Ok(table.rows().map(|row| row.map(|cell| cell.raw().to_owned()).collect()).collect())
    }

    #[test]
    fn features_are_found_and_keep_their_spelling() {
        for (payload, features, expected) in [
            ("{\"data\":{\"features\":[1,2,3,4]}}", "data.features", vec![vec!["1", "2", "3", "4"]]),
            (
                "{\"features\":[\"This is a good product\",5]}\n{\"features\":[\"Bad shopping experience\",1]}",
                "features",
                vec![vec!["\"This is a good product\"", "5"], vec!["\"Bad shopping experience\"", "1"]],
            ),
            ("{\"features\":[25, 2, 226802]}", "features", vec![vec!["25", "2", "226802"]]),
            (
                "[1e5, 1.50,-0]\r\n [null,true,\"\\u00e9\"] \n",
                "",
                vec![vec!["1e5", "1.50", "-0"], vec!["null", "true", "\"\\u00e9\""]],
            ),
            ("[1.0,2]\n{\"f\":[3,4]}", "f", vec![vec!["1.0", "2"], vec!["3", "4"]]),
            ("[1,2]", "values(@)", vec![vec!["1", "2"]]),
            ("{\"a\":1.50,\"b\":{\"c\":[2e0,\"x\"]}}", "[a,b.c[0],b.c[-1]]", vec![vec!["1.50", "2e0", "\"x\""]]),
            ("[{\"v\":1.10},{\"v\":2.0}]", "reverse([*].v)", vec![vec!["2.0", "1.10"]]),
            (
                "{\"a\":[1.50,2.25]}",
                "[sum(a),length(a),`1`,'x',a[9],a[0]>`1`]",
                vec![vec!["3.75", "2", "1", "\"x\"", "null", "true"]],
            ),
        ] {
            assert_eq!(read(payload.as_bytes(), features).expect(payload), expected);
        }
    }

    #[test]
    fn faults_name_the_record() {
        for (payload, features, expected) in [
            (&b" \n\n"[..], "", "the payload has no records"),
            (b"[1]\n\n[2]", "", "record 2 is an empty line"),
            (b"[1]\n \r\n[2]", "", "record 2 is an empty line"),
            (b"[1]\n\n", "", "record 2 is an empty line"),
            (b"[1,2]\n[1]", "", "record 2 has 1 features instead of 2"),
            (b"[1]\n[]", "", "record 2 has 0 features instead of 1"),
            (b"[]", "", "record 1 has no features"),
            (b"[1]\n[2]\n[3]\n[4]\n[5]\n[6]", "", "the payload has more records than the limit of 5 records"),
            (b"[1]\n[2\n", "", "record 2: byte 3: the record ends too early"),
            (b"[1]\n[2]\n[\xff]", "", "record 3: the text is not UTF-8"),
            (b"[1]\n[\0]", "", "record 2: the text has a NUL character"),
            (b"\xef\xbb\xbf[1]", "", "record 1: the text begins with a byte order mark"),
            (
                b"{\"f\":[1]}",
                "",
                "record 1: it is an object, and InferenceConfig.FeaturesAttribute does not say where its features are",
            ),
            (b"5", "", "record 1: it is not an array of features but a number"),
            (b"{\"g\":[1]}", "f", "record 1: the expression \"f\" gives not an array of features but null"),
            (b"{\"f\":{}}", "f", "record 1: the expression \"f\" gives not an array of features but an object"),
            (b"[1,[2]]", "", "record 1: feature 2 is an array"),
            (b"[1]\n[{}]", "", "record 2: feature 1 is an object"),
            (b"{\"f\":1}", "[f, `\"\\u0000\"`]", "record 1: the text has a NUL character"),
        ] {
            assert_eq!(read(payload, features).expect_err("is refused"), expected);
        }
        let error = read(b"{\"f\":1}", "max(f)").expect_err("is refused");
        assert!(error.starts_with("record 1: the expression \"max(f)\" fails"), "{error}");
    }
}
