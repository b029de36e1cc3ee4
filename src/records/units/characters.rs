//! Which characters are letters, marks, quotes or white space to the rules that cut tokens.

use std::sync::LazyLock;

use regex::Regex;

static SYMBOL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[\p{So}--\u{1F3FB}-\u{1F3FF}]"));
static PUNCTUATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\p{P}+$"));

pub fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles. This is a bug.")
}

/// Also the separators among the control characters, which Unicode's property leaves out.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

pub fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

pub fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

pub fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

pub fn is_letter(c: char) -> bool {
    c.is_alphabetic() || is_caseless(c)
}

/// Also letters of scripts that have one case only.
pub fn is_lower(c: char) -> bool {
    is_letter(c) && !c.is_uppercase()
}

/// Also letters of scripts that have one case only.
pub fn is_upper(c: char) -> bool {
    is_letter(c) && !c.is_lowercase()
}

/// Hebrew and the scripts of India: vowel signs at the end of a word count as its letters.
fn is_caseless(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5f4}' | '\u{900}'..='\u{dff}')
}

pub fn is_mark(c: char) -> bool {
    ",:;!?()[]{}<>_#*&…¿؟¡。？！，、；：～·।،۔؛٪".contains(c)
}

pub fn is_quote(c: char) -> bool {
    "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧".contains(c)
}

pub fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

pub fn is_currency(c: char) -> bool {
    matches!(c, '$' | '£' | '¥' | '฿' | '﷼' | '\u{20a0}'..='\u{20bf}')
}

/// Emoji, dingbats, degrees and their like.
pub fn is_symbol(c: char) -> bool {
    !c.is_ascii() && !c.is_alphanumeric() && SYMBOL.is_match(c.encode_utf8(&mut [0; 4]))
}

pub fn is_punctuation(token: &str) -> bool {
    PUNCTUATION.is_match(token)
}

/// Letters of scripts that put no space between words.
pub fn is_unspaced(c: char) -> bool {
    let thai_and_lao = matches!(c, '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{eff}');
    let burmese_and_khmer = matches!(c, '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17d3}');
    let kana = matches!(c, '\u{3041}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}');
    let chinese = matches!(c, '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    thai_and_lao || burmese_and_khmer || kana || chinese
}

pub fn first(text: &str) -> Option<char> {
    text.chars().next()
}

pub fn last(text: &str) -> Option<char> {
    text.chars().next_back()
}

pub fn starts(text: &str, class: impl Fn(char) -> bool) -> bool {
    first(text).is_some_and(class)
}

pub fn ends(text: &str, class: impl Fn(char) -> bool) -> bool {
    last(text).is_some_and(class)
}
