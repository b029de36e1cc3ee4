//! The server under load on one machine with its client: `cargo bench --bench serving [-- --quick]`.
//!
//! Requests of 100 records of breast cancer (100 trees of depth 6, probabilities, S = 2108) on a few connections: records a
//! second, and which threads of the server the CPU's time went to. Then one request of 10,000 records: memory.
//! Models are made by Python on the first run (benches/peers/make_models.py). Linux only: it reads /proc.

#[path = "support/json.rs"]
mod json;
#[path = "support/models.rs"]
#[expect(dead_code, reason = "the server reads the model by itself")]
mod models;
#[path = "support/process.rs"]
mod process;
#[path = "support/python.rs"]
#[expect(dead_code, reason = "the environment is used, no script is talked to")]
mod python;
#[path = "support/server.rs"]
#[expect(dead_code, reason = "what answers say is not read")]
mod server;
#[path = "support/spread.rs"]
mod spread;
#[path = "support/table.rs"]
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use json::write_json;
use models::{BASELINE_ROWS, folder, make_models};
use process::{Cpu, peak_bytes};
use serde_json::{Value, json};
use server::{Server, write_definition};
use spread::Spread;
use table::print_table;

const ENDPOINT: &str = "serving";
const RECORDS: usize = 100;
const RECORDS_AT_ONCE: usize = 10_000;
const CONNECTIONS: [usize; 3] = [1, 2, 4];
const RECORDS_PER_S_TARGET: f64 = 5_000.0;
const BYTES_TARGET: u64 = 500_000_000;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, burst) = if is_quick { (2, Duration::from_secs(1)) } else { (5, Duration::from_secs(3)) };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let requirements = root.join("benches/peers/requirements.txt");
    let python = python::environment(&root.join("target/venv-peers"), &requirements);
    python.and_then(|python| make_models(&python)).unwrap_or_else(|reason| panic!("no models: {reason}"));
    let rows = std::fs::read_to_string(folder().join("breast-cancer.csv")).expect("the script writes it");
    let rows: Vec<&str> = rows.lines().collect();
    let (mean, records) = (rows[0], &rows[1 + BASELINE_ROWS..]);
    let server = Server::start(&definition(mean), None);
    let body = records[..RECORDS].join("\n");
    server.client(ENDPOINT).post(&body);
    let mut loads: Vec<Load> = CONNECTIONS.map(Load::new).into();
    for _ in 0..rounds {
        loads.iter_mut().for_each(|load| load.add(&server, &body, burst));
    }
    print_loads(&loads);
    let memory = Memory::measure(mean, records);
    memory.print();
    let document =
        json!({ "loads": loads.iter().map(Load::to_json).collect::<Vec<_>>(), "memory": memory.to_json() });
    let path = folder().join("serving.json");
    write_json(&path, &document).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("\nAs JSON: {}", path.display());
}

/// Requests on so many connections at once, a burst in each round.
struct Load {
    n_connections: usize,
    /// Of each burst.
    records_per_s: Vec<f64>,
    n_records: usize,
    engine_s: f64,
    edge_s: f64,
    client_s: f64,
    /// The last answer's.
    server_timing: String,
}

impl Load {
    fn new(n_connections: usize) -> Self {
        let (records_per_s, server_timing) = (Vec::new(), String::new());
        Self {
            n_connections,
            records_per_s,
            n_records: 0,
            engine_s: 0.0,
            edge_s: 0.0,
            client_s: 0.0,
            server_timing,
        }
    }

    fn add(&mut self, server: &Server, body: &str, burst: Duration) {
        let before = (Cpu::of(server.id()), Cpu::of(std::process::id()));
        let started = Instant::now();
        let ask = || {
            let (mut client, mut n_answers, mut timing) = (server.client(ENDPOINT), 0, String::new());
            while started.elapsed() < burst {
                timing = client.post(body).timing;
                n_answers += 1;
            }
            (n_answers, timing)
        };
        let answers: Vec<(usize, String)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.n_connections).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).collect()
        });
        let elapsed = started.elapsed().as_secs_f64();
        let after = (Cpu::of(server.id()), Cpu::of(std::process::id()));
        let n_records = RECORDS * answers.iter().map(|(n_answers, _)| n_answers).sum::<usize>();
        self.records_per_s.push(n_records as f64 / elapsed);
        self.n_records += n_records;
        self.engine_s += after.0.engine_s - before.0.engine_s;
        self.edge_s += after.0.edge_s - before.0.edge_s;
        self.client_s += after.1.all_s() - before.1.all_s();
        self.server_timing = answers.into_iter().next().expect("at least one connection").1;
    }

    fn edge_share(&self) -> f64 {
        self.edge_s / (self.edge_s + self.engine_s)
    }

    /// With the client among the edges.
    fn edge_and_client_share(&self) -> f64 {
        (self.edge_s + self.client_s) / (self.edge_s + self.client_s + self.engine_s)
    }

    fn us_per_record(&self, seconds: f64) -> f64 {
        seconds / self.n_records as f64 * 1e6
    }

    fn to_json(&self) -> Value {
        let Spread { lower_s, median_s, upper_s, n_calls } = Spread::of(self.records_per_s.clone());
        json!({
            "connections": self.n_connections,
            "records_per_s": [lower_s, median_s, upper_s],
            "bursts": n_calls,
            "engine_us_per_record": self.us_per_record(self.engine_s),
            "edge_us_per_record": self.us_per_record(self.edge_s),
            "client_us_per_record": self.us_per_record(self.client_s),
            "server_timing": self.server_timing,
        })
    }
}

fn print_loads(loads: &[Load]) {
    println!(
        "Requests of {RECORDS} records; the target is {RECORDS_PER_S_TARGET} records/s, edge below one half."
    );
    println!(
        "CPU time by thread: engine is the batching thread and the pool of all cores, edge all other threads.\n"
    );
    let headings = [
        ["", "connections"],
        ["records/s,", "median (quartiles)"],
        ["engine,", "µs a record"],
        ["edge,", "µs a record"],
        ["client,", "µs a record"],
        ["edge", "of the server"],
        ["edge and client", "of all"],
    ];
    let row = |load: &Load| {
        let Spread { lower_s, median_s, upper_s, .. } = Spread::of(load.records_per_s.clone());
        let us = |seconds: f64| format!("{:.1}", load.us_per_record(seconds));
        vec![
            load.n_connections.to_string(),
            format!("{median_s:.0} ({lower_s:.0} to {upper_s:.0})"),
            us(load.engine_s),
            us(load.edge_s),
            us(load.client_s),
            format!("{:.2}", load.edge_share()),
            format!("{:.2}", load.edge_and_client_share()),
        ]
    };
    print_table(&headings, &loads.iter().map(row).collect::<Vec<_>>());
    loads.iter().for_each(|load| println!("{} connections: {}", load.n_connections, load.server_timing));
}

struct Memory {
    idle_bytes: u64,
    peak_bytes: u64,
    seconds: f64,
}

impl Memory {
    /// On a server of its own, that has answered nothing else.
    fn measure(mean: &str, records: &[&str]) -> Self {
        let server = Server::start(&definition(mean), None);
        let body = records.iter().cycle().take(RECORDS_AT_ONCE).copied().collect::<Vec<_>>().join("\n");
        let idle_bytes = peak_bytes(server.id());
        let started = Instant::now();
        server.client(ENDPOINT).post(&body);
        let seconds = started.elapsed().as_secs_f64();
        Self { idle_bytes, peak_bytes: peak_bytes(server.id()), seconds }
    }

    fn print(&self) {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "\n{RECORDS_AT_ONCE} records in one request: {:.2} s; largest resident size {:.0} MB, {:.0} MB before it; \
             the target is below {:.0} MB.",
            self.seconds,
            mb(self.peak_bytes),
            mb(self.idle_bytes),
            mb(BYTES_TARGET)
        );
    }

    fn to_json(&self) -> Value {
        json!({ "seconds": self.seconds, "peak_bytes": self.peak_bytes, "idle_bytes": self.idle_bytes })
    }
}

fn definition(baseline: &str) -> PathBuf {
    let definition = json!({
        "EndpointName": ENDPOINT,
        "PrimaryContainer": { "ModelDataUrl": "model.json", "Mode": "SingleModel" },
        "ExplainerConfig": { "ClarifyExplainerConfig": {
            "ShapConfig": { "ShapBaselineConfig": { "ShapBaseline": baseline }, "UseLogit": false },
        } },
    });
    write_definition(ENDPOINT, &folder().join("breast-cancer.json"), &definition)
}
