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

#[cfg(test)]
mod tests {
    use super::super::{Granularity, split};

    #[test]
    fn a_sentence_ends_at_a_full_stop_of_any_script_but_not_at_an_ellipsis_or_an_abbreviation() {
        for (code, text, expected) in [
            ("en", "One. Two! Three? Four", "One.¦Two!¦Three?¦Four"),
            ("en", "Wait... what?! \"Yes.\" (No!) Ok..then", "Wait... what?! \"¦Yes.\" (¦No!)¦Ok..then"),
            (
                "en",
                "Mr. Smith went to the U.S. in Jan. 5 p.m. it was.",
                "Mr. Smith went to the U.S. in Jan. 5 p.m. it was.",
            ),
            ("en", "!Hi there!! \n\n bye.", "!¦Hi there!!¦bye."),
            ("en", "a.b. c", "a.b.¦c"),
            ("en", ". . .", ". . ."),
            ("hi", "यह है। वह है॥ क्या?", "यह है।¦वह है॥ क्या?"),
            ("ar", "مرحبا؟ نعم. لا۔", "مرحبا؟¦نعم.¦لا۔"),
            ("zh", "我爱北京。你好！真的？对", "我爱北京。¦你好！¦真的？¦对"),
            ("en", "Ends here.Then", "Ends here.¦Then"),
            ("en", "Hm…ok. fine!) and", "Hm…ok.¦fine!)¦and"),
        ] {
            let sentences = split(text, Granularity::Sentence, code);
            let texts: Vec<_> = sentences.iter().map(|sentence| sentence.partial_text(text)).collect();
            assert_eq!(texts.join("¦"), expected);
        }
    }
}
