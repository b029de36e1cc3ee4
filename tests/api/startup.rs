//! The program itself: what refuses to start and how it says so, and the commands that print.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Instant;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::process::{explaind, folder, output};
use crate::support::{PATIENCE, example_folder, ms};

/// The one line on stderr, with the folder hidden. Exit code 1, nothing on stdout.
fn refusal(command: &mut Command, folder: &Path) -> String {
    let Output { status, stdout, stderr } = output(command);
    let stderr = String::from_utf8(stderr).expect("is UTF-8");
    assert_eq!((status.code(), stdout.len(), stderr.lines().count()), (Some(1), 0, 1), "{stderr}");
    stderr.trim_end().replace(&folder.display().to_string(), "[folder]")
}

fn refuses_to_serve(folder: &Path) -> String {
    let path = folder.display().to_string();
    let command = ["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--endpoints", &path];
    refusal(&mut explaind(&command), folder)
}

/// The wine example with its model beside it.
fn wine(folder: &Path) -> Value {
    std::fs::copy(example_folder("wine").join("model.json"), folder.join("model.json")).expect("copies");
    let json = std::fs::read(example_folder("wine").join("endpoint.json")).expect("reads");
    serde_json::from_slice(&json).expect("is JSON")
}

fn write(folder: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(folder).expect("creates");
    std::fs::write(folder.join("endpoint.json"), text).expect("writes");
}

/// A part of the wine definition and what is put there.
type Change = (&'static str, &'static str, Value);

const CLARIFY: &str = "/ExplainerConfig/ClarifyExplainerConfig";
const SHAP: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig";
const BASELINE: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig/ShapBaselineConfig";
const INFERENCE: &str = "/ExplainerConfig/ClarifyExplainerConfig/InferenceConfig";

#[test]
fn a_definition_that_cannot_serve_is_named_with_the_member_and_the_reason() {
    let changes: [Change; 31] = [
        ("", "EndpointName", json!("-wine")),
        ("", "EndpointName", json!(7)),
        ("", "Tags", json!([])),
        ("", "PrimaryContainer", Value::Null),
        ("/PrimaryContainer", "ModelDataUrl", json!("no-such-model.json")),
        ("/PrimaryContainer", "ModelDataUrl", json!("gs://bucket/model.json")),
        ("/PrimaryContainer", "Mode", json!("MultiModel")),
        ("/PrimaryContainer", "Environment", json!({"EXPLAIND_KERNAL": "shapley"})),
        ("/PrimaryContainer", "Environment", json!({"EXPLAIND_KERNEL": "gauss"})),
        ("/PrimaryContainer", "Environment", json!({"EXPLAIND_ESTIMATOR": "enumerated"})),
        ("/PrimaryContainer", "Environment", json!({"EXPLAIND_KERNEL": "clarify", "EXPLAIND_ESTIMATOR": "trend"})),
        (
            "/PrimaryContainer",
            "Environment",
            json!({"EXPLAIND_CONTAINER_URL": "http://me:secret@host/invocations"}),
        ),
        ("/PrimaryContainer", "Image", json!("https://host/path")),
        ("/PrimaryContainer", "ModelDataUrl", Value::Null),
        (CLARIFY, "EnableExplanations", json!("[1]>")),
        (CLARIFY, "EnableExplanations", json!("")),
        (CLARIFY, "EnableExplanation", json!("`true`")),
        (SHAP, "NumberOfSamples", json!(0)),
        (SHAP, "NumberOfSamples", json!(-1)),
        (SHAP, "Seed", json!("1")),
        (SHAP, "TextConfig", json!({"Granularity": "word", "Language": "ja"})),
        (BASELINE, "MimeType", json!("application/json")),
        (BASELINE, "ShapBaselineUri", json!("ftp://host/baseline.csv")),
        (BASELINE, "ShapBaseline", Value::Null),
        (BASELINE, "ShapBaseline", json!("1,2,3")),
        (BASELINE, "ShapBaseline", json!("1,2,3,4,5,6,7,8,9,10,11,12,red")),
        (BASELINE, "ShapBaseline", json!("")),
        (INFERENCE, "FeatureHeaders", json!(["alcohol"])),
        (INFERENCE, "LabelHeaders", json!(["a", "b"])),
        (INFERENCE, "LabelHeaders", json!(["a", "", 7])),
        (INFERENCE, "FeatureTypes", json!(["numerical", "text"])),
    ];
    let folder = folder("definition");
    let mut text = String::new();
    for (place, member, value) in changes {
        let mut definition = wine(&folder);
        writeln!(text, "=== {place}/{member} = {value}").expect("writes");
        definition.pointer_mut(place).expect("is there")[member] = value;
        write(&folder, definition.to_string());
        writeln!(text, "{}\n", refuses_to_serve(&folder)).expect("writes");
    }
    assert_snapshot!(text);
}

#[test]
fn an_estimator_of_a_flag_that_does_not_fit_the_kernel_is_named() {
    let folder = folder("flags");
    write(&folder, wine(&folder).to_string());
    let path = folder.display().to_string();
    let command =
        ["serve", "--device", "cpu", "--kernel", "clarify", "--estimator", "trend", "--endpoints", &path];
    assert_snapshot!(refusal(&mut explaind(&command), &folder), @"explaind: [folder]/endpoint.json: the endpoint cannot serve: PrimaryContainer.Environment.EXPLAIND_ESTIMATOR: the estimator trend is made for the kernel shapley, not for the kernel clarify");
}

#[test]
fn a_file_that_is_no_definition_is_named() {
    let folder = folder("no-definition");
    let definition = wine(&folder).to_string();
    let mut text = String::new();
    for (title, json) in [
        ("empty", String::new()),
        ("cut off", definition[..200].to_owned()),
        ("a list", "[]".to_owned()),
        ("two definitions", definition.repeat(2)),
        ("a member twice", definition.replacen('{', r#"{"EndpointName":"a","#, 1)),
        ("a member of a part twice", definition.replacen("\"Mode\"", r#""Mode":"a","Mode""#, 1)),
    ] {
        write(&folder, json);
        writeln!(text, "=== {title}\n{}\n", refuses_to_serve(&folder)).expect("writes");
    }
    write(&folder, b"{\"EndpointName\": \"\xff\"}");
    writeln!(text, "=== not UTF-8\n{}\n", refuses_to_serve(&folder)).expect("writes");
    assert_snapshot!(text);
}

#[test]
fn a_damaged_model_is_named() {
    let folder = folder("damaged-model");
    write(&folder, wine(&folder).to_string());
    let model = std::fs::read_to_string(folder.join("model.json")).expect("reads");
    let mut text = String::new();
    for (title, damaged) in [
        ("empty", String::new()),
        ("cut off", model[..model.len() / 2].to_owned()),
        ("not a model", "{}".to_owned()),
        ("a node with a child out of range", model.replacen("\"left_children\":[1", "\"left_children\":[9999", 1)),
    ] {
        std::fs::write(folder.join("model.json"), damaged).expect("writes");
        writeln!(text, "=== {title}\n{}\n", refuses_to_serve(&folder)).expect("writes");
    }
    assert_snapshot!(text);
}

#[test]
fn paths_without_an_endpoint_and_names_given_twice_are_named() {
    let folder = folder("paths");
    assert_snapshot!(refuses_to_serve(&folder), @"explaind: [folder]: neither endpoint.json nor a folder with one");
    assert_snapshot!(refuses_to_serve(&folder.join("missing")).replace(&folder.display().to_string(), "[folder]"), @"explaind: [folder]: the endpoint cannot serve: [folder]: No such file or directory (os error 2)");
    for name in ["a", "b"] {
        std::fs::create_dir(folder.join(name)).expect("creates");
        write(&folder.join(name), wine(&folder.join(name)).to_string());
    }
    assert_snapshot!(refuses_to_serve(&folder), @r#"explaind: [folder]/b/endpoint.json: the endpoint "wine" is also defined in [folder]/a/endpoint.json"#);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("is bound").to_string();
    let wine = example_folder("wine").display().to_string();
    let command = ["serve", "--device", "cpu", "--endpoints", &wine, "--listen", &address];
    let stderr = refusal(&mut explaind(&command), Path::new("/nowhere")).replace(&address, "[address]");
    assert_snapshot!(stderr, @"explaind: --listen [address]: Address already in use (os error 98)");
}

#[test]
#[cfg(target_os = "linux")]
fn a_gpu_that_was_asked_for_and_is_not_there_refuses_to_start() {
    let wine = example_folder("wine").display().to_string();
    let mut command = explaind(&["serve", "--device", "gpu", "--endpoints", &wine, "--listen", "127.0.0.1:0"]);
    for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        command.env(name, "/nonexistent");
    }
    assert_snapshot!(refusal(&mut command, Path::new("/nowhere")), @"explaind: --device gpu: no adapter was found");
}

#[test]
fn the_demo_draws_one_record_from_any_folder() {
    let output = output(explaind(&["demo", "--once", "--device", "cpu"]).current_dir(folder("elsewhere")));
    let text = String::from_utf8(output.stdout).expect("is UTF-8");
    assert!(output.status.success(), "{:?} {text}", output.status);
    assert_eq!(String::from_utf8(output.stderr).expect("is UTF-8"), "");
    assert!(!text.contains('\x1b'), "no colour codes in a pipe");
    for part in
        ["f(baseline)", "f(record)", "█", "x-explaind-device     cpu", "curl http://127.0.0.1:", "import boto3"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn the_demo_draws_a_message_by_token_and_by_sentence() {
    let output = output(&mut explaind(&["demo", "--once", "--device", "cpu", "--example", "spam"]));
    let text = String::from_utf8(output.stdout).expect("is UTF-8");
    assert!(output.status.success(), "{:?} {text}", output.status);
    assert!(!text.contains('\x1b'), "no colour codes in a pipe");
    for part in [
        "Endpoint spam: ",
        "message, 46 units, ",
        "free[+",
        "“free” at ",
        "Endpoint spam-sentences: ",
        "message, 4 units, ",
        "report.[+",
        "f(record)",
        "/endpoints/spam/invocations",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn devices_says_what_each_policy_would_do() {
    let output = output(&mut explaind(&["devices"]));
    let text = String::from_utf8(output.stdout).expect("is UTF-8");
    assert!(output.status.success(), "{text}");
    for part in ["cpu: ", "--device auto: ", "--device gpu: "] {
        assert!(text.lines().any(|line| line.starts_with(part)), "{part} is not in\n{text}");
    }
}

#[test]
#[cfg(unix)]
fn sigterm_ends_the_server_well() {
    let wine = example_folder("wine").display().to_string();
    let command = ["serve", "--listen", "127.0.0.1:0", "--device", "cpu", "--endpoints", &wine];
    let mut server = explaind(&command).stdout(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(server.stdout.take().expect("is piped"));
    stdout.read_line(&mut line).expect("reads");
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    // The signal handler may come a moment after the line.
    sleep(ms(200));
    let killed = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().expect("runs");
    assert!(killed.success());
    let started = Instant::now();
    while server.try_wait().expect("is ours").is_none() {
        assert!(started.elapsed() < PATIENCE, "the server goes on");
        sleep(ms(5));
    }
    assert_eq!(server.wait().expect("has ended").code(), Some(0));
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    for arguments in [&["devices"][..], &["demo", "--once", "--device", "cpu"]] {
        let mut child = explaind(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        let stderr = String::from_utf8(output.stderr).expect("is UTF-8");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
