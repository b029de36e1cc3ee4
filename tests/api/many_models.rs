//! A container of many models for tests: it loads, lists, unloads and answers, and writes down what it is asked. A model
//! at `.../times-N` answers N times the sum of a row; `.../status-N` is refused with that status; others are not there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::container::{axum_serve, csv, refusing, typed};
use crate::fake::Gate;

const BODY_BYTES_MAX: usize = 8 << 20;

/// How it differs from one with memory enough that answers at once.
#[derive(Default)]
pub struct Manner {
    /// Models that fit its memory.
    pub memory: Option<usize>,
    /// Models of one page of the list.
    pub page: Option<usize>,
    /// Each page names a next one.
    pub is_endless: bool,
    /// What each load waits for.
    pub loads: Option<Arc<Gate>>,
    /// What each invocation waits for.
    pub invocations: Option<Arc<Gate>>,
    /// Statuses of the next invocations.
    pub refusals: Vec<u16>,
    /// How many of the next looks at a model find no worker; none where it does not say how models stand.
    pub workerless: Option<usize>,
}

struct Inner {
    /// Name in the container → where it was loaded from.
    models: BTreeMap<String, String>,
    manner: Manner,
    log: Vec<String>,
    invocations: Vec<HeaderMap>,
}

type Shared = Arc<Mutex<Inner>>;

pub struct ManyModels {
    pub address: SocketAddr,
    inner: Shared,
}

impl ManyModels {
    pub async fn start(manner: Manner) -> Self {
        let (models, log, invocations) = Default::default();
        let inner = Arc::new(Mutex::new(Inner { models, manner, log, invocations }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("is bound");
        let router = Router::new()
            .route("/models", post(load).get(list))
            .route("/models/{name}", delete(unload).get(describe))
            .route("/models/{name}/invoke", post(invoke))
            .fallback(get(|| async { refusing(404, "there is no such thing") }))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { address, inner }
    }

    /// An endpoint named `many` with this container, its models below `models`.
    pub fn endpoint(&self, models: &str, config: Option<Value>) -> Value {
        let container =
            json!({ "Mode": "MultiModel", "Image": format!("http://{}", self.address), "ModelDataUrl": models });
        let explainer = config.map(|config| json!({ "ClarifyExplainerConfig": config }));
        json!({ "EndpointName": "many", "PrimaryContainer": container, "ExplainerConfig": explainer })
    }

    /// What it was asked since the last time: `load`, `list`, `unload` and `invoke` with the last part of where the model
    /// was loaded from. Invocations of one model that follow each other are one.
    pub fn log(&self) -> Vec<String> {
        let mut log = std::mem::take(&mut self.lock().log);
        log.dedup_by(|a, b| a == b && a.starts_with("invoke"));
        log
    }

    /// Headers of all invocations.
    pub fn invocations(&self) -> Vec<HeaderMap> {
        self.lock().invocations.clone()
    }

    /// Where its models were loaded from.
    pub fn locations(&self) -> Vec<String> {
        self.lock().models.values().cloned().collect()
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().models.keys().cloned().collect()
    }

    /// Someone else's doing.
    pub fn put(&self, name: &str, location: &str) {
        self.lock().models.insert(name.to_owned(), location.to_owned());
    }

    /// Someone else's doing.
    pub fn clear(&self) {
        self.lock().models.clear();
    }

    pub fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.lock().manner);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

fn lock(inner: &Shared) -> MutexGuard<'_, Inner> {
    inner.lock().expect("nothing panics while it is held")
}

fn last(location: &str) -> &str {
    location.rsplit('/').next().unwrap_or_default()
}

fn number(location: &str, kind: &str) -> Option<u16> {
    last(location).strip_prefix(kind)?.parse().ok()
}

async fn pass(gate: Option<Arc<Gate>>) {
    if let Some(gate) = gate {
        gate.pass().await;
    }
}

async fn load(State(inner): State<Shared>, headers: HeaderMap, body: Body) -> Response<Body> {
    let body = to_bytes(body, BODY_BYTES_MAX).await.expect("is whole");
    let body: Value = serde_json::from_slice(&body).expect("is JSON");
    assert_eq!(headers["content-type"], "application/json");
    let [name, location] = ["model_name", "url"].map(|member| body[member].as_str().expect("is text").to_owned());
    lock(&inner).log.push(format!("load {}", last(&location)));
    let gate = lock(&inner).manner.loads.clone();
    pass(gate).await;
    let mut inner = lock(&inner);
    if inner.models.contains_key(&name) {
        return refusing(409, "is loaded already");
    }
    if let Some(status) = number(&location, "status-") {
        return refusing(status, format!("cannot load {location}"));
    }
    if number(&location, "times-").is_none() {
        return refusing(404, format!("there is nothing at {location}"));
    }
    if inner.manner.memory.is_some_and(|memory| inner.models.len() >= memory) {
        return refusing(507, "memory is full");
    }
    inner.models.insert(name, location);
    csv("")
}

/// Pages begin at the name in the token, which needs escapes in a query.
async fn list(State(inner): State<Shared>, RawQuery(query): RawQuery) -> Response<Body> {
    let mut inner = lock(&inner);
    inner.log.push("list".to_owned());
    let token = query.as_deref().map(|query| query.strip_prefix("next_page_token=").expect("is a token"));
    let first = token.map_or(0, |token| {
        token.strip_prefix("%26a%3D%23%20").and_then(|idx| idx.parse().ok()).expect("is the token that was given")
    });
    let page = inner.manner.page.unwrap_or(usize::MAX);
    let models = inner.models.iter().skip(first).take(page);
    let models: Vec<Value> = models.map(|(name, url)| json!({ "modelName": name, "modelUrl": url })).collect();
    let next = first.saturating_add(page);
    let token = (inner.manner.is_endless || next < inner.models.len()).then(|| format!("&a=# {next}"));
    typed("application/json", json!({ "models": models, "nextPageToken": token }).to_string())
}

async fn describe(State(inner): State<Shared>, Path(name): Path<String>) -> Response<Body> {
    let mut inner = lock(&inner);
    let is_loaded = inner.models.contains_key(&name);
    let Some(n_looks) = &mut inner.manner.workerless else { return refusing(404, "there is no such thing") };
    if !is_loaded {
        return refusing(404, "is not loaded");
    }
    let workers = if *n_looks == 0 { json!([{ "status": "READY" }]) } else { json!([]) };
    *n_looks = n_looks.saturating_sub(1);
    typed("application/json", json!({ "modelName": name, "workers": workers }).to_string())
}

async fn unload(State(inner): State<Shared>, Path(name): Path<String>) -> Response<Body> {
    let mut inner = lock(&inner);
    let location = inner.models.remove(&name);
    inner.log.push(format!("unload {}", location.as_deref().map_or("nothing", last)));
    if location.is_some() { csv("") } else { refusing(404, "is not loaded") }
}

async fn invoke(
    State(inner): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let body = to_bytes(body, BODY_BYTES_MAX).await.expect("is whole");
    let (location, refusal) = {
        let mut inner = lock(&inner);
        let location = inner.models.get(&name).cloned();
        inner.log.push(format!("invoke {}", location.as_deref().map_or("nothing", last)));
        inner.invocations.push(headers);
        (location, inner.manner.refusals.pop())
    };
    let gate = lock(&inner).manner.invocations.clone();
    pass(gate).await;
    let Some(location) = location else { return refusing(404, "is not loaded") };
    if let Some(status) = refusal {
        return refusing(status, "not now");
    }
    let factor = f64::from(number(&location, "times-").expect("only such models are loaded"));
    let sum =
        |line: &str| line.split(',').map(|cell| cell.parse::<f64>().expect("cells are numbers")).sum::<f64>();
    let lines = std::str::from_utf8(&body).expect("is UTF-8").lines();
    csv(lines.map(|line| format!("{:?}", factor * sum(line))).collect::<Vec<String>>().join("\n"))
}
