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

/// Per output the logit of the mean of σ(margin): ln Σσ(m) − ln Σσ(−m). The margin of one row is its own logit.
/// `margins` is `[n_rows × n_outputs]`, row-major.
pub fn logistic_logits(margins: &[f32], logits: &mut [f64]) {
    let n_outputs = logits.len();
    for (output, logit) in logits.iter_mut().enumerate() {
        let margins = || margins.iter().skip(output).step_by(n_outputs).map(|&margin| f64::from(margin));
        *logit = if margins().len() == 1 { margins().sum() } else { mean_logit(margins) };
    }
}

fn mean_logit<I: Iterator<Item = f64> + Clone>(margins: impl Fn() -> I) -> f64 {
    let ln_sigmoid = |m: f64| m.min(0.0) - (-m.abs()).exp().ln_1p();
    let ln_sum = |sign: f64| ln_sum_exp(margins().map(|m| ln_sigmoid(sign * m)));
    ln_sum(1.0) - ln_sum(-1.0)
}

/// Per class the logit of its mean softmax probability. `margins` is `[n_rows × n_classes]`, row-major.
///
/// 1 − p_c is summed from the other classes, never subtracted, so that no score needs clipping.
pub fn softmax_logits(margins: &[f32], logits: &mut [f64]) {
    let n_classes = logits.len();
    let rows = || margins.chunks_exact(n_classes);
    let totals: Vec<f64> = rows().map(|row| ln_sum_exp(row.iter().map(|&m| f64::from(m)))).collect();
    for (class, logit) in logits.iter_mut().enumerate() {
        let others = |row: &[f32]| {
            let others = row.iter().enumerate().filter(|(c, _)| *c != class);
            ln_sum_exp(others.map(|(_, &m)| f64::from(m)))
        };
        let ln_p = ln_sum_exp(rows().zip(&totals).map(|(row, total)| f64::from(row[class]) - total));
        *logit = ln_p - ln_sum_exp(rows().zip(&totals).map(|(row, total)| others(row) - total));
    }
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

    fn logistic_logit(margins: &[f32]) -> f64 {
        let mut logit = [0.0];
        logistic_logits(margins, &mut logit);
        logit[0]
    }

    fn sigmoid(m: f64) -> f64 {
        1.0 / (1.0 + (-m).exp())
    }

    #[test]
    fn logits_of_means_are_what_the_definition_says() {
        let margins = [0.25_f32, -1.5, 2.5];
        let mean = margins.iter().map(|&m| sigmoid(f64::from(m))).sum::<f64>() / 3.0;
        assert!((logistic_logit(&margins) - (mean / (1.0 - mean)).ln()).abs() < 1e-14);
        assert_eq!(logistic_logit(&[4.25]), 4.25);
        let mut logits = [0.0; 2];
        logistic_logits(&[0.25, 4.0, -1.5, 4.0, 2.5, 4.0], &mut logits);
        assert_eq!(logits[0], logistic_logit(&margins));
        assert!((logits[1] - 4.0).abs() < 1e-14);
    }

    #[test]
    fn extreme_margins_stay_finite_and_exact() {
        assert!((logistic_logit(&[800.0, 800.0]) - 800.0).abs() < 1e-9);
        assert!((logistic_logit(&[-800.0, -800.0]) + 800.0).abs() < 1e-9);
        let mut logits = [0.0; 3];
        softmax_logits(&[900.0, 0.0, -900.0], &mut logits);
        assert!(logits.iter().all(|logit| logit.is_finite()));
    }

    #[test]
    fn softmax_logits_are_those_of_the_mean_probability() {
        let margins = [0.125_f32, 1.0, -0.5, 2.0, 0.0, 0.25];
        let e = |m: f32| f64::from(m).exp();
        let probability = |row: &[f32], class: usize| e(row[class]) / row.iter().map(|&m| e(m)).sum::<f64>();
        let mut logits = [0.0; 3];
        softmax_logits(&margins, &mut logits);
        for (class, logit) in logits.into_iter().enumerate() {
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
