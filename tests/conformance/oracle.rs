//! A float64 oracle: the weighted least squares solved record by record from its definition, sharing nothing
//! with the operator but the coalitions. Both devices must come within the bound of float32 summation.

use explaind::config::{Kernel, SampledEstimator};
use explaind::shap::{Coalitions, Matrix, Operator, PANEL_WIDTH};
use libtest_mimic::Trial;
use ndarray::{Array1, Array2};

use crate::games::{Game, near, noise, random};
use crate::kriging::krige;
use crate::paths::{Path, Setting, SharedPath};
use crate::{Check, trial};

pub fn trials(path_name: &str, path: &Option<SharedPath>) -> Vec<Trial> {
    let (ignored, path) = (path.is_none(), path.clone());
    let name = format!("{path_name}: within the bound of the float64 oracle");
    vec![trial(name, move || compare(path.expect("ignored without a path").as_ref())).with_ignored_flag(ignored)]
}

fn compare(path: &dyn Path) -> Check {
    use SampledEstimator::*;
    for (n_players, samples) in [
        (12, None),
        (13, Some(600)),
        (16, Some(333)),
        (30, None),
        (64, None),
        (6, Some(20)),
        (30, Some(58)),
        (64, Some(200)),
    ] {
        let methods = [(Kernel::Shapley, KernelShap), (Kernel::Clarify, KernelShap), (Kernel::Shapley, Trend)];
        for (kernel, estimator) in methods {
            // The oracle of trend takes time in the cube of the pairs.
            let samples = if estimator == Trend { samples.or(Some(600)) } else { samples };
            let setting = Setting { kernel, estimator, ..Setting::new(n_players, samples) };
            let game = smooth(n_players as u64);
            let got = path.attributions(setting, std::slice::from_ref(&game)).remove(0);
            within_bound(setting, &game, &got)?;
        }
    }
    Ok(())
}

/// Additive with some noise, as models are.
fn smooth(seed: u64) -> Game {
    let noisy = random(seed);
    std::sync::Arc::new(move |present| {
        let weights = present.iter().enumerate().filter(|&(_, &here)| here).map(|(i, _)| noise(seed + i as u64));
        weights.sum::<f64>() + 0.05 * noisy(present)
    })
}

/// |got − oracle| ≤ (BLOCK + blocks + 4)·2⁻²⁴·Σ|A||d| for each player: the error of blocked float32 summation
/// (Higham, "Accuracy and stability of numerical algorithms", section 4.2) with operator and values rounded once.
fn within_bound(setting: Setting, game: &Game, got: &[f64]) -> Check {
    const UNIT: f64 = 1.0 / (1_u64 << 24) as f64;
    let operator = Operator::of(setting.design().map_err(|error| error.to_string())?);
    let oracle = match setting.estimator {
        SampledEstimator::KernelShap => solve(&operator.coalitions, setting.kernel, game),
        SampledEstimator::Trend => krige(&operator.coalitions, game),
        SampledEstimator::Auto => panic!("a setting names its estimator"),
    };
    let Matrix::Single(matrix) = &operator.matrix else {
        // Float64 throughout, but these regressions are badly conditioned, for the oracle too.
        return near(&format!("{setting:?}"), got, &oracle, 1e-8);
    };
    let (pairs, delta) = differences(&operator.coalitions, game);
    let steps = 32.0 + (pairs.len() as f64 / 32.0).ceil() + 4.0;
    let largest = oracle.iter().fold(0.0_f64, |largest, phi| largest.max(phi.abs()));
    for player in 0..setting.n_players {
        let column = matrix.panel(player / PANEL_WIDTH).iter().skip(player % PANEL_WIDTH).step_by(PANEL_WIDTH);
        let magnitude: f64 = column.zip(&pairs).map(|(&a, d)| (f64::from(a) * d).abs()).sum();
        let bound = steps * UNIT * magnitude + 1e-10 * delta.abs().max(largest);
        if bound > 1e-3 * largest {
            return Err(format!("{setting:?}: the bound {bound:.3e} is too loose to find an error"));
        }
        let apart = (got[player] - oracle[player]).abs();
        if apart > bound {
            return Err(format!("{setting:?}: player {player} is {apart:.3e} off, the bound is {bound:.3e}"));
        }
    }
    Ok(())
}

pub fn members(coalitions: &Coalitions, pair: usize, present: bool) -> Vec<bool> {
    (0..coalitions.n_players).map(|player| coalitions.contains(pair, player) == present).collect()
}

/// v(z) − v(complement) − Δ(2|z| − M)/M of each pair, and Δ.
fn differences(coalitions: &Coalitions, game: &Game) -> (Vec<f64>, f64) {
    let m = coalitions.n_players as f64;
    let delta = game(&vec![true; coalitions.n_players]);
    let of_pair = |pair| {
        let trend = delta * (2.0 * coalitions.size(pair) as f64 - m) / m;
        game(&members(coalitions, pair, true)) - game(&members(coalitions, pair, false)) - trend
    };
    ((0..coalitions.n_pairs()).map(of_pair).collect(), delta)
}

/// Minimise Σ w(S)(v(S) − Σφ)² subject to Σφ = Δ over both sides of all pairs, by the Lagrange system.
fn solve(coalitions: &Coalitions, kernel: Kernel, game: &Game) -> Vec<f64> {
    let m = coalitions.n_players;
    let weights = size_weights(coalitions, kernel);
    let mut system = Array2::<f64>::zeros((m + 1, m + 1));
    let mut right = Array1::<f64>::zeros(m + 1);
    for pair in 0..coalitions.n_pairs() {
        for present in [true, false] {
            let members = members(coalitions, pair, present);
            let weight = weights[members.iter().filter(|&&here| here).count()];
            let value = game(&members);
            for i in (0..m).filter(|&i| members[i]) {
                right[i] += weight * value;
                (0..m).filter(|&j| members[j]).for_each(|j| system[[i, j]] += weight);
            }
        }
    }
    let scale = system.diag().iter().copied().fold(0.0, f64::max);
    for i in 0..m {
        system[[i, m]] = scale;
        system[[m, i]] = scale;
    }
    right[m] = scale * game(&vec![true; m]);
    let mut solution = eliminate(system, right);
    solution.truncate(m);
    solution
}

/// w(s): the kernel over the share of the coalitions of this size that were drawn, in plain numbers.
pub fn size_weights(coalitions: &Coalitions, kernel: Kernel) -> Vec<f64> {
    let m = coalitions.n_players;
    let mut drawn = vec![0.0; m + 1];
    for pair in 0..coalitions.n_pairs() {
        drawn[coalitions.size(pair)] += 1.0;
        drawn[m - coalitions.size(pair)] += 1.0;
    }
    let binomial = |n: usize, k: usize| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
    let weight = |s: usize| {
        let shapley = (m - 1) as f64 / (binomial(m, s) * (s * (m - s)) as f64);
        let kernel = if kernel == Kernel::Shapley { shapley } else { shapley * shapley };
        kernel * binomial(m, s) / drawn[s]
    };
    (0..=m).map(|s| if s == 0 || s == m || drawn[s] == 0.0 { 0.0 } else { weight(s) }).collect()
}

/// Gaussian elimination with partial pivoting.
pub fn eliminate(mut a: Array2<f64>, mut b: Array1<f64>) -> Vec<f64> {
    let n = b.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| a[[i, column]].abs().total_cmp(&a[[j, column]].abs()));
        let pivot = pivot.expect("rows are left");
        for k in 0..n {
            a.swap([column, k], [pivot, k]);
        }
        b.swap(column, pivot);
        for row in column + 1..n {
            let factor = a[[row, column]] / a[[column, column]];
            (column..n).for_each(|k| a[[row, k]] -= factor * a[[column, k]]);
            b[row] -= factor * b[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| a[[row, k]] * b[k]).sum();
        b[row] = (b[row] - known) / a[[row, row]];
    }
    b.to_vec()
}
