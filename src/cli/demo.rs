//! `explaind demo`: serves a bundled endpoint on a free loopback port, explains one record over HTTP, draws it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::Request;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::signals::Signals;
use super::terminal::Terminal;
use super::{chart, engine, serve};
use crate::aws::{definition, headers};
use crate::config::{ContainerConfig, EngineConfig, ServerConfig};
use crate::endpoints::{Endpoint, LoadLimits, ModelSource, Registry, Setup};
use crate::explain::Shared;
use crate::shap::Link;
use crate::{http, telemetry};

/// Our own answer to one record is a few KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const ANSWER_WAIT: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
pub(super) struct DemoConfig {
    /// End after the picture instead of serving on
    #[arg(long)]
    once: bool,

    /// Which bundled endpoint
    #[arg(long, value_enum, default_value = "breast-cancer")]
    example: Example,

    #[command(flatten)]
    engine: EngineConfig,

    #[command(flatten)]
    containers: ContainerConfig,

    #[command(flatten)]
    server: ServerConfig,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Example {
    BreastCancer,
    Wine,
    Spam,
}

/// An example folder, inside the program.
struct Bundle {
    /// Of one model; the first is the one to ask.
    definitions: &'static [&'static str],
    model: &'static [u8],
    records: &'static str,
}

macro_rules! path {
    ($folder:literal, $file:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/examples/", $folder, "/", $file)
    };
}

macro_rules! bundle {
    ($folder:literal, $model:literal, [$($definition:literal),+]) => {
        Bundle {
            definitions: &[$(include_str!(path!($folder, $definition))),+],
            model: include_bytes!(path!($folder, $model)),
            records: include_str!(path!($folder, "records.csv")),
        }
    };
}

impl Example {
    fn bundle(self) -> Bundle {
        match self {
            Self::BreastCancer => bundle!("breast-cancer", "model.json", ["endpoint.json"]),
            Self::Wine => bundle!("wine", "model.json", ["endpoint.json"]),
            Self::Spam => bundle!("spam", "model.onnx", ["endpoint.json", "sentences.json"]),
        }
    }
}

impl Bundle {
    fn setups(&self, config: &EngineConfig) -> anyhow::Result<Vec<Setup>> {
        let read = |definition: &&str| {
            let setup = definition::read(definition.as_bytes(), Path::new(""), engine::defaults(&config.open)?)?;
            Ok(Setup { model: ModelSource::Bundled(self.model), ..setup })
        };
        self.definitions.iter().map(read).collect()
    }
}

/// What came back: the document and the headers that say how it was made.
pub(super) struct Answered {
    pub(super) document: Value,
    pub(super) base_values: Vec<f64>,
    pub(super) fields: Vec<(&'static str, String)>,
}

pub(super) fn run(config: DemoConfig) -> anyhow::Result<()> {
    let bundle = config.example.bundle();
    let metrics = telemetry::install_metrics()?;
    let shared = engine::open(&config.engine, &config.server)?;
    let setups = bundle.setups(&config.engine)?;
    let record = bundle.records.lines().next().context("the bundled records are empty. This is a bug.")?;
    let asked: Vec<(String, Link)> = setups.iter().map(|setup| (setup.name.clone(), link(setup))).collect();
    serve::run_to_end(&shared, async {
        let limits = engine::load_limits(&config.engine.open, &config.containers);
        let registry = open(setups, &shared, &limits).await?;
        let app = http::App::new(Arc::new(registry), None, config.server, http::Gate::open(), metrics);
        let running = Running::start(app).await?;
        ask_and_draw(&running.url, &asked, record).await?;
        if !config.once {
            let signals = Signals::install()?;
            writeln!(io::stdout(), "\nServing on {} until Ctrl-C.", running.url)?;
            signals.shutdown(Duration::ZERO).await;
        }
        running.stop().await
    })
}

async fn open(setups: Vec<Setup>, shared: &Arc<Shared>, limits: &LoadLimits) -> anyhow::Result<Registry> {
    let registry = Registry::default();
    for setup in setups {
        let name = setup.name.clone();
        registry.put(Endpoint::single(name, headers::VARIANT, setup.open(shared, limits).await?));
    }
    Ok(registry)
}

/// The server, on a free port of loopback.
struct Running {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<bool>,
}

impl Running {
    async fn start(app: Arc<http::App>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(http::serve(listener, app, async {
            let _ = stopped.await;
            Duration::ZERO
        }));
        Ok(Self { url, stop, task })
    }

    async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.task.await?;
        Ok(())
    }
}

/// One picture for each endpoint, and how to ask the first one.
async fn ask_and_draw(url: &str, asked: &[(String, Link)], record: &str) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let terminal = Terminal::of(&out);
    for (name, link) in asked {
        let answered = invoke(url, name, record).await?;
        let picture = chart::Picture { name, record, link: *link, answered: &answered };
        out.write_all(chart::draw(&picture, &terminal)?.as_bytes())?;
    }
    Ok(write_next(&mut out, url, &asked[0].0, record)?)
}

fn link(setup: &Setup) -> Link {
    setup.explainer.as_ref().map_or(Link::Identity, |explainer| explainer.link)
}

async fn invoke(url: &str, endpoint: &str, record: &str) -> anyhow::Result<Answered> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("{url}/endpoints/{endpoint}/invocations"))
        .header("content-type", "text/csv")
        .body(Full::from(record.to_owned()))?;
    let response = tokio::time::timeout(ANSWER_WAIT, client.request(request)).await??;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(anyhow::Error::from_boxed)?.to_bytes();
    if !parts.status.is_success() {
        bail!("the server answered {}: {}", parts.status, String::from_utf8_lossy(&body));
    }
    let field = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let shown = [headers::DEVICE, headers::KERNEL, headers::ESTIMATOR, headers::SERVER_TIMING];
    Ok(Answered {
        document: serde_json::from_slice(&body)?,
        base_values: serde_json::from_str(&field(headers::BASE_VALUES).context("no base values")?)?,
        fields: shown.into_iter().filter_map(|name| Some((name, field(name)?))).collect(),
    })
}

fn write_next(out: &mut impl Write, url: &str, name: &str, record: &str) -> io::Result<()> {
    let for_shell = record.replace('\'', r"'\''");
    // JSON's escapes are Python's.
    let for_python = Value::from(record);
    write!(
        out,
        r#"
Try it yourself, with curl:

  curl {url}/endpoints/{name}/invocations -H 'Content-Type: text/csv' \
    -d '{for_shell}'

or with boto3, unchanged but for endpoint_url:

  import boto3
  runtime = boto3.client("sagemaker-runtime", endpoint_url="{url}", region_name="us-east-1",
                         aws_access_key_id="test", aws_secret_access_key="test")
  answer = runtime.invoke_endpoint(EndpointName="{name}", ContentType="text/csv",
                                   Body={for_python})
  print(answer["Body"].read().decode())
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_try_quote_a_text_for_the_shell_and_for_python() {
        let mut out = Vec::new();
        write_next(&mut out, "http://127.0.0.1:1", "spam", r#""it's free""#).expect("writes");
        let text = String::from_utf8(out).expect("is UTF-8");
        assert!(text.contains(r#"-d '"it'\''s free"'"#), "{text}");
        assert!(text.contains(r#"Body="\"it's free\"")"#), "{text}");
    }
}
