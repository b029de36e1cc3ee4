//! A float64 oracle of the estimator `trend`, game by game from its definition: covariances multiplied out over the
//! players, one saddle-point system for everything, nothing shared with the operator but the coalitions.

use explaind::config::Kernel;
use explaind::shap::Coalitions;
use ndarray::{Array1, Array2};

use crate::games::Game;
use crate::oracle::{eliminate, members, size_weights};

/// η, the variance of a pair of mean weight.
const NOISE: f64 = 0.1;

/// Solve [K F; Fᵀ 0]·[α; c] = [d; 0] for the half-differences d; then φ = C·α − 2c.
pub fn krige(coalitions: &Coalitions, game: &Game) -> Vec<f64> {
    let m = coalitions.n_players;
    let rows = rows(coalitions);
    let complement = |row: &[bool]| row.iter().map(|present| !present).collect::<Vec<bool>>();
    let signs: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|&here| sign(here)).collect()).collect();
    let n = rows.len();
    let variance = covariance(&vec![1.0; m], &vec![1.0; m]);
    let noises = noises(coalitions);
    let mut system = Array2::<f64>::zeros((n + m, n + m));
    let mut right = Array1::<f64>::zeros(n + m);
    for a in 0..n {
        right[a] = (game(&rows[a]) - game(&complement(&rows[a]))) / 2.0;
        for b in 0..n {
            system[[a, b]] = covariance(&signs[a], &signs[b]) / variance;
        }
        system[[a, a]] += noises[a];
        for player in 0..m {
            system[[a, n + player]] = signs[a][player];
            system[[n + player, a]] = signs[a][player];
        }
    }
    let solution = eliminate(system, right);
    let share = |player: usize, row: usize| with_player(&signs[row], player) / variance * solution[row];
    (0..m).map(|player| (0..n).map(|row| share(player, row)).sum::<f64>() - 2.0 * solution[n + player]).collect()
}

/// Everybody, then the representatives.
fn rows(coalitions: &Coalitions) -> Vec<Vec<bool>> {
    let pairs = (0..coalitions.n_pairs()).map(|pair| members(coalitions, pair, true));
    [vec![true; coalitions.n_players]].into_iter().chain(pairs).collect()
}

fn sign(is_present: bool) -> f64 {
    if is_present { -1.0 } else { 1.0 }
}

/// None for everybody; for a pair inverse to its weight, which has mean 1.
fn noises(coalitions: &Coalitions) -> Vec<f64> {
    let by_size = size_weights(coalitions, Kernel::Shapley);
    let weights: Vec<f64> = (0..coalitions.n_pairs()).map(|pair| by_size[coalitions.size(pair)]).collect();
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    [0.0].into_iter().chain(weights.iter().map(|weight| NOISE * mean / weight)).collect()
}

/// Σ ρ^|T|·Π s_i·s'_i over the odd sets T of three players and more.
fn covariance(one: &[f64], other: &[f64]) -> f64 {
    let rho = 2.0 / one.len() as f64;
    let products = || one.iter().zip(other).map(|(a, b)| a * b);
    let all = |rho: f64| products().map(|s| 1.0 + rho * s).product::<f64>();
    (all(rho) - all(-rho)) / 2.0 - rho * products().sum::<f64>()
}

/// −2·Σ ρ^|T|/|T|·Π s_j over the odd sets T of three players and more that have `player` in them, from the elementary
/// symmetric polynomials of the other players' signs.
fn with_player(signs: &[f64], player: usize) -> f64 {
    let rho = 2.0 / signs.len() as f64;
    let mut polynomials = vec![1.0];
    for (_, sign) in signs.iter().enumerate().filter(|&(other, _)| other != player) {
        polynomials.push(0.0);
        for k in (1..polynomials.len()).rev() {
            polynomials[k] += rho * sign * polynomials[k - 1];
        }
    }
    let even = polynomials.iter().enumerate().skip(2).step_by(2);
    -2.0 * signs[player] * rho * even.map(|(k, polynomial)| polynomial / (k + 1) as f64).sum::<f64>()
}
