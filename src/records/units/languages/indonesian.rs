//! Indonesian: a word that is said twice stays whole, and some pronouns come off the end.

use std::sync::LazyLock;

use super::super::affixes::{self, one_of};
use super::super::infixes;
use super::{COMMON, Habits, Language};

pub static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { suffix, infix, ..COMMON }, WORDS));

const WORDS: &str = "dll. dst. dsb. hlm. Dr. Drs. Prof. a.n. d.a. s.d. u.p.";
/// Of a word that is said twice.
const WORD_BYTES_MAX: usize = 32;

fn suffix(word: &str) -> usize {
    one_of(word, &["-nya", "-Nya", "-ku", "-Ku", "-mu", "-Mu", "-", "—"]).max(affixes::suffix(word))
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    infixes::infix(before, rest).filter(|_| !is_said_twice(before, rest))
}

/// Endings may follow the second time: `anak-anaknya`.
fn is_said_twice(word: &str, rest: &str) -> bool {
    let again = rest.strip_prefix('-').filter(|_| word.len() <= WORD_BYTES_MAX);
    again.is_some_and(|again| begins_with(again, word))
}

fn begins_with(text: &str, word: &str) -> bool {
    let mut letters = text.chars().flat_map(char::to_lowercase);
    word.chars().flat_map(char::to_lowercase).all(|letter| letters.next() == Some(letter))
}
