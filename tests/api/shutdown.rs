//! The drain: running requests are answered, new ones are not taken.

use std::time::Instant;

use crate::fake::{Fake, Gate};
use crate::support::{PATIENCE, TestApp, invoke, ms, records, until, within};
use crate::wire::whole;

#[tokio::test]
async fn a_running_request_is_answered_and_the_server_ends_well() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), |_| {}).await;
    let running = app.begin(invoke("fake", "1,2"));
    until(|| gate.started() == 1).await;
    let address = app.address();
    let served = app.stop();
    tokio::time::sleep(ms(100)).await;
    assert!(!served.is_finished(), "it waits for the request");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "no new connections");
    gate.open();
    assert_eq!(running.await.expect("ends").status, 200);
    assert!(within(PATIENCE, served).await.expect("ends"));
}

#[tokio::test]
async fn waiting_requests_are_answered_too() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), |config| config.running_max = 1).await;
    let requests: Vec<_> = (0..3).map(|_| app.begin(invoke("fake", "1,2"))).collect();
    until(|| gate.started() == 1).await;
    tokio::time::sleep(ms(100)).await;
    let served = app.stop();
    gate.open();
    for request in requests {
        assert_eq!(request.await.expect("ends").status, 200);
    }
    assert!(within(PATIENCE, served).await.expect("ends"));
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let app = TestApp::start().await;
    let (_fresh, mut used) = (app.wire().await, app.wire().await);
    used.write("GET /ping HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(used.answer().await.starts_with("HTTP/1.1 200 OK"));
    let started = Instant::now();
    assert!(within(PATIENCE, app.stop()).await.expect("ends"));
    assert!(started.elapsed() < ms(1_000), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_reported() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), |config| config.drain_ms = 200).await;
    let mut wire = app.wire().await;
    wire.write(whole("fake", "1,2")).await;
    until(|| gate.started() == 1).await;
    let started = Instant::now();
    assert!(!within(PATIENCE, app.stop()).await.expect("ends"));
    assert!((ms(200)..ms(1_000)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn in_the_grace_ping_says_503_and_requests_are_still_taken() {
    let app = TestApp::start().await;
    let (mut ping, mut request, mut late) = (app.wire().await, app.wire().await, app.wire().await);
    let address = app.address();
    let served = app.stop_after(ms(600));
    tokio::time::sleep(ms(100)).await;
    ping.write("GET /ping HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(ping.answer().await.starts_with("HTTP/1.1 503 Service Unavailable"));
    request.write(whole("wine", &records("wine", 1))).await;
    assert!(request.answer().await.starts_with("HTTP/1.1 200 OK"));
    assert!(tokio::net::TcpStream::connect(address).await.is_ok(), "connections are still taken");
    late.write("POST /endpoints/wine/invocations HTTP/1.1\r\n").await;
    tokio::time::sleep(ms(700)).await;
    late.write("host: test\r\ncontent-length: 3\r\n\r\n1,2").await;
    let answer = late.rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable"), "{answer}");
    assert!(answer.contains("x-amzn-errortype: ServiceUnavailable"), "{answer}");
    assert!(within(PATIENCE, served).await.expect("ends"));
}
