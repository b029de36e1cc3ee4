//! The Open Inference Protocol in JSON: all records as one tensor, the scores as one tensor. Data is sent flat, row by row.

use serde::Deserialize;
use serde_json::json;

use super::lines::Lines;
use super::{ProtocolError, list, member, shown};
use crate::model::ModelError;
use crate::records::{AnswerError, Format, Parts, Spelled, Table, shorten};

const TEXT: &str = "BYTES";
const FLOATS: [&str; 2] = ["FP32", "FP64"];
const INTEGERS: [&str; 8] = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"];

/// The one input of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TensorInput {
    name: String,
    datatype: String,
}

#[derive(Deserialize)]
struct Metadata {
    inputs: Option<Vec<TensorInput>>,
}

/// The input that a server's metadata describe. Where they describe none, any name does.
pub fn input_of(metadata: &[u8]) -> Result<TensorInput, ProtocolError> {
    let metadata: Metadata = serde_json::from_slice(metadata).map_err(ProtocolError::Metadata)?;
    let mut inputs = metadata.inputs.unwrap_or_default();
    let input = match inputs.len() {
        0 => TensorInput { name: "input-0".to_owned(), datatype: "FP64".to_owned() },
        1 => inputs.remove(0),
        got => {
            return Err(ProtocolError::Inputs { got, names: shown(inputs.into_iter().map(|input| input.name)) });
        }
    };
    let supported = || FLOATS.into_iter().chain(INTEGERS).chain([TEXT]);
    if !supported().any(|datatype| datatype == input.datatype) {
        return Err(ProtocolError::Datatype {
            name: shorten(&input.name),
            datatype: shorten(&input.datatype),
            supported: supported().collect::<Vec<&str>>().join(", "),
        });
    }
    Ok(input)
}

impl TensorInput {
    /// Whether cells are strings, whatever they say.
    pub(super) fn is_text(&self) -> bool {
        self.datatype == TEXT
    }

    /// Servers cut `3.7` to 3 for an input of integers, and tell nobody.
    pub(super) fn check(&self, rows: &Table, row: &'static str) -> Result<(), ProtocolError> {
        if !INTEGERS.contains(&self.datatype.as_str()) {
            return Ok(());
        }
        for (row_idx, cells) in rows.rows().enumerate() {
            for (column_idx, cell) in cells.enumerate() {
                let text = cell.text();
                if text.trim().parse::<f64>().is_ok_and(|number| number.fract() != 0.0) {
                    let (number, column, text) = (row_idx + 1, column_idx + 1, shorten(&text));
                    let datatype = self.datatype.clone();
                    return Err(ProtocolError::NotAnInteger { row, number, column, datatype, text });
                }
            }
        }
        Ok(())
    }
}

/// What stands before and behind all cells.
pub(super) fn envelope(
    input: &TensorInput,
    output: Option<&str>,
    n_rows: usize,
    n_columns: usize,
) -> (String, String) {
    let TensorInput { name, datatype } = input;
    let before = format!(
        "{{\"inputs\":[{{\"name\":{},\"shape\":[{n_rows},{n_columns}],\"datatype\":{},\"data\":[",
        json!(name),
        json!(datatype)
    );
    let outputs = output.map(|name| format!(",\"outputs\":{}", json!([{ "name": name }]))).unwrap_or_default();
    (before, format!("]}}]{outputs}}}"))
}

pub(super) fn lines(
    answer: &str,
    output: Option<&str>,
    n_records: usize,
    format: Format,
) -> Result<String, ModelError> {
    let answer = Spelled::read(answer).map_err(ProtocolError::NotJson)?;
    let output = chosen(list(answer, "outputs")?, output)?;
    let (got, n_scores) = dimensions(output)?;
    if got != n_records {
        return Err(AnswerError::Count { got, expected: n_records }.into());
    }
    let mut lines = Lines::new(format, n_records);
    let data = list(output, "data")?;
    match data.clone().next().is_some_and(Spelled::is_array) {
        true => push_nested(&mut lines, data, n_scores)?,
        false => push_flat(&mut lines, data, n_records, n_scores)?,
    }
    Ok(lines.finish()?)
}

fn chosen<'a>(outputs: Parts<'a>, wanted: Option<&str>) -> Result<Spelled<'a>, ProtocolError> {
    let name = |output: Spelled| output.member("name").and_then(|name| name.string().ok()).unwrap_or_default();
    let names = || shown(outputs.clone().map(name));
    let mut candidates = outputs.clone();
    if let Some(wanted) = wanted {
        let found = candidates.find(|&output| name(output) == wanted);
        return found.ok_or_else(|| ProtocolError::NoOutput { output: shorten(wanted), names: names() });
    }
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(ProtocolError::Outputs { names: names() }),
        (None, _) => Err(ProtocolError::Missing { member: "output" }),
    }
}

/// The numbers of records and of scores for each.
fn dimensions(output: Spelled) -> Result<(usize, usize), ProtocolError> {
    let mut sizes = list(output, "shape")?.map(|size| size.raw().parse().ok());
    match (sizes.next(), sizes.next(), sizes.next()) {
        (Some(Some(n_records)), None, _) => Ok((n_records, 1)),
        (Some(Some(n_records)), Some(Some(n_scores)), None) => Ok((n_records, n_scores)),
        _ => Err(ProtocolError::Shape { shape: shorten(member(output, "shape")?.raw()) }),
    }
}

fn push_flat(lines: &mut Lines, mut data: Parts, n_records: usize, n_scores: usize) -> Result<(), ModelError> {
    if n_records.checked_mul(n_scores) != Some(data.clone().count()) {
        return Err(ProtocolError::Data { n_records, n_scores }.into());
    }
    (0..n_records).try_for_each(|_| lines.row(data.by_ref().take(n_scores)))?;
    Ok(())
}

/// Some servers nest the values as the shape says.
fn push_nested(lines: &mut Lines, data: Parts, n_scores: usize) -> Result<(), ModelError> {
    for row in data {
        match row.elements().filter(|row| row.clone().count() == n_scores) {
            Some(row) => lines.row(row)?,
            None => return Err(ProtocolError::Data { n_records: lines.n_records(), n_scores }.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use Format::{Csv, JsonLines};

    fn input(name: &str, datatype: &str) -> TensorInput {
        TensorInput { name: name.to_owned(), datatype: datatype.to_owned() }
    }

    #[test]
    fn the_input_is_what_the_metadata_describe() {
        for (metadata, expected) in [
            (
                "{\"name\":\"m\",\"versions\":[\"1\"],\"platform\":\"onnx\",\"inputs\":[{\"name\":\"X:0\",\
                 \"datatype\":\"FP32\",\"shape\":[-1,4]}],\"outputs\":[]}",
                input("X:0", "FP32"),
            ),
            ("{\"inputs\":[{\"name\":\"\",\"datatype\":\"BYTES\",\"shape\":[\"-1\"]}]}", input("", "BYTES")),
            ("{\"name\":\"iris\",\"versions\":[],\"platform\":\"\",\"inputs\":[]}", input("input-0", "FP64")),
            ("{\"name\":\"iris\",\"versions\":null,\"inputs\":null}", input("input-0", "FP64")),
            ("{\"name\":\"iris\"}", input("input-0", "FP64")),
        ] {
            assert_eq!(input_of(metadata.as_bytes()).expect(metadata), expected);
        }
    }

    #[test]
    fn metadata_that_say_nothing_of_one_input_are_refused() {
        let described = |names: &[&str], datatype: &str| {
            let inputs: Vec<Value> =
                names.iter().map(|name| json!({ "name": name, "datatype": datatype, "shape": [-1, 1] })).collect();
            json!({ "inputs": inputs }).to_string()
        };
        for (metadata, expected) in [
            (
                described(&["age", "sex"], "FP32"),
                "the model has 2 inputs (\"age\", \"sex\"); records can be sent to",
            ),
            (described(&["x"], "FP16"), "the input \"x\" of the model takes FP16; supported: FP32, FP64, INT8, "),
            (described(&["x"], "BOOL"), "UINT64, BYTES"),
            ("nonsense".to_owned(), "the metadata of the model cannot be read: expected ident at line 1 column 2"),
            ("{\"inputs\":[{}]}".to_owned(), "the metadata of the model cannot be read: missing field `name`"),
        ] {
            let error = input_of(metadata.as_bytes()).expect_err("is refused").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn records_stand_in_one_tensor() {
        let (before, after) = envelope(&input("X\"", "FP64"), None, 2, 3);
        assert_eq!(
            before + &after,
            "{\"inputs\":[{\"name\":\"X\\\"\",\"shape\":[2,3],\"datatype\":\"FP64\",\"data\":[]}]}"
        );
        let (before, after) = envelope(&input("X", "BYTES"), Some("predict_proba"), 1, 1);
        assert_eq!(
            before + &after,
            "{\"inputs\":[{\"name\":\"X\",\"shape\":[1,1],\"datatype\":\"BYTES\",\"data\":[]}],\
             \"outputs\":[{\"name\":\"predict_proba\"}]}"
        );
    }

    #[test]
    fn integers_that_are_none_are_refused() {
        let check = |datatype: &str, payload: &str, format| {
            let table = Table::read(payload.as_bytes(), format, None, 9).expect("reads");
            input("x", datatype).check(&table, "record").map_err(|error| error.to_string())
        };
        for payload in ["1, 2 ,-3.0\n1e3,,red", "1,2,3\n4,5,\"6\""] {
            assert_eq!(check("INT64", payload, Csv), Ok(()), "{payload}");
        }
        assert_eq!(check("FP32", "1.5", Csv), Ok(()));
        assert_eq!(check("BYTES", "1.5", Csv), Ok(()));
        assert_eq!(check("INT32", "[null,true,\"x\"]", JsonLines), Ok(()));
        for (payload, format, expected) in [
            (
                "1,2\n3, 3.7",
                Csv,
                "record 2, column 2: the model takes UINT8, and would cut \" 3.7\" to an integer",
            ),
            (
                "[1e-3]",
                JsonLines,
                "record 1, column 1: the model takes UINT8, and would cut \"1e-3\" to an integer",
            ),
            ("inf", Csv, "record 1, column 1: the model takes UINT8, and would cut \"inf\" to an integer"),
        ] {
            assert_eq!(check("UINT8", payload, format), Err(expected.to_owned()));
        }
    }

    fn answer(shape: &str, data: &str) -> String {
        format!(
            "{{\"model_name\":\"m\",\"outputs\":[{{\"name\":\"p\",\"shape\":{shape},\"datatype\":\"FP64\",\
             \"parameters\":null,\"data\":{data}}}]}}"
        )
    }

    #[test]
    fn tensors_become_lines() {
        for (shape, data, csv, json) in [
            ("[2]", "[0.10,2e-8]", "0.10\n2e-8", "{\"score\":0.10}\n{\"score\":2e-8}"),
            ("[2,1]", "[0.1, 0.2]", "0.1\n0.2", "{\"score\":0.1}\n{\"score\":0.2}"),
            ("[2,1]", "[[0.1], [0.2]]", "0.1\n0.2", "{\"score\":0.1}\n{\"score\":0.2}"),
            ("[2, 2]", "[0.1,0.9,1,0]", "0.1,0.9\n1,0", "{\"score\":[0.1,0.9]}\n{\"score\":[1,0]}"),
            ("[2, 2]", "[[0.1,0.9],[1,0]]", "0.1,0.9\n1,0", "{\"score\":[0.1,0.9]}\n{\"score\":[1,0]}"),
            ("[2]", "[\"a,b\",null]", "\"a,b\"\n\"\"", "{\"score\":\"a,b\"}\n{\"score\":null}"),
        ] {
            let answer = answer(shape, data);
            assert_eq!(lines(&answer, None, 2, Csv).expect("is read"), csv);
            assert_eq!(lines(&answer, Some("p"), 2, JsonLines).expect("is read"), json);
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_refused() {
        let data = "the output has other values than its shape [2, 2] says";
        let shape =
            |shape: &str| format!("the output has the shape {shape}; supported: [records] and [records, scores]");
        for (answer, expected) in [
            (answer("[3]", "[1,2,3]"), "the model's answer has 3 records instead of 2".to_owned()),
            (answer("[1,2]", "[1,2]"), "the model's answer has 1 records instead of 2".to_owned()),
            (answer("[2,2]", "[1,2,3]"), data.to_owned()),
            (answer("[2,2]", "[1,2,3,4,5]"), data.to_owned()),
            (answer("[2,2]", "[]"), data.to_owned()),
            (answer("[2,2]", "[[1,2,3],[4]]"), data.to_owned()),
            (answer("[2,2]", "[[1,2],3]"), data.to_owned()),
            (answer("[2,2]", "[[1,2]]"), "the model's answer has 1 records instead of 2".to_owned()),
            (answer("[2,2]", "[[1,2],[3,4],[5,6]]"), "the model's answer has 3 records instead of 2".to_owned()),
            (answer("[2,0]", "[]"), "the model's answer has no scores for record 1".to_owned()),
            (
                answer("[2,18446744073709551615]", "[1]"),
                "the output has other values than its shape [2, 18446744073709551615] says".to_owned(),
            ),
            (answer("[]", "[1,2]"), shape("[]")),
            (answer("[2,1,1]", "[1,2]"), shape("[2,1,1]")),
            (answer("[-1]", "[1,2]"), shape("[-1]")),
            (answer("[2.0]", "[1,2]"), shape("[2.0]")),
            (answer("2", "[1,2]"), "shape of the model's answer is a number, not an array".to_owned()),
            (answer("[2]", "null"), "data of the model's answer is null, not an array".to_owned()),
            ("{\"outputs\":[{\"name\":\"p\"}]}".to_owned(), "the model's answer has no shape".to_owned()),
            ("{\"outputs\":[7]}".to_owned(), "the model's answer has no shape".to_owned()),
            ("{\"outputs\":[]}".to_owned(), "the model's answer has no output".to_owned()),
            ("{}".to_owned(), "the model's answer has no outputs".to_owned()),
            (
                "[".to_owned(),
                "the model's answer is not JSON: EOF while parsing a list at line 1 column 1".to_owned(),
            ),
        ] {
            let error = lines(&answer, None, 2, Csv).expect_err("is refused");
            assert_eq!(error.to_string(), expected, "{answer}");
        }
    }

    #[test]
    fn the_output_is_the_chosen_one_or_the_only_one() {
        let output = |name: &str, score: f64| json!({ "name": name, "shape": [1], "data": [score] });
        let answer = json!({ "outputs": [output("predict", 1.0), output("predict_proba", 0.75)] }).to_string();
        let lines = |wanted| lines(&answer, wanted, 1, Csv).map_err(|error| error.to_string());
        assert_eq!(lines(Some("predict_proba")), Ok("0.75".to_owned()));
        assert_eq!(
            lines(None),
            Err("the model answers with the outputs \"predict\", \"predict_proba\": EXPLAIND_V2_OUTPUT must say which \
                 one holds the scores"
                .to_owned())
        );
        assert_eq!(
            lines(Some("proba")),
            Err("the model's answer has no output \"proba\" but \"predict\", \"predict_proba\"".to_owned())
        );
    }
}
