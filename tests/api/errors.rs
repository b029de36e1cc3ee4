//! Whole refusals. Each is JSON with a `Message`, an `x-amzn-errortype` and an `x-amzn-requestid`.

use std::fmt::Write;

use axum::http::{Method, Request};
use bytes::Bytes;
use http_body_util::Full;
use insta::assert_snapshot;

use crate::show::show_error;
use crate::support::{TestApp, get, invoke, records, with};
use crate::wire::head;

const EXPRESSION: &str = "x-amzn-sagemaker-enable-explanations";

type Case = (&'static str, Request<Full<Bytes>>);

/// The answers to all requests, one below the other.
async fn refusals(cases: impl IntoIterator<Item = Case>) -> String {
    let app = TestApp::start().await;
    let mut text = String::new();
    for (title, request) in cases {
        let answer = app.send(request).await;
        writeln!(text, "=== {title}\n{}\n", show_error(&answer)).expect("writes");
    }
    text
}

fn wine() -> Request<Full<Bytes>> {
    invoke("wine", records("wine", 1))
}

#[tokio::test]
async fn broken_records() {
    let row = records("wine", 1);
    let body = |body: String| invoke("wine", body);
    let text = refusals([
        ("an empty body", body(String::new())),
        ("only a line break", body("\n".to_owned())),
        ("a blank line in the middle", body(format!("{row}\n\n{row}"))),
        ("two line breaks at the end", body(format!("{row}\n\n"))),
        ("a ragged record", body(format!("{row}\n{row},1"))),
        ("a feature too many", body(format!("{row},1"))),
        ("text in a number cell", body(format!("{row}\n{}", row.replace("2.68", "red")))),
        ("a number out of range", body(row.replace("2.68", "1e39"))),
        ("infinity", body(row.replace("2.68", "-inf"))),
        ("a row of headers", body(format!("{}\n{row}", ["alcohol"; 13].join(",")))),
        ("a long cell", body(row.replace("2.68", &"é".repeat(100)))),
        ("a quote that never ends", body(format!("\"{row}"))),
        ("bytes that are not UTF-8", invoke("wine", b"1,\xff\xfe,3".as_slice())),
    ])
    .await;
    assert_snapshot!(text);
}

#[tokio::test]
async fn bad_expressions() {
    let expression = |text: &'static str| with(wine(), EXPRESSION, text);
    let text = refusals([
        ("does not parse", expression("[1]>")),
        ("a number without backticks", expression("[0] < 0.85")),
        ("gives a number", expression("[0]")),
        ("gives null", expression("true")),
        ("fails", expression("max([0])>`0.5`")),
        ("not UTF-8", with(wine(), EXPRESSION, b"[0]>`0.5`\xff")),
        ("empty", expression("")),
        ("only blanks", expression("   ")),
        ("65 characters", with(wine(), EXPRESSION, "x".repeat(65))),
    ])
    .await;
    assert_snapshot!(text);
}

#[tokio::test]
async fn bad_headers() {
    let mut untyped = wine();
    untyped.headers_mut().remove("content-type");
    let text = refusals([
        ("another content type", with(wine(), "content-type", "application/json")),
        ("no content type", untyped),
        ("a content type that is not ASCII", with(wine(), "content-type", "text/csv; é")),
        ("a compressed body", with(wine(), "content-encoding", "gzip")),
        ("an accept that cannot be written", with(wine(), "accept", "application/json")),
        ("an empty accept list", with(wine(), "accept", "image/png, image/*")),
        ("a target model", with(wine(), "x-amzn-sagemaker-target-model", "a.tar.gz")),
        ("a session", with(wine(), "x-amzn-sagemaker-session-id", "NEW_SESSION")),
        ("an unknown variant", with(wine(), "x-amzn-sagemaker-target-variant", "blue")),
    ])
    .await;
    assert_snapshot!(text);
}

#[tokio::test]
async fn headers_over_their_limits() {
    let custom = "x-amzn-sagemaker-custom-attributes";
    let target = "x-amzn-sagemaker-target-model";
    let long = |name, n: usize| with(wine(), name, "x".repeat(n));
    let mut twice = with(wine(), EXPRESSION, "`true`");
    twice.headers_mut().append(EXPRESSION, "`false`".parse().expect("is a value"));
    let text = refusals([
        ("content type", long("content-type", 1025)),
        ("accept", long("accept", 1025)),
        ("custom attributes", long(custom, 1025)),
        ("custom attributes that are not ASCII", with(wine(), custom, "é")),
        ("inference id", long("x-amzn-sagemaker-inference-id", 65)),
        ("empty inference id", with(wine(), "x-amzn-sagemaker-inference-id", "")),
        ("prefix aware id", long("x-amzn-sagemaker-prefix-aware-id", 65)),
        ("target variant", long("x-amzn-sagemaker-target-variant", 64)),
        ("expressions", twice),
        ("two at once", with(long(custom, 1025), target, "x".repeat(1025))),
    ])
    .await;
    assert_snapshot!(text);
}

#[tokio::test]
async fn unknown_addresses() {
    let by = |method: Method, mut request: Request<Full<Bytes>>| {
        *request.method_mut() = method;
        request
    };
    let text = refusals([
        ("an unknown endpoint", invoke("loans", "1")),
        ("a known endpoint in other letters", invoke("Wine", "1")),
        ("a name that is not UTF-8", invoke("%ff", "1")),
        ("a name with markup and a slash", invoke("%3Cb%3E%2F%22", "1")),
        ("an unknown path", get("/endpoints")),
        ("no name", invoke("", "1")),
        ("a path that goes on", get("/endpoints/wine/invocations/x")),
        ("the wrong method", get("/endpoints/wine/invocations")),
        ("the wrong method for an unknown endpoint", by(Method::PUT, invoke("loans", "1"))),
        ("a ping that is posted", by(Method::POST, get("/ping"))),
    ])
    .await;
    assert_snapshot!(text);
}

#[tokio::test]
async fn bodies_over_the_limit() {
    let app = TestApp::with(|config| config.body_bytes_max = 100).await;
    let announced = app.send(invoke("wine", "1".repeat(101))).await;
    assert_snapshot!(show_error(&announced));

    let mut wire = app.wire().await;
    let chunks = format!("40\r\n{0}\r\n40\r\n{0}\r\n0\r\n\r\n", "1".repeat(64));
    wire.write(head("wine", "transfer-encoding: chunked\r\n\r\n") + &chunks).await;
    let answer = wire.answer().await;
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("x-amzn-errortype: ValidationError"),
        "{answer}"
    );
    let chunked_body = answer.split("\r\n\r\n").nth(1).expect("there is a body");
    assert_eq!(chunked_body, std::str::from_utf8(&announced.body).expect("is UTF-8"));
}

#[tokio::test]
async fn six_mebibytes_are_read_and_one_byte_more_is_refused() {
    let app = TestApp::start().await;
    let body = |n_bytes: usize| invoke("wine", vec![b'1'; n_bytes]);
    assert_eq!(app.send(body(6 << 20)).await.status, 424, "one cell is no wine");
    assert_eq!(app.send(body((6 << 20) + 1)).await.status, 413);
}
