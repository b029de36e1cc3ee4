//! Which records a server of models is asked, how many at a time, and until when.

use std::time::{Duration, Instant};

use explaind::config::{ContainerConfig, ServerConfig};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use crate::container::{Asked, baseline};
use crate::fault_server::{BASELINE, Fault, FaultServer, N_SYNTHETIC, Note, ask, assert_explained, batches, ten};
use crate::support::{TestApp, invoke, ms, until, within};
use crate::wire::whole;

fn late(wait: Duration) -> impl Fn(usize, &Asked) -> Option<Fault> {
    move |_, _| Some(Fault::Late(wait))
}

fn in_flight(most: usize) -> impl Fn(&mut ContainerConfig) {
    move |containers| containers.container_in_flight_max = most
}

#[tokio::test]
async fn promise_22_no_request_is_sent_twice_while_the_first_is_under_way() {
    let slow = FaultServer::start(late(ms(200))).await;
    let definition = slow.endpoint(batches(BASELINE, 2));
    assert_explained(&ask(&TestApp::treating(definition, |_| {}).await).await);
    assert_eq!(slow.n_rows(), 1 + N_SYNTHETIC);
    let hanging = |idx, _: &Asked| Some(if idx % 4 == 1 { Fault::Hang } else { Fault::Late(ms(20)) });
    let container = FaultServer::start(hanging).await;
    let patient = |containers: &mut ContainerConfig| {
        (containers.container_answer_ms, containers.container_retries_max) = (150, 10);
    };
    assert_explained(&ask(&TestApp::treating(container.endpoint(batches(BASELINE, 2)), patient).await).await);
    let notes = container.notes();
    assert!(notes.len() > 5, "something was repeated");
    for (idx, note) in notes.iter().enumerate() {
        let mut earlier = notes[..idx].iter().filter(|earlier| earlier.asked.body == note.asked.body);
        assert!(earlier.all(|earlier| earlier.ended.is_some_and(|ended| ended <= note.began)), "{notes:?}");
    }
}

#[tokio::test]
async fn a_container_never_has_more_requests_than_it_may_have() {
    let container = FaultServer::start(late(ms(5))).await;
    let app = TestApp::treating(container.endpoint(batches(BASELINE, 2)), in_flight(3)).await;
    for answer in join_all((0..10).map(|_| ask(&app))).await {
        assert_explained(&answer);
    }
    assert_eq!((container.most_under_way(), container.n_requests()), (3, 50));
    assert!(container.n_connections() <= 6, "{} connections", container.n_connections());
}

#[tokio::test]
async fn several_batches_of_one_request_are_under_way_at_once() {
    let container = FaultServer::adding(ms(20)).await;
    let app = TestApp::treating(container.endpoint(batches(&ten("0"), 50)), in_flight(4)).await;
    let answer = app.send(invoke("remote", ten("1"))).await;
    assert_eq!((answer.status, container.most_under_way()), (200, 4), "{answer:?}");
}

#[tokio::test]
async fn a_small_request_passes_a_large_one_to_the_same_container() {
    let container = FaultServer::adding(ms(4)).await;
    let app = TestApp::treating(container.endpoint(batches(&ten("0"), 10)), in_flight(2)).await;
    let large = app.begin(invoke("remote", [ten("1"), ten("2"), ten("3")].join("\n")));
    let started = Instant::now();
    until(|| container.n_requests() > 10).await;
    let small = Instant::now();
    assert_eq!(app.send(invoke("remote", ten("0").replacen('0', "1", 2))).await.status, 200);
    let took = small.elapsed();
    assert!(!large.is_finished(), "the large request took less than {took:?}");
    assert_eq!(large.await.expect("ends").status, 200);
    assert!(took < started.elapsed() / 4, "{took:?} beside {:?}", started.elapsed());
}

#[tokio::test]
async fn identical_records_are_asked_once_in_a_request() {
    for (rows, body, n_rows) in [
        ("0,0,0\n5,5,5", "1,2,3", 1 + 2 * 7),
        ("0,0,0\n5,5,5", "1,2,3\n1,2,3", 2 + 2 * 7),
        ("0,0,0\n5,5,5", "1,2,3\n7,8,9\n1,2,3", 3 + 2 * 7 + 2 * 6),
        // Where all that differs is replaced, both baseline rows give one record.
        ("0,0,0\n0,5,5", "1,2,3", 1 + 2 * 7 - 1),
        ("0,0,0\n0,0,0", "1,2,3", 1 + 7),
    ] {
        let container = FaultServer::adding(ms(0)).await;
        let app = TestApp::treating(container.endpoint(baseline(rows)), |_| {}).await;
        assert_eq!(app.send(invoke("remote", body)).await.status, 200);
        assert_eq!(container.n_rows(), n_rows, "{body:?} with {rows:?}");
    }
}

#[tokio::test]
async fn the_baseline_is_asked_once_in_a_request_of_any_size() {
    let line = vec!["1"; 2_000].join(",");
    let says = move |_: usize, asked: &Asked| {
        let text = vec![line.as_str(); asked.lines().len()].join("\n");
        Some(Fault::Says("text/csv".to_owned(), text.into_bytes()))
    };
    let container = FaultServer::start(says).await;
    let mut config = baseline(&ten("0"));
    config["ShapConfig"]["NumberOfSamples"] = json!(100);
    let app = TestApp::treating(container.endpoint(config), |_| {}).await;
    let body: Vec<String> = (1..9).map(|cell| ten(&cell.to_string())).collect();
    assert_eq!(app.send(invoke("remote", body.join("\n"))).await.status, 200);
    let notes = container.notes();
    let n_asked = notes.iter().flat_map(|note| note.asked.lines()).filter(|line| **line == ten("0")).count();
    assert_eq!((n_asked, container.n_rows()), (1, 8 + 8 * 100 + 1));
}

/// Twelve features of 250 bytes together; a game of 2072 synthetic records.
fn long(cell: usize) -> String {
    vec![format!("{cell}.000000000000000000"); 12].join(",")
}

fn many(n: usize) -> String {
    (1..=n).map(long).collect::<Vec<String>>().join("\n")
}

#[tokio::test]
async fn batches_grow_while_answers_are_quick_up_to_the_largest_payload() {
    let container = FaultServer::adding(ms(0)).await;
    let mut config = baseline(&long(0));
    config["InferenceConfig"] = json!({ "MaxPayloadInMB": 1 });
    let app = TestApp::treating(container.endpoint(config), in_flight(2)).await;
    assert_eq!(app.send(invoke("remote", many(30))).await.status, 200);
    let notes = container.notes();
    let sizes: Vec<usize> = container.sizes().into_iter().skip(1).filter(|&size| size > 1).collect();
    assert!(sizes.iter().any(|&size| size >= 2 * sizes[0]), "{sizes:?}");
    let bytes: Vec<usize> = notes.iter().map(|note| note.asked.body.len()).collect();
    assert!(bytes.iter().all(|&bytes| bytes <= 1 << 20), "{bytes:?}");
}

#[tokio::test]
async fn batches_shrink_when_answers_become_slow() {
    let n_quick = 12;
    let script = move |idx, _: &Asked| (idx >= n_quick).then_some(Fault::Late(ms(600)));
    let container = FaultServer::scoring(|row| row.iter().sum(), script).await;
    let mut config = baseline(&long(0));
    config["InferenceConfig"] = json!({ "MaxPayloadInMB": 1 });
    let app = TestApp::treating(container.endpoint(config), in_flight(4)).await;
    let request = app.begin(invoke("remote", many(60)));
    let after_slow = || {
        let notes = container.notes();
        let first_slow = notes.get(n_quick).and_then(|note| note.ended);
        let is_after = |note: &&Note| first_slow.is_some_and(|ended| note.began > ended);
        notes.iter().filter(is_after).map(|note| note.n_rows).min()
    };
    let largest = || container.sizes().into_iter().take(n_quick).max();
    let shrinking = until(|| after_slow().is_some_and(|least| Some(least) < largest()));
    // The last batch of all may be small; before it there are many.
    within(ms(2_500), shrinking).await;
    request.abort();
}

#[tokio::test]
async fn batches_shrink_when_answers_do_not_come_in_time() {
    let script = |_: usize, asked: &Asked| Some(Fault::Late(ms(asked.lines().len() as u64)));
    let container = FaultServer::scoring(|row| row.iter().sum(), script).await;
    let impatient = |containers: &mut ContainerConfig| {
        (containers.container_answer_ms, containers.container_retries_max) = (150, 0);
        containers.circuit_failures = 1_000;
    };
    let app = TestApp::treating(container.endpoint(baseline(&ten("0"))), impatient).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(app.send(invoke("remote", ten("1"))).await.status);
    }
    assert_eq!(statuses.last(), Some(&200), "{statuses:?} with batches of {:?}", container.sizes());
}

#[tokio::test]
async fn batches_stay_as_large_when_a_deadline_ends_them_early() {
    // Neither quick nor slow.
    let container = FaultServer::adding(ms(120)).await;
    let definition = container.endpoint(baseline(&ten("0")));
    let app = TestApp::hosting(&[definition], in_flight(4), |server| server.deadline_ms = 650).await;
    assert_eq!(app.send(invoke("remote", ten("1"))).await.status, 200);
    let largest = container.sizes().into_iter().max();
    let many: Vec<String> = (1..=20).map(|cell| ten(&cell.to_string())).collect();
    assert_eq!(app.send(invoke("remote", many.join("\n"))).await.status, 424);
    let n_requests = container.n_requests();
    assert_eq!(app.send(invoke("remote", ten("1"))).await.status, 200);
    assert_eq!(container.sizes()[n_requests..].iter().copied().max(), largest, "{:?}", container.sizes());
}

#[tokio::test]
async fn promise_6_nothing_more_is_asked_when_the_client_hangs_up() {
    let container = FaultServer::adding(ms(20)).await;
    let app = TestApp::treating(container.endpoint(batches(&ten("0"), 10)), in_flight(4)).await;
    let mut wire = app.wire().await;
    wire.write(whole("remote", &ten("1"))).await;
    until(|| container.n_requests() >= 8).await;
    let n_requests = container.n_requests();
    drop(wire);
    until(|| container.n_under_way() == 0).await;
    sleep(ms(100)).await;
    assert!(container.n_requests() <= n_requests + 4, "{n_requests}, then {}", container.n_requests());
    assert_eq!(app.send(invoke("remote", ten("0"))).await.status, 200);
}

#[tokio::test]
async fn promise_4_nothing_more_is_asked_when_the_deadline_passes() {
    let container = FaultServer::adding(ms(20)).await;
    let definition = container.endpoint(batches(&ten("0"), 10));
    let app = TestApp::hosting(&[definition], in_flight(2), |server| server.deadline_ms = 300).await;
    let started = Instant::now();
    let answer = app.send(invoke("remote", ten("1"))).await;
    assert!((ms(290)..ms(600)).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!((answer.status, answer.json()["OriginalStatusCode"].as_i64()), (424, Some(0)));
    until(|| container.n_under_way() == 0).await;
    let n_requests = container.n_requests();
    sleep(ms(100)).await;
    assert_eq!(container.n_requests(), n_requests);
}

#[tokio::test]
async fn promise_4_nothing_is_asked_when_the_deadline_has_passed() {
    let hanging = |idx, _: &Asked| (idx > 0).then_some(Fault::Hang);
    let container = FaultServer::scoring(|row| row.iter().sum(), hanging).await;
    let definition = container.endpoint(batches(&ten("0"), 10));
    let app = TestApp::hosting(&[definition], in_flight(4), |server| server.deadline_ms = 300).await;
    assert_eq!(app.send(invoke("remote", ten("1"))).await.status, 424);
    until(|| container.n_under_way() == 0).await;
    sleep(ms(100)).await;
    assert_eq!(container.n_requests(), 1 + 4, "{:?}", container.sizes());
}

#[tokio::test]
async fn promise_4_a_container_that_hangs_until_the_deadline_is_told_in_the_words_of_aws() {
    let container = FaultServer::start(|_, _| Some(Fault::Hang)).await;
    let few_ms = |server: &mut ServerConfig| server.deadline_ms = 200;
    let app = TestApp::hosting(&[container.endpoint(baseline(BASELINE))], |_| {}, few_ms).await;
    let document = ask(&app).await.json();
    assert_eq!(document["OriginalStatusCode"], 0);
    let text = document["OriginalMessage"].as_str().expect("is text");
    assert!(text.starts_with("Your invocation timed out while waiting for a response from container"), "{text}");
}
