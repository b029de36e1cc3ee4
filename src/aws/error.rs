//! Which exception of the SageMaker runtime an error becomes: status, type and body, by one exhaustive match.

use serde_json::{Value, json};

use crate::explain::ExplainError;
use crate::model::ModelError;

/// Characters of `OriginalMessage` in the service model.
const ORIGINAL_MESSAGE_CHARS_MAX: usize = 2048;

/// Everything that can go wrong with one InvokeEndpoint.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("Endpoint {name} of account {account_id} not found.")]
    UnknownEndpoint { name: String, account_id: String },
    #[error("{0}")]
    BadHeader(String),
    #[error("Endpoint {0} is not a multi-model endpoint and does not support target model header.")]
    NotMultiModel(String),
    #[error("The request body is larger than the limit of {limit} bytes.")]
    BodyTooLarge { limit: usize },
    #[error("The request body was not complete after {waited_ms} ms.")]
    BodyTooSlow { waited_ms: u64 },
    #[error("The bodies of all running and waiting requests fill the memory they may have.")]
    BodiesTooLarge,
    #[error("The content encoding {0:?} is not supported; send the body as it is.")]
    ContentEncoding(String),
    #[error("The request body could not be read.")]
    BodyBroken,
    #[error("the content type {0:?} is not supported; supported: text/csv")]
    ContentType(String),
    #[error("the request has no content type; supported: text/csv")]
    NoContentType,
    #[error("the accepted type {0:?} is not supported; supported: text/csv, application/jsonlines")]
    Accept(String),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error("Rate exceeded: {running} requests run and {waiting} wait, the limits of this server.")]
    Throttled { running: usize, waiting: usize },
    #[error("The request waited for {waited_ms} ms and could not begin.")]
    WaitedTooLong { waited_ms: u64 },
    #[error("The server is shutting down.")]
    Draining,
    #[error("the deadline of {deadline_ms} ms passed")]
    DeadlinePassed { deadline_ms: u64 },
    #[error("The request panicked.")]
    Panicked,
}

/// Status and type as boto3 reads them, and what belongs in the body.
struct Wire {
    status: u16,
    code: &'static str,
    original_status: Option<u16>,
}

/// What the server adds to an error: where it is and which request it was.
pub struct Origin<'a> {
    pub endpoint: &'a str,
    pub account_id: &'a str,
    pub region: &'a str,
    pub request_id: &'a str,
}

impl InvokeError {
    pub fn status(&self) -> u16 {
        self.wire().status
    }

    /// The value of `x-amzn-ErrorType`.
    pub fn code(&self) -> &'static str {
        self.wire().code
    }

    /// The caller's text may hold values of records, which stay out of the log.
    pub fn holds_record_values(&self) -> bool {
        matches!(
            self,
            Self::Explain(
                ExplainError::Records(_)
                    | ExplainError::Model(_)
                    | ExplainError::Answer(_)
                    | ExplainError::Filter(_)
            )
        )
    }

    fn wire(&self) -> Wire {
        let refused = |status, code| Wire { status, code, original_status: None };
        let model =
            |original_status| Wire { status: 424, code: "ModelError", original_status: Some(original_status) };
        match self {
            Self::UnknownEndpoint { .. } | Self::BadHeader(_) | Self::NotMultiModel(_) | Self::BodyBroken => {
                refused(400, "ValidationError")
            }
            Self::BodyTooLarge { .. } => refused(413, "ValidationError"),
            Self::ContentEncoding(_) => refused(415, "ValidationError"),
            Self::BodyTooSlow { .. } => refused(408, "RequestTimeoutException"),
            Self::ContentType(_) | Self::NoContentType | Self::Accept(_) => model(400),
            Self::Explain(error) => match error {
                ExplainError::Records(_)
                | ExplainError::Answer(_)
                | ExplainError::Filter(_)
                | ExplainError::TooLarge { .. }
                | ExplainError::Design { .. } => model(400),
                ExplainError::Model(error) => match error {
                    ModelError::Width { .. }
                    | ModelError::Cell(_)
                    | ModelError::NotFinite { .. }
                    | ModelError::Answer(_) => model(400),
                    ModelError::GivenUp => refused(500, "InternalFailure"),
                },
                ExplainError::Compute(_) | ExplainError::NotFinite { .. } => refused(500, "InternalFailure"),
            },
            Self::Throttled { .. } | Self::BodiesTooLarge => refused(429, "ThrottlingException"),
            Self::WaitedTooLong { .. } | Self::Draining => refused(503, "ServiceUnavailable"),
            Self::DeadlinePassed { .. } => model(0),
            Self::Panicked => refused(500, "InternalFailure"),
        }
    }

    /// The JSON body, with the members boto3 puts into the exception.
    pub fn body(&self, origin: &Origin) -> Value {
        match self.wire().original_status {
            Some(status) => model_error(status, &self.original_message(), origin),
            None => json!({ "Message": self.public_message() }),
        }
    }

    fn public_message(&self) -> String {
        if self.status() == 500 { "An internal failure occurred.".to_owned() } else { self.to_string() }
    }

    fn original_message(&self) -> String {
        match self {
            Self::DeadlinePassed { .. } => "Your invocation timed out while waiting for a response from container primary. \
                 Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
                .to_owned(),
            other => other.to_string().chars().take(ORIGINAL_MESSAGE_CHARS_MAX).collect(),
        }
    }
}

fn model_error(original_status: u16, original_message: &str, origin: &Origin) -> Value {
    let Origin { endpoint, account_id, region, request_id } = origin;
    let side = if (400..500).contains(&original_status) { "client" } else { "server" };
    json!({
        "ErrorCode": format!("{}_ERROR_FROM_MODEL", side.to_uppercase()),
        "LogStreamArn": format!("arn:aws:logs:{region}:{account_id}:log-group:/aws/sagemaker/Endpoints/{endpoint}"),
        "Message": format!(
            "Received {side} error ({original_status}) from primary with message \"{original_message}\". \
             See the server's log, request {request_id}."
        ),
        "OriginalMessage": original_message,
        "OriginalStatusCode": original_status,
    })
}
