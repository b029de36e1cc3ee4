//! One JSON value → the tree that expressions see, and how each leaf of it was spelled.
//! Strict where readers differ: keys twice, lone surrogates and numbers outside float64 are errors.

use std::collections::BTreeMap;

use jmespath::Variable;
use serde_json::Number;

use super::payload::PayloadError;
use super::{Json, shorten};

/// Arrays and objects around a value, itself counted.
const LEVELS_MAX: usize = 64;

/// Values in one record: elements, members and the record itself. Each takes some 100 bytes while it is read.
const VALUES_MAX: usize = 262_144;

/// Bytes count from 1 and from the record's beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("byte {byte}: the record ends too early")]
    EndsEarly { byte: usize },
    #[error("byte {byte}: {text:?} is not what JSON has here")]
    Unexpected { byte: usize, text: String },
    #[error("byte {byte}: the number {text} is outside the range of float64")]
    OutOfRange { byte: usize, text: String },
    #[error("byte {byte}: the string is not JSON: {reason}")]
    String { byte: usize, reason: String },
    #[error("byte {byte}: the key {key:?} is there twice")]
    KeyTwice { byte: usize, key: String },
    #[error("byte {byte}: the limit of {limit} levels of arrays and objects is passed")]
    TooDeep { byte: usize, limit: usize },
    #[error("byte {byte}: the limit of {limit} values in a record is passed")]
    TooManyValues { byte: usize, limit: usize },
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) root: Json,
    /// Sorted by the leaves' allocations, which expressions pass on.
    spellings: Vec<(*const Variable, &'a str)>,
}

impl<'a> Tree<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, JsonError> {
        let mut reader = Reader { text, at: 0, n_levels: 0, n_values: 0, spellings: Vec::new() };
        let root = reader.value()?;
        reader.skip_blanks();
        if !reader.rest().is_empty() {
            return Err(reader.unexpected());
        }
        let mut spellings = reader.spellings;
        spellings.sort_unstable_by_key(|(leaf, _)| *leaf);
        Ok(Self { root, spellings })
    }

    /// None for arrays, objects and what is no part of this tree.
    pub(super) fn spelling(&self, part: &Json) -> Option<&'a str> {
        let idx = self.spellings.binary_search_by_key(&Json::as_ptr(part), |(leaf, _)| *leaf).ok()?;
        Some(self.spellings[idx].1)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    n_levels: usize,
    n_values: usize,
    spellings: Vec<(*const Variable, &'a str)>,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Json, JsonError> {
        self.n_values += 1;
        if self.n_values > VALUES_MAX {
            return Err(JsonError::TooManyValues { byte: self.byte(), limit: VALUES_MAX });
        }
        self.skip_blanks();
        match self.rest().first() {
            Some(b'[') => self.nested(Self::array),
            Some(b'{') => self.nested(Self::object),
            Some(b'"') => {
                let (token, string) = self.string()?;
                Ok(self.leaf(token, Variable::String(string)))
            }
            Some(_) => self.word(),
            None => Err(self.unexpected()),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Variable, JsonError>) -> Result<Json, JsonError> {
        if self.n_levels == LEVELS_MAX {
            return Err(JsonError::TooDeep { byte: self.byte(), limit: LEVELS_MAX });
        }
        self.n_levels += 1;
        self.at += 1;
        let variable = read(self)?;
        self.n_levels -= 1;
        Ok(Json::new(variable))
    }

    fn array(&mut self) -> Result<Variable, JsonError> {
        let mut elements = Vec::new();
        if !self.takes(b']') {
            elements.push(self.value()?);
            while !self.takes(b']') {
                self.expect(b',')?;
                elements.push(self.value()?);
            }
        }
        Ok(Variable::Array(elements))
    }

    fn object(&mut self) -> Result<Variable, JsonError> {
        let mut members = BTreeMap::new();
        if !self.takes(b'}') {
            self.member(&mut members)?;
            while !self.takes(b'}') {
                self.expect(b',')?;
                self.member(&mut members)?;
            }
        }
        Ok(Variable::Object(members))
    }

    fn member(&mut self, members: &mut BTreeMap<String, Json>) -> Result<(), JsonError> {
        self.skip_blanks();
        let byte = self.byte();
        let (_, key) = self.string()?;
        self.expect(b':')?;
        let value = self.value()?;
        if members.contains_key(&key) {
            return Err(JsonError::KeyTwice { byte, key: shorten(&key) });
        }
        members.insert(key, value);
        Ok(())
    }

    /// The token with its quotes, and the string it spells.
    fn string(&mut self) -> Result<(&'a str, String), JsonError> {
        let (start, byte) = (self.at, self.byte());
        self.expect(b'"')?;
        while let Some(found) = memchr::memchr2(b'"', b'\\', self.rest()) {
            self.at += found + 1;
            if self.text.as_bytes()[self.at - 1] == b'"' {
                let token = &self.text[start..self.at];
                return decode(token, byte).map(|string| (token, string));
            }
            // What an escape names, a quote perhaps, closes nothing.
            self.at = (self.at + 1).min(self.text.len());
        }
        Err(JsonError::EndsEarly { byte: self.text.len() + 1 })
    }

    /// A number, or one of the three names.
    fn word(&mut self) -> Result<Json, JsonError> {
        let is_end = |byte: &u8| b" \t\r\n,:[]{}\"".contains(byte);
        let rest = &self.text[self.at..];
        let token = &rest[..rest.bytes().position(|byte| is_end(&byte)).unwrap_or(rest.len())];
        let variable = match token {
            "" => return Err(self.unexpected()),
            "null" => Variable::Null,
            "true" => Variable::Bool(true),
            "false" => Variable::Bool(false),
            _ => Variable::Number(self.number(token)?),
        };
        self.at += token.len();
        Ok(self.leaf(token, variable))
    }

    fn number(&self, token: &str) -> Result<Number, JsonError> {
        let is_too_large =
            || token.ends_with(|c: char| c.is_ascii_digit()) && token.parse().is_ok_and(f64::is_infinite);
        serde_json::from_str(token).map_err(|_| match token {
            _ if is_too_large() => JsonError::OutOfRange { byte: self.byte(), text: shorten(token) },
            _ => JsonError::Unexpected { byte: self.byte(), text: shorten(token) },
        })
    }

    fn leaf(&mut self, token: &'a str, variable: Variable) -> Json {
        let leaf = Json::new(variable);
        self.spellings.push((Json::as_ptr(&leaf), token));
        leaf
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        self.takes(byte).then_some(()).ok_or_else(|| self.unexpected())
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let takes = self.rest().first() == Some(&byte);
        self.at += usize::from(takes);
        takes
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn byte(&self) -> usize {
        self.at + 1
    }

    fn unexpected(&self) -> JsonError {
        match self.text[self.at..].chars().next() {
            Some(next) => JsonError::Unexpected { byte: self.byte(), text: next.to_string() },
            None => JsonError::EndsEarly { byte: self.byte() },
        }
    }
}

fn decode(token: &str, byte: usize) -> Result<String, JsonError> {
    let string: String = serde_json::from_str(token).map_err(|error| {
        let reason = error.to_string();
        // The place that serde_json names is counted from the token.
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        JsonError::String { byte, reason }
    })?;
    match string.contains('\0') {
        true => Err(PayloadError::Nul.into()),
        false => Ok(string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_keeps_its_spelling() {
        let tree = Tree::read(" {\"a\" : [1.50 ,\"\\u0061\\\"\"], \"b\":-0}").expect("reads");
        assert_eq!(tree.root.to_string(), r#"{"a":[1.5,"a\""],"b":-0.0}"#);
        let a = tree.root.get_field("a");
        assert_eq!(tree.spelling(&a.get_index(0)), Some("1.50"));
        assert_eq!(tree.spelling(&a.get_index(1)), Some(r#""\u0061\"""#));
        assert_eq!(tree.spelling(&tree.root.get_field("b")), Some("-0"));
        assert_eq!(tree.spelling(&a), None);
    }

    #[test]
    fn what_is_refused_is_named() {
        for (text, expected) in [
            ("", "byte 1: the record ends too early"),
            ("[1", "byte 3: the record ends too early"),
            ("{\"a\"", "byte 5: the record ends too early"),
            ("[\"a\\", "byte 5: the record ends too early"),
            ("[1] 2", "byte 5: \"2\" is not what JSON has here"),
            ("[1,]", "byte 4: \"]\" is not what JSON has here"),
            ("{a:1}", "byte 2: \"a\" is not what JSON has here"),
            ("[NaN]", "byte 2: \"NaN\" is not what JSON has here"),
            ("[-Infinity]", "byte 2: \"-Infinity\" is not what JSON has here"),
            ("[01]", "byte 2: \"01\" is not what JSON has here"),
            ("[1,é]", "byte 4: \"é\" is not what JSON has here"),
            ("[1e999]", "byte 2: the number 1e999 is outside the range of float64"),
            ("[-1e999]", "byte 2: the number -1e999 is outside the range of float64"),
            ("{\"a\":1, \"\\u0061\":2}", "byte 9: the key \"a\" is there twice"),
            ("[\"\\ud800\"]", "byte 2: the string is not JSON: unexpected end of hex escape"),
            ("[\"\\ud800\\u0061\"]", "byte 2: the string is not JSON: lone leading surrogate in hex escape"),
            ("[\"\\x\"]", "byte 2: the string is not JSON: invalid escape"),
            (
                "[\"\t\"]",
                "byte 2: the string is not JSON: control character (\\u0000-\\u001F) found while parsing a string",
            ),
            ("[\"\\u0000\"]", "the text has a NUL character"),
        ] {
            assert_eq!(Tree::read(text).expect_err(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn levels_and_values_are_limited() {
        let nested = |n_levels| "[".repeat(n_levels) + &"]".repeat(n_levels);
        assert!(Tree::read(&nested(64)).is_ok());
        let error = Tree::read(&nested(65)).expect_err("is too deep");
        assert_eq!(error.to_string(), "byte 65: the limit of 64 levels of arrays and objects is passed");
        let wide = |n_elements: usize| format!("[0{}]", ",0".repeat(n_elements - 1));
        assert!(Tree::read(&wide(262_143)).is_ok());
        let error = Tree::read(&wide(262_144)).expect_err("is too wide");
        assert!(error.to_string().ends_with("the limit of 262144 values in a record is passed"), "{error}");
    }
}
