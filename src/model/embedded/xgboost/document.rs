//! The bytes of a file → the parts of it that are asked for, by the reader of its encoding.
//! Errors name the path of a value that does not fit.

use std::borrow::Cow;
use std::fmt::Display;

use serde::de::{DeserializeOwned, Deserializer};
use serde_path_to_error::Error as PathError;

use super::ubjson::{Reader, UbjsonError};
use super::{XgboostError, json};
use crate::model::embedded::checks::cut;

pub(super) enum Document<'a> {
    Json(Cow<'a, [u8]>),
    Ubjson(&'a [u8]),
}

impl<'a> Document<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, XgboostError> {
        let limit = u32::MAX as usize;
        if bytes.len() >= limit {
            return Err(XgboostError::TooLong { actual: bytes.len(), limit });
        }
        let is_ubjson = is_ubjson(bytes);
        Ok(if is_ubjson { Self::Ubjson(bytes) } else { Self::Json(json::quote_not_finite(bytes)) })
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, XgboostError> {
        match self {
            Self::Json(json) => read_json(json),
            Self::Ubjson(bytes) => read_ubjson(bytes),
        }
    }
}

/// UBJSON opens the first key with the type of its length, JSON with a quote.
fn is_ubjson(bytes: &[u8]) -> bool {
    matches!(bytes, [b'{', b'i' | b'U' | b'I' | b'l' | b'L' | b'$' | b'#', ..])
}

fn read_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, XgboostError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = parts(&mut deserializer, serde_json::Error::is_data, "JSON")?;
    deserializer.end().map_err(|error| damaged("JSON", error))?;
    Ok(read)
}

fn read_ubjson<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, XgboostError> {
    let mut reader = Reader::new(bytes);
    let read = parts(&mut reader, |error| matches!(error, UbjsonError::Data(_)), "UBJSON")?;
    reader.end().map_err(|error| damaged("UBJSON", error))?;
    Ok(read)
}

fn parts<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
    is_data: impl Fn(&D::Error) -> bool,
    encoding: &'static str,
) -> Result<T, XgboostError> {
    let wrong = |error: PathError<D::Error>| {
        let (path, inner) = (error.path().to_string(), error.into_inner());
        match is_data(&inner) {
            true => XgboostError::Type { path: cut(&path), detail: cut(&inner.to_string()) },
            false => damaged(encoding, inner),
        }
    };
    serde_path_to_error::deserialize(deserializer).map_err(wrong)
}

fn damaged(encoding: &'static str, detail: impl Display) -> XgboostError {
    XgboostError::Damaged { encoding, detail: cut(&detail.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::{changed, check_refusals, error};
    use super::*;

    #[test]
    fn brackets_without_end_are_an_error_and_no_stack_overflow() {
        for (open, n) in
            [("[", 1_000_000), ("{\"learner\":", 1_000_000), ("{\"learner\":{\"attributes\":[", 500_000)]
        {
            let refused = load(open.repeat(n).as_bytes());
            assert!(matches!(refused, Err(XgboostError::Damaged { .. } | XgboostError::Type { .. })));
        }
    }

    #[test]
    fn types_and_damage_are_refused() {
        check_refusals(
            r#"
            [4,-1 => [4.5,-1 => learner.gradient_booster.model.trees[0].left_children[0]: invalid type: floating point
            [4,-1 => [9999999999,-1 => trees[0].left_children[0]: invalid value: integer `9999999999`, expected i32
            [1,0,0,0,0], => [-1,0,0,0,0], => trees[0].split_indices[0]: invalid value: integer `-1`, expected u32
            ,8E0 => ,"8E0" => trees[0].split_conditions[1]: invalid type: string "8E0", expected a number
            ,8E0 => ,null => trees[0].split_conditions[1]: invalid type: null, expected a number
            [false, => [2, => trees[1].default_left[0]: invalid value: integer `2`, expected 0, 1, false or true
            [0,0], => {}, => learner.gradient_booster.model.tree_info: invalid type: map
            "num_class":"0", =>  => learner.learner_model_param: missing field `num_class`
            class":"0" => class":0 => learner.learner_model_param.num_class: invalid type: integer `0`

            [1E0,NaN, => [1E0,-NaN, => damaged JSON: invalid number
            [1E0,NaN, => [1E0,1Infinity, => damaged JSON: expected `,` or `]`
            [1E0,NaN, => [1E0,nan, => damaged JSON: expected
            [1,7,6]} => [1,7,6] => damaged JSON: EOF while parsing an object
            [1,7,6]} => [1,7,6]}} => damaged JSON: trailing characters
        "#,
        );
    }

    #[test]
    fn files_of_other_kinds_are_told_apart() {
        let deep = format!(r#"{{"learner":{}"#, "[".repeat(1_000_000));
        let cases: [(&[u8], &str); 5] = [
            (b"{}", "missing field `learner`"),
            (b"{\"learner\xff", "damaged JSON"),
            (b"{\"learner", "damaged JSON: EOF"),
            (b"{L\0\0\0\0\0\0\0\x07learner{", "damaged UBJSON: byte 18: the file ends"),
            (deep.as_bytes(), "learner[0][0]: invalid type: sequence"),
        ];
        for (bytes, fragment) in cases {
            let text = error(bytes);
            assert!(text.contains(fragment), "got: {text}\nwant: {fragment}");
        }
    }

    #[test]
    fn an_error_repeats_no_more_than_the_start_of_a_long_text() {
        let long = "é".repeat(1_000_000);
        for text in [changed("binary:logistic", &long), changed("[5E-1,8E0", &format!("[\"{long}\",8E0"))] {
            let text = error(text.as_bytes());
            assert!(text.len() < 500, "{} bytes", text.len());
        }
    }
}
