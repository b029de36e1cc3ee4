//! kill -9 while the control plane writes: what was acknowledged is there, what was under way is there or not, and
//! nothing is half.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_calls::{call, called, example, prepare, settled};
use crate::process::{Process, explaind, folder, output};
use crate::support::{Caller, example_folder, invoke, ms, records, until};

const WRITERS: usize = 4;
const WRITES_MIN: usize = 200;
const KILLS_MIN: u64 = 40;

/// One resource, as its only writer knows it.
struct Writer {
    name: String,
    /// Tags that were acknowledged. None: it was deleted, or never made.
    known: Option<usize>,
    /// The write whose answer never came would have led here.
    begun: Option<Option<usize>>,
}

impl Writer {
    fn new(idx: usize) -> Self {
        Self { name: format!("Writer-{idx}"), known: None, begun: None }
    }

    fn arn(&self) -> String {
        format!("arn:aws:sagemaker:us-east-1:000000000000:model/{}", self.name.to_ascii_lowercase())
    }

    /// The next write: create, tag a few times, delete, create again.
    fn next(&self) -> (&'static str, Value, Option<usize>) {
        match self.known {
            None => {
                let (model, _) = example("wine");
                ("CreateModel", json!({"ModelName": self.name, "PrimaryContainer": model}), Some(0))
            }
            Some(3) => ("DeleteModel", json!({"ModelName": self.name}), None),
            Some(n_tags) => {
                let tag = json!([{"Key": n_tags.to_string(), "Value": "x".repeat(200)}]);
                ("AddTags", json!({"ResourceArn": self.arn(), "Tags": tag}), Some(n_tags + 1))
            }
        }
    }

    /// Writes until no answer comes.
    async fn write(&mut self, caller: Caller, is_killed: &AtomicBool, n_written: &AtomicUsize) {
        while !is_killed.load(Ordering::SeqCst) {
            let (operation, input, after) = self.next();
            self.begun = Some(after);
            let Some(answer) = caller.try_send(call(operation, &input)).await else { return };
            assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
            (self.known, self.begun) = (after, None);
            n_written.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What is there now is what was known or what was begun; from now on it is known.
    async fn check(&mut self, caller: &Caller) {
        let answer = caller.send(call("ListTags", &json!({"ResourceArn": self.arn()}))).await;
        let found = (answer.status == 200).then(|| answer.json()["Tags"].as_array().expect("is a list").len());
        assert!(
            found == self.known || Some(found) == self.begun,
            "{}: {found:?}, {:?}, {:?}",
            self.name,
            self.known,
            self.begun
        );
        (self.known, self.begun) = (found, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_everything_acknowledged_is_there_and_nothing_is_half() {
    let state = folder("crash").join("state");
    let mut writers: Vec<Writer> = (0..WRITERS).map(Writer::new).collect();
    let n_written = Arc::new(AtomicUsize::new(0));
    let mut n_rounds = 0;
    while n_written.load(Ordering::SeqCst) < WRITES_MIN || n_rounds < KILLS_MIN {
        let process = Process::keeping(&state, &[]);
        for writer in &mut writers {
            writer.check(&process.caller).await;
        }
        writers = write_and_kill(process, writers, &n_written, ms(7 * (n_rounds % 8))).await;
        n_rounds += 1;
    }
    let names: Vec<String> = std::fs::read_dir(state.join("model")).expect("is there").map(file_name).collect();
    assert!(names.iter().all(|name| name.starts_with("writer-")), "{names:?}");
}

fn file_name(entry: std::io::Result<std::fs::DirEntry>) -> String {
    entry.expect("reads").file_name().to_string_lossy().into_owned()
}

async fn write_and_kill(
    mut process: Process,
    writers: Vec<Writer>,
    n_written: &Arc<AtomicUsize>,
    after: Duration,
) -> Vec<Writer> {
    let is_killed = Arc::new(AtomicBool::new(false));
    let begun = n_written.load(Ordering::SeqCst);
    let tasks: Vec<_> = writers
        .into_iter()
        .map(|mut writer| {
            let (caller, is_killed, n_written) =
                (process.caller.clone(), Arc::clone(&is_killed), Arc::clone(n_written));
            tokio::spawn(async move {
                writer.write(caller, &is_killed, &n_written).await;
                writer
            })
        })
        .collect();
    until(|| n_written.load(Ordering::SeqCst) > begun).await;
    tokio::time::sleep(after).await;
    process.kill();
    is_killed.store(true, Ordering::SeqCst);
    let mut writers = Vec::new();
    for task in tasks {
        writers.push(task.await.expect("no writer fails"));
    }
    writers
}

#[tokio::test]
async fn endpoints_serve_again_after_a_kill_even_without_their_models_and_configurations() {
    let state = folder("crash-endpoints").join("state");
    let mut process = Process::keeping(&state, &[]);
    let caller = process.caller.clone();
    prepare(&caller, "E", "wine", &[("a", 3.0), ("b", 1.0)]).await;
    called(&caller, "CreateEndpoint", json!({"EndpointName": "E", "EndpointConfigName": "E"})).await;
    let before = settled(&caller, "E").await;
    let weights = json!([{"VariantName": "a", "DesiredWeight": 7}]);
    let reweigh = json!({"EndpointName": "E", "DesiredWeightsAndCapacities": weights});
    called(&caller, "UpdateEndpointWeightsAndCapacities", reweigh).await;
    called(&caller, "DeleteModel", json!({"ModelName": "E"})).await;
    called(&caller, "DeleteEndpointConfig", json!({"EndpointConfigName": "E"})).await;
    // Whether its opening ends before the kill or not, it is open after it.
    prepare(&caller, "late", "wine", &[("a", 1.0)]).await;
    called(&caller, "CreateEndpoint", json!({"EndpointName": "late", "EndpointConfigName": "late"})).await;
    process.kill();

    let process = Process::keeping(&state, &[]);
    let after = settled(&process.caller, "E").await;
    assert_eq!(after["EndpointStatus"], "InService");
    assert_eq!(after["CreationTime"], before["CreationTime"]);
    assert_eq!(after["ProductionVariants"][0]["CurrentWeight"], 7.0);
    assert_eq!(settled(&process.caller, "late").await["EndpointStatus"], "InService");
    let answer = process.caller.send(invoke("E", records("wine", 1))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The one line on stderr of a server that does not start.
fn refusal(state: &Path, endpoints: &str) -> String {
    let state = state.display().to_string();
    let command =
        ["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--state", &state, "--endpoints", endpoints];
    String::from_utf8(output(&mut explaind(&command)).stderr).expect("is UTF-8")
}

#[tokio::test]
async fn a_name_in_a_file_and_in_the_state_refuses_to_start_naming_both_places() {
    let state = folder("both").join("state");
    let wine = example_folder("wine").display().to_string();
    let process = Process::keeping(&state, &[]);
    prepare(&process.caller, "Wine", "wine", &[("a", 1.0)]).await;
    called(&process.caller, "CreateEndpoint", json!({"EndpointName": "Wine", "EndpointConfigName": "Wine"})).await;
    assert!(refusal(&state, &wine).contains("another process uses this folder"));
    drop(process);
    let text = refusal(&state, &wine);
    let file = format!("{wine}/endpoint.json: the endpoint \"wine\" is also in ");
    assert!(text.contains(&file) && text.contains("state/endpoint/wine.json"), "{text}");
}

#[tokio::test]
async fn a_damaged_document_refuses_to_start_naming_it() {
    let state = folder("damaged").join("state");
    std::fs::create_dir_all(state.join("endpoint")).expect("creates");
    let wine = example_folder("wine").display().to_string();
    for (name, text, reason) in [
        ("endpoint/a.json", "{\"name\":", "EOF while parsing"),
        ("endpoint/b.json", "{}", "missing field"),
        ("elsewhere/a.json", "{}", "the shelf is not known"),
    ] {
        let path = state.join(name);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("creates");
        std::fs::write(&path, text).expect("writes");
        let refusal = refusal(&state, &wine);
        assert!(refusal.contains(name) && refusal.contains(reason), "{refusal}");
        std::fs::remove_file(path).expect("removes");
    }
}

/// A model file of its own, and an endpoint of that name, which is Updating to a container that never answers.
async fn updating(caller: &Caller, folder: &Path, silent: &std::net::TcpListener) {
    std::fs::copy(example_folder("wine").join("model.json"), folder.join("own.json")).expect("copies");
    let container = format!("http://{}", silent.local_addr().expect("is bound"));
    for (name, container) in
        [("own", json!({"ModelDataUrl": folder.join("own.json")})), ("silent", json!({"Image": container}))]
    {
        called(caller, "CreateModel", json!({"ModelName": name, "PrimaryContainer": container})).await;
        let variants = json!([{"VariantName": "v", "ModelName": name}]);
        let config = json!({"EndpointConfigName": name, "ProductionVariants": variants});
        called(caller, "CreateEndpointConfig", config).await;
    }
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "own"})).await;
    settled(caller, "e").await;
    called(caller, "UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "silent"})).await;
}

#[tokio::test]
async fn an_endpoint_that_is_tried_again_never_touches_a_newer_one_of_its_name() {
    let folder = folder("stale");
    let (state, silent) =
        (folder.join("state"), std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let mut process = Process::keeping(&state, &[]);
    updating(&process.caller, &folder, &silent).await;
    process.kill();
    std::fs::remove_file(folder.join("own.json")).expect("is there");

    let process = Process::keeping(&state, &[]);
    let caller = &process.caller;
    let described = called(caller, "DescribeEndpoint", json!({"EndpointName": "e"})).await;
    assert_eq!(described["EndpointStatus"], "Failed", "it does not open, and is tried again");
    called(caller, "DeleteEndpoint", json!({"EndpointName": "e"})).await;
    prepare(caller, "new", "wine", &[("v", 1.0)]).await;
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "new"})).await;
    let before = settled(caller, "e").await;
    // Longer than it takes until the next attempt.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(called(caller, "DescribeEndpoint", json!({"EndpointName": "e"})).await, before);
}
