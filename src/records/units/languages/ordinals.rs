//! Hungarian, Serbian and Slovenian: a number keeps the full stop of an ordinal.

use std::sync::LazyLock;

use super::super::affixes::{ends_word, full_stop, mark, measure, one_of, symbol};
use super::super::characters::{is_letter, is_mark};
use super::super::infixes::{self, between};
use super::{COMMON, Habits, Language, dutch};

pub static HUNGARIAN: LazyLock<Language> = LazyLock::new(|| {
    Language::with_words(Habits { suffix: hungarian_suffix, infix: hungarian_infix, ..COMMON }, HUNGARIAN_WORDS)
});
pub static SERBIAN: LazyLock<Language> = LazyLock::new(|| {
    Language::with_words(Habits { suffix: serbian_suffix, infix: infixes::unhyphened, ..COMMON }, SERBIAN_WORDS)
});
pub static SLOVENIAN: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { suffix, ..COMMON }, SLOVENIAN_WORDS));

const HUNGARIAN_WORDS: &str =
    "-e Bp. Dr. Inc. Jr. Ltd. Mr. Mrs. Ms. Nr. Prof. Zrt. dr. ifj. id. kb. pl. stb. sz. u. ún. vö.";
const SERBIAN_WORDS: &str = "акад. бр. в.д. год. инж. итд. мед. мн. н.е. нпр. о.г. проф. стр. тзв. ул. уч.";
const SLOVENIAN_WORDS: &str = "Dr. Inc. Jr. Mag. Mr. Npr. Sv. Tel. adm. akad. am. angl. apr. aug. dr. ga. inž. \
    itd. ipd. jan. lat. mag. max. min. npr. nov. okt. oz. prof. sept. sl. str. sv. tel. tj. ur.";

fn suffix(word: &str) -> usize {
    let stop = full_stop(word, |c| ends_word(c) || is_mark(c) || c == '|');
    [mark(word), symbol(word), measure(word), stop].into_iter().max().unwrap_or(0)
}

fn serbian_suffix(word: &str) -> usize {
    let stop = full_stop(word, |c| is_letter(c) || ends_word(c) || is_mark(c) || c == '|');
    [mark(word), symbol(word), measure(word), stop].into_iter().max().unwrap_or(0)
}

/// A question hangs on its verb with a hyphen.
fn hungarian_suffix(word: &str) -> usize {
    let percent = if word.ends_with('%') { 0 } else { measure(word) };
    let degrees = if word.ends_with('°') { 0 } else { symbol(word) };
    let stop = full_stop(word, |c| ends_word(c) && !matches!(c, '(' | ')' | '?'));
    [mark(word), degrees, percent, one_of(word, &["+", "-e"]), stop].into_iter().max().unwrap_or(0)
}

fn hungarian_infix(before: &str, rest: &str) -> Option<usize> {
    dutch::compound(before, rest).or_else(|| between(before, rest, ":<>=", is_letter, is_letter))
}
