//! A text → its tokens, as ONNX Runtime's Tokenizer cuts it: matches of an expression, each the longest at its place, one
//! behind the other.

use regex_automata::Anchored;
use regex_automata::dfa::Automaton;
use regex_automata::dfa::dense::DFA;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;

use super::expression::{ExpressionError, compile};

/// Steps through the table of states for each byte of a text, where places are looked at again and again.
pub(in crate::model) const STEPS_PER_BYTE_MAX: usize = 64;

#[derive(Debug)]
pub(in crate::model::embedded) struct Tokenizer {
    kind: Kind,
    /// Shorter matches are no tokens.
    chars_min: usize,
}

#[derive(Debug)]
enum Kind {
    /// Each character is a token.
    Characters,
    Matches(Box<Matches>),
}

#[derive(Debug)]
struct Matches {
    states: DFA<Vec<u32>>,
    /// `[257]`, the state to begin in, by the byte before the place; the last one at the beginning of a text.
    starts: Vec<StateID>,
    /// `[256]`, whether a match can begin with a byte.
    begins: Vec<bool>,
}

/// A text has places that were looked at too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManySteps;

impl Tokenizer {
    /// Tokens of at least `chars_min` characters.
    pub(in crate::model::embedded) fn new(expression: &str, chars_min: usize) -> Result<Self, ExpressionError> {
        // By a convention of its own a lone point also fits the end of a line.
        let kind = match expression {
            "." => Kind::Characters,
            _ => Kind::Matches(Box::new(Matches::new(compile(expression)?))),
        };
        Ok(Self { kind, chars_min })
    }

    /// Bytes of memory that it takes.
    pub(in crate::model::embedded) fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Characters => 0,
            Kind::Matches(matches) => matches.states.memory_usage(),
        }
    }

    /// Gives each token of a text, which is UTF-8.
    pub(super) fn each<'t>(&self, text: &'t [u8], mut token: impl FnMut(&'t [u8])) -> Result<(), TooManySteps> {
        match &self.kind {
            Kind::Characters if self.chars_min > 1 => {}
            Kind::Characters => text.chunk_by(|_, &next| is_inside(next)).for_each(token),
            Kind::Matches(matches) => {
                let mut steps_left = STEPS_PER_BYTE_MAX * text.len();
                let mut at = 0;
                while let Some((start, end)) = matches.next(text, at, &mut steps_left)? {
                    if self.chars_min <= 1 || n_chars(&text[start..end]) >= self.chars_min {
                        token(&text[start..end]);
                        at = end;
                    } else {
                        at = start + 1;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A byte that is not the first of its character.
fn is_inside(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn n_chars(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| !is_inside(byte)).count()
}

impl Matches {
    fn new(states: DFA<Vec<u32>>) -> Self {
        let start = |before: Option<u8>| {
            let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
            states.start_state(&config).expect("it may begin anywhere. This is a bug.")
        };
        let starts: Vec<StateID> = (0..=u8::MAX).map(Some).chain([None]).map(start).collect();
        let begins = |byte| starts.iter().any(|&state| !states.is_dead_state(states.next_state(state, byte)));
        let begins = (0..=u8::MAX).map(begins).collect();
        Self { starts, begins, states }
    }

    /// The first match that is not empty, at a place or behind it.
    fn next(
        &self,
        text: &[u8],
        mut at: usize,
        steps_left: &mut usize,
    ) -> Result<Option<(usize, usize)>, TooManySteps> {
        while let Some(found) = text[at..].iter().position(|&byte| self.begins[byte as usize]) {
            let start = at + found;
            if let Some(end) = self.longest(text, start, steps_left)?.filter(|&end| end > start) {
                return Ok(Some((start, end)));
            }
            at = start + 1;
        }
        Ok(None)
    }

    /// Where the longest match that begins at a place ends. A state says of the byte before whether it ended a match.
    fn longest(&self, text: &[u8], start: usize, steps_left: &mut usize) -> Result<Option<usize>, TooManySteps> {
        let before = start.checked_sub(1).map_or(256, |before| text[before] as usize);
        let (mut state, mut end) = (self.starts[before], None);
        for (place, &byte) in text.iter().enumerate().skip(start) {
            state = self.states.next_state(state, byte);
            if !self.states.is_special_state(state) {
                continue;
            }
            if self.states.is_match_state(state) {
                end = Some(place);
            } else if self.states.is_dead_state(state) {
                *steps_left = steps_left.checked_sub(place - start + 1).ok_or(TooManySteps)?;
                return Ok(end);
            }
        }
        *steps_left = steps_left.checked_sub(text.len() - start).ok_or(TooManySteps)?;
        let is_match = self.states.is_match_state(self.states.next_eoi_state(state));
        Ok(if is_match { Some(text.len()) } else { end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(expression: &str, chars_min: usize, text: &str) -> Vec<String> {
        let tokenizer = Tokenizer::new(expression, chars_min).expect("can be compiled");
        let mut tokens = Vec::new();
        let each = |token: &[u8]| tokens.push(String::from_utf8(token.to_vec()).expect("is text"));
        tokenizer.each(text.as_bytes(), each).expect("is in time");
        tokens
    }

    /// What onnxruntime 1.31 gives.
    #[test]
    fn tokens_are_the_longest_matches_in_words_of_re2() {
        let cases: [(&str, usize, &str, &[&str]); 17] = [
            ("a|ab|abc", 1, "ab abc", &["ab", "abc"]),
            ("a?(ab)?", 1, "abab", &["ab", "ab"]),
            ("a+?", 1, "aaa bb", &["aaa"]),
            ("[a-zA-Z0-9_]+", 1, "don't, 5 été", &["don", "t", "5", "t"]),
            (r"\w+", 1, "été 12 x", &["t", "12", "x"]),
            (r"[\pL]+", 1, "été 12 x", &["été", "x"]),
            (r"\b\w\w+\b", 1, "don't a", &["don"]),
            (r"\S+", 1, "a\u{b}b\u{a0}c d", &["a\u{b}b\u{a0}c", "d"]),
            ("[a-z]+", 2, "a bc def", &["bc", "def"]),
            (r"\pL+", 2, "été à", &["été"]),
            (".", 1, "éb\nc", &["é", "b", "\n", "c"]),
            ("..", 1, "éb\ncde", &["éb", "cd"]),
            ("[][&&a]+", 1, "a[&]b", &["a[&]"]),
            (r"\<[a-z]+\>", 1, "ab <cd> <e f>", &["<cd>"]),
            (r"[\<a]+", 1, "ab <a", &["a", "<a"]),
            (r"[\]\-\^\_]+|\.\{\}", 1, "a-]b^_.{}", &["-]", "^_", ".{}"]),
            ("[a-z]*", 1, "", &[]),
        ];
        for (expression, chars_min, text, expected) in cases {
            assert_eq!(cut(expression, chars_min, text), expected, "{expression}");
        }
    }

    #[test]
    fn an_expression_that_looks_ahead_again_and_again_is_stopped() {
        let tokenizer = Tokenizer::new("a|a.*b", 1).expect("can be compiled");
        assert_eq!(tokenizer.each(&b"a".repeat(1000), |_| {}), Err(TooManySteps));
        let mut n_tokens = 0;
        assert_eq!(tokenizer.each(&b"a ".repeat(30), |_| n_tokens += 1), Ok(()));
        assert_eq!(n_tokens, 30);
    }
}
