//! What a request costs at its edges, next to the regression between them: `cargo bench --bench document`.
//!
//! Edge: bytes of a table → numbers; the model's text → selected records; attributions → bytes of the document.
//! Regression: values of coalitions, which a model would have given for nothing → attributions that add up. All of
//! it runs on one thread, stages in turn, so that a slow second of the machine meets all of them.

#[path = "support/spread.rs"]
mod spread;
#[path = "support/table.rs"]
mod table;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use explaind::aws::document::Document;
use explaind::compute::cpu::{Instructions, attribute::attribute};
use explaind::config::Kernel;
use explaind::explain::{Explanation, Report};
use explaind::model::{Identity, Predictions};
use explaind::records::{Encoding, Filter, Format, Table, answer_records, spell, spell_single};
use explaind::shap::{
    Design, DesignLimits, Matrix, Operator, Panels, attributions, differences, scaled, unscaled,
};
use ndarray::Array2;
use spread::Spread;
use table::print_table;

const N_RECORDS: usize = 1000;
const N_FEATURES: usize = 30;
const N_SAMPLES: u64 = 2108;

/// All records pass, each after a comparison.
const EXPRESSION: &str = "[0]>=`0.0`";

const ROUNDS: usize = 15;
const BURST: Duration = Duration::from_millis(100);

fn main() {
    let one_thread =
        rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one more thread can be started");
    one_thread.install(compare);
}

fn compare() {
    let operator = operator();
    let values: Vec<f64> = numbers(N_RECORDS * N_SAMPLES as usize).collect();
    let deltas: Vec<f64> = numbers(N_RECORDS).collect();
    let payload = payload();
    let filter = Filter::compile(EXPRESSION).expect("compiles");
    let headers: Vec<String> = (0..N_FEATURES).map(|idx| format!("feature {idx}")).collect();
    let explanation = explanation(regression(&operator, &values, &deltas));
    let text = &explanation.predictions.text;
    let document = Document::of(Some(&headers), None, &explanation);
    let spreads = in_turns([
        &|| drop(black_box(decode(&payload))),
        &|| drop(black_box(select(&filter, text))),
        &|| drop(black_box(Document::of(Some(&headers), None, &explanation))),
        &|| drop(black_box(document.to_json())),
        &|| drop(black_box(regression(&operator, &values, &deltas))),
    ]);
    println!(
        "{N_RECORDS} records of {N_FEATURES} features, {N_SAMPLES} samples, 1 output, one thread: a table of {} kB, \
         a document of {} kB.\n",
        payload.len() / 1000,
        document.to_json().len() / 1000
    );
    print_spreads(&spreads);
    println!("\n{}", verdict(&spreads));
}

fn decode(payload: &[u8]) -> Table {
    let table = Table::read(payload, Format::Csv, None, N_RECORDS).expect("reads");
    table.numbers(&Encoding::default()).expect("are numbers");
    table
}

fn select(filter: &Filter, text: &str) -> Vec<usize> {
    filter.select(&answer_records(text, Format::Csv, N_RECORDS).expect("reads")).expect("true or false")
}

/// What the server does between values and attributions, with the processor as its device.
fn regression(operator: &Operator, values: &[f64], deltas: &[f64]) -> Vec<Vec<f64>> {
    let Matrix::Single(matrix) = &operator.matrix else { panic!("sampled operators are float32") };
    let games = values.chunks_exact(N_SAMPLES as usize).zip(deltas);
    let columns = games.map(|(values, &delta)| scaled(&differences(&operator.coalitions, values, delta)));
    let (columns, scales): (Vec<Vec<f32>>, Vec<f64>) = columns.unzip();
    let packed = Panels::from_columns(matrix.n_rows, &columns);
    let products = attribute(Instructions::detect(), matrix, &packed);
    let products = products.chunks_exact(N_FEATURES).zip(scales).zip(deltas);
    products.map(|((product, scale), &delta)| attributions(&unscaled(product, scale), delta)).collect()
}

fn operator() -> Operator {
    let limits = DesignLimits { players_max: usize::MAX, operator_bytes_max: usize::MAX };
    Operator::of(Design::new(N_FEATURES, Some(N_SAMPLES), 0, Kernel::Shapley, limits).expect("no limit is set"))
}

/// Cells of six digits, as measurements have.
fn payload() -> Vec<u8> {
    let cells: Vec<String> =
        numbers(N_RECORDS * N_FEATURES).map(|number| spell((number * 1e6).round() / 1e4)).collect();
    cells.chunks(N_FEATURES).map(|row| row.join(",") + "\n").collect::<String>().into_bytes()
}

fn explanation(attributions: Vec<Vec<f64>>) -> Explanation {
    let scores: Vec<String> = numbers(N_RECORDS).map(|number| spell_single(number.abs() as f32)).collect();
    let of_record =
        |attributions| Array2::from_shape_vec((N_FEATURES, 1), attributions).expect("one for each feature");
    Explanation {
        model: Identity::File(String::new()),
        predictions: Predictions {
            text: scores.join("\n"),
            content_type: "text/csv".to_owned(),
            format: Format::Csv,
            values: Array2::zeros((N_RECORDS, 1)),
            labels: None,
            custom_attributes: None,
            clipped: 0,
        },
        attributions: attributions.into_iter().map(of_record).map(Some).collect(),
        pieces: None,
        base_values: Some(vec![0.0]),
        label_headers: None,
        report: Report {
            kernel: Kernel::Shapley,
            estimators: BTreeSet::new(),
            devices: BTreeSet::new(),
            clipped: 0,
            stages: Vec::new(),
        },
    }
}

/// Spread evenly over -1..1, the same in every run (Weyl's sequence of the golden ratio).
fn numbers(n: usize) -> impl Iterator<Item = f64> {
    (1..=n).map(|idx| (idx as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0)
}

const STAGES: [&str; 5] = ["decode", "select", "assemble", "encode", "regression"];

/// Each stage's burst of calls, round after round; the first call of each warms up and is not timed.
fn in_turns(stages: [&dyn Fn(); STAGES.len()]) -> [Spread; STAGES.len()] {
    stages.iter().for_each(|stage| stage());
    let mut seconds = STAGES.map(|_| Vec::new());
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

fn print_spreads(spreads: &[Spread]) {
    let headings =
        [["", "stage"], ["median", "ms"], ["lower quartile", "ms"], ["upper quartile", "ms"], ["", "calls"]];
    let ms = |seconds: f64| format!("{:.3}", seconds * 1e3);
    let row = |(name, spread): (&&str, &Spread)| {
        let Spread { lower_s, median_s, upper_s, n_calls } = *spread;
        vec![(*name).to_owned(), ms(median_s), ms(lower_s), ms(upper_s), n_calls.to_string()]
    };
    print_table(&headings, &STAGES.iter().zip(spreads).map(row).collect::<Vec<_>>());
}

fn verdict(spreads: &[Spread; STAGES.len()]) -> String {
    let [edge @ .., regression] = spreads.map(|spread| spread.median_s * 1e3);
    let edge: f64 = edge.iter().sum();
    let ratio = edge / regression;
    let judgement = if ratio < 1.0 { "less than" } else { "NOT less than" };
    format!(
        "The edge costs {edge:.2} ms, {ratio:.2} of the regression's {regression:.2} ms: {judgement} the regression."
    )
}
