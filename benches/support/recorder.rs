//! A server between a client and a model: it keeps what was asked, and passes it on or answers by itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use axum::routing::any;
use bytes::Bytes;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use super::plain::Plain;

const BODY_BYTES_MAX: usize = 64 << 20;

/// One invocation, as it came.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub content_type: String,
    pub body: Bytes,
}

impl Invocation {
    pub fn n_rows(&self) -> usize {
        self.body.iter().filter(|&&byte| byte == b'\n').count() + 1
    }
}

#[derive(Clone)]
pub enum Answering {
    /// As this server does.
    By(Box<Plain>),
    /// After so long, each line with a number made of its bytes.
    After(Duration),
}

#[derive(Clone)]
pub struct Recorder {
    pub address: SocketAddr,
    invocations: Arc<Mutex<Vec<Invocation>>>,
}

impl Recorder {
    pub async fn start(answering: Answering) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("is bound");
        let recorder = Self { address, invocations: Arc::default() };
        let own = recorder.clone();
        let answer = move |request| answer(answering.clone(), own.clone(), request);
        let router = axum::Router::new().fallback(any(answer));
        tokio::spawn(serve(listener, router));
        recorder
    }

    /// What has been asked since the last call.
    pub fn take(&self) -> Vec<Invocation> {
        std::mem::take(&mut self.invocations.lock().expect("nobody panics here"))
    }
}

async fn serve(listener: TcpListener, router: axum::Router) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        stream.set_nodelay(true).expect("is a TCP connection");
        let service = TowerToHyperService::new(router.clone());
        let stream = hyper_util::rt::TokioIo::new(stream);
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
    }
}

async fn answer(answering: Answering, recorder: Recorder, request: Request<Body>) -> Response<Body> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await.expect("is whole");
    let invocation = Invocation { content_type, body };
    recorder.invocations.lock().expect("nobody panics here").push(invocation.clone());
    let body = match answering {
        Answering::By(server) => server.invoke(&invocation).await,
        Answering::After(pause) => {
            let scores = scores(&invocation.body);
            tokio::time::sleep(pause).await;
            scores
        }
    };
    Response::builder().header(header::CONTENT_TYPE, "text/csv").body(body.into()).expect("is a response")
}

fn scores(rows: &[u8]) -> Bytes {
    let score = |row: &[u8]| format!("0.{:06}", row.iter().map(|&byte| u32::from(byte)).sum::<u32>() % 1_000_000);
    rows.split(|&byte| byte == b'\n').map(score).collect::<Vec<String>>().join("\n").into()
}
