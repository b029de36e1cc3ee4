//! Downloads from a loopback server that answers what a test says, and the URLs that are signed for S3.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const BYTES_MAX: u64 = 1000;
const SECRET: &str = "top-secret";

/// What a server does on a connection after it has read the request; then it closes it.
#[derive(Clone, Copy, Debug)]
enum Act {
    Say(&'static str),
    /// Says it and then nothing more.
    Stall(&'static str),
    /// Says it again and again.
    Repeat(&'static str),
}

struct Server {
    url: String,
    n_requests: Arc<AtomicUsize>,
}

impl Server {
    /// Acts in turn; the last one again and again.
    async fn start(acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let n_requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&n_requests);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("accepts");
                let line = request_line(&mut stream).await;
                assert!(
                    line.starts_with("GET /bucket/data/a%20b.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&"),
                    "{line}"
                );
                let request_idx = counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(act(acts[request_idx.min(acts.len() - 1)], stream));
            }
        });
        Self { url, n_requests }
    }

    async fn fetch(&self, limits: &Limits) -> Result<Vec<u8>, String> {
        let variables = [("AWS_ENDPOINT_URL_S3", self.url.as_str()), KEY_ID, KEY];
        fetch_object("s3://bucket/data/a b.csv", &variables, limits).await
    }
}

async fn request_line(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.expect("a whole request"));
    }
    String::from_utf8_lossy(&request).lines().next().expect("a line").to_owned()
}

/// A client that has enough closes the connection, which ends the act.
async fn act(act: Act, mut stream: TcpStream) {
    match act {
        Act::Say(text) => drop(stream.write_all(text.as_bytes()).await),
        Act::Stall(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.read_u8().await;
        }
        Act::Repeat(text) => while stream.write_all(text.as_bytes()).await.is_ok() {},
    }
}

const KEY_ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "top-secret-id");
const KEY: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", SECRET);

fn named(variables: &[(&str, &str)]) -> Variables {
    variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn fetch_object(location: &str, variables: &[(&str, &str)], limits: &Limits) -> Result<Vec<u8>, String> {
    fetch_within(location, variables, limits, &Reach::operator()).await
}

async fn fetch_within(
    location: &str,
    variables: &[(&str, &str)],
    limits: &Limits,
    reach: &Reach,
) -> Result<Vec<u8>, String> {
    let outcome = fetch_as(location, named(variables), limits, reach).await;
    outcome.map_err(|error| {
        let text = error.to_string();
        assert!(!format!("{text} {error:?}").contains(SECRET), "{error:?}");
        text
    })
}

fn limits() -> Limits {
    Limits { bytes_max: BYTES_MAX, total_s: 60, waits: WAITS }
}

#[tokio::test]
async fn an_object_arrives_as_it_is() {
    const ANSWERS: &[Act] = &[
        Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n1,2"),
        Act::Say("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n1,2"),
        Act::Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n1,\r\n1\r\n2\r\n0\r\n\r\n"),
    ];
    for answer in ANSWERS {
        let server = Server::start(slice::from_ref(answer)).await;
        assert_eq!(server.fetch(&limits()).await, Ok(b"1,2".to_vec()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_named_and_only_a_passing_one_is_asked_again() {
    const REFUSALS: &[(Act, usize, &str)] = &[
        (Act::Say("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"), 1, "answered 404 Not Found"),
        (
            Act::Say("HTTP/1.1 403 Forbidden\r\n\r\n<Error><Code>AccessDenied</Code><K>top-secret-id</K></Error>"),
            1,
            "answered 403 Forbidden (AccessDenied); where a bucket may not be listed, S3 says so of missing objects too",
        ),
        (Act::Say("HTTP/1.1 403 Forbidden\r\n\r\n<Code>top-secret</Code>"), 1, "answered 403 Forbidden"),
        (
            Act::Say("HTTP/1.1 307 Temporary Redirect\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
            1,
            "answered 307 Temporary Redirect; redirects are not followed",
        ),
        (Act::Say("HTTP/1.1 204 No Content\r\n\r\n"), 1, "answered 204 No Content"),
        (Act::Say("HTTP/1.1 503 Slow Down\r\nconnection: close\r\n\r\n"), 3, "answered 503 Service Unavailable"),
        (
            Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n1,2"),
            3,
            "the answer broke off: end of file before message length reached",
        ),
        (Act::Say("200\r\n\r\n"), 3, "the answer broke off: invalid HTTP version parsed"),
    ];
    for (act, n_requests, expected) in REFUSALS {
        let server = Server::start(slice::from_ref(act)).await;
        let error = server.fetch(&limits()).await.expect_err("is refused");
        assert_eq!(error, format!("s3://bucket/data/a b.csv: {expected}"));
        assert_eq!(server.n_requests.load(Ordering::SeqCst), *n_requests, "{expected}");
    }
}

#[tokio::test]
async fn a_refusal_without_end_is_cut() {
    let server = Server::start(&[Act::Repeat("HTTP/1.1 403 Forbidden\r\n\r\n")]).await;
    assert_eq!(server.fetch(&limits()).await, Err("s3://bucket/data/a b.csv: answered 403 Forbidden".to_owned()));
}

#[tokio::test]
async fn what_passes_by_itself_is_overcome() {
    const BUSY: Act = Act::Say("HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\n");
    let server =
        Server::start(&[BUSY, Act::Say(""), Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n7")]).await;
    assert_eq!(server.fetch(&limits()).await, Ok(b"7".to_vec()));
}

#[tokio::test]
async fn more_than_the_limit_is_refused_whether_announced_or_not() {
    const ACTS: &[Act] = &[
        Act::Stall("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"),
        Act::Repeat("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"),
    ];
    for act in ACTS {
        let server = Server::start(slice::from_ref(act)).await;
        let error = server.fetch(&limits()).await.expect_err("is too much");
        assert_eq!(error, "s3://bucket/data/a b.csv: larger than the limit of 1000 bytes");
        assert_eq!(server.n_requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_silent_or_too_slow_is_left() {
    const ACTS: &[Act] = &[Act::Stall(""), Act::Stall("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1")];
    let silence = Waits { silence: Duration::from_millis(50), ..WAITS };
    for act in ACTS {
        let server = Server::start(slice::from_ref(act)).await;
        let error = server.fetch(&Limits { waits: silence, ..limits() }).await.expect_err("is silent");
        assert_eq!(error, "s3://bucket/data/a b.csv: nothing came for too long");
        let error = server.fetch(&Limits { total_s: 1, ..limits() }).await.expect_err("is slow");
        assert_eq!(error, "s3://bucket/data/a b.csv: not complete after 1 s");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("is bound"));
    drop(listener);
    let variables = [("AWS_ENDPOINT_URL", url.as_str()), KEY_ID, KEY];
    let error = fetch_object("s3://bucket/key", &variables, &limits()).await.expect_err("is not there");
    assert!(error.starts_with("s3://bucket/key: no connection: Connection refused"), "{error}");
}

#[tokio::test]
async fn settings_that_do_not_work_are_named() {
    let endpoint = ("AWS_ENDPOINT_URL_S3", "localhost:9000");
    for (location, variables, expected) in [
        ("s3://bucket/a//b", &[KEY_ID, KEY][..], Reason::NotAnObject),
        ("s3://bucket//b", &[KEY_ID, KEY], Reason::NotAnObject),
        ("s3://bucket/b/", &[KEY_ID, KEY], Reason::NotAnObject),
        ("s3://bucket/../b", &[KEY_ID, KEY], Reason::NotAnObject),
        ("s3://bucket/b", &[KEY_ID], Reason::Credentials),
        ("s3://bucket/b", &[KEY_ID, KEY, ("AWS_REGION", "eu west")], Reason::Region),
        ("s3://bucket/b", &[KEY_ID, KEY, endpoint], Reason::S3Endpoint { variable: "AWS_ENDPOINT_URL_S3" }),
    ] {
        let error = fetch_object(location, variables, &limits()).await.expect_err("does not work");
        assert_eq!(error, format!("{location}: {expected}"));
    }
}

#[tokio::test]
async fn the_variables_say_where_a_bucket_is() {
    let session = ("AWS_SESSION_TOKEN", "token");
    let (region, other_region) = (("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-north-1"));
    let china = ("AWS_REGION", "cn-north-1");
    let (endpoint, s3_endpoint) = (("AWS_ENDPOINT_URL", "http://a:1/"), ("AWS_ENDPOINT_URL_S3", "https://b"));
    for (bucket, variables, address, scope) in [
        ("bucket", &[][..], "https://bucket.s3.us-east-1.amazonaws.com/k%231", "us-east-1"),
        ("a.bucket", &[other_region], "https://s3.eu-north-1.amazonaws.com/a.bucket/k%231", "eu-north-1"),
        ("bucket", &[region, other_region], "https://bucket.s3.eu-west-1.amazonaws.com/k%231", "eu-west-1"),
        ("bucket", &[china], "https://bucket.s3.cn-north-1.amazonaws.com.cn/k%231", "cn-north-1"),
        ("a.bucket", &[china], "https://s3.cn-north-1.amazonaws.com.cn/a.bucket/k%231", "cn-north-1"),
        ("bucket", &[endpoint, region], "http://a:1/bucket/k%231", "eu-west-1"),
        ("bucket", &[endpoint, s3_endpoint], "https://b/bucket/k%231", "us-east-1"),
        ("bucket", &[endpoint, ("AWS_ENDPOINT_URL_S3", "")], "http://a:1/bucket/k%231", "us-east-1"),
    ] {
        let variables = named(&[variables, &[KEY_ID, KEY, session]].concat());
        let found = s3::Bucket::find(bucket, &variables).expect("is somewhere");
        let host = found.url().host_str().map(str::to_owned);
        let url = found.signed_url("k#1").await.expect("is signed");
        assert_eq!(url.host_str(), host.as_deref());
        let url = url.to_string();
        assert_eq!(url.split('?').next(), Some(address));
        assert!(url.contains(&format!("%2F{scope}%2Fs3%2Faws4_request&")), "{url}");
        assert!(url.contains("X-Amz-Security-Token=token&"), "{url}");
    }
}

#[tokio::test]
async fn a_file_over_the_limit_and_a_missing_file_are_named() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(
        fetch(&format!("file://{manifest}"), 1 << 20, &Reach::operator()).await.ok(),
        std::fs::read(manifest).ok()
    );
    let too_large = fetch(manifest, 10, &Reach::operator()).await.expect_err("is too large").to_string();
    assert_eq!(too_large, format!("{manifest}: larger than the limit of 10 bytes"));
    let missing = fetch("no/such?file", 10, &Reach::operator()).await.expect_err("is missing").to_string();
    assert_eq!(missing, "no/such?file: No such file or directory (os error 2)");
}

#[tokio::test]
async fn plain_http_is_refused_without_showing_its_query() {
    let refusal = fetch("http://host/a.csv?X-Amz-Signature=top-secret", 10, &Reach::operator())
        .await
        .expect_err("is refused");
    assert_eq!(
        refusal.to_string(),
        "http://host/a.csv: http:// is not encrypted and is refused: give https://, s3:// or a file"
    );
}

#[tokio::test]
async fn whatever_is_not_within_reach_is_refused_before_anything_is_asked() {
    let server = Server::start(&[Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n7")]).await;
    let variables = [("AWS_ENDPOINT_URL_S3", server.url.as_str()), KEY_ID, KEY];
    let place = server.url.strip_prefix("http://").expect("is http");
    let (object, manifest) = ("s3://bucket/data/a b.csv", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    for (location, variables, backends, expected) in [
        (object, &variables[..], &["*.example"][..], format!("no --allow-backend fits {place}")),
        (object, &[], &["bucket"], "no --allow-backend fits bucket.s3.us-east-1.amazonaws.com:443".to_owned()),
        ("https://user:secret@a/b?secret", &[], &["b", "http://a"], "no --allow-backend fits a:443".to_owned()),
        (manifest, &[], &["*"], "there is no such file below a folder of --file-root".to_owned()),
        ("Cargo.toml", &[], &["*"], "there is no such file below a folder of --file-root".to_owned()),
        ("file:///etc/passwd", &[], &["*"], "there is no such file below a folder of --file-root".to_owned()),
    ] {
        let reach = Reach::confined(&[], &[], backends).expect("are patterns");
        let error = fetch_within(location, variables, &limits(), &reach).await.expect_err("is refused");
        assert_eq!(error, format!("{}: {expected}", shown(location)));
    }
    assert_eq!(server.n_requests.load(Ordering::SeqCst), 0);
    let reach = Reach::confined(&[concat!(env!("CARGO_MANIFEST_DIR"), "/docs").into()], &[], &[place])
        .expect("is a pattern");
    assert_eq!(fetch_within(object, &variables, &limits(), &reach).await, Ok(b"7".to_vec()));
}

#[test]
fn a_folder_for_others_is_held_to_the_same_limits() {
    let root = env!("CARGO_MANIFEST_DIR");
    let reach =
        Reach::confined(&[root.into()], &[], &["*.s3.eu-west-1.amazonaws.com", "models.example"]).expect("fits");
    let variables = [("AWS_REGION", "eu-west-1")];
    let check = |folder: &str, reach: &Reach| check_folder_as(folder, named(&variables), reach).is_ok();
    let below = format!("{root}/models/");
    for (folder, expected) in [
        ("", true),
        (below.as_str(), true),
        ("/opt/ml/models/", false),
        ("s3://bucket/models/", true),
        ("s3://a.bucket/", false),
        ("https://models.example/a/", true),
        ("https://elsewhere.example/a/", false),
        ("http://models.example/a/", false),
        ("gs://bucket/", false),
    ] {
        assert_eq!(check(folder, &reach), expected, "{folder}");
        assert!(check(folder, &Reach::operator()), "{folder}");
    }
}
