//! A text → its paragraphs: what stands between blank lines.

use std::ops::Range;

use super::characters::trim;

/// A line that is blank ends a paragraph; white space around a paragraph is not part of it.
pub fn split(text: &str) -> Vec<Range<usize>> {
    let mut paragraphs: Vec<Range<usize>> = Vec::new();
    let (mut byte, mut goes_on) = (0, false);
    for line in text.split_inclusive(ends_line) {
        let words = super::trimmed(text, byte..byte + line.len());
        // Between the two characters of CR LF there is no line.
        let is_blank = trim(line).is_empty() && !(line == "\n" && text[..byte].ends_with('\r'));
        byte += line.len();
        match paragraphs.last_mut() {
            _ if words.is_empty() => goes_on &= !is_blank,
            Some(paragraph) if goes_on => paragraph.end = words.end,
            _ => {
                paragraphs.push(words);
                goes_on = true;
            }
        }
    }
    paragraphs
}

fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraphs(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|bytes| &text[bytes]).collect()
    }

    #[test]
    fn blank_lines_part_paragraphs() {
        for (text, expected) in [
            ("", vec![]),
            (" \n\t\n", vec![]),
            ("one", vec!["one"]),
            ("one\ntwo", vec!["one\ntwo"]),
            ("one\r\ntwo", vec!["one\r\ntwo"]),
            ("one\n\ntwo", vec!["one", "two"]),
            ("one\r\n\r\ntwo\r\n", vec!["one", "two"]),
            ("one\r\rtwo", vec!["one", "two"]),
            ("\n\n  one  \n \t \n\n two\nthree \n", vec!["one", "two\nthree"]),
            ("one\u{2029}\u{2029}two", vec!["one", "two"]),
        ] {
            assert_eq!(paragraphs(text), expected, "{text:?}");
        }
    }
}
