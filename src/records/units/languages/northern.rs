//! Danish, Norwegian, Swedish and Finnish: compounds keep their hyphens, and a name in s its apostrophe.

use std::sync::LazyLock;

use super::super::affixes::{self, before_full_stop, dash, ends_word, full_stop, mark, measure, symbol};
use super::super::characters::{is_letter, is_mark, is_upper};
use super::super::infixes::{between, hyphen, is_letter_or_digit};
use super::super::specials::in_both_cases;
use super::{Habits, Language, dutch};

pub static DANISH: LazyLock<Language> = LazyLock::new(|| {
    let days = (1..=31).map(|day| format!("{day}."));
    language(Habits { prefix: affixes::prefix, suffix, infix }, DANISH_WORDS, days)
});
pub static FINNISH: LazyLock<Language> = LazyLock::new(|| {
    language(Habits { prefix: affixes::prefix, suffix, infix: finnish_infix }, FINNISH_WORDS, std::iter::empty())
});
pub static NORWEGIAN: LazyLock<Language> = LazyLock::new(|| {
    language(
        Habits { prefix: affixes::prefix, suffix: norwegian_suffix, infix },
        NORWEGIAN_WORDS,
        std::iter::empty(),
    )
});
pub static SWEDISH: LazyLock<Language> = LazyLock::new(|| {
    language(Habits { prefix: affixes::prefix, suffix, infix: swedish_infix }, SWEDISH_WORDS, std::iter::empty())
});

const DANISH_WORDS: &str = "A/S apr. aug. bl.a. ca. dec. dr. dvs. eks. ekskl. etc. evt. f.eks. feb. hhv. inkl. \
    jan. kl. kr. m.fl. m.m. maks. mht. mia. mio. nov. nr. o.l. okt. osv. pga. s. sep. sml. tlf. vedr.";
const FINNISH_WORDS: &str = "em. esim. huom. jne. joht. ko. ks. lk. mm. nro ns. os. po. prof. puh. pvm. ry. so. \
    srk. tms. ts. vrt. yht. ym. yms. n:o";
const NORWEGIAN_WORDS: &str = "a.m. apr. aug. bl.a. ca. co. dept. dr. dvs. ekskl. etc. ev. evt. f.eks. feb. \
    fhv. hhv. hr. inkl. jan. jf. jr. jul. jun. kgl. kl. kr. m.a.o. m.fl. m.m. mar. mht. mill. min. mrd. nov. \
    nr. o.a. o.l. okt. osv. p.a.";
const SWEDISH_WORDS: &str = "apr. aug. bl.a. d.v.s. dec. dvs. e.d. e.kr. etc. exkl. f.d. f.kr. feb. fr.o.m. \
    inkl. jan. kap. kl. kr. kungl. m.a.o. m.fl. m.m. max. min. nov. o.d. o.s.v. okt. osv. p.g.a. prof. resp. \
    s.k. sep. sept. t.ex. t.o.m. tel. ang. forts. obs.";

fn language(habits: Habits, words: &str, numbers: impl Iterator<Item = String>) -> Language {
    Language::new(habits, words.split_whitespace().flat_map(in_both_cases).chain(numbers))
}

fn suffix(word: &str) -> usize {
    ending(word, before_full_stop)
}

/// A number keeps the full stop of an ordinal.
fn norwegian_suffix(word: &str) -> usize {
    ending(word, |c| ends_word(c) || is_mark(c) || c == '|')
}

fn ending(word: &str, may_stop: fn(char) -> bool) -> usize {
    let keeps = word.strip_suffix('\'').is_some_and(|name| name.is_empty() || name.ends_with(is_hissing));
    let marked = if keeps { 0 } else { mark(word) };
    [marked, symbol(word), dash(word), measure(word), full_stop(word, may_stop)].into_iter().max().unwrap_or(0)
}

fn is_hissing(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 's' | 'x' | 'z')
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    dutch::compound(before, rest).or_else(|| between(before, rest, ":<>=/", is_letter_or_digit, is_letter))
}

/// A colon joins a word and its ending.
fn swedish_infix(before: &str, rest: &str) -> Option<usize> {
    dutch::compound(before, rest)
        .or_else(|| between(before, rest, "<>=/", is_letter_or_digit, is_letter))
        .or_else(|| between(before, rest, ":", is_letter_or_digit, is_upper))
}

fn finnish_infix(before: &str, rest: &str) -> Option<usize> {
    dutch::compound(before, rest)
        .or_else(|| hyphen(before, rest, is_letter, is_letter).filter(|_| !is_single_hyphen(rest)))
        .or_else(|| between(before, rest, "<>=/", is_letter_or_digit, is_letter))
}

fn is_single_hyphen(rest: &str) -> bool {
    rest.starts_with('-') && !rest.starts_with("--")
}
