//! Some records and some baseline rows that go through the kernels together.

use super::store::Slice;

pub(super) struct Passage {
    pub(super) n_records: usize,
    pub(super) n_rows: usize,
    pub(super) first_row: usize,
    pub(super) n_outputs: usize,
    /// `[n_records × n_keys]` or `[n_records × n_inputs]`, each with its player.
    pub(super) records: Slice,
    /// `[n_records × n_rows × n_outputs × n_quads × 4]`, what their kernels write.
    pub(super) margins: Slice,
}

impl Passage {
    pub(super) fn n_games(&self) -> usize {
        self.n_records * self.n_rows
    }
}
