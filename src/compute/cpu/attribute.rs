//! Twin of `shaders/attribute.wgsl`: attributions = operatorᵀ · columns, for many records at once.
//!
//! Each result is summed in one order, whatever the batch, the thread count or the vector width:
//! blocks of 32 rows one after the other, the sums of the blocks one after the other. Lanes are records,
//! so neighbours never meet. Products are rounded before they are added: no fused multiply-add.

use std::ops::{AddAssign, Mul};

use rayon::prelude::*;

use super::Instructions;
use super::instructions::Kernel;
use crate::shap::{PANEL_WIDTH, Panels};

/// Rows summed before their sum joins the total; also the shader's `BLOCK_ROWS`.
pub const BLOCK_ROWS: usize = 32;

/// Below this many multiplications, about 80 µs, waking other threads takes longer than they save.
const PARALLEL_PRODUCTS_MIN: usize = 1 << 22;

/// float32 for sampled designs, float64 for listings.
pub trait Element: Copy + Default + Send + Sync + Mul<Output = Self> + AddAssign {}
impl Element for f32 {}
impl Element for f64 {}

/// `operator` is `[n_pairs × n_players]`, `columns` `[n_pairs × n_columns]`; the result `[n_columns × n_players]`.
pub fn attribute<T: Element>(instructions: Instructions, operator: &Panels<T>, columns: &Panels<T>) -> Vec<T> {
    assert_eq!(operator.n_rows, columns.n_rows, "operator and columns of different pairs. This is a bug.");
    let n_players = operator.n_columns;
    let mut result = vec![T::default(); columns.n_columns * n_players];
    if n_players == 0 {
        return result;
    }
    let fill = |(panel_idx, result): (usize, &mut [T])| {
        let columns = columns.panel(panel_idx);
        instructions.run(Panel { operator, columns, result, is_narrow: instructions.is_baseline() });
    };
    if columns.data.len() * n_players < PARALLEL_PRODUCTS_MIN {
        result.chunks_mut(PANEL_WIDTH * n_players).enumerate().for_each(fill);
    } else {
        result.par_chunks_mut(PANEL_WIDTH * n_players).enumerate().for_each(fill);
    }
    result
}

/// Up to 16 columns of the result: `[n_columns_here × n_players]`.
struct Panel<'a, T> {
    operator: &'a Panels<T>,
    columns: &'a [T],
    result: &'a mut [T],
    is_narrow: bool,
}

impl<T: Element> Kernel for Panel<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { operator, columns, result, is_narrow } = self;
        if is_narrow {
            panel_in_tiles::<T, 2>(operator, columns, result);
        } else {
            panel_in_tiles::<T, 4>(operator, columns, result);
        }
    }
}

/// A tile is `PLAYERS` × 16 sums: as many as stay in registers. From 8 players on, the compiler makes vectors
/// of players instead of columns, and gathers.
#[inline(always)]
fn panel_in_tiles<T: Element, const PLAYERS: usize>(operator: &Panels<T>, columns: &[T], result: &mut [T]) {
    let n_players = operator.n_columns;
    let (columns, _) = columns.as_chunks();
    for first in (0..n_players).step_by(PLAYERS) {
        let (players, _) = operator.panel(first / PANEL_WIDTH).as_chunks();
        let sums: Tile<T, PLAYERS> = tile_sums(players, first % PANEL_WIDTH, columns);
        for (column_idx, column) in result.chunks_exact_mut(n_players).enumerate() {
            for (attribution, player_sums) in column[first..].iter_mut().zip(&sums) {
                *attribution = player_sums[column_idx];
            }
        }
    }
}

/// A row of a panel.
type Lanes<T> = [T; PANEL_WIDTH];

type Tile<T, const PLAYERS: usize> = [Lanes<T>; PLAYERS];

#[inline(always)]
fn tile_sums<T: Element, const PLAYERS: usize>(
    players: &[Lanes<T>],
    offset: usize,
    columns: &[Lanes<T>],
) -> Tile<T, PLAYERS> {
    let mut totals = [[T::default(); PANEL_WIDTH]; PLAYERS];
    for (players, columns) in players.chunks(BLOCK_ROWS).zip(columns.chunks(BLOCK_ROWS)) {
        let sums: Tile<T, PLAYERS> = block_sums(players, offset, columns);
        for (total, sum) in totals.iter_mut().zip(&sums) {
            for (total, &sum) in total.iter_mut().zip(sum) {
                *total += sum;
            }
        }
    }
    totals
}

#[inline(always)]
fn block_sums<T: Element, const PLAYERS: usize>(
    players: &[Lanes<T>],
    offset: usize,
    columns: &[Lanes<T>],
) -> Tile<T, PLAYERS> {
    let mut sums = [[T::default(); PANEL_WIDTH]; PLAYERS];
    for (weights, values) in players.iter().zip(columns) {
        for (sum, &weight) in sums.iter_mut().zip(&weights[offset..offset + PLAYERS]) {
            for (sum, &value) in sum.iter_mut().zip(values) {
                *sum += weight * value;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, so that every sum is exact in any order.
    fn panels(n_rows: usize, n_columns: usize, salt: usize) -> Panels<f32> {
        let element = |row: usize, column: usize| ((row * 7 + column * 3 + salt) % 11) as f32 - 5.0;
        let columns: Vec<Vec<f32>> =
            (0..n_columns).map(|column| (0..n_rows).map(|row| element(row, column)).collect()).collect();
        Panels::from_columns(n_rows, &columns)
    }

    fn at(panels: &Panels<f32>, row: usize, column: usize) -> f32 {
        panels.panel(column / PANEL_WIDTH)[row * PANEL_WIDTH + column % PANEL_WIDTH]
    }

    #[test]
    fn every_shape_equals_the_product_by_definition() {
        for instructions in Instructions::available() {
            for (n_rows, n_players, n_columns) in [
                (0, 3, 2),
                (1, 1, 1),
                (31, 7, 15),
                (32, 8, 16),
                (33, 9, 17),
                (65, 30, 33),
                (100, 17, 64),
                (5, 0, 4),
                (1100, 40, 130), // on several threads
            ] {
                let (operator, columns) = (panels(n_rows, n_players, 1), panels(n_rows, n_columns, 4));
                let result = attribute(instructions, &operator, &columns);
                assert_eq!(result.len(), n_columns * n_players);
                for (idx, &got) in result.iter().enumerate() {
                    let (column, player) = (idx / n_players, idx % n_players);
                    let want: f32 = (0..n_rows).map(|r| at(&operator, r, player) * at(&columns, r, column)).sum();
                    assert_eq!(got, want, "{instructions:?} {n_rows}×{n_players}×{n_columns}");
                }
            }
        }
    }
}
