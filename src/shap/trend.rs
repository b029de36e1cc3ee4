//! The estimator `trend`: pairs of coalitions and their weights → the operator of a universal kriging.
//!
//! The half-difference of a pair, d(z) = (v(z) − v(complement of z))/2, is Σ c_T·Π_{i∈T} s_i over odd sets T, with signs
//! s = 1 − 2z. Its linear part is free; each c_T of order k ≥ 3 has prior variance ρ^k, ρ = 2/M; a pair is measured with
//! noise η over its weight, the pair (everybody, nobody) without. φ_i = −2·Σ_{T∋i} c_T/|T| (universal kriging: Cressie,
//! "Statistics for Spatial Data", 1993; Gaussian processes over coalitions: Rundel et al., "ShaplEIG", 2026).

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Accum, Mat, Par};

use super::coalitions::Coalitions;
use super::operator::{Put, Regression, put_rows};
use super::quadrature::Quadrature;
use super::symmetric::{divided, factor, half_pseudo_inverse, square};

/// Samples of one design: an operator takes time in the cube and memory in the square of them.
pub(super) const SAMPLES_MAX: u64 = 8_192;

/// η: variance of a pair of mean weight, as a share of the prior's variance.
const NOISE: f64 = 0.1;

/// What `solve` holds: the covariance, signs and covariances of the players, and what their products need.
pub(super) fn solving_bytes(n_pairs: usize, n_players: usize) -> usize {
    let n_rows = n_pairs.saturating_add(1);
    let n_columns = n_rows.saturating_add(n_players.saturating_mul(2));
    let of_players = n_players.saturating_mul(n_players).saturating_mul(4);
    let n_elements = n_rows.saturating_mul(n_columns).saturating_add(of_players);
    n_elements.saturating_mul(size_of::<f64>())
}

/// Half of the kriging operator, which multiplies whole differences; φ = Δ/M + A·d since linear games come out exactly.
pub(super) fn solve(regression: &Regression, put: &mut Put) {
    krige(regression, NOISE, put);
}

/// A = C·K⁻¹ − (2I + C·K⁻¹·F)·H⁺·Fᵀ·K⁻¹, H = Fᵀ·K⁻¹·F: K covariance of the pairs, F their signs, C = cov(φ, pairs).
/// With K = L·Lᵀ, and F and Cᵀ divided by L, it is transposed L⁻ᵀ·(Cᵀ − F·H⁺·(Fᵀ·Cᵀ + 2I)), H = Fᵀ·F.
/// The last row is the pair (everybody, nobody); it is not put, since it gives Δ/M. The pseudo-inverse gives directions that
/// no pair tells apart the equal split.
fn krige(regression: &Regression, noise: f64, put: &mut Put) {
    let (m, n_pairs) = (regression.design.n_players, regression.design.n_pairs);
    if n_pairs == 0 {
        return;
    }
    let prior = Prior::new(m);
    let factor = factor(covariance(&prior, regression, noise));
    let signs = divided(&factor, signs(regression));
    let mut solved = divided(&factor, prior.with_players(regression));
    let mut unexplained = signs.transpose() * &solved;
    (0..m).for_each(|player| unexplained[(player, player)] += 2.0);
    let half_trend = half_pseudo_inverse(&square(&signs)) * unexplained;
    solved *= faer::Scale(0.5);
    matmul(&mut solved, Accum::Add, &signs, &half_trend, -1.0, Par::Seq);
    solve_upper_triangular_in_place(factor.transpose(), solved.as_mut(), Par::Seq);
    put_rows(0, solved.subrows(0, n_pairs), put);
}

/// F, `[n_pairs + 1 × n_players]`: −1 for a player who is present.
fn signs(regression: &Regression) -> Mat<f64> {
    let n_pairs = regression.design.n_pairs;
    with_everybody(regression.columns.choose(0, &vec![-1.0; n_pairs], &vec![1.0; n_pairs]), -1.0)
}

/// The row of the pair (everybody, nobody) goes below those of the pairs.
fn with_everybody(mut rows: Mat<f64>, element: f64) -> Mat<f64> {
    rows.resize_with(rows.nrows() + 1, rows.ncols(), |_, _| element);
    rows
}

/// K, its lower triangle.
fn covariance(prior: &Prior, regression: &Regression, noise: f64) -> Mat<f64> {
    let (coalitions, weights, n_pairs) =
        (regression.coalitions, regression.pair_weights(), regression.design.n_pairs);
    let mean_weight = weights.iter().sum::<f64>() / n_pairs as f64;
    let mut covariance = Mat::zeros(n_pairs + 1, n_pairs + 1);
    for (column, (weight, mut elements)) in weights.iter().zip(covariance.col_iter_mut()).enumerate() {
        for (row, element) in elements.as_mut().iter_mut().enumerate().take(n_pairs).skip(column) {
            *element = prior.by_distance[distance(coalitions, row, column)];
        }
        elements[column] += noise * mean_weight / weight;
        elements[n_pairs] = prior.by_distance[coalitions.n_players - coalitions.size(column)];
    }
    covariance[(n_pairs, n_pairs)] = prior.by_distance[0];
    covariance
}

/// Players that are in one of two pairs' representatives but not in the other.
fn distance(coalitions: &Coalitions, pair_idx: usize, other_idx: usize) -> usize {
    let words = coalitions.pair(pair_idx).iter().zip(coalitions.pair(other_idx));
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
        let quadrature = Quadrature::new();
        let with_player = |minus: f64| quadrature.integral(rho, |t| even(t, m - 1.0 - minus, minus) - 1.0);
        let variance = odd(0.0);
        Self {
            by_distance: (0..=n_players).map(|h| odd(h as f64) / variance).collect(),
            by_minus_signs: (0..n_players).map(|minus| -2.0 * with_player(minus as f64) / variance).collect(),
        }
    }

    /// Cᵀ, `[n_pairs + 1 × n_players]`: covariances of the rows and each φ_i, whose own sign counts apart.
    fn with_players(&self, regression: &Regression) -> Mat<f64> {
        let sizes = regression.coalitions.sizes().iter().map(|&size| size as usize);
        let present: Vec<f64> = sizes.clone().map(|size| -self.by_minus_signs[size - 1]).collect();
        let absent: Vec<f64> = sizes.map(|size| self.by_minus_signs[size]).collect();
        let everybody = -self.by_minus_signs[regression.design.n_players - 1];
        with_everybody(regression.columns.choose(0, &present, &absent), everybody)
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
    use crate::shap::BitColumns;
    use crate::shap::symmetric::half_inverse;
    use crate::shap::{Design, DesignLimits, Matrix, Method, Operator};

    const LIMITS: DesignLimits = DesignLimits { players_max: 512, operator_bytes_max: usize::MAX };

    fn design(n_players: usize, n_samples: u64, estimator: SampledEstimator) -> Design {
        let method = Method { kernel: Kernel::Shapley, estimator };
        Design::new(n_players, Some(n_samples), 3, method, LIMITS).expect("no limit is met")
    }

    /// `[n_pairs × n_players]`, in float64 whatever the operator is kept in.
    fn operator(design: &Design, noise: f64) -> Vec<Vec<f64>> {
        let coalitions = Coalitions::of(design);
        let regression = Regression { design, coalitions: &coalitions, columns: &BitColumns::of(&coalitions) };
        let mut matrix = vec![Vec::new(); design.n_pairs];
        krige(&regression, noise, &mut |pair, elements| matrix[pair] = elements.to_vec());
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
    fn usual_games_need_no_eigenvalues() {
        for n_players in [12, 30, 128] {
            let design = design(n_players, 2 * n_players as u64 + 2048, SampledEstimator::Trend);
            let coalitions = Coalitions::of(&design);
            let regression =
                Regression { design: &design, coalitions: &coalitions, columns: &BitColumns::of(&coalitions) };
            let factor = factor(covariance(&Prior::new(n_players), &regression, NOISE));
            let gram = square(&divided(&factor, signs(&regression)));
            assert!(half_inverse(&gram).is_some(), "{n_players} players");
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

    #[test]
    fn sizes_beyond_all_memory_are_no_small_ones() {
        assert_eq!(solving_bytes(1, usize::MAX / 2), usize::MAX);
        assert_eq!(solving_bytes(usize::MAX, usize::MAX), usize::MAX);
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
