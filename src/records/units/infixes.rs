//! What parts a word in its middle: the pieces that languages put their rules together from. Each looks at what
//! stands before and behind a place, and says how many bytes there are a token of their own; 0 only cuts.

use super::affixes;
use super::characters::{
    ends, first, is_apostrophe, is_digit, is_letter, is_lower, is_quote, is_symbol, is_upper, starts,
};

/// From the longest, as a hyphen begins two.
const HYPHENS: [&str; 7] = ["---", "--", "-", "——", "—", "–", "~"];

pub fn ellipsis(rest: &str) -> Option<usize> {
    let is_one = rest.starts_with('…');
    Some(if is_one { '…'.len_utf8() } else { affixes::dots_at_start(rest) }).filter(|&n_bytes| n_bytes > 0)
}

pub fn symbol(rest: &str) -> Option<usize> {
    first(rest).filter(|&c| is_symbol(c)).map(char::len_utf8)
}

/// One of `signs`, by its neighbours.
pub fn between(
    before: &str,
    rest: &str,
    signs: &str,
    left: fn(char) -> bool,
    right: fn(char) -> bool,
) -> Option<usize> {
    let sign = first(rest).filter(|&c| signs.contains(c))?;
    let behind = &rest[sign.len_utf8()..];
    (ends(before, left) && starts(behind, right)).then_some(sign.len_utf8())
}

/// A sum of numbers.
pub fn arithmetic(before: &str, rest: &str) -> Option<usize> {
    between(before, rest, "+-*^", is_digit, |c| is_digit(c) || c == '-')
}

/// A full stop that a sentence begins behind without a space.
pub fn full_stop(before: &str, rest: &str) -> Option<usize> {
    between(before, rest, ".", |c| is_lower(c) || is_quote(c), |c| is_upper(c) || is_quote(c))
}

pub fn comma(before: &str, rest: &str) -> Option<usize> {
    between(before, rest, ",", is_letter, is_letter)
}

pub fn relation(before: &str, rest: &str) -> Option<usize> {
    between(before, rest, ":<>=/", is_letter_or_digit, is_letter)
}

/// A hyphen or dash of any length.
pub fn hyphen(before: &str, rest: &str, left: fn(char) -> bool, right: fn(char) -> bool) -> Option<usize> {
    let hyphen = HYPHENS.iter().find(|hyphen| rest.starts_with(**hyphen))?;
    (ends(before, left) && starts(&rest[hyphen.len()..], right)).then_some(hyphen.len())
}

/// Behind an article or pronoun that has lost its vowel: nothing stands there, but the word is cut.
pub fn elision(before: &str, rest: &str, right: fn(char) -> bool) -> Option<usize> {
    let article = before.strip_suffix(is_apostrophe)?;
    (ends(article, is_letter) && starts(rest, right)).then_some(0)
}

pub fn is_letter_or_digit(c: char) -> bool {
    is_letter(c) || is_digit(c)
}

/// The rules that most languages share, but for hyphens.
pub fn unhyphened(before: &str, rest: &str) -> Option<usize> {
    ellipsis(rest)
        .or_else(|| symbol(rest))
        .or_else(|| arithmetic(before, rest))
        .or_else(|| full_stop(before, rest))
        .or_else(|| comma(before, rest))
        .or_else(|| relation(before, rest))
}

/// The rules that most languages share.
pub fn infix(before: &str, rest: &str) -> Option<usize> {
    unhyphened(before, rest).or_else(|| hyphen(before, rest, is_letter, is_letter))
}
