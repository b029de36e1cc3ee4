//! Endpoints whose model is a container: what it is asked, and what becomes of its answers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::container::{ClosingContainer, StubContainer, baseline, csv, refusing, typed};
use crate::show::{show, show_error};
use crate::support::{Answer, TestApp, attributions, invoke, with};

const CUSTOM: &str = "x-amzn-sagemaker-custom-attributes";

async fn ask(definition: Value, body: &str) -> Answer {
    TestApp::defining(definition).await.send(invoke("remote", body.to_owned())).await
}

#[tokio::test]
async fn the_payload_goes_as_it_came_and_the_answer_is_predictions() {
    let container = StubContainer::start(|asked| {
        let lines: Vec<&str> = asked.lines().iter().map(|_| "0.25").collect();
        let mut response = typed("text/csv; charset=utf-8", format!("{}\n", lines.join("\n")));
        response.headers_mut().insert(CUSTOM, "trace=7".parse().expect("is a value"));
        response
    })
    .await;
    let app = TestApp::defining(container.endpoint(baseline("0,0,0"))).await;
    let body = "1e5, 2,\"3\"\r\n4.50,-0,+7\n";
    let request = with(invoke("remote", body), "content-type", "text/csv; header=absent");
    let answer = app.send(with(with(request, "accept", "text/csv;q=1"), CUSTOM, "client=42")).await;
    assert_snapshot!(show(&answer));
    let asked = container.asked();
    assert_eq!((asked[0].target.as_str(), asked[0].body.as_str()), ("POST /invocations", body));
    for request in &asked {
        assert_eq!(request.header("content-type"), Some("text/csv; header=absent"));
        assert_eq!(request.header("accept"), Some("text/csv;q=1"));
        assert_eq!(request.header(CUSTOM), Some("client=42"));
        assert_eq!(request.header("x-amzn-sagemaker-enable-explanations"), None);
    }
}

#[tokio::test]
async fn headers_that_the_client_leaves_out_are_left_out() {
    let container = StubContainer::scoring(|row| row.iter().sum()).await;
    let answer = ask(container.endpoint(baseline("0,0")), "1,2").await;
    assert_eq!((answer.status, answer.headers.get(CUSTOM)), (200, None));
    let asked = container.asked();
    assert_eq!((asked[0].header("accept"), asked[0].header(CUSTOM)), (None, None));
}

#[tokio::test]
async fn synthetic_records_keep_the_spelling_of_their_cells() {
    let container = StubContainer::saying(|n| vec!["0.5"; n].join("\n")).await;
    let answer = ask(container.endpoint(baseline("1.50,\"re,d\", x ")), "1e5,\"say \"\"hi\"\"\",007").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows: BTreeSet<String> =
        container.asked()[1..].iter().flat_map(|asked| asked.body.lines().map(str::to_owned)).collect();
    let expected = [
        "1.50,\"re,d\", x ",
        "1.50,\"re,d\",007",
        "1.50,\"say \"\"hi\"\"\", x ",
        "1.50,\"say \"\"hi\"\"\",007",
        "1e5,\"re,d\", x ",
        "1e5,\"re,d\",007",
        "1e5,\"say \"\"hi\"\"\", x ",
    ];
    assert_eq!(rows.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_container_receives_as_many_records_as_the_documentation_says() {
    for (n_features, baseline_rows, samples, expected) in [
        (10, 1, None, 1022),
        (20, 1, None, 2088),
        (10, 3, None, 3 * 1022),
        (20, 2, Some(100), 2 * 100),
        (3, 1, Some(2), 2),
        (1, 1, None, 0),
    ] {
        let container = StubContainer::scoring(|row| row.iter().sum()).await;
        let row = |cell: &str| vec![cell; n_features].join(",");
        let rows: Vec<String> = (0..baseline_rows).map(|idx| row(&idx.to_string())).collect();
        let mut config = baseline(&rows.join("\n"));
        if let Some(samples) = samples {
            config["ShapConfig"]["NumberOfSamples"] = json!(samples);
        }
        assert_eq!(ask(container.endpoint(config), &row("9")).await.status, 200);
        let n_rows: usize = container.asked().iter().map(|asked| asked.lines().len()).sum();
        assert_eq!(n_rows, 1 + baseline_rows + expected, "{n_features} features");
    }
}

#[tokio::test]
async fn requests_hold_at_most_max_record_count_records() {
    let container = StubContainer::scoring(|row| row.iter().product()).await;
    let mut config = baseline("1,1,1,1");
    config["InferenceConfig"] = json!({ "MaxRecordCount": 5 });
    let answer = ask(container.endpoint(config), "2,3,5,7").await;
    assert_eq!(attributions(&answer)[0].iter().flatten().sum::<f64>(), 209.0);
    let sizes: Vec<usize> = container.asked().iter().map(|asked| asked.lines().len()).collect();
    // The baseline row comes with the first coalitions.
    assert_eq!(sizes[0], 1);
    assert_eq!((sizes[1..].iter().max(), sizes[1..].iter().sum()), (Some(&5), 15));
}

#[tokio::test]
async fn requests_hold_at_most_max_payload_in_mb() {
    let container = StubContainer::saying(|n| vec!["1"; n].join("\n")).await;
    let long = "x".repeat(300 << 10);
    let mut config = baseline("a,b");
    config["InferenceConfig"] = json!({ "MaxPayloadInMB": 1 });
    let body = format!("{long},{long}\n{long}c,{long}d");
    assert_eq!(ask(container.endpoint(config.clone()), &body).await.status, 200);
    let sizes: Vec<usize> = container.asked()[1..].iter().map(|asked| asked.body.len()).collect();
    // Four of the records have 300 kB.
    assert!(sizes.len() > 1 && sizes.iter().all(|&bytes| bytes <= 1 << 20), "{sizes:?}");
    let answer = ask(container.endpoint(config), &format!("{},{long}", "y".repeat(1 << 20))).await;
    assert_snapshot!(answer.json()["OriginalMessage"].as_str().expect("is text"));
}

#[tokio::test]
async fn several_baseline_rows_are_averaged() {
    let container = StubContainer::scoring(|row| row[0] * row[1]).await;
    let answer = ask(container.endpoint(baseline("0,1\n2,5")), "3,7").await;
    // v() = (0 + 10)/2, v(1) = (3 + 15)/2, v(2) = (0 + 14)/2, v(1, 2) = 21.
    assert_eq!(answer.header("x-explaind-base-values"), "[5.0]");
    assert_eq!(attributions(&answer), [[[9.0], [7.0]]]);
}

#[tokio::test]
async fn categories_are_players_like_numbers() {
    let score = |line: &str| if line.starts_with("red") { "1" } else { "0.5" };
    let container = StubContainer::start(move |asked| {
        csv(asked.lines().into_iter().map(score).collect::<Vec<&str>>().join("\n"))
    })
    .await;
    let answer = ask(container.endpoint(baseline("blue,3,\"\"")), "red,3,oak").await;
    assert_eq!(attributions(&answer), [[[0.5], [0.0], [0.0]]]);
    assert_eq!(answer.header("x-explaind-estimator"), "enumerated");
}

#[tokio::test]
async fn a_cell_that_differs_in_its_spelling_is_a_player() {
    // Models that split at commas see another category.
    let score = |line: &str| if line.starts_with(" red") { "1" } else { "0.5" };
    let container = StubContainer::start(move |asked| {
        csv(asked.lines().into_iter().map(score).collect::<Vec<&str>>().join("\n"))
    })
    .await;
    let answer = ask(container.endpoint(baseline(" red,2")), "red,2").await;
    assert_eq!(attributions(&answer), [[[-0.5], [0.0]]]);
}

#[tokio::test]
async fn a_kept_connection_that_the_container_has_closed_costs_no_answer() {
    let container = ClosingContainer::start("0.5").await;
    let definition = json!({
        "EndpointName": "remote",
        "PrimaryContainer": { "Image": format!("http://{}", container.address) },
        "ExplainerConfig": { "ClarifyExplainerConfig": baseline("1") },
    });
    assert_eq!(attributions(&ask(definition, "2").await), [[[0.0]]]);
}

#[tokio::test]
async fn a_long_list_of_base_values_stays_out_of_the_headers() {
    let container = StubContainer::saying(|n| vec![vec!["0.125"; 1000].join(","); n].join("\n")).await;
    let answer = ask(container.endpoint(baseline("1")), "2").await;
    assert_eq!((answer.status, answer.headers.get("x-explaind-base-values")), (200, None));
    assert_eq!(attributions(&answer)[0][0].len(), 1000);
}

#[tokio::test]
async fn nothing_more_is_asked_when_nothing_is_explained() {
    let container = StubContainer::scoring(|row| row[0]).await;
    let app = TestApp::defining(container.endpoint(baseline("0,0"))).await;
    let request = with(invoke("remote", "1,2\n3,4"), "x-amzn-sagemaker-enable-explanations", "[0]>`9`");
    assert_snapshot!(show(&app.send(request).await));
    assert_eq!(container.asked().len(), 1);
}

#[tokio::test]
async fn records_that_do_not_fit_never_reach_the_container() {
    let container = StubContainer::scoring(|row| row[0]).await;
    for body in ["", "1,2,3", "1,2\n3", "1,\"2"] {
        assert_eq!(ask(container.endpoint(baseline("0,0")), body).await.status, 424, "{body:?}");
    }
    assert!(container.asked().is_empty());
}

#[tokio::test]
async fn what_a_container_refuses_is_told_with_its_status_and_text() {
    let text = "no\r\nsuch \u{1b}[31mcolumn\0";
    let mut shown = String::new();
    for status in [400, 404, 413, 500, 503] {
        let container = StubContainer::start(move |_| refusing(status, text)).await;
        shown += &show_error(&ask(container.endpoint(baseline("0,0")), "1,2").await);
        shown += "\n\n";
    }
    assert_snapshot!(shown);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let container = StubContainer::start(|_| {
        let mut response = refusing(307, "over there");
        response.headers_mut().insert("location", "http://127.0.0.1:9/".parse().expect("is a value"));
        response
    })
    .await;
    assert_eq!(ask(container.endpoint(baseline("0,0")), "1,2").await.json()["OriginalStatusCode"], 307);
    assert_eq!(container.asked().len(), 1);
}

#[tokio::test]
async fn a_container_that_is_gone_or_breaks_off_is_told() {
    let gone = StubContainer::scoring(|row| row[0]).await.endpoint(baseline("0,0"));
    let mut nowhere = gone;
    nowhere["PrimaryContainer"]["Image"] = json!("http://127.0.0.1:9");
    let mut shown = show_error(&ask(nowhere, "1,2").await);
    let breaking = StubContainer::start(|_| {
        let parts = [Ok(bytes::Bytes::from("0.")), Err(std::io::Error::other("on purpose"))];
        csv(Body::from_stream(futures_util::stream::iter(parts)))
    })
    .await;
    shown += "\n\n";
    shown += &show_error(&ask(breaking.endpoint(baseline("0,0")), "1,2").await);
    assert!(!shown.contains("127.0.0.1"), "{shown}");
    assert_snapshot!(shown);
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_refused_and_never_misaligned() {
    let mut shown = String::new();
    let cases: [(&str, &str, &[u8]); 9] = [
        ("too few lines", "text/csv", b"0.5"),
        ("too many lines", "text/csv", b"0.5\n0.5\n0.5"),
        ("no number", "text/csv", b"0.5\nyes"),
        ("not finite", "text/csv", b"0.5\nnan"),
        ("ragged", "text/csv", b"0.5,0.5\n0.5"),
        ("not UTF-8", "text/csv", b"0.5\n\xff"),
        ("empty", "text/csv", b""),
        ("another type", "application/json", b"[0.5,0.5]"),
        ("no ProbabilityAttribute", "application/jsonlines", b"{\"score\":0.5}\n{\"score\":0.5}"),
    ];
    for (title, content_type, answer) in cases {
        let container = StubContainer::start(move |_| typed(content_type, answer)).await;
        let refused = ask(container.endpoint(baseline("0,0")), "1,2\n3,4").await;
        assert_eq!((refused.status, &refused.json()["OriginalStatusCode"]), (424, &json!(400)), "{title}");
        shown += &format!("{title}: {}\n", refused.json()["OriginalMessage"].as_str().expect("is text"));
    }
    assert_snapshot!(shown);
}

#[tokio::test]
async fn synthetic_answers_of_another_width_are_refused() {
    let n_asked = AtomicUsize::new(0);
    let container = StubContainer::saying(move |n| match n_asked.fetch_add(1, Ordering::SeqCst) {
        0 => "0.2,0.8".to_owned(),
        _ => vec!["0.2"; n].join("\n"),
    });
    let answer = ask(container.await.endpoint(baseline("0,0")), "1,2").await;
    assert_snapshot!(answer.json()["OriginalMessage"].as_str().expect("is text"));
}

#[tokio::test]
async fn a_model_that_changes_its_mind_about_the_baseline_is_refused() {
    let calls = AtomicUsize::new(0);
    let container = StubContainer::start(move |asked| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        csv(vec![call.to_string(); asked.lines().len()].join("\n"))
    })
    .await;
    let answer = ask(container.endpoint(baseline("0,0")), "0,0").await;
    assert_snapshot!(answer.json()["OriginalMessage"].as_str().expect("is text"));
}

#[tokio::test]
async fn custom_attributes_of_a_container_cannot_inject_headers_and_long_ones_are_dropped() {
    for (attributes, expected) in [(vec![b'a'; 1024], true), (vec![b'a'; 1025], false), (vec![b'a', 0xff], false)]
    {
        let container = StubContainer::start(move |asked| {
            let mut response = csv(vec!["1"; asked.lines().len()].join("\n"));
            let value = axum::http::HeaderValue::from_bytes(&attributes).expect("is a value");
            response.headers_mut().insert(CUSTOM, value);
            response
        })
        .await;
        let answer = ask(container.endpoint(baseline("0,0")), "1,2").await;
        assert_eq!((answer.status, answer.headers.contains_key(CUSTOM)), (200, expected));
    }
}
