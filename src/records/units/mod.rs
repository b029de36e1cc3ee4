//! A text → its units: tokens, sentences or paragraphs, each with its place.
//! Units and the white space between them are the text. Knows nothing of games, models or records.

mod addresses;
mod affixes;
mod characters;
mod infixes;
mod languages;
#[cfg(test)]
mod laws;
mod paragraphs;
mod sentences;
mod specials;
mod tokens;

use std::ops::Range;

use languages::Language;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    Token,
    Sentence,
    Paragraph,
}

/// A piece of a text that is present or absent as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it stands in the text. White space at its ends is no part of it, unless it is white space as a whole.
    pub bytes: Range<usize>,
    /// Code points of the text in front of it.
    pub start_idx: usize,
}

impl Unit {
    /// The unit without white space around it; empty for a unit of white space.
    pub fn partial_text<'t>(&self, text: &'t str) -> &'t str {
        characters::trim(&text[self.bytes.clone()])
    }
}

/// Whether there is nothing but white space, which is a token beside others and says nothing on its own.
pub fn is_blank(text: &str) -> bool {
    characters::trim(text).is_empty()
}

/// Cuts a text in time linear in its length. `language` is a code of the service's list; those without rules of
/// their own, `xx` among them, go by the rules that all languages share.
pub fn split(text: &str, granularity: Granularity, language: &str) -> Vec<Unit> {
    let tokens = || tokens::split(text, Language::of(language));
    let ranges = match granularity {
        Granularity::Token => tokens(),
        Granularity::Sentence => sentences::split(text, &tokens()),
        Granularity::Paragraph => paragraphs::split(text),
    };
    located(text, ranges)
}

fn located(text: &str, ranges: Vec<Range<usize>>) -> Vec<Unit> {
    let (mut byte, mut start_idx) = (0, 0);
    let locate = |bytes: Range<usize>| {
        start_idx += text[byte..bytes.start].chars().count();
        byte = bytes.start;
        Unit { bytes, start_idx }
    };
    ranges.into_iter().map(locate).collect()
}

/// The part of a range without white space around it.
fn trimmed(text: &str, bytes: Range<usize>) -> Range<usize> {
    let piece = &text[bytes.clone()];
    let start = bytes.start + piece.len() - characters::trim_start(piece).len();
    start..start + characters::trim(piece).len()
}
