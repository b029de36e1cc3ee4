//! Words that no rule cuts right: each special case is a spelling with the places where it is cut, if any.
//! Here stand those of all languages: emoticons, single letters with a dot, and a few signs.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Where a spelling is cut.
const CUT: char = '¦';

/// Eyes, noses and mouths that go together.
const FACES: [(&str, &[&str], &str); 5] = [
    (":", &["", "-"], ") )) ))) ( (( ((( ] } / | * 0 3 > D O P X o p x"),
    (":'", &["", "-"], ") ("),
    (";", &["", "-"], ") D"),
    ("8", &["", "-"], ") D"),
    ("=", &[""], ") ( [ ] / | 3 D"),
];
const OTHER_FACES: &str = "(: (-: (; (-; (= [: [-: [= ): )-: ]= (-8 (o: :o) :() :1 >:( >:o <3 <33 <333 </3 XD \
    XDD xD xDD ^_^ ^__^ ^___^ -_- -__- ._. ;_; @_@ v_v V_V o_o o_O O_o O_O 0_0 0_o o_0 o.o o.O O.o O.O 0.0 0.o \
    o.0 v.v V.V >.< >.> <.< (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) (ಠ_ಠ) ಠ_ಠ ಠ︵ಠ ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>";
const SIGNS: &str = "' '' — \\\") C++ <space> \\t \\n ä. ö. ü.";

#[derive(Default)]
pub struct Specials {
    /// Lengths of the pieces in bytes.
    cases: HashMap<String, Vec<usize>>,
    /// Those that the rules cut, with the lengths of what the rules make of them.
    joins: HashMap<String, Vec<usize>>,
    /// What the rules cut off first.
    openings: HashSet<String>,
    pieces_max: usize,
}

impl Specials {
    /// The cases of all languages and of one, whose words `plain` cuts.
    pub fn new(own: impl Iterator<Item = String>, plain: impl Fn(&str) -> Vec<Range<usize>>) -> Self {
        let mut specials = Self::default();
        for case in shared().chain(own) {
            specials.insert(&case, &plain);
            if case.contains('\'') {
                specials.insert(&case.replace('\'', "’"), &plain);
            }
        }
        specials
    }

    fn insert(&mut self, case: &str, plain: &impl Fn(&str) -> Vec<Range<usize>>) {
        let word = case.replace(CUT, "");
        let pieces: Vec<usize> = case.split(CUT).map(str::len).collect();
        let by_rules = plain(&word);
        let lengths: Vec<usize> = by_rules.iter().map(ExactSizeIterator::len).collect();
        if lengths.len() > 1 {
            self.openings.insert(word[by_rules[0].clone()].to_owned());
            self.pieces_max = self.pieces_max.max(lengths.len());
            self.joins.insert(word.clone(), lengths);
        }
        self.cases.insert(word, pieces);
    }

    pub fn get(&self, word: &str) -> Option<&[usize]> {
        const BYTES_MAX: usize = 64;
        let case = (word.len() <= BYTES_MAX).then(|| self.cases.get(word)).flatten();
        case.map(Vec::as_slice)
    }

    /// Tokens that the rules made of a special case inside a longer word become its pieces again.
    pub fn joined(&self, text: &str, tokens: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let mut joined = Vec::with_capacity(tokens.len());
        let mut rest = tokens.as_slice();
        while let Some((token, behind)) = rest.split_first() {
            let Some((n_tokens, pieces)) = self.opening(text, rest) else {
                joined.push(token.clone());
                rest = behind;
                continue;
            };
            let mut at = token.start;
            joined.extend(pieces.iter().map(|n_bytes| {
                at += n_bytes;
                at - n_bytes..at
            }));
            rest = &rest[n_tokens..];
        }
        joined
    }

    /// The longest special case that tokens begin with: how many of them it takes, and its pieces.
    fn opening(&self, text: &str, tokens: &[Range<usize>]) -> Option<(usize, &[usize])> {
        let start = tokens[0].start;
        if !self.openings.contains(&text[tokens[0].clone()]) {
            return None;
        }
        let n_tokens_max = tokens.len().min(self.pieces_max);
        (2..=n_tokens_max).rev().find_map(|n_tokens| {
            let word = &text[start..tokens[n_tokens - 1].end];
            let by_rules = self.joins.get(word)?;
            let lengths = tokens[..n_tokens].iter().map(ExactSizeIterator::len);
            lengths.eq(by_rules.iter().copied()).then(|| self.get(word)).flatten().map(|pieces| (n_tokens, pieces))
        })
    }
}

fn shared() -> impl Iterator<Item = String> {
    let faces = FACES.into_iter().flat_map(|(eyes, noses, mouths)| {
        let mouths = mouths.split(' ');
        mouths.flat_map(move |mouth| noses.iter().map(move |nose| format!("{eyes}{nose}{mouth}")))
    });
    let letters = ('a'..='z').map(|letter| format!("{letter}."));
    let degrees = "cfkCFK".chars().map(|letter| format!("°{CUT}{letter}{CUT}."));
    let others = OTHER_FACES.split_whitespace().chain(SIGNS.split_whitespace()).map(str::to_owned);
    faces.chain(letters).chain(degrees).chain(others)
}

/// The word with a small and with a capital first letter.
pub fn in_both_cases(word: &str) -> [String; 2] {
    let mut chars = word.chars();
    let capital = chars.next().map(|first| first.to_uppercase().chain(chars).collect());
    [word.to_owned(), capital.unwrap_or_default()]
}
