//! Tokens one behind the other → the terms that they make: sequences of tokens that a vocabulary knows.

use std::hash::{BuildHasher, Hasher, RandomState};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Of tokens, of nodes and of terms: there is none.
const NONE: u32 = u32::MAX;

/// A tree of tokens. The node of a single token has the token's number.
#[derive(Debug)]
pub(in crate::model::embedded) struct Vocabulary {
    /// Where each token ends in `bytes`.
    ends: Vec<u32>,
    bytes: Vec<u8>,
    tokens: HashTable<u32>,
    /// Of nodes below others: parent, token, node.
    edges: HashTable<(u32, u32, u32)>,
    /// `[n_nodes]`, the term that ends there.
    terms: Vec<u32>,
    length_max: usize,
    /// No file can tell where in a table its words come to stand.
    key: u64,
}

/// An n-gram stands in a vocabulary twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::embedded) struct Twice;

/// The last tokens of a text, as nodes of sequences that may go on.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    open: Vec<u32>,
}

impl Vocabulary {
    /// Terms by their tokens, at least one each.
    pub(in crate::model::embedded) fn new<'a>(
        terms: impl Iterator<Item = (&'a [String], u32)> + Clone,
    ) -> Result<Self, Twice> {
        let key = RandomState::new().build_hasher().finish();
        let mut vocabulary = Self {
            ends: Vec::new(),
            bytes: Vec::new(),
            tokens: HashTable::new(),
            edges: HashTable::new(),
            terms: Vec::new(),
            length_max: 0,
            key,
        };
        // All single tokens come first, so that their nodes have their numbers.
        terms.clone().flat_map(|(tokens, _)| tokens).for_each(|token| vocabulary.push_token(token.as_bytes()));
        vocabulary.terms = vec![NONE; vocabulary.ends.len()];
        for (tokens, term) in terms {
            vocabulary.length_max = vocabulary.length_max.max(tokens.len());
            let node = vocabulary.push_node(tokens);
            if vocabulary.terms[node as usize] != NONE {
                return Err(Twice);
            }
            vocabulary.terms[node as usize] = term;
        }
        Ok(vocabulary)
    }

    fn push_token(&mut self, token: &[u8]) {
        if self.token(token) != NONE {
            return;
        }
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len() as u32);
        let (key, ends, bytes) = (self.key, &self.ends, &self.bytes);
        let hash = |&number: &u32| xxh3_64_with_seed(token_at(ends, bytes, number), key);
        self.tokens.insert_unique(xxh3_64_with_seed(token, key), number, hash);
    }

    fn push_node(&mut self, tokens: &[String]) -> u32 {
        let numbers: Vec<u32> = tokens.iter().map(|token| self.token(token.as_bytes())).collect();
        numbers[1..].iter().fold(numbers[0], |parent, &token| match self.child(parent, token) {
            NONE => {
                let node = self.terms.len() as u32;
                self.terms.push(NONE);
                let key = self.key;
                let hash = |&(parent, token, _): &(u32, u32, u32)| edge_hash(parent, token, key);
                self.edges.insert_unique(edge_hash(parent, token, key), (parent, token, node), hash);
                node
            }
            node => node,
        })
    }

    fn token(&self, token: &[u8]) -> u32 {
        let is_same = |&number: &u32| token_at(&self.ends, &self.bytes, number) == token;
        self.tokens.find(xxh3_64_with_seed(token, self.key), is_same).copied().unwrap_or(NONE)
    }

    fn child(&self, parent: u32, token: u32) -> u32 {
        let is_same = |&(own, other, _): &(u32, u32, u32)| (own, other) == (parent, token);
        let edge = self.edges.find(edge_hash(parent, token, self.key), is_same);
        edge.map_or(NONE, |&(_, _, node)| node)
    }

    /// Takes the next token of a text, and gives all terms that end with it.
    pub(super) fn push(&self, sequences: &mut Sequences, token: &[u8], mut found: impl FnMut(u32)) {
        let token = self.token(token);
        if token == NONE {
            sequences.open.clear();
            return;
        }
        let mut give = |node: u32| {
            let term = self.terms[node as usize];
            if term != NONE {
                found(term);
            }
        };
        if self.length_max > 1 {
            sequences.open.retain_mut(|node| {
                *node = self.child(*node, token);
                if *node != NONE {
                    give(*node);
                }
                *node != NONE
            });
            sequences.open.push(token);
        }
        give(token);
    }
}

impl Sequences {
    /// Before the first token of a text.
    pub(super) fn begin(&mut self) {
        self.open.clear();
    }
}

fn token_at<'a>(ends: &[u32], bytes: &'a [u8], number: u32) -> &'a [u8] {
    let start = number.checked_sub(1).map_or(0, |before| ends[before as usize]);
    &bytes[start as usize..ends[number as usize] as usize]
}

/// Both numbers and the key, mixed (Fibonacci hashing, Knuth, TAOCP 3, 6.4).
fn edge_hash(parent: u32, token: u32, key: u64) -> u64 {
    let both = (u64::from(parent) << 32 | u64::from(token)) ^ key;
    let mixed = both.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(terms: &[&str]) -> Result<Vocabulary, Twice> {
        let terms: Vec<Vec<String>> =
            terms.iter().map(|term| term.split(' ').map(str::to_owned).collect()).collect();
        Vocabulary::new(terms.iter().zip(0..).map(|(tokens, term)| (tokens.as_slice(), term)))
    }

    #[test]
    fn terms_are_found_where_their_tokens_follow_each_other() {
        let terms = ["a", "b", "a b", "b a c", "c a b"];
        let known = vocabulary(&terms).expect("no term is there twice");
        for (text, expected) in [
            ("", vec![]),
            ("a b", vec!["a", "a b", "b"]),
            ("b a c a b", vec!["b", "a", "b a c", "a", "c a b", "a b", "b"]),
            ("a x b", vec!["a", "b"]),
            ("c c a", vec!["a"]),
        ] {
            let (mut sequences, mut found) = (Sequences::default(), Vec::new());
            sequences.begin();
            for token in text.split_terminator(' ') {
                known.push(&mut sequences, token.as_bytes(), |term| found.push(terms[term as usize]));
            }
            assert_eq!(found, expected, "{text}");
        }
        assert!(matches!(vocabulary(&["a b", "c", "a b"]), Err(Twice)));
    }
}
