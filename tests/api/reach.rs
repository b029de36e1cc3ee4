//! Endpoints of people who may not name all places: what they name is within reach, or the endpoint does not open.

use std::path::{Path, PathBuf};

use explaind::aws::definition::member;
use explaind::fetch::{Reach, THIS_MACHINE};
use serde_json::{Value, json};

use crate::container::StubContainer;
use crate::many_models::{Manner, ManyModels};
use crate::support::{TestApp, example_folder, invoke, open, open_within, records, with};

const URI: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig/ShapBaselineConfig";

/// Folders `in` and `out`, each with the wine model and a baseline.
fn folders(test: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reach-{test}"));
    let _ = std::fs::remove_dir_all(&root);
    for name in ["in", "out"] {
        let models = root.join(name).join("models");
        std::fs::create_dir_all(&models).expect("is made");
        for copy in [root.join(name).join("model.json"), models.join("wine.json")] {
            std::fs::copy(example_folder("wine").join("model.json"), copy).expect("copies");
        }
        std::fs::write(root.join(name).join("baseline.csv"), records("wine", 3)).expect("writes");
    }
    root
}

fn wine(container: Value) -> Value {
    let definition = std::fs::read(example_folder("wine").join("endpoint.json")).expect("reads");
    let mut definition: Value = serde_json::from_slice(&definition).expect("is JSON");
    definition["PrimaryContainer"] = container;
    definition
}

fn with_baseline(location: &str) -> Value {
    let mut definition = wine(json!({ "ModelDataUrl": "model.json" }));
    *definition.pointer_mut(URI).expect("is there") =
        json!({ "MimeType": "text/csv", "ShapBaselineUri": location });
    definition
}

fn with_baseline_lines(location: &str, features: &str) -> Value {
    let mut definition = with_baseline(location);
    definition.pointer_mut(URI).expect("is there")["MimeType"] = json!("application/jsonlines");
    let clarify = definition.pointer_mut("/ExplainerConfig/ClarifyExplainerConfig").expect("is there");
    clarify["InferenceConfig"]["FeaturesAttribute"] = json!(features);
    definition
}

/// Below the folder `in`, and on hosts that the patterns fit.
fn reach(root: &Path, backends: &[&str]) -> Reach {
    Reach::confined(&[root.join("in")], &[], backends).expect("makes sense")
}

/// The member and the reason, without where the folders are.
async fn refusal(reach: &Reach, definition: &Value, root: &Path) -> String {
    let error = open_within(reach, definition, &root.join("in")).await.err().expect("is refused");
    format!("{}: {error}", member(&error)).replace(&root.display().to_string(), "ROOT")
}

#[tokio::test]
async fn what_is_below_a_root_serves_as_it_does_for_the_operator() {
    let root = folders("within");
    let reach = reach(&root, &[]);
    let url = format!("file://{}/in/../in/model.json", root.display());
    let many = json!({ "ModelDataUrl": "models", "Mode": "MultiModel" });
    for (definition, target) in [
        (wine(json!({ "ModelDataUrl": "model.json" })), None),
        (wine(json!({ "ModelDataUrl": url })), None),
        (wine(many), Some("wine.json")),
        (with_baseline("baseline.csv"), None),
    ] {
        let mut bodies = Vec::new();
        for endpoint in
            [open_within(&reach, &definition, &root.join("in")).await, open(&definition, &root.join("in")).await]
        {
            let app = TestApp::with_endpoint(endpoint.expect("opens")).await;
            let plain = invoke("wine", records("wine", 2));
            let request = match target {
                Some(target) => with(plain, "x-amzn-sagemaker-target-model", target),
                None => plain,
            };
            let answer = app.send(request).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            bodies.push(answer.body);
        }
        assert_eq!(bodies[0], bodies[1]);
    }
    // What a part before `..` leads to is not looked at.
    for mode in ["SingleModel", "MultiModel"] {
        let name = if mode == "MultiModel" { "models" } else { "model.json" };
        let definition = wine(json!({ "ModelDataUrl": format!("gone/../{name}"), "Mode": mode }));
        assert!(open_within(&reach, &definition, &root.join("in")).await.is_ok(), "{mode}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_outside_are_refused_and_nothing_tells_whether_they_are_there() {
    let root = folders("outside");
    for (to, link) in [
        ("../out/model.json", "link.json"),
        ("../out/gone.json", "gone-link.json"),
        ("../out", "link"),
        ("/dev/zero", "device"),
    ] {
        std::os::unix::fs::symlink(to, root.join("in").join(link)).expect("is made");
    }
    let reach = reach(&root, &["*"]);
    for (location, shown) in [
        ("../out/model.json", "ROOT/in/../out/model.json"),
        ("../out/gone.json", "ROOT/in/../out/gone.json"),
        ("../gone/../in/../out/model.json", "ROOT/in/../gone/../in/../out/model.json"),
        ("file:../out/model.json", "ROOT/in/../out/model.json"),
        ("file:///etc/passwd", "/etc/passwd"),
        ("file:////etc/passwd", "//etc/passwd"),
        ("/etc/passwd", "/etc/passwd"),
        ("/etc/no-such-file", "/etc/no-such-file"),
        ("/proc/self/environ", "/proc/self/environ"),
        ("link.json", "ROOT/in/link.json"),
        ("gone-link.json", "ROOT/in/gone-link.json"),
        ("link/model.json", "ROOT/in/link/model.json"),
        ("device", "ROOT/in/device"),
        ("gone.json", "ROOT/in/gone.json"),
        ("..%2fout%2fmodel.json", "ROOT/in/..%2fout%2fmodel.json"),
        ("%2e%2e/out/model.json", "ROOT/in/%2e%2e/out/model.json"),
    ] {
        let told = refusal(&reach, &wine(json!({ "ModelDataUrl": location })), &root).await;
        let reason = "there is no such file below a folder of --file-root";
        assert_eq!(told, format!("PrimaryContainer.ModelDataUrl: {shown}: {reason}"));
        let told = refusal(&reach, &with_baseline(location), &root).await;
        assert!(told.contains("ShapBaselineUri: ") && told.ends_with(reason), "{told}");
        let many = wine(json!({ "ModelDataUrl": location, "Mode": "MultiModel" }));
        let told = refusal(&reach, &many, &root).await;
        let reason = "there is no such folder below a folder of --file-root";
        assert_eq!(told, format!("PrimaryContainer.ModelDataUrl: {shown}: {reason}"));
    }
}

#[tokio::test]
async fn keys_and_state_of_the_server_are_not_there_for_others() {
    let root = folders("kept");
    let (keys, state) = (root.join("in/keys.json"), root.join("in/models/state"));
    std::fs::write(&keys, "[{\"access_key_id\": \"AKIA\", \"secret_access_key\": \"secret\"}]\n").expect("writes");
    std::fs::create_dir_all(&state).expect("is made");
    std::fs::copy(root.join("in/model.json"), state.join("wine.json")).expect("copies");
    let reach = Reach::confined::<&str>(&[root.join("in")], &[keys, state], &[]).expect("makes sense");
    let opened = |definition: Value| {
        let (reach, folder) = (reach.clone(), root.join("in"));
        async move { open_within(&reach, &definition, &folder).await.map(drop).map_err(|error| error.to_string()) }
    };
    for name in ["keys.json", "models/../keys.json", "models/state/wine.json"] {
        let baseline = with_baseline_lines(name, "[0].[secret_access_key]");
        for definition in [baseline, wine(json!({ "ModelDataUrl": name }))] {
            let told = opened(definition).await.expect_err("is kept");
            assert!(told.ends_with("there is no such file below a folder of --file-root"), "{told}");
        }
    }
    for folder in ["models/state", "models", "."] {
        let told =
            opened(wine(json!({ "ModelDataUrl": folder, "Mode": "MultiModel" }))).await.expect_err("is kept");
        assert!(told.ends_with("there is no such folder below a folder of --file-root"), "{told}");
    }
    assert_eq!(opened(with_baseline("baseline.csv")).await, Ok(()));
    assert_eq!(opened(wine(json!({ "ModelDataUrl": "models/wine.json" }))).await, Ok(()));
}

#[tokio::test]
async fn a_file_that_others_name_as_a_baseline_shows_nothing_of_its_texts() {
    let root = folders("untold");
    let reach = reach(&root, &[]);
    let member = "ExplainerConfig.ClarifyExplainerConfig.ShapConfig.ShapBaselineConfig";
    let row = records("wine", 1);
    let row = row.trim_end().split_once(',').expect("has cells").1;
    for (expression, text, told) in [
        (None, format!("secret,{row}\n"), "record 1, column 1: \"(not shown)\" is not a number"),
        (Some("[0].[key]"), "[{\"key\": \"secret\"}]\n".to_owned(), "record 1 has 1 features instead of 13"),
        (
            Some("[0].key"),
            format!("[{{\"key\": [\"secret\",{row}]}}]\n"),
            "record 1, column 1: \"(not shown)\" is not a number",
        ),
        (Some("key"), "secret = 7\n".to_owned(), "record 1: byte 1: \"(not shown)\" is not what JSON has here"),
    ] {
        std::fs::write(root.join("in/notes"), text).expect("writes");
        let definition = match expression {
            Some(expression) => with_baseline_lines("notes", expression),
            None => with_baseline("notes"),
        };
        assert_eq!(refusal(&reach, &definition, &root).await, format!("{member}: {told}"));
    }
    // The operator knows the file, and whoever gives a baseline itself knows it too.
    std::fs::write(root.join("in/notes"), format!("secret,{row}\n")).expect("writes");
    let mut definition = with_baseline("notes");
    let shown = "record 1, column 1: \"secret\" is not a number";
    assert_eq!(refusal(&Reach::operator(), &definition, &root).await, format!("{member}: {shown}"));
    let mut inline = definition.clone();
    *inline.pointer_mut(URI).expect("is there") =
        json!({ "MimeType": "text/csv", "ShapBaseline": format!("secret,{row}") });
    assert_eq!(refusal(&reach, &inline, &root).await, format!("{member}: {shown}"));
    // One of many models meets the baseline when it is asked.
    definition["PrimaryContainer"] = json!({ "ModelDataUrl": "models", "Mode": "MultiModel" });
    for (reach, text) in [(reach, "(not shown)"), (Reach::operator(), "secret")] {
        let endpoint = open_within(&reach, &definition, &root.join("in")).await.expect("opens");
        let request = with(invoke("wine", records("wine", 1)), "x-amzn-sagemaker-target-model", "wine.json");
        let answer = TestApp::with_endpoint(endpoint).await.send(request).await;
        let told = format!("{answer:?}");
        assert!(answer.status == 424 && told.contains(text), "{told}");
        assert_eq!(told.contains("secret"), text == "secret", "{told}");
    }
}

#[tokio::test]
async fn a_container_serves_where_a_pattern_fits_it_and_is_not_asked_elsewhere() {
    let container = StubContainer::scoring(|row| row.iter().sum()).await;
    let root = folders("container");
    let port = container.address.port();
    let named = format!("127.0.0.1:{port}");
    let definition = |url: &str| {
        let mut definition = wine(json!({ "Image": url }));
        definition.pointer_mut("/ExplainerConfig/ClarifyExplainerConfig").expect("is there")["InferenceConfig"] =
            Value::Null;
        definition
    };
    for (backends, host) in [
        (&THIS_MACHINE[..], "127.0.0.1"),
        (&THIS_MACHINE, "localhost"),
        (&THIS_MACHINE, "0x7f.1"),
        (&[&*named], "2130706433"),
        (&["*"], "127.0.0.1"),
    ] {
        let definition = definition(&format!("http://{host}:{port}"));
        let endpoint = open_within(&reach(&root, backends), &definition, &root).await.expect("opens");
        let answer = TestApp::with_endpoint(endpoint).await.send(invoke("wine", records("wine", 1))).await;
        assert_eq!(answer.status, 200, "{host} {answer:?}");
    }
    let n_asked = container.asked().len();
    for (backends, host, shown) in [
        (&[][..], "127.0.0.1", &*named),
        (&["127.0.0.1:1"], "127.0.0.1", &named),
        (&["https://127.0.0.1"], "127.0.0.1", &named),
        (&["*.example"], "localhost", &format!("localhost:{port}")),
    ] {
        let told = refusal(&reach(&root, backends), &definition(&format!("http://{host}:{port}")), &root).await;
        assert_eq!(told, format!("PrimaryContainer: no --allow-backend fits {shown}"));
    }
    let reason = "leads to a link-local, metadata, multicast or reserved address, where no --allow-backend leads";
    for (host, shown) in [
        ("169.254.169.254", "169.254.169.254"),
        ("2852039166", "169.254.169.254"),
        ("0", "0.0.0.0"),
        ("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"),
    ] {
        let told = refusal(&reach(&root, &["*"]), &definition(&format!("http://{host}:{port}")), &root).await;
        assert_eq!(told, format!("PrimaryContainer: {shown} {reason}"));
    }
    // The same without an explainer.
    let mut plain = definition(&format!("http://{named}"));
    plain.as_object_mut().expect("is an object").remove("ExplainerConfig");
    assert!(open_within(&reach(&root, &[]), &plain, &root).await.is_err());
    assert_eq!(container.asked().len(), n_asked);
}

#[tokio::test]
async fn a_container_of_many_models_is_sent_only_to_places_within_reach() {
    let container = ManyModels::start(Manner::default()).await;
    let root = folders("many");
    let reach = reach(&root, &["127.*", "models.example"]);
    let inside = root.join("in/models").display().to_string();
    for (models, expected) in [
        (inside.as_str(), true),
        ("https://models.example/a", true),
        ("/opt/ml/models", false),
        ("https://elsewhere.example/a", false),
        ("s3://bucket/models", false),
        ("gs://bucket/models", false),
    ] {
        let definition = container.endpoint(models, None);
        assert_eq!(open_within(&reach, &definition, &root).await.is_ok(), expected, "{models}");
    }
}

#[tokio::test]
async fn models_and_baselines_elsewhere_need_a_pattern_for_their_host() {
    let root = folders("remote");
    let reach = reach(&root, &THIS_MACHINE);
    let host = "no --allow-backend fits models.example:443";
    let told = refusal(&reach, &wine(json!({ "ModelDataUrl": "https://models.example/m?secret" })), &root).await;
    assert_eq!(told, format!("PrimaryContainer.ModelDataUrl: https://models.example/m: {host}"));
    let told = refusal(&reach, &with_baseline("https://u:secret@models.example/b"), &root).await;
    assert!(told.ends_with(&format!("ShapBaselineUri: https://models.example/b: {host}")), "{told}");
    for mode in ["SingleModel", "MultiModel"] {
        let told = refusal(&reach, &wine(json!({ "ModelDataUrl": "s3://bucket/m", "Mode": mode })), &root).await;
        assert!(told.starts_with("PrimaryContainer.ModelDataUrl: s3://bucket/m"), "{told}");
        assert!(told.contains("no --allow-backend fits "), "{told}");
    }
    let told = refusal(&reach, &wine(json!({ "ModelDataUrl": "https://169.254.169.254/latest" })), &root).await;
    assert!(told.ends_with("no --allow-backend fits 169.254.169.254:443"), "{told}");
}
