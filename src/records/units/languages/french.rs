//! French: articles and pronouns lose their vowel, and verbs take their pronouns behind a hyphen.

use std::sync::LazyLock;

use regex::Regex;

use super::super::affixes::{self, ends_word, full_stop, mark, measure};
use super::super::characters::{is_apostrophe, is_digit, is_letter, is_quote, pattern, starts};
use super::super::infixes::{self, elision};
use super::{Habits, Language};

pub static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { prefix, suffix, infix }, WORDS));

const WORDS: &str = "aujourd'hui Aujourd'hui J.¦-C. après-midi au-delà au-dessus celle-ci celles-ci celui-ci \
    ci-dessous elle-même en-dessous jusque-là lui-même peut-être quelques-uns rendez-vous États-Unis janv. févr. avr. \
    juill. sept. oct. nov. déc. av. apr. Dr. M. MM. Mme. Mlle. Mr. St. Vol. No. cf. etc. p. pp. a¦-t¦-il \
    a¦-t¦-elle a¦-t¦-on est¦-ce Est¦-ce qu'¦est¦-ce Qu'¦est¦-ce n'¦est¦-ce N'¦est¦-ce est¦-il Ste. d° n°";

/// Behind a letter: a pronoun or particle with its hyphen.
static CLITIC: LazyLock<Regex> = LazyLock::new(|| {
    let small = "ce|clés|elle|en|il|ils|je|là|moi|nous|on|t|vous";
    pattern(&format!(r"[-–—‐‑](?:{small}|{})$", small.to_uppercase()))
});

fn prefix(word: &str) -> usize {
    let is_elided = starts(word, |c| "dlnDLN".contains(c)) && {
        let mut chars = word.chars().skip(1);
        chars.next().is_some_and(is_apostrophe) && chars.next().is_some_and(is_letter)
    };
    if is_elided { word.char_indices().nth(2).map_or(0, |(end, _)| end) } else { affixes::prefix(word) }
}

fn suffix(word: &str) -> usize {
    let stop = full_stop(word, |c| is_digit(c) || ends_word(c) || is_quote(c));
    [mark(word), measure(word), clitic(word), stop].into_iter().max().unwrap_or(0)
}

fn clitic(word: &str) -> usize {
    const CHARS_MAX: usize = 6;
    let tail = word.char_indices().rev().take(CHARS_MAX).last().map_or(0, |(at, _)| at);
    let found = CLITIC.find(&word[tail..]);
    found.filter(|found| word[..tail + found.start()].ends_with(is_letter)).map_or(0, |found| found.len())
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    infixes::infix(before, rest).or_else(|| elision(before, rest, is_letter))
}
