//! XGBoost's JSON → JSON that a reader of JSON takes: the words that stand for no number get quotes.

use std::borrow::Cow;
use std::iter;

use super::parts::NOT_FINITE;

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

#[cfg(test)]
mod tests {
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
}
