//! One cell → the same cell in either format.
//! Knows nothing of records.

use std::borrow::Cow;

use serde_json::Value;

use super::{Format, spell};

/// A cell as it is spelled: CSV between two commas, or a JSON value that is no array and no object.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    raw: &'a str,
    format: Format,
}

/// How cells are spelled for whoever reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    Csv,
    /// JSON values.
    Json,
    /// JSON strings, numbers too.
    JsonText,
}

impl From<Format> for Spelling {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::JsonLines => Self::Json,
        }
    }
}

impl<'a> Cell<'a> {
    pub(super) fn new(raw: &'a str, format: Format) -> Self {
        Self { raw, format }
    }

    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// What the cell says, quotes and escapes undone; `null` says nothing.
    pub fn text(self) -> Cow<'a, str> {
        match (self.quoted(), self.format) {
            (Some(inner), Format::Csv) if inner.contains('"') => inner.replace("\"\"", "\"").into(),
            (Some(inner), Format::JsonLines) if inner.contains('\\') => serde_json::from_str::<String>(self.raw)
                .expect("a table's strings are JSON. This is a bug.")
                .into(),
            (Some(inner), _) => inner.into(),
            (None, Format::JsonLines) if self.raw == "null" => "".into(),
            (None, _) => self.raw.into(),
        }
    }

    /// Whether it may be read as a text: a string, or `null`. What CSV has may be anything.
    pub fn is_text(self) -> bool {
        self.format == Format::Csv || self.quoted().is_some() || self.raw == "null"
    }

    /// In quotes, in its own format.
    pub(super) fn string(self) -> Cow<'a, str> {
        match (self.quoted(), self.format) {
            (Some(_), _) => self.raw.into(),
            (None, Format::Csv) => format!("\"{}\"", self.raw.replace('"', "\"\"")).into(),
            (None, Format::JsonLines) => json_string(&self.text()).into(),
        }
    }

    /// Appends the cell: as it is spelled in its own format, and in the other one so that it means the same.
    pub fn write(self, target: Format, out: &mut Vec<u8>) {
        out.extend_from_slice(self.spelling(target).as_bytes());
    }

    pub fn spell(self, spelling: Spelling, out: &mut Vec<u8>) {
        match spelling {
            Spelling::Csv => self.write(Format::Csv, out),
            Spelling::Json => self.write(Format::JsonLines, out),
            Spelling::JsonText => out.extend_from_slice(self.json_text().as_bytes()),
        }
    }

    fn json_text(self) -> Cow<'a, str> {
        match (self.quoted(), self.format) {
            (Some(_), Format::JsonLines) => self.raw.into(),
            (None, Format::Csv) => json_string(self.raw.trim_matches(BLANKS)).into(),
            _ => json_string(&self.text()).into(),
        }
    }

    /// What stands between the quotes, if the cell begins with one.
    fn quoted(self) -> Option<&'a str> {
        self.raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
    }

    fn spelling(self, target: Format) -> Cow<'a, str> {
        match (self.format, target) {
            (Format::Csv, Format::JsonLines) if self.quoted().is_some() => json_string(&self.text()).into(),
            (Format::Csv, Format::JsonLines) => json_value(self.raw.trim_matches(BLANKS)),
            (Format::JsonLines, Format::Csv) if self.quoted().is_some() => csv_text(self.text()),
            (Format::JsonLines, Format::Csv) => self.text(),
            (Format::Csv, Format::Csv) | (Format::JsonLines, Format::JsonLines) => self.raw.into(),
        }
    }
}

/// What may stand around an unquoted cell without a meaning.
pub(super) const BLANKS: [char; 2] = [' ', '\t'];

pub(super) fn csv_text(text: Cow<str>) -> Cow<str> {
    let has_edge = text.is_empty() || text.starts_with(BLANKS) || text.ends_with(BLANKS);
    // At the beginning of a payload it would be a byte order mark.
    if has_edge || text.starts_with('\u{feff}') || text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\"")).into();
    }
    text
}

/// The JSON value that an unquoted CSV cell stands for.
fn json_value(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return "null".into();
    }
    // serde_json reads exactly the numbers of JSON that are finite float64.
    if serde_json::from_str::<f64>(text).is_ok() {
        return text.into();
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && !has_leading_zero(text) => spell(number).into(),
        _ => json_string(text).into(),
    }
}

/// `007` is a code, not a number: as a number it would lose its zeros.
fn has_leading_zero(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']).as_bytes();
    matches!(digits, [b'0', b'0'..=b'9', ..])
}

/// Appends a part of a text, as it stands between the quotes of a cell that is spelled so.
pub fn spell_part(part: &str, spelling: Spelling, out: &mut Vec<u8>) {
    match spelling {
        Spelling::Csv if part.contains('"') => out.extend_from_slice(part.replace('"', "\"\"").as_bytes()),
        Spelling::Csv => out.extend_from_slice(part.as_bytes()),
        Spelling::Json | Spelling::JsonText => {
            let quoted = json_string(part);
            out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
        }
    }
}

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{Csv, JsonLines};

    fn written(raw: &str, format: Format, target: Format) -> String {
        let mut out = Vec::new();
        Cell::new(raw, format).write(target, &mut out);
        String::from_utf8(out).expect("is text")
    }

    #[test]
    fn own_format_is_copied() {
        for raw in ["\"a \"\"b\"\"\"", " 1.50 ", "", "007", "\"\""] {
            assert_eq!(written(raw, Csv, Csv), raw);
        }
        for raw in ["\"\\u00e9\\/\"", "1e5", "null", "true"] {
            assert_eq!(written(raw, JsonLines, JsonLines), raw);
        }
    }

    #[test]
    fn csv_becomes_json() {
        for (csv, json) in [
            ("1.50", "1.50"),
            (" 1e5\t", "1e5"),
            ("-0", "-0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("+5", "5.0"),
            (".5", "0.5"),
            ("-1.", "-1.0"),
            ("", "null"),
            ("  ", "null"),
            ("007", "\"007\""),
            ("-007", "\"-007\""),
            ("1e999", "\"1e999\""),
            ("nan", "\"nan\""),
            ("inf", "\"inf\""),
            ("null", "\"null\""),
            ("true", "\"true\""),
            ("red car", "\"red car\""),
            ("a\"b", "\"a\\\"b\""),
            ("\"5\"", "\"5\""),
            ("\"\"", "\"\""),
            ("\" a\"\",\n\"", "\" a\\\",\\n\""),
        ] {
            assert_eq!(written(csv, Csv, JsonLines), json, "{csv:?}");
        }
    }

    #[test]
    fn json_becomes_csv() {
        for (json, csv) in [
            ("1e5", "1e5"),
            ("1.50", "1.50"),
            ("null", ""),
            ("true", "true"),
            ("\"red\"", "red"),
            ("\"5\"", "5"),
            ("\"r\\u00e9d\"", "réd"),
            ("\"\"", "\"\""),
            ("\" a\"", "\" a\""),
            ("\"a\\t\"", "\"a\t\""),
            ("\"a,b\"", "\"a,b\""),
            ("\"a\\\"b\"", "\"a\"\"b\""),
            ("\"a\\nb\"", "\"a\nb\""),
            ("\"\u{feff}a\"", "\"\u{feff}a\""),
        ] {
            assert_eq!(written(json, JsonLines, Csv), csv, "{json:?}");
        }
    }
    #[test]
    fn every_cell_can_be_a_json_string() {
        for (raw, format, expected) in [
            (" 1.50 ", Csv, "\"1.50\""),
            ("", Csv, "\"\""),
            ("\"a \"\"b\"\" \"", Csv, "\"a \\\"b\\\" \""),
            ("1e5", JsonLines, "\"1e5\""),
            ("true", JsonLines, "\"true\""),
            ("null", JsonLines, "\"\""),
            ("\"\\u00e9\\/\"", JsonLines, "\"\\u00e9\\/\""),
        ] {
            let mut out = Vec::new();
            Cell::new(raw, format).spell(Spelling::JsonText, &mut out);
            assert_eq!(String::from_utf8(out).expect("is text"), expected, "{raw:?}");
        }
    }
}
