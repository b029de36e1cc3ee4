//! Requests and answers of containers that are made to cost: refused with their place, at once and in little memory,
//! by the program itself, which answers the next request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::container::{StubContainer, baseline, typed};
use crate::process::Process;
use crate::support::{Answer, example_folder, invoke, records, with};

const CSV: &str = "text/csv";
const JSON_LINES: &str = "application/jsonlines";
const MIB: usize = 1 << 20;
const BODY_BYTES_MAX: usize = 6 * MIB;
/// Of a release build.
const TOOK_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

/// Asks `endpoint`, then asks for something usual. Nothing may take long, or more memory than allowed over that of the
/// idle process; what the allocator kept from earlier requests counts.
async fn check(server: &Process, endpoint: &str, case: &Case, growth_mib_max: u64) -> Answer {
    let Case { title, content_type, body, .. } = case;
    let mut request = with(invoke(endpoint, body.clone()), "content-type", content_type);
    if !case.filter.is_empty() {
        request = with(request, "x-amzn-sagemaker-enable-explanations", case.filter);
    }
    server.begin_peak();
    let started = Instant::now();
    let answer = server.caller.send(request).await;
    let took = started.elapsed();
    assert!(took < TOOK_MAX, "{title} at {endpoint} took {took:?}");
    match server.idle_mib.zip(server.peak()) {
        Some((idle, peak)) => {
            let growth = peak.saturating_sub(idle);
            println!("{title} at {endpoint}: {took:?}, {growth} MiB");
            assert!(growth <= growth_mib_max, "{title} at {endpoint} took {growth} MiB more than {idle}");
        }
        None => println!("skipped: memory of {title} at {endpoint}; this system does not tell it"),
    }
    let usual = server.caller.send(invoke("wine", records("wine", 1))).await;
    assert_eq!(usual.status, 200, "after {title}: {usual:?}");
    answer
}

/// A request, and what the refusal says.
struct Case {
    title: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
    filter: &'static str,
    says: &'static str,
}

fn case(title: &'static str, content_type: &'static str, body: impl Into<Vec<u8>>, says: &'static str) -> Case {
    Case { title, content_type, body: body.into(), filter: "", says }
}

fn refusal(case: &Case, answer: &Answer) {
    let document = answer.json();
    assert_eq!((answer.status, &document["OriginalStatusCode"]), (424, &json!(400)), "{}: {answer:?}", case.title);
    let message = document["OriginalMessage"].as_str().expect("is text");
    assert!(message.contains(case.says), "{}: {message}", case.title);
    assert!(message.len() < 300, "{}: {message}", case.title);
}

fn csv_cases() -> Vec<Case> {
    let million = 1_000_000;
    vec![
        case("a million columns", CSV, "1,".repeat(million), "record 1 has more features than the limit of 65536"),
        case("only commas", CSV, ",".repeat(BODY_BYTES_MAX), "record 1 has more features than the limit of 65536"),
        case("a million empty lines", CSV, "\n".repeat(million), "the payload has no records"),
        case("a record and empty lines", CSV, format!("1{}", "\n".repeat(million)), "record 2 is an empty line"),
        case("a million records", CSV, "1,2\n".repeat(million), "more records than the limit of 100000 records"),
        case(
            "an open quote",
            CSV,
            filled("1,\"", "x,\n"),
            "record 1, column 2: the quote that opens here is never",
        ),
        case(
            "quotes alone",
            CSV,
            "\"".repeat(BODY_BYTES_MAX - 1),
            "record 1, column 1: the quote that opens here",
        ),
        case("one long cell", CSV, "x".repeat(BODY_BYTES_MAX), "record 1 has 1 features instead of"),
        case("carriage returns", CSV, filled("1,2\n3,4", "\r"), "record 2, column 2: a carriage return"),
        case("NUL", CSV, "1,2\n3,\0", "record 2, column 2: the text has a NUL character"),
        case(
            "a byte order mark",
            CSV,
            "\u{feff}1,2",
            "record 1, column 1: the text begins with a byte order mark",
        ),
        case("not UTF-8", CSV, &b"1,2\n\xff,4"[..], "record 2, column 1: the text is not UTF-8"),
        case("UTF-16", CSV, &b"1\0,\x002\0"[..], "record 1, column 1: the text has a NUL character"),
    ]
}

fn json_cases() -> Vec<Case> {
    let million = 1_000_000;
    let digits = "1".repeat(million);
    let members: Vec<String> = (0..400_000).map(|idx| format!("\"{idx:x}\":0")).collect();
    let deep = 100_000;
    let json = |title, body: String, says| case(title, JSON_LINES, body, says);
    vec![
        json("deep arrays", "[".repeat(deep) + &"]".repeat(deep), "record 1: byte 65: the limit of 64 levels"),
        json("only brackets", "[".repeat(BODY_BYTES_MAX), "record 1: byte 65: the limit of 64 levels"),
        json("deep objects", "{\"a\":".repeat(deep), "record 1: byte 321: the limit of 64 levels"),
        json("many elements", format!("[0{}]", ",0".repeat(million)), "the limit of 262144 values in a record"),
        json("many members", format!("{{{}}}", members.join(",")), "the limit of 262144 values in a record"),
        json(
            "many empty lists",
            format!("[[]{}]", ",[]".repeat(million)),
            "the limit of 262144 values in a record",
        ),
        json("a million records", "[1]\n".repeat(million), "more records than the limit of 100000 records"),
        json("a million empty lines", format!("[1]{}", "\n".repeat(million)), "record 2 is an empty line"),
        json(
            "a key twice",
            "[1,2]\n{\"a\":1,\"\\u0061\":2}".into(),
            "record 2: byte 8: the key \"a\" is there twice",
        ),
        json("a huge number", "[1e999,2]".into(), "record 1: byte 2: the number 1e999 is outside the range"),
        json("a million digits", format!("[{digits}]"), "record 1: byte 2: the number 1111"),
        json("NaN", "[1,2]\n[1,NaN]".into(), "record 2: byte 4: \"NaN\" is not what JSON has here"),
        json("infinity", "[-Infinity]".into(), "record 1: byte 2: \"-Infinity\" is not what JSON has here"),
        json("a lone surrogate", "[\"\\ud800\"]".into(), "record 1: byte 2: the string is not JSON"),
        json("an open string", filled_text("[\"", "\\\""), "record 1: byte 629145"),
        json(
            "one long text",
            format!("[\"{}\"]", "x".repeat(BODY_BYTES_MAX - 4)),
            "record 1 has 1 features instead",
        ),
        json("one long word", "x".repeat(BODY_BYTES_MAX), "record 1: byte 1: \"xxxx"),
        case("NUL in JSON", JSON_LINES, "[1,2]\n[\0]", "record 2: the text has a NUL character"),
        case(
            "a byte order mark in JSON",
            JSON_LINES,
            "\u{feff}[1]",
            "record 1: the text begins with a byte order",
        ),
        case("JSON that is not UTF-8", JSON_LINES, &b"[1,2]\n[\"\xff\"]"[..], "record 2: the text is not UTF-8"),
    ]
}

fn filled(start: &str, piece: &str) -> Vec<u8> {
    filled_text(start, piece).into_bytes()
}

/// A body as long as one may be.
fn filled_text(start: &str, piece: &str) -> String {
    start.to_owned() + &piece.repeat((BODY_BYTES_MAX - start.len()) / piece.len())
}

/// A definition in a folder of its own.
fn write(test: &str, definition: &Value) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).expect("creates");
    std::fs::write(folder.join("endpoint.json"), definition.to_string()).expect("writes");
    folder
}

fn json_config() -> Value {
    let mut config = baseline("0,0");
    config["InferenceConfig"] = json!({
        "FeaturesAttribute": "features", "ContentTemplate": "{\"features\":$features}", "ProbabilityAttribute": "score",
    });
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn records_made_to_cost_are_refused_with_their_place() {
    const GROWTH_MIB_MAX: u64 = 192;
    let container = StubContainer::saying(|_| panic!("no record reaches the container")).await;
    let remote = write("made-to-cost", &container.endpoint(json_config()));
    let server = Process::serving(&[&example_folder("wine"), &remote]);
    for case in csv_cases().iter().chain(&json_cases()) {
        for endpoint in ["wine", "remote"] {
            refusal(case, &check(&server, endpoint, case, GROWTH_MIB_MAX).await);
        }
    }
    let wide = |cell: &str| format!("{}{cell}", "1,".repeat(12));
    for case in [
        case("a million digits", CSV, wide(&"1".repeat(1_000_000)), "record 1, column 13: \"1111"),
        case("a huge number", CSV, wide("1e999"), "record 1, column 13: \"1e999\" is outside the range"),
        case("infinity", CSV, wide("Infinity"), "record 1, column 13: \"Infinity\" is outside the range"),
        case("one long cell", CSV, wide(&"x".repeat(BODY_BYTES_MAX - 24)), "record 1, column 13: \"xxxx"),
    ] {
        refusal(&case, &check(&server, "wine", &case, GROWTH_MIB_MAX).await);
    }
    let case = case("a byte too many", CSV, vec![b'1'; BODY_BYTES_MAX + 1], "");
    assert_eq!(check(&server, "remote", &case, GROWTH_MIB_MAX).await.status, 413);
    assert!(container.asked().is_empty());
}

/// A container that gives one answer, whatever it is asked, and a server with it as `remote`.
async fn answering(test: &str, answer: impl Fn() -> Response<Body> + Send + Sync + 'static) -> Process {
    let container = StubContainer::start(move |_| answer()).await;
    let remote = write(test, &container.endpoint(json_config()));
    Process::serving(&[&example_folder("wine"), &remote])
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_made_to_cost_are_refused() {
    const GROWTH_MIB_MAX: u64 = 256;
    let million = 1_000_000;
    let (commas, ones) = (",1".repeat(million - 1), ",0".repeat(32 * MIB - 8));
    let answers: Vec<(&'static str, &'static str, String, &'static str)> = vec![
        ("a byte too many", CSV, "1".repeat(64 * MIB + 1), "larger than the limit of 67108864 bytes"),
        ("all bytes as one word", CSV, "x".repeat(64 * MIB), "record 1, index 0: \"xxxx"),
        ("deep JSON", JSON_LINES, "[".repeat(100_000), "record 1, is not JSON: recursion limit exceeded"),
        ("a million fields", CSV, format!("1{commas}"), "record 1 has more features than the limit of 65536"),
        ("fields without end", CSV, ",".repeat(64 * MIB), "record 1 has more features than the limit of 65536"),
        ("a list of a million", CSV, format!("\"[1{commas}]\""), "more elements than the limit of 65536 elements"),
        ("a million lines", CSV, "1\n".repeat(million), "more than 1 records"),
        ("a million empty lines", JSON_LINES, format!("1{}", "\n".repeat(million)), "record 2: the line is empty"),
        ("JSON without end", JSON_LINES, format!("{{\"score\":[0{ones}]}}"), "JSON values; the limit is 4194304"),
    ];
    for (title, content_type, answer, says) in answers {
        let server = answering("answers-made-to-cost", move || typed(content_type, answer.clone())).await;
        let case = case(title, JSON_LINES, "{\"features\":[1,2]}", says);
        refusal(&case, &check(&server, "remote", &case, GROWTH_MIB_MAX).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_made_to_cost_are_refused_or_end_at_once() {
    const GROWTH_MIB_MAX: u64 = 384;
    let elements: Vec<String> = (0..100_000).map(|idx| format!("{{\"a\":{}}}", idx * 7919 % 200_003)).collect();
    let text = format!("{{\"score\":0.5,\"x\":[{}],\"t\":\"{}\"}}", elements.join(","), "\\u0001".repeat(MIB));
    let server = answering("expressions-made-to-cost", move || typed(JSON_LINES, text.clone())).await;
    let mut n_refused = 0;
    for filter in [
        "[@,@,@,@][].[@,@,@,@][].[@,@,@,@][].[@,@,@,@][] == @",
        "x[].[@,@,@,@][].[@,@,@,@][].[@,@,@,@][].[@,@,@] == @",
        "sort_by(x, &a)[0].a > sort_by(x, &to_string(a))[0].a",
        "to_string([to_string([to_string(@),@]),@]) == 'x'",
        "x[?x[?x[?a]]] == @",
        "map(&map(&map(&a, @), @), x) == @",
        "join(t, x[].to_string(a)) == t",
        "reverse(reverse(reverse(x)))[0].a > `0`",
        "contains(x, x[-1]) && contains(t, t)",
    ] {
        let case = Case {
            filter,
            ..case("an expression", JSON_LINES, "{\"features\":[0,0]}", "the limit is 10000000 steps")
        };
        let answer = check(&server, "remote", &case, GROWTH_MIB_MAX).await;
        if answer.status != 200 {
            refusal(&case, &answer);
            n_refused += 1;
        }
    }
    assert!(n_refused > 4, "{n_refused} refused");
}

/// Headers one after the other until nobody reads any more, on each connection; the most bytes that were taken.
async fn headers_without_end(listener: TcpListener, most_taken: Arc<AtomicUsize>) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        let mut n_bytes = 0;
        while stream.write_all(b"x-more: and more of the same\r\n").await.is_ok() {
            n_bytes += 30;
        }
        most_taken.fetch_max(n_bytes, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_a_container_without_end_are_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let mut container = StubContainer::saying(|_| String::new()).await;
    container.address = listener.local_addr().expect("is bound");
    let most_taken = Arc::new(AtomicUsize::new(0));
    tokio::spawn(headers_without_end(listener, Arc::clone(&most_taken)));
    let remote = write("headers-without-end", &container.endpoint(baseline("0,0")));
    let server = Process::serving(&[&example_folder("wine"), &remote]);
    let case = case("headers without end", CSV, "1,2", "");
    let answer = check(&server, "remote", &case, 16).await;
    assert_eq!((answer.status, &answer.json()["OriginalStatusCode"]), (424, &json!(500)), "{answer:?}");
    assert!(most_taken.load(Ordering::SeqCst) < 16 * MIB);
}
