//! Games whose Shapley values have a closed form, without any coalition: margins of trees and of linear models.
//!
//! A conjunction of p players present and n absent that is worth w shares w among them by the Shapley value of its game:
//! each present player gets w·(p−1)!·n!/(p+n)!, each absent one −w·p!·(n−1)!/(p+n)! (interventional TreeSHAP: Lundberg et
//! al., "From local explanations to global understanding with explainable AI for trees", 2020).

use std::sync::LazyLock;

use ndarray::Array2;

use super::conjunctions::{ABSENT, Conjunctions};
use super::game::Game;
use super::scores::Rule;
use crate::compute::Explicand;
use crate::form::ValueFunction;

/// What answers call it.
pub const NAME: &str = "exact";

/// Whether the function's games have one.
pub fn applies(function: &ValueFunction) -> bool {
    let is_sum = function.form.body.is_sum();
    is_sum && function.input_features.is_some() && Rule::of(function) == Some(Rule::Margin)
}

/// Shapley values, `[n_players × n_outputs]`, the mean over the baseline rows. Panics where none of it applies.
pub fn attributions(function: &ValueFunction, explicand: &Explicand) -> Array2<f64> {
    assert!(applies(function), "these games have no closed form. This is a bug.");
    let (n_players, n_outputs) = (explicand.players.len(), function.form.n_outputs());
    let mut totals = vec![0.0; n_players * n_outputs];
    let mut game = Game::<f64>::new(function, explicand);
    for baseline_row in 0..function.n_baseline_rows() {
        let groups = game.conjunctions(baseline_row, usize::MAX).expect("no number is too large. This is a bug.");
        for (list_idx, list) in groups.lists.iter().enumerate() {
            share(list, groups.width(), list_idx * groups.width(), n_outputs, &mut totals);
        }
    }
    let totals = Array2::from_shape_vec((n_players, n_outputs), totals);
    totals.expect("one for each player and output. This is a bug.") / function.n_baseline_rows() as f64
}

/// Gives the players of each conjunction their shares, from output `first_output` on. `totals` is
/// `[n_players × n_outputs]`.
fn share(list: &Conjunctions<f64>, width: usize, first_output: usize, n_outputs: usize, totals: &mut [f64]) {
    for (literals, values) in list.iter().zip(list.values.chunks_exact(width)) {
        let n_absent = literals.iter().filter(|&literal| literal & ABSENT != 0).count();
        let (present, absent) = SHARES.of(literals.len() - n_absent, n_absent);
        for &literal in literals {
            let share = if literal & ABSENT == 0 { present } else { -absent };
            let start = (literal & !ABSENT) as usize * n_outputs + first_output;
            let totals = totals[start..].iter_mut();
            totals.zip(values).for_each(|(total, value)| *total += share * value);
        }
    }
}

/// Players present or absent whose shares are computed beforehand: divisions take longer than all else.
const TABLE_PLAYERS: usize = 16;

static SHARES: LazyLock<Shares> = LazyLock::new(|| {
    let of_present = |n_present| std::array::from_fn(|n_absent| shares(n_present, n_absent));
    Shares(std::array::from_fn(of_present))
});

struct Shares([[(f64, f64); TABLE_PLAYERS]; TABLE_PLAYERS]);

impl Shares {
    fn of(&self, n_present: usize, n_absent: usize) -> (f64, f64) {
        let of_present = self.0.get(n_present).and_then(|of_present| of_present.get(n_absent));
        of_present.copied().unwrap_or_else(|| shares(n_present, n_absent))
    }
}

/// (p−1)!·n!/(p+n)! and p!·(n−1)!/(p+n)!; 0 where there is nobody to get it.
fn shares(n_present: usize, n_absent: usize) -> (f64, f64) {
    // 1 / C(p+n, n), as a product of ratios below 1.
    let (p, n) = (n_present as f64, n_absent as f64);
    let weight: f64 = (1..=n_absent).map(|i| i as f64 / (p + i as f64)).product();
    let of = |count: f64| if count == 0.0 { 0.0 } else { weight / count };
    (of(p), of(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_definition() {
        let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
        for (p, n) in [(1, 0), (0, 1), (2, 0), (1, 1), (3, 2), (2, 5), (0, 4), (15, 15), (16, 2), (2, 16)] {
            let (present, absent) = SHARES.of(p, n);
            let all = factorial(p + n);
            if p > 0 {
                assert!((present - factorial(p - 1) * factorial(n) / all).abs() < 1e-15, "{p} {n}");
            }
            if n > 0 {
                assert!((absent - factorial(p) * factorial(n - 1) / all).abs() < 1e-15, "{p} {n}");
            }
        }
    }
}
