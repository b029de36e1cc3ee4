//! `explaind check` as an operator meets it: the real program against containers of every kind, whole outputs.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::response::Response;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::container::{Asked, StubContainer, baseline, csv, refusing, typed};
use crate::many_models::{Manner, ManyModels};
use crate::process::{explaind, folder, output};
use crate::show::round;
use crate::support::{example_folder, records};

const RECORDS: &str = "1,2\n3,4\n5,6\n";
const JSON_RECORDS: &str = "{\"features\":[1,2]}\n{\"features\":[3,4]}\n";

/// A folder with a definition and records.
struct Case {
    folder: PathBuf,
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

/// Times, ports and folders hidden.
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
        Some((before, after)) => {
            format!("{before}[address]{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
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

/// The sum of a CSV line's numbers, as a part of 100.
fn score(line: &str) -> f64 {
    line.split(',').map(|cell| cell.parse().unwrap_or(0.0)).sum::<f64>() / 100.0
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
        _ => typed(
            "application/json",
            format!("[{}]", lines(asked, |line| score(line).to_string()).replace('\n', ", ")),
        ),
    })
    .await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("accept", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
    let (code, _) =
        Case::new("accept-given", &endpoint, ("records.csv", RECORDS)).run(&["--accept", "text/csv"]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn json_that_nothing_mends_gets_no_proposal() {
    let container = container(|_| typed("application/json", "{\"result\": [0.25]}")).await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("json", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_server_of_mlflow_is_asked_as_one() {
    let container = container(|asked| {
        let request: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let Some(rows) = request["dataframe_split"]["data"].as_array() else {
            return refusing(400, "{\"error_code\": \"BAD_REQUEST\", \"message\": \"No rows.\"}");
        };
        let sum = |row: &Value| row.as_array().into_iter().flatten().filter_map(Value::as_f64).sum::<f64>();
        let scores: Vec<f64> = rows.iter().map(|row| sum(row) / 100.0).collect();
        typed("application/json", json!({ "predictions": scores }).to_string())
    })
    .await;
    let endpoint = container.endpoint(baseline("0,0"));
    let (code, text) = Case::new("mlflow", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 1);
    let endpoint = container.endpoint_with(baseline("0,0"), json!({"EXPLAIND_PROTOCOL": "mlflow"}));
    let (code, text) = Case::new("mlflow-named", &endpoint, ("records.csv", RECORDS)).run(&[]).await;
    assert!(text.ends_with("\nExplanations will work.\n"), "{text}");
    assert_eq!(code, 0);
}

#[tokio::test]
async fn one_of_many_models_is_checked() {
    let container = ManyModels::start(Manner::default()).await;
    let endpoint = container.endpoint("/opt/models", Some(baseline("0,0")));
    let many = |test| Case::new(test, &endpoint, ("records.csv", RECORDS));
    let (code, text) = many("many").run(&["--target-model", "times-2"]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
    let (code, text) = many("many-none").run(&[]).await;
    assert!(text.contains("the endpoint has many models: --target-model must name one"), "{text}");
    assert_eq!(code, 1);
    let (code, text) = many("many-unknown").run(&["--target-model", "nobody"]).await;
    assert!(text.contains("two records       skipped"), "{text}");
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_model_file_needs_no_requests() {
    let folder = example_folder("breast-cancer");
    let json = std::fs::read(folder.join("endpoint.json")).expect("reads");
    let mut endpoint: Value = serde_json::from_slice(&json).expect("is JSON");
    endpoint["PrimaryContainer"]["ModelDataUrl"] = json!(folder.join("model.json"));
    let case = Case::new("file", &endpoint, ("records.csv", &records("breast-cancer", 2)));
    let (code, text) = case.run(&[]).await;
    assert_snapshot!(round(&text.replace(&folder.display().to_string(), "[example]")));
    assert_eq!(code, 0);
}

#[tokio::test]
async fn what_else_may_be_wrong_is_told() {
    let good = container(|asked| csv(lines(asked, |line| format!("{},{}", score(line), 1.0 - score(line))))).await;
    let restless = StubContainer::start(|asked| match asked.target.as_str() {
        "GET /ping" => refusing(500, "not yet"),
        _ => csv(lines(asked, |line| format!("{}", score(line) + asked.body.len() as f64 / 1e8))),
    })
    .await;
    let mut filter = baseline("0,0");
    filter["EnableExplanations"] = json!("[0]>`0.9`");
    let mut text_filter = baseline("0,0");
    text_filter["EnableExplanations"] = json!("score>`0.9`");
    let mut logit = baseline("0,0");
    logit["ShapConfig"]["UseLogit"] = json!(true);
    let labels = with(baseline("0,0"), json!({"LabelHeaders": ["a", "b", "c"]}));
    for (test, endpoint, records, expected, code) in [
        (
            "header",
            good.endpoint(baseline("0,0")),
            "a,b\n1,2\n",
            "warning: the first record looks like a header row",
            0,
        ),
        ("filter", good.endpoint(filter), RECORDS, "EnableExplanations would have 0 of 1 explained", 0),
        ("filter-fails", good.endpoint(text_filter), RECORDS, "gives null on record 1, not true or false", 1),
        ("labels", good.endpoint(labels), RECORDS, "3 LabelHeaders for 2 outputs of the model", 1),
        ("logit", good.endpoint(logit), "1,200\n", "warning: UseLogit needs scores from 0 to 1", 0),
        (
            "not-ready",
            restless.endpoint(baseline("0,0")),
            RECORDS,
            "ready             warning [n] ms  GET /ping",
            0,
        ),
        (
            "restless",
            restless.endpoint(baseline("0,0")),
            RECORDS,
            "attributions can be no more exact than that",
            0,
        ),
        ("empty", good.endpoint(baseline("0,0")), "", "the payload has no records", 1),
    ] {
        let (found, text) = Case::new(test, &endpoint, ("records.csv", records)).run(&[]).await;
        assert!(text.contains(expected), "{test}: {text}");
        assert_eq!(found, code, "{test}: {text}");
    }
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

/// A definition of texts in tokens.
fn texts(container: &StubContainer) -> Value {
    let mut config = baseline("\"<MASK>\"");
    config["ShapConfig"]["TextConfig"] = json!({"Granularity": "token", "Language": "en"});
    container.endpoint(config)
}

/// The text of a line, undone of its quotes where it has any.
fn text(line: &str) -> String {
    let quoted = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    quoted.map_or(line.to_owned(), |text| text.replace("\"\"", "\""))
}

const TEXTS: &str = "\"It's \"\"good\"\", really.\"\nNot bad\n";

#[tokio::test]
async fn a_container_of_texts_gets_them_in_quotes_and_their_players_are_counted() {
    let container =
        container(|asked| csv(lines(asked, |line| (text(line).len() as f64 / 100.0).to_string()))).await;
    let (code, text) = Case::new("texts", &texts(&container), ("records.csv", TEXTS)).run(&[]).await;
    assert_snapshot!(text);
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_container_that_does_not_undo_quotes_is_told() {
    let container = container(|asked| csv(lines(asked, |line| (line.len() as f64 / 100.0).to_string()))).await;
    let records = ("records.csv", "Not bad\nGood\n");
    let (code, text) = Case::new("quotes", &texts(&container), records).run(&[]).await;
    assert!(text.contains("record 1 has the scores [0.07] alone and [0.09] in row 2 of 100"), "{text}");
    assert_eq!(code, 1);
}

#[tokio::test]
async fn texts_of_too_many_units_and_of_commas_without_quotes_are_told() {
    let container = container(|asked| csv(lines(asked, |_| "0.5".to_owned()))).await;
    let long = "word ".repeat(2000);
    let some = ("some.csv", &*format!("Good\n{long}\n"));
    let (code, text) = Case::new("some-long", &texts(&container), some).run(&[]).await;
    assert!(text.contains("texts are cut into tokens: 1 to 2000 players a record"), "{text}");
    let warning = "warning: record 2, whose texts have 2000 units: 2000 players are more than the limit of 1024 players. \
                   Requests with such records, 1 of 2 here, are refused";
    assert!(text.contains(warning) && text.contains("Explanations will work. See 1 warning above."), "{text}");
    assert_eq!(code, 0);
    let (code, text) = Case::new("all-long", &texts(&container), ("all.csv", &long)).run(&[]).await;
    assert!(text.contains("record 1, whose texts have 2000 units") && text.contains("see records"), "{text}");
    assert_eq!(code, 1);
    let (code, text) = Case::new("commas", &texts(&container), ("commas.csv", "Good, but slow\n")).run(&[]).await;
    let hint = "record 1 has 2 features instead of 1, the columns of the baseline. A text that holds a comma must stand in \
                quotes";
    assert!(text.contains(hint), "{text}");
    assert_eq!(code, 1);
}
