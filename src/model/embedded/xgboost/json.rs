//! The bytes of a file → the parts of it that count, by their names in the file.
//! Knows how XGBoost writes JSON; nothing of what the values mean.

use std::borrow::Cow;
use std::{fmt, iter};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, Unexpected, Visitor};

use super::{XgboostError, cut};

/// The words that XGBoost writes where JSON has no number.
const NOT_FINITE: [(&str, f32); 3] =
    [("NaN", f32::NAN), ("Infinity", f32::INFINITY), ("-Infinity", f32::NEG_INFINITY)];

/// Refuses what is not JSON at first sight, with a hint at what it may be.
pub(super) fn recognise(bytes: &[u8]) -> Result<(), XgboostError> {
    let limit = u32::MAX as usize;
    if bytes.len() >= limit {
        return Err(XgboostError::TooLong { actual: bytes.len(), limit });
    }
    match bytes.trim_ascii_start() {
        // UBJSON opens the first key with the type of its length, JSON with a quote.
        [b'{', b'i' | b'U' | b'I' | b'l' | b'L' | b'$' | b'#', ..] => Err(XgboostError::Ubjson),
        [b'{', ..] => Ok(()),
        [byte, ..] => {
            Err(XgboostError::NotJson { actual: format!("it starts with byte 0x{byte:02x}, not with {{") })
        }
        [] => Err(XgboostError::NotJson { actual: "it is empty".to_owned() }),
    }
}

/// Puts quotes around the words of `NOT_FINITE` that stand outside strings.
pub(super) fn quote_not_finite(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted = Vec::new();
    let mut copied = 0;
    for (at, _) in outside_strings(bytes) {
        // -Infinity holds a second word, which is copied by then.
        if at >= copied
            && let Some(word) = not_finite_word(&bytes[at..])
        {
            quoted.extend_from_slice(&bytes[copied..at]);
            quoted.extend_from_slice(&[b"\"", word, b"\""].concat());
            copied = at + word.len();
        }
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    quoted.extend_from_slice(&bytes[copied..]);
    Cow::Owned(quoted)
}

/// The bytes of no string, with their places; of a string only the quote that opens it.
fn outside_strings(bytes: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut next = 0;
    iter::from_fn(move || {
        let at = next;
        let byte = *bytes.get(at)?;
        next = if byte == b'"' { string_end(bytes, at) } else { at } + 1;
        Some((at, byte))
    })
}

/// The place of the quote that ends the string opened at `start`, or one past all bytes.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

fn not_finite_word(bytes: &[u8]) -> Option<&'static [u8]> {
    NOT_FINITE.iter().map(|(word, _)| word.as_bytes()).find(|word| bytes.starts_with(word))
}

/// Names and parameters. A pass of its own: a booster that is not `gbtree` has another shape
/// below `gradient_booster`, and its name comes after its content.
pub(super) fn learner(json: &[u8]) -> Result<Learner, XgboostError> {
    Ok(read::<File<Learner>>(json)?.learner)
}

/// The trees of a `gbtree`.
pub(super) fn model(json: &[u8]) -> Result<Model, XgboostError> {
    Ok(read::<File<Body>>(json)?.learner.gradient_booster.model)
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, XgboostError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.into_inner());
        let detail = cut(&inner.to_string());
        if inner.is_data() {
            XgboostError::Type { path: cut(&path), detail }
        } else {
            XgboostError::Damaged { detail }
        }
    })?;
    deserializer.end().map_err(|error| XgboostError::Damaged { detail: error.to_string() })?;
    Ok(read)
}

#[derive(Deserialize)]
struct File<L> {
    learner: L,
}

#[derive(Deserialize)]
pub(super) struct Learner {
    pub gradient_booster: Named,
    pub objective: Named,
    pub learner_model_param: LearnerParam,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub name: String,
}

#[derive(Deserialize)]
pub(super) struct LearnerParam {
    pub base_score: String,
    pub num_class: String,
    pub num_feature: String,
    #[serde(default = "one")]
    pub num_target: String,
}

fn one() -> String {
    "1".to_owned()
}

#[derive(Deserialize)]
struct Body {
    gradient_booster: Booster,
}

#[derive(Deserialize)]
struct Booster {
    model: Model,
}

#[derive(Deserialize)]
pub(super) struct Model {
    pub gbtree_model_param: ModelParam,
    /// `[num_trees]`, the class each tree counts for.
    pub tree_info: Vec<i32>,
    pub trees: Vec<Tree>,
}

#[derive(Deserialize)]
pub(super) struct ModelParam {
    pub num_trees: String,
}

/// Every array is `[num_nodes]`, but for `categories_nodes`, the list of the categorical splits.
/// Nodes that pruning deleted stay in the arrays, linked to by none.
#[derive(Deserialize)]
pub(super) struct Tree {
    pub tree_param: TreeParam,
    pub left_children: Vec<i32>,
    pub right_children: Vec<i32>,
    pub split_indices: Vec<u32>,
    /// The threshold of a split, the value of a leaf.
    pub split_conditions: Vec<Float>,
    pub default_left: Vec<Flag>,
    /// 1 for a categorical split; empty in files from before there were any.
    #[serde(default)]
    pub split_type: Vec<u8>,
    #[serde(default)]
    pub categories_nodes: Vec<u32>,
}

#[derive(Deserialize)]
pub(super) struct TreeParam {
    pub num_nodes: String,
    pub size_leaf_vector: String,
}

#[derive(Clone, Copy)]
pub(super) struct Float(pub f32);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FloatVisitor)
    }
}

struct FloatVisitor;

impl Visitor<'_> for FloatVisitor {
    type Value = Float;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Float, E> {
        Ok(Float(value as f32))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Float, E> {
        Ok(Float(value as f32))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Float, E> {
        Ok(Float(value as f32))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Float, E> {
        let number = NOT_FINITE.into_iter().find(|&(word, _)| word == text);
        number.map(|(_, number)| Float(number)).ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))
    }
}

/// Written as 0 and 1, by older versions as false and true.
#[derive(Clone, Copy)]
pub(super) struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0, 1, false or true")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Flag, E> {
        match value {
            0 => Ok(Flag(false)),
            1 => Ok(Flag(true)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{changed, check_refusals, error};
    use super::*;

    #[test]
    fn words_for_no_number_are_quoted_outside_strings_only() {
        let cases = [
            (r#"{"a":[1,-2.5]}"#, r#"{"a":[1,-2.5]}"#),
            ("[NaN,-Infinity,Infinity]", r#"["NaN","-Infinity","Infinity"]"#),
            (r#"["NaN","\"NaN",NaN]"#, r#"["NaN","\"NaN","NaN"]"#),
            (r#"NaN,"\\",NaN"#, r#""NaN","\\","NaN""#),
            (r#"NaN"NaN"#, r#""NaN""NaN"#),
            (r#"NaN"\"#, r#""NaN""\"#),
        ];
        for (text, want) in cases {
            assert_eq!(quote_not_finite(text.as_bytes()), want.as_bytes(), "{text}");
        }
    }

    #[test]
    fn brackets_without_end_are_an_error_and_no_stack_overflow() {
        for (open, n) in
            [("[", 1_000_000), ("{\"learner\":", 1_000_000), ("{\"learner\":{\"attributes\":[", 500_000)]
        {
            assert!(matches!(
                learner(open.repeat(n).as_bytes()),
                Err(XgboostError::Damaged { .. } | XgboostError::Type { .. })
            ));
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
        let ubjson = "this looks like UBJSON, not JSON; save the model with save_model(\"model.json\")";
        let cases: [(&[u8], &str); 8] = [
            (b"", "this is not JSON: it is empty"),
            (b"{L\0\0\0\0\0\0\0\x07learner{", ubjson),
            (b"binf\0\0\0", "this is not JSON: it starts with byte 0x62, not with {; save"),
            (b"[1, 2]", "this is not JSON: it starts with byte 0x5b"),
            (b"{}", "missing field `learner`"),
            (b"{\"learner\xff", "damaged JSON"),
            (b"{\"learner", "damaged JSON: EOF"),
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
