//! Whatever bytes come, the answer is ours: never a 500, never a dropped connection.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{PATIENCE, TestApp};

const CASES: u32 = 150;

/// Runs `case` on one server; none of the strategies shrinks for long.
fn check<S: Strategy<Value = Vec<u8>>>(strategy: S, allowed: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("starts");
    let app = runtime.block_on(TestApp::start());
    let config = Config { cases: CASES, max_shrink_iters: 100, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |request| {
        let answer = runtime.block_on(async {
            let mut wire = app.wire().await;
            wire.write(&request).await;
            wire.rest(PATIENCE).await
        });
        let status = answer.split(' ').nth(1).unwrap_or("no answer");
        prop_assert!(allowed.contains(&status), "{answer}\nto {}", String::from_utf8_lossy(&request));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn request(line: &str, fields: &[(&str, Vec<u8>)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n").into_bytes();
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
    bytes.extend(body);
    bytes
}

/// What HTTP allows in a header value.
fn value(length_max: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => 0x20..0x7f_u8, 1 => 0x80..=0xff_u8, 1 => Just(b'\t')];
    vec(byte, 0..length_max)
}

#[test]
fn any_body() {
    let cell = prop_oneof![
        Just("1.5".to_owned()),
        Just(String::new()),
        Just("nan".to_owned()),
        Just("\"a\"\"b\"".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        "\\PC{0,6}",
    ];
    let rows = vec(vec(cell, 12..15), 0..4);
    let csv = rows.prop_map(|rows| rows.iter().map(|row| row.join(",") + "\n").collect::<String>().into_bytes());
    let body = prop_oneof![vec(any::<u8>(), 0..200), csv];
    let csv = || vec![("content-type", b"text/csv".to_vec())];
    check(body.prop_map(move |body| request("POST /endpoints/wine/invocations", &csv(), &body)), &["200", "424"]);
}

#[test]
fn any_header_values() {
    let names =
        ["content-type", "accept", "x-amzn-sagemaker-enable-explanations", "x-amzn-sagemaker-target-variant"];
    let useful = ["text/csv", "*/*", "[0]>`0.5`", "AllTraffic"];
    let field = move |idx: usize| {
        let usual = Just(useful[idx].as_bytes().to_vec());
        prop_oneof![2 => usual, 1 => value(80)].prop_map(move |value| (names[idx], value))
    };
    let body = crate::support::records("wine", 1);
    let fields = (field(0), field(1), field(2), field(3)).prop_map(|(a, b, c, d)| [a, b, c, d]);
    let strategy =
        fields.prop_map(move |fields| request("POST /endpoints/wine/invocations", &fields, body.as_bytes()));
    check(strategy, &["200", "400", "424"]);
}

#[test]
fn any_expression() {
    let words = prop::sample::select(vec![
        "[0]",
        "[*]",
        "@",
        "max(",
        "contains(@, ",
        ")",
        ">",
        "`0.5`",
        "`true`",
        "!",
        "&&",
        "||",
        "[::-1]",
        "[?",
        "]",
        "{a: ",
        "}",
        "sort_by(@, &",
        "'x'",
        ".",
        "to_number(",
        "-1",
        "`",
        "\"",
        "[9999999999]",
        " ",
    ]);
    let expression = vec(words, 1..8).prop_map(|words| words.concat().into_bytes());
    let body = crate::support::records("wine", 2);
    let strategy = expression.prop_map(move |expression| {
        let fields =
            [("content-type", b"text/csv".to_vec()), ("x-amzn-sagemaker-enable-explanations", expression)];
        request("POST /endpoints/wine/invocations", &fields, body.as_bytes())
    });
    check(strategy, &["200", "400", "424"]);
}

#[test]
fn any_address() {
    let path = prop_oneof![
        "/endpoints/[!-~]{0,20}/invocations",
        "/[!-~]{0,40}",
        "/endpoints/(%[0-9a-fA-F]{2}){1,8}/invocations",
    ];
    let line = ("(GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|[A-Z]{1,9})", path);
    let strategy = line.prop_map(|(method, path)| request(&format!("{method} {path}"), &[], b""));
    check(strategy, &["200", "400", "404", "405", "424"]);
}
