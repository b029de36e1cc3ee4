//! Clients that are slow, idle, endless or too many.

use std::time::Instant;

use crate::fake::{Fake, Gate};
use crate::support::{PATIENCE, TestApp, get, invoke, ms, records, until};
use crate::wire::{Wire, head, whole};

/// Connections that have each written `bytes`.
async fn open(app: &TestApp, n: usize, bytes: &str) -> Vec<Wire> {
    let mut wires = Vec::new();
    for _ in 0..n {
        let mut wire = app.wire().await;
        wire.write(bytes).await;
        wires.push(wire);
    }
    wires
}

#[tokio::test]
async fn slow_headers_are_closed_while_others_are_served() {
    let app = TestApp::with(|config| config.header_timeout_ms = 500).await;
    let mut slow = open(&app, 100, &head("wine", "")).await;
    let mut dripping = app.wire().await;
    let drip = tokio::spawn(async move {
        let started = Instant::now();
        while dripping.write("x").await && started.elapsed() < PATIENCE {
            tokio::time::sleep(ms(20)).await;
        }
        started.elapsed()
    });
    assert_eq!(app.send(invoke("wine", records("wine", 1))).await.status, 200);
    for wire in &mut slow {
        assert_eq!(wire.rest(ms(2_000)).await, "");
    }
    let dripped = drip.await.expect("ends");
    assert!(dripped < ms(3_000), "{dripped:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_header_timeout() {
    let app = TestApp::with(|config| config.header_timeout_ms = 300).await;
    let mut wire = app.wire().await;
    for _ in 0..2 {
        wire.write("GET /ping HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 200 OK"));
        tokio::time::sleep(ms(100)).await;
    }
    assert_eq!(wire.rest(ms(2_000)).await, "");
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_408_and_closed() {
    let app = TestApp::with(|config| config.body_timeout_ms = 200).await;
    let mut wire = app.wire().await;
    wire.write(head("wine", "content-length: 100\r\n\r\n1,2")).await;
    let answer = wire.rest(ms(2_000)).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("x-amzn-errortype: RequestTimeoutException"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn slow_bodies_do_not_take_the_places_of_others() {
    let app = TestApp::with(|config| (config.running_max, config.waiting_max) = (2, 2)).await;
    let _slow = open(&app, 20, &head("wine", "content-length: 100\r\n\r\n1,2")).await;
    tokio::time::sleep(ms(100)).await;
    assert_eq!(app.send(invoke("wine", records("wine", 1))).await.status, 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let app = TestApp::with(|config| config.write_timeout_ms = 300).await;
    let many = vec![records("wine", 1); 4_000].join("\n");
    let started = Instant::now();
    let whole_answer = app.send(invoke("wine", many.clone())).await.body.len();
    let took = started.elapsed();
    let mut wire = app.wire().await;
    wire.write(whole("wine", &many)).await;
    tokio::time::sleep(2 * took + ms(1_000)).await;
    let read = wire.rest(PATIENCE).await.len();
    assert!(read < whole_answer, "{read} of {whole_answer} bytes came");
}

#[tokio::test]
async fn a_body_that_is_cut_off_begins_no_work() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), |config| config.running_max = 1).await;
    drop(open(&app, 5, &head("fake", "content-length: 100\r\n\r\n1,2")).await);
    gate.open();
    assert_eq!(app.send(invoke("fake", "1,2")).await.status, 200);
    assert_eq!(gate.started(), 1);
}

#[tokio::test]
async fn too_many_header_bytes_or_headers_are_answered_431() {
    let app = TestApp::start().await;
    for fields in [format!("x: {}\r\n\r\n", "y".repeat(200 << 10)), "x: y\r\n".repeat(200) + "\r\n"] {
        let mut wire = app.wire().await;
        wire.write(head("wine", &fields)).await;
        let answer = wire.rest(PATIENCE).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn ambiguous_lengths_are_refused() {
    let app = TestApp::start().await;
    for fields in ["content-length: 3\r\ncontent-length: 4\r\n\r\n1,2", "content-length: +3\r\n\r\n1,2"] {
        let mut wire = app.wire().await;
        wire.write(head("wine", fields)).await;
        let answer = wire.rest(PATIENCE).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn idle_connections_do_not_stop_a_client() {
    let app = TestApp::start().await;
    let _idle = open(&app, 200, "").await;
    assert_eq!(app.send(invoke("wine", records("wine", 1))).await.status, 200);
}

#[tokio::test]
async fn a_client_over_the_limit_of_connections_is_served_when_idle_ones_are_closed() {
    let app = TestApp::with(|config| (config.connections_max, config.header_timeout_ms) = (20, 300)).await;
    let _idle = open(&app, 60, "").await;
    let started = Instant::now();
    assert_eq!(app.send(get("/ping")).await.status, 200);
    assert!(started.elapsed() > ms(300), "the limit holds: {:?}", started.elapsed());
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let app = TestApp::start().await;
    let mut wire = app.wire().await;
    let (first, second) = (whole("wine", &records("wine", 1)), whole("nobody", "1"));
    wire.write(first + &second).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 200 OK"));
    assert!(wire.answer().await.starts_with("HTTP/1.1 400 Bad Request"));
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let app = TestApp::start().await;
    let body = records("wine", 1);
    let mut wire = app.wire().await;
    wire.write(head("wine", &format!("expect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len()))).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 100 Continue"));
    wire.write(body).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_client_that_stops_reading_holds_no_place() {
    let gate = Gate::closed();
    gate.open();
    let app = TestApp::with_fake(Fake::behind(&gate), |config| {
        (config.running_max, config.waiting_max) = (1, 0);
    })
    .await;
    let many = vec!["1,2"; 50_000].join("\n");
    let _unread = open(&app, 1, &whole("fake", &many)).await;
    until(|| gate.started() == 1).await;
    let free = async {
        while app.send(invoke("fake", "1,2")).await.status != 200 {
            tokio::time::sleep(ms(20)).await;
        }
    };
    crate::support::within(PATIENCE, free).await;
}
