//! How far estimators are from exact Shapley values: `cargo bench --bench accuracy [-- --quick]`.
//!
//! Games with known values live in a Python process that the benchmark starts (benches/peers/accuracy.py; its packages are
//! installed on the first run). It is asked for the values of our coalitions, and estimates the same games with other
//! packages under the same budgets. Error: ‖estimate − exact‖/‖exact‖, mean over the records of a game.

#[path = "support/accuracy.rs"]
mod accuracy;
#[path = "support/json.rs"]
mod json;
#[path = "support/python.rs"]
mod python;

use std::path::Path;
use std::time::Instant;

use accuracy::{Cell, Measured, Row, document, print_games, print_verdict, usual_spread};
use explaind::compute::cpu::{Instructions, attribute::attribute};
use explaind::config::{Kernel, SampledEstimator};
use explaind::shap::{
    Design, DesignLimits, Estimator, Matrix, Method, Operator, Panels, attributions, differences, scaled, unscaled,
};
use json::write_json;
use python::{Script, environment};
use serde_json::{Value, json};

const OWN: [SampledEstimator; 2] = [SampledEstimator::KernelShap, SampledEstimator::Trend];
const SEEDS: i64 = 3;

/// Samples where `None` is the default, 2M + 2048.
const BUDGETS: [Option<u64>; 5] = [Some(256), Some(512), Some(1024), None, Some(4096)];

/// A game whose values the script knows.
struct Game {
    name: String,
    is_held_out: bool,
    /// v(everybody) − v(nobody) of each record.
    deltas: Vec<f64>,
    /// `[n_records][n_players]`.
    exact: Vec<Vec<f64>>,
}

impl Game {
    fn read(value: &Value) -> Self {
        let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).expect("are numbers") };
        Self {
            name: value["game"].as_str().expect("has a name").to_owned(),
            is_held_out: value["is_held_out"].as_bool().expect("says whether"),
            deltas: numbers(&value["deltas"]),
            exact: value["exact"].as_array().expect("is a list").iter().map(numbers).collect(),
        }
    }

    fn n_players(&self) -> usize {
        self.exact[0].len()
    }

    /// Mean over the records.
    fn error(&self, estimates: &[Vec<f64>]) -> f64 {
        let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let of_record = |(estimate, exact): (&Vec<f64>, &Vec<f64>)| {
            norm(&mut estimate.iter().zip(exact).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied())
        };
        estimates.iter().zip(&self.exact).map(of_record).sum::<f64>() / self.exact.len() as f64
    }
}

fn main() {
    let budgets = if std::env::args().any(|argument| argument == "--quick") { &BUDGETS[..2] } else { &BUDGETS };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers = root.join("benches/peers");
    let python = environment(&root.join("target/venv-peers"), &peers.join("requirements.txt"));
    let started = python.and_then(|python| Script::start(&python, &peers.join("accuracy.py"), &[]));
    let mut script = started.unwrap_or_else(|reason| panic!("the games' script does not run: {reason}"));
    let versions = script.next().expect("the script says what it runs on")["versions"].clone();
    println!("{versions}\n");
    let mut games = Vec::new();
    while let Some(game) = script.next() {
        let started = Instant::now();
        games.push(measure(&mut script, &Game::read(&game), budgets));
        println!("{} after {:.0} s", games[games.len() - 1].game, started.elapsed().as_secs_f64());
    }
    report(&games, budgets);
    let path = root.join("target/bench/accuracy.json");
    match write_json(&path, &document(&games, &versions)) {
        Ok(()) => println!("\nAs JSON: {}", path.display()),
        Err(error) => println!("\n{} could not be written: {error}", path.display()),
    }
}

fn report(games: &[Measured], budgets: &[Option<u64>]) {
    println!(
        "\nError: kernel-shap / trend / the best of the other packages. ° trend's constants were chosen on it."
    );
    let heading = |budget: &Option<u64>| budget.map_or("2M + 2048".to_owned(), |budget| budget.to_string());
    print_games(games, &budgets.iter().map(heading).collect::<Vec<_>>());
    let of_kind = |is_held_out| games.iter().filter(|game| game.is_held_out == is_held_out).collect::<Vec<_>>();
    print_verdict("Games held out", &of_kind(true));
    print_verdict("Games that trend's constants were chosen on", &of_kind(false));
    println!("\nSeeds lie {:.0} % of an error apart (median).", 100.0 * usual_spread(games));
}

/// Budgets that list all coalitions leave nothing to estimate.
fn measure(script: &mut Script, game: &Game, budgets: &[Option<u64>]) -> Measured {
    let all_designs = budgets.iter().map(|&budget| design(game.n_players(), budget, 0, OWN[0]));
    let sampled = all_designs.filter(|design| design.estimator != Estimator::Enumerated);
    let n_samples: Vec<u64> = sampled.map(|design| 2 * design.n_pairs as u64).collect();
    let own: Vec<Vec<Cell>> = n_samples.iter().map(|&n| own_cells(script, game, n)).collect();
    let peers = script.ask(&json!({ "budgets": n_samples }));
    let with_peers = |(idx, mut cells): (usize, Vec<Cell>)| {
        cells.extend(peers.as_object().expect("a list for each").iter().map(|(name, errors)| Cell {
            estimator: name.clone(),
            by_seed: serde_json::from_value(errors[idx].clone()).expect("are numbers"),
        }));
        Row { n_samples: n_samples[idx], cells }
    };
    let rows = own.into_iter().enumerate().map(with_peers).collect();
    Measured { game: game.name.clone(), is_held_out: game.is_held_out, n_players: game.n_players(), rows }
}

fn design(n_players: usize, n_samples: Option<u64>, seed: i64, estimator: SampledEstimator) -> Design {
    let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
    let method = Method { kernel: Kernel::Shapley, estimator };
    Design::new(n_players, n_samples, seed, method, limits).expect("no limit is met")
}

/// Both estimators on the same coalitions, which are asked for once.
fn own_cells(script: &mut Script, game: &Game, n_samples: u64) -> Vec<Cell> {
    let mut cells = OWN.map(|own| Cell { estimator: own.name().to_owned(), by_seed: Vec::new() });
    for seed in 0..SEEDS {
        let operators = OWN.map(|own| Operator::of(design(game.n_players(), Some(n_samples), seed, own)));
        let values = values(script, &operators[0]);
        for (cell, operator) in cells.iter_mut().zip(&operators) {
            assert_eq!(operator.coalitions, operators[0].coalitions, "estimators share their coalitions");
            let records = values.iter().zip(&game.deltas);
            let estimates = records.map(|(values, &delta)| estimate(operator, values, delta)).collect::<Vec<_>>();
            cell.by_seed.push(game.error(&estimates));
        }
    }
    cells.into()
}

/// `[n_records][2 × n_pairs]`.
fn values(script: &mut Script, operator: &Operator) -> Vec<Vec<f64>> {
    let coalitions = &operator.coalitions;
    let members = |coalition: usize| -> String {
        let is_present = |player| if coalitions.is_present(coalition, player) { '1' } else { '0' };
        (0..coalitions.n_players).map(is_present).collect()
    };
    let all: Vec<String> = (0..2 * coalitions.n_pairs()).map(members).collect();
    serde_json::from_value(script.ask(&json!({ "coalitions": all }))["values"].take()).expect("are numbers")
}

/// As the server does it on the CPU.
fn estimate(operator: &Operator, values: &[f64], delta: f64) -> Vec<f64> {
    let column = differences(&operator.coalitions, values, delta);
    let instructions = Instructions::detect();
    let product = match &operator.matrix {
        Matrix::Double(matrix) => attribute(instructions, matrix, &Panels::from_columns(column.len(), &[column])),
        Matrix::Single(matrix) => {
            let (column, scale) = scaled(&column);
            unscaled(&attribute(instructions, matrix, &Panels::from_columns(column.len(), &[column])), scale)
        }
    };
    attributions(&product, delta)
}
