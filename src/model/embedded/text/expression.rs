//! A regular expression as RE2 reads it → a table of states that finds the longest match at a place.
//! In RE2 the classes `\w`, `\d`, `\s` and the edge `\b` are those of ASCII; all else is Unicode.

use std::iter::Peekable;
use std::str::Chars;

use regex_automata::MatchKind;
use regex_automata::dfa::StartKind;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;

/// Of the expression.
const EXPRESSION_BYTES_MAX: usize = 4 << 10;
/// Of what is made of it on the way, and of the table.
const AUTOMATON_BYTES_MAX: usize = 8 << 20;
/// Groups in groups.
const NESTING_MAX: u32 = 64;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(in crate::model::embedded) enum ExpressionError {
    #[error("it has {0} bytes; the limit is {EXPRESSION_BYTES_MAX} bytes")]
    TooLong(usize),
    #[error("{0} inside of brackets is not supported")]
    InBrackets(String),
    #[error("it cannot be compiled: {0}")]
    Build(String),
}

pub(super) fn compile(expression: &str) -> Result<DFA<Vec<u32>>, ExpressionError> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(ExpressionError::TooLong(expression.len()));
    }
    let config = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
        .determinize_size_limit(Some(AUTOMATON_BYTES_MAX));
    let states = thompson::Config::new().nfa_size_limit(Some(AUTOMATON_BYTES_MAX));
    dense::Builder::new()
        .configure(config)
        .thompson(states)
        .syntax(syntax::Config::new().nest_limit(NESTING_MAX))
        .build(&translated(expression)?)
        .map_err(|error| ExpressionError::Build(reason(&error)))
}

/// The cause, which says more than the error that it led to.
fn reason(error: &dense::BuildError) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The same in the words of the crate that compiles it.
fn translated(expression: &str) -> Result<String, ExpressionError> {
    let (mut out, mut rest) = (String::with_capacity(expression.len()), expression.chars().peekable());
    while let Some(character) = rest.next() {
        match character {
            '\\' => out.push_str(&escaped(rest.next())),
            '[' => brackets(&mut rest, &mut out)?,
            _ => out.push(character),
        }
    }
    Ok(out)
}

fn escaped(character: Option<char>) -> String {
    match character {
        Some(class @ ('w' | 'd' | 's')) => format!("[{}]", members(class)),
        Some(class @ ('W' | 'D' | 'S')) => format!("[^{}]", members(class.to_ascii_lowercase())),
        Some(edge @ ('b' | 'B')) => format!("(?-u:\\{edge})"),
        Some(sign) if sign.is_ascii_punctuation() => literal(sign),
        Some(other) => format!("\\{other}"),
        None => "\\".to_owned(),
    }
}

/// A sign as itself: with a backslash some are edges of words in the crate that compiles it.
fn literal(sign: char) -> String {
    regex::escape(sign.encode_utf8(&mut [0; 4]))
}

fn members(class: char) -> &'static str {
    match class {
        'w' => "0-9A-Za-z_",
        'd' => "0-9",
        _ => "\\t\\n\\f\\r ",
    }
}

/// From behind an opening bracket to the closing one.
fn brackets(rest: &mut Peekable<Chars>, out: &mut String) -> Result<(), ExpressionError> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // In the first place it is no end.
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            (']', _) => {
                out.push(']');
                return Ok(());
            }
            ('\\', Some(&class @ ('w' | 'd' | 's'))) => {
                rest.next();
                out.push_str(members(class));
            }
            ('\\', Some(&class @ ('W' | 'D' | 'S'))) => {
                return Err(ExpressionError::InBrackets(format!("\\{class}")));
            }
            ('\\', Some(&sign)) if sign.is_ascii_punctuation() => {
                rest.next();
                out.push_str(&literal(sign));
            }
            ('\\', Some(&other)) => {
                rest.next();
                out.extend(['\\', other]);
            }
            ('[', Some(':')) => named_class(rest, out),
            // Elsewhere these are sets of characters put together.
            ('[' | '&' | '~', _) => out.extend(['\\', character]),
            ('-', Some('-')) => return Err(ExpressionError::InBrackets("--".to_owned())),
            _ => out.push(character),
        }
    }
    Ok(())
}

/// `[:alpha:]`, the colon still ahead.
fn named_class(rest: &mut Peekable<Chars>, out: &mut String) {
    out.push('[');
    for character in rest.by_ref() {
        out.push(character);
        if character == ']' {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_compiled_is_refused_with_its_reason() {
        for (expression, fragment) in [
            ("(a", "unclosed group"),
            ("[a-z", "unclosed character class"),
            ("[\\W]", "\\W inside of brackets is not supported"),
            ("[a--z]", "-- inside of brackets is not supported"),
            ("[\\b]", "escape sequence"),
            ("(?=a)", "it cannot be compiled: look-around"),
            ("(a)\\1", "backreferences are not supported"),
            (r"(\pL{500}){500}", "limit of 8388608"),
            (r"[ab]*a[ab]{30}", "limit of 8388608"),
            (&"(".repeat(4000), "it cannot be compiled"),
            (&"a".repeat(5000), "it has 5000 bytes; the limit is 4096 bytes"),
        ] {
            let text = compile(expression).expect_err(expression).to_string();
            assert!(text.contains(fragment), "got: {text}\nwant: {fragment}");
        }
    }
}
