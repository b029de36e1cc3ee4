//! A container of many models that is short of memory, slow to load, or has one model that is not well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::Request;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::container::{Asked, baseline};
use crate::fault_server::{BASELINE, Fault, FaultServer, RECORD, assert_explained};
use crate::support::{TestApp, invoke, ms, with};

fn ask(target: &str) -> Request<Full<Bytes>> {
    with(invoke("remote", RECORD), "x-amzn-sagemaker-target-model", target)
}

async fn app(container: &FaultServer, retries_max: u32) -> TestApp {
    let mut definition = container.endpoint(baseline(BASELINE));
    definition["PrimaryContainer"]["Mode"] = json!("MultiModel");
    definition["PrimaryContainer"]["ModelDataUrl"] = json!("/opt/models/");
    let treat = |containers: &mut explaind::config::ContainerConfig| {
        (containers.container_retries_max, containers.circuit_failures) = (retries_max, 3);
    };
    TestApp::treating(definition, treat).await
}

fn n_loads(container: &FaultServer) -> usize {
    container.notes().iter().filter(|note| note.asked.target == "POST /models").count()
}

/// Name in the container → where the model came from.
#[derive(Clone, Default)]
struct Models(Arc<Mutex<BTreeMap<String, String>>>);

impl Models {
    /// What loads, lists and unloads answer, where so many models fit; none for an invocation.
    fn manage(&self, asked: &Asked, n_max: usize) -> Option<Fault> {
        let mut models = self.0.lock().expect("no test panics here");
        let (method, path) = asked.target.split_once(' ').expect("has a method");
        let says =
            |answer: Value| Some(Fault::Says("application/json".to_owned(), answer.to_string().into_bytes()));
        match (method, path) {
            ("POST", "/models") if models.len() >= n_max => Some(Fault::status(507)),
            ("POST", "/models") => {
                let body: Value = serde_json::from_str(&asked.body).expect("is JSON");
                let text = |member: &str| body[member].as_str().expect("is text").to_owned();
                models.insert(text("model_name"), text("url"));
                says(json!({}))
            }
            ("GET", "/models") => {
                let listed = models.iter().map(|(name, url)| json!({ "modelName": name, "modelUrl": url }));
                says(json!({ "models": listed.collect::<Vec<Value>>() }))
            }
            ("DELETE", path) => {
                let removed = models.remove(path.trim_start_matches("/models/"));
                removed.map_or(Some(Fault::status(404)), |_| says(json!({})))
            }
            _ => None,
        }
    }

    /// Where the model of an invocation came from.
    fn invoked(&self, asked: &Asked) -> String {
        let name = asked.target.split('/').nth(2).expect("names a model");
        self.0.lock().expect("no test panics here").get(name).cloned().unwrap_or_default()
    }
}

#[tokio::test]
async fn promise_25_first_calls_together_load_once_and_409_counts_as_loaded() {
    let container = FaultServer::start(|_, asked| {
        (asked.target == "POST /models").then(|| Fault::After(ms(100), Box::new(Fault::status(409))))
    })
    .await;
    let app = app(&container, 0).await;
    for answer in join_all((0..8).map(|_| app.send(ask("a")))).await {
        assert_explained(&answer);
    }
    assert_eq!(n_loads(&container), 1);
}

#[tokio::test]
async fn promise_25_507_unloads_what_was_used_least_recently_and_tries_once_more() {
    let models = Models::default();
    let own = models.clone();
    let container = FaultServer::start(move |_, asked| own.manage(asked, 2)).await;
    let app = app(&container, 0).await;
    for target in ["a", "b", "a", "c"] {
        assert_explained(&app.send(ask(target)).await);
    }
    let left: Vec<String> = models.0.lock().expect("no test panics here").values().cloned().collect();
    assert!(left.iter().all(|url| url.ends_with("/a") || url.ends_with("/c")), "{left:?}");
    assert_eq!((left.len(), n_loads(&container)), (2, 4));
}

#[tokio::test]
async fn promise_21_one_model_that_is_not_well_does_not_shut_out_the_others() {
    let models = Models::default();
    let container = FaultServer::start(move |_, asked| {
        let is_ill = || models.invoked(asked).ends_with("/ill");
        models.manage(asked, 9).or_else(|| is_ill().then(|| Fault::status(503)))
    })
    .await;
    let app = app(&container, 0).await;
    for _ in 0..5 {
        let status = app.send(ask("ill")).await.status;
        assert!([424, 503].contains(&status), "{status}");
    }
    assert_explained(&app.send(ask("well")).await);
}

#[tokio::test]
async fn promise_20_what_one_model_refuses_is_not_remembered_of_the_others() {
    let models = Models::default();
    let container = FaultServer::start(move |_, asked| {
        let is_refused = || asked.lines().len() > 1 && models.invoked(asked).ends_with("/single");
        models.manage(asked, 9).or_else(|| is_refused().then(|| Fault::status(400)))
    })
    .await;
    let app = app(&container, 0).await;
    assert_explained(&app.send(ask("single")).await);
    let n_before = container.n_requests();
    assert_explained(&app.send(ask("many")).await);
    let sizes = container.sizes()[n_before..].to_vec();
    assert!(sizes.iter().any(|&size| size > 2), "{sizes:?}");
}
