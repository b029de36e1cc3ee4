//! Which exception of the SageMaker runtime an error becomes: status, type and body, by one exhaustive match.

use serde_json::{Value, json};

use super::signature::AccessError;
use crate::explain::ExplainError;
use crate::model::container::ContainerError;
use crate::model::{ModelError, TargetError};

/// Characters of `OriginalMessage` in the service model.
const ORIGINAL_MESSAGE_CHARS_MAX: usize = 2048;

const TIMED_OUT: &str = "Your invocation timed out while waiting for a response from container primary. Review the \
    latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.";

/// Everything that can go wrong with one InvokeEndpoint.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("Endpoint {name} of account {account_id} not found.")]
    UnknownEndpoint { name: String, account_id: String },
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("{0}")]
    BadHeader(String),
    #[error("Endpoint {0} is not a multi-model endpoint and does not support target model header.")]
    NotMultiModel(String),
    #[error("Request {request_id} is missing a target model header.")]
    NoTargetModel { request_id: String },
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
    #[error("the content type {0:?} is not supported; supported: text/csv, application/jsonlines")]
    ContentType(String),
    #[error("the request has no content type; supported: text/csv, application/jsonlines")]
    NoContentType,
    #[error("Endpoint {0} has no explainer and does not support the enable explanations header.")]
    NoExplainer(String),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("Rate exceeded: {running} requests run and {waiting} wait, the limits of {owner}.")]
    Throttled { running: usize, waiting: usize, owner: &'static str },
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

    /// The key that the caller named, where it is a key of this server.
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::Access(error) => error.access_key_id(),
            _ => None,
        }
    }

    /// The text of caller or model may hold values of records, which stay out of the log.
    pub fn holds_record_values(&self) -> bool {
        match self.model_failure() {
            Some(ModelError::Container(error)) => return matches!(error, ContainerError::Refused { .. }),
            Some(ModelError::Target(_)) => return false,
            _ => {}
        }
        matches!(
            self,
            Self::BadHeader(_)
                | Self::Model(_)
                | Self::Explain(
                    ExplainError::Records(_)
                        | ExplainError::Model(_)
                        | ExplainError::Answer(_)
                        | ExplainError::Filter(_)
                        | ExplainError::Unstable { .. }
                )
        )
    }

    fn wire(&self) -> Wire {
        match self {
            Self::Access(error) => Wire::refused(403, error.code()),
            Self::UnknownEndpoint { .. }
            | Self::BadHeader(_)
            | Self::NotMultiModel(_)
            | Self::NoTargetModel { .. }
            | Self::NoExplainer(_)
            | Self::BodyBroken => Wire::refused(400, "ValidationError"),
            Self::BodyTooLarge { .. } => Wire::refused(413, "ValidationError"),
            Self::ContentEncoding(_) => Wire::refused(415, "ValidationError"),
            Self::BodyTooSlow { .. } => Wire::refused(408, "RequestTimeoutException"),
            Self::ContentType(_) | Self::NoContentType => Wire::of_model(400),
            Self::Model(error) => of_model_error(error),
            Self::Explain(error) => of_explain_error(error),
            Self::Throttled { .. } | Self::BodiesTooLarge => Wire::refused(429, "ThrottlingException"),
            Self::WaitedTooLong { .. } | Self::Draining => Wire::refused(503, "ServiceUnavailable"),
            Self::DeadlinePassed { .. } => Wire::of_model(0),
            Self::Panicked => Wire::refused(500, "InternalFailure"),
        }
    }

    fn model_failure(&self) -> Option<&ModelError> {
        match self {
            Self::Model(error) | Self::Explain(ExplainError::Model(error)) => Some(error),
            _ => None,
        }
    }

    fn container_error(&self) -> Option<&ContainerError> {
        match self.model_failure() {
            Some(ModelError::Container(error)) => Some(error),
            _ => None,
        }
    }

    /// The JSON body, with the members boto3 puts into the exception.
    pub fn body(&self, origin: &Origin) -> Value {
        match self.wire().original_status {
            Some(status) => self.model_error(status, origin),
            None => json!({ "Message": self.public_message() }),
        }
    }

    fn public_message(&self) -> String {
        if self.status() == 500 { "An internal failure occurred.".to_owned() } else { self.to_string() }
    }

    fn model_error(&self, original_status: u16, origin: &Origin) -> Value {
        let Origin { endpoint, account_id, region, request_id } = origin;
        let side = if (400..500).contains(&original_status) { "client" } else { "server" };
        let original_message = self.original_message();
        let what = match self.container_error() {
            Some(ContainerError::BrokenOff) => "and could not load the entire response body".to_owned(),
            _ => format!("with message \"{original_message}\""),
        };
        json!({
            "ErrorCode": format!("{}_ERROR_FROM_MODEL", side.to_uppercase()),
            "LogStreamArn":
                format!("arn:aws:logs:{region}:{account_id}:log-group:/aws/sagemaker/Endpoints/{endpoint}"),
            "Message": format!(
                "Received {side} error ({original_status}) from primary {what}. \
                 See the server's log, request {request_id}."
            ),
            "OriginalMessage": original_message,
            "OriginalStatusCode": original_status,
        })
    }

    fn original_message(&self) -> String {
        match (self, self.container_error()) {
            (Self::DeadlinePassed { .. }, _) | (_, Some(ContainerError::TimedOut { .. })) => TIMED_OUT.to_owned(),
            _ => self.to_string().chars().take(ORIGINAL_MESSAGE_CHARS_MAX).collect(),
        }
    }
}

impl Wire {
    fn refused(status: u16, code: &'static str) -> Self {
        Self { status, code, original_status: None }
    }

    fn of_model(original_status: u16) -> Self {
        Self { status: 424, code: "ModelError", original_status: Some(original_status) }
    }
}

fn of_explain_error(error: &ExplainError) -> Wire {
    match error {
        ExplainError::Model(error) => of_model_error(error),
        ExplainError::Records(_)
        | ExplainError::Answer(_)
        | ExplainError::Filter(_)
        | ExplainError::TooLarge { .. }
        | ExplainError::Labels { .. }
        | ExplainError::Unstable { .. }
        | ExplainError::Design { .. } => Wire::of_model(400),
        ExplainError::Compute(_) | ExplainError::NotFinite { .. } => Wire::refused(500, "InternalFailure"),
    }
}

fn of_model_error(error: &ModelError) -> Wire {
    match error {
        ModelError::Width { .. }
        | ModelError::Cell(_)
        | ModelError::Records(_)
        | ModelError::NotFinite { .. }
        | ModelError::Answer(_)
        | ModelError::ContentType(_)
        | ModelError::Accept(_)
        | ModelError::AnswerType(_)
        | ModelError::AnswerText
        | ModelError::Outputs { .. }
        | ModelError::Labels
        | ModelError::NoTemplate
        | ModelError::RowTooLarge { .. }
        | ModelError::Tokens { .. }
        | ModelError::Protocol(_) => Wire::of_model(400),
        ModelError::Container(error) => match error {
            ContainerError::Refused { status, .. } => Wire::of_model(*status),
            ContainerError::Unreachable | ContainerError::TimedOut { .. } => Wire::of_model(0),
            ContainerError::BrokenOff => Wire::of_model(500),
            ContainerError::TooLarge { .. } => Wire::of_model(400),
            ContainerError::LeftAlone { .. } => Wire::refused(503, "ServiceUnavailable"),
        },
        ModelError::Target(error) => match error {
            TargetError::Missing | TargetError::Unknown(_) => Wire::refused(400, "ValidationError"),
            TargetError::Loading(_) => Wire::refused(429, "ModelNotReadyException"),
            TargetError::Unfit { .. } => Wire::of_model(500),
        },
        ModelError::GivenUp => Wire::refused(500, "InternalFailure"),
    }
}
