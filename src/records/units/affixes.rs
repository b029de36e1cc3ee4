//! What comes off the beginning and the end of a word: the pieces that languages put their rules together from.
//! Each piece says how many bytes it takes, 0 for none.

use std::sync::LazyLock;

use regex::Regex;

use super::characters::{self, is_currency, is_digit, is_lower, is_mark, is_quote, is_symbol, is_upper, pattern};

const DOLLARS: [&str; 3] = ["US$", "C$", "A$"];
/// Of units of measurement: the longest, in characters.
const UNIT_CHARS_MAX: usize = 5;

static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    let latin =
        r"[kcdm]?m[²³]?|[µn]m|ha|yd|in|ft|[kmµ]?g|t|lb|oz|m/s|km/?h|mph|h?Pa|mbar|[mkgt]b|[MKGT]B|[TGMK]|%";
    let cyrillic = "[ксдм]?м[²³]?|нм|к?г|мг|м/с|км/ч|к?Па|мбар|[КМГТ][Бб]|[кмг]б";
    let arabic = "[كسم]?م[²³]?|غرام|جرام|جم|كغ|ملغ|كوب|اكواب";
    pattern(&format!("^(?:{latin}|{cyrillic}|{arabic})$"))
});

pub fn prefix(word: &str) -> usize {
    let Some(c) = characters::first(word) else { return 0 };
    let rest = &word[c.len_utf8()..];
    let is_sign = matches!(c, '§' | '%' | '=' | '—' | '–') || (c == '+' && !characters::starts(rest, is_digit));
    if is_sign || is_mark(c) || is_quote(c) || is_currency(c) || is_symbol(c) {
        return c.len_utf8();
    }
    let dollars = DOLLARS.into_iter().find(|dollars| word.starts_with(dollars));
    dollars.map_or_else(|| dots_at_start(word), str::len)
}

/// Two dots or more.
pub fn dots_at_start(word: &str) -> usize {
    let n_dots = word.len() - word.trim_start_matches('.').len();
    if n_dots > 1 { n_dots } else { 0 }
}

fn dots_at_end(word: &str) -> usize {
    let n_dots = word.len() - word.trim_end_matches('.').len();
    if n_dots > 1 { n_dots } else { 0 }
}

/// Punctuation, quotes and ellipses.
pub fn mark(word: &str) -> usize {
    match characters::last(word) {
        Some('…') if word.ends_with("……") => "……".len(),
        Some(c) if is_mark(c) || is_quote(c) => c.len_utf8(),
        Some(_) | None => dots_at_end(word),
    }
}

pub fn symbol(word: &str) -> usize {
    characters::last(word).filter(|&c| is_symbol(c)).map_or(0, char::len_utf8)
}

/// One of these texts, the first that fits.
pub fn one_of(word: &str, texts: &[&str]) -> usize {
    texts.iter().find(|text| word.ends_with(*text)).map_or(0, |text| text.len())
}

pub fn possessive(word: &str) -> usize {
    one_of(word, &["'s", "'S", "’s", "’S"])
}

pub fn dash(word: &str) -> usize {
    one_of(word, &["—", "–"])
}

/// A plus, a currency or a unit of measurement behind a digit.
pub fn measure(word: &str) -> usize {
    let mut tail = word.char_indices().rev().take(UNIT_CHARS_MAX + 1);
    let Some((digit, _)) = tail.find(|&(_, c)| is_digit(c)) else { return 0 };
    let tail = &word[digit + 1..];
    let mut chars = tail.chars();
    let is_sign = chars.next().is_some_and(|c| c == '+' || is_currency(c)) && chars.next().is_none();
    if is_sign || DOLLARS.contains(&tail) || UNIT.is_match(tail) { tail.len() } else { 0 }
}

/// A full stop that is no part of an abbreviation, by what stands in front of it.
pub fn full_stop(word: &str, may_follow: fn(char) -> bool) -> usize {
    let Some(before) = word.strip_suffix('.') else { return 0 };
    let mut chars = before.chars().rev();
    let (last, second) = (chars.next(), chars.next());
    let is_degrees = matches!(last, Some('F' | 'f' | 'C' | 'c' | 'K' | 'k')) && second == Some('°');
    let is_acronym = last.is_some_and(is_upper) && second.is_some_and(is_upper);
    usize::from(is_degrees || is_acronym || last.is_some_and(may_follow))
}

/// What a full stop follows in most languages.
pub fn before_full_stop(c: char) -> bool {
    is_digit(c) || ends_word(c) || is_mark(c) || c == '|'
}

/// Small letters, percentages, signs and quotes.
pub fn ends_word(c: char) -> bool {
    is_lower(c) || is_quote(c) || matches!(c, '%' | '²' | '-' | '+' | '(' | ')' | '?' | ':')
}

/// The rules at the end of a word that most languages share.
pub fn suffix(word: &str) -> usize {
    [mark(word), symbol(word), possessive(word), dash(word), measure(word), full_stop(word, before_full_stop)]
        .into_iter()
        .max()
        .unwrap_or(0)
}
