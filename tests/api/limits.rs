//! How many requests run and wait, and for how long.

use std::time::{Duration, Instant};

use explaind::config::ServerConfig;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::fake::{Fake, Gate};
use crate::show::show_error;
use crate::support::{TestApp, example_folder, invoke, ms, records, until, within};
use crate::wire::{head, whole};

/// Running and waiting places.
fn places(running: usize, waiting: usize) -> impl Fn(&mut ServerConfig) {
    move |config| (config.running_max, config.waiting_max) = (running, waiting)
}

/// Lets requests that were just sent arrive at the server.
async fn settle() {
    tokio::time::sleep(ms(100)).await;
}

#[tokio::test]
async fn one_request_too_many_is_refused_at_once_and_the_others_are_answered() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), places(2, 3)).await;
    let admitted: Vec<_> = (0..5).map(|_| app.begin(invoke("fake", "1,2"))).collect();
    until(|| gate.started() == 2).await;
    settle().await;
    assert_eq!(gate.started(), 2, "the others wait");

    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        let refused = app.send(invoke("fake", "1,2")).await;
        fastest = fastest.min(started.elapsed());
        assert_eq!(refused.status, 429);
    }
    assert_snapshot!(show_error(&app.send(invoke("fake", "1,2")).await), @r#"
    429
    connection: close
    content-type: application/json
    retry-after: 1
    x-amzn-errortype: ThrottlingException
    x-amzn-invoked-production-variant: AllTraffic
    x-amzn-requestid: [request id]

    {"Message":"Rate exceeded: 2 requests run and 3 wait, the limits of this server."}
    "#);
    assert!(fastest < ms(50), "{fastest:?}");

    gate.open();
    for request in admitted {
        assert_eq!(request.await.expect("ends").status, 200);
    }
    assert_eq!(app.send(invoke("fake", "1,2")).await.status, 200);
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_model_works_stops_the_work() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), |config| config.deadline_ms = 300).await;
    let started = Instant::now();
    let late = app.send(invoke("fake", "1,2")).await;
    let took = started.elapsed();
    assert!((ms(300)..ms(600)).contains(&took), "{took:?}");
    assert_eq!((gate.started(), gate.given_up()), (1, 1));
    assert_eq!(late.json()["OriginalStatusCode"], 0);
    assert_snapshot!(show_error(&late), @r#"
    424
    content-type: application/json
    x-amzn-errortype: ModelError
    x-amzn-invoked-production-variant: AllTraffic
    x-amzn-requestid: [request id]

    {"ErrorCode":"SERVER_ERROR_FROM_MODEL","LogStreamArn":"arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/fake","Message":"Received server error (0) from primary with message \"Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.\". See the server's log, request [request id].","OriginalMessage":"Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.","OriginalStatusCode":0}
    "#);
}

#[tokio::test]
async fn a_deadline_that_passes_while_waiting_never_touches_the_model() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), |config| {
        places(1, 1)(config);
        config.deadline_ms = 500;
    })
    .await;
    // Its time begins first, but its body comes when the only place to run is taken.
    let mut waiting = app.wire().await;
    waiting.write(head("fake", "content-length: 3\r\n\r\n3,")).await;
    settle().await;
    let running = app.begin(invoke("fake", "1,2"));
    until(|| gate.started() == 1).await;
    waiting.write("4").await;
    let waited = waiting.answer().await;
    assert!(waited.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{waited}");
    assert!(waited.contains("x-amzn-errortype: ServiceUnavailable"), "{waited}");
    assert_eq!(running.await.expect("ends").status, 424);
    gate.open();
    assert_eq!(app.send(invoke("fake", "1,2")).await.status, 200);
    assert_eq!(gate.started(), 2, "the request that only waited never began");
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_its_place_and_stops_the_work() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), places(1, 0)).await;
    let mut wire = app.wire().await;
    wire.write(whole("fake", "1,2")).await;
    until(|| gate.started() == 1).await;
    drop(wire);
    let took = until(|| gate.given_up() == 1).await;
    assert!(took < ms(500), "{took:?}");
    gate.open();
    assert_eq!(app.send(invoke("fake", "1,2")).await.status, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_while_waiting_frees_its_place() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), places(1, 1)).await;
    let running = app.begin(invoke("fake", "1,2"));
    until(|| gate.started() == 1).await;
    let mut wire = app.wire().await;
    wire.write(whole("fake", "1,2")).await;
    settle().await;
    assert_eq!(app.send(invoke("fake", "1,2")).await.status, 429);
    drop(wire);
    settle().await;
    let waiting = app.begin(invoke("fake", "1,2"));
    settle().await;
    gate.open();
    assert_eq!(running.await.expect("ends").status, 200);
    assert_eq!(waiting.await.expect("ends").status, 200);
    assert_eq!(gate.started(), 2);
}

#[tokio::test]
async fn waiting_requests_run_in_the_order_of_their_arrival() {
    let gate = Gate::closed();
    let app = TestApp::with_fake(Fake::behind(&gate), places(1, 8)).await;
    let mut requests = Vec::new();
    for _ in 0..4 {
        requests.push(app.begin(invoke("fake", "1,2")));
        settle().await;
    }
    for request in requests {
        gate.admit();
        assert_eq!(within(ms(2_000), request).await.expect("ends").status, 200);
    }
}

/// An example's definition, wherever it is opened.
fn example(name: &str) -> Value {
    let folder = example_folder(name);
    let text = std::fs::read_to_string(folder.join("endpoint.json")).expect("the example is there");
    let mut definition: Value = serde_json::from_str(&text).expect("is JSON");
    definition["PrimaryContainer"]["ModelDataUrl"] = json!(folder.join("model.json"));
    definition
}

/// 20,000 coalitions meet 12 baseline rows, and a mean of probabilities has no closed form.
fn slow() -> Value {
    let mut definition = example("breast-cancer");
    definition["EndpointName"] = json!("slow");
    let shap = &mut definition["ExplainerConfig"]["ClarifyExplainerConfig"]["ShapConfig"];
    shap["UseLogit"] = json!(false);
    shap["ShapBaselineConfig"]["ShapBaseline"] = json!(records("breast-cancer", 12));
    shap["NumberOfSamples"] = json!(20_000);
    definition
}

#[tokio::test]
async fn a_large_request_ends_at_its_deadline_and_leaves_the_processor() {
    let app = TestApp::hosting(&[slow(), example("wine")], |_| {}, |config| config.deadline_ms = 300).await;
    let wine = records("wine", 1);
    let records = vec![records("breast-cancer", 12); 500].join("\n");
    let started = Instant::now();
    let late = app.send(invoke("slow", records)).await;
    assert_eq!((late.status, late.json()["OriginalStatusCode"].as_i64()), (424, Some(0)));
    assert!(started.elapsed() < ms(2_000), "{:?}", started.elapsed());
    let next = app.send(invoke("wine", wine)).await;
    assert_eq!(next.status, 200, "{next:?}");
}

#[tokio::test]
async fn a_small_request_beside_a_large_one_is_answered_first() {
    let app = TestApp::hosting(&[slow(), example("wine")], |_| {}, |_| {}).await;
    let many = vec![records("breast-cancer", 1); 4_000].join("\n");
    let large = app.begin(invoke("slow", many));
    settle().await;
    let started = Instant::now();
    assert_eq!(app.send(invoke("wine", records("wine", 1))).await.status, 200);
    let took = started.elapsed();
    assert!(!large.is_finished(), "the large request took less than {took:?}");
    assert_eq!(large.await.expect("ends").status, 200);
    let all = started.elapsed();
    assert!(took < all / 4, "{took:?} beside a request of {all:?}");
}

/// Each number of features that differ from zero needs an operator of its own, which takes a while to build.
fn cold() -> Value {
    let mut definition = slow();
    definition["EndpointName"] = json!("cold");
    definition["PrimaryContainer"]["Environment"] = json!({ "EXPLAIND_ESTIMATOR": "trend" });
    let shap = &mut definition["ExplainerConfig"]["ClarifyExplainerConfig"]["ShapConfig"];
    shap["ShapBaselineConfig"]["ShapBaseline"] = json!(["0"; 30].join(","));
    shap["NumberOfSamples"] = json!(5_000);
    definition
}

#[tokio::test]
async fn a_request_beside_operators_that_are_built_is_answered_first() {
    let app = TestApp::hosting(&[cold(), example("wine")], |_| {}, |_| {}).await;
    let of_players = |n: usize| (0..30).map(|idx| if idx < n { "1" } else { "0" }).collect::<Vec<_>>().join(",");
    let building = app.begin(invoke("cold", (20..26).map(of_players).collect::<Vec<_>>().join("\n")));
    settle().await;
    let started = Instant::now();
    assert_eq!(app.send(invoke("wine", records("wine", 1))).await.status, 200);
    let took = started.elapsed();
    assert!(!building.is_finished(), "six operators took less than {took:?}");
    assert_eq!(building.await.expect("ends").status, 200);
    let all = started.elapsed();
    assert!(took < all / 4, "{took:?} beside operators of {all:?}");
}

#[tokio::test]
async fn an_answer_of_too_many_numbers_is_refused_before_the_work() {
    let app = TestApp::start().await;
    let many = vec![records("breast-cancer", 1); 7_000].join("\n");
    let refused = app.send(invoke("breast-cancer", many)).await;
    let text = "7000 records have 210000 features or units of texts in all, and 210000 attributions for 1 outputs; the limit is 200000";
    assert_eq!(refused.json()["OriginalMessage"], text);
}
