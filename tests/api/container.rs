//! A container for tests, on a loopback port: it notes what it is asked and answers as the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Nothing here sends more.
const BODY_BYTES_MAX: usize = 64 << 20;

/// One request to the container.
#[derive(Clone, Debug)]
pub struct Asked {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub fn lines(&self) -> Vec<&str> {
        self.body.lines().collect()
    }
}

type Behaviour = Box<dyn Fn(&Asked) -> Response<Body> + Send + Sync>;

struct Shared {
    behaviour: Behaviour,
    asked: Mutex<Vec<Asked>>,
}

pub struct StubContainer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl StubContainer {
    pub async fn start(behaviour: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { behaviour: Box::new(behaviour), asked: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("is bound");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { address, shared }
    }

    /// Answers each CSV line with a score.
    pub async fn scoring(score: impl Fn(&[f64]) -> f64 + Send + Sync + 'static) -> Self {
        let line = move |line: &str| {
            let cells: Vec<f64> =
                line.split(',').map(|cell| cell.trim().parse().expect("cells are numbers")).collect();
            format!("{:?}", score(&cells))
        };
        Self::start(move |asked| csv(asked.lines().into_iter().map(&line).collect::<Vec<String>>().join("\n")))
            .await
    }

    /// The same answer to every request, for its number of lines.
    pub async fn saying(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self::start(move |asked| csv(answer(asked.lines().len()))).await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no test panics here").clone()
    }

    /// An endpoint named `remote` with this container and this ClarifyExplainerConfig.
    pub fn endpoint(&self, config: Value) -> Value {
        self.endpoint_with(config, json!({}))
    }

    pub fn endpoint_with(&self, config: Value, environment: Value) -> Value {
        remote(self.address, config, environment)
    }
}

/// An endpoint named `remote` whose container listens at the address.
pub fn remote(address: SocketAddr, config: Value, environment: Value) -> Value {
    json!({
        "EndpointName": "remote",
        "PrimaryContainer": { "Image": format!("http://{address}"), "Environment": environment },
        "ExplainerConfig": { "ClarifyExplainerConfig": config },
    })
}

/// A ClarifyExplainerConfig with this inline CSV baseline.
pub fn baseline(rows: &str) -> Value {
    json!({ "ShapConfig": { "ShapBaselineConfig": { "ShapBaseline": rows } } })
}

pub fn csv(body: impl Into<Body>) -> Response<Body> {
    typed("text/csv", body)
}

pub fn typed(content_type: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().header("content-type", content_type).body(body.into()).expect("is a response")
}

pub fn refusing(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).body(body.into()).expect("is a response")
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let asked = Asked {
        target: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8(to_bytes(body, BODY_BYTES_MAX).await.expect("is whole").to_vec())
            .expect("is UTF-8"),
    };
    shared.asked.lock().expect("no test panics here").push(asked.clone());
    (shared.behaviour)(&asked)
}

/// axum's own server is behind a feature that nothing else needs.
pub async fn axum_serve(listener: TcpListener, router: Router) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

/// Gives the first request of each connection the same CSV answer and closes the connection on the second, unanswered.
pub struct ClosingContainer {
    pub address: SocketAddr,
}

impl ClosingContainer {
    pub async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("is bound");
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("accepts");
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length";
                    let _ = stream.write_all(format!("{head}: {}\r\n\r\n{answer}", answer.len()).as_bytes()).await;
                    let _ = stream.read(&mut request).await;
                });
            }
        });
        Self { address }
    }
}
