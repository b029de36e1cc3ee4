//! What games of one design have in common, on the device.

use super::kernel::Context;
use super::store::Slice;
use crate::compute::cpu::scores::trends;
use crate::shap::Operator;

/// Coalitions of one word of bits, in fours.
const WORD_QUADS: usize = 8;

pub(super) struct DesignBuffers {
    /// Of 32 coalitions, even.
    n_words: usize,
    /// `[n_players × n_words]`
    pub(super) columns: Slice,
    /// `[n_pairs]`
    pub(super) trends: Slice,
}

/// Bytes that `DesignBuffers` take.
pub(super) fn bytes(operator: &Operator) -> usize {
    operator.columns.bytes() + size_of::<f32>() * operator.design.n_pairs
}

impl DesignBuffers {
    pub(super) fn upload(context: &Context, operator: &Operator) -> Self {
        let halves = |&word: &u64| [word as u32, (word >> u32::BITS) as u32];
        let words: Vec<u32> = operator.columns.words().iter().flat_map(halves).collect();
        let trends = trends(operator.design.n_players);
        let of_pairs: Vec<f32> = operator.coalitions.sizes().iter().map(|&size| trends[size as usize]).collect();
        Self {
            n_words: 2 * operator.columns.n_words,
            columns: context.keep("design.columns", &words),
            trends: context.keep("design.trends", &of_pairs),
        }
    }

    /// Coalitions in fours, with those that fill the last word.
    pub(super) fn n_quads(&self) -> usize {
        self.n_words * WORD_QUADS
    }
}
