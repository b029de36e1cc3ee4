//! What was measured, and how it is told: the table, the stages, the verdict, the JSON.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use explaind::compute::Cpu;
use serde_json::{Value, json};

use super::contender::{ALL_CORES, Adapter, GPU, ONE_THREAD};
use super::report::{giga_per_s, outcome_json, records_per_s, short};
use super::table::print_table;
use super::timing::Outcome;

/// Records a second that the CPU's regression must reach on two cores.
const TARGET_PER_S: f64 = 200_000.0;

/// Relative to the largest attribution, more than float32 sums of a few thousand terms can differ.
const DEVIATION_MAX: f64 = 1e-4;

#[derive(Clone, Copy)]
pub struct Shape {
    pub n_players: usize,
    pub n_pairs: usize,
    pub n_records: usize,
    pub n_outputs: usize,
}

pub struct Cell {
    pub shape: Shape,
    /// One thread, all cores and, where there is one, the GPU.
    pub outcomes: Vec<Outcome>,
    /// Largest difference between CPU and GPU as a share of the largest attribution.
    pub deviation: Option<f64>,
}

pub struct Stage {
    pub name: &'static str,
    pub outcomes: Vec<Outcome>,
}

impl Shape {
    pub fn n_columns(self) -> usize {
        self.n_records * self.n_outputs
    }

    /// A multiplication and an addition for each pair, player and column; padding does not count.
    pub fn flop(self) -> f64 {
        2.0 * (self.n_pairs * self.n_players * self.n_columns()) as f64
    }

    /// Columns read once and attributions written once; the operator, which caches hold, does not count.
    pub fn bytes(self) -> f64 {
        (size_of::<f32>() * self.n_columns() * (self.n_pairs + self.n_players)) as f64
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} × {} × {}", self.n_players, self.n_records, self.n_outputs)
    }
}

pub fn print_heading(adapter: &Adapter) {
    let cpu = Cpu::detect();
    println!("CPU: {:?} instructions, {} threads", cpu.instructions, rayon::current_num_threads());
    match adapter {
        Ok(info) => println!("GPU: {}, {:?}, {} {}", gpu_name(info), info.backend, info.driver, info.driver_info),
        Err(reason) => println!("GPU: none, its columns say so: {reason}"),
    }
    println!(
        "\nAttributions of records at 2M+2048 samples: records/s are medians (lower to upper quartile).\n\
         GFLOP/s count 2 · pairs · players · records · outputs. GB/s count columns read and attributions written,\n\
         4 bytes each; not the operator. GPU times hold upload and readback. 8 players are listed, which the\n\
         server solves in float64 on the CPU; here both sides do the same shape in float32.\n"
    );
}

fn gpu_name(info: &wgpu::AdapterInfo) -> String {
    format!("{}{}", info.name, if is_software(info) { " (software, correctness only)" } else { "" })
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

pub fn print_cells(cells: &[Cell], adapter: &Adapter) {
    let headings = [
        ["", "players"],
        ["", "records"],
        ["", "outputs"],
        ["CPU, 1 thread", "records/s"],
        ["CPU, all threads", "records/s"],
        ["", "GFLOP/s"],
        ["", "GB/s"],
        ["GPU", "records/s"],
        ["", "GFLOP/s"],
        ["", "GB/s"],
        ["GPU/CPU", "all threads"],
    ];
    print_table(&headings, &cells.iter().map(cell_row).collect::<Vec<_>>());
    if let Ok(info) = adapter {
        println!("\nGPU: {}", gpu_name(info));
    }
    let worst = cells.iter().filter_map(|cell| cell.deviation).fold(0.0, f64::max);
    if cells.iter().any(|cell| cell.deviation.is_some()) {
        println!("Largest difference between CPU and GPU: {worst:.1e} of a cell's largest attribution");
    }
    assert!(worst < DEVIATION_MAX, "CPU and GPU disagree; their times mean nothing");
}

fn cell_row(cell: &Cell) -> Vec<String> {
    let Cell { shape, outcomes, .. } = cell;
    let rates = |outcome: &Outcome| [giga_per_s(outcome, shape.flop()), giga_per_s(outcome, shape.bytes())];
    let mut row: Vec<String> =
        [shape.n_players, shape.n_records, shape.n_outputs].iter().map(usize::to_string).collect();
    row.push(records_per_s(&outcomes[ONE_THREAD], shape.n_records));
    row.push(records_per_s(&outcomes[ALL_CORES], shape.n_records));
    row.extend(rates(&outcomes[ALL_CORES]));
    match outcomes.get(GPU) {
        Some(outcome) => {
            row.push(records_per_s(outcome, shape.n_records));
            row.extend(rates(outcome));
        }
        None => row.extend(["no adapter", "", ""].map(str::to_owned)),
    }
    row.push(ratio(outcomes).map_or_else(String::new, |ratio| format!("{ratio:.3}")));
    row
}

/// Records per second of the GPU for one of all CPU cores.
fn ratio(outcomes: &[Outcome]) -> Option<f64> {
    Some(outcomes[ALL_CORES].spread()?.median_s / outcomes.get(GPU)?.spread()?.median_s)
}

pub fn print_stages(shape: Shape, stages: &[Stage], adapter: &Adapter) {
    let Shape { n_players, n_pairs, n_records, .. } = shape;
    println!("\n{n_players} players, {} samples, 1 output, {n_records} records in a batch:\n", 2 * n_pairs);
    let headings =
        [["", "stage"], ["CPU, 1 thread", "records/s"], ["CPU, all threads", "records/s"], ["GPU", "records/s"]];
    let row = |stage: &Stage| {
        let rates = stage.outcomes.iter().map(|outcome| records_per_s(outcome, n_records));
        let none = adapter.as_ref().err().map(|_| "no adapter".to_owned());
        std::iter::once(stage.name.to_owned()).chain(rates).chain(none).collect()
    };
    print_table(&headings, &stages.iter().map(row).collect::<Vec<Vec<String>>>());
    println!("\nThe target is {} records/s on two cores, for the regression alone:", short(TARGET_PER_S));
    for stage in stages {
        if let Some(spread) = stage.outcomes[ALL_CORES].spread() {
            let rate = n_records as f64 / spread.median_s;
            println!("  {}: {:.2} times the target", stage.name, rate / TARGET_PER_S);
        }
    }
}

/// Where the GPU loses, in words; a cell whose quartiles overlap is even.
pub fn verdict(cells: &[Cell], adapter: &Adapter) -> String {
    let info = match adapter {
        Ok(info) => info,
        Err(reason) => return format!("Nothing is said about GPUs here: {reason}."),
    };
    let compared = cells.iter().filter_map(|cell| Some((cell, ratio(&cell.outcomes)?)));
    let (even, decided): (Vec<Compared>, Vec<Compared>) = compared.partition(|(cell, _)| is_even(&cell.outcomes));
    let (won, lost): (Vec<Compared>, Vec<Compared>) = decided.into_iter().partition(|&(_, ratio)| ratio > 1.0);
    format!(
        "{} against {} CPU threads, in players × records × outputs: {} {} {} of {} cells are even within their \
         quartiles; {} were not measured on the GPU.",
        gpu_name(info),
        rayon::current_num_threads(),
        losses(&lost),
        wins(&won),
        even.len(),
        cells.len(),
        cells.len() - even.len() - won.len() - lost.len(),
    )
}

/// With the GPU's records per second for one of the CPU.
type Compared<'a> = (&'a Cell, f64);

fn losses(lost: &[Compared]) -> String {
    let by_ratio = |a: &&Compared, b: &&Compared| a.1.total_cmp(&b.1);
    match (lost.iter().min_by(by_ratio), lost.iter().max_by(by_ratio)) {
        (Some((worst, most)), Some((mildest, least))) => format!(
            "the GPU loses in {} cells, {:.1} times slower ({}) to {:.1} times ({}).",
            lost.len(),
            1.0 / least,
            mildest.shape,
            1.0 / most,
            worst.shape
        ),
        _ => "the GPU loses nowhere.".to_owned(),
    }
}

fn wins(won: &[Compared]) -> String {
    let Some((best, ratio)) = won.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return "It wins nowhere.".to_owned();
    };
    let shapes: Vec<String> = won.iter().map(|(cell, _)| cell.shape.to_string()).collect();
    format!("It wins at {}, at best {ratio:.1} times faster ({}).", shapes.join(", "), best.shape)
}

fn is_even(outcomes: &[Outcome]) -> bool {
    match (outcomes[ALL_CORES].spread(), outcomes.get(GPU).and_then(Outcome::spread)) {
        (Some(cpu), Some(gpu)) => cpu.lower_s <= gpu.upper_s && gpu.lower_s <= cpu.upper_s,
        _ => false,
    }
}

pub fn document(cells: &[Cell], stage_shape: Shape, stages: &[Stage], adapter: &Adapter) -> Value {
    let date = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let adapter = match adapter {
        Ok(info) => json!({
            "name": info.name,
            "software": is_software(info),
            "backend": format!("{:?}", info.backend),
            "driver": format!("{} {}", info.driver, info.driver_info),
        }),
        Err(reason) => json!({ "none": reason }),
    };
    json!({
        "date_unix_s": date,
        "cpu": {
            "instructions": format!("{:?}", Cpu::detect().instructions),
            "threads": rayon::current_num_threads(),
        },
        "adapter": adapter,
        "cells": cells.iter().map(cell_json).collect::<Vec<Value>>(),
        "stages": stages.iter().map(|stage| stage_json(stage_shape, stage)).collect::<Vec<Value>>(),
    })
}

fn cell_json(cell: &Cell) -> Value {
    let mut object = outcomes_json(cell.shape, &cell.outcomes);
    object["gpu_over_cpu"] = json!(ratio(&cell.outcomes));
    object["deviation"] = json!(cell.deviation);
    object
}

fn stage_json(shape: Shape, stage: &Stage) -> Value {
    let mut object = outcomes_json(shape, &stage.outcomes);
    object["stage"] = json!(stage.name);
    object
}

fn outcomes_json(shape: Shape, outcomes: &[Outcome]) -> Value {
    let of = |idx: usize| {
        outcomes.get(idx).map(|outcome| outcome_json(outcome, shape.n_records, shape.flop(), shape.bytes()))
    };
    json!({
        "players": shape.n_players,
        "pairs": shape.n_pairs,
        "records": shape.n_records,
        "outputs": shape.n_outputs,
        "cpu_one_thread": of(ONE_THREAD),
        "cpu": of(ALL_CORES),
        "gpu": of(GPU),
    })
}
