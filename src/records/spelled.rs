//! A JSON text → its parts, each in its own spelling. They are found when they are asked for; nothing is kept.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::Format;
use super::cell::csv_text;

/// What may stand between the parts of a JSON text.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// One value of a text that is JSON, however deep it nests; its strings may still hold halves of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelled<'a>(&'a str);

impl<'a> Spelled<'a> {
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<IgnoredAny>(text)?;
        Ok(Self(text.trim_matches(BLANKS)))
    }

    pub fn raw(self) -> &'a str {
        self.0
    }

    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub fn kind(self) -> &'static str {
        match self.0.as_bytes()[0] {
            b'[' => "an array",
            b'{' => "an object",
            b'"' => "a string",
            b'n' => "null",
            b't' | b'f' => "true or false",
            _ => "a number",
        }
    }

    /// Of an array.
    pub fn elements(self) -> Option<Parts<'a>> {
        self.is_array().then(|| self.parts())
    }

    /// Keys and values of an object, in its own order.
    pub fn members(self) -> Option<impl Iterator<Item = (Self, Self)>> {
        let mut parts = self.0.starts_with('{').then(|| self.parts())?;
        Some(std::iter::from_fn(move || parts.next().zip(parts.next())))
    }

    /// Of several members with this name the last one, as most readers have it.
    pub fn member(self, name: &str) -> Option<Self> {
        let is_named = |key: &Self| key.string().is_ok_and(|key| key == name);
        self.members()?.filter(|(key, _)| is_named(key)).last().map(|(_, value)| value)
    }

    /// What a string says; an error for what is none, or holds half a character.
    pub fn string(self) -> Result<String, serde_json::Error> {
        serde_json::from_str(self.0)
    }

    /// Appends the value to a line: JSON as it is, or one CSV cell. `null` is an empty cell, an array or an object its
    /// JSON.
    pub fn write(self, format: Format, line: &mut String) -> Result<(), serde_json::Error> {
        let cell = match (format, self.0.as_bytes()[0]) {
            (Format::JsonLines, _) => self.in_one_line(),
            (Format::Csv, b'"') => csv_text(self.string()?.into()),
            (Format::Csv, b'[' | b'{') => csv_text(self.in_one_line()),
            (Format::Csv, b'n') => "".into(),
            (Format::Csv, _) => self.0.into(),
        };
        line.push_str(&cell);
        Ok(())
    }

    /// Strings hold no line breaks as such, so that these are blanks.
    fn in_one_line(self) -> Cow<'a, str> {
        const BREAKS: [char; 2] = ['\r', '\n'];
        if self.0.contains(BREAKS) { self.0.replace(BREAKS, "").into() } else { self.0.into() }
    }

    fn parts(self) -> Parts<'a> {
        Parts { rest: &self.0[1..self.0.len() - 1] }
    }
}

/// The values between two brackets; keys are values, too.
#[derive(Clone)]
pub struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Spelled<'a>;

    fn next(&mut self) -> Option<Spelled<'a>> {
        let is_between = |c: char| BLANKS.contains(&c) || matches!(c, ',' | ':');
        let rest = self.rest.trim_start_matches(is_between);
        if rest.is_empty() {
            self.rest = rest;
            return None;
        }
        let (part, rest) = rest.split_at(n_bytes(rest.as_bytes()));
        self.rest = rest;
        Some(Spelled(part))
    }
}

/// Of the value that the text begins with.
fn n_bytes(text: &[u8]) -> usize {
    match text[0] {
        b'"' => n_string_bytes(text),
        b'[' | b'{' => n_nested_bytes(text),
        _ => text.iter().position(|byte| b" \t\r\n,".contains(byte)).unwrap_or(text.len()),
    }
}

fn n_string_bytes(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += found + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        // What an escape names closes nothing.
        at += 1;
    }
    panic!("a string of JSON is closed. This is a bug.")
}

fn n_nested_bytes(text: &[u8]) -> usize {
    let (mut at, mut n_levels) = (0, 0);
    loop {
        match text[at] {
            b'"' => at += n_string_bytes(&text[at..]) - 1,
            b'[' | b'{' => n_levels += 1,
            b']' | b'}' => n_levels -= 1,
            _ => {}
        }
        at += 1;
        if n_levels == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raws<'a>(parts: impl Iterator<Item = Spelled<'a>>) -> Vec<&'a str> {
        parts.map(Spelled::raw).collect()
    }

    #[test]
    fn parts_keep_their_spelling_and_their_order() {
        for (text, expected) in [
            ("[]", vec![]),
            (" [ ] ", vec![]),
            ("[1.50 ,-0,1E5]\n", vec!["1.50", "-0", "1E5"]),
            ("[\"a,\\\"]\",\"\\\\\" , \"é\"]", vec!["\"a,\\\"]\"", "\"\\\\\"", "\"é\""]),
            ("[[1,[2]],{\"a]\":[3]} ,null]", vec!["[1,[2]]", "{\"a]\":[3]}", "null"]),
        ] {
            let value = Spelled::read(text).expect(text);
            assert_eq!(raws(value.elements().expect("is an array")), expected);
            assert!(value.members().is_none());
        }
        let object = Spelled::read("{\"b\" : [1, 2],\"a\":\"x:y\", \"\\u0063\":{}}").expect("is JSON");
        let members = object.members().expect("is an object");
        let members: Vec<(&str, &str)> = members.map(|(key, value)| (key.raw(), value.raw())).collect();
        assert_eq!(members, [("\"b\"", "[1, 2]"), ("\"a\"", "\"x:y\""), ("\"\\u0063\"", "{}")]);
        assert_eq!(object.member("c").map(Spelled::raw), Some("{}"));
        assert_eq!((object.member("d"), object.elements().is_none()), (None, true));
    }

    #[test]
    fn the_last_member_of_a_name_counts() {
        let object = Spelled::read("{\"a\":1,\"\\u0061\":2}").expect("is JSON");
        assert_eq!(object.member("a").map(Spelled::raw), Some("2"));
    }

    #[test]
    fn what_is_no_json_is_refused_however_deep_it_nests() {
        for text in ["", "[1", "[NaN]", "[1,]", "[01]", "{a:1}", "[1] 2", "[\"\n\"]", "[\"\\x\"]"] {
            assert!(Spelled::read(text).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let mut value = Spelled::read(&deep).expect("is JSON");
        (1..10).for_each(|_| value = value.elements().and_then(|mut parts| parts.next()).expect("nests"));
        assert_eq!(value.raw().len(), deep.len() - 18);
    }

    #[test]
    fn values_become_lines_of_json_and_cells_of_csv() {
        for (text, json, csv) in [
            ("0.50", "0.50", "0.50"),
            ("true", "true", "true"),
            ("null", "null", ""),
            ("\"red\"", "\"red\"", "red"),
            ("\"\\u0072,d\\n\"", "\"\\u0072,d\\n\"", "\"r,d\n\""),
            ("\"\"", "\"\"", "\"\""),
            ("[1,\r\n \"a\"]", "[1, \"a\"]", "\"[1, \"\"a\"\"]\""),
            ("{\"a\":\n1}", "{\"a\":1}", "\"{\"\"a\"\":1}\""),
        ] {
            let written = |format| {
                let mut line = String::new();
                Spelled::read(text).expect(text).write(format, &mut line).map(|()| line).map_err(|e| e.to_string())
            };
            assert_eq!(written(Format::JsonLines).as_deref(), Ok(json));
            assert_eq!(written(Format::Csv).as_deref(), Ok(csv));
        }
        let half = Spelled::read("\"\\ud800\"").expect("reads");
        assert!(half.write(Format::Csv, &mut String::new()).is_err());
    }
}
