//! How fast synthetic records become requests to a container: `cargo bench --bench rows`.
//!
//! Records × coalitions → bodies of 1,000 records each, on one thread, duplicates looked for as the server does. Beside
//! it what the same bytes cost when they are only copied, and when each row is a string that is joined and pushed.

#[path = "support/spread.rs"]
mod spread;
#[path = "support/table.rs"]
mod table;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use explaind::config::Kernel;
use explaind::model::container::{BatchLimits, Batches, Dialect};
use explaind::model::{Call, Game, Message};
use explaind::records::{Format, Table, Template, spell};
use explaind::shap::{Design, DesignLimits, Operator};
use spread::Spread;
use table::print_table;

const LIMITS: BatchLimits = BatchLimits { rows_max: 1_000, bytes_max: 6 << 20, row_bytes_max: 6 << 20 };
const ROUNDS: usize = 21;
const BURST: Duration = Duration::from_millis(60);

/// A request: so many records of so many features, explained against so many baseline rows.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    format: Format,
    n_records: usize,
    n_features: usize,
    n_baseline_rows: usize,
}

const SHAPES: [Shape; 6] = [
    Shape { name: "CSV", format: Format::Csv, n_records: 20, n_features: 20, n_baseline_rows: 1 },
    Shape { name: "CSV", format: Format::Csv, n_records: 1, n_features: 20, n_baseline_rows: 1 },
    Shape { name: "CSV", format: Format::Csv, n_records: 1, n_features: 20, n_baseline_rows: 20 },
    Shape { name: "CSV", format: Format::Csv, n_records: 20, n_features: 8, n_baseline_rows: 1 },
    Shape { name: "CSV", format: Format::Csv, n_records: 4, n_features: 200, n_baseline_rows: 1 },
    Shape { name: "JSON Lines", format: Format::JsonLines, n_records: 20, n_features: 20, n_baseline_rows: 1 },
];

fn main() {
    println!("Synthetic records → requests of at most {} records, one thread.\n", LIMITS.rows_max);
    let rows: Vec<Vec<String>> = SHAPES.into_iter().map(measure).collect();
    let headings = [
        ["", "format"],
        ["", "records × features × baseline rows"],
        ["bytes", "MB"],
        ["built", "GB/s (quartiles)"],
        ["", "calls"],
        ["copied only", "GB/s"],
        ["joined strings", "GB/s"],
    ];
    print_table(&headings, &rows);
}

fn measure(shape: Shape) -> Vec<String> {
    let (call, games, baseline) = request(shape);
    let all: Vec<Vec<u8>> = bodies(&call, &games, &baseline, shape.format).collect();
    let n_bytes: usize = all.iter().map(Vec::len).sum();
    // Each body goes before the next one comes, as it does on its way to a container.
    let built = || bodies(&call, &games, &baseline, shape.format).for_each(|body| drop(black_box(body)));
    let copied = || all.iter().for_each(|body| drop(black_box(body.clone())));
    let joined = || joined(&call, &games, &baseline).for_each(|body| drop(black_box(body)));
    let [built, copied, joined] = in_turns([&built, &copied, &joined]);
    let rate = |seconds: f64| format!("{:.2}", n_bytes as f64 / seconds / 1e9);
    vec![
        shape.name.to_owned(),
        format!("{} × {} × {}", shape.n_records, shape.n_features, shape.n_baseline_rows),
        format!("{:.2}", n_bytes as f64 / 1e6),
        format!("{} ({} to {})", rate(built.median_s), rate(built.upper_s), rate(built.lower_s)),
        built.n_calls.to_string(),
        rate(copied.median_s),
        rate(joined.median_s),
    ]
}

fn bodies(
    call: &Arc<Call>,
    games: &[Game],
    baseline: &Arc<Table>,
    format: Format,
) -> impl Iterator<Item = Vec<u8>> {
    let template = Template::compile("{\"features\":$features}").expect("compiles");
    let shape = Dialect::SageMaker.shape(format, Some(&template)).expect("has a template");
    let mut batches = Batches::of(Arc::clone(call), games.to_vec(), Arc::clone(baseline), shape);
    std::iter::from_fn(move || batches.next(LIMITS).expect("rows are small")).map(|batch| batch.rows)
}

/// What comes to mind first: a string for each cell, joined to a string for each row, joined to the body.
fn joined(call: &Call, games: &[Game], baseline: &Table) -> impl Iterator<Item = String> {
    let n_baseline_rows = baseline.n_records();
    let mut rows = games.iter().flat_map(move |game| {
        let n_rows = 2 * game.coalitions.n_pairs() * n_baseline_rows;
        (0..n_rows).map(move |idx| row(call, game, baseline, idx / n_baseline_rows, idx % n_baseline_rows))
    });
    std::iter::from_fn(move || {
        let rows: Vec<String> = rows.by_ref().take(LIMITS.rows_max).collect();
        (!rows.is_empty()).then(|| rows.join("\n"))
    })
}

fn row(call: &Call, game: &Game, baseline: &Table, coalition_idx: usize, baseline_idx: usize) -> String {
    let cell = |player_idx: usize| match game.coalitions.is_present(coalition_idx, player_idx) {
        true => call.records.cell(game.record_idx, player_idx).raw().to_owned(),
        false => baseline.cell(baseline_idx, player_idx).raw().to_owned(),
    };
    (0..game.players.len()).map(cell).collect::<Vec<String>>().join(",")
}

fn request(shape: Shape) -> (Arc<Call>, Vec<Game>, Arc<Table>) {
    let Shape { format, n_records, n_features, n_baseline_rows, .. } = shape;
    let payload = payload(format, n_records, n_features, 0);
    let records = Table::read(&payload, format, None, n_records).expect("reads");
    let baseline = self::payload(format, n_baseline_rows, n_features, n_records * n_features);
    let baseline = Table::read(&baseline, format, None, n_baseline_rows).expect("reads");
    let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
    let design = Design::new(n_features, None, 0, Kernel::Shapley, limits).expect("no limit is set");
    let coalitions = Operator::of(design).coalitions;
    let players: Vec<u32> = (0..n_features as u32).collect();
    let game = |record_idx| Game { record_idx, players: players.clone(), coalitions: Arc::clone(&coalitions) };
    let games = (0..n_records).map(game).collect();
    let message = Message::new(payload, format.mime(), Instant::now() + Duration::from_secs(60));
    (Arc::new(Call { message, records: Arc::new(records), pieces: None }), games, Arc::new(baseline))
}

/// Cells of six digits, as measurements have.
fn payload(format: Format, n_rows: usize, n_columns: usize, seed: usize) -> Vec<u8> {
    let cell = |idx: usize| {
        let number = ((seed + idx + 1) as f64 * 0.618_033_988_749_894_9).fract();
        spell((number * 1e6).round() / 1e4)
    };
    let row = |row_idx: usize| {
        let cells = (0..n_columns).map(|column_idx| cell(row_idx * n_columns + column_idx));
        let cells = cells.collect::<Vec<String>>().join(",");
        if format == Format::Csv { cells } else { format!("[{cells}]") }
    };
    (0..n_rows).map(row).collect::<Vec<String>>().join("\n").into_bytes()
}

/// Each stage's burst of calls, round after round; the first call of each warms up and is not timed.
fn in_turns<const N: usize>(stages: [&dyn Fn(); N]) -> [Spread; N] {
    stages.iter().for_each(|stage| stage());
    let mut seconds = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (stage, seconds) in stages.iter().zip(&mut seconds) {
            let turn = Instant::now();
            while turn.elapsed() < BURST {
                let started = Instant::now();
                stage();
                seconds.push(started.elapsed().as_secs_f64());
            }
        }
    }
    seconds.map(Spread::of)
}
