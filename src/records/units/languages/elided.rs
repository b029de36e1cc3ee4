//! Catalan, Ligurian and Luxembourgish: articles and pronouns lose their vowel.

use std::sync::LazyLock;

use super::super::affixes::{self, one_of};
use super::super::characters::{is_apostrophe, is_digit, is_letter, starts};
use super::super::infixes::{self, between, elision, is_letter_or_digit};
use super::{COMMON, Habits, Language, dutch};

pub static CATALAN: LazyLock<Language> = LazyLock::new(|| {
    let habits = Habits { prefix: catalan_prefix, suffix: catalan_suffix, infix: catalan_infix };
    Language::with_words(habits, CATALAN_WORDS)
});
pub static LIGURIAN: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { infix: ligurian_infix, ..COMMON }, LIGURIAN_WORDS));
pub static LUXEMBOURGISH: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { infix: luxembourgish_infix, ..COMMON }, LUXEMBOURGISH_WORDS));

const CATALAN_WORDS: &str = "a¦l a¦ls d¦el d¦els p¦el p¦els 'l 'ls 'm 'n 'ns 's 't Dr. Dra. Sr. Sra. Srta. St. \
    Sta. abr. aprox. dec. feb. gen. jul. nov. núm oct. p.ex. pl. pàg. set. à. è. é. í. ò. ó. ú.";
const LIGURIAN_WORDS: &str = "a-a a-e a-i a-o co-a co-e co-i co-o da-a da-e da-i da-o pe-a pe-e pe-i pe-o";
const LUXEMBOURGISH_WORDS: &str = "'t 'T Dipl. Dr. Jan. M. Mme. Tel. asw. bzw. etc. i.e. o.k. p.a. p.s. phil. \
    q.e.d. rer. sen. wgl. z.B. ë.a.";

fn catalan_prefix(word: &str) -> usize {
    if word.starts_with('-') { 1 } else { affixes::prefix(word) }
}

fn catalan_suffix(word: &str) -> usize {
    one_of(word, &["-"]).max(affixes::suffix(word))
}

fn catalan_infix(before: &str, rest: &str) -> Option<usize> {
    infixes::unhyphened(before, rest)
        .or_else(|| elision(before, rest, is_letter_or_digit))
        .or_else(|| pronoun(rest))
}

/// Behind a verb, with its hyphen or apostrophe.
fn pronoun(rest: &str) -> Option<usize> {
    const WHOLE: [&str; 19] = [
        "'ls", "'l", "'ns", "'t", "'m", "'n", "-les", "-la", "-los", "-lo", "-li", "-me", "-nos", "-te", "-vos",
        "-se", "-hi", "-ne", "-ho",
    ];
    const ELIDED: [&str; 4] = ["-l'", "-m'", "-t'", "-n'"];
    let ends_word = |pronoun: &&&str| !starts(&rest[pronoun.len()..], |c| c.is_ascii_alphabetic());
    let mut whole = WHOLE.iter().filter(|pronoun| rest.starts_with(**pronoun)).filter(ends_word);
    let found = whole.next().or_else(|| ELIDED.iter().find(|pronoun| rest.starts_with(**pronoun)));
    found.map(|pronoun| pronoun.len())
}

fn ligurian_infix(before: &str, rest: &str) -> Option<usize> {
    infixes::infix(before, rest).or_else(|| elision(before, rest, is_letter))
}

fn luxembourgish_infix(before: &str, rest: &str) -> Option<usize> {
    let is_article = before.strip_suffix(is_apostrophe).is_some_and(|article| matches!(article, "d" | "D"));
    dutch::unquoted(before, rest)
        .or_else(|| (is_article && starts(rest, is_letter)).then_some(0))
        .or_else(|| between(before, rest, ":<>=", is_letter, is_letter))
        .or_else(|| between(before, rest, "-", is_digit, is_digit))
}
