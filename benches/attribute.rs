//! The batched regression on CPU and GPU, side by side as one table: `cargo bench --bench attribute [-- --quick]`.
//!
//! A call is `Device::attribute`: packed columns in host memory → attributions in host memory. For a GPU that
//! is upload, dispatch and readback; the operator is on the device already. Stages around it follow the table.

mod support;

use std::path::Path;
use std::time::Duration;

use explaind::config::Kernel;
use explaind::shap::{
    Design, DesignLimits, Matrix, Operator, Panels, attributions, differences, scaled, unscaled,
};
use rayon::prelude::*;
use support::cells::{Cell, Shape, Stage, document, print_cells, print_heading, print_stages, verdict};
use support::contender::{ALL_CORES, Contender, GPU, contenders};
use support::report::write_json;
use support::timing::{Outcome, Plan, measure};

const PLAYERS: [usize; 4] = [8, 32, 128, 512];
const RECORDS: [usize; 4] = [1, 64, 1024, 16384];
const OUTPUTS: [usize; 2] = [1, 3];

/// Packed columns of one cell, in bytes.
const CELL_BYTES_MAX: usize = 512 << 20;

/// What the stages are shown for: a usual table of features, and one full batch of the server.
const STAGE: Shape = Shape { n_players: 30, n_pairs: 1054, n_records: 4096, n_outputs: 1 };

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (plan, n_records) =
        if is_quick { (plan(3, 5, 200), &RECORDS[..3]) } else { (plan(5, 25, 1500), &RECORDS[..]) };
    let (mut contenders, adapter) = contenders();
    print_heading(&adapter);
    let cells: Vec<Cell> =
        PLAYERS.iter().flat_map(|&n_players| cells(&mut contenders, plan, n_players, n_records)).collect();
    print_cells(&cells, &adapter);
    let stages = stages(&mut contenders, plan);
    print_stages(STAGE, &stages, &adapter);
    println!("\n{}", verdict(&cells, &adapter));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/attribute.json");
    match write_json(&path, &document(&cells, STAGE, &stages, &adapter)) {
        Ok(()) => println!("\nAs JSON: {}", path.display()),
        Err(error) => println!("\n{} could not be written: {error}", path.display()),
    }
}

fn plan(rounds: usize, burst_ms: u64, call_ms_max: u64) -> Plan {
    Plan { rounds, burst: Duration::from_millis(burst_ms), call_max: Duration::from_millis(call_ms_max) }
}

fn cells(contenders: &mut [Contender], plan: Plan, n_players: usize, n_records: &[usize]) -> Vec<Cell> {
    let operator = operator(n_players, None);
    let matrix = single(&operator);
    let mut cells = Vec::new();
    for n_outputs in OUTPUTS {
        for &n_records in n_records {
            let shape = Shape { n_players, n_pairs: matrix.n_rows, n_records, n_outputs };
            if shape.n_columns() * shape.n_pairs * size_of::<f32>() <= CELL_BYTES_MAX {
                cells.push(cell(contenders, plan, operator.id, &matrix, shape));
            }
        }
    }
    cells
}

fn cell(contenders: &mut [Contender], plan: Plan, id: u64, matrix: &Panels<f32>, shape: Shape) -> Cell {
    let numbers: Vec<f32> = numbers(shape.n_columns() * shape.n_pairs).map(|number| number as f32).collect();
    let columns: Vec<&[f32]> = numbers.chunks_exact(shape.n_pairs).collect();
    let panels = Panels::from_columns(shape.n_pairs, &columns);
    drop(numbers);
    let measured = measure(contenders, shape.flop(), plan, |device| device.attribute(id, matrix, &panels));
    let (outcomes, results): (Vec<Outcome>, Vec<_>) = measured.into_iter().unzip();
    let deviation = match (results.get(ALL_CORES), results.get(GPU)) {
        (Some(Some(cpu)), Some(Some(gpu))) => Some(deviation(cpu, gpu)),
        _ => None,
    };
    Cell { shape, outcomes, deviation }
}

fn deviation(cpu: &[f32], gpu: &[f32]) -> f64 {
    let largest = cpu.iter().fold(0.0_f32, |largest, attribution| largest.max(attribution.abs()));
    let apart = cpu.iter().zip(gpu).map(|(cpu, gpu)| (cpu - gpu).abs()).fold(0.0, f32::max);
    f64::from(apart / largest)
}

/// From packed columns outwards to the values of the coalitions: what a batch costs the server.
fn stages(contenders: &mut [Contender], plan: Plan) -> Vec<Stage> {
    let operator = operator(STAGE.n_players, Some(2 * STAGE.n_pairs as u64));
    let (id, matrix, coalitions) = (operator.id, single(&operator), &operator.coalitions);
    let (n_pairs, n_players, flop) = (STAGE.n_pairs, STAGE.n_players, STAGE.flop());
    let values: Vec<f64> = numbers(2 * n_pairs * STAGE.n_records).collect();
    let scale = || -> (Vec<Vec<f32>>, Vec<f64>) {
        let values = values.par_chunks_exact(2 * n_pairs);
        values.map(|values| scaled(&differences(coalitions, values, 1.0))).unzip()
    };
    let (columns, _) = scale();
    let packed = Panels::from_columns(n_pairs, &columns);

    let product_alone = measure(contenders, flop, plan, |device| device.attribute(id, &matrix, &packed));
    let from_columns = measure(contenders, flop, plan, |device| {
        device.attribute(id, &matrix, &Panels::from_columns(n_pairs, &columns))
    });
    let from_values = measure(contenders, flop, plan, |device| {
        let (columns, scales) = scale();
        let product = device.attribute(id, &matrix, &Panels::from_columns(n_pairs, &columns))?;
        let products = scales.iter().zip(product.chunks_exact(n_players));
        Ok(products.map(|(&scale, product)| attributions(&unscaled(product, scale), 1.0)).collect::<Vec<_>>())
    });
    vec![
        stage("product alone: columns are packed", product_alone),
        stage("from columns: packing and product", from_columns),
        stage("from float64 values to attributions that add up", from_values),
    ]
}

fn stage<R>(name: &'static str, measured: Vec<(Outcome, R)>) -> Stage {
    Stage { name, outcomes: measured.into_iter().map(|(outcome, _)| outcome).collect() }
}

fn operator(n_players: usize, n_samples: Option<u64>) -> Operator {
    let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
    let design = Design::new(n_players, n_samples, 0, Kernel::Shapley, limits);
    Operator::of(design.expect("no limit is set"))
}

/// Listings are solved in float64 on the host; here their operator is rounded, so that both sides do the same.
fn single(operator: &Operator) -> Panels<f32> {
    match &operator.matrix {
        Matrix::Single(panels) => panels.clone(),
        Matrix::Double(Panels { n_rows, n_columns, data }) => Panels {
            n_rows: *n_rows,
            n_columns: *n_columns,
            data: data.iter().map(|&element| element as f32).collect(),
        },
    }
}

/// Spread evenly over -1..1, the same in every run (Weyl's sequence of the golden ratio).
fn numbers(n: usize) -> impl Iterator<Item = f64> {
    (1..=n).map(|idx| (idx as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0)
}
