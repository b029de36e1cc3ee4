//! Answers of a server of models that are wrong, endless, slow, elsewhere or not meant for others' eyes.

use std::time::Instant;

use explaind::config::ContainerConfig;
use serde_json::json;

use crate::container::{Asked, baseline};
use crate::fault_server::{BASELINE, Fault, FaultServer, RECORD, ask, assert_explained};
use crate::support::{Answer, TestApp, attributions, invoke, ms, until, with};

/// Characters of the model's text in an answer.
const MESSAGE_CHARS_MAX: usize = 1024;

fn always(fault: Fault) -> impl Fn(usize, &Asked) -> Option<Fault> {
    move |_, _| Some(fault.clone())
}

fn csv(body: impl Into<Vec<u8>>) -> Fault {
    Fault::Says("text/csv".to_owned(), body.into())
}

/// An answer of 1 MiB within 300 ms, asked once.
fn strict(containers: &mut ContainerConfig) {
    containers.container_answer_ms = 300;
    containers.container_answer_mib_max = 1;
    containers.container_retries_max = 0;
}

/// The status of the model, and its text.
fn of_model(answer: &Answer) -> (i64, String) {
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (424, "ModelError"), "{answer:?}");
    let document = answer.json();
    let text = document["OriginalMessage"].as_str().expect("is text").to_owned();
    (document["OriginalStatusCode"].as_i64().expect("is a status"), text)
}

#[tokio::test]
async fn promise_18_one_line_answers_are_read_by_the_documented_rule() {
    let one_line = always(Fault::Written(|scores| scores.join(",")));
    let container = FaultServer::start(one_line).await;
    let app = container.app(|_| {}).await;
    assert_explained(&ask(&app).await);
    let two = app.send(invoke("remote", "1,2,3\n4,5,6")).await;
    let flat = attributions(&two).concat().concat();
    let expected = [1.0, 6.0, 6.0, 4.0, 30.0, 30.0];
    assert!(flat.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-9), "{flat:?}");
    assert!(container.sizes().iter().any(|&size| size > 2), "batches were asked: {:?}", container.sizes());
}

#[tokio::test]
async fn promise_18_a_wrong_number_of_answers_is_an_error_and_never_read() {
    let counts: [fn(Vec<String>) -> String; 5] = [
        |scores| scores[1..].join("\n"),
        |scores| format!("{}\n0.5", scores.join("\n")),
        |scores| format!("0.5,{}", scores.join(",")),
        |scores| scores[1..].join(","),
        |_| String::new(),
    ];
    for count in counts {
        for is_own in [true, false] {
            let script = move |idx, _: &Asked| (is_own || idx > 0).then_some(Fault::Written(count));
            let container = FaultServer::start(script).await;
            let answer = container.app(strict).await.send(invoke("remote", "1,2,3\n4,5,6\n7,8,9")).await;
            let (status, text) = of_model(&answer);
            assert!(status == 400 && text.contains("the model"), "{status} {text}");
        }
    }
}

#[tokio::test]
async fn promise_23_an_answer_without_end_is_cut() {
    for fault in [Fault::Endless(200), Fault::Huge] {
        let container = FaultServer::start(always(fault.clone())).await;
        let app = container.app(|containers| containers.container_answer_mib_max = 1).await;
        let started = Instant::now();
        let (status, text) = of_model(&ask(&app).await);
        assert!(status == 400 && text.contains("the limit of 1048576 bytes"), "{status} {text}");
        assert!(started.elapsed() < ms(1_500), "{:?}", started.elapsed());
        assert_eq!(container.n_requests(), 1, "it is not repeated");
        until(|| container.n_under_way() == 0).await;
        // Besides the answer, what the buffers of the connection hold.
        assert!(container.bytes_sent() < 32 << 20, "{fault:?}: {} bytes", container.bytes_sent());
    }
}

#[tokio::test]
async fn promise_23_a_refusal_without_end_is_cut_and_told() {
    for status in [400, 500] {
        let container = FaultServer::start(always(Fault::Endless(status))).await;
        let (original, text) = of_model(&ask(&container.app(strict).await).await);
        assert_eq!((original, text.len()), (i64::from(status), MESSAGE_CHARS_MAX));
        until(|| container.n_under_way() == 0).await;
        assert!(container.bytes_sent() < 32 << 20, "{} bytes", container.bytes_sent());
    }
}

#[tokio::test]
async fn promise_23_an_answer_that_comes_too_late_is_cut() {
    for fault in [Fault::Late(ms(5_000)), Fault::Dripping(ms(20)), Fault::Hang] {
        let container = FaultServer::start(always(fault.clone())).await;
        let started = Instant::now();
        let (status, text) = of_model(&ask(&container.app(strict).await).await);
        let took = started.elapsed();
        assert!((ms(290)..ms(900)).contains(&took), "{fault:?}: {took:?}");
        assert_eq!(status, 0, "{fault:?}");
        assert!(text.starts_with("Your invocation timed out while waiting"), "{text}");
        until(|| container.n_under_way() == 0).await;
    }
}

#[tokio::test]
async fn promise_23_a_slow_answer_within_the_limits_is_an_answer() {
    let container = FaultServer::start(always(Fault::Late(ms(100)))).await;
    assert_explained(&ask(&container.app(|containers| containers.container_answer_ms = 1_000).await).await);
}

#[tokio::test]
async fn promise_23_heads_that_are_too_large_and_bytes_that_are_no_http_are_errors() {
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 3\r\n\r\n0.5", "y".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 3\r\n\r\n0.5", "x: y\r\n".repeat(20_000));
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n0.5".to_owned();
    let ssh = "SSH-2.0-OpenSSH_9.2\r\n".to_owned();
    let nothing = String::new();
    for bytes in [large, many, twice, ssh, nothing, "HTTP/1.1 200".to_owned(), "\0".repeat(1000)] {
        let container = FaultServer::start(always(Fault::Raw(bytes.clone().into_bytes()))).await;
        let answer = ask(&container.app(strict).await).await;
        let (status, text) = of_model(&answer);
        assert!([0, 500].contains(&status), "{status} {text} for {:?}", &bytes[..bytes.len().min(40)]);
        assert_eq!(container.n_requests(), 1);
    }
}

#[tokio::test]
async fn promise_23_a_body_that_is_no_text_is_an_error() {
    for is_own in [true, false] {
        let script = move |idx, _: &Asked| (is_own || idx > 0).then(|| csv(*b"\xff\xfe0.5"));
        let container = FaultServer::start(script).await;
        assert_eq!(of_model(&ask(&container.app(strict).await).await).0, 400);
    }
}

#[tokio::test]
async fn promise_24_redirects_are_not_followed() {
    for is_own in [true, false] {
        for status in [301, 302, 303, 307, 308] {
            let elsewhere = FaultServer::start(|_, _| None).await;
            let location = format!("http://{}/invocations", elsewhere.address);
            let redirect = Fault::Redirect(status, location);
            let container = FaultServer::start(move |idx, _| (is_own || idx > 0).then(|| redirect.clone())).await;
            let answer = ask(&container.app(|_| {}).await).await;
            assert_eq!(of_model(&answer).0, i64::from(status));
            assert_eq!((elsewhere.n_requests(), elsewhere.n_connections()), (0, 0));
            assert!(container.n_requests() <= 3, "{}", container.n_requests());
        }
    }
}

#[tokio::test]
async fn promise_24_the_type_of_the_answer_decides_how_it_is_read() {
    let json = |scores: Vec<String>| {
        scores.iter().map(|score| format!("{{\"score\":{score}}}")).collect::<Vec<String>>().join("\n")
    };
    let container = FaultServer::start(move |_, asked| {
        let rows = asked.lines().into_iter().map(|line| {
            let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().expect("is a number")).collect();
            (cells[0] + 2.0 * cells[1] * cells[2]).to_string()
        });
        let text = json(rows.collect());
        Some(Fault::Says("application/jsonlines; charset=utf-8".to_owned(), text.into_bytes()))
    })
    .await;
    let mut config = baseline(BASELINE);
    config["InferenceConfig"] = json!({ "ProbabilityAttribute": "score" });
    let app = TestApp::defining(container.endpoint(config)).await;
    assert_explained(&app.send(with(invoke("remote", RECORD), "accept", "text/csv")).await);
    let lying = FaultServer::start(always(csv("{\"score\":0.5}"))).await;
    assert_eq!(of_model(&ask(&lying.app(strict).await).await).0, 400);
}

/// What a client may see of a model's text.
fn assert_clean(answer: &Answer, container: &FaultServer) {
    let (_, text) = of_model(answer);
    assert!(text.chars().count() <= MESSAGE_CHARS_MAX, "{} characters", text.chars().count());
    let (address, host) = (container.address.to_string(), container.address.ip().to_string());
    let whole = String::from_utf8(answer.body.to_vec()).expect("is UTF-8");
    let message = answer.json()["Message"].as_str().expect("is text").to_owned();
    for shown in [text, message, whole, format!("{:?}", answer.headers)] {
        assert!(!shown.contains(char::is_control), "{shown:?}");
        let shown = shown.to_lowercase();
        for secret in [address.as_str(), host.as_str(), "http:"] {
            assert!(!shown.contains(secret), "{secret} in {shown:?}");
        }
    }
}

/// Answers with the fault, in whose text ADDRESS is the container's own.
async fn with_address(fault: impl Fn(&str) -> Fault + Send + Sync + 'static) -> (Answer, FaultServer) {
    let container = FaultServer::start(move |_, asked| {
        let address = asked.header("host").expect("requests have a host");
        Some(fault(address))
    })
    .await;
    (ask(&container.app(strict).await).await, container)
}

#[tokio::test]
async fn promise_26_the_text_of_a_model_does_not_tell_where_it_is() {
    for (text, expected) in [
        ("http://ADDRESS/invocations failed", "(address) failed"),
        ("POST http://ADDRESS/invocations HTTP/1.1: no such column", "POST (address) HTTP/1.1: no such column"),
        ("HTTP://ADDRESS/INVOCATIONS", "(address)"),
        ("could not connect to ADDRESS", "could not connect to (container)"),
        (
            "HTTPConnectionPool(host='HOST', port=PORT): Max retries exceeded",
            "HTTPConnectionPool(host='(container)', port=PORT): Max retries exceeded",
        ),
        ("no such column", "no such column"),
    ] {
        let (answer, container) = with_address(move |address| {
            let (host, port) = address.split_once(':').expect("has a port");
            let text = text.replace("ADDRESS", address).replace("HOST", host).replace("PORT", port);
            Fault::Status(400, text)
        })
        .await;
        let port = container.address.port().to_string();
        assert_eq!(of_model(&answer), (400, expected.replace("PORT", &port)));
        assert_clean(&answer, &container);
    }
}

#[tokio::test]
async fn promise_26_an_address_that_is_cut_in_the_middle_is_not_told_in_part() {
    for n_before in MESSAGE_CHARS_MAX - 40..MESSAGE_CHARS_MAX {
        let (answer, _) = with_address(move |address| {
            Fault::Status(400, format!("{} http://{address}/invocations", "x".repeat(n_before)))
        })
        .await;
        let (_, text) = of_model(&answer);
        assert!(!text.contains("127.") && !text.contains("http"), "{}", &text[n_before..]);
    }
}

#[tokio::test]
async fn promise_26_the_text_of_a_model_is_cut_and_has_no_control_characters() {
    let wild = "no\r\nsuch\u{1b}[31m\0 \u{7f}\u{85}\u{9b}column ".repeat(5_000);
    let json_type = |content_type: &str| Fault::Says(content_type.to_owned(), b"0.5".to_vec());
    for fault in [
        Fault::Status(400, wild.clone()),
        Fault::Status(500, "é".repeat(2_000)),
        csv(wild.clone()),
        csv(format!("\"{wild}\"")),
        csv(vec!["x".repeat(50_000); 3].join(",")),
        json_type(&format!("text/{}", "x".repeat(5_000))),
        json_type("http://ADDRESS/invocations"),
        Fault::Says("application/jsonlines".to_owned(), format!("{{\"{}\":1}}", "k".repeat(50_000)).into_bytes()),
    ] {
        let own = fault.clone();
        let (answer, container) = with_address(move |address| match own.clone() {
            Fault::Says(content_type, body) => Fault::Says(content_type.replace("ADDRESS", address), body),
            other => other,
        })
        .await;
        assert_clean(&answer, &container);
    }
}

#[tokio::test]
async fn promise_26_failures_of_the_connection_do_not_tell_where_it_went() {
    let raw = |bytes: &str| Fault::Raw(bytes.as_bytes().to_vec());
    for fault in [Fault::Reset, Fault::Truncated, Fault::Hang, Fault::Huge, raw("SSH-2.0-OpenSSH_9.2\r\n")] {
        let container = FaultServer::start(always(fault)).await;
        assert_clean(&ask(&container.app(strict).await).await, &container);
    }
    let elsewhere = Fault::Redirect(307, "http://10.0.0.7:8080/secret".to_owned());
    let container = FaultServer::start(always(elsewhere)).await;
    let answer = ask(&container.app(strict).await).await;
    assert_clean(&answer, &container);
    assert!(!String::from_utf8_lossy(&answer.body).contains("10.0.0.7"), "{answer:?}");
}
