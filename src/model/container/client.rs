//! One request to a container and its answer, under limits of time and size. Knows no records and no games.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::message::cleaned;
use crate::fetch::{Connector, Resolver, connector};
use crate::model::{Message, Reply};

/// A container that runs accepts connections at once.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// How long a connection is kept for reuse.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// Of a container's error text, what is read.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Characters of CustomAttributes in the service model.
const CUSTOM_ATTRIBUTES_CHARS_MAX: usize = 1024;

const CUSTOM_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");
const TARGET_MODEL: HeaderName = HeaderName::from_static("x-amzn-sagemaker-target-model");

/// No text of it names the container's address.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ContainerError {
    #[error("{message}")]
    Refused { status: u16, message: String },
    #[error("The model container could not be reached.")]
    Unreachable,
    #[error("The model container did not answer within {} ms.", waited.as_millis())]
    TimedOut { waited: Duration },
    #[error("The answer of the model container broke off.")]
    BrokenOff,
    #[error("The answer of the model container is larger than the limit of {limit} bytes.")]
    TooLarge { limit: usize },
    #[error("The model container failed {failures} times in a row and is left alone for {open_ms} ms.")]
    LeftAlone { failures: u32, open_ms: u64 },
}

/// What is asked of a container.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// From the slash on.
    pub(super) path: String,
    pub(super) fields: Vec<(HeaderName, String)>,
    pub(super) body: Bytes,
}

impl Ask {
    /// What a client sent, or records in its place.
    pub(super) fn invocation(path: &str, message: Message) -> Self {
        let Message { payload, content_type, accept, custom_attributes, target_model, .. } = message;
        let content_type = Some(content_type).filter(|content_type| !content_type.is_empty());
        let fields = [
            (CONTENT_TYPE, content_type),
            (ACCEPT, accept),
            (CUSTOM_ATTRIBUTES, custom_attributes),
            (TARGET_MODEL, target_model.map(|name| name.to_string())),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { method: Method::POST, path: path.to_owned(), fields, body: payload }
    }

    /// Nothing but a method and a path, and JSON where there is any.
    pub(super) fn management(method: Method, path: &str, body: Option<serde_json::Value>) -> Self {
        let fields = body.iter().map(|_| (CONTENT_TYPE, "application/json".to_owned())).collect();
        let body = body.map(|body| body.to_string().into()).unwrap_or_default();
        Self { method, path: path.to_owned(), fields, body }
    }
}

/// Connections to one container.
pub(super) struct Client {
    client: legacy::Client<Connector, Full<Bytes>>,
    /// Scheme, host and port.
    url: String,
    answer_bytes_max: usize,
}

impl Client {
    /// `url` has no slash at its end.
    pub(super) fn new(url: &str, resolver: Resolver, connections_max: usize, answer_bytes_max: usize) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_WAIT)
            .pool_max_idle_per_host(connections_max)
            .build(connector(CONNECT_WAIT, resolver));
        Self { client, url: url.to_owned(), answer_bytes_max }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The whole answer within `wait`.
    pub(super) async fn send(&self, ask: Ask, wait: Duration) -> Result<Reply, ContainerError> {
        let started = Instant::now();
        let outcome = timeout(wait, self.exchange(ask)).await;
        let reply = outcome.map_err(|_| ContainerError::TimedOut { waited: wait })??;
        Ok(Reply { took: started.elapsed(), ..reply })
    }

    async fn exchange(&self, ask: Ask) -> Result<Reply, ContainerError> {
        let response = self.client.request(self.request(ask)).await.map_err(|error| match error.is_connect() {
            true => ContainerError::Unreachable,
            false => ContainerError::BrokenOff,
        })?;
        if !response.status().is_success() {
            let authority = self.url.split_once("://").map_or(self.url.as_str(), |(_, authority)| authority);
            return Err(refused(response, authority).await);
        }
        let (head, body) = response.into_parts();
        let body = read(body, self.answer_bytes_max).await?;
        let text = |name| visible(&head.headers, name);
        let custom_attributes =
            text(CUSTOM_ATTRIBUTES).filter(|attributes| attributes.len() <= CUSTOM_ATTRIBUTES_CHARS_MAX);
        Ok(Reply { body, content_type: text(CONTENT_TYPE), custom_attributes, took: Duration::ZERO })
    }

    fn request(&self, ask: Ask) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(ask.method).uri(format!("{}{}", self.url, ask.path));
        for (name, value) in ask.fields {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(ask.body));
        request.expect("the address and the client's headers have been checked. This is a bug.")
    }
}

/// A header that can be repeated to a client.
fn visible(fields: &HeaderMap, name: HeaderName) -> Option<String> {
    fields.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

async fn read(mut body: Incoming, bytes_max: usize) -> Result<Bytes, ContainerError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| ContainerError::BrokenOff)?.into_data() else { continue };
        if bytes.len() + chunk.len() > bytes_max {
            return Err(ContainerError::TooLarge { limit: bytes_max });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// The beginning of the text is enough, and without any the status is told.
async fn refused(response: Response<Incoming>, authority: &str) -> ContainerError {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        text.extend_from_slice(frame.data_ref().map_or(&[], |chunk| chunk));
        if text.len() > MESSAGE_BYTES_MAX {
            break;
        }
    }
    ContainerError::Refused { status, message: cleaned(&String::from_utf8_lossy(&text), authority) }
}
