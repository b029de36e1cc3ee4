//! The tokens of a text → its sentences. A sentence ends at a token that is one full stop, exclamation or question
//! mark of any script; further marks, quotes and brackets go with it. An ellipsis or an abbreviation ends none.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::characters::{self, pattern};

static END: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[\p{sb=ATerm}\p{sb=STerm}]$"));

/// White space around a sentence is not part of it, and white space alone is no sentence.
pub fn split(text: &str, tokens: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = tokens.first().map(|token| token.start).into_iter().collect();
    let mut has_ended = false;
    for token in tokens {
        let word = &text[token.clone()];
        let is_end = END.is_match(word);
        if has_ended && !is_end && !characters::is_punctuation(word) {
            starts.push(token.start);
            has_ended = false;
        }
        has_ended |= is_end;
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let spans = starts.iter().zip(ends).map(|(&start, end)| super::trimmed(text, start..end));
    spans.filter(|span| !span.is_empty()).collect()
}
