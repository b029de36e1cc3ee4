//! Links: from a model's scores or margins, averaged over the baseline rows, to the scale of the attributions.

/// Scores are moved into [1e-15, 1 − 1e-15] before a logit, so that JSON never meets an infinity.
const SCORE_MIN: f64 = 1e-15;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    #[default]
    Identity,
    Logit,
}

/// How many scores a logit had to move.
pub type Clipped = usize;

/// logit of a mean score, for models that show no margin.
pub fn score_logit(score: f64, clipped: &mut Clipped) -> f64 {
    let inside = score.clamp(SCORE_MIN, 1.0 - SCORE_MIN);
    *clipped += usize::from(inside != score);
    (inside / (1.0 - inside)).ln()
}

/// logit of the mean of σ(margin): ln Σσ(m) − ln Σσ(−m). One margin is its own logit.
pub fn logistic_logit(margins: &[f64]) -> f64 {
    if let [margin] = margins {
        return *margin;
    }
    let ln_sigmoid = |m: f64| m.min(0.0) - (-m.abs()).exp().ln_1p();
    ln_sum_exp(margins.iter().map(|&m| ln_sigmoid(m))) - ln_sum_exp(margins.iter().map(|&m| ln_sigmoid(-m)))
}

/// Per class the logit of its mean softmax probability. `margins` is `[n_rows × n_classes]`, row-major.
///
/// 1 − p_c is summed from the other classes, never subtracted, so that no score needs clipping.
pub fn softmax_logits(margins: &[f64], n_classes: usize) -> Vec<f64> {
    let rows = || margins.chunks_exact(n_classes);
    let totals: Vec<f64> = rows().map(|row| ln_sum_exp(row.iter().copied())).collect();
    let others = |row: &[f64], class: usize| {
        ln_sum_exp(row.iter().enumerate().filter(|(c, _)| *c != class).map(|(_, &m)| m))
    };
    let logit = |class: usize| {
        let ln_p = ln_sum_exp(rows().zip(&totals).map(|(row, total)| row[class] - total));
        ln_p - ln_sum_exp(rows().zip(&totals).map(|(row, total)| others(row, class) - total))
    };
    (0..n_classes).map(logit).collect()
}

/// ln Σ exp(x), in whatever range.
fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid(m: f64) -> f64 {
        1.0 / (1.0 + (-m).exp())
    }

    #[test]
    fn logits_of_means_are_what_the_definition_says() {
        let margins = [0.3, -1.2, 2.5];
        let mean = margins.iter().map(|&m| sigmoid(m)).sum::<f64>() / 3.0;
        assert!((logistic_logit(&margins) - (mean / (1.0 - mean)).ln()).abs() < 1e-14);
        assert_eq!(logistic_logit(&[4.25]), 4.25);
    }

    #[test]
    fn extreme_margins_stay_finite_and_exact() {
        assert!((logistic_logit(&[800.0, 800.0]) - 800.0).abs() < 1e-9);
        assert!((logistic_logit(&[-800.0, -800.0]) + 800.0).abs() < 1e-9);
        assert!(softmax_logits(&[900.0, 0.0, -900.0], 3).iter().all(|logit| logit.is_finite()));
    }

    #[test]
    fn softmax_logits_are_those_of_the_mean_probability() {
        let margins = [0.1, 1.0, -0.5, 2.0, 0.0, 0.3];
        let probability = |row: &[f64], class: usize| row[class].exp() / row.iter().map(|m| m.exp()).sum::<f64>();
        for (class, logit) in softmax_logits(&margins, 3).into_iter().enumerate() {
            let mean = (probability(&margins[..3], class) + probability(&margins[3..], class)) / 2.0;
            assert!((logit - (mean / (1.0 - mean)).ln()).abs() < 1e-14);
        }
    }

    #[test]
    fn scores_outside_the_open_interval_are_clipped_and_counted() {
        let mut clipped = 0;
        let logits = [0.0, 1.0, 1.5, 0.5].map(|score| score_logit(score, &mut clipped));
        assert!(logits.iter().all(|logit| logit.is_finite()));
        assert_eq!((clipped, logits[3]), (3, 0.0));
    }
}
