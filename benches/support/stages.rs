//! Where one CPU thread's time goes: walking trees, summing and scoring coalitions, the regression.

use std::hint::black_box;
use std::time::Instant;

use explaind::compute::Explicand;
use explaind::compute::cpu::attribute::attribute;
use explaind::compute::cpu::conjunctions::Conjunctions;
use explaind::compute::cpu::live_leaves::{NOBODY, Rows, live_leaves};
use explaind::compute::cpu::scores::{Rule, Scores};
use explaind::compute::cpu::{Instructions, games};
use explaind::form::{Body, TreeEnsemble, ValueFunction};
use explaind::shap::{Matrix, Operator, Panels};
use serde_json::{Value, json};

use super::spread::Spread;
use super::table::print_table;

const ROUNDS: usize = 9;

/// µs for each record, medians.
pub struct Stages {
    /// Keys and live leaves; models without trees have none.
    walk: Option<f64>,
    /// From sums of coalitions to the link's scale, and the mean over baseline rows.
    scores: f64,
    /// All values, with the two above.
    values: f64,
    attribute: f64,
}

impl Stages {
    pub fn measure(function: &ValueFunction, operator: &Operator, explicands: &[Explicand]) -> Self {
        let instructions = Instructions::detect();
        let columns_of = |explicand: &Explicand| games::columns(instructions, function, operator, explicand);
        let columns: Vec<Vec<f32>> = explicands.iter().flat_map(columns_of).collect();
        let Matrix::Single(matrix) = &operator.matrix else { panic!("the models have many coalitions") };
        let panels = || Panels::from_columns(operator.design.n_pairs, &columns);
        let each = |work: &dyn Fn(&Explicand)| median_us(explicands.len(), || explicands.iter().for_each(work));
        Self {
            walk: match &function.form.body {
                Body::Trees(trees) => Some(each(&|explicand| walk(function, trees, explicand))),
                Body::Layers(_) => None,
            },
            scores: each(&|_| drop(black_box(scores(instructions, function, operator)))),
            values: each(&|explicand| drop(black_box(columns_of(explicand)))),
            attribute: median_us(explicands.len(), || drop(black_box(attribute(instructions, matrix, &panels())))),
        }
    }

    /// What is left of the values: sums over coalitions, layers of a perceptron, differences of pairs.
    fn sums(&self) -> f64 {
        (self.values - self.scores - self.walk.unwrap_or(0.0)).max(0.0)
    }

    pub fn to_json(&self) -> Value {
        json!({
            "walk": self.walk,
            "sums": self.sums(),
            "scores": self.scores,
            "values": self.values,
            "attribute": self.attribute,
        })
    }
}

fn median_us(n_records: usize, work: impl Fn()) -> f64 {
    let seconds = |_| {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64()
    };
    Spread::of((0..ROUNDS).map(seconds).collect()).median_s / n_records as f64 * 1e6
}

fn walk(function: &ValueFunction, trees: &TreeEnsemble, explicand: &Explicand) {
    let inputs = function.form.inputs.apply(&explicand.features, function.form.n_features());
    let mut record = Vec::new();
    trees.push_keys(&inputs, &mut record);
    let features = function.input_features.as_ref().expect("the models mix no features");
    let mut players = vec![NOBODY];
    players.extend(trees.views.iter().map(|view| explicand.players[features[view.input() as usize] as usize]));
    let mut lists = vec![Conjunctions::<f32>::default(); trees.n_outputs / trees.leaf_width];
    for baseline_row in 0..function.n_baseline_rows() {
        let baseline = function.baseline_keys(baseline_row);
        let rows = Rows { record: &record, baseline, players: &players };
        lists.iter_mut().for_each(Conjunctions::clear);
        live_leaves(trees, rows, function.baseline_leaves(baseline_row), usize::MAX, &mut lists);
        black_box(&lists);
    }
}

fn scores(instructions: Instructions, function: &ValueFunction, operator: &Operator) -> Vec<f32> {
    let rule = Rule::of(function).expect("float32 is enough for the models");
    let (n_outputs, n_padded) = (function.form.n_outputs(), operator.columns.n_words * u64::BITS as usize);
    let margins = vec![0.25; n_outputs * n_padded];
    let mut scores = Scores::new(instructions, rule, n_outputs, n_padded);
    for baseline_row in 0..function.n_baseline_rows() {
        scores.add(function.baseline_margins(baseline_row), &margins);
    }
    scores.values()
}

pub fn print_stages(all: &[(String, &Stages)]) {
    println!("\nOne CPU thread, µs a record, medians of {ROUNDS}:\n");
    let headings = [["", "model"], ["", "walk"], ["", "sums"], ["", "scores"], ["", "values"], ["", "attribute"]];
    let row = |(title, stages): &(String, &Stages)| {
        let told = |us: f64| format!("{us:.1}");
        vec![
            title.clone(),
            stages.walk.map_or_else(|| "–".to_owned(), told),
            told(stages.sums()),
            told(stages.scores),
            told(stages.values),
            told(stages.attribute),
        ]
    };
    print_table(&headings, &all.iter().map(row).collect::<Vec<_>>());
    println!("Values: walk, sums and scores. Sums are what is left of the values.");
}
