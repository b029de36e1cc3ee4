//! Endpoints whose container holds many models: what it is told to load and unload, and what becomes of requests.

use std::sync::Arc;

use axum::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use insta::assert_snapshot;
use serde_json::json;

use crate::container::baseline;
use crate::fake::Gate;
use crate::many_models::{Manner, ManyModels};
use crate::show::{show, show_error};
use crate::support::{TestApp, attributions, get, invoke, ms, until, with};
use crate::wire::head;

const TARGET: &str = "x-amzn-sagemaker-target-model";
/// What a container is asked when it lost a model.
const AGAIN: [&str; 3] = ["invoke times-2", "load times-2", "invoke times-2"];

fn ask(target: &str, body: &str) -> Request<Full<Bytes>> {
    with(invoke("many", body.to_owned()), TARGET, target)
}

async fn container(manner: Manner) -> (ManyModels, TestApp) {
    waiting(manner, 10_000).await
}

/// Requests wait so long for a load.
async fn waiting(manner: Manner, load_ms: u64) -> (ManyModels, TestApp) {
    let container = ManyModels::start(manner).await;
    let endpoint = container.endpoint("/opt/models", Some(baseline("0,0")));
    let app = TestApp::treating(endpoint, |config| config.model_load_ms = load_ms).await;
    (container, app)
}

/// Asks one model after the other, all of which must answer.
async fn use_in_turn(app: &TestApp, targets: &[&str]) {
    for target in targets {
        let answer = app.send(ask(target, "1,2")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn each_target_is_loaded_when_it_is_asked_for_and_explains_itself() {
    let (container, app) = container(Manner::default()).await;
    let answer = app.send(with(ask("eu/times-2", "1,2"), "accept", "text/csv")).await;
    assert_snapshot!(show(&answer));
    assert_eq!(container.log(), ["load times-2", "invoke times-2"]);
    let other = app.send(ask("times-5", "1,2")).await;
    assert_eq!(attributions(&other), [[[5.0], [10.0]]]);
    assert_eq!(attributions(&app.send(ask("eu/times-2", "1,2")).await), [[[2.0], [4.0]]]);
    assert_eq!(container.log(), ["load times-5", "invoke times-5", "invoke times-2"]);
    let mut locations = container.locations();
    locations.sort_unstable();
    assert_eq!(locations, ["/opt/models/eu/times-2", "/opt/models/times-5"]);
    assert!(container.names().iter().all(|name| name.len() == 32 && !name.contains("times")));
    let first = &container.invocations()[0];
    assert_eq!(
        (first[TARGET].as_bytes(), first["content-type"].as_bytes()),
        (&b"eu/times-2"[..], &b"text/csv"[..])
    );
    assert!(container.invocations().iter().all(|headers| headers.contains_key(TARGET)));
}

#[tokio::test]
async fn the_stamp_says_which_model_answered() {
    let (container, app) = container(Manner::default()).await;
    let stamp = async |app: &TestApp, target: &str| {
        let answer = app.send(ask(target, "1,2")).await;
        answer.header("x-explaind-stamp").to_owned()
    };
    let first = stamp(&app, "times-2").await;
    assert_eq!(first.len(), 64);
    assert_ne!(stamp(&app, "times-5").await, first);
    assert_ne!(stamp(&app, "eu/times-2").await, first);
    let again = TestApp::defining(container.endpoint("/opt/models/", Some(baseline("0,0")))).await;
    assert_eq!(stamp(&again, "times-2").await, first);
    let elsewhere = TestApp::defining(container.endpoint("/opt/others", Some(baseline("0,0")))).await;
    assert_ne!(stamp(&elsewhere, "times-2").await, first);
}

#[tokio::test]
async fn models_are_found_below_model_data_url_or_by_their_bare_name() {
    for (models, expected) in [
        (Some("s3://bucket/models/"), "s3://bucket/models/times-2"),
        (None, "times-2"),
        (Some("/m"), "/m/times-2"),
    ] {
        let container = ManyModels::start(Manner::default()).await;
        let mut endpoint = container.endpoint("", Some(baseline("0,0")));
        endpoint["PrimaryContainer"]["ModelDataUrl"] = json!(models);
        use_in_turn(&TestApp::defining(endpoint).await, &["times-2"]).await;
        assert_eq!(container.locations(), [expected]);
    }
}

#[tokio::test]
async fn without_an_explainer_the_answer_of_the_target_is_passed_through() {
    let container = ManyModels::start(Manner::default()).await;
    let app = TestApp::defining(container.endpoint("/opt/models", None)).await;
    assert_snapshot!(show(&app.send(ask("times-3", "1,2\n3,4")).await));
    assert_eq!(container.log(), ["load times-3", "invoke times-3"]);
}

#[tokio::test]
async fn first_calls_at_the_same_time_load_once() {
    let gate = Gate::closed();
    let (container, app) = container(Manner { loads: Some(Arc::clone(&gate)), ..Manner::default() }).await;
    let asked: Vec<_> = (0..8).map(|_| app.begin(ask("times-2", "1,2"))).collect();
    until(|| gate.started() == 1).await;
    tokio::time::sleep(ms(50)).await;
    gate.open();
    for answer in asked {
        assert_eq!(answer.await.expect("no panic").status, 200);
    }
    assert_eq!(container.log(), ["load times-2", "invoke times-2"]);
}

#[tokio::test]
async fn at_most_16_models_are_loaded_at_the_same_time() {
    let gate = Gate::closed();
    let (container, app) = container(Manner { loads: Some(Arc::clone(&gate)), ..Manner::default() }).await;
    let asked: Vec<_> = (0..20).map(|n| app.begin(ask(&format!("times-{n}"), "1,2"))).collect();
    until(|| gate.started() == 16).await;
    tokio::time::sleep(ms(50)).await;
    assert_eq!((gate.started(), container.names().len()), (16, 0));
    gate.open();
    for answer in asked {
        assert_eq!(answer.await.expect("no panic").status, 200);
    }
}

#[tokio::test]
async fn slow_loads_do_not_keep_loaded_models_waiting() {
    let (container, app) = waiting(Manner::default(), 50).await;
    use_in_turn(&app, &["times-100"]).await;
    let gate = Gate::closed();
    container.manner(|manner| manner.loads = Some(Arc::clone(&gate)));
    for n in 0..16 {
        assert_eq!(app.send(ask(&format!("times-{n}"), "1,2")).await.status, 429);
    }
    assert_eq!((gate.started(), gate.given_up()), (16, 0));
    use_in_turn(&app, &["times-100"]).await;
    gate.open();
}

#[tokio::test]
async fn a_model_that_is_loaded_already_counts_as_loaded() {
    let (container, app) = container(Manner::default()).await;
    use_in_turn(&app, &["times-2"]).await;
    // Another server that knows nothing of the first.
    let again = TestApp::defining(container.endpoint("/opt/models", Some(baseline("0,0")))).await;
    use_in_turn(&again, &["times-2"]).await;
    assert_eq!(container.log(), ["load times-2", "invoke times-2", "load times-2", "invoke times-2"]);
}

#[tokio::test]
async fn a_model_that_somebody_is_about_to_load_is_waited_for() {
    let (container, app) = container(Manner { workerless: Some(0), ..Manner::default() }).await;
    use_in_turn(&app, &["times-2"]).await;
    container.manner(|manner| manner.workerless = Some(3));
    let again = TestApp::defining(container.endpoint("/opt/models", Some(baseline("0,0")))).await;
    use_in_turn(&again, &["times-2"]).await;
    assert_eq!(container.log(), ["load times-2", "invoke times-2", "load times-2", "invoke times-2"]);
    container.manner(|manner| assert_eq!(manner.workerless, Some(0)));
}

#[tokio::test]
async fn a_load_that_takes_longer_than_the_wait_is_answered_429_and_goes_on() {
    let gate = Gate::closed();
    let (container, app) = waiting(Manner { loads: Some(Arc::clone(&gate)), ..Manner::default() }, 50).await;
    let refused = [app.send(ask("times-2", "1,2")).await, app.send(ask("times-2", "1,2")).await];
    assert_snapshot!(show_error(&refused[1]));
    assert_eq!(refused[0].status, 429);
    gate.open();
    until(|| container.names().len() == 1).await;
    use_in_turn(&app, &["times-2"]).await;
    assert_eq!(container.log(), ["load times-2", "invoke times-2"]);
}

#[tokio::test]
async fn the_deadline_of_a_request_ends_its_wait_for_a_load() {
    let gate = Gate::closed();
    let container = ManyModels::start(Manner { loads: Some(Arc::clone(&gate)), ..Manner::default() }).await;
    let endpoint = container.endpoint("/opt/models", Some(baseline("0,0")));
    let app = TestApp::defining_within(endpoint, |config| config.deadline_ms = 100).await;
    assert_eq!(app.send(ask("times-2", "1,2")).await.header("x-amzn-errortype"), "ModelNotReadyException");
}

#[tokio::test]
async fn a_load_goes_on_when_the_client_hangs_up() {
    let gate = Gate::closed();
    let (container, app) = container(Manner { loads: Some(Arc::clone(&gate)), ..Manner::default() }).await;
    let asked = app.begin(ask("times-2", "1,2"));
    until(|| gate.started() == 1).await;
    asked.abort();
    tokio::time::sleep(ms(50)).await;
    gate.open();
    until(|| container.names().len() == 1).await;
    use_in_turn(&app, &["times-2"]).await;
    assert_eq!((container.log(), gate.given_up()), (vec!["load times-2".into(), "invoke times-2".into()], 0));
}

#[tokio::test]
async fn a_model_that_nobody_waited_for_may_be_unloaded() {
    let gate = Gate::closed();
    let manner = Manner { loads: Some(Arc::clone(&gate)), memory: Some(1), ..Manner::default() };
    let (container, app) = waiting(manner, 1000).await;
    let asked = app.begin(ask("times-1", "1,2"));
    until(|| gate.started() == 1).await;
    asked.abort();
    tokio::time::sleep(ms(50)).await;
    gate.open();
    until(|| container.names().len() == 1).await;
    tokio::time::sleep(ms(50)).await;
    use_in_turn(&app, &["times-2"]).await;
    assert_eq!(container.log()[1..5], ["load times-2", "unload nothing", "list", "unload times-1"]);
}

#[tokio::test]
async fn where_memory_is_short_the_model_used_least_recently_goes() {
    let (container, app) = container(Manner { memory: Some(2), page: Some(1), ..Manner::default() }).await;
    use_in_turn(&app, &["times-1", "times-2", "times-1"]).await;
    container.log();
    use_in_turn(&app, &["times-3"]).await;
    let expected =
        ["load times-3", "unload nothing", "list", "list", "unload times-2", "load times-3", "invoke times-3"];
    assert_eq!(container.log(), expected);
    use_in_turn(&app, &["times-1"]).await;
    assert_eq!(container.log(), ["invoke times-1"]);
}

#[tokio::test]
async fn models_that_others_have_loaded_go_first() {
    let (container, app) = container(Manner { memory: Some(2), ..Manner::default() }).await;
    use_in_turn(&app, &["times-1"]).await;
    container.put("../x y?z#%", "/elsewhere/strange");
    use_in_turn(&app, &["times-2"]).await;
    // The model that found no memory is taken back first: some servers keep its name.
    let expected = ["load times-1", "invoke times-1"];
    let room_made = ["load times-2", "unload nothing", "list", "unload strange", "load times-2"];
    assert_eq!(container.log()[..7], [&expected[..], &room_made].concat());
}

#[tokio::test]
async fn a_model_that_others_are_about_to_load_is_not_unloaded() {
    let (container, app) = container(Manner { memory: Some(2), workerless: Some(0), ..Manner::default() }).await;
    use_in_turn(&app, &["times-1"]).await;
    container.put("others", "/elsewhere/begun");
    container.manner(|manner| manner.workerless = Some(1));
    use_in_turn(&app, &["times-2"]).await;
    let room_made = ["load times-2", "unload nothing", "list", "unload times-1", "load times-2", "invoke times-2"];
    assert_eq!(container.log()[2..], room_made);
}

#[tokio::test]
async fn a_list_without_end_is_cut() {
    let manner = Manner { memory: Some(1), page: Some(1), is_endless: true, ..Manner::default() };
    let (container, app) = container(manner).await;
    use_in_turn(&app, &["times-1", "times-2"]).await;
    assert_eq!(container.log().iter().filter(|entry| *entry == "list").count(), 100);
}

#[tokio::test]
async fn a_model_in_use_is_not_unloaded() {
    let (container, app) = container(Manner { memory: Some(1), ..Manner::default() }).await;
    let gate = Gate::closed();
    container.manner(|manner| manner.invocations = Some(Arc::clone(&gate)));
    let used = app.begin(ask("times-1", "1,2"));
    until(|| gate.started() == 1).await;
    let refused = app.send(ask("times-2", "1,2")).await;
    assert_snapshot!(show_error(&refused));
    gate.open();
    assert_eq!(attributions(&used.await.expect("no panic")), [[[1.0], [2.0]]]);
    assert_eq!(
        container.log(),
        ["load times-1", "invoke times-1", "load times-2", "unload nothing", "list", "invoke times-1"]
    );
    use_in_turn(&app, &["times-2"]).await;
}

#[tokio::test]
async fn a_container_that_stays_full_is_asked_twice_and_no_more() {
    let (container, app) = container(Manner { memory: Some(0), ..Manner::default() }).await;
    container.put("strange", "/elsewhere/strange");
    let answer = app.send(ask("times-2", "1,2")).await;
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(507)));
    assert_eq!(container.log(), ["load times-2", "unload nothing", "list", "unload strange", "load times-2"]);
}

#[tokio::test]
async fn memory_that_runs_out_during_an_invocation_is_made_and_the_invocation_repeated_once() {
    let (container, app) = container(Manner::default()).await;
    use_in_turn(&app, &["times-1", "times-2"]).await;
    container.log();
    container.manner(|manner| manner.refusals = vec![507]);
    let answer = app.send(ask("times-2", "1,2")).await;
    assert_eq!(attributions(&answer), [[[2.0], [4.0]]]);
    assert_eq!(container.log(), ["invoke times-2", "list", "unload times-1", "invoke times-2"]);
    // Nothing else is loaded: there is no room to make.
    container.manner(|manner| manner.refusals = vec![507]);
    let answer = app.send(ask("times-2", "1,2")).await;
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(507)));
    assert_eq!(container.log(), ["invoke times-2", "list"]);
}

#[tokio::test]
async fn a_model_that_was_unloaded_behind_our_back_is_loaded_again_once() {
    let (container, app) = container(Manner::default()).await;
    use_in_turn(&app, &["times-2"]).await;
    container.clear();
    container.log();
    use_in_turn(&app, &["times-2"]).await;
    assert_eq!(container.log(), ["invoke nothing", "load times-2", "invoke times-2"]);
    // A 404 of the model's own is told.
    container.manner(|manner| manner.refusals = vec![404, 404]);
    let answer = app.send(ask("times-2", "1,2")).await;
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(404)));
    assert_eq!(container.log(), ["invoke times-2", "load times-2", "invoke times-2"]);
}

#[tokio::test]
async fn a_request_that_waits_for_a_model_that_is_gone_is_asked_again() {
    let (container, app) = container(Manner { workerless: Some(0), ..Manner::default() }).await;
    use_in_turn(&app, &["times-2"]).await;
    container.log();
    let gate = Gate::closed();
    container.manner(|manner| manner.invocations = Some(Arc::clone(&gate)));
    let asked = app.begin(ask("times-2", "1,2"));
    until(|| gate.started() == 1).await;
    container.clear();
    until(|| gate.started() == 2).await;
    gate.open();
    assert_eq!(attributions(&asked.await.expect("no panic")), [[[2.0], [4.0]]]);
    assert_eq!((container.log(), gate.given_up()), (AGAIN.map(str::to_owned).to_vec(), 1));
}

#[tokio::test]
async fn a_container_that_never_says_how_a_model_stands_may_take_its_time() {
    let gate = Gate::closed();
    let (container, app) = container(Manner { invocations: Some(Arc::clone(&gate)), ..Manner::default() }).await;
    let asked = app.begin(ask("times-2", "1,2"));
    until(|| gate.started() == 1).await;
    tokio::time::sleep(ms(2500)).await;
    gate.open();
    assert_eq!(attributions(&asked.await.expect("no panic")), [[[2.0], [4.0]]]);
    assert_eq!((container.log(), gate.given_up()), (vec!["load times-2".into(), "invoke times-2".into()], 0));
}

#[tokio::test]
async fn a_model_that_lost_its_workers_is_loaded_again_and_a_busy_one_is_not() {
    let (container, app) = container(Manner { workerless: Some(0), ..Manner::default() }).await;
    use_in_turn(&app, &["times-2"]).await;
    container.log();
    container.manner(|manner| (manner.refusals, manner.workerless) = (vec![503; 3], Some(2)));
    use_in_turn(&app, &["times-2"]).await;
    assert_eq!(container.log(), AGAIN);
    container.manner(|manner| manner.refusals = vec![503; 3]);
    let answer = app.send(ask("times-2", "1,2")).await;
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(503)));
    assert_eq!(container.log(), ["invoke times-2"]);
}

#[tokio::test]
async fn a_load_that_is_refused_is_told_without_where_the_model_is_kept() {
    let (container, app) = container(Manner::default()).await;
    let mut shown = String::new();
    for target in ["nowhere.tar.gz", "status-400", "status-500", "status-507"] {
        shown += &format!("=== {target}\n{}\n\n", show_error(&app.send(ask(target, "1,2")).await));
    }
    let mut gone = container.endpoint("/opt/models", Some(baseline("0,0")));
    gone["PrimaryContainer"]["Image"] = json!("http://127.0.0.1:9");
    let answer = TestApp::defining(gone).await.send(ask("times-2", "1,2")).await;
    shown += &format!("=== unreachable\n{}", show_error(&answer));
    assert!(!shown.contains("/opt") && !shown.contains("127.0.0.1"), "{shown}");
    assert_snapshot!(shown);
    // A refusal is not kept.
    container.log();
    assert_eq!(app.send(ask("nowhere.tar.gz", "1,2")).await.status, 400);
    assert_eq!(container.log(), ["load nowhere.tar.gz"]);
}

#[tokio::test]
async fn a_failure_that_nobody_heard_is_told_to_the_next_who_asks() {
    let gate = Gate::closed();
    let (container, app) = waiting(Manner { loads: Some(Arc::clone(&gate)), ..Manner::default() }, 50).await;
    assert_eq!(app.send(ask("nowhere", "1,2")).await.status, 429);
    gate.open();
    tokio::time::sleep(ms(100)).await;
    assert_eq!(app.send(ask("nowhere", "1,2")).await.header("x-amzn-errortype"), "ValidationError");
    assert_eq!(container.log(), ["load nowhere"]);
}

#[tokio::test]
async fn names_that_could_leave_the_folder_never_reach_the_container() {
    let (container, app) = container(Manner::default()).await;
    let long = "x".repeat(1025);
    let mut shown = String::new();
    for name in [
        "../a",
        "/etc/passwd",
        "a/../../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "..",
        "%2e%2e/a",
        "a%2fb",
        "..\\a",
        "",
        " ",
        "täl",
        &long,
    ] {
        let answer = app.send(ask(name, "1,2")).await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (400, "ValidationError"), "{name:?}");
        shown += &format!("{}\n", answer.json()["Message"].as_str().expect("is text").replace(&long, "[long]"));
    }
    assert_snapshot!(shown);
    assert!(container.log().is_empty());
}

#[tokio::test]
async fn a_nul_in_a_name_is_no_request() {
    let (container, app) = container(Manner::default()).await;
    let mut wire = app.wire().await;
    wire.write(head("many", "x-amzn-sagemaker-target-model: a\0b\r\ncontent-length: 3\r\n\r\n1,2")).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 400 "));
    assert!(container.log().is_empty());
}

#[tokio::test]
async fn a_request_without_a_target_is_refused() {
    let (container, app) = container(Manner::default()).await;
    assert_snapshot!(show_error(&app.send(invoke("many", "1,2")).await));
    assert!(container.log().is_empty());
}

#[tokio::test]
async fn loads_and_unloads_are_counted_by_outcome() {
    let (_container, app) = container(Manner { memory: Some(1), ..Manner::default() }).await;
    use_in_turn(&app, &["times-1", "times-2"]).await;
    app.send(ask("nowhere", "1,2")).await;
    let metrics = String::from_utf8(app.send(get("/metrics")).await.body.to_vec()).expect("is UTF-8");
    for counted in [
        "explaind_model_loads_total{place=\"container\",outcome=\"loaded\"}",
        "explaind_model_loads_total{place=\"container\",outcome=\"refused\"}",
        "explaind_model_unloads_total{place=\"container\",outcome=\"unloaded\"}",
    ] {
        assert!(metrics.contains(counted), "{counted} is not in {metrics}");
    }
}
