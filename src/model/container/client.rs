//! One request to a container and its answer, under limits of time and size. Knows no records and no games.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::{Method, Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{self, Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use tokio::time::{timeout, timeout_at};

use crate::fetch;
use crate::model::{Answer, Forward, Message, Reply};
use crate::telemetry;

/// A container that runs accepts connections at once.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// Connections kept for reuse, and for how long.
const IDLE_CONNECTIONS_MAX: usize = 8;
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// A container has 60 s to answer (SageMaker documentation, "Custom Inference Code with Hosting Services").
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// One answer of a container.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Of a container's error text, what is repeated to the client.
const MESSAGE_CHARS_MAX: usize = 1024;

/// Of a container's error text, what is read.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Characters of CustomAttributes in the service model.
const CUSTOM_ATTRIBUTES_CHARS_MAX: usize = 1024;

const CUSTOM_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");
const TARGET_MODEL: HeaderName = HeaderName::from_static("x-amzn-sagemaker-target-model");

/// A running container.
pub struct Container {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a slash at its end.
    url: String,
}

/// No text of it names the container's address.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ContainerError {
    #[error("{message}")]
    Refused { status: u16, message: String },
    #[error("The model container could not be reached.")]
    Unreachable,
    #[error("The model container did not answer within {} s.", ANSWER_WAIT.as_secs())]
    TimedOut,
    #[error("The answer of the model container broke off.")]
    BrokenOff,
    #[error("The answer of the model container is larger than the limit of {limit} bytes.")]
    TooLarge { limit: usize },
}

impl Container {
    /// `url` is the container's base, without a slash at its end.
    pub fn new(url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_WAIT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(fetch::connector(CONNECT_WAIT));
        Self { client, url: url.to_owned() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends what a client sent, or synthetic records, to a path of the container.
    pub(super) async fn invoke(&self, path: &str, message: Message) -> Result<Reply, ContainerError> {
        let sent = timeout(ANSWER_WAIT, self.send(self.invocation(path, message)));
        let outcome = sent.await.unwrap_or(Err(ContainerError::TimedOut));
        telemetry::count_container_request(match &outcome {
            Ok(_) => "ok",
            Err(ContainerError::Refused { .. }) => "refused",
            Err(_) => "failed",
        });
        outcome
    }

    /// A request of the multi-model contract that is no invocation: load, list, unload.
    pub(super) async fn manage(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        deadline: Instant,
    ) -> Result<Reply, ContainerError> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string().into()),
            None => request.body(Full::default()),
        };
        let request = request.expect("the address and the path have been checked. This is a bug.");
        timeout_at(deadline.into(), self.send(request)).await.unwrap_or(Err(ContainerError::TimedOut))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, ContainerError> {
        let response = match self.client.request(request.clone()).await {
            Err(error) if is_closed(&error) => self.client.request(request).await,
            outcome => outcome,
        };
        let response = response.map_err(|error| match error.is_connect() {
            true => ContainerError::Unreachable,
            false => ContainerError::BrokenOff,
        })?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let (head, body) = response.into_parts();
        let body = read(body, ANSWER_BYTES_MAX).await?;
        let text = |name| visible(&head.headers, name);
        let custom_attributes =
            text(CUSTOM_ATTRIBUTES).filter(|attributes| attributes.len() <= CUSTOM_ATTRIBUTES_CHARS_MAX);
        Ok(Reply { body, content_type: text(CONTENT_TYPE), custom_attributes })
    }

    fn invocation(&self, path: &str, message: Message) -> Request<Full<Bytes>> {
        let Message { payload, content_type, accept, custom_attributes, target_model, .. } = message;
        let content_type = Some(content_type).filter(|content_type| !content_type.is_empty());
        let target_model = target_model.map(|name| name.to_string());
        let mut request = Request::post(format!("{}{path}", self.url));
        for (name, value) in [
            (CONTENT_TYPE, content_type),
            (ACCEPT, accept),
            (CUSTOM_ATTRIBUTES, custom_attributes),
            (TARGET_MODEL, target_model),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(payload));
        request.expect("the address and the client's headers have been checked. This is a bug.")
    }
}

impl Forward for Container {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        async { Ok(self.invoke("/invocations", message).await?) }.boxed()
    }
}

/// No answer began: a container may close a kept connection in the moment it is used again.
fn is_closed(error: &legacy::Error) -> bool {
    let answer = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    !error.is_connect() && answer.is_none_or(|error| !error.is_parse())
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
async fn refused(response: Response<Incoming>) -> ContainerError {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        text.extend_from_slice(frame.data_ref().map_or(&[], |chunk| chunk));
        if text.len() > MESSAGE_BYTES_MAX {
            break;
        }
    }
    ContainerError::Refused { status, message: cleaned(&String::from_utf8_lossy(&text)) }
}

/// Text of a container as a client may see it: cut, and without control characters.
fn cleaned(text: &str) -> String {
    let visible = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_text_is_cut_and_cannot_forge_lines() {
        assert_eq!(cleaned(" no\r\nsuch\u{1b}[31m model\n"), "no  such [31m model");
        assert_eq!(cleaned(&"é".repeat(2000)).chars().count(), MESSAGE_CHARS_MAX);
    }
}
