//! The weight of a coalition in the regression, by its size alone.

use crate::config::Kernel;

/// ln of the weight of one coalition of `size` among `n_players`; 0 < size < n_players.
pub(super) fn ln_weight(kernel: Kernel, n_players: usize, size: usize) -> f64 {
    let (m, s) = (n_players as f64, size as f64);
    let ln_shapley = (m - 1.0).ln() - ln_binomial(n_players, size) - (s * (m - s)).ln();
    match kernel {
        Kernel::Shapley => ln_shapley,
        Kernel::Clarify => 2.0 * ln_shapley,
    }
}

/// C(n, k), or `u64::MAX` where it does not fit.
pub(super) fn binomial(n: usize, k: usize) -> u64 {
    let mut result = 1_u128;
    for i in 0..k.min(n - k) {
        result = result * (n - i) as u128 / (i + 1) as u128;
        if result > u128::from(u64::MAX) {
            return u64::MAX;
        }
    }
    result as u64
}

pub(super) fn ln_binomial(n: usize, k: usize) -> f64 {
    (0..k.min(n - k)).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_textbook_ones() {
        for (n_players, size, weight) in [(2, 1, 0.5), (4, 1, 0.25), (4, 2, 0.125), (5, 2, 1.0 / 15.0)] {
            let shapley = ln_weight(Kernel::Shapley, n_players, size).exp();
            let clarify = ln_weight(Kernel::Clarify, n_players, size).exp();
            assert!((shapley - weight).abs() < 1e-15, "{n_players} {size}: {shapley}");
            assert!((clarify - weight * weight).abs() < 1e-15, "{n_players} {size}: {clarify}");
        }
    }

    #[test]
    fn binomials_saturate() {
        assert_eq!(binomial(5, 0), 1);
        assert_eq!(binomial(30, 15), 155_117_520);
        assert_eq!(binomial(512, 256), u64::MAX);
        assert!((ln_binomial(30, 15) - 155_117_520_f64.ln()).abs() < 1e-12);
    }
}
