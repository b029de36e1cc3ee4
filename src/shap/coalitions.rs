//! The coalitions of a design, as bits: one representative of each pair {z, complement of z}.

use std::collections::BTreeSet;

use super::design::{Design, class_pairs};
use super::philox::Draw;

const WORD_BITS: usize = u64::BITS as usize;

/// `[n_pairs × n_words]` bits; bit i of a row says whether player i is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coalitions {
    pub n_players: usize,
    n_words: usize,
    words: Vec<u64>,
    /// Players present in each representative.
    sizes: Vec<u32>,
}

impl Coalitions {
    /// Deterministic: the same design gives the same coalitions, on any machine.
    pub(super) fn of(design: &Design) -> Self {
        let n_players = design.n_players;
        let n_words = n_players.div_ceil(WORD_BITS).max(1);
        let mut words = Vec::with_capacity(design.n_pairs * n_words);
        for (idx, drawn) in design.pairs_per_class().into_iter().enumerate() {
            for coalition in class_sample(n_players, idx + 1, drawn, design.seed) {
                words.extend_from_slice(&coalition);
            }
        }
        let sizes =
            words.chunks_exact(n_words).map(|pair| pair.iter().map(|word| word.count_ones()).sum()).collect();
        Self { n_players, n_words, words, sizes }
    }

    pub fn n_pairs(&self) -> usize {
        self.sizes.len()
    }

    /// Bits of the representative of a pair, 64 players to a word, player 0 lowest.
    pub fn pair(&self, pair_idx: usize) -> &[u64] {
        &self.words[pair_idx * self.n_words..][..self.n_words]
    }

    /// Number of players present in the representative of a pair.
    pub fn size(&self, pair_idx: usize) -> usize {
        self.sizes[pair_idx] as usize
    }

    /// Number of players present in the representative of each pair.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    pub fn contains(&self, pair_idx: usize, player_idx: usize) -> bool {
        has(self.pair(pair_idx), player_idx)
    }

    /// Whether a player is present in a coalition: the pairs' representatives come first, then their complements.
    pub fn is_present(&self, coalition_idx: usize, player_idx: usize) -> bool {
        let n_pairs = self.n_pairs();
        self.contains(coalition_idx % n_pairs, player_idx) != (coalition_idx >= n_pairs)
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.words.as_slice()) + size_of_val(self.sizes.as_slice())
    }
}

fn has(bits: &[u64], player_idx: usize) -> bool {
    bits[player_idx / WORD_BITS] >> (player_idx % WORD_BITS) & 1 == 1
}

fn flip(bits: &mut [u64], player_idx: usize) {
    bits[player_idx / WORD_BITS] ^= 1 << (player_idx % WORD_BITS);
}

/// `drawn` distinct pairs of a class, sorted. Where more than half are wanted, those left out are drawn.
fn class_sample(n_players: usize, size: usize, drawn: u64, seed: i64) -> Vec<Vec<u64>> {
    let available = class_pairs(n_players, size);
    if drawn <= available / 2 {
        return draw_distinct(n_players, size, drawn, seed).into_iter().collect();
    }
    let omitted = draw_distinct(n_players, size, available - drawn, seed);
    let mut all = whole_class(n_players, size);
    all.retain(|coalition| !omitted.contains(coalition));
    all
}

/// At most half of a class is asked for, so that a draw repeats an earlier one at most every second time.
fn draw_distinct(n_players: usize, size: usize, n_wanted: u64, seed: i64) -> BTreeSet<Vec<u64>> {
    let mut found = BTreeSet::new();
    let mut draw_idx = 0;
    while (found.len() as u64) < n_wanted {
        found.insert(random_pair(n_players, size, Draw::new(seed, size as u32, draw_idx)));
        draw_idx += 1;
    }
    found
}

/// A uniform subset by Floyd's method (Bentley & Floyd, "A sample of brilliance", 1987), as its pair's representative.
fn random_pair(n_players: usize, size: usize, mut draw: Draw) -> Vec<u64> {
    let mut bits = vec![0; n_players.div_ceil(WORD_BITS)];
    for last in n_players - size..n_players {
        let candidate = draw.below(last as u32 + 1) as usize;
        let player_idx = if has(&bits, candidate) { last } else { candidate };
        flip(&mut bits, player_idx);
    }
    if 2 * size == n_players && !has(&bits, 0) {
        (0..n_players).for_each(|player_idx| flip(&mut bits, player_idx));
    }
    bits
}

/// All pairs of a class; of two halves the one with player 0 stands for the pair.
fn whole_class(n_players: usize, size: usize) -> Vec<Vec<u64>> {
    let is_half = 2 * size == n_players;
    let mut class = Vec::new();
    let mut chosen: Vec<usize> = (0..size).collect();
    loop {
        if is_half && chosen[0] != 0 {
            break;
        }
        let mut bits = vec![0; n_players.div_ceil(WORD_BITS)];
        chosen.iter().for_each(|&player_idx| flip(&mut bits, player_idx));
        class.push(bits);
        if !next_combination(&mut chosen, n_players) {
            break;
        }
    }
    class.sort_unstable();
    class
}

/// Steps to the next increasing list of indexes below `n`; false after the last.
fn next_combination(chosen: &mut [usize], n: usize) -> bool {
    let size = chosen.len();
    let Some(place) = (0..size).rev().find(|&place| chosen[place] < n - size + place) else {
        return false;
    };
    chosen[place] += 1;
    for later in place + 1..size {
        chosen[later] = chosen[later - 1] + 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Kernel;
    use crate::shap::DesignLimits;

    fn coalitions(n_players: usize, number_of_samples: Option<u64>, seed: i64) -> Coalitions {
        let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
        let design = Design::new(n_players, number_of_samples, seed, Kernel::Shapley, limits);
        Coalitions::of(&design.expect("no limit is met"))
    }

    /// Every coalition of a design with its complement, as sets of players.
    fn both_sides(coalitions: &Coalitions) -> Vec<Vec<bool>> {
        let side = |pair_idx, present| {
            (0..coalitions.n_players).map(|player| coalitions.contains(pair_idx, player) == present).collect()
        };
        (0..coalitions.n_pairs()).flat_map(|pair_idx| [side(pair_idx, true), side(pair_idx, false)]).collect()
    }

    #[test]
    fn no_coalition_is_empty_full_or_met_twice() {
        for (n_players, budget) in
            [(2, None), (5, None), (11, None), (12, Some(4000)), (13, None), (30, None), (70, Some(300))]
        {
            let all = both_sides(&coalitions(n_players, budget, 7));
            let distinct: BTreeSet<&Vec<bool>> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "{n_players} players");
            let sizes = all.iter().map(|side| side.iter().filter(|&&present| present).count());
            assert!(sizes.clone().all(|size| size > 0 && size < n_players), "{n_players} players");
        }
    }

    #[test]
    fn a_listing_has_every_coalition() {
        for n_players in 1..=10 {
            assert_eq!(2 * coalitions(n_players, None, 0).n_pairs(), (1 << n_players) - 2);
        }
    }

    #[test]
    fn a_seed_fixes_the_coalitions_and_another_changes_them() {
        assert_eq!(coalitions(30, None, 3), coalitions(30, None, 3));
        assert_ne!(coalitions(30, None, 3), coalitions(30, None, 4));
    }

    #[test]
    fn players_appear_evenly() {
        let coalitions = coalitions(64, Some(20_000), 1);
        for player in 0..64 {
            let n_present = (0..coalitions.n_pairs()).filter(|&pair| coalitions.contains(pair, player)).count();
            let mean: usize = (0..coalitions.n_pairs()).map(|pair| coalitions.size(pair)).sum::<usize>() / 64;
            assert!(n_present.abs_diff(mean) < mean / 5, "player {player}: {n_present} of mean {mean}");
        }
    }
}
