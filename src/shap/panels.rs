//! A matrix cut into panels of 16 columns, the one layout that every product reads, on any device.

use rayon::prelude::*;

/// Columns of one panel: the 16 float32 of one cache line, or of one AVX-512 register.
pub const PANEL_WIDTH: usize = 16;

/// Rows packed at a time: 16 lanes are written one after the other into cache lines that are still near.
const PACK_ROWS: usize = 64;

/// `[n_rows × n_columns]` stored as `[n_panels × n_rows × 16]`; columns past the last are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels<T> {
    pub n_rows: usize,
    pub n_columns: usize,
    pub data: Vec<T>,
}

impl<T: Copy + Default + Send + Sync> Panels<T> {
    /// Packs columns of `n_rows` elements each. Panics when a column has another length.
    pub fn from_columns<C: AsRef<[T]> + Sync>(n_rows: usize, columns: &[C]) -> Self {
        let mut panels = Self::zeros(n_rows, columns.len());
        if n_rows > 0 {
            let data = panels.data.par_chunks_exact_mut(n_rows * PANEL_WIDTH);
            data.zip(columns.par_chunks(PANEL_WIDTH)).for_each(|(panel, columns)| fill_panel(panel, columns));
        }
        panels
    }

    pub fn zeros(n_rows: usize, n_columns: usize) -> Self {
        let data = vec![T::default(); n_columns.div_ceil(PANEL_WIDTH) * n_rows * PANEL_WIDTH];
        Self { n_rows, n_columns, data }
    }

    /// Writes one row, `[n_columns]`.
    pub fn set_row<E: Copy>(&mut self, row: usize, elements: &[E], round: impl Fn(E) -> T) {
        for (panel_idx, elements) in elements.chunks(PANEL_WIDTH).enumerate() {
            let lanes = &mut self.data[(panel_idx * self.n_rows + row) * PANEL_WIDTH..][..PANEL_WIDTH];
            lanes.iter_mut().zip(elements).for_each(|(lane, &element)| *lane = round(element));
        }
    }

    pub fn n_panels(&self) -> usize {
        self.n_columns.div_ceil(PANEL_WIDTH)
    }

    /// `[n_rows × 16]`, row-major.
    pub fn panel(&self, panel_idx: usize) -> &[T] {
        let panel_len = self.n_rows * PANEL_WIDTH;
        &self.data[panel_idx * panel_len..][..panel_len]
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.data.as_slice())
    }
}

fn fill_panel<T: Copy, C: AsRef<[T]>>(panel: &mut [T], columns: &[C]) {
    let n_rows = panel.len() / PANEL_WIDTH;
    let is_whole = columns.iter().all(|column| column.as_ref().len() == n_rows);
    assert!(is_whole, "a column of another height. This is a bug.");
    for (block_idx, rows) in panel.chunks_mut(PACK_ROWS * PANEL_WIDTH).enumerate() {
        for (lane, column) in columns.iter().enumerate() {
            let elements = &column.as_ref()[block_idx * PACK_ROWS..];
            for (row, &element) in rows.chunks_exact_mut(PANEL_WIDTH).zip(elements) {
                row[lane] = element;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_land_in_their_lane_and_the_rest_is_zero() {
        let columns: Vec<[f32; 2]> = (0..17).map(|c| [c as f32, c as f32 + 0.5]).collect();
        let panels = Panels::from_columns(2, &columns);
        assert_eq!((panels.n_panels(), panels.data.len()), (2, 64));
        assert_eq!(panels.panel(0)[16 + 3], 3.5);
        assert_eq!(panels.panel(1)[..2], [16.0, 0.0]);
    }

    #[test]
    fn no_columns_and_no_rows_are_legal() {
        assert_eq!(Panels::<f32>::from_columns::<[f32; 3]>(3, &[]).data.len(), 0);
        assert_eq!(Panels::<f32>::from_columns(0, &[[0.0; 0]; 5]).n_panels(), 1);
    }
}
