//! The operator: the whole regression of a design as one fixed matrix.
//!
//! Minimise Σ_S w(S)·(v(S) − v(∅) − Σ_{i∈S} φ_i)² subject to Σφ = Δ. With Q = I − 11ᵀ/M the solution is
//! φ = Δ/M·1 + (QGQ)⁺QZᵀW·d, G = ZᵀWZ, d_S = v(S) − v(∅) − Δ|S|/M (Covert & Lee 2021, section 3).
//! Q sends z and its complement to opposite vectors, so that both share a column and d becomes their difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use faer::{Mat, MatRef};

use super::bit_columns::BitColumns;
use super::coalitions::Coalitions;
use super::design::{Design, Estimator};
use super::kernel::{binomial, ln_weight};
use super::panels::Panels;
use super::symmetric::{add_square, half_pseudo_inverse};
use super::trend;

/// Pairs whose coalitions are written out as float64 at a time.
const BLOCK_PAIRS: usize = 1024;

/// A transposed: `[n_pairs × n_players]` in panels of players.
pub enum Matrix {
    /// Solved in float64, rounded once; for a device.
    Single(Panels<f32>),
    /// For the host; see [`Design::is_double`].
    Double(Panels<f64>),
}

/// attributions = Δ/M + A·(differences of the pairs).
pub struct Operator {
    /// Never used twice in a process: what a device knows it by.
    pub id: u64,
    pub design: Design,
    pub coalitions: Arc<Coalitions>,
    /// The same coalitions, by player.
    pub columns: BitColumns,
    pub matrix: Matrix,
}

impl Operator {
    pub fn of(design: Design) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let coalitions = Coalitions::of(&design);
        let columns = BitColumns::of(&coalitions);
        let regression = Regression { design: &design, coalitions: &coalitions, columns: &columns };
        let matrix = if design.is_double() {
            Matrix::Double(regression.solve(|a| a))
        } else {
            Matrix::Single(regression.solve(|a| a as f32))
        };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { id, design, coalitions: Arc::new(coalitions), columns, matrix }
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.coalitions.bytes()
            + self.columns.bytes()
            + match &self.matrix {
                Matrix::Single(panels) => panels.bytes(),
                Matrix::Double(panels) => panels.bytes(),
            }
    }
}

/// Takes a pair and the operator's elements for it, `[n_players]`.
pub(super) type Put<'a> = dyn FnMut(usize, &[f64]) + 'a;

/// What an operator is solved from.
pub(super) struct Regression<'a> {
    pub(super) design: &'a Design,
    pub(super) coalitions: &'a Coalitions,
    pub(super) columns: &'a BitColumns,
}

impl Regression<'_> {
    /// A's column of each pair, rounded once.
    fn solve<T: Copy + Default + Send + Sync>(&self, round: fn(f64) -> T) -> Panels<T> {
        let mut panels = Panels::zeros(self.design.n_pairs, self.design.n_players);
        let mut put = |pair, elements: &[f64]| panels.set_row(pair, elements, round);
        match self.design.estimator {
            Estimator::Enumerated => self.closed_form(&mut put),
            Estimator::KernelShap => self.least_squares(&mut put),
            Estimator::Trend => trend::solve(self, &mut put),
        }
        panels
    }

    /// All coalitions listed: A_i(S) = w(|S|)/c·(z_i − |S|/M) with c = Σ_s C(M−2, s−1)·w(s), for any weights by size.
    fn closed_form(&self, put: &mut Put) {
        let (m, kernel) = (self.design.n_players, self.design.kernel);
        let weights: Vec<f64> = (0..m).map(|s| if s == 0 { 0.0 } else { ln_weight(kernel, m, s).exp() }).collect();
        let c: f64 = (1..m).map(|s| binomial(m.saturating_sub(2), s - 1) as f64 * weights[s]).sum();
        self.in_blocks(
            |pair| weights[self.coalitions.size(pair)] / c,
            |start, block| put_rows(start, block.as_ref(), put),
        );
    }

    /// A = H⁺Bᵀ·√W/2 with H = BᵀB, over the representatives alone: row r of B is √w_r·Qz_r.
    /// The pseudo-inverse gives directions that no coalition tells apart the equal split.
    fn least_squares(&self, put: &mut Put) {
        let roots: Vec<f64> = self.pair_weights().iter().map(|weight| weight.sqrt()).collect();
        let half_inverse = half_pseudo_inverse(&self.gram(&roots));
        self.in_blocks(
            |pair| roots[pair],
            |start, block| {
                let mut solved = block * &half_inverse;
                for column in solved.col_iter_mut() {
                    column.iter_mut().zip(&roots[start..]).for_each(|(element, root)| *element *= root);
                }
                put_rows(start, solved.as_ref(), put);
            },
        );
    }

    /// H, and the direction that it lacks.
    fn gram(&self, roots: &[f64]) -> Mat<f64> {
        let mut gram = Mat::zeros(self.design.n_players, self.design.n_players);
        self.in_blocks(|pair| roots[pair], |_, block| add_square(&mut gram, &block));
        add_equal_gains(&mut gram);
        gram
    }

    /// Gives blocks of pairs to `take`, a row scale(pair)·Qz for each pair: float64 copies of all coalitions never stand in
    /// memory together.
    fn in_blocks(&self, scale: impl Fn(usize) -> f64, mut take: impl FnMut(usize, Mat<f64>)) {
        for start in (0..self.design.n_pairs).step_by(BLOCK_PAIRS) {
            let pairs = start..self.design.n_pairs.min(start + BLOCK_PAIRS);
            let share = |pair| self.coalitions.size(pair) as f64 / self.design.n_players as f64;
            let present: Vec<f64> = pairs.clone().map(|pair| scale(pair) * (1.0 - share(pair))).collect();
            let absent: Vec<f64> = pairs.map(|pair| scale(pair) * (0.0 - share(pair))).collect();
            take(start, self.columns.choose(start, &present, &absent));
        }
    }

    /// Regression weights of the pairs, scaled so that the largest is 1 and none overflows.
    pub(super) fn pair_weights(&self) -> Vec<f64> {
        let Self { design, coalitions, .. } = self;
        let counts = design.pairs_per_class();
        let by_class: Vec<f64> =
            counts.iter().enumerate().map(|(idx, &drawn)| design.ln_weight(idx + 1, drawn)).collect();
        let class = |pair| coalitions.size(pair).min(design.n_players - coalitions.size(pair)) - 1;
        let ln_weights: Vec<f64> = (0..coalitions.n_pairs()).map(|pair| by_class[class(pair)]).collect();
        let largest = ln_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        ln_weights.iter().map(|ln_weight| (ln_weight - largest).exp()).collect()
    }
}

/// What least squares hold: a block of pairs and what it is solved to, H with its factor and inverse.
pub(super) fn solving_bytes(n_pairs: usize, n_players: usize) -> usize {
    let n_rows = (2 * n_pairs.min(BLOCK_PAIRS)).saturating_add(n_players.saturating_mul(3));
    n_rows.saturating_mul(n_players).saturating_mul(size_of::<f64>())
}

/// Puts the rows of a matrix for the pairs from `start` on.
pub(super) fn put_rows(start: usize, rows: MatRef<f64>, put: &mut Put) {
    let mut elements = vec![0.0; rows.ncols()];
    for (idx, row) in rows.row_iter().enumerate() {
        elements.iter_mut().zip(row.iter()).for_each(|(element, &solved)| *element = solved);
        put(start + idx, &elements);
    }
}

/// H + h·11ᵀ/M, h its mean eigenvalue. All rows of B add up to nothing, so that H lacks this direction and its inverse there
/// meets only zeros; with it, H is regular as soon as the coalitions tell all players apart.
fn add_equal_gains(gram: &mut Mat<f64>) {
    let m = gram.nrows() as f64;
    let gain = (0..gram.nrows()).map(|player| gram[(player, player)]).sum::<f64>() / m / m;
    gram.col_iter_mut().for_each(|column| column.iter_mut().for_each(|element| *element += gain));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kernel, SampledEstimator};
    use crate::shap::symmetric::{half_inverse, half_inverse_by_eigenvalues};
    use crate::shap::{DesignLimits, Method};

    fn design(n_players: usize, n_samples: Option<u64>, kernel: Kernel, estimator: SampledEstimator) -> Design {
        let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
        Design::new(n_players, n_samples, 3, Method { kernel, estimator }, limits).expect("no limit is met")
    }

    fn gram(design: &Design) -> Mat<f64> {
        let coalitions = Coalitions::of(design);
        let regression = Regression { design, coalitions: &coalitions, columns: &BitColumns::of(&coalitions) };
        let roots: Vec<f64> = regression.pair_weights().iter().map(|weight| weight.sqrt()).collect();
        regression.gram(&roots)
    }

    #[test]
    fn least_squares_of_usual_games_need_no_eigenvalues() {
        for kernel in [Kernel::Shapley, Kernel::Clarify] {
            for n_players in [12, 30, 128, 512] {
                let gram = gram(&design(n_players, None, kernel, SampledEstimator::KernelShap));
                assert!(half_inverse(&gram).is_some(), "{n_players} players, {kernel:?}");
            }
        }
    }

    #[test]
    fn both_ways_to_an_inverse_agree_where_both_can_be_gone() {
        for (n_players, n_samples) in [(12, None), (30, Some(80)), (64, None), (100, Some(210))] {
            let design = design(n_players, n_samples, Kernel::Shapley, SampledEstimator::KernelShap);
            let gram = gram(&design);
            let direct = half_inverse(&gram).expect("is regular");
            let apart = (&direct - half_inverse_by_eigenvalues(&gram)).norm_max();
            assert!(apart < 1e-11 * direct.norm_max(), "{n_players} players: {apart:e}");
        }
    }

    #[test]
    fn fewer_pairs_than_players_are_left_to_eigenvalues() {
        for n_samples in [2, 20, 56] {
            let design = design(30, Some(n_samples), Kernel::Shapley, SampledEstimator::KernelShap);
            assert!(half_inverse(&gram(&design)).is_none(), "{n_samples} samples of 30 players");
        }
    }

    #[test]
    fn an_operator_has_the_same_bits_whatever_the_number_of_threads() {
        for estimator in [SampledEstimator::KernelShap, SampledEstimator::Trend] {
            let design = design(200, None, Kernel::Shapley, estimator);
            let bits = |n_threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
                let Matrix::Single(panels) = pool.install(|| Operator::of(design)).matrix else {
                    panic!("2048 samples are many for 200 players");
                };
                panels.data.iter().map(|element| element.to_bits()).collect::<Vec<u32>>()
            };
            assert!(bits(1) == bits(3), "{estimator:?}");
        }
    }
}
