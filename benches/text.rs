//! Explaining texts token by token through a server, next to shap's Text masker: `cargo bench --bench text [-- --quick]`.
//!
//! Both explain probabilities of the spam example's model, token by token, with as many model evaluations for a text. shap lives
//! in a Python process that the benchmark starts (benches/peers/text.py; packages are installed on the first run) and asks
//! the same ONNX file through onnxruntime, and the same model as a scikit-learn pipeline. They and we take turns.

#[path = "support/json.rs"]
mod json;
#[path = "support/python.rs"]
mod python;
#[path = "support/server.rs"]
#[expect(dead_code, reason = "nothing is read of its process")]
mod server;
#[path = "support/spread.rs"]
mod spread;
#[path = "support/table.rs"]
mod table;
#[path = "support/texts.rs"]
mod texts;

use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use json::write_json;
use python::{Script, environment};
use serde_json::{Value, json};
use server::{Server, write_definition};
use spread::Spread;
use table::print_table;
use texts::{Stages, Texts, attributions, distance};

const TOKENS: [usize; 3] = [20, 100, 400];
/// Records of one request where there are many.
const AT_ONCE: usize = 16;
const PEERS: [(&str, &str); 4] = [
    ("onnxruntime", "permutation"),
    ("onnxruntime", "partition"),
    ("scikit-learn", "permutation"),
    ("scikit-learn", "partition"),
];
/// Evaluations of the reference, as a multiple of those that the contest has; and the longest texts that it is made for.
const REFERENCE_FACTOR: usize = 100;
const REFERENCE_TOKENS_MAX: usize = 100;
const BURST: Duration = Duration::from_millis(300);
const ENDPOINT: &str = "text";

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--quick") { 2 } else { 7 };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("examples/spam/model.onnx");
    let definition = definition(&model);
    let mut document = json!({});
    let mut script = start_peers(root, &model);
    match &mut script {
        Ok(script) => {
            let first = script.next().expect("the script says what it runs on");
            println!("{}\n", first["versions"]);
            document["versions"] = first["versions"].clone();
        }
        Err(reason) => println!("shap was not run: {reason}\n"),
    }
    let texts = Texts::of_model(&model);
    let script = script.as_mut().ok();
    document["peers"] = contests(&definition, &texts, script, rounds);
    document["loads"] = loads(&definition, &texts, rounds);
    document["cold"] = cold(&definition, &texts);
    let path = root.join("target/bench/text.json");
    write_json(&path, &document).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("\nAs JSON: {}", path.display());
}

fn start_peers(root: &Path, model: &Path) -> Result<Script, String> {
    let peers = root.join("benches/peers");
    let python = environment(&root.join("target/venv-peers-text"), &peers.join("requirements-text.txt"))?;
    Script::start(&python, &peers.join("text.py"), &[model])
}

/// Probabilities; an absent token is a blank.
fn definition(model: &Path) -> PathBuf {
    let definition = json!({
        "EndpointName": ENDPOINT,
        "PrimaryContainer": { "ModelDataUrl": "model.onnx", "Mode": "SingleModel" },
        "ExplainerConfig": { "ClarifyExplainerConfig": {
            "InferenceConfig": { "FeatureTypes": ["text"] },
            "ShapConfig": {
                "ShapBaselineConfig": { "MimeType": "text/csv", "ShapBaseline": "\" \"" },
                "TextConfig": { "Granularity": "token", "Language": "en" },
                "UseLogit": false,
            },
        } },
    });
    write_definition(ENDPOINT, model, &definition)
}

/// One text at a time, one thread each.
fn contests(definition: &Path, texts: &Texts, mut script: Option<&mut Script>, rounds: usize) -> Value {
    let server = Server::start(definition, Some(1));
    let (mut rows, mut documents, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for n_tokens in TOKENS {
        if let Some(script) = script.as_deref_mut().filter(|_| n_tokens <= REFERENCE_TOKENS_MAX) {
            errors.push(own_and_their_errors(&server, script, texts, n_tokens));
        }
        for peer in PEERS {
            let Some(script) = script.as_deref_mut() else { continue };
            let contest = Contest::run(&server, script, &texts.of_length(n_tokens, 0), n_tokens, peer, rounds);
            rows.push(contest.row());
            documents.push(contest.to_json());
        }
    }
    if !rows.is_empty() {
        print_contests(&rows, rounds);
        errors.iter().for_each(Errors::print);
    }
    json!({ "contests": documents, "errors": errors.iter().map(Errors::to_json).collect::<Vec<_>>() })
}

fn print_contests(rows: &[Vec<String>], rounds: usize) {
    println!("One text at a time, one thread each; medians of {rounds} turns\n");
    let headings = [
        ["", "tokens"],
        ["shap's", "algorithm"],
        ["its", "model"],
        ["explaind", "ms a text"],
        ["shap", "ms a text"],
        ["ratio", "(quartiles)"],
        ["evaluations", "explaind, shap"],
        ["", "distance"],
    ];
    print_table(&headings, rows);
    println!(
        "\nDistance: between the attributions, as a share of shap's norm. Partition estimates Owen values.\n"
    );
}

/// Distances from Shapley values that a long run of permutations estimates, means over texts.
struct Errors {
    n_tokens: usize,
    own: f64,
    theirs: f64,
}

impl Errors {
    fn print(&self) {
        let Self { n_tokens, own, theirs } = self;
        println!(
            "{n_tokens} tokens, from permutations with {REFERENCE_FACTOR} times the evaluations: explaind {own:.3}, \
             shap's permutations {theirs:.3} of the norm"
        );
    }

    fn to_json(&self) -> Value {
        json!({ "tokens": self.n_tokens, "explaind": self.own, "permutation": self.theirs })
    }
}

fn own_and_their_errors(server: &Server, script: &mut Script, texts: &Texts, n_tokens: usize) -> Errors {
    const N_TEXTS: usize = 4;
    let (mut own, mut theirs) = (0.0, 0.0);
    for idx in 0..N_TEXTS {
        let text = texts.of_length(n_tokens, idx);
        let mut permuted = |n_evaluations| {
            let request = explanation("onnxruntime", "permutation", &text, n_evaluations);
            serde_json::from_value::<Vec<f64>>(script.ask(&request)["values"][0].take()).expect("are numbers")
        };
        let reference = permuted(REFERENCE_FACTOR * n_evaluations(n_tokens));
        theirs += distance(&permuted(n_evaluations(n_tokens)), &reference) / N_TEXTS as f64;
        let answer = server.client(ENDPOINT).post(&texts::csv(&[text]));
        own += distance(&attributions(&answer.body).remove(0), &reference) / N_TEXTS as f64;
    }
    Errors { n_tokens, own, theirs }
}

/// All coalitions, the text and the baseline.
fn n_evaluations(n_tokens: usize) -> usize {
    2 * n_tokens + 2048 + 2
}

fn explanation(model: &str, algorithm: &str, text: &str, n_evaluations: usize) -> Value {
    json!({
        "model": model,
        "algorithm": algorithm,
        "texts": [text],
        "n_evaluations": n_evaluations,
    })
}

/// shap against explaind on one text.
struct Contest {
    n_tokens: usize,
    peer: (&'static str, &'static str),
    own: Spread,
    theirs: Spread,
    ratio: Spread,
    /// Ours and theirs.
    n_evaluations: [f64; 2],
    distance: f64,
}

impl Contest {
    /// The first calls warm up. Each of our turns has a connection of its own: idle ones are closed while shap has its turn.
    fn run(
        server: &Server,
        script: &mut Script,
        text: &str,
        n_tokens: usize,
        peer: (&'static str, &'static str),
        rounds: usize,
    ) -> Self {
        let body = texts::csv(&[text]);
        let request = explanation(peer.0, peer.1, text, n_evaluations(n_tokens));
        let first = script.ask(&request);
        let their_values: Vec<f64> = serde_json::from_value(first["values"][0].clone()).expect("are numbers");
        let own_values = attributions(&server.client(ENDPOINT).post(&body).body).remove(0);
        let (mut own, mut theirs, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut client = server.client(ENDPOINT);
            let own_s = mean_s(|| drop(client.post(&body)));
            let their_s = script.ask(&request)["seconds"].as_f64().expect("is a number");
            own.push(own_s);
            theirs.push(their_s);
            ratio.push(their_s / own_s);
        }
        let [own, theirs, ratio] = [own, theirs, ratio].map(Spread::of);
        let n_evaluations = [n_evaluations(n_tokens) as f64, first["n_evaluations"].as_f64().expect("is counted")];
        let distance = distance(&own_values, &their_values);
        Self { n_tokens, peer, own, theirs, ratio, n_evaluations, distance }
    }

    fn row(&self) -> Vec<String> {
        let ms = |spread: Spread| format!("{:.2}", spread.median_s * 1e3);
        let Spread { lower_s, median_s, upper_s, .. } = self.ratio;
        vec![
            self.n_tokens.to_string(),
            self.peer.1.to_owned(),
            self.peer.0.to_owned(),
            ms(self.own),
            ms(self.theirs),
            format!("{median_s:.0} ({lower_s:.0} to {upper_s:.0})"),
            format!("{}, {}", self.n_evaluations[0], self.n_evaluations[1]),
            format!("{:.2}", self.distance),
        ]
    }

    fn to_json(&self) -> Value {
        let spread = |Spread { lower_s, median_s, upper_s, n_calls }: Spread| json!({ "quartiles": [lower_s, median_s, upper_s], "rounds": n_calls });
        json!({
            "tokens": self.n_tokens,
            "model": self.peer.0,
            "algorithm": self.peer.1,
            "explaind_s": spread(self.own),
            "shap_s": spread(self.theirs),
            "ratio": spread(self.ratio),
            "evaluations": self.n_evaluations,
            "distance": self.distance,
        })
    }
}

/// Of one call, the mean over a burst.
fn mean_s(mut call: impl FnMut()) -> f64 {
    let (started, mut n_calls) = (Instant::now(), 0);
    while n_calls == 0 || started.elapsed() < BURST {
        call();
        n_calls += 1;
    }
    started.elapsed().as_secs_f64() / f64::from(n_calls)
}

/// Texts a second, and where their time goes.
fn loads(definition: &Path, texts: &Texts, rounds: usize) -> Value {
    let mut documents = Vec::new();
    println!("\nTexts through the server, medians of {rounds} bursts; time by stage, ms a text\n");
    let mut rows = Vec::new();
    for (n_threads, threads) in [(Some(1), "one"), (None, "all")] {
        let server = Server::start(definition, n_threads);
        let mut client = server.client(ENDPOINT);
        for n_tokens in TOKENS {
            for n_records in [1, AT_ONCE] {
                let all: Vec<String> = (0..n_records).map(|idx| texts.of_length(n_tokens, idx)).collect();
                let body = texts::csv(&all);
                client.post(&body);
                let mut stages = Stages::new();
                let mut burst = |_| mean_s(|| stages.add(&client.post(&body).timing)) / n_records as f64;
                let a_text = Spread::of((0..rounds).map(&mut burst).collect());
                rows.push(load_row(threads, n_tokens, n_records, a_text, &stages));
                documents.push(json!({
                    "threads": threads, "tokens": n_tokens, "records": n_records,
                    "s_a_text": [a_text.lower_s, a_text.median_s, a_text.upper_s],
                    "stages_ms": stages.to_json(n_records),
                }));
            }
        }
    }
    let mut headings = vec![["", "threads"], ["", "tokens"], ["", "at once"], ["texts/s", "(quartiles)"]];
    headings.extend(Stages::NAMES.map(|name| ["", name]));
    print_table(&headings, &rows);
    json!(documents)
}

fn load_row(threads: &str, n_tokens: usize, n_records: usize, a_text: Spread, stages: &Stages) -> Vec<String> {
    let rate = |seconds: f64| format!("{:.0}", 1.0 / seconds);
    let rates = format!("{} ({} to {})", rate(a_text.median_s), rate(a_text.upper_s), rate(a_text.lower_s));
    let head = [threads.to_owned(), n_tokens.to_string(), n_records.to_string(), rates];
    head.into_iter().chain(stages.medians_ms(n_records).map(|ms| format!("{ms:.3}"))).collect()
}

/// A request of a hundred texts of a hundred lengths, to a server that has built none of their operators; and small requests
/// beside it.
fn cold(definition: &Path, texts: &Texts) -> Value {
    let server = Server::start(definition, None);
    let body = texts::csv(&(20..120).map(|n_tokens| texts.of_length(n_tokens, n_tokens)).collect::<Vec<String>>());
    let small = texts::csv(&[texts.of_length(10, 0)]);
    server.client(ENDPOINT).post(&small);
    let ((cold_s, cold_timing), waits) = std::thread::scope(|scope| {
        let large = scope.spawn(|| ask(&server, &body));
        let waits = waits_beside(&large, &server, &small);
        (large.join().expect("the client does not panic"), waits)
    });
    let (warm_s, warm_timing) = ask(&server, &body);
    let longest_s = waits.iter().copied().fold(0.0, f64::max);
    let small_s = Spread::of(waits).median_s;
    let [small_ms, longest_ms] = [small_s, longest_s].map(|seconds| seconds * 1e3);
    println!("\nA hundred texts of 20, 21 ... 119 tokens in one request, all cores");
    println!("cold: {cold_s:.2} s   {cold_timing}");
    println!("warm: {warm_s:.2} s   {warm_timing}");
    println!("a text of 10 tokens beside the cold one: median {small_ms:.1} ms, longest {longest_ms:.1} ms");
    json!({ "cold_s": cold_s, "warm_s": warm_s, "beside_s": [small_s, longest_s] })
}

/// How long it took, in seconds, and Server-Timing.
fn ask(server: &Server, body: &str) -> (f64, String) {
    let (mut client, started) = (server.client(ENDPOINT), Instant::now());
    let timing = client.post(body).timing;
    (started.elapsed().as_secs_f64(), timing)
}

/// Of small requests while the large one runs, in seconds.
fn waits_beside<T>(large: &ScopedJoinHandle<T>, server: &Server, small: &str) -> Vec<f64> {
    const PAUSE: Duration = Duration::from_millis(2);
    let (mut client, mut waits) = (server.client(ENDPOINT), Vec::new());
    while !large.is_finished() {
        let started = Instant::now();
        client.post(small);
        waits.push(started.elapsed().as_secs_f64());
        std::thread::sleep(PAUSE);
    }
    waits
}
