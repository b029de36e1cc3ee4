//! Raw calls of the control plane, and endpoints that they make.

use std::path::Path;

use axum::http::Request;
use bytes::Bytes;
use explaind::aws::control::{Account, ControlPlane, Opener};
use explaind::aws::definition::Defaults;
use explaind::config::ContainerConfig;
use explaind::endpoints::{FolderStore, Registry};
use explaind::http::Gate;
use http_body_util::Full;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{Caller, TestApp, example_folder, limits, shared};

/// A call of AWS JSON 1.1.
pub fn call(operation: &str, input: &Value) -> Request<Full<Bytes>> {
    let request = Request::post("/").header("content-type", "application/x-amz-json-1.1");
    let request = request.header("x-amz-target", format!("SageMaker.{operation}"));
    request.body(Full::from(input.to_string())).expect("is a request")
}

/// What a call that succeeds returns.
pub async fn called(caller: &Caller, operation: &str, input: Value) -> Value {
    let answer = caller.send(call(operation, &input)).await;
    assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Type and message of one that is refused.
pub async fn refused(caller: &Caller, operation: &str, input: Value) -> (String, String) {
    let answer = caller.send(call(operation, &input)).await;
    assert_eq!(answer.status, 400, "{operation} {input}: {answer:?}");
    let text = |member: &str| answer.json()[member].as_str().expect("is a text").to_owned();
    (text("__type"), text("message"))
}

/// A server without endpoints whose control plane keeps its state in this folder.
pub async fn controlled(state: &Path) -> TestApp {
    controlled_treating(state, |_| {}).await
}

/// The same, with other settings of containers.
pub async fn controlled_treating(state: &Path, change: impl FnOnce(&mut ContainerConfig)) -> TestApp {
    let registry = Arc::new(Registry::default());
    let store = Arc::new(FolderStore::open(state.to_owned()).expect("opens"));
    let opener = Opener::new(Arc::clone(shared()), limits(change), Defaults::default());
    let account = Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned() };
    let control = ControlPlane::load(account, store, Arc::clone(&registry), opener).expect("loads");
    control.open_all().await;
    TestApp::over(registry, Some(control), Gate::open(), |_| {}).await
}

/// The model and the explainer of an example, as a script gives them.
pub fn example(name: &str) -> (Value, Value) {
    let folder = example_folder(name);
    let json = std::fs::read(folder.join("endpoint.json")).expect("reads");
    let definition: Value = serde_json::from_slice(&json).expect("is JSON");
    let model =
        json!({"Image": "account.dkr.ecr.region/xgboost:1.7-1", "ModelDataUrl": folder.join("model.json")});
    (model, definition["ExplainerConfig"].clone())
}

/// Creates the model and the configuration of an example under this name, each variant with its weight.
pub async fn prepare(caller: &Caller, name: &str, example_name: &str, weights: &[(&str, f64)]) {
    let (model, explainer) = example(example_name);
    called(caller, "CreateModel", json!({"ModelName": name, "PrimaryContainer": model})).await;
    let variants: Vec<Value> = weights
        .iter()
        .map(
            |(variant, weight)| json!({"VariantName": variant, "ModelName": name, "InitialVariantWeight": weight}),
        )
        .collect();
    let config = json!({"EndpointConfigName": name, "ProductionVariants": variants, "ExplainerConfig": explainer});
    called(caller, "CreateEndpointConfig", config).await;
}

/// Waits for the end of what is under way.
pub async fn settled(caller: &Caller, name: &str) -> Value {
    loop {
        let described = called(caller, "DescribeEndpoint", json!({"EndpointName": name})).await;
        if !["Creating", "Updating"].map(Value::from).contains(&described["EndpointStatus"]) {
            return described;
        }
    }
}
