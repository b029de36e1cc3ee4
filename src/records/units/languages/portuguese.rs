//! Portuguese: compounds keep their hyphens, and a currency its country.

use std::sync::LazyLock;

use regex::Regex;

use super::super::characters::{ends, pattern, starts};
use super::super::{affixes, infixes};
use super::{COMMON, Habits, Language};

pub static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { prefix, infix, ..COMMON }, WORDS));

const WORDS: &str = "Adm. Art. art. Av. av. Cia. dom. Dr. dr. e.g. E.g. e/ou ed. eng. etc. Fund. Gen. Gov. i.e. \
    I.e. Inc. Jr. km/h Ltd. Mr. p.m. Rep. Rev. S/A Sen. Sr. sr. Sra. sra. vs. tel. pág. pag. Ph.D.";

static COMPOUND: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\w+(?:-\w+)+"));

fn prefix(word: &str) -> usize {
    const COUNTRY_CHARS_MAX: usize = 3;
    let mut chars = word.char_indices();
    let sign = chars.by_ref().take(COUNTRY_CHARS_MAX + 1).find(|&(_, c)| !is_word(c));
    sign.filter(|&(at, c)| at > 0 && c == '$').map_or_else(|| affixes::prefix(word), |(at, _)| at + 1)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    let begins = starts(rest, is_word) && !ends(before, is_word);
    let compound = begins.then(|| COMPOUND.find(rest)).flatten().map(|found| found.len());
    compound.or_else(|| infixes::infix(before, rest))
}
