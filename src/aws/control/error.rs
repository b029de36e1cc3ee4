//! Which error of AWS JSON 1.1 a failed call becomes: status, type and body, by one exhaustive match.

use serde_json::{Value, json};

use super::account::Kind;
use super::operation::Operation;
use crate::aws::error::InvokeError;
use crate::aws::fault::Faults;
use crate::endpoints::StoreError;

/// Everything that can go wrong with one call of the control plane.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Faults(#[from] Faults),
    #[error("Could not find {} \"{arn}\".", .kind.text())]
    NotFound { kind: Kind, arn: String },
    #[error("Cannot create already existing {} \"{arn}\".", .kind.text())]
    Exists { kind: Kind, arn: String },
    #[error("The {} \"{arn}\" comes from a definition file of this server; only the file can change or use it.", .kind.text())]
    FromFile { kind: Kind, arn: String },
    #[error("Cannot update in-progress endpoint \"{0}\".")]
    InProgress(String),
    #[error("Endpoint \"{0}\" is Failed; the only operation on it is DeleteEndpoint.")]
    Failed(String),
    #[error("The account-level service limit 'Number of {}s' is {limit}; delete some first.", .kind.text())]
    LimitExceeded { kind: Kind, limit: usize },
    #[error("There is no operation {name:?} here. Known: {}.", Operation::known())]
    UnknownOperation { name: String },
    #[error("The request body is not a JSON object: {0}")]
    NotJson(serde_json::Error),
    #[error("Rate exceeded: {limit} calls of the control plane are under way.")]
    Throttled { limit: usize },
    /// Of what stands before the operation: the body and who sends it.
    #[error(transparent)]
    Request(#[from] InvokeError),
    #[error("With this the endpoint takes {n_bytes} bytes to keep; the limit is {limit} bytes.")]
    TooLarge { n_bytes: u64, limit: u64 },
    #[error("the state could not be written: {0}")]
    Store(StoreError),
    #[error("the call panicked")]
    Panicked,
}

impl ControlError {
    pub fn status(&self) -> u16 {
        match self {
            Self::Request(error) => error.status(),
            Self::Store(_) | Self::Panicked => 500,
            _ => 400,
        }
    }

    /// What boto3 shows in brackets.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_)
            | Self::Faults(_)
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::FromFile { .. }
            | Self::InProgress(_)
            | Self::Failed(_)
            | Self::TooLarge { .. } => "ValidationException",
            Self::LimitExceeded { .. } => "ResourceLimitExceeded",
            Self::UnknownOperation { .. } => "UnknownOperationException",
            Self::NotJson(_) => "SerializationException",
            Self::Throttled { .. } => "ThrottlingException",
            Self::Request(error) => match error.code() {
                "ValidationError" => "ValidationException",
                code => code,
            },
            Self::Store(_) | Self::Panicked => "InternalFailure",
        }
    }

    /// The key that the caller named, where it is a key of this server.
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::Request(error) => error.access_key_id(),
            _ => None,
        }
    }

    /// Our own troubles are for the log.
    pub fn body(&self, request_id: &str) -> Value {
        let message = match self {
            Self::Store(_) | Self::Panicked => {
                format!("An internal failure occurred. See the server's log, request {request_id}.")
            }
            error => error.to_string(),
        };
        json!({ "__type": self.code(), "message": message })
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { n_bytes, bytes_max, .. } => Self::TooLarge { n_bytes, limit: bytes_max },
            error => Self::Store(error),
        }
    }
}
