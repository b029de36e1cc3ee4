//! Endpoints without an explainer: the model's answer is the answer.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::container::{StubContainer, refusing, typed};
use crate::show::{show, show_error};
use crate::support::{TestApp, example_folder, invoke, open, records, with};

fn without_explainer(mut definition: Value, explainer: Option<Value>) -> Value {
    let members = definition.as_object_mut().expect("is an object");
    members.remove("ExplainerConfig");
    members.extend(explainer.map(|explainer| ("ExplainerConfig".to_owned(), explainer)));
    definition
}

fn wine(explainer: Option<Value>) -> Value {
    let definition = std::fs::read(example_folder("wine").join("endpoint.json")).expect("reads");
    without_explainer(serde_json::from_slice(&definition).expect("is JSON"), explainer)
}

#[tokio::test]
async fn the_answer_of_a_container_is_passed_through_byte_for_byte() {
    let container = StubContainer::start(|asked| {
        assert_eq!((asked.header("content-type"), asked.body.as_str()), (Some("image/png"), "not a record"));
        typed("application/x-thing; v=1", "any thing")
    })
    .await;
    let app = TestApp::defining(without_explainer(container.endpoint(json!({})), None)).await;
    let request = with(invoke("remote", "not a record"), "content-type", "image/png");
    assert_snapshot!(show(&app.send(request).await));
}

#[tokio::test]
async fn a_model_file_answers_in_the_accepted_format() {
    for explainer in [None, Some(json!({}))] {
        let endpoint = open(&wine(explainer), &example_folder("wine")).await.expect("opens");
        let app = TestApp::with_endpoint(endpoint).await;
        let csv = app.send(invoke("wine", records("wine", 2))).await;
        let explained = TestApp::start().await.send(invoke("wine", records("wine", 2))).await.json();
        assert_eq!(csv.header("content-type"), "text/csv");
        assert_eq!(explained["predictions"]["data"].as_str().expect("is text").as_bytes(), csv.body);
        let json = app.send(with(invoke("wine", records("wine", 2)), "accept", "application/jsonlines")).await;
        assert_eq!(
            (json.header("content-type"), json.body[..10].as_ref()),
            ("application/jsonlines", b"{\"score\":[".as_ref())
        );
    }
}

#[tokio::test]
async fn what_cannot_be_passed_through_is_refused() {
    let endpoint = open(&wine(None), &example_folder("wine")).await.expect("opens");
    let app = TestApp::with_endpoint(endpoint).await;
    let container = StubContainer::start(|_| refusing(422, "no thanks")).await;
    let remote = TestApp::defining(without_explainer(container.endpoint(json!({})), None)).await;
    let row = || invoke("wine", records("wine", 1));
    let answers = [
        app.send(with(row(), "x-amzn-sagemaker-enable-explanations", "`true`")).await,
        app.send(with(row(), "content-type", "image/png")).await,
        app.send(with(row(), "accept", "image/png")).await,
        app.send(invoke("wine", "1,2")).await,
        remote.send(invoke("remote", "1")).await,
    ];
    assert_snapshot!(answers.iter().map(show_error).collect::<Vec<String>>().join("\n\n"));
}
