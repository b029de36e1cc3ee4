//! What an explanation costs on top of its model's own time: `cargo bench --bench container`.
//!
//! explaind explains one record through a server; a plain client then sends that server the very same requests in the
//! same order, as many at a time. Both keep their connections; they take turns, 20 pairs after a warm-up. The servers:
//! multi-model-server with a scikit-learn model, and one that answers in 1 ms. Beside them shap.KernelExplainer on
//! the same server. The Python environments are those of `bash tests/run.sh`; what is missing is said.

#[path = "support/plain.rs"]
mod plain;
#[path = "support/recorder.rs"]
mod recorder;
#[path = "support/spread.rs"]
mod spread;
#[path = "support/table.rs"]
mod table;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use plain::Plain;
use recorder::{Answering, Invocation, Recorder};
use serde_json::json;
use spread::Spread;
use table::print_table;

const N_FEATURES: usize = 20;
/// 2M + 2048, what the service takes where nothing is said.
const N_SAMPLES: usize = 2 * N_FEATURES + 2048;
const PAIRS: usize = 20;
const WARM_UP: usize = 20;
/// The default of --container-in-flight-max.
const IN_FLIGHT: usize = 8;

const SERVER_PYTHON: &str = "target/venv-multi_model_server/bin/python";
const PEER_PYTHON: &str = "target/venv-reference/bin/python";

/// A model behind HTTP, with a record to explain.
struct Server {
    name: &'static str,
    url: String,
    record: String,
    baseline: String,
    /// What ends it, where it is a process of its own.
    _process: Option<Ended>,
}

/// A process that does not outlive this one.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!(
        "One record of {N_FEATURES} features, {N_SAMPLES} samples, one baseline row: whole explanation against a plain \
         client\nthat sends the same requests; median of {PAIRS} interleaved pairs (quartiles).\n"
    );
    let quick = runtime.block_on(Recorder::start(Answering::After(Duration::from_millis(1))));
    let mut rows = Vec::new();
    match model_server() {
        Ok(server) => {
            rows.push(runtime.block_on(measure(&server)));
            rows.push(peer(&server, &rows[0]));
        }
        Err(reason) => println!("multi-model-server: {reason}\n"),
    }
    rows.push(runtime.block_on(measure(&one_ms(&quick))));
    let headings = [
        ["", "server"],
        ["requests,", "rows"],
        ["", "pairs"],
        ["explained", "ms"],
        ["replayed", "ms"],
        ["ratio", "of medians"],
        ["on top", "ms"],
    ];
    print_table(&headings, &rows);
}

async fn measure(server: &Server) -> Vec<String> {
    let recorder =
        Recorder::start(Answering::By(Box::new(Plain::to(format!("{}/invocations", server.url))))).await;
    let explaind = Explaind::start(server, &recorder);
    let [direct, recorded] = ["direct", "recorded"].map(|endpoint| explaind.client(endpoint));
    let record = Invocation { content_type: "text/csv".to_owned(), body: server.record.clone().into() };
    // Both endpoints learn how many records the server takes.
    for _ in 0..WARM_UP {
        recorder.take();
        direct.invoke(&record).await;
        recorded.invoke(&record).await;
    }
    let requests = recorder.take();
    let replaying = Plain::to(format!("{}/invocations", server.url));
    let (mut explained, mut replayed) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        explained.push(seconds(direct.invoke(&record)).await);
        replayed.push(seconds(replay(&replaying, &requests)).await);
    }
    row(server.name, &requests, Spread::of(explained), Spread::of(replayed))
}

async fn seconds<T>(work: impl Future<Output = T>) -> f64 {
    let started = Instant::now();
    work.await;
    started.elapsed().as_secs_f64()
}

/// The client's own record first, since players and coalitions need its answer; then all others.
async fn replay(client: &Plain, requests: &[Invocation]) {
    client.invoke(&requests[0]).await;
    let mut answers = stream::iter(&requests[1..]).map(|request| client.invoke(request)).buffered(IN_FLIGHT);
    while answers.next().await.is_some() {}
}

fn row(name: &str, requests: &[Invocation], explained: Spread, replayed: Spread) -> Vec<String> {
    let n_rows: usize = requests.iter().map(Invocation::n_rows).sum();
    assert_eq!(n_rows, 1 + 1 + N_SAMPLES, "the record, the baseline row and each coalition once");
    let on_top = (explained.median_s - replayed.median_s) * 1e3;
    vec![
        name.to_owned(),
        format!("{}, {n_rows}", requests.len()),
        explained.n_calls.to_string(),
        in_ms(explained),
        in_ms(replayed),
        format!("{:.3}", explained.median_s / replayed.median_s),
        format!("{on_top:.2}"),
    ]
}

fn in_ms(Spread { lower_s, median_s, upper_s, .. }: Spread) -> String {
    format!("{:.2} ({:.2} to {:.2})", median_s * 1e3, lower_s * 1e3, upper_s * 1e3)
}

fn one_ms(recorder: &Recorder) -> Server {
    let cells =
        |first: usize| (first..first + N_FEATURES).map(|n| format!("{n}.25")).collect::<Vec<_>>().join(",");
    let url = format!("http://{}", recorder.address);
    Server { name: "answers in 1 ms", url, record: cells(1), baseline: cells(500), _process: None }
}

fn model_server() -> Result<Server, String> {
    let process = Command::new(SERVER_PYTHON)
        .arg("benches/peers/serve_model.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut process =
        process.map_err(|error| format!("{SERVER_PYTHON}: {error}; bash tests/run.sh installs it"))?;
    let mut lines = BufReader::new(process.stdout.take().expect("is piped")).lines();
    let process = Ended(process);
    let mut line = || lines.next().and_then(Result::ok).ok_or("it ended before it answered".to_owned());
    let (url, record, baseline) = (line()?, line()?, line()?);
    Ok(Server { name: "multi-model-server", url, record, baseline, _process: Some(process) })
}

/// shap's explainer on the same server, beside what explaind took.
fn peer(server: &Server, explained: &[String]) -> Vec<String> {
    let samples = N_SAMPLES.to_string();
    let output = Command::new(PEER_PYTHON)
        .args(["benches/peers/kernel_explainer.py", &server.url, &server.record, &server.baseline])
        .args([&samples, "7"])
        .stderr(Stdio::null())
        .output();
    let name = "the same, shap.KernelExplainer".to_owned();
    let seconds: Vec<f64> = match output {
        Ok(output) => {
            String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect()
        }
        Err(error) => {
            return vec![name, format!("{PEER_PYTHON}: {error}")]
                .into_iter()
                .chain(std::iter::repeat_n(String::new(), 5))
                .collect();
        }
    };
    assert!(!seconds.is_empty(), "shap.KernelExplainer gave nothing");
    let spread = Spread::of(seconds);
    let own_ms: f64 =
        explained[3].split(' ').next().and_then(|text| text.parse().ok()).expect("begins with a number");
    let ratio = format!("{:.1} × explaind", spread.median_s * 1e3 / own_ms);
    vec![name, "–".to_owned(), spread.n_calls.to_string(), in_ms(spread), "–".to_owned(), ratio, "–".to_owned()]
}

/// The program itself, with two endpoints of the same server: `direct`, and `recorded` through a recorder.
struct Explaind {
    process: Child,
    url: String,
}

impl Explaind {
    fn start(server: &Server, recorder: &Recorder) -> Self {
        let definitions = [("direct", server.url.clone()), ("recorded", format!("http://{}", recorder.address))];
        let paths = definitions.map(|(name, url)| definition(name, &url, &server.baseline));
        let mut process = Command::new(env!("CARGO_BIN_EXE_explaind"))
            .args(["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--endpoints"])
            .args(paths)
            .env("EXPLAIND_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("is piped")).read_line(&mut line).expect("reads");
        let url = line.trim().strip_prefix("listening on ").expect("listens").to_owned();
        Self { process, url }
    }

    fn client(&self, endpoint: &str) -> Plain {
        Plain::to(format!("{}/endpoints/{endpoint}/invocations", self.url))
    }
}

impl Drop for Explaind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn definition(name: &str, url: &str, baseline: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("container").join(name);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let definition = json!({
        "EndpointName": name,
        "PrimaryContainer": { "Image": url },
        "ExplainerConfig": { "ClarifyExplainerConfig": {
            "ShapConfig": { "ShapBaselineConfig": { "ShapBaseline": baseline } },
        } },
    });
    let path = folder.join("endpoint.json");
    std::fs::write(&path, definition.to_string()).expect("can be written");
    path
}
