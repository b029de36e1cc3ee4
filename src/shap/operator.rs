//! The operator: the whole regression of a design as one fixed matrix.
//!
//! Minimise Σ_S w(S)·(v(S) − v(∅) − Σ_{i∈S} φ_i)² subject to Σφ = Δ. With Q = I − 11ᵀ/M the solution is
//! φ = Δ/M·1 + (QGQ)⁺QZᵀW·d, G = ZᵀWZ, d_S = v(S) − v(∅) − Δ|S|/M (Covert & Lee 2021, section 3).
//! Q sends z and its complement to opposite vectors, so that both share a column and d becomes their difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use faer::{Mat, Side};

use super::bit_columns::BitColumns;
use super::coalitions::Coalitions;
use super::design::{Design, Estimator};
use super::kernel::{binomial, ln_weight};
use super::panels::Panels;
use super::trend;

/// Eigenvalues below this share of the largest count as zero: their directions keep the equal split.
const EIGENVALUE_FLOOR: f64 = 1e-12;

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
        let matrix = if design.is_double() {
            Matrix::Double(solve(&design, &coalitions, |a| a))
        } else {
            Matrix::Single(solve(&design, &coalitions, |a| a as f32))
        };
        let columns = BitColumns::of(&coalitions);
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

/// A's column of each pair, rounded once.
fn solve<T: Copy + Default + Send + Sync>(
    design: &Design,
    coalitions: &Coalitions,
    round: fn(f64) -> T,
) -> Panels<T> {
    let mut panels = Panels::zeros(design.n_pairs, design.n_players);
    let mut put = |pair, player, a| panels.set(pair, player, round(a));
    match design.estimator {
        Estimator::Enumerated => closed_form(design, coalitions, &mut put),
        Estimator::KernelShap => least_squares(design, coalitions, &mut put),
        Estimator::Trend => trend::solve(coalitions, &pair_weights(design, coalitions), &mut put),
    }
    panels
}

/// Takes pair, player and the operator's element.
pub(super) type Put<'a> = dyn FnMut(usize, usize, f64) + 'a;

/// Player i's centred membership z_i − |z|/M in a pair's representative.
fn centred(coalitions: &Coalitions, pair_idx: usize, player_idx: usize) -> f64 {
    let share = coalitions.size(pair_idx) as f64 / coalitions.n_players as f64;
    f64::from(u8::from(coalitions.contains(pair_idx, player_idx))) - share
}

/// All coalitions listed: A_i(S) = w(|S|)/c·(z_i − |S|/M) with c = Σ_s C(M−2, s−1)·w(s), for any weights by size.
fn closed_form(design: &Design, coalitions: &Coalitions, put: &mut Put) {
    let m = design.n_players;
    let weights: Vec<f64> =
        (0..m).map(|s| if s == 0 { 0.0 } else { ln_weight(design.kernel, m, s).exp() }).collect();
    let c: f64 = (1..m).map(|s| binomial(m.saturating_sub(2), s - 1) as f64 * weights[s]).sum();
    for pair in 0..coalitions.n_pairs() {
        let weight = weights[coalitions.size(pair)] / c;
        (0..m).for_each(|player| put(pair, player, weight * centred(coalitions, pair, player)));
    }
}

/// A = ½H⁺·(q_r·w_r) with q_r = Qz_r and H = Σ_r w_r·q_r·q_rᵀ, over the representatives alone.
/// The pseudo-inverse gives directions that no coalition tells apart the equal split.
/// Pairs are taken in blocks, so that float64 copies of the coalitions never stand in memory together.
fn least_squares(design: &Design, coalitions: &Coalitions, put: &mut Put) {
    const BLOCK_PAIRS: usize = 4096;
    let (m, n_pairs) = (design.n_players, coalitions.n_pairs());
    let weights = pair_weights(design, coalitions);
    let starts = || (0..n_pairs).step_by(BLOCK_PAIRS);
    let block = |start: usize, weight: &dyn Fn(usize) -> f64| {
        let n_here = BLOCK_PAIRS.min(n_pairs - start);
        Mat::from_fn(n_here, m, |row, player| weight(start + row) * centred(coalitions, start + row, player))
    };
    let mut gram = Mat::<f64>::zeros(m, m);
    for start in starts() {
        gram += block(start, &|_| 1.0).transpose() * block(start, &|pair| weights[pair]);
    }
    let inverse = half_pseudo_inverse(&gram);
    for start in starts() {
        let solved = block(start, &|pair| weights[pair]) * &inverse;
        for row in 0..solved.nrows() {
            (0..m).for_each(|player| put(start + row, player, solved[(row, player)]));
        }
    }
}

/// ½H⁺ of a symmetric positive semidefinite H.
pub(super) fn half_pseudo_inverse(gram: &Mat<f64>) -> Mat<f64> {
    let eigen =
        gram.self_adjoint_eigen(Side::Lower).expect("finite symmetric matrices have eigenvalues. This is a bug.");
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let m = gram.nrows();
    let floor = EIGENVALUE_FLOOR * (0..m).map(|i| values[i]).fold(0.0, f64::max);
    let scaled =
        Mat::from_fn(m, m, |row, i| if values[i] > floor { 0.5 * vectors[(row, i)] / values[i] } else { 0.0 });
    scaled * vectors.transpose()
}

/// Regression weights of the pairs, scaled so that the largest is 1 and none overflows.
pub(super) fn pair_weights(design: &Design, coalitions: &Coalitions) -> Vec<f64> {
    let counts = design.pairs_per_class();
    let by_class: Vec<f64> =
        counts.iter().enumerate().map(|(idx, &drawn)| design.ln_weight(idx + 1, drawn)).collect();
    let class = |pair| coalitions.size(pair).min(design.n_players - coalitions.size(pair)) - 1;
    let ln_weights: Vec<f64> = (0..coalitions.n_pairs()).map(|pair| by_class[class(pair)]).collect();
    let largest = ln_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    ln_weights.iter().map(|ln_weight| (ln_weight - largest).exp()).collect()
}
