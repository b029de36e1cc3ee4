//! Dutch: compounds keep their hyphens. German parts words in the same way.

use std::sync::LazyLock;

use super::super::affixes::{self, before_full_stop, dash, full_stop, mark, measure, one_of, symbol};
use super::super::characters::{is_letter, is_lower, is_quote, is_upper};
use super::super::infixes::{self, between, ellipsis};
use super::super::specials::in_both_cases;
use super::{Habits, Language};

pub static LANGUAGE: LazyLock<Language> = LazyLock::new(|| {
    Language::new(Habits { prefix, suffix, infix }, WORDS.split_whitespace().flat_map(in_both_cases))
});

const WORDS: &str = "dec. vr. a.u.b. a.h.v. afd. alg. art. bijv. blz. bv. ca. c.q. co. d.d. d.i. d.m.v. d.w.z. \
    dhr. div. dr. drs. ds. e.a. e.d. e.e.a. e.o. e.v. enz. etc. evt. fig. geb. gebr. gem. hfst. i.c. i.h.a. \
    i.h.b. i.o. i.p.v. i.s.m. i.t.t. i.v.m. ing. inz. ir. jhr. jl. jr. m.a.w. m.b.t. m.i.v. m.m.v. m.n. max. \
    mej. mevr. min. mr. n.a.v. n.v. nl. nr. o.a. o.i.d. o.m. o.t.t. p.p. pag. prof. red. resp. s.v.p. st. \
    t.a.v. t.b.v. t.e.m. t.g.v. t.o.v. t.w.v. t.z.t. u.a. v.a. v.Chr. v.d. vgl. vnl. vlg. vs. w.o. z.g. z.i. \
    z.o.z. zgn. Dr. Ing. Mr. Ms. Prof. St. 'm 'n 'ns 's 't 'M 'N 'S 'T";

fn prefix(word: &str) -> usize {
    if word.starts_with(",,") { ",,".len() } else { affixes::prefix(word) }
}

fn suffix(word: &str) -> usize {
    let stop = full_stop(word, before_full_stop);
    let percent = usize::from(word.ends_with('%'));
    let measured = Some(measure(word)).filter(|&n_bytes| n_bytes > percent).unwrap_or(0);
    [one_of(word, &["''"]), mark(word), symbol(word), dash(word), measured, stop].into_iter().max().unwrap_or(0)
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    compound(before, rest).or_else(|| between(before, rest, ":<>=", |c| is_letter(c) || c == '"', is_letter))
}

/// What parts words of which a single hyphen does not.
pub fn compound(before: &str, rest: &str) -> Option<usize> {
    unquoted(before, rest).or_else(|| bracket(before, rest))
}

/// The same, but for brackets and quotes.
pub fn unquoted(before: &str, rest: &str) -> Option<usize> {
    ellipsis(rest)
        .or_else(|| infixes::symbol(rest))
        .or_else(|| between(before, rest, ".", is_lower, is_upper))
        .or_else(|| between(before, rest, ",!?", is_letter, is_letter))
        .or_else(|| infixes::hyphen(before, rest, is_letter, is_letter).filter(|_| is_double_hyphen(rest)))
}

fn bracket(before: &str, rest: &str) -> Option<usize> {
    let is_bracket = |c: char| "()[]".contains(c) || (is_quote(c) && c != '\'');
    let bracket = rest.chars().next().filter(|&c| is_bracket(c))?;
    between(before, rest, bracket.encode_utf8(&mut [0; 4]), is_letter, is_letter)
}

fn is_double_hyphen(rest: &str) -> bool {
    rest.starts_with("--") && !rest.starts_with("---")
}
