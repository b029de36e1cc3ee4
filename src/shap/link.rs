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
    if margins.len() == logits.len() {
        logits.iter_mut().zip(margins).for_each(|(logit, &margin)| *logit = f64::from(margin));
        return;
    }
    let add = |odds: &mut [LogOdds], row: &[f64]| {
        odds.iter_mut().zip(row).for_each(|(odds, &margin)| odds.add_logistic(margin));
    };
    mean_logits(margins, logits, add);
}

/// Per class the logit of its mean softmax probability. `margins` is `[n_rows × n_classes]`, row-major.
pub fn softmax_logits(margins: &[f32], logits: &mut [f64]) {
    mean_logits(margins, logits, LogOdds::add_softmax);
}

fn mean_logits(margins: &[f32], logits: &mut [f64], add: impl Fn(&mut [LogOdds], &[f64])) {
    let mut odds = vec![LogOdds::default(); logits.len()];
    for row in margins.chunks_exact(logits.len()) {
        let row: Vec<f64> = row.iter().map(|&margin| f64::from(margin)).collect();
        add(&mut odds, &row);
    }
    logits.iter_mut().zip(&odds).for_each(|(logit, odds)| *logit = odds.value());
}

/// ln Σp − ln Σ(1 − p) over rows that come one after the other, in whatever range: nothing is subtracted from 1, so that
/// no score needs clipping.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOdds {
    present: LnSum,
    absent: LnSum,
}

impl LogOdds {
    /// p = σ(margin).
    pub fn add_logistic(&mut self, margin: f64) {
        let ln_sigmoid = |m: f64| m.min(0.0) - (-m.abs()).exp().ln_1p();
        self.present.add(ln_sigmoid(margin));
        self.absent.add(ln_sigmoid(-margin));
    }

    /// Of each class its softmax probability; 1 − p is summed from the other classes.
    pub fn add_softmax(odds: &mut [Self], margins: &[f64]) {
        let total = LnSum::of(margins.iter().copied());
        for (class, odds) in odds.iter_mut().enumerate() {
            let others = margins.iter().enumerate().filter(|(other, _)| *other != class);
            odds.present.add(margins[class] - total.value());
            odds.absent.add(LnSum::of(others.map(|(_, &margin)| margin)).value() - total.value());
        }
    }

    pub fn value(&self) -> f64 {
        self.present.value() - self.absent.value()
    }
}

/// ln Σ exp(x), in whatever range.
#[derive(Clone, Copy, Debug)]
struct LnSum {
    largest: f64,
    /// Of exp(x − largest).
    sum: f64,
}

impl Default for LnSum {
    fn default() -> Self {
        Self { largest: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LnSum {
    fn of(terms: impl Iterator<Item = f64>) -> Self {
        let mut sum = Self::default();
        terms.for_each(|term| sum.add(term));
        sum
    }

    fn add(&mut self, term: f64) {
        if term > self.largest {
            self.sum *= (self.largest - term).exp();
            self.largest = term;
        }
        self.sum += (term - self.largest).exp();
    }

    fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }
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
