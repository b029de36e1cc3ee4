//! Italian: articles and prepositions lose their vowel.

use std::sync::LazyLock;

use super::super::affixes;
use super::super::characters::{is_digit, is_letter, is_lower};
use super::super::infixes::{self, elision, hyphen, is_letter_or_digit};
use super::{COMMON, Habits, Language};

pub static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { prefix, infix, ..COMMON }, WORDS));

const WORDS: &str = "po' E' de\" .. .... all'¦art. dall'¦art. dell'¦art. l'¦art. L'¦art. nell'¦art. sett.¦. a.C. \
    d.C. al. art. Art. artt. att. avv. Avv. c.d. Civ. cm. Cod. col. Cost. distr. ecc. etc. Jr. pag. Proc. prof. \
    sett. s.p.a. ss. St. tel. all-path by-pass centro-sinistra check-up e-mail nord-est week-end c/c e/o C.so n° \
    s.n.c s.r.l";

fn prefix(word: &str) -> usize {
    let is_year =
        word.strip_prefix('\'').is_some_and(|year| year.chars().take_while(|&c| is_digit(c)).count() > 1);
    if is_year { "'00".len() } else { ordinal(word).unwrap_or_else(|| affixes::prefix(word)) }
}

fn ordinal(word: &str) -> Option<usize> {
    let digits = word.len() - word.trim_start_matches(is_digit).len();
    (digits > 0 && word[digits..].starts_with('°')).then_some(digits + '°'.len_utf8())
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    infixes::unhyphened(before, rest)
        .or_else(|| hyphen(before, rest, is_letter, is_lower))
        .or_else(|| elision(before, rest, |c| is_letter_or_digit(c) || c == '"'))
}
