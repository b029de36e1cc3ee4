//! What becomes of a request that a server of models fails or refuses: repeats, single records, halves.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use explaind::config::{ContainerConfig, ServerConfig};
use futures_util::future::join_all;
use tokio::time::sleep;

use crate::container::{Asked, baseline};
use crate::fault_server::{BASELINE, Fault, FaultServer, N_SYNTHETIC, ask, assert_explained, batches, ten, told};
use crate::support::{TestApp, attributions, invoke, ms};

/// Faults that may pass by themselves.
fn passing() -> Vec<Fault> {
    let silent = [Fault::Hang, Fault::Reset, Fault::ResetWithin, Fault::Truncated];
    silent.into_iter().chain([429, 502, 503, 504].map(Fault::status)).collect()
}

fn repeating(retries_max: u32) -> impl Fn(&mut ContainerConfig) {
    move |containers| {
        containers.container_answer_ms = 150;
        containers.container_retries_max = retries_max;
        containers.circuit_failures = 1_000;
    }
}

fn with_deadline(deadline_ms: u64) -> impl FnOnce(&mut ServerConfig) {
    move |server| server.deadline_ms = deadline_ms
}

/// Nothing is asked any more.
async fn assert_quiet(container: &FaultServer) {
    sleep(ms(50)).await;
    let n_requests = container.n_requests();
    assert_eq!(container.n_under_way(), 0);
    sleep(ms(150)).await;
    assert_eq!(container.n_requests(), n_requests);
}

#[tokio::test]
async fn promise_19_a_request_that_fails_in_passing_is_repeated() {
    for fault in passing() {
        for failing_idx in [0, 1] {
            let own = fault.clone();
            let container = FaultServer::start(move |idx, _| (idx == failing_idx).then(|| own.clone())).await;
            assert_explained(&ask(&container.app(repeating(2)).await).await);
            let notes = container.notes();
            let failed = &notes[failing_idx].asked.body;
            // Many records that were not answered in time are asked in halves.
            let is_halved = matches!(fault, Fault::Hang) && failing_idx == 1;
            let n_times = if is_halved { 1 } else { 2 };
            assert_eq!(container.n_times(failed), n_times, "{fault:?} of request {failing_idx}");
            let n_first = notes.iter().filter(|note| note.asked.body != *failed).count();
            assert_eq!(n_first, notes.len() - n_times, "{fault:?} of request {failing_idx}");
        }
    }
}

#[tokio::test]
async fn promise_19_a_500_to_a_payload_or_a_single_record_is_repeated() {
    for (failing_idx, config) in [(0, baseline(BASELINE)), (1, batches(BASELINE, 1))] {
        let container = FaultServer::start(move |idx, _| (idx == failing_idx).then(|| Fault::status(500))).await;
        let app = TestApp::treating(container.endpoint(config), repeating(2)).await;
        assert_explained(&ask(&app).await);
        assert_eq!(container.n_times(&container.notes()[failing_idx].asked.body), 2);
    }
}

#[tokio::test]
async fn promise_19_a_request_is_repeated_only_as_often_as_is_set() {
    for fault in passing().into_iter().chain([Fault::status(500)]) {
        for retries_max in [0, 2] {
            let own = fault.clone();
            let container = FaultServer::start(move |_, _| Some(own.clone())).await;
            let (code, original) = told(&ask(&container.app(repeating(retries_max)).await).await);
            assert_eq!(container.n_requests(), 1 + retries_max as usize, "{fault:?}");
            assert_eq!(code, 424, "{fault:?}");
            if let Fault::Status(status, _) = fault {
                assert_eq!(original, Some(i64::from(status)));
            }
        }
    }
}

#[tokio::test]
async fn promise_19_what_is_refused_for_good_is_not_repeated() {
    for code in [400, 401, 403, 404, 413, 415, 422, 507] {
        let container = FaultServer::start(move |_, _| Some(Fault::status(code))).await;
        let answer = ask(&container.app(repeating(2)).await).await;
        assert_eq!(told(&answer), (424, Some(i64::from(code))));
        assert_eq!((container.n_requests(), code), (1, code));
    }
}

/// How long each of ten requests waited that failed together.
async fn pauses() -> Vec<Duration> {
    let seen = Mutex::new(HashSet::new());
    let is_new = move |body: &str| seen.lock().expect("no test panics here").insert(body.to_owned());
    let failing = move |_: usize, asked: &Asked| {
        (asked.lines().len() == 1 && is_new(&asked.body)).then(|| Fault::status(503))
    };
    let container = FaultServer::start(failing).await;
    let together = |containers: &mut ContainerConfig| {
        repeating(2)(containers);
        containers.container_in_flight_max = 16;
    };
    let app = container.app(together).await;
    let bodies: Vec<String> = (1..=10).map(|idx| format!("{idx},2,3")).collect();
    join_all(bodies.iter().map(|body| app.send(invoke("remote", body.clone())))).await;
    let notes = container.notes();
    let pause = |body: &String| {
        let of_body: Vec<_> = notes.iter().filter(|note| note.asked.body == *body).collect();
        assert_eq!(of_body.len(), 2, "{body}");
        of_body[1].began - of_body[0].ended.expect("has ended")
    };
    bodies.iter().map(pause).collect()
}

#[tokio::test]
async fn promise_19_repeats_wait_and_do_not_come_together() {
    let mut seen = Vec::new();
    // A processor that stands still for a while wakes them all together.
    for _ in 0..4 {
        let pauses = pauses().await;
        let (least, most) = (pauses.iter().min().expect("some"), pauses.iter().max().expect("some"));
        assert!(*least > ms(1), "{pauses:?}");
        if *most - *least > ms(5) {
            return;
        }
        seen.push(pauses);
    }
    panic!("they came together: {seen:?}");
}

#[tokio::test]
async fn promise_19_repeats_stay_within_a_budget() {
    let container = FaultServer::start(|_, _| Some(Fault::status(503))).await;
    let app = container.app(repeating(10)).await;
    let n_asked = 100;
    for answer in join_all((0..n_asked).map(|_| ask(&app))).await {
        assert_eq!(told(&answer), (424, Some(503)));
    }
    let (n_requests, n_repeats) = (container.n_requests(), container.n_requests() - n_asked);
    assert!((10..=10 + n_requests / 5).contains(&n_repeats), "{n_repeats} repeats of {n_requests} requests");
}

#[tokio::test]
async fn promise_19_nothing_is_repeated_after_the_deadline() {
    let container = FaultServer::start(|_, _| Some(Fault::Hang)).await;
    let app = TestApp::hosting(&[container.endpoint(baseline(BASELINE))], repeating(10), with_deadline(400)).await;
    let started = Instant::now();
    let answer = ask(&app).await;
    assert!((ms(290)..ms(750)).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(told(&answer), (424, Some(0)));
    assert!((2..=5).contains(&container.n_requests()), "{}", container.n_requests());
    assert_quiet(&container).await;
}

#[tokio::test]
async fn promise_19_a_container_that_fails_now_and_then_costs_no_answer() {
    let faults = [Fault::status(503), Fault::Reset, Fault::Truncated, Fault::status(429)];
    let container = FaultServer::start(move |idx, _| (idx % 9 == 5).then(|| faults[idx / 9 % 4].clone())).await;
    let often = |containers: &mut ContainerConfig| containers.container_retries_max = 10;
    let app = TestApp::treating(container.endpoint(batches(BASELINE, 2)), often).await;
    for answer in join_all((0..20).map(|_| ask(&app))).await {
        assert_explained(&answer);
    }
    assert!(container.n_requests() > 105, "{}", container.n_requests());
}

#[tokio::test]
async fn promise_19_a_failure_of_all_requests_under_way_at_once_is_survived() {
    for fault in [Fault::Reset, Fault::status(503)] {
        // The first eight batches wait for each other, more or less.
        let together = Fault::After(ms(150), Box::new(fault.clone()));
        let script = move |idx, _: &Asked| (1..9).contains(&idx).then(|| together.clone());
        let container = FaultServer::scoring(|row| row.iter().sum(), script).await;
        let app = TestApp::treating(container.endpoint(batches(&ten("0"), 50)), |_| {}).await;
        let answer = app.send(invoke("remote", ten("1"))).await;
        assert_eq!(answer.status, 200, "{fault:?}: {answer:?}");
    }
}

fn one_at_a_time(code: u16) -> impl Fn(usize, &Asked) -> Option<Fault> {
    move |_, asked| (asked.lines().len() > 1).then(|| Fault::status(code))
}

/// Each synthetic record alone, once.
fn assert_asked_alone(container: &FaultServer) {
    let mut alone: Vec<String> = container.notes().into_iter().map(|note| note.asked.body.clone()).collect();
    alone.retain(|body| !body.contains('\n'));
    assert_eq!(alone.len(), 1 + N_SYNTHETIC, "{alone:?}");
    alone.sort_unstable();
    alone.dedup();
    assert_eq!(alone.len(), 1 + N_SYNTHETIC, "{alone:?}");
}

#[tokio::test]
async fn promise_20_a_refused_batch_falls_back_to_single_records() {
    for code in [400, 404, 415, 422, 500] {
        let container = FaultServer::start(one_at_a_time(code)).await;
        assert_explained(&ask(&container.app(|_| {}).await).await);
        assert_asked_alone(&container);
    }
}

#[tokio::test]
async fn promise_20_a_refused_batch_is_not_repeated() {
    for code in [400, 404, 415, 422, 500] {
        let container = FaultServer::start(one_at_a_time(code)).await;
        ask(&container.app(|_| {}).await).await;
        let n_batches = container.sizes().iter().filter(|&&size| size > 1).count();
        assert_eq!((n_batches, code), (1, code));
    }
}

#[tokio::test]
async fn promise_20_a_batch_with_the_wrong_count_falls_back_to_single_records() {
    let counts: [fn(Vec<String>) -> String; 4] = [
        |scores| scores[1..].join("\n"),
        |scores| format!("{}\n0.5", scores.join("\n")),
        |scores| scores[0].clone(),
        |scores| scores[1..].join(","),
    ];
    for count in counts {
        let wrong = move |_: usize, asked: &Asked| (asked.lines().len() > 1).then_some(Fault::Written(count));
        let container = FaultServer::start(wrong).await;
        assert_explained(&ask(&container.app(|_| {}).await).await);
        assert_asked_alone(&container);
    }
}

#[tokio::test]
async fn promise_20_single_records_are_remembered_until_the_memory_expires() {
    let container = FaultServer::start(one_at_a_time(400)).await;
    let app = container.app(|containers| containers.container_memory_s = 1).await;
    let n_batches = || container.sizes().iter().filter(|&&size| size > 1).count();
    assert_explained(&ask(&app).await);
    assert_explained(&ask(&app).await);
    assert_eq!((n_batches(), container.n_requests()), (1, 2 * (1 + N_SYNTHETIC) + 1));
    sleep(ms(1_050)).await;
    assert_explained(&ask(&app).await);
    assert_eq!(n_batches(), 2);
}

#[tokio::test]
async fn promise_20_when_a_single_record_fails_too_its_error_is_told_and_nothing_remembered() {
    let ill = Arc::new(AtomicBool::new(true));
    let is_ill = Arc::clone(&ill);
    let container = FaultServer::start(move |idx, asked| {
        let code = if asked.lines().len() > 1 { 500 } else { 422 };
        (idx > 0 && is_ill.load(Ordering::SeqCst)).then(|| Fault::status(code))
    })
    .await;
    let app = container.app(|_| {}).await;
    let answer = ask(&app).await;
    assert_eq!(told(&answer), (424, Some(422)));
    assert_eq!(answer.json()["OriginalMessage"], "status 422");
    let n_requests = container.n_requests();
    assert_quiet(&container).await;
    ill.store(false, Ordering::SeqCst);
    assert_explained(&ask(&app).await);
    assert!(container.sizes()[n_requests..].iter().any(|&size| size > 1), "{:?}", container.sizes());
}

#[tokio::test]
async fn promise_20_a_batch_that_is_too_large_is_halved_and_the_size_remembered() {
    let container = FaultServer::start(|_, asked| (asked.lines().len() > 2).then(|| Fault::status(413))).await;
    let app = container.app(|containers| containers.container_memory_s = 1).await;
    assert_explained(&ask(&app).await);
    let sizes = container.sizes();
    assert_eq!(sizes.iter().filter(|&&size| size <= 2).sum::<usize>(), 1 + N_SYNTHETIC, "{sizes:?}");
    assert!(sizes.iter().any(|&size| size > 4) && sizes.contains(&2) && sizes.len() <= 10, "{sizes:?}");
    assert_explained(&ask(&app).await);
    assert!(container.sizes()[sizes.len()..].iter().all(|&size| size <= 2), "{:?}", container.sizes());
    sleep(ms(1_050)).await;
    let n_requests = container.n_requests();
    assert_explained(&ask(&app).await);
    assert!(container.sizes()[n_requests..].iter().any(|&size| size > 2), "{:?}", container.sizes());
}

#[tokio::test]
async fn promise_20_halves_end_at_single_records_of_any_length() {
    let container = FaultServer::start(|_, asked| (asked.lines().len() > 1).then(|| Fault::status(413))).await;
    let app = container.app(|_| {}).await;
    for _ in 0..2 {
        let answer = app.send(invoke("remote", "1.0000000000000000000000000000000000000000,2,3")).await;
        assert_explained(&answer);
    }
}

#[tokio::test]
async fn promise_20_many_clients_fall_back_together() {
    for code in [400, 413] {
        let script = move |_: usize, asked: &Asked| (asked.lines().len() > 1).then(|| Fault::status(code));
        let container = FaultServer::scoring(|row| row.iter().sum(), script).await;
        let app = TestApp::treating(container.endpoint(batches("0,0,0,0,0", 10)), |_| {}).await;
        for answer in join_all((0..10).map(|_| app.send(invoke("remote", "1,2,3,4,5")))).await {
            let got = attributions(&answer).concat().concat();
            let is_close = got.iter().zip(1..=5).all(|(got, cell)| (got - f64::from(cell)).abs() < 1e-9);
            assert!(is_close, "{got:?}");
        }
        assert!(container.most_under_way() <= 8, "{}", container.most_under_way());
    }
}

#[tokio::test]
async fn promise_20_a_record_that_is_too_large_alone_is_refused() {
    let container = FaultServer::start(|idx, _| (idx > 0).then(|| Fault::status(413))).await;
    let answer = ask(&container.app(|_| {}).await).await;
    assert_eq!(told(&answer), (424, Some(413)));
    assert!(container.n_requests() <= 2 * N_SYNTHETIC + 1, "{}", container.n_requests());
    assert_quiet(&container).await;
}

#[tokio::test]
async fn promise_20_the_clients_own_payload_is_never_split() {
    let payload = "1,2,3\n4,5,6\r\n7,8,9\n";
    let short = Fault::Written(|scores| scores[1..].join("\n"));
    for (fault, code) in
        [(Fault::status(400), 400), (Fault::status(413), 413), (Fault::status(500), 500), (short, 400)]
    {
        let container = FaultServer::start(move |_, _| Some(fault.clone())).await;
        let app = container.app(repeating(0)).await;
        assert_eq!(told(&app.send(invoke("remote", payload)).await), (424, Some(code)));
        assert_eq!((container.n_requests(), container.n_times(payload)), (1, 1));
    }
}
