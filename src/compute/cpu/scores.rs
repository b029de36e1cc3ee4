//! Twin of `shaders/scores.wgsl`: margins of coalitions, one baseline row after the other → values on the link's scale,
//! and values → what the operator multiplies.

use super::elementary::{exp, ln, sigmoid};
use super::instructions::{Instructions, Kernel};
use crate::form::{Transform, ValueFunction};
use crate::shap::Link;

/// Baseline rows whose scores are summed before their sum joins the total.
const BLOCK_ROWS: usize = 16;

/// Probabilities that are summed are cut at e^−87; below this, that could show.
const SUM_MIN: f32 = 1e-30;

/// How the values of a game come from its margins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The mean margin: scores are margins, or the link undoes the transform of the one baseline row.
    Margin,
    /// The mean score.
    Score(Transform),
    /// ln Σp − ln Σ(1 − p) over the baseline rows.
    LogOdds(Transform),
}

impl Rule {
    /// None where only float64 is good enough: scores near 0 or 1 that come without margins.
    pub fn of(function: &ValueFunction) -> Option<Self> {
        let is_one_row = function.n_baseline_rows() == 1;
        match (function.link, function.form.transform) {
            (Link::Identity, Transform::Identity) => Some(Self::Margin),
            (Link::Logit, Transform::Logistic) if is_one_row => Some(Self::Margin),
            (Link::Identity, transform) => Some(Self::Score(transform)),
            (Link::Logit, transform @ (Transform::Logistic | Transform::Softmax)) => {
                Some(Self::LogOdds(transform))
            }
            (Link::Logit, Transform::Identity | Transform::Exponential) => None,
        }
    }

    /// Numbers summed for each output.
    pub fn n_sums(self) -> usize {
        if matches!(self, Self::LogOdds(_)) { 2 } else { 1 }
    }
}

/// Sums over baseline rows, `[n_sums × n_outputs × n_padded]`: of scores, then of their complements where there are two.
pub struct Scores {
    instructions: Instructions,
    rule: Rule,
    n_outputs: usize,
    n_padded: usize,
    block: Vec<f32>,
    totals: Vec<f32>,
    n_rows: usize,
}

impl Scores {
    pub fn new(instructions: Instructions, rule: Rule, n_outputs: usize, n_padded: usize) -> Self {
        let sums = vec![0.0; rule.n_sums() * n_outputs * n_padded];
        Self { instructions, rule, n_outputs, n_padded, block: sums.clone(), totals: sums, n_rows: 0 }
    }

    /// Adds a baseline row: its own margins `[n_outputs]`, and what the coalitions' margins are beyond them,
    /// `[n_outputs × n_padded]`.
    pub fn add(&mut self, baseline_margins: &[f32], margins: &[f32]) {
        let n_numbers = self.n_outputs * self.n_padded;
        self.instructions.run(Row {
            rule: self.rule,
            baseline_margins,
            margins,
            sums: &mut self.block,
            n_numbers,
        });
        self.n_rows += 1;
        if self.n_rows.is_multiple_of(BLOCK_ROWS) {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        for (total, sum) in self.totals.iter_mut().zip(&mut self.block) {
            *total += std::mem::take(sum);
        }
    }

    /// Values up to a constant that is the same for all coalitions, `[n_outputs × n_padded]`.
    pub fn values(mut self) -> Vec<f32> {
        self.close_block();
        let n_numbers = self.n_outputs * self.n_padded;
        match self.rule {
            Rule::Margin | Rule::Score(_) => {
                let n_rows = self.n_rows as f32;
                self.totals.iter_mut().for_each(|total| *total /= n_rows);
                self.totals
            }
            Rule::LogOdds(_) => {
                let (present, absent) = self.totals.split_at(n_numbers);
                present.iter().zip(absent).map(|(&present, &absent)| log_odds(present, absent)).collect()
            }
        }
    }
}

/// NaN where a sum is so small that float32 is not enough.
fn log_odds(present: f32, absent: f32) -> f32 {
    let is_enough = present >= SUM_MIN && absent >= SUM_MIN;
    if is_enough { ln(present) - ln(absent) } else { f32::NAN }
}

/// One baseline row's share.
struct Row<'a> {
    rule: Rule,
    baseline_margins: &'a [f32],
    margins: &'a [f32],
    sums: &'a mut [f32],
    n_numbers: usize,
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { rule, baseline_margins, margins, sums, n_numbers } = self;
        let n_padded = n_numbers / baseline_margins.len();
        match rule {
            Rule::Margin => sums.iter_mut().zip(margins).for_each(|(sum, margin)| *sum += margin),
            Rule::Score(Transform::Softmax) => softmax(baseline_margins, margins, sums, None),
            Rule::LogOdds(Transform::Softmax) => {
                let (present, absent) = sums.split_at_mut(n_numbers);
                softmax(baseline_margins, margins, present, Some(absent));
            }
            Rule::LogOdds(_) => {
                let (present, absent) = sums.split_at_mut(n_numbers);
                each(baseline_margins, n_padded, margins, present, sigmoid);
                each(baseline_margins, n_padded, margins, absent, |margin| sigmoid(-margin));
            }
            Rule::Score(Transform::Logistic) => each(baseline_margins, n_padded, margins, sums, sigmoid),
            Rule::Score(Transform::Exponential) => each(baseline_margins, n_padded, margins, sums, exp),
            Rule::Score(Transform::Identity) => each(baseline_margins, n_padded, margins, sums, |margin| margin),
        }
    }
}

#[inline(always)]
fn each(baseline_margins: &[f32], n_padded: usize, margins: &[f32], sums: &mut [f32], score: impl Fn(f32) -> f32) {
    let outputs = sums.chunks_exact_mut(n_padded).zip(margins.chunks_exact(n_padded)).zip(baseline_margins);
    for ((sums, margins), baseline) in outputs {
        for (sum, margin) in sums.iter_mut().zip(margins) {
            *sum += score(baseline + margin);
        }
    }
}

/// Coalitions whose classes are exponentiated together.
const LANES: usize = 16;

type Lanes = [f32; LANES];

/// Adds the probability of each class, and where wanted the sum of all others'.
#[inline(always)]
fn softmax(baseline_margins: &[f32], margins: &[f32], present: &mut [f32], absent: Option<&mut [f32]>) {
    let (margins, _) = margins.as_chunks();
    let (present, _) = present.as_chunks_mut();
    let mut absent = absent.map(|absent| absent.as_chunks_mut().0);
    let n_blocks = margins.len() / baseline_margins.len();
    let mut weights = vec![[0.0; LANES]; baseline_margins.len()];
    for block in 0..n_blocks {
        let total = exponentials(baseline_margins, margins.iter().skip(block).step_by(n_blocks), &mut weights);
        for class in 0..weights.len() {
            add_quotients(&mut present[class * n_blocks + block], &weights[class], &total);
            if let Some(absent) = &mut absent {
                add_quotients(&mut absent[class * n_blocks + block], &others(&weights, class), &total);
            }
        }
    }
}

/// Writes e^(margin − the largest one) of each class and gives their sums.
#[inline(always)]
fn exponentials<'a>(
    baseline_margins: &[f32],
    margins: impl Iterator<Item = &'a Lanes>,
    weights: &mut [Lanes],
) -> Lanes {
    let mut largest = [f32::NEG_INFINITY; LANES];
    for ((weights, margins), baseline) in weights.iter_mut().zip(margins).zip(baseline_margins) {
        for ((weight, margin), largest) in weights.iter_mut().zip(margins).zip(&mut largest) {
            *weight = baseline + margin;
            *largest = largest.max(*weight);
        }
    }
    let mut total = [0.0; LANES];
    for weights in weights {
        for ((weight, largest), total) in weights.iter_mut().zip(&largest).zip(&mut total) {
            *weight = exp(*weight - largest);
            *total += *weight;
        }
    }
    total
}

/// Summed, never subtracted from the total, which would lose a probability near 1.
#[inline(always)]
fn others(weights: &[Lanes], class: usize) -> Lanes {
    let mut sums = [0.0; LANES];
    for (other, weights) in weights.iter().enumerate() {
        if other != class {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        }
    }
    sums
}

#[inline(always)]
fn add_quotients(sums: &mut Lanes, dividends: &Lanes, divisors: &Lanes) {
    for ((sum, dividend), divisor) in sums.iter_mut().zip(dividends).zip(divisors) {
        *sum += dividend / divisor;
    }
}

/// (2s − M)/M for each size s of a coalition of M players.
pub fn trends(n_players: usize) -> Vec<f32> {
    (0..=n_players).map(|size| (2.0 * size as f64 / n_players as f64 - 1.0) as f32).collect()
}

/// What the operator multiplies, one element for each pair: v(z) − v(complement) − Δ·(2|z| − M)/M.
/// `values` holds the pairs' representatives, then their complements; `trends` is (2s − M)/M for each size s.
pub fn differences(values: &[f32], sizes: &[u32], trends: &[f32], delta: f32) -> Vec<f32> {
    let (present, absent) = values[..2 * sizes.len()].split_at(sizes.len());
    let pairs = present.iter().zip(absent).zip(sizes);
    pairs.map(|((present, absent), &size)| present - absent - delta * trends[size as usize]).collect()
}
