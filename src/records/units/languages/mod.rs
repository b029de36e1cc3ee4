//! A language code → how its words are cut. A language that differs from the common rules has a file of its own.

mod dutch;
mod english;
mod french;
mod german;
mod italian;
mod portuguese;
mod spanish;

use std::sync::LazyLock;

use super::specials::Specials;
use super::{affixes, infixes, tokens};

/// The rules of a language. Each takes time that does not grow with the word but for what it takes off.
#[derive(Clone, Copy)]
pub struct Habits {
    /// Bytes that come off the beginning of a word.
    pub prefix: fn(&str) -> usize,
    /// Bytes that come off its end.
    pub suffix: fn(&str) -> usize,
    /// Bytes that stand alone between what is before and what comes next; 0 bytes only cut.
    pub infix: fn(&str, &str) -> Option<usize>,
}

pub struct Language {
    pub habits: Habits,
    pub specials: Specials,
}

const COMMON: Habits = Habits { prefix: affixes::prefix, suffix: affixes::suffix, infix: infixes::infix };

impl Language {
    pub fn of(code: &str) -> &'static Self {
        static SHARED: LazyLock<Language> = LazyLock::new(|| Language::new(COMMON, std::iter::empty()));
        match code {
            "de" => &german::LANGUAGE,
            "en" => &english::LANGUAGE,
            "es" => &spanish::LANGUAGE,
            "fr" => &french::LANGUAGE,
            "it" => &italian::LANGUAGE,
            "nl" => &dutch::LANGUAGE,
            "pt" => &portuguese::LANGUAGE,
            _ => &SHARED,
        }
    }

    fn new(habits: Habits, specials: impl Iterator<Item = String>) -> Self {
        Self { habits, specials: Specials::new(specials, |word| tokens::plain(word, habits)) }
    }

    /// `words` are special cases with white space between them.
    fn with_words(habits: Habits, words: &str) -> Self {
        Self::new(habits, words.split_whitespace().map(str::to_owned))
    }
}
