//! `explaind check` as an operator meets it: the real program against containers of every kind, whole outputs.

use std::path::Path;

use axum::body::Body;
use axum::response::Response;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::container::{Asked, StubContainer, baseline, csv, refusing, typed};
use crate::process::{explaind, folder, output};

const RECORDS: &str = "1,2\n3,4\n5,6\n";
const JSON_RECORDS: &str = "{\"features\":[1,2]}\n{\"features\":[3,4]}\n";

/// A folder with a definition and records.
struct Case {
    folder: std::path::PathBuf,
    input: &'static str,
}

impl Case {
    fn new(test: &str, definition: &Value, input: (&'static str, &str)) -> Self {
        let folder = folder(&format!("check-{test}"));
        std::fs::write(folder.join("endpoint.json"), definition.to_string()).expect("writes");
        std::fs::write(folder.join(input.0), input.1).expect("writes");
        Self { folder, input: input.0 }
    }

    /// Exit code and output, with what varies hidden.
    async fn run(self, arguments: &[&str]) -> (i32, String) {
        let Self { folder, input } = self;
        let paths = [folder.join("endpoint.json"), folder.join(input)].map(|path| path.display().to_string());
        let mut command = explaind(&["check", "--endpoint", &paths[0], "--input", &paths[1]]);
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || output(&mut command)).await.expect("runs");
        let stderr = String::from_utf8(output.stderr).expect("is UTF-8");
        assert_eq!(stderr, "");
        let stdout = String::from_utf8(output.stdout).expect("is UTF-8");
        (output.status.code().expect("ends by itself"), shown(&stdout, &folder))
    }
}

/// Times, ports and folders hidden, the exit code last.
fn shown(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "[folder]");
    text.lines().map(without_time).map(|line| without_port(&line) + "\n").collect()
}

fn without_time(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let ms = words.iter().position(|word| *word == "ms").filter(|&ms| ms > 0);
    match ms.filter(|&ms| words[ms - 1].parse::<u64>().is_ok()) {
        None => line.to_owned(),
        Some(ms) => {
            let before = words[..ms - 1].join(" ");
            format!("{} [n] ms {}", before.trim_end(), words[ms + 1..].join(" ")).trim_end().to_owned()
        }
    }
}

fn without_port(line: &str) -> String {
    match line.split_once("127.0.0.1:") {
        None => line.to_owned(),
        Some((before, after)) => format!("{before}[address]{}", after.trim_start_matches(|c: char| c.is_ascii_digit())),
    }
}

/// Answers `GET /ping`, and invocations as the test says.
async fn container(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> StubContainer {
    StubContainer::start(move |asked| match asked.target.as_str() {
        "GET /ping" => csv(""),
        "POST /invocations" => answer(asked),
        other => refusing(404, other.to_owned()),
    })
    .await
}

/// The sum of a CSV line's cells, as a part of 100.
fn score(line: &str) -> f64 {
    line.split(',').map(|cell| cell.parse::<f64>().expect("cells are numbers")).sum::<f64>() / 100.0
}

fn lines(asked: &Asked, line: impl Fn(&str) -> String) -> String {
    asked.lines().into_iter().map(line).collect::<Vec<String>>().join("\n")
}

/// The definition with a member of InferenceConfig.
fn with(mut config: Value, inference: Value) -> Value {
    config["InferenceConfig"] = inference;
    config
}

#[tokio::test]
async fn a_container_that_does_all_is_shown_and_passes() {
    let container = container(|asked| csv(lines(asked, |line| score(line).to_string()))).await;
    let config = with(baseline("0,0"), json!({"FeatureHeaders": ["a", "b"]}));
    let case = Case::new("good", &container.endpoint(config), ("records.csv", RECORDS));
    let (code, text) = case.run(&["--accept", "text/csv"]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
    let sizes: Vec<usize> = container.asked().iter().map(|asked| asked.lines().len()).collect();
    assert_eq!(sizes, [0, 1, 2, 100]);
    assert_eq!(container.asked()[3].lines()[..5], ["0,0", "1,2", "3,4", "5,6", "1,2"]);
}

#[tokio::test]
async fn a_word_beside_the_score_needs_its_index() {
    let container = container(|asked| csv(lines(asked, |line| format!("yes,{}", score(line))))).await;
    let case = Case::new("label", &container.endpoint(baseline("0,0")), ("records.csv", RECORDS));
    let (code, text) = case.run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_number_beside_the_score_is_doubted() {
    let container = container(|asked| csv(lines(asked, |line| format!("1,{}", score(line))))).await;
    let case = Case::new("doubt", &container.endpoint(baseline("0,0")), ("records.csv", RECORDS));
    let (code, text) = case.run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
}

fn features(line: &str) -> Option<f64> {
    let record: Value = serde_json::from_str(line).ok()?;
    let features = record["features"].as_array()?;
    features.iter().map(Value::as_f64).sum()
}

#[tokio::test]
async fn json_lines_without_any_attribute_get_all_of_them() {
    let container = container(|asked| {
        let answer = |line: &str| Some(json!({"id": 7, "score": features(line)? / 100.0}).to_string());
        match asked.lines().into_iter().map(answer).collect::<Option<Vec<String>>>() {
            Some(lines) => typed("application/jsonlines", lines.join("\n")),
            None => refusing(400, "no features"),
        }
    })
    .await;
    let case = Case::new("json-lines", &container.endpoint(baseline("0,0")), ("records.jsonl", JSON_RECORDS));
    let (code, text) = case.run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_container_of_single_records_is_asked_one_by_one() {
    let container = container(|asked| match asked.lines().len() {
        1 => csv(score(&asked.body).to_string()),
        n => refusing(400, format!("{n} records\u{1b}[31m are\ntoo many")),
    })
    .await;
    let case = Case::new("single", &container.endpoint(baseline("0,0")), ("records.csv", RECORDS));
    let (code, text) = case.run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
}

#[tokio::test]
async fn answers_in_one_line_pass() {
    let container = container(|asked| csv(lines(asked, |line| score(line).to_string()).replace('\n', ","))).await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("one-line", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_container_that_is_down_is_told_at_once() {
    let endpoint = {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let image = format!("http://{}", taken.local_addr().expect("is bound"));
        json!({
            "EndpointName": "remote", "PrimaryContainer": {"Image": image},
            "ExplainerConfig": {"ClarifyExplainerConfig": baseline("0,0")},
        })
    };
    let (code, text) = Case::new("down", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
}

#[tokio::test]
async fn records_of_another_width_are_told() {
    let container = container(|_| csv("1")).await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("width", &endpoint, ("records.csv", "1,2,0\n3,4,1\n")).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!((code, container.asked().len()), (1, 0));
}

#[tokio::test]
async fn json_that_nobody_reads_is_mended_by_what_clients_accept() {
    let container = container(|asked| match asked.header("accept") {
        Some("text/csv") => csv(lines(asked, |line| score(line).to_string())),
        _ => typed("application/json", format!("[{}]", lines(asked, |line| score(line).to_string()).replace('\n', ", "))),
    })
    .await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("accept", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
    let (code, _) = Case::new("accept-given", &endpoint, ("records.csv", RECORDS)).run(&["--accept", "text/csv"]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn json_that_nothing_mends_gets_no_proposal() {
    let container = container(|_| typed("application/json", "{\"predictions\": [[0.25, 0.75]]}")).await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("json", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
}

#[tokio::test]
async fn requests_that_are_too_large_are_halved() {
    let container = container(|asked| match asked.body.len() {
        0..=150 => csv(lines(asked, |line| score(line).to_string())),
        _ => refusing(413, ""),
    })
    .await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("large", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
}

#[tokio::test]
async fn answers_in_another_order_are_wrong() {
    let container = container(|asked| {
        let mut scores: Vec<String> = asked.lines().into_iter().map(|line| score(line).to_string()).collect();
        scores.reverse();
        csv(scores.join("\n"))
    })
    .await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("order", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_definition_that_cannot_serve_is_told_as_serve_tells_it() {
    let mut endpoint = json!({
        "EndpointName": "-", "PrimaryContainer": {"Image": "http://127.0.0.1:1"},
        "ExplainerConfig": {"ClarifyExplainerConfig": with(baseline("0,0"), json!({"MaxPayloadInMB": 26}))},
    });
    let (code, text) = Case::new("faults", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
    endpoint["EndpointName"] = json!("e");
    endpoint["ExplainerConfig"] = json!({});
    let (code, text) = Case::new("no-explainer", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert!(text.contains("the endpoint has no ExplainerConfig"), "{text}");
    assert_eq!(code, 1);
}
