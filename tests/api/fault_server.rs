//! A container that fails on purpose: HTTP/1.1 on a raw socket, so that it can hang, reset and break off. Where its
//! script names no fault it scores the records. It notes what it is asked, and when each request came and ended.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use explaind::config::ContainerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::container::{Asked, baseline, remote};
use crate::support::{Answer, TestApp, attributions, invoke};

/// A record, and how many synthetic ones its game has beside `BASELINE`, which is one of them.
pub const RECORD: &str = "1,2,3";
pub const BASELINE: &str = "0,0,0";
pub const N_SYNTHETIC: usize = 7;

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The scores, but nothing of them before so long.
    Late(Duration),
    /// Another fault, after so long.
    After(Duration, Box<Fault>),
    /// The head and a space for ever, one a while.
    Dripping(Duration),
    /// Nothing, until the client hangs up.
    Hang,
    /// RST instead of an answer.
    Reset,
    /// RST after the head and one byte.
    ResetWithin,
    /// The end of the connection after a part of what was announced.
    Truncated,
    /// Chunks for ever, of an answer with this status.
    Endless(u16),
    /// 10 TB are announced and sent as far as they are taken.
    Huge,
    /// A refusal with this text.
    Status(u16, String),
    /// A status with a Location.
    Redirect(u16, String),
    /// The scores, written otherwise.
    Written(fn(Vec<String>) -> String),
    /// 200 with this content type and body.
    Says(String, Vec<u8>),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
}

impl Fault {
    /// A refusal whose text is its status.
    pub fn status(status: u16) -> Self {
        Self::Status(status, format!("status {status}"))
    }
}

/// One request, and when it was whole, and when its answer began or nobody waited for it any more.
#[derive(Clone, Debug)]
pub struct Note {
    pub asked: Arc<Asked>,
    pub n_rows: usize,
    pub began: Instant,
    pub ended: Option<Instant>,
}

type Script = Box<dyn Fn(usize, &Asked) -> Option<Fault> + Send + Sync>;
type Score = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

struct Shared {
    script: Script,
    score: Score,
    notes: Mutex<Vec<Note>>,
    connections: AtomicUsize,
    bytes_sent: AtomicUsize,
}

pub struct FaultServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

/// What becomes of a connection after an answer.
#[derive(PartialEq)]
enum End {
    Kept,
    Closed,
    Reset,
}

impl FaultServer {
    /// Scores x + 2yz. The script gets the number of the request, from 0.
    pub async fn start(script: impl Fn(usize, &Asked) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self::scoring(|row| row[0] + 2.0 * row[1] * row[2], script).await
    }

    /// Adds up the cells, each answer after so long.
    pub async fn adding(wait: Duration) -> Self {
        Self::scoring(|row| row.iter().sum(), move |_, _| Some(Fault::Late(wait))).await
    }

    pub async fn scoring(
        score: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
        script: impl Fn(usize, &Asked) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            script: Box::new(script),
            score: Box::new(score),
            notes: Mutex::default(),
            connections: AtomicUsize::new(0),
            bytes_sent: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("is bound");
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared }
    }

    /// Serves an endpoint named `remote` with this container and `BASELINE`.
    pub async fn app(&self, treat: impl FnOnce(&mut ContainerConfig)) -> TestApp {
        TestApp::treating(self.endpoint(baseline(BASELINE)), treat).await
    }

    /// An endpoint named `remote` with this container and this ClarifyExplainerConfig.
    pub fn endpoint(&self, config: Value) -> Value {
        remote(self.address, config, json!({}))
    }

    pub fn notes(&self) -> Vec<Note> {
        self.shared.notes.lock().expect("no test panics here").clone()
    }

    pub fn n_requests(&self) -> usize {
        self.shared.notes.lock().expect("no test panics here").len()
    }

    /// The records of each request.
    pub fn sizes(&self) -> Vec<usize> {
        self.notes().iter().map(|note| note.n_rows).collect()
    }

    pub fn n_rows(&self) -> usize {
        self.sizes().iter().sum()
    }

    /// How often this payload was asked.
    pub fn n_times(&self, body: &str) -> usize {
        self.notes().iter().filter(|note| note.asked.body == body).count()
    }

    pub fn n_connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub fn bytes_sent(&self) -> usize {
        self.shared.bytes_sent.load(Ordering::SeqCst)
    }

    pub fn n_under_way(&self) -> usize {
        self.notes().iter().filter(|note| note.ended.is_none()).count()
    }

    /// The most requests that were under way at the same time.
    pub fn most_under_way(&self) -> usize {
        let notes = self.notes();
        let at = |moment: Instant| {
            let is_under_way =
                |note: &&Note| note.began <= moment && note.ended.is_none_or(|ended| ended > moment);
            notes.iter().filter(is_under_way).count()
        };
        notes.iter().map(|note| at(note.began)).max().unwrap_or(0)
    }
}

/// A baseline, and at most so many records in a request.
pub fn batches(rows: &str, max_record_count: usize) -> Value {
    let mut config = baseline(rows);
    config["InferenceConfig"] = json!({ "MaxRecordCount": max_record_count });
    config
}

/// A record with ten cells; a game of 1022 synthetic ones, where the baseline differs in all of them.
pub fn ten(cell: &str) -> String {
    [cell; 10].join(",")
}

/// How a refusal is told: status, and the container's own one.
pub fn told(answer: &Answer) -> (u16, Option<i64>) {
    (answer.status, answer.json()["OriginalStatusCode"].as_i64())
}

/// Asks for `RECORD`.
pub fn ask(app: &TestApp) -> impl Future<Output = Answer> + Send + 'static {
    app.send(invoke("remote", RECORD))
}

/// The attributions of `RECORD` are those of x + 2yz.
pub fn assert_explained(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let got = attributions(answer).concat().concat();
    let is_close = got.iter().zip([1.0, 6.0, 6.0]).all(|(got, expected)| (got - expected).abs() < 1e-9);
    assert!(is_close && got.len() == 3, "{got:?}");
}

impl Shared {
    fn begin(&self, asked: &Asked) -> usize {
        let mut notes = self.notes.lock().expect("no test panics here");
        let n_rows = asked.lines().len();
        notes.push(Note { asked: Arc::new(asked.clone()), n_rows, began: Instant::now(), ended: None });
        notes.len() - 1
    }

    fn end(&self, idx: usize) {
        self.notes.lock().expect("no test panics here")[idx].ended.get_or_insert_with(Instant::now);
    }

    fn is_json(asked: &Asked) -> bool {
        asked.header("content-type").is_some_and(|content_type| content_type.contains("json"))
    }

    fn scores(&self, asked: &Asked) -> Vec<String> {
        let score = |line: &str| {
            let line = if line.starts_with('[') { line.to_owned() } else { format!("[{line}]") };
            let cells: Vec<f64> = serde_json::from_str(&line).expect("cells are numbers");
            format!("{:?}", (self.score)(&cells))
        };
        asked.lines().into_iter().map(score).collect()
    }

    /// CSV is answered with CSV, JSON Lines with `{"score": ...}`.
    fn scored(&self, asked: &Asked) -> Vec<u8> {
        let scores = self.scores(asked);
        if Self::is_json(asked) {
            let lines: Vec<String> = scores.iter().map(|score| format!("{{\"score\":{score}}}")).collect();
            return whole(200, "content-type: application/jsonlines", lines.join("\n").as_bytes());
        }
        whole(200, "content-type: text/csv", scores.join("\n").as_bytes())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        stream.set_nodelay(true).expect("is a socket");
        shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(Arc::clone(&shared), stream));
    }
}

async fn serve(shared: Arc<Shared>, mut stream: TcpStream) {
    while let Some(asked) = read(&mut stream).await {
        let idx = shared.begin(&asked);
        let (mut reader, mut writer) = stream.split();
        let end = tokio::select! {
            end = answer(&shared, idx, &asked, &mut writer) => end.unwrap_or(End::Closed),
            () = hung_up(&mut reader) => End::Closed,
        };
        shared.end(idx);
        if end == End::Reset {
            stream.set_zero_linger().expect("is a socket");
        }
        if end != End::Kept {
            break;
        }
    }
}

/// Ends with the connection: nobody sends ahead of an answer.
async fn hung_up(reader: &mut ReadHalf<'_>) {
    let _ = reader.peek(&mut [0]).await;
}

/// One whole request; none when the connection ends.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if let Some(asked) = parsed(&bytes) {
            return Some(asked);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn parsed(bytes: &[u8]) -> Option<Asked> {
    let head_bytes = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..head_bytes]).expect("heads are ASCII");
    let mut lines = head.lines();
    let target = lines.next().expect("is a request").trim_end_matches(" HTTP/1.1").to_owned();
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let asked = Asked { target, headers: lines.filter_map(field).collect(), body: String::new() };
    let length = asked.header("content-length").map_or(0, |length| length.parse().expect("is a length"));
    let body = &bytes[head_bytes + 4..];
    let body = || String::from_utf8(body.to_vec()).expect("is UTF-8");
    (bytes.len() == head_bytes + 4 + length).then(|| Asked { body: body(), ..asked })
}

async fn answer(shared: &Shared, idx: usize, asked: &Asked, writer: &mut WriteHalf<'_>) -> io::Result<End> {
    let csv = "content-type: text/csv";
    let fault = match (shared.script)(idx, asked) {
        Some(Fault::After(wait, fault)) => {
            tokio::time::sleep(wait).await;
            Some(*fault)
        }
        other => other,
    };
    let bytes = match fault {
        None => shared.scored(asked),
        Some(Fault::Late(wait)) => {
            tokio::time::sleep(wait).await;
            shared.scored(asked)
        }
        Some(Fault::Status(status, text)) => whole(status, "content-type: text/plain", text.as_bytes()),
        Some(Fault::Redirect(status, location)) => whole(status, &format!("location: {location}"), b"over there"),
        Some(Fault::Written(write)) => whole(200, csv, write(shared.scores(asked)).as_bytes()),
        Some(Fault::Says(content_type, body)) => whole(200, &format!("content-type: {content_type}"), &body),
        Some(fault) => return fail(fault, shared, writer).await,
    };
    // Before the first byte: whoever reads the answer may ask again at once.
    shared.end(idx);
    writer.write_all(&bytes).await?;
    Ok(End::Kept)
}

/// What is no whole answer.
async fn fail(fault: Fault, shared: &Shared, writer: &mut WriteHalf<'_>) -> io::Result<End> {
    let announced = |bytes: u64| head(200, "content-type: text/csv", bytes);
    let chunked = "HTTP/1.1 STATUS Fault\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n";
    match fault {
        Fault::Hang => std::future::pending::<()>().await,
        Fault::Reset => return Ok(End::Reset),
        Fault::ResetWithin => {
            writer.write_all(&[&announced(100)[..], b"0"].concat()).await?;
            // What follows at once would overtake the answer.
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Ok(End::Reset);
        }
        Fault::Truncated => writer.write_all(&[&announced(100)[..], b"0.5"].concat()).await?,
        Fault::Raw(bytes) => writer.write_all(&bytes).await?,
        Fault::Huge => {
            writer.write_all(&announced(10 << 40)).await?;
            return pour(shared, writer, &[b'0'; 4096]).await;
        }
        Fault::Endless(status) => {
            writer.write_all(chunked.replace("STATUS", &status.to_string()).as_bytes()).await?;
            let chunk = [b"1000\r\n", &[b'0'; 4096][..], b"\r\n"].concat();
            return pour(shared, writer, &chunk).await;
        }
        Fault::Dripping(pause) => {
            writer.write_all(&announced(100_000)).await?;
            loop {
                writer.write_all(b" ").await?;
                tokio::time::sleep(pause).await;
            }
        }
        other => unreachable!("{other:?} has a whole answer"),
    }
    Ok(End::Closed)
}

/// The same bytes again and again, as long as they are taken.
async fn pour(shared: &Shared, writer: &mut WriteHalf<'_>, bytes: &[u8]) -> io::Result<End> {
    loop {
        writer.write_all(bytes).await?;
        shared.bytes_sent.fetch_add(bytes.len(), Ordering::SeqCst);
    }
}

fn head(status: u16, fields: &str, body_bytes: u64) -> Vec<u8> {
    format!("HTTP/1.1 {status} Fault\r\n{fields}\r\ncontent-length: {body_bytes}\r\n\r\n").into_bytes()
}

fn whole(status: u16, fields: &str, body: &[u8]) -> Vec<u8> {
    [&head(status, fields, body.len() as u64), body].concat()
}
