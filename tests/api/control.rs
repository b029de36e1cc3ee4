//! The control plane on the wire: whole answers, refusals, and what the endpoints that it makes answer.

use std::fmt::Write;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::control_calls::{call, called, controlled, controlled_treating, example, prepare, refused, settled};
use crate::process::{Process, folder};
use crate::show::show;
use crate::support::{TestApp, example_folder, invoke, ms, records, with};

/// Times are hidden; their form is not.
fn without_times(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(end) = rest.find("E9") {
        let start = rest[..end].rfind(':').expect("a time is a member") + 1;
        assert!(rest[start..end].parse::<f64>().is_ok_and(|time| (1.0..10.0).contains(&time)), "{rest}");
        write!(shown, "{}[time]", &rest[..start]).expect("writes");
        rest = &rest[end + "E9".len()..];
    }
    shown + rest
}

async fn shown(app: &TestApp, operation: &str, input: Value) -> String {
    let answer = app.send(call(operation, &input)).await;
    let text = without_times(&show(&answer)).replace(env!("CARGO_MANIFEST_DIR"), "[root]");
    format!("=== {operation}\n{text}\n\n")
}

#[tokio::test]
async fn a_script_of_the_hosted_service_gets_its_answers() {
    let app = controlled(&folder("control-script").join("state")).await;
    let (_, explainer) = example("wine");
    let model =
        json!({"Image": "xgboost:1", "ModelDataUrl": example("wine").0["ModelDataUrl"], "Mode": "SingleModel"});
    let model = json!({"ModelName": "Wine", "Containers": [model], "ExecutionRoleArn": "arn:aws:iam::000000000000:role/r"});
    let variants = json!([{"VariantName": "v", "ModelName": "Wine", "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge"}]);
    let config = json!({
        "EndpointConfigName": "Wine-config", "ProductionVariants": variants, "Tags": [{"Key": "team", "Value": "cellar"}],
        "ExplainerConfig": {"ClarifyExplainerConfig": {"ShapConfig": explainer["ClarifyExplainerConfig"]["ShapConfig"]}},
    });
    let endpoint = json!({"EndpointName": "Wine", "EndpointConfigName": "Wine-config"});
    let arn = "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/wine-config";
    let mut text = String::new();
    for (operation, input) in [
        ("CreateModel", model),
        ("DescribeModel", json!({"ModelName": "Wine"})),
        ("CreateEndpointConfig", config),
        ("DescribeEndpointConfig", json!({"EndpointConfigName": "wine-CONFIG"})),
        ("ListTags", json!({"ResourceArn": arn})),
        ("CreateEndpoint", endpoint.clone()),
        ("DescribeEndpoint", json!({"EndpointName": "Wine"})),
        ("UpdateEndpoint", endpoint),
        ("DescribeEndpoint", json!({"EndpointName": "Wine"})),
        ("ListModels", json!({})),
        ("ListEndpointConfigs", json!({"MaxResults": 1})),
        ("ListEndpoints", json!({"StatusEquals": "InService"})),
        ("DeleteEndpointConfig", json!({"EndpointConfigName": "Wine-config"})),
        ("DeleteModel", json!({"ModelName": "Wine"})),
    ] {
        text += &shown(&app, operation, input).await;
    }
    let answer = app.send(invoke("Wine", records("wine", 1))).await;
    assert_eq!((answer.status, answer.header("x-amzn-invoked-production-variant")), (200, "v"));
    for (operation, input) in [
        ("DeleteEndpoint", json!({"EndpointName": "Wine"})),
        ("DescribeEndpoint", json!({"EndpointName": "Wine"})),
        ("ListEndpoints", json!({})),
    ] {
        text += &shown(&app, operation, input).await;
    }
    assert_eq!(app.send(invoke("Wine", records("wine", 1))).await.status, 400);
    assert_snapshot!(text);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_the_reason() {
    let app = controlled(&folder("control-refused").join("state")).await;
    let caller = app.caller();
    prepare(caller, "e", "wine", &[("a", 1.0)]).await;
    let (model, explainer) = example("wine");
    let variant = json!({"VariantName": "a", "ModelName": "e"});
    let config = |change: Value| {
        let mut config =
            json!({"EndpointConfigName": "new", "ProductionVariants": [variant], "ExplainerConfig": explainer});
        config.as_object_mut().expect("is one").extend(change.as_object().expect("is one").clone());
        config
    };
    let mut text = String::new();
    for (operation, input) in [
        ("CreateModel", json!({"ModelName": "e", "PrimaryContainer": model})),
        ("CreateModel", json!({"ModelName": "-e"})),
        ("CreateModel", json!({"ModelName": "new"})),
        ("CreateModel", json!({"ModelName": "new", "Containers": [model, model]})),
        ("CreateModel", json!({"ModelName": "new", "PrimaryContainer": {"ModelPackageName": "p"}})),
        ("CreateModel", json!({"ModelName": "new", "PrimaryContainer": model, "Colour": "red"})),
        ("DescribeModel", json!({"ModelName": "New"})),
        ("CreateEndpointConfig", config(json!({"EndpointConfigName": "E"}))),
        ("CreateEndpointConfig", config(json!({"ProductionVariants": [{"VariantName": "a", "ModelName": "no"}]}))),
        ("CreateEndpointConfig", config(json!({"ProductionVariants": [variant, variant, {"VariantName": "b"}]}))),
        (
            "CreateEndpointConfig",
            config(
                json!({"ProductionVariants": [{"VariantName": "a", "ModelName": "e", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}]}),
            ),
        ),
        (
            "CreateEndpointConfig",
            config(json!({"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b/p"}}})),
        ),
        (
            "CreateEndpointConfig",
            config(
                json!({"DataCaptureConfig": {"EnableCapture": true, "InitialSamplingPercentage": 1, "DestinationS3Uri": "s3://b/p", "CaptureOptions": [{"CaptureMode": "Input"}]}}),
            ),
        ),
        (
            "CreateEndpointConfig",
            config(
                json!({"ExplainerConfig": {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {}}}}}),
            ),
        ),
        ("CreateEndpoint", json!({"EndpointName": "new", "EndpointConfigName": "no"})),
        (
            "CreateEndpoint",
            json!({"EndpointName": "new", "EndpointConfigName": "e", "DeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}}),
        ),
        ("UpdateEndpoint", json!({"EndpointName": "no", "EndpointConfigName": "e"})),
        ("DeleteEndpoint", json!({"EndpointName": "no"})),
        ("ListModels", json!({"NextToken": "no"})),
        ("ListModels", json!({"MaxResults": 101})),
        ("AddTags", json!({"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/no", "Tags": []})),
        ("CreateTrainingJob", json!({})),
    ] {
        let (code, message) = refused(caller, operation, input).await;
        writeln!(text, "{operation}: {code}: {message}\n").expect("writes");
    }
    for (title, request) in [
        ("no target", with(call("ListModels", &json!({})), "x-amz-target", "")),
        ("another service", with(call("ListModels", &json!({})), "x-amz-target", "Logs.ListModels")),
        ("a list", call("ListModels", &json!([]))),
        ("a member twice", call("ListModels", &json!({})).map(|_| r#"{"a":1,"a":1}"#.into())),
        ("nothing", call("ListModels", &json!({})).map(|_| "".into())),
    ] {
        let answer = app.send(request).await;
        writeln!(text, "=== {title}\n{}\n", show(&answer)).expect("writes");
    }
    assert_snapshot!(text);
}

#[tokio::test]
async fn an_endpoint_that_cannot_serve_fails_with_the_member_and_the_reason() {
    let app = controlled(&folder("control-failed").join("state")).await;
    let caller = app.caller();
    let (_, explainer) = example("wine");
    let mut text = String::new();
    for (name, container) in [
        ("nothing", json!({"Image": "account.dkr.ecr.region/xgboost:1.7-1"})),
        ("missing", json!({"ModelDataUrl": "no-such-model.json"})),
        (
            "misspelt",
            json!({"ModelDataUrl": example("wine").0["ModelDataUrl"], "Environment": {"EXPLAIND_KERNAL": "x"}}),
        ),
        ("another", json!({"ModelDataUrl": example("breast-cancer").0["ModelDataUrl"]})),
    ] {
        called(caller, "CreateModel", json!({"ModelName": name, "PrimaryContainer": container})).await;
        let variants = json!([{"VariantName": "v", "ModelName": name}]);
        let config =
            json!({"EndpointConfigName": name, "ProductionVariants": variants, "ExplainerConfig": explainer});
        called(caller, "CreateEndpointConfig", config).await;
        called(caller, "CreateEndpoint", json!({"EndpointName": name, "EndpointConfigName": name})).await;
        let described = settled(caller, name).await;
        assert_eq!(described["EndpointStatus"], "Failed");
        writeln!(text, "{name}: {}", described["FailureReason"].as_str().expect("is a text")).expect("writes");
        let update = json!({"EndpointName": name, "EndpointConfigName": name});
        assert!(refused(caller, "UpdateEndpoint", update).await.1.contains("is Failed"));
        assert_eq!(app.send(invoke(name, records("wine", 1))).await.status, 400);
        called(caller, "DeleteEndpoint", json!({"EndpointName": name})).await;
    }
    assert_snapshot!(text);
}

#[tokio::test]
async fn a_failing_update_leaves_what_serves_and_tells_why() {
    let app = controlled(&folder("control-update").join("state")).await;
    let caller = app.caller();
    prepare(caller, "e", "wine", &[("a", 1.0)]).await;
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "e"})).await;
    let before = settled(caller, "e").await;
    called(caller, "CreateModel", json!({"ModelName": "bad", "PrimaryContainer": {"ModelDataUrl": "no.json"}}))
        .await;
    let config =
        json!({"EndpointConfigName": "bad", "ProductionVariants": [{"VariantName": "a", "ModelName": "bad"}]});
    called(caller, "CreateEndpointConfig", config).await;
    called(caller, "UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "bad"})).await;
    let after = settled(caller, "e").await;
    assert_eq!((&after["EndpointStatus"], &after["EndpointConfigName"]), (&json!("InService"), &json!("e")));
    assert!(after["FailureReason"].as_str().is_some_and(|reason| reason.contains("ModelDataUrl")), "{after}");
    assert_eq!(after["ProductionVariants"], before["ProductionVariants"]);
    assert_eq!(app.send(invoke("e", records("wine", 1))).await.status, 200);
}

#[tokio::test]
async fn variants_share_requests_by_weight_and_answer_when_they_are_named() {
    let app = controlled(&folder("control-variants").join("state")).await;
    let caller = app.caller();
    prepare(caller, "e", "wine", &[("a", 3.0), ("b", 1.0)]).await;
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "e"})).await;
    settled(caller, "e").await;
    let counts = shares(&app, 40).await;
    assert!(counts[0].abs_diff(30) <= 2 && counts[0] + counts[1] == 40, "{counts:?}");
    let named = app.send(with(invoke("e", records("wine", 1)), "x-amzn-sagemaker-target-variant", "b")).await;
    assert_eq!((named.status, named.header("x-amzn-invoked-production-variant")), (200, "b"));
    let weights =
        json!([{"VariantName": "a", "DesiredWeight": 0}, {"VariantName": "b", "DesiredInstanceCount": 4}]);
    let update = json!({"EndpointName": "e", "DesiredWeightsAndCapacities": weights});
    called(caller, "UpdateEndpointWeightsAndCapacities", update).await;
    assert_eq!(shares(&app, 4).await, [0, 4]);
    called(
        caller,
        "UpdateEndpoint",
        json!({"EndpointName": "e", "EndpointConfigName": "e", "RetainAllVariantProperties": true}),
    )
    .await;
    let described = settled(caller, "e").await;
    let weights =
        described["ProductionVariants"].as_array().expect("is a list").iter().map(|v| &v["CurrentWeight"]);
    assert_eq!(weights.collect::<Vec<_>>(), [&json!(0.0), &json!(1.0)]);
    assert_eq!(shares(&app, 4).await, [0, 4]);
    let nothing =
        json!({"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "b", "DesiredWeight": 0}]});
    called(caller, "UpdateEndpointWeightsAndCapacities", nothing).await;
    let answer = app.send(invoke("e", records("wine", 1))).await;
    assert!(answer.status == 400 && answer.json()["Message"].to_string().contains("weight 0"), "{answer:?}");
}

async fn shares(app: &TestApp, n_requests: usize) -> [usize; 2] {
    let mut counts = [0, 0];
    for _ in 0..n_requests {
        let answer = app.send(invoke("e", records("wine", 1))).await;
        let variant = answer.header("x-amzn-invoked-production-variant");
        counts[usize::from(variant == "b")] += usize::from(answer.status == 200);
    }
    counts
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_done() {
    let state = folder("control-full").join("state");
    let app = controlled(&state).await;
    let caller = app.caller();
    prepare(caller, "e", "wine", &[("a", 1.0)]).await;
    std::fs::write(state.join("endpoint"), "in the way").expect("writes");
    let answer = app.send(call("CreateEndpoint", &json!({"EndpointName": "e", "EndpointConfigName": "e"}))).await;
    assert_eq!((answer.status, &answer.json()["__type"]), (500, &json!("InternalFailure")));
    assert!(!answer.json().to_string().contains("state/"), "paths are for the log");
    assert_eq!(called(caller, "ListEndpoints", json!({})).await, json!({"Endpoints": []}));
    std::fs::remove_file(state.join("endpoint")).expect("removes");
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "e"})).await;
    assert_eq!(settled(caller, "e").await["EndpointStatus"], "InService");
}

#[tokio::test]
async fn what_a_definition_file_describes_is_not_deployed_elsewhere() {
    let process = Process::keeping(&folder("control-files").join("state"), &[&example_folder("wine")]);
    let caller = &process.caller;
    let variants = json!([{"VariantName": "v", "ModelName": "wine"}]);
    let config = json!({"EndpointConfigName": "own", "ProductionVariants": variants});
    assert!(
        refused(caller, "CreateEndpointConfig", config).await.1.contains("only the file can change or use it")
    );
    let endpoint = json!({"EndpointName": "own", "EndpointConfigName": "wine"});
    assert!(refused(caller, "CreateEndpoint", endpoint).await.1.contains("only the file can change or use it"));
}

#[tokio::test]
async fn a_container_that_is_not_there_fails_the_endpoint_and_leaves_what_an_update_finds() {
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("is bound");
    let state = folder("control-container").join("state");
    let app = controlled_treating(&state, |containers| containers.container_ready_ms = 600).await;
    let caller = app.caller();
    prepare(caller, "e", "wine", &[("a", 1.0)]).await;
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "e"})).await;
    settled(caller, "e").await;
    let container = json!({"Image": format!("http://{nobody}")});
    called(caller, "CreateModel", json!({"ModelName": "gone", "PrimaryContainer": container})).await;
    let variants = json!([{"VariantName": "v", "ModelName": "gone"}]);
    called(caller, "CreateEndpointConfig", json!({"EndpointConfigName": "gone", "ProductionVariants": variants}))
        .await;
    called(caller, "CreateEndpoint", json!({"EndpointName": "gone", "EndpointConfigName": "gone"})).await;
    let failed = settled(caller, "gone").await;
    assert_eq!(failed["EndpointStatus"], "Failed");
    assert_eq!(
        failed["FailureReason"],
        "variant v: PrimaryContainer: GET /ping: The model container could not be reached."
    );
    called(caller, "UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "gone"})).await;
    let kept = settled(caller, "e").await;
    assert_eq!((&kept["EndpointStatus"], &kept["EndpointConfigName"]), (&json!("InService"), &json!("e")));
    assert_eq!(app.send(invoke("e", records("wine", 1))).await.status, 200);
}

#[tokio::test]
async fn pages_in_a_browser_may_not_call_without_a_key() {
    let app = controlled(&folder("control-origin").join("state")).await;
    let answer = app.send(with(call("ListModels", &json!({})), "origin", "http://evil.example")).await;
    assert_eq!((answer.status, &answer.json()["__type"]), (403, &json!("AccessDeniedException")));
}

#[tokio::test]
async fn descriptions_that_wait_leave_room_for_other_calls() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let container = json!({"Image": format!("http://{}", silent.local_addr().expect("is bound"))});
    let state = folder("control-waiting").join("state");
    let app = controlled_treating(&state, |containers| containers.container_ready_ms = 5_000).await;
    let caller = app.caller();
    called(caller, "CreateModel", json!({"ModelName": "e", "PrimaryContainer": container})).await;
    let variants = json!([{"VariantName": "v", "ModelName": "e"}]);
    called(caller, "CreateEndpointConfig", json!({"EndpointConfigName": "e", "ProductionVariants": variants}))
        .await;
    called(caller, "CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "e"})).await;
    let describe = || app.begin(call("DescribeEndpoint", &json!({"EndpointName": "e"})));
    let waiting: Vec<_> = (0..100).map(|_| describe()).collect();
    tokio::time::sleep(ms(200)).await;
    called(caller, "ListModels", json!({})).await;
    for answer in waiting {
        assert_eq!(answer.await.expect("ends").json()["EndpointStatus"], "Creating");
    }
}
