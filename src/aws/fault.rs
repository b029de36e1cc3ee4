//! What is wrong with a definition: all of it, in AWS's words. Knows no member of any definition.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;

use serde_json::Value;

/// Characters of a value or a name in a fault.
const SHOWN_CHARS_MAX: usize = 80;
/// Faults that are told; more are only counted.
const TOLD_MAX: usize = 100;

/// The faults of one definition, in the order of its members.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    told: Vec<String>,
    n_faults: usize,
}

impl Faults {
    pub fn push(&mut self, path: &str, value: &Value, constraint: impl Display) {
        self.n_faults += 1;
        if self.told.len() < TOLD_MAX {
            let value = quoted(value);
            self.told.push(format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}"));
        }
    }

    /// Whether `length` is within `allowed`.
    pub fn check_length(
        &mut self,
        path: &str,
        value: &Value,
        length: usize,
        allowed: &RangeInclusive<usize>,
    ) -> bool {
        if let Some(constraint) = length_fault(length, allowed) {
            self.push(path, value, constraint);
        }
        allowed.contains(&length)
    }

    pub fn is_empty(&self) -> bool {
        self.n_faults == 0
    }
}

/// What is wrong with a length that is not `allowed`.
pub fn length_fault(length: usize, allowed: &RangeInclusive<usize>) -> Option<String> {
    if length < *allowed.start() {
        Some(format!("Member must have length greater than or equal to {}", allowed.start()))
    } else if length > *allowed.end() {
        Some(format!("Member must have length less than or equal to {}", allowed.end()))
    } else {
        None
    }
}

impl Display for Faults {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let errors = if self.n_faults == 1 { "error" } else { "errors" };
        write!(f, "{} validation {errors} detected: {}", self.n_faults, self.told.join("; "))?;
        match self.n_faults - self.told.len() {
            0 => Ok(()),
            n_more => write!(f, "; and {n_more} more"),
        }
    }
}

impl std::error::Error for Faults {}

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("'{}'", shown(without_secrets(text).as_ref())),
        other => format!("'{}'", shown(&other.to_string())),
    }
}

/// Of a URL only the place: what stands before an `@` or behind a `?` may be a secret.
fn without_secrets(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{scheme}://{place}").into()
}

/// The beginning of a caller's text, on one line.
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (n_shown, c) in text.chars().enumerate() {
        match c {
            _ if n_shown == SHOWN_CHARS_MAX => return shown + "...",
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_counted_and_told_with_place_value_and_constraint() {
        let mut faults = Faults::default();
        faults.push("a", &Value::Null, "Member must not be null");
        let one =
            "1 validation error detected: Value null at 'a' failed to satisfy constraint: Member must not be null";
        assert_eq!(faults.to_string(), one);
        faults.push("b.1.member", &json!([1, "x"]), "C");
        let two = one.replacen("1 validation error", "2 validation errors", 1)
            + "; Value '[1,\"x\"]' at 'b.1.member' failed to satisfy constraint: C";
        assert_eq!(faults.to_string(), two);
    }

    #[test]
    fn what_is_told_has_a_limit() {
        let mut faults = Faults::default();
        for _ in 0..TOLD_MAX + 7 {
            faults.push("a", &Value::Null, "C");
        }
        let text = faults.to_string();
        assert!(text.starts_with("107 validation errors detected: "), "{text}");
        assert!(text.ends_with("; and 7 more"), "{text}");
    }

    #[test]
    fn callers_texts_are_cut_and_stay_on_one_line() {
        for (text, expected) in [
            ("", String::new()),
            ("é\n\u{1b}[1m", "é\\n\\u{1b}[1m".to_owned()),
            (&"ü".repeat(80), "ü".repeat(80)),
            (&"ü".repeat(81), "ü".repeat(80) + "..."),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
