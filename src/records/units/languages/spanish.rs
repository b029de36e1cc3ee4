//! Spanish: compounds keep their hyphens and percentages their sign.

use std::sync::LazyLock;

use super::super::affixes::{before_full_stop, dash, full_stop, mark, measure, symbol};
use super::super::characters::{is_digit, is_lower, is_quote, is_upper};
use super::super::infixes::{self, between, comma, ellipsis, relation};
use super::{COMMON, Habits, Language};

pub static LANGUAGE: LazyLock<Language> = LazyLock::new(|| {
    let times = (1..=12).flat_map(|hour| ["a.m.", "am", "p.m.", "pm"].map(|half| format!("{hour}¦{half}")));
    let words = WORDS.split_whitespace().map(str::to_owned);
    Language::new(Habits { suffix, infix, ..COMMON }, times.chain(words))
});

const WORDS: &str = "pa¦l 12¦m. a.C. a.J.C. d.C. d.J.C. apdo. Av. Avda. Cía. Dr. Dra. EE.UU. Ee.Uu. etc. fig. \
    Gob. Gral. Ing. J.C. km/h Lic. m.n. núm. P.D. Prof. Profa. q.e.p.d. S.A. S.L. s.s.s. Sr. Sra. Srta. Ud. \
    Uds. Vd. Vds. aprox. dna. dpto. ej. esq. n° p.ej. pág. vol. °C";

fn suffix(word: &str) -> usize {
    let stop = full_stop(word, |c| before_full_stop(c) || is_dash(c));
    let measured = if word.ends_with('%') { 0 } else { measure(word) };
    [dash(word), mark(word), symbol(word), measured, stop].into_iter().max().unwrap_or(0)
}

fn is_dash(c: char) -> bool {
    matches!(c, '—' | '–')
}

fn ends_quote(c: char) -> bool {
    is_quote(c) || is_dash(c)
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    ellipsis(rest)
        .or_else(|| infixes::symbol(rest))
        .or_else(|| between(before, rest, "+*^", is_digit, |c| is_digit(c) || c == '-'))
        .or_else(|| between(before, rest, ".", |c| is_lower(c) || ends_quote(c), |c| is_upper(c) || ends_quote(c)))
        .or_else(|| comma(before, rest))
        .or_else(|| relation(before, rest))
}
