//! The estimator `trend`: pairs of coalitions and their weights → the operator of a universal kriging.
//!
//! The half-difference of a pair, d(z) = (v(z) − v(complement of z))/2, is Σ c_T·Π_{i∈T} s_i over odd sets T, with signs
//! s = 1 − 2z. Its linear part is free; each c_T of order k ≥ 3 has prior variance ρ^k, ρ = 2/M; a pair is measured with
//! noise η over its weight, the pair (everybody, nobody) without. φ_i = −2·Σ_{T∋i} c_T/|T| (universal kriging: Cressie,
//! "Statistics for Spatial Data", 1993; Gaussian processes over coalitions: Rundel et al., "ShaplEIG", 2026).

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::coalitions::Coalitions;
use super::operator::{Put, half_pseudo_inverse};
use super::quadrature::integral;

/// Samples of one design: an operator takes time in the cube and memory in the square of them.
pub(super) const SAMPLES_MAX: u64 = 8_192;

/// η: variance of a pair of mean weight, as a share of the prior's variance.
const NOISE: f64 = 0.1;

/// What `solve` holds: the covariance and its factor, signs and covariances of the players with their solutions.
pub(super) fn solving_bytes(n_pairs: usize, n_players: usize) -> usize {
    let n_rows = n_pairs.saturating_add(1);
    size_of::<f64>().saturating_mul(n_rows).saturating_mul(2 * n_rows + 4 * n_players)
}

/// Half of the kriging operator, which multiplies whole differences; φ = Δ/M + A·d since linear games come out exactly.
/// `weights` are the pairs' regression weights.
pub(super) fn solve(coalitions: &Coalitions, weights: &[f64], put: &mut Put) {
    krige(coalitions, weights, NOISE, put);
}

/// A = C·K⁻¹ − (2I + C·K⁻¹·F)·H⁺·Fᵀ·K⁻¹, H = Fᵀ·K⁻¹·F: K covariance of the pairs, F their signs, C = cov(φ, pairs).
/// Row 0 is the pair (everybody, nobody); it is not put, since it gives Δ/M. The pseudo-inverse gives directions that no
/// pair tells apart the equal split.
fn krige(coalitions: &Coalitions, weights: &[f64], noise: f64, put: &mut Put) {
    let (m, n_rows) = (coalitions.n_players, coalitions.n_pairs() + 1);
    if n_rows == 1 {
        return;
    }
    let prior = Prior::new(m);
    let factor = covariance(&prior, coalitions, weights, noise)
        .llt(Side::Lower)
        .expect("a covariance with noise is positive definite. This is a bug.");
    let signs = Mat::from_fn(n_rows, m, |row, player| sign(coalitions, row, player));
    let mut solved_signs = signs.clone();
    factor.solve_in_place(&mut solved_signs);
    let mut solved = Mat::from_fn(n_rows, m, |row, player| prior.with_player(coalitions, row, player));
    factor.solve_in_place(&mut solved);
    let mut unexplained = signs.transpose() * &solved;
    (0..m).for_each(|player| unexplained[(player, player)] += 2.0);
    let half_inverse = half_pseudo_inverse(&(signs.transpose() * &solved_signs));
    let half_trend = solved_signs * (half_inverse * unexplained);
    for row in 1..n_rows {
        (0..m).for_each(|player| put(row - 1, player, 0.5 * solved[(row, player)] - half_trend[(row, player)]));
    }
}

/// Whether a player is present in a row's coalition; everybody is in row 0.
fn contains(coalitions: &Coalitions, row: usize, player: usize) -> bool {
    row == 0 || coalitions.contains(row - 1, player)
}

fn sign(coalitions: &Coalitions, row: usize, player: usize) -> f64 {
    if contains(coalitions, row, player) { -1.0 } else { 1.0 }
}

fn size(coalitions: &Coalitions, row: usize) -> usize {
    if row == 0 { coalitions.n_players } else { coalitions.size(row - 1) }
}

/// K, its lower triangle.
fn covariance(prior: &Prior, coalitions: &Coalitions, weights: &[f64], noise: f64) -> Mat<f64> {
    let n_rows = weights.len() + 1;
    let mean_weight = weights.iter().sum::<f64>() / weights.len() as f64;
    let mut covariance = Mat::zeros(n_rows, n_rows);
    for column in 0..n_rows {
        for row in column + 1..n_rows {
            covariance[(row, column)] = prior.by_distance[distance(coalitions, row, column)];
        }
        let own_noise = if column == 0 { 0.0 } else { noise * mean_weight / weights[column - 1] };
        covariance[(column, column)] = prior.by_distance[0] + own_noise;
    }
    covariance
}

/// Players that are in one of two rows' coalitions but not in the other; `row` > 0.
fn distance(coalitions: &Coalitions, row: usize, other: usize) -> usize {
    if other == 0 {
        return coalitions.n_players - coalitions.size(row - 1);
    }
    let words = coalitions.pair(row - 1).iter().zip(coalitions.pair(other - 1));
    words.map(|(a, b)| (a ^ b).count_ones() as usize).sum()
}

/// Covariances of the odd interactions from order 3 on, scaled to variance 1.
struct Prior {
    /// Of two half-differences, by the distance of their coalitions: `[n_players + 1]`.
    by_distance: Vec<f64>,
    /// Of a half-difference and φ_i, but for i's own sign, by the number of minus signs among the others: `[n_players]`.
    by_minus_signs: Vec<f64>,
}

impl Prior {
    /// Sums over sets are products over players: Σ_T ρ^|T|·Π s_i·s'_i = (1+ρ)^(M−h)·(1−ρ)^h at distance h, its odd part less
    /// the linear one; Σ_{T∋i} ρ^k/k·Π s_j = s_i·∫₀^ρ of the even part over the others, less ρ. `n_players` ≥ 3.
    fn new(n_players: usize) -> Self {
        let m = n_players as f64;
        let rho = 2.0 / m;
        let odd = |h: f64| (product(rho, m - h, h) - product(-rho, m - h, h)) / 2.0 - rho * (m - 2.0 * h);
        let even = |t: f64, plus: f64, minus: f64| (product(t, plus, minus) + product(-t, plus, minus)) / 2.0;
        let with_player = |minus: f64| integral(rho, |t| even(t, m - 1.0 - minus, minus) - 1.0);
        let variance = odd(0.0);
        Self {
            by_distance: (0..=n_players).map(|h| odd(h as f64) / variance).collect(),
            by_minus_signs: (0..n_players).map(|minus| -2.0 * with_player(minus as f64) / variance).collect(),
        }
    }

    /// C: covariance of φ_i and a row.
    fn with_player(&self, coalitions: &Coalitions, row: usize, player: usize) -> f64 {
        let is_present = contains(coalitions, row, player);
        let minus_among_others = size(coalitions, row) - usize::from(is_present);
        sign(coalitions, row, player) * self.by_minus_signs[minus_among_others]
    }
}

/// (1 + t)^a·(1 − t)^b for |t| < 1; the factors alone may leave what a float holds.
fn product(t: f64, a: f64, b: f64) -> f64 {
    (a * t.ln_1p() + b * (-t).ln_1p()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kernel, SampledEstimator};
    use crate::shap::{Design, DesignLimits, Matrix, Method, Operator};

    const LIMITS: DesignLimits = DesignLimits { players_max: 512, operator_bytes_max: usize::MAX };

    fn design(n_players: usize, n_samples: u64, estimator: SampledEstimator) -> Design {
        let method = Method { kernel: Kernel::Shapley, estimator };
        Design::new(n_players, Some(n_samples), 3, method, LIMITS).expect("no limit is met")
    }

    /// `[n_pairs × n_players]`, in float64 whatever the operator is kept in.
    fn operator(design: &Design, noise: f64) -> Vec<Vec<f64>> {
        let coalitions = Coalitions::of(design);
        let weights = crate::shap::operator::pair_weights(design, &coalitions);
        let mut matrix = vec![vec![f64::NAN; design.n_players]; design.n_pairs];
        krige(&coalitions, &weights, noise, &mut |pair, player, element| matrix[pair][player] = element);
        matrix
    }

    #[test]
    fn much_noise_gives_least_squares() {
        for (n_players, n_samples) in [(6, 40), (13, 100), (30, 400)] {
            let noisy = operator(&design(n_players, n_samples, SampledEstimator::Trend), 1e7);
            let least_squares = Operator::of(design(n_players, n_samples, SampledEstimator::KernelShap));
            let element = |pair: usize, player: usize| match &least_squares.matrix {
                Matrix::Double(panels) => panels.panel(player / 16)[pair * 16 + player % 16],
                Matrix::Single(panels) => f64::from(panels.panel(player / 16)[pair * 16 + player % 16]),
            };
            let largest = noisy.iter().flatten().fold(0.0_f64, |largest, a| largest.max(a.abs()));
            for (pair, row) in noisy.iter().enumerate() {
                for (player, &a) in row.iter().enumerate() {
                    let apart = (a - element(pair, player)).abs() / largest;
                    assert!(apart < 1e-5, "{n_players} players, pair {pair}: {apart:e}");
                }
            }
        }
    }

    #[test]
    fn few_pairs_and_many_players_give_finite_rows_that_add_up_to_nothing() {
        for (n_players, n_samples) in
            [(2, 1), (3, 2), (3, 4), (4, 2), (5, 6), (20, 2), (20, 40), (20, 44), (64, 70), (512, 600)]
        {
            for row in operator(&design(n_players, n_samples, SampledEstimator::Trend), NOISE) {
                assert!(row.iter().all(|a| a.abs() < 1e3), "{n_players} players, {n_samples} samples: {row:?}");
                assert!(row.iter().sum::<f64>().abs() < 1e-9, "{n_players} players, {n_samples} samples: {row:?}");
            }
        }
    }

    /// The covariances summed set by set, for six players.
    #[test]
    fn the_prior_is_that_of_odd_interactions() {
        const M: u32 = 6;
        let (prior, rho) = (Prior::new(M as usize), 2.0 / f64::from(M));
        let sets = || (0..1_u32 << M).filter(|set| set.count_ones() % 2 == 1 && set.count_ones() >= 3);
        let variance: f64 = sets().map(|set| rho.powi(set.count_ones() as i32)).sum();
        // Players outside `minus` have sign plus.
        let signed = |set: u32, minus: u32| if (set & minus).count_ones() % 2 == 1 { -1.0 } else { 1.0 };
        for distance in 0..=M {
            let apart = (1 << distance) - 1;
            let sum: f64 = sets().map(|set| rho.powi(set.count_ones() as i32) * signed(set, apart)).sum();
            assert!((prior.by_distance[distance as usize] - sum / variance).abs() < 1e-14, "distance {distance}");
        }
        for n_minus in 0..M {
            let (own, minus) = (1 << (M - 1), (1 << n_minus) - 1);
            let share = |set: u32| rho.powi(set.count_ones() as i32) / f64::from(set.count_ones());
            let sum: f64 =
                sets().filter(|set| set & own != 0).map(|set| -2.0 * share(set) * signed(set, minus)).sum();
            assert!((prior.by_minus_signs[n_minus as usize] - sum / variance).abs() < 1e-14, "{n_minus} minus");
        }
    }
}
