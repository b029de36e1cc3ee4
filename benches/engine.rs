//! Whole explanations of models in the process, CPU against GPU: `cargo bench --bench engine [-- --quick]`.
//!
//! Models × baseline rows × batch sizes. A call is `Device::explain`: records in host memory → attributions in host
//! memory; for a GPU that is upload, all kernels and readback, and model and operator are on the device already. Table,
//! JSON and an SVG plot go to target/engine. Models are made by Python on the first run (benches/peers/make_models.py).

#[path = "support/contender.rs"]
mod contender;
#[path = "support/json.rs"]
mod json;
#[path = "support/models.rs"]
mod models;
#[path = "support/plot.rs"]
mod plot;
#[path = "support/python.rs"]
#[expect(dead_code, reason = "the environment is used, no script is talked to")]
mod python;
#[path = "support/report.rs"]
#[expect(dead_code, reason = "another benchmark counts operations as well")]
mod report;
#[path = "support/spread.rs"]
mod spread;
#[path = "support/stages.rs"]
mod stages;
#[path = "support/table.rs"]
mod table;
#[path = "support/timing.rs"]
mod timing;

use std::path::Path;
use std::time::Duration;

use contender::{ALL_CORES, Adapter, GPU, ONE_THREAD, contenders};
use explaind::compute::{Cpu, Explicand, Games};
use explaind::form::ValueFunction;
use explaind::shap::{Link, Operator};
use models::{BASELINE_ROWS, Model, explicands, folder, make_models};
use plot::{Axes, Line, Panel, svg};
use report::{records_per_s, short, write_json};
use serde_json::{Value, json};
use stages::{Stages, print_stages};
use table::print_table;
use timing::{Outcome, Plan, measure};

const MODELS: [&str; 7] =
    ["breast-cancer", "friedman-100x6", "friedman-500x8", "friedman128-100x6", "wine", "linear", "mlp"];
const RECORDS: [usize; 4] = [1, 16, 256, 4096];

const DEVICES: [&str; 3] = ["CPU, one thread", "CPU, all cores", "GPU"];

/// Records of one model against so many baseline rows.
struct Series {
    model: &'static str,
    n_players: usize,
    n_outputs: usize,
    n_baseline_rows: usize,
    cells: Vec<Cell>,
    stages: Stages,
}

struct Cell {
    n_records: usize,
    /// One thread, all cores and, where there is one, the GPU.
    outcomes: Vec<Outcome>,
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, n_records) = if is_quick { (3, &RECORDS[..3]) } else { (5, &RECORDS[..]) };
    let plan = Plan { rounds, burst: Duration::from_millis(10), call_max: Duration::from_millis(500) };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let requirements = root.join("benches/peers/requirements.txt");
    let python = python::environment(&root.join("target/venv-peers"), &requirements);
    python.and_then(|python| make_models(&python)).unwrap_or_else(|reason| panic!("no models: {reason}"));
    print_heading(&contenders().1);
    let mut all = Vec::new();
    for model in MODELS.map(Model::read) {
        for n_baseline_rows in [1, BASELINE_ROWS] {
            all.push(series(&model, n_baseline_rows, n_records, plan));
        }
    }
    print_cells(&all);
    print_stages(&all.iter().map(|series| (series.title(), &series.stages)).collect::<Vec<_>>());
    println!();
    all.iter().for_each(|series| println!("{}: {}", series.title(), series.verdict()));
    write(&all, &contenders().1);
}

fn print_heading(adapter: &Adapter) {
    let n_cores = rayon::current_num_threads();
    println!(
        "CPU: {:?}, {n_cores} threads. S = 2M + 2048, scores with the identity link.",
        Cpu::detect().instructions
    );
    println!("GPU: {}\n", adapter_name(adapter));
}

fn adapter_name(adapter: &Adapter) -> String {
    match adapter {
        Ok(info) if info.device_type == wgpu::DeviceType::Cpu => {
            format!("{} ({}), a software driver: this is the processor again", info.name, info.driver_info)
        }
        Ok(info) => format!("{} ({})", info.name, info.driver_info),
        Err(reason) => format!("none: {reason}"),
    }
}

fn series(model: &Model, n_baseline_rows: usize, n_records: &[usize], plan: Plan) -> Series {
    let (function, operator) = (model.function(n_baseline_rows, Link::Identity), model.operator());
    let most = n_records.iter().copied().max().unwrap_or(0);
    let explicands = explicands(&function, &model.records(most));
    // A rate is one of this series: the first batches say how long larger ones take.
    let (mut contenders, _) = contenders();
    let cell = |&n_records: &usize| {
        let batch: Vec<&Explicand> = explicands[..n_records].iter().collect();
        let games = Games { function: &function, operator: &operator, explicands: &batch };
        let measured = measure(&mut contenders, n_records as f64, plan, |device| device.explain(games));
        Cell { n_records, outcomes: measured.into_iter().map(|(outcome, _)| outcome).collect() }
    };
    let cells = n_records.iter().map(cell).collect();
    let n_players = operator.design.n_players;
    let stages = stages_of(&function, &operator, &explicands);
    Series { model: model.name, n_players, n_outputs: function.form.n_outputs(), n_baseline_rows, cells, stages }
}

fn stages_of(function: &ValueFunction, operator: &Operator, explicands: &[Explicand]) -> Stages {
    let n_records = if function.n_baseline_rows() == 1 { 64 } else { 4 };
    let one_thread =
        rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one more thread can be started");
    one_thread.install(|| Stages::measure(function, operator, &explicands[..n_records]))
}

impl Series {
    fn title(&self) -> String {
        format!("{}, {} baseline", self.model, self.n_baseline_rows)
    }

    /// A batch size whose records the GPU explains sooner.
    fn verdict(&self) -> String {
        if let Some(Outcome::Failed(error)) = self.cells.first().and_then(|cell| cell.outcomes.get(GPU)) {
            return format!("the GPU answered nothing: {error}");
        }
        let median_s = |cell: &Cell, idx: usize| cell.outcomes.get(idx)?.spread().map(|spread| spread.median_s);
        let wins = |cell: &&Cell| match (median_s(cell, GPU), median_s(cell, ALL_CORES)) {
            (Some(gpu), Some(cpu)) => gpu < cpu,
            _ => false,
        };
        match self.cells.iter().find(wins) {
            Some(cell) => format!("the GPU wins from {} records on", cell.n_records),
            None => "the GPU wins at no batch size that was measured".to_owned(),
        }
    }

    /// What goes into a device with each record, and comes back.
    fn bytes(&self) -> usize {
        let (features_and_players, deltas) = (2 * self.n_players, self.n_outputs);
        size_of::<f32>() * (features_and_players + deltas + self.n_outputs * self.n_players)
    }

    fn panel(&self) -> Panel {
        let line = |(idx, label): (usize, &&str)| Line {
            label: (*label).to_owned(),
            points: self.cells.iter().filter_map(|cell| rate(cell, idx)).collect(),
        };
        let lines = DEVICES.iter().enumerate().map(line).filter(|line| !line.points.is_empty());
        Panel { title: self.title(), lines: lines.collect() }
    }
}

/// Records of a batch, and explanations a second.
fn rate(cell: &Cell, idx: usize) -> Option<(f64, f64)> {
    let spread = cell.outcomes.get(idx)?.spread()?;
    Some((cell.n_records as f64, cell.n_records as f64 / spread.median_s))
}

fn print_cells(all: &[Series]) {
    let headings = [
        ["", "model"],
        ["", "players"],
        ["", "outputs"],
        ["baseline", "rows"],
        ["", "records"],
        ["explanations/s,", "CPU, one thread"],
        ["explanations/s,", "CPU, all cores"],
        ["explanations/s,", "GPU"],
        ["GPU /", "CPU"],
        ["moved,", "bytes"],
    ];
    let row = |series: &Series, cell: &Cell| {
        let told = |idx: usize| match cell.outcomes.get(idx) {
            None => "–".to_owned(),
            // Why stands below the table.
            Some(Outcome::Failed(error)) if error.contains("refused") => "refused".to_owned(),
            Some(outcome) => records_per_s(outcome, cell.n_records),
        };
        let ratio = rate(cell, GPU).zip(rate(cell, ALL_CORES)).map(|((_, gpu), (_, cpu))| gpu / cpu);
        vec![
            series.model.to_owned(),
            series.n_players.to_string(),
            series.n_outputs.to_string(),
            series.n_baseline_rows.to_string(),
            cell.n_records.to_string(),
            told(ONE_THREAD),
            told(ALL_CORES),
            told(GPU),
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}")),
            short((series.bytes() * cell.n_records) as f64),
        ]
    };
    let rows = all.iter().flat_map(|series| series.cells.iter().map(move |cell| row(series, cell)));
    print_table(&headings, &rows.collect::<Vec<_>>());
}

fn write(all: &[Series], adapter: &Adapter) {
    let axes = Axes { x: "records of a batch", y: "explanations/s" };
    let picture = svg(&all.iter().map(Series::panel).collect::<Vec<_>>(), &axes);
    let (plot, results) = (folder().join("engine.svg"), folder().join("engine.json"));
    let document = json!({
        "adapter": adapter_name(adapter),
        "threads": rayon::current_num_threads(),
        "series": all.iter().map(series_json).collect::<Vec<_>>(),
    });
    let written = std::fs::write(&plot, picture).and_then(|()| write_json(&results, &document));
    match written {
        Ok(()) => println!("\nAs JSON: {}\nAs a picture: {}", results.display(), plot.display()),
        Err(error) => println!("\nResults could not be written: {error}"),
    }
}

fn series_json(series: &Series) -> Value {
    let cell = |cell: &Cell| {
        let of = |idx: usize| cell.outcomes.get(idx).map(|outcome| outcome_json(outcome, cell.n_records));
        json!({
            "records": cell.n_records,
            "bytes": series.bytes() * cell.n_records,
            "cpu_one_thread": of(ONE_THREAD),
            "cpu": of(ALL_CORES),
            "gpu": of(GPU),
        })
    };
    json!({
        "model": series.model,
        "players": series.n_players,
        "outputs": series.n_outputs,
        "baseline_rows": series.n_baseline_rows,
        "cells": series.cells.iter().map(cell).collect::<Vec<_>>(),
        "stages_us": series.stages.to_json(),
        "verdict": series.verdict(),
    })
}

fn outcome_json(outcome: &Outcome, n_records: usize) -> Value {
    match outcome {
        Outcome::Measured(spread) => {
            let per_s = |seconds: f64| n_records as f64 / seconds;
            let quartiles = [per_s(spread.upper_s), per_s(spread.median_s), per_s(spread.lower_s)];
            json!({ "explanations_per_s": quartiles, "calls": spread.n_calls })
        }
        Outcome::Skipped { estimate_s } => json!({ "skipped": true, "call_s_estimate": estimate_s }),
        Outcome::Failed(error) => json!({ "failed": error }),
    }
}
