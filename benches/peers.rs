//! Our CPU path next to other packages on the same rows, one core each: `cargo bench --bench peers [-- --quick]`.
//!
//! Other packages live in Python processes that the benchmark starts (benches/peers/speed.py; packages and models are made
//! on the first run). They and we take turns, so that a slow second of the machine meets both; a ratio is one of a round.

#[path = "support/json.rs"]
mod json;
#[path = "support/models.rs"]
mod models;
#[path = "support/python.rs"]
mod python;
#[path = "support/spread.rs"]
mod spread;
#[path = "support/table.rs"]
mod table;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use explaind::compute::cpu::{Instructions, exact, games};
use explaind::compute::{Cpu, Device, Explicand, Games};
use explaind::form::ValueFunction;
use explaind::shap::{Link, Operator, attributions};
use json::write_json;
use models::{BASELINE_ROWS, Model, explicands, folder, make_models};
use ndarray::Array2;
use python::{Script, environment};
use serde_json::{Value, json};
use spread::Spread;
use table::print_table;

const BURST: Duration = Duration::from_millis(100);

/// One line of the table.
struct Contest<'a> {
    what: String,
    peer: &'static str,
    /// How often faster we should be.
    target: Option<f64>,
    /// What the script is asked; a call explains so many records.
    request: Value,
    n_records: usize,
    /// Does the same once; what comes out is compared.
    own: Box<dyn Fn() -> Vec<f64> + 'a>,
}

struct Outcome {
    what: String,
    peer: &'static str,
    target: Option<f64>,
    /// Per record.
    own: Spread,
    theirs: Spread,
    ratio: Spread,
    /// ‖own − theirs‖ / ‖theirs‖
    distance: f64,
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if is_quick { 3 } else { 11 };
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no thread works yet");
    let mut peers = start("venv-peers", "requirements.txt").unwrap_or_else(|reason| panic!("{reason}"));
    let versions = peers.next().expect("the script says what it runs on")["versions"].clone();
    println!("One core each, {:?}; {versions}\n", Instructions::detect());
    let mut outcomes = with_shap(&mut peers, rounds);
    match start("venv-alibi", "requirements-alibi.txt") {
        Ok(mut alibi) => {
            println!("{}\n", alibi.next().expect("the script says what it runs on")["versions"]);
            outcomes.extend(with_alibi(&mut alibi, rounds));
        }
        Err(reason) => println!("alibi was not run: {reason}\n"),
    }
    print(&outcomes);
    let document = json!({ "versions": versions, "rows": outcomes.iter().map(document).collect::<Vec<_>>() });
    let path = folder().join("peers.json");
    write_json(&path, &document).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("\nAs JSON: {}", path.display());
}

fn start(environment_name: &str, requirements: &str) -> Result<Script, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers = root.join("benches/peers");
    let python = environment(&root.join("target").join(environment_name), &peers.join(requirements))?;
    make_models(&python)?;
    Script::start(&python, &peers.join("speed.py"), &[])
}

fn with_shap(script: &mut Script, rounds: usize) -> Vec<Outcome> {
    let cancer = Model::read("breast-cancer");
    let mut outcomes = Vec::new();
    for (n_baseline_rows, n_records, target) in
        [(1, 1, 500.0), (1, 20, 500.0), (BASELINE_ROWS, 1, 50.0), (BASELINE_ROWS, 10, 50.0)]
    {
        let peer = ("shap.KernelExplainer", "kernel_explainer", Some(target));
        outcomes.push(whole(script, rounds, &cancer, peer, n_baseline_rows, n_records));
    }
    for name in ["breast-cancer", "friedman-100x6", "friedman-500x8"] {
        outcomes.extend(values(script, rounds, &Model::read(name)));
    }
    for name in ["breast-cancer", "friedman-100x6", "friedman-500x8"] {
        for n_baseline_rows in [1, BASELINE_ROWS] {
            outcomes.push(closed_forms(script, rounds, &Model::read(name), n_baseline_rows));
        }
    }
    outcomes
}

fn with_alibi(script: &mut Script, rounds: usize) -> Vec<Outcome> {
    let (cancer, peer) = (Model::read("breast-cancer"), ("alibi KernelShap", "alibi_kernel_shap", None));
    [(1, 10), (BASELINE_ROWS, 1)].map(|(rows, records)| whole(script, rounds, &cancer, peer, rows, records)).into()
}

/// From records to attributions that add up; outputs are probabilities.
fn whole(
    script: &mut Script,
    rounds: usize,
    model: &Model,
    (peer, task, target): (&'static str, &'static str, Option<f64>),
    n_baseline_rows: usize,
    n_records: usize,
) -> Outcome {
    let (function, operator) = (model.function(n_baseline_rows, Link::Identity), model.operator());
    let records = model.records(n_records);
    let request = json!({
        "task": task,
        "model": model.name,
        "n_baseline_rows": n_baseline_rows,
        "n_records": n_records,
        "n_samples": 2 * operator.design.n_pairs,
    });
    let what = format!("explanation, {}, {n_baseline_rows} baseline, {n_records} at once", model.name);
    let own = Box::new(|| explain(&function, &operator, &records));
    Contest { what, peer, target, request, n_records, own }.run(script, rounds)
}

fn explain(function: &ValueFunction, operator: &Operator, records: &Array2<f32>) -> Vec<f64> {
    let explicands = explicands(function, records);
    let explicands: Vec<&Explicand> = explicands.iter().collect();
    let products = Cpu::detect().explain(Games { function, operator, explicands: &explicands });
    let products: Vec<f64> = products.expect("the CPU explains").into_iter().map(f64::from).collect();
    let games = products.chunks_exact(operator.design.n_players).zip(&explicands);
    games.flat_map(|(product, explicand)| attributions(product, explicand.deltas[0])).collect()
}

/// Values of all coalitions of one record, against predictions of their rows; the rows are made beforehand.
fn values(script: &mut Script, rounds: usize, model: &Model) -> Vec<Outcome> {
    let (function, operator) = (model.function(1, Link::Identity), model.operator());
    let explicand = &explicands(&function, &model.records(1))[0];
    let columns = || games::columns(Instructions::detect(), &function, &operator, explicand);
    script.ask(&json!({ "coalitions": coalitions(&operator) }));
    let contest = |(peer, task): (&'static str, &str)| Contest {
        what: format!("values, {}", model.name),
        peer,
        target: Some(40.0),
        request: json!({ "task": task, "model": model.name }),
        n_records: 1,
        own: Box::new(|| columns().concat().into_iter().map(f64::from).collect()),
    };
    let differing = |scores: &[f64]| pair_differences(&operator, scores, explicand.deltas[0]);
    let peers = [("XGBoost inplace_predict", "predict"), ("XGBoost predict(DMatrix)", "predict_matrix")];
    peers.map(|peer| contest(peer).run_with(script, rounds, differing)).into()
}

/// As the script reads them: a text of 0 and 1 each.
fn coalitions(operator: &Operator) -> Vec<String> {
    let of = |coalition_idx: usize| {
        let is_present = |player_idx| operator.columns.is_present(coalition_idx, player_idx);
        (0..operator.design.n_players).map(|player_idx| if is_present(player_idx) { '1' } else { '0' }).collect()
    };
    (0..operator.columns.n_coalitions).map(of).collect()
}

/// Scores of all coalitions → what the operator multiplies.
fn pair_differences(operator: &Operator, scores: &[f64], delta: f64) -> Vec<f64> {
    let (n_pairs, n_players) = (operator.design.n_pairs, operator.design.n_players as f64);
    let of_pair = |pair_idx: usize| {
        let trend = 2.0 * operator.coalitions.size(pair_idx) as f64 / n_players - 1.0;
        scores[pair_idx] - scores[n_pairs + pair_idx] - delta * trend
    };
    (0..n_pairs).map(of_pair).collect()
}

/// Shapley values on the margin.
fn closed_forms(script: &mut Script, rounds: usize, model: &Model, n_baseline_rows: usize) -> Outcome {
    let n_records = if n_baseline_rows == 1 { 1000 } else { 20 };
    // On the margin both links are exact with one baseline row; with more, the model's own transform must be none.
    let form = explaind::form::Form { transform: explaind::form::Transform::Identity, ..(*model.form).clone() };
    let function = Model { form: form.into(), ..model.clone() }.function(n_baseline_rows, Link::Identity);
    let explicands = explicands(&function, &model.records(n_records));
    let request = json!({
        "task": "tree",
        "model": model.name,
        "n_baseline_rows": n_baseline_rows,
        "n_records": n_records,
    });
    let what = format!("exact, {}, {n_baseline_rows} baseline", model.name);
    let own =
        Box::new(|| explicands.iter().flat_map(|explicand| exact::attributions(&function, explicand)).collect());
    let target = (n_baseline_rows == 1).then_some(1.0);
    Contest { what, peer: "shap.TreeExplainer", target, request, n_records, own }.run(script, rounds)
}

impl Contest<'_> {
    fn run(self, script: &mut Script, rounds: usize) -> Outcome {
        self.run_with(script, rounds, <[f64]>::to_vec)
    }

    /// `read` makes the script's result comparable with ours. The first calls warm up.
    fn run_with(self, script: &mut Script, rounds: usize, read: impl Fn(&[f64]) -> Vec<f64>) -> Outcome {
        let result = script.ask(&self.request)["result"].clone();
        let result: Vec<f64> = serde_json::from_value(result).expect("are numbers");
        let distance = distance(&(self.own)(), &read(&result));
        let (mut own, mut theirs, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let own_s = self.own_s();
            let their_s = script.ask(&self.request)["seconds"].as_f64().expect("is a number");
            own.push(own_s / self.n_records as f64);
            theirs.push(their_s / self.n_records as f64);
            ratio.push(their_s / own_s);
        }
        let [own, theirs, ratio] = [own, theirs, ratio].map(Spread::of);
        Outcome { what: self.what, peer: self.peer, target: self.target, own, theirs, ratio, distance }
    }

    /// Of one call, the mean over a burst.
    fn own_s(&self) -> f64 {
        let (started, mut n_calls) = (Instant::now(), 0);
        while n_calls == 0 || started.elapsed() < BURST {
            black_box((self.own)());
            n_calls += 1;
        }
        started.elapsed().as_secs_f64() / f64::from(n_calls)
    }
}

fn distance(own: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(own.len(), theirs.len(), "as many numbers as the other package gives");
    let norm = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut own.iter().zip(theirs).map(|(own, theirs)| own - theirs));
    apart / norm(&mut theirs.iter().copied())
}

fn print(outcomes: &[Outcome]) {
    let headings = [
        ["", "what"],
        ["", "peer"],
        ["explaind", "µs a record"],
        ["peer", "µs a record"],
        ["ratio", "(quartiles)"],
        ["", "target"],
        ["", "distance"],
    ];
    let us = |spread: Spread| format!("{:.1}", spread.median_s * 1e6);
    let row = |outcome: &Outcome| {
        let Spread { lower_s, median_s, upper_s, .. } = outcome.ratio;
        vec![
            outcome.what.clone(),
            outcome.peer.to_owned(),
            us(outcome.own),
            us(outcome.theirs),
            format!("{median_s:.1} ({lower_s:.1} to {upper_s:.1})"),
            outcome.target.map_or_else(|| "–".to_owned(), |target| target.to_string()),
            format!("{:.1e}", outcome.distance),
        ]
    };
    print_table(&headings, &outcomes.iter().map(row).collect::<Vec<_>>());
    println!(
        "\nDistance: between the results, as a share of the peer's norm. Kernel explainers draw other coalitions."
    );
}

fn document(outcome: &Outcome) -> Value {
    let spread = |Spread { lower_s, median_s, upper_s, n_calls }: Spread| json!({ "quartiles": [lower_s, median_s, upper_s], "rounds": n_calls });
    json!({
        "what": outcome.what,
        "peer": outcome.peer,
        "target": outcome.target,
        "explaind_s": spread(outcome.own),
        "peer_s": spread(outcome.theirs),
        "ratio": spread(outcome.ratio),
        "distance": outcome.distance,
    })
}
