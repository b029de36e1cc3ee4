//! Values of coalitions in float64: for listings, for links that float32 is too coarse for, and row by row for models
//! whose inputs mix features.

use ndarray::Array2;

use super::Instructions;
use super::game::{Game, Groups};
use super::rows;
use super::scores::Rule;
use crate::compute::Explicand;
use crate::form::{Transform, ValueFunction};
use crate::shap::{BitColumns, Clipped, LogOdds, score_logit};

/// Values on the link's scale, `[n_coalitions × n_outputs]`, and how many scores the link had to clip.
pub fn values(function: &ValueFunction, columns: &BitColumns, explicand: &Explicand) -> (Array2<f64>, Clipped) {
    let mut means = Means::new(function, columns.n_coalitions);
    let is_sum = function.form.body.is_sum();
    let mut game = function.input_features.as_ref().filter(|_| is_sum).map(|_| Game::new(function, explicand));
    for baseline_row in 0..function.n_baseline_rows() {
        let leaves_max = rows::leaves_max(function);
        match game.as_mut().and_then(|game| game.conjunctions(baseline_row, leaves_max)) {
            Some(groups) => by_conjunctions(function, groups, baseline_row, columns, &mut means),
            None => by_rows(function, explicand, baseline_row, columns, &mut means),
        }
    }
    means.values(function.n_baseline_rows())
}

fn by_conjunctions(
    function: &ValueFunction,
    groups: &Groups<f64>,
    baseline_row: usize,
    columns: &BitColumns,
    means: &mut Means,
) {
    let (n_outputs, n_padded) = (function.form.n_outputs(), columns.n_padded());
    let mut sums = vec![0.0; n_outputs * n_padded];
    groups.sums(Instructions::detect(), columns, &mut sums);
    let baseline = function.baseline_margins(baseline_row);
    let mut margins = vec![0.0; n_outputs];
    for coalition_idx in 0..columns.n_coalitions {
        for (output, margin) in margins.iter_mut().enumerate() {
            *margin = f64::from(baseline[output]) + sums[output * n_padded + coalition_idx];
        }
        means.add(coalition_idx, &margins);
    }
}

fn by_rows(
    function: &ValueFunction,
    explicand: &Explicand,
    baseline_row: usize,
    columns: &BitColumns,
    means: &mut Means,
) {
    let mut margins = Vec::new();
    for first in (0..columns.n_coalitions).step_by(rows::BLOCK_COALITIONS) {
        let here = first..columns.n_coalitions.min(first + rows::BLOCK_COALITIONS);
        rows::margins(function, explicand, baseline_row, columns, here.clone(), &mut margins);
        for (coalition_idx, margins) in here.zip(margins.chunks_exact(function.form.n_outputs())) {
            let margins: Vec<f64> = margins.iter().map(|&margin| f64::from(margin)).collect();
            means.add(coalition_idx, &margins);
        }
    }
}

/// What the baseline rows add up to for each coalition.
struct Means {
    /// None: the logit of a mean score.
    rule: Option<Rule>,
    transform: Transform,
    /// Margins or scores, `[n_coalitions × n_outputs]`.
    sums: Array2<f64>,
    /// Instead of them under `Rule::LogOdds`, else empty.
    odds: Vec<LogOdds>,
}

impl Means {
    fn new(function: &ValueFunction, n_coalitions: usize) -> Self {
        let (rule, n_outputs) = (Rule::of(function), function.form.n_outputs());
        let n_odds = if matches!(rule, Some(Rule::LogOdds(_))) { n_coalitions * n_outputs } else { 0 };
        Self {
            rule,
            transform: function.form.transform,
            sums: Array2::zeros((n_coalitions, n_outputs)),
            odds: vec![LogOdds::default(); n_odds],
        }
    }

    fn add(&mut self, coalition_idx: usize, margins: &[f64]) {
        let terms = match self.rule {
            Some(Rule::LogOdds(transform)) => {
                let odds = &mut self.odds[coalition_idx * margins.len()..][..margins.len()];
                match transform {
                    Transform::Softmax => LogOdds::add_softmax(odds, margins),
                    _ => odds.iter_mut().zip(margins).for_each(|(odds, &margin)| odds.add_logistic(margin)),
                }
                return;
            }
            Some(Rule::Margin) => margins.to_vec(),
            Some(Rule::Score(_)) | None => scores(self.transform, margins),
        };
        self.sums.row_mut(coalition_idx).iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }

    fn values(self, n_baseline_rows: usize) -> (Array2<f64>, Clipped) {
        let mut clipped = 0;
        let values = match self.rule {
            Some(Rule::LogOdds(_)) => {
                let values = self.odds.iter().map(LogOdds::value).collect();
                Array2::from_shape_vec(self.sums.raw_dim(), values).expect("one for each. This is a bug.")
            }
            Some(Rule::Margin | Rule::Score(_)) => self.sums / n_baseline_rows as f64,
            None => (self.sums / n_baseline_rows as f64).mapv(|score| score_logit(score, &mut clipped)),
        };
        (values, clipped)
    }
}

fn scores(transform: Transform, margins: &[f64]) -> Vec<f64> {
    match transform {
        Transform::Identity => margins.to_vec(),
        Transform::Logistic => margins.iter().map(|margin| 1.0 / (1.0 + (-margin).exp())).collect(),
        Transform::Exponential => margins.iter().map(|margin| margin.exp()).collect(),
        Transform::Softmax => {
            let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = margins.iter().map(|margin| (margin - largest).exp()).collect();
            let total: f64 = weights.iter().sum();
            weights.iter().map(|weight| weight / total).collect()
        }
    }
}
