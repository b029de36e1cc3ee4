//! Who may call: requests with and without keys, in front of endpoints and metrics, and the settings that say so.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use explaind::aws::signature::Keys;
use explaind::http::Gate;
use insta::assert_snapshot;

use crate::process::{explaind, folder, output};
use crate::show::show_error;
use crate::signer::Signer;
use crate::support::{Answer, TestApp, example_folder, get, invoke, records, with};
use crate::wire::whole;

const KEYS: &str = r#"[{"access_key_id": "me", "secret_access_key": "opensesame"}, {"bearer": "letmein"}]"#;
const SECRET: &str = "opensesame";

fn gate(is_loopback: bool) -> Gate {
    let keys = Keys::read(KEYS.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    Gate::with(keys, is_loopback)
}

fn signer(app: &TestApp) -> Signer {
    Signer { access_key_id: "me", secret: SECRET, host: app.address().to_string(), now: SystemTime::now() }
}

/// The answers to InvokeEndpoint of one record: signed with changes of the signer, of the body afterwards.
async fn signed(app: &TestApp, endpoint: &str, change: impl FnOnce(&mut Signer)) -> Answer {
    let mut signer = signer(app);
    change(&mut signer);
    let body = records("wine", 1);
    app.send(signer.sign(invoke(endpoint, body.clone()), &body)).await
}

#[tokio::test]
async fn without_keys_everybody_may_call_whatever_the_authorization() {
    let app = TestApp::start().await;
    assert_eq!(signed(&app, "wine", |signer| signer.secret = "another").await.status, 200);
    let request = || invoke("wine", records("wine", 1));
    for authorization in ["Bearer x", "Basic bWU6bWU=", "AWS4-HMAC-SHA256", "\u{e9}"] {
        let answer = app.send(with(request(), "authorization", authorization)).await;
        assert_eq!(answer.status, 200, "{authorization}: {answer:?}");
    }
}

#[tokio::test]
async fn who_has_a_key_may_call() {
    let app = TestApp::behind(gate(true)).await;
    let answer = signed(&app, "wine", |_| {}).await;
    assert_eq!((answer.status, answer.header("x-amzn-invoked-production-variant")), (200, "AllTraffic"));
    for minutes in [-14, 14] {
        let answer = signed(&app, "wine", |signer| signer.now = moved(signer.now, minutes)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let bearing = with(invoke("wine", records("wine", 1)), "authorization", "Bearer letmein");
    assert_eq!(app.send(bearing).await.status, 200);
}

fn moved(time: SystemTime, minutes: i64) -> SystemTime {
    let by = Duration::from_secs(minutes.unsigned_abs() * 60);
    if minutes < 0 { time - by } else { time + by }
}

#[tokio::test]
async fn who_has_none_is_refused_in_the_words_of_aws() {
    let app = TestApp::behind(gate(true)).await;
    let request = || invoke("wine", records("wine", 1));
    let mut told = vec![show_error(&app.send(request()).await)];
    for authorization in ["Bearer letmeout", "Basic bWU6bWU="] {
        told.push(show_error(&app.send(with(request(), "authorization", authorization)).await));
    }
    told.push(show_error(&signed(&app, "wine", |signer| signer.access_key_id = "you").await));
    told.push(show_error(&signed(&app, "wine", |signer| signer.secret = "another").await));
    let other_body = signer(&app).sign(request(), &records("wine", 2));
    told.push(show_error(&app.send(other_body).await));
    let unsigned = with(signer(&app).sign(request(), &records("wine", 1)), "x-amzn-sagemaker-inference-id", "7");
    told.push(show_error(&app.send(unsigned).await));
    assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn a_signature_of_another_hour_is_refused_with_both_times() {
    let app = TestApp::behind(gate(true)).await;
    for (minutes, begin, sign) in [(-16, "Signature expired: ", '-'), (16, "Signature not yet current: ", '+')] {
        let answer = signed(&app, "wine", |signer| signer.now = moved(signer.now, minutes)).await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (403, "InvalidSignatureException"));
        let text = answer.json()["Message"].as_str().expect("is a text").to_owned();
        assert!(text.starts_with(begin) && text.ends_with(&format!("Z {sign} 15 min.)")), "{text}");
    }
}

#[tokio::test]
async fn strangers_are_not_told_which_endpoints_there_are() {
    let app = TestApp::behind(gate(true)).await;
    let mut told = Vec::new();
    for endpoint in ["wine", "no-such-endpoint", "%FF"] {
        told.push(show_error(&app.send(invoke(endpoint, "1")).await));
        told.push(show_error(&signed(&app, endpoint, |signer| signer.access_key_id = "you").await));
    }
    assert_eq!((&told[0..2], &told[0..2]), (&told[2..4], &told[4..6]));
    // A key's name is no secret, and so no key.
    let wrong = |signer: &mut Signer| signer.secret = "another";
    let known = show_error(&signed(&app, "wine", wrong).await);
    assert_eq!(show_error(&signed(&app, "no-such-endpoint", wrong).await), known);
    assert_eq!(signed(&app, "no-such-endpoint", |_| {}).await.status, 400);
}

#[tokio::test]
async fn a_body_that_is_too_large_to_verify_tells_nothing_either() {
    let app = TestApp::behind(gate(true)).await;
    let body = "1".repeat((6 << 20) + 1);
    let signer = Signer { secret: "wrong", ..signer(&app) };
    for endpoint in ["wine", "nowhere"] {
        let answer = app.send(signer.sign(invoke(endpoint, body.clone()), &body)).await;
        assert_eq!((answer.status, answer.header("x-amzn-invoked-production-variant")), (413, ""), "{endpoint}");
    }
}

#[tokio::test]
async fn no_body_is_taken_from_a_stranger() {
    let app = TestApp::behind(gate(true)).await;
    // A body over the limit would be refused for its size.
    let large = || "1".repeat((6 << 20) + 1);
    assert_eq!(app.send(invoke("wine", large())).await.status, 403);
    let unknown = Signer { access_key_id: "you", ..signer(&app) };
    assert_eq!(app.send(unknown.sign(invoke("wine", large()), "")).await.status, 403);
    assert_eq!(app.send(signer(&app).sign(invoke("wine", large()), "")).await.status, 413);
    // The connection can be used again.
    let mut wire = app.wire().await;
    for _ in 0..2 {
        assert!(wire.write(whole("wine", "1")).await);
        assert!(wire.answer().await.starts_with("HTTP/1.1 403 "));
    }
}

#[tokio::test]
async fn large_bodies_are_verified_too() {
    let app = TestApp::behind(gate(true)).await;
    let body = vec![records("wine", 1); 1_000].join("\n");
    assert!(body.len() > 32 << 10, "is verified on a thread of its own");
    assert_eq!(app.send(signer(&app).sign(invoke("wine", body.clone()), &body)).await.status, 200);
    let changed = format!("{body}1");
    assert_eq!(app.send(signer(&app).sign(invoke("wine", changed), &body)).await.status, 403);
}

#[tokio::test]
async fn metrics_need_a_key_where_strangers_may_ask_and_ping_does_not() {
    let bearing = |path| with(get(path), "authorization", "Bearer letmein");
    for (gate, expected) in [(Gate::open(), 200), (gate(true), 200), (gate(false), 403)] {
        let app = TestApp::behind(gate).await;
        let answer = app.send(get("/metrics")).await;
        assert_eq!(answer.status, expected);
        assert_eq!((app.send(get("/ping")).await.status, app.send(bearing("/metrics")).await.status), (200, 200));
        if expected == 403 {
            assert_snapshot!(show_error(&answer), @r#"
            403
            content-type: application/json
            x-amzn-errortype: MissingAuthenticationTokenException
            x-amzn-requestid: [request id]

            {"Message":"Missing Authentication Token"}
            "#);
            let signed = signer(&app).sign(with(get("/metrics"), "content-type", "text/csv"), "");
            assert_eq!(app.send(signed).await.status, 200);
        }
    }
}

#[tokio::test]
async fn refusals_are_counted_by_their_reason() {
    let app = TestApp::behind(gate(true)).await;
    app.send(invoke("wine", "1")).await;
    signed(&app, "wine", |signer| signer.secret = "another").await;
    let metrics = String::from_utf8(app.send(get("/metrics")).await.body.to_vec()).expect("is UTF-8");
    for reason in ["nothing to go by", "wrong signature"] {
        let line = format!("explaind_access_refusals_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
}

// Settings

/// What the program says that refuses to start, with the folder hidden.
fn refusal(command: &mut Command, folder: &Path) -> String {
    let Output { status, stdout, stderr } = output(command);
    let stderr = String::from_utf8(stderr).expect("is UTF-8");
    assert_eq!((status.code(), stdout.len()), (Some(1), 0), "{stderr}");
    stderr.trim_end().replace(&folder.display().to_string(), "[folder]")
}

fn serve(listen: &str, more: &[&str]) -> Command {
    let wine = example_folder("wine").display().to_string();
    let arguments = ["serve", "--device", "cpu", "--endpoints", &wine, "--listen", listen];
    explaind(&[&arguments, more].concat())
}

/// A file that its owner alone may read.
fn key_file(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("keys.json");
    fs::write(&path, text).expect("writes");
    set_mode(&path, 0o600);
    path
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is ours");
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[test]
fn an_open_address_needs_keys_or_a_flag_that_says_it_is_meant() {
    let folder = folder("open-address");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
        let told = refusal(&mut serve(listen, &[]), &folder);
        assert_eq!(
            told,
            format!(
                "explaind: --listen {listen}: everybody who reaches this address could call; name a file of keys with \
                 --credentials FILE, or say that this is meant with --allow-anonymous"
            )
        );
    }
    // These get as far as the port, which is no address of this machine.
    let path = key_file(&folder, r#"[{"bearer": "hidden"}]"#).display().to_string();
    let mut by_variable = serve("192.0.2.1:80", &[]);
    by_variable.env("EXPLAIND_ALLOW_ANONYMOUS", "1");
    let commands = [
        serve("192.0.2.1:80", &["--allow-anonymous"]),
        serve("192.0.2.1:80", &["--credentials", &path]),
        by_variable,
    ];
    for mut command in commands {
        let told = refusal(&mut command, &folder);
        assert!(told.starts_with("explaind: --listen 192.0.2.1:80: "), "{told}");
        assert!(!told.contains("everybody"), "{told}");
    }
    let both = ["--allow-anonymous", "--credentials", &path];
    assert_snapshot!(refusal(&mut serve("127.0.0.1:0", &both), &folder), @"explaind: --credentials and --allow-anonymous exclude each other");
}

#[test]
#[cfg(unix)]
fn a_file_of_keys_that_others_may_read_is_refused() {
    let folder = folder("key-modes");
    let path = key_file(&folder, r#"[{"bearer": "hidden"}]"#);
    let flags = ["--credentials", &path.display().to_string()];
    for mode in [0o604, 0o640, 0o644, 0o660, 0o601, 0o777] {
        set_mode(&path, mode);
        let told = refusal(&mut serve("127.0.0.1:0", &flags), &folder);
        assert_eq!(
            told,
            format!(
                "explaind: --credentials [folder]/keys.json: others than its owner may use the file (mode {mode:o}): \
                 chmod 600 [folder]/keys.json"
            )
        );
    }
}

#[test]
fn a_file_of_keys_that_is_not_right_is_named_and_no_secret_is_shown() {
    let folder = folder("key-files");
    let mut told = String::new();
    for (title, text) in [
        ("empty", String::new()),
        ("no keys", "[]".to_owned()),
        ("no list", r#"{"bearer": "hidden"}"#.to_owned()),
        ("a number", r#"[{"bearer": 1}]"#.to_owned()),
        ("another member", r#"[{"bearer": "hidden1"}, {"hidden2": "hidden3"}]"#.to_owned()),
        ("no secret", r#"[{"access_key_id": "hidden"}]"#.to_owned()),
        ("an empty secret", r#"[{"access_key_id": "hidden", "secret_access_key": ""}]"#.to_owned()),
        ("twice", r#"[{"bearer": "hidden"}, {"bearer": "hidden"}]"#.to_owned()),
        ("too large", " ".repeat((1 << 20) + 1)),
    ] {
        let flags = ["--credentials", &key_file(&folder, &text).display().to_string()];
        writeln!(told, "=== {title}\n{}\n", refusal(&mut serve("127.0.0.1:0", &flags), &folder)).expect("writes");
    }
    let missing = folder.join("missing.json").display().to_string();
    let flags = ["--credentials", &missing];
    writeln!(told, "=== missing\n{}", refusal(&mut serve("127.0.0.1:0", &flags), &folder)).expect("writes");
    assert!(!told.contains("hidden"), "{told}");
    assert_snapshot!(told);
}
