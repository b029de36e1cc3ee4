//! A server of models that is not there: left alone, tried again, and no burden for the others.

use std::time::Instant;

use explaind::config::{ContainerConfig, ServerConfig};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::container::{baseline, remote};
use crate::fault_server::{BASELINE, Fault, FaultServer, RECORD, ask, assert_explained, batches, ten, told};
use crate::support::{Answer, TestApp, invoke, ms, until};
use crate::wire::whole;

/// Faults of a container that is not there.
fn absent() -> Vec<Fault> {
    let silent = [Fault::Hang, Fault::Reset, Fault::ResetWithin, Fault::Truncated];
    silent.into_iter().chain([502, 503, 504].map(Fault::status)).collect()
}

/// The circuit opens after three failures, each of them a request.
fn breaking(open_ms: u64) -> impl Fn(&mut ContainerConfig) {
    move |containers| {
        containers.container_answer_ms = 150;
        containers.container_retries_max = 0;
        (containers.circuit_failures, containers.circuit_open_ms) = (3, open_ms);
    }
}

fn in_flight(most: usize) -> impl Fn(&mut ContainerConfig) {
    move |containers| containers.container_in_flight_max = most
}

fn elsewhere(mut definition: Value) -> Value {
    definition["EndpointName"] = json!("elsewhere");
    definition
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (503, "ServiceUnavailable"), "{answer:?}");
}

#[tokio::test]
async fn promise_21_a_container_that_is_not_there_is_left_alone() {
    for fault in absent() {
        let own = fault.clone();
        let container = FaultServer::start(move |_, _| Some(own.clone())).await;
        let app = container.app(breaking(60_000)).await;
        for _ in 0..3 {
            assert_eq!(ask(&app).await.status, 424, "{fault:?}");
        }
        let started = Instant::now();
        assert_unavailable(&ask(&app).await);
        assert!(started.elapsed() < ms(50), "{:?}", started.elapsed());
        assert_eq!(container.n_requests(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn promise_21_an_address_where_nobody_listens_is_left_alone() {
    let discard = "127.0.0.1:9".parse().expect("is an address");
    let app = TestApp::treating(remote(discard, baseline(BASELINE), json!({})), breaking(60_000)).await;
    for _ in 0..3 {
        assert_eq!(told(&ask(&app).await), (424, Some(0)));
    }
    assert_unavailable(&ask(&app).await);
}

#[tokio::test]
async fn promise_21_repeats_end_when_the_circuit_opens() {
    let container = FaultServer::start(|_, _| Some(Fault::status(503))).await;
    let app = container.app(|containers| {
        (containers.circuit_failures, containers.container_retries_max) = (2, 9);
    });
    let answer = ask(&app.await).await;
    assert!([424, 503].contains(&answer.status), "{answer:?}");
    assert_eq!(container.n_requests(), 2);
}

#[tokio::test]
async fn promise_21_what_is_refused_shuts_nobody_out() {
    for code in [400, 404, 413, 415, 422, 429, 500] {
        let container = FaultServer::start(move |_, _| Some(Fault::status(code))).await;
        let app = container.app(breaking(60_000)).await;
        for _ in 0..8 {
            assert_eq!(told(&ask(&app).await), (424, Some(i64::from(code))));
        }
    }
}

#[tokio::test]
async fn promise_21_only_failures_in_a_row_open_the_circuit() {
    let container = FaultServer::start(|_, asked| asked.body.starts_with('9').then(|| Fault::status(503))).await;
    let app = container.app(breaking(60_000)).await;
    for body in ["9,2,3", "9,2,3", "1,2,3", "9,2,3", "9,2,3", "1,2,3"] {
        let expected = if body.starts_with('9') { 424 } else { 200 };
        assert_eq!(app.send(invoke("remote", body)).await.status, expected);
    }
}

#[tokio::test]
async fn promise_21_one_request_probes_and_a_success_closes_the_circuit() {
    let container = FaultServer::start(|idx, _| match idx {
        0..3 => Some(Fault::status(503)),
        3 => Some(Fault::Late(ms(40))),
        _ => None,
    })
    .await;
    let app = container.app(breaking(200)).await;
    for _ in 0..3 {
        assert_eq!(ask(&app).await.status, 424);
    }
    assert_unavailable(&ask(&app).await);
    sleep(ms(220)).await;
    let probe = tokio::spawn(ask(&app));
    until(|| container.n_requests() == 4).await;
    for answer in join_all((0..3).map(|_| ask(&app))).await {
        assert_unavailable(&answer);
    }
    assert_eq!(container.n_requests(), 4);
    assert_explained(&probe.await.expect("ends"));
    for answer in join_all((0..5).map(|_| ask(&app))).await {
        assert_explained(&answer);
    }
}

#[tokio::test]
async fn promise_21_a_probe_that_fails_keeps_the_circuit_open() {
    let container = FaultServer::start(|idx, _| (idx < 4).then(|| Fault::status(503))).await;
    let app = container.app(breaking(200)).await;
    for _ in 0..3 {
        ask(&app).await;
    }
    sleep(ms(220)).await;
    assert_eq!(told(&ask(&app).await), (424, Some(503)));
    assert_unavailable(&ask(&app).await);
    assert_eq!(container.n_requests(), 4);
    sleep(ms(220)).await;
    assert_explained(&ask(&app).await);
}

#[tokio::test]
async fn promise_21_a_probe_that_is_given_up_makes_room_for_another() {
    let container = FaultServer::start(|idx, _| match idx {
        0..3 => Some(Fault::status(503)),
        3 => Some(Fault::Hang),
        _ => None,
    })
    .await;
    let patient = |containers: &mut ContainerConfig| {
        breaking(100)(containers);
        containers.container_answer_ms = 60_000;
    };
    let app = container.app(patient).await;
    for _ in 0..3 {
        ask(&app).await;
    }
    sleep(ms(120)).await;
    let mut wire = app.wire().await;
    wire.write(whole("remote", RECORD)).await;
    until(|| container.n_requests() == 4).await;
    drop(wire);
    until(|| container.n_under_way() == 0).await;
    sleep(ms(120)).await;
    assert_explained(&ask(&app).await);
}
#[tokio::test]
async fn promise_21_a_dead_endpoint_does_not_slow_another() {
    let (dead, living) =
        (FaultServer::start(|_, _| Some(Fault::Hang)).await, FaultServer::start(|_, _| None).await);
    let config = baseline(BASELINE);
    let definitions = [dead.endpoint(config.clone()), elsewhere(living.endpoint(config))];
    let app = TestApp::hosting(&definitions, |_| {}, |_| {}).await;
    let _dead: Vec<_> = (0..20).map(|_| app.begin(invoke("remote", RECORD))).collect();
    until(|| dead.n_requests() == 8).await;
    let started = Instant::now();
    for _ in 0..5 {
        assert_explained(&app.send(invoke("elsewhere", RECORD)).await);
    }
    assert!(started.elapsed() < ms(500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn promise_21_a_dead_endpoint_does_not_take_all_places() {
    let (dead, living) =
        (FaultServer::start(|_, _| Some(Fault::Hang)).await, FaultServer::start(|_, _| None).await);
    let config = baseline(BASELINE);
    let definitions = [dead.endpoint(config.clone()), elsewhere(living.endpoint(config))];
    let few = |server: &mut ServerConfig| (server.running_max, server.waiting_max) = (6, 100);
    let app = TestApp::hosting(&definitions, in_flight(2), few).await;
    let _dead: Vec<_> = (0..20).map(|_| app.begin(invoke("remote", RECORD))).collect();
    until(|| dead.n_requests() == 2).await;
    sleep(ms(50)).await;
    let living = tokio::time::timeout(ms(500), app.send(invoke("elsewhere", RECORD))).await;
    assert_explained(&living.expect("an endpoint is answered beside a dead one"));
}

#[tokio::test]
async fn promise_21_hanging_until_the_deadline_is_a_failure_of_the_container() {
    let container = FaultServer::start(|_, _| Some(Fault::Hang)).await;
    // As in the defaults: a container may take a little longer than a client waits.
    let three = |containers: &mut ContainerConfig| {
        (containers.circuit_failures, containers.container_answer_ms) = (3, 220);
    };
    let sooner = |server: &mut ServerConfig| server.deadline_ms = 200;
    let app = TestApp::hosting(&[container.endpoint(baseline(BASELINE))], three, sooner).await;
    for _ in 0..3 {
        assert_eq!(ask(&app).await.status, 424);
    }
    let answer = ask(&app).await;
    assert_eq!((answer.status, container.n_requests()), (503, 3), "{answer:?}");
}

#[tokio::test]
async fn promise_21_clients_that_hang_up_early_do_not_open_the_circuit() {
    let container = FaultServer::start(|idx, _| (idx < 8).then_some(Fault::Hang)).await;
    let app = container.app(|containers| containers.circuit_failures = 3).await;
    for n_requests in 1..=8 {
        let mut wire = app.wire().await;
        wire.write(whole("remote", RECORD)).await;
        until(|| container.n_requests() == n_requests).await;
        drop(wire);
        until(|| container.n_under_way() == 0).await;
    }
    assert_explained(&ask(&app).await);
}

#[tokio::test]
async fn promise_21_requests_too_large_for_their_deadline_do_not_open_the_circuit() {
    let container = FaultServer::adding(ms(40)).await;
    let definition = container.endpoint(batches(&ten("0"), 10));
    let three = |containers: &mut ContainerConfig| {
        (containers.circuit_failures, containers.circuit_open_ms) = (3, 60_000);
    };
    let app = TestApp::hosting(&[definition], three, |server| server.deadline_ms = 300).await;
    for answer in join_all((0..3).map(|_| app.send(invoke("remote", ten("1"))))).await {
        assert_eq!(told(&answer), (424, Some(0)));
    }
    let small = app.send(invoke("remote", ten("0").replacen('0', "1", 2))).await;
    assert_eq!(small.status, 200, "{small:?}");
}
