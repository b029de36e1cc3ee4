//! A real server on a free loopback port with the bundled examples in it, and a client that keeps connections.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use bytes::Bytes;
use clap::Parser;
use explaind::aws::control::ControlPlane;
use explaind::aws::definition;
use explaind::compute::{Attributor, BatchLimits, Engine};
use explaind::config::{ContainerConfig, Kernel, ServerConfig};
use explaind::endpoints::{Endpoint, LoadLimits, Opened, Registry, SetupError};
use explaind::explain::{Limits, Shared};
use explaind::fetch::Reach;
use explaind::http::{App, Gate, serve};
use explaind::shap::{DesignLimits, OperatorCache};
use explaind::telemetry::install_metrics;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fake::Fake;
use crate::wire::Wire;

/// Nothing here takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A client of one server.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub struct TestApp {
    caller: Caller,
    stop: oneshot::Sender<Duration>,
    served: JoinHandle<bool>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Caller {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a request whose URI is a path.
    pub fn send(&self, request: Request<Full<Bytes>>) -> impl Future<Output = Answer> + Send + 'static {
        let answer = self.try_send(request);
        async { answer.await.expect("a whole answer") }
    }

    /// None where the server hangs up.
    pub fn try_send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Option<Answer>> + Send + 'static {
        let uri = format!("http://{}{}", self.address, request.uri());
        *request.uri_mut() = uri.parse().expect("is a URI");
        let response = self.client.request(request);
        async {
            let (parts, body) = within(PATIENCE, response).await.ok()?.into_parts();
            let body = within(PATIENCE, body.collect()).await.ok()?.to_bytes();
            Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        }
    }
}

impl TestApp {
    /// The examples, under the default settings.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::serving(examples(), change).await
    }

    /// Beside the examples, an endpoint named `fake` with the given model.
    pub async fn with_fake(fake: Fake, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let registry = examples();
        registry.put(fake.into_endpoint(shared()));
        Self::serving(registry, change).await
    }

    /// One endpoint, from its definition.
    pub async fn defining(definition: serde_json::Value) -> Self {
        Self::with_endpoint(open(&definition, Path::new("")).await.expect("opens")).await
    }

    /// The same, with other settings of containers.
    pub async fn treating(definition: serde_json::Value, change: impl FnOnce(&mut ContainerConfig)) -> Self {
        Self::with_endpoint(open_treating(&definition, Path::new(""), change).await.expect("opens")).await
    }

    /// The same, with other settings of the server.
    pub async fn defining_within(definition: serde_json::Value, change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::serving_one(open(&definition, Path::new("")).await.expect("opens"), change).await
    }

    /// Several endpoints, with other settings of containers and of the server.
    pub async fn hosting(
        definitions: &[serde_json::Value],
        treat: impl Fn(&mut ContainerConfig),
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let registry = Registry::default();
        for definition in definitions {
            registry.put(open_treating(definition, Path::new(""), &treat).await.expect("opens"));
        }
        Self::serving(registry, change).await
    }

    pub async fn with_endpoint(endpoint: Endpoint) -> Self {
        Self::serving_one(endpoint, |_| {}).await
    }

    async fn serving_one(endpoint: Endpoint, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let registry = Registry::default();
        registry.put(endpoint);
        Self::serving(registry, change).await
    }

    /// The examples, for those who pass.
    pub async fn behind(gate: Gate) -> Self {
        Self::over(Arc::new(examples()), None, gate, |_| {}).await
    }

    async fn serving(registry: Registry, change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::over(Arc::new(registry), None, Gate::open(), change).await
    }

    /// With a control plane, or without.
    pub async fn over(
        registry: Arc<Registry>,
        control: Option<Arc<ControlPlane>>,
        gate: Gate,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let mut config = default_config();
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let address = listener.local_addr().expect("is bound");
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { stopped.await.unwrap_or_default() };
        let app = App::new(registry, control, config, gate, metrics());
        let served = tokio::spawn(serve(listener, app, stopped));
        Self { caller: Caller::to(address), stop, served }
    }

    pub fn send(&self, request: Request<Full<Bytes>>) -> impl Future<Output = Answer> + Send + 'static {
        self.caller.send(request)
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The same as a task, so that the test goes on.
    pub fn begin(&self, request: Request<Full<Bytes>>) -> JoinHandle<Answer> {
        tokio::spawn(self.send(request))
    }

    pub fn address(&self) -> SocketAddr {
        self.caller.address
    }

    pub async fn wire(&self) -> Wire {
        Wire::open(self.address()).await
    }

    /// Shuts down as Ctrl-C does; the handle ends with what `serve` returned.
    pub fn stop(self) -> JoinHandle<bool> {
        self.stop_after(Duration::ZERO)
    }

    /// Shuts down as SIGTERM does, with this grace.
    pub fn stop_after(self, grace: Duration) -> JoinHandle<bool> {
        let _ = self.stop.send(grace);
        self.served
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// InvokeEndpoint with `text/csv`.
pub fn invoke(endpoint: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post(format!("/endpoints/{endpoint}/invocations")).header("content-type", "text/csv");
    request.body(Full::new(body.into())).expect("is a request")
}

pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).body(Full::default()).expect("is a request")
}

/// Sets a header, in place of one of that name.
pub fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: impl AsRef<[u8]>,
) -> Request<Full<Bytes>> {
    let value = HeaderValue::from_bytes(value.as_ref()).expect("is a header value");
    request.headers_mut().insert(HeaderName::from_static(name), value);
    request
}

/// The first records of an example.
pub fn records(example: &str, n: usize) -> String {
    let text = std::fs::read_to_string(example_folder(example).join("records.csv")).expect("reads");
    text.lines().take(n).collect::<Vec<&str>>().join("\n")
}

pub fn example_folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example)
}

pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| panic!("nothing within {limit:?}"))
}

/// Waits until it holds; says how long that took.
pub async fn until(holds: impl Fn() -> bool) -> Duration {
    let started = Instant::now();
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(PATIENCE, polling).await;
    started.elapsed()
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    server: ServerConfig,

    #[command(flatten)]
    containers: ContainerConfig,
}

fn default_config() -> ServerConfig {
    Defaults::parse_from(["test"]).server
}

/// Opened once; each test has a registry of its own.
fn examples() -> Registry {
    static EXAMPLES: OnceLock<[(&str, Opened); 2]> = OnceLock::new();
    let examples = EXAMPLES.get_or_init(|| ["breast-cancer", "wine"].map(|name| (name, open_example(name))));
    let registry = Registry::default();
    for (name, opened) in examples {
        registry.put(Endpoint::single((*name).to_owned(), "AllTraffic", opened.clone()));
    }
    registry
}

fn open_example(name: &str) -> Opened {
    let folder = example_folder(name);
    let json = std::fs::read(folder.join("endpoint.json")).expect("reads");
    let definition = serde_json::from_slice(&json).expect("is JSON");
    let endpoint = pollster::block_on(open(&definition, &folder)).expect("opens");
    endpoint.variants()[0].opened.clone()
}

/// An endpoint whose relative paths begin at `folder`.
pub async fn open(definition: &serde_json::Value, folder: &Path) -> Result<Endpoint, SetupError> {
    open_treating(definition, folder, |_| {}).await
}

pub async fn open_treating(
    definition: &serde_json::Value,
    folder: &Path,
    change: impl FnOnce(&mut ContainerConfig),
) -> Result<Endpoint, SetupError> {
    open_by(definition, folder, &limits(change)).await
}

/// An endpoint of somebody who may not name all places.
pub async fn open_within(
    reach: &Reach,
    definition: &serde_json::Value,
    folder: &Path,
) -> Result<Endpoint, SetupError> {
    open_by(definition, folder, &LoadLimits { reach: reach.clone(), ..limits(|_| {}) }).await
}

async fn open_by(
    definition: &serde_json::Value,
    folder: &Path,
    limits: &LoadLimits,
) -> Result<Endpoint, SetupError> {
    let json = serde_json::to_vec(definition).expect("is JSON");
    let setup = definition::read(&json, folder, Kernel::Shapley).expect("is a definition");
    let name = setup.name.clone();
    Ok(Endpoint::single(name, "AllTraffic", setup.open(shared(), limits).await?))
}

/// What a test may load.
pub fn limits(change: impl FnOnce(&mut ContainerConfig)) -> LoadLimits {
    let mut containers = Defaults::parse_from(["test"]).containers;
    change(&mut containers);
    LoadLimits {
        model_bytes_max: 64 << 20,
        baseline_bytes_max: 1 << 20,
        reach: Reach::operator(),
        containers,
        asks_containers: false,
    }
}

/// Per explained record and feature, one number per output.
pub fn attributions(answer: &Answer) -> Vec<Vec<Vec<f64>>> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let numbers = |feature: &serde_json::Value| {
        let numbers = feature["attributions"][0]["attribution"].as_array().expect("is a list");
        numbers.iter().map(|number| number.as_f64().expect("is a number")).collect()
    };
    let document = answer.json();
    let records = document["explanations"]["kernel_shap"].as_array().expect("something is explained");
    let explained = records.iter().filter_map(serde_json::Value::as_array);
    explained.map(|features| features.iter().map(numbers).collect()).collect()
}

/// The CPU engine and the default limits.
pub fn shared() -> &'static Arc<Shared> {
    static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let attributor = Attributor::start(|| Ok(Engine::cpu()), BatchLimits::default()).expect("starts");
        let design = DesignLimits { players_max: 1024, operator_bytes_max: 64 << 20 };
        let limits = Limits { records_max: 100_000, attributions_max: 200_000, design };
        Shared::new(attributor, OperatorCache::new(64 << 20), limits)
    })
}

fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| install_metrics().expect("is the first recorder")).clone()
}
