//! The coalitions of a design the other way round: for each player, one bit for each coalition.

use faer::Mat;

use super::coalitions::Coalitions;

const WORD_BITS: usize = u64::BITS as usize;

/// `[n_players × n_words]`; bit c of a player's row says whether the player is in coalition c. The representatives of the
/// pairs come first, then their complements; the bits past the last coalition are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitColumns {
    /// 2·n_pairs.
    pub n_coalitions: usize,
    pub n_words: usize,
    words: Vec<u64>,
}

impl BitColumns {
    pub fn of(coalitions: &Coalitions) -> Self {
        let n_pairs = coalitions.n_pairs();
        let n_words = (2 * n_pairs).div_ceil(WORD_BITS);
        let mut words = vec![0; coalitions.n_players * n_words];
        for pair_idx in 0..n_pairs {
            let representative = coalitions.pair(pair_idx);
            for (player_idx, row) in words.chunks_exact_mut(n_words).enumerate() {
                let is_present = representative[player_idx / WORD_BITS] >> (player_idx % WORD_BITS) & 1 == 1;
                let coalition_idx = if is_present { pair_idx } else { n_pairs + pair_idx };
                row[coalition_idx / WORD_BITS] |= 1 << (coalition_idx % WORD_BITS);
            }
        }
        Self { n_coalitions: 2 * n_pairs, n_words, words }
    }

    pub fn n_players(&self) -> usize {
        self.words.len() / self.n_words.max(1)
    }

    /// Coalitions with those that fill the last word.
    pub fn n_padded(&self) -> usize {
        self.n_words * WORD_BITS
    }

    /// `[n_words]`
    pub fn player(&self, player_idx: usize) -> &[u64] {
        &self.words[player_idx * self.n_words..][..self.n_words]
    }

    pub fn is_present(&self, coalition_idx: usize, player_idx: usize) -> bool {
        self.player(player_idx)[coalition_idx / WORD_BITS] >> (coalition_idx % WORD_BITS) & 1 == 1
    }

    /// `[present.len() × n_players]`, column by column: `present[i]` where a player is in coalition `start + i`, else
    /// `absent[i]`.
    pub(super) fn choose(&self, start: usize, present: &[f64], absent: &[f64]) -> Mat<f64> {
        let mut chosen = Mat::zeros(present.len(), self.n_players());
        for (player_idx, column) in chosen.col_iter_mut().enumerate() {
            let choices = present.iter().zip(absent).zip(start..);
            for (element, ((&present, &absent), coalition_idx)) in column.iter_mut().zip(choices) {
                *element = if self.is_present(coalition_idx, player_idx) { present } else { absent };
            }
        }
        chosen
    }

    /// `[n_players × n_words]`
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.words.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Kernel;
    use crate::shap::{Design, DesignLimits};

    #[test]
    fn bits_are_those_of_the_coalitions_and_nothing_follows_them() {
        let limits = DesignLimits { players_max: 100, operator_bytes_max: usize::MAX };
        for (n_players, n_samples) in [(0, 10), (1, 10), (2, 10), (5, 10), (12, 700), (70, 130)] {
            let design = Design::new(n_players, Some(n_samples), 3, Kernel::Shapley, limits).unwrap();
            let coalitions = Coalitions::of(&design);
            let columns = BitColumns::of(&coalitions);
            for player in 0..n_players {
                let is_present = |coalition| coalitions.is_present(coalition, player);
                let n_present = (0..columns.n_coalitions).filter(|&coalition| is_present(coalition)).count();
                let ones: u32 = columns.player(player).iter().map(|word| word.count_ones()).sum();
                assert_eq!(ones as usize, n_present);
                assert!((0..columns.n_coalitions).all(|c| columns.is_present(c, player) == is_present(c)));
            }
        }
    }
}
