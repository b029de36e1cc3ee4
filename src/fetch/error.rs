//! Why something could not be fetched, in words that hold neither credentials nor a query string.

use std::error::Error;
use std::io;

use reqwest::StatusCode;

use super::reach::ReachError;

/// The location as it may be shown, and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{location}: {reason}")]
pub struct FetchError {
    location: String,
    reason: Reason,
}

impl FetchError {
    pub(super) fn new(location: String, reason: Reason) -> Self {
        Self { location, reason }
    }

    /// The place answers, and nothing is there.
    pub fn is_absent(&self) -> bool {
        let Reason::Status { status, code } = &self.reason else { return false };
        *status == StatusCode::NOT_FOUND && code.as_deref() != Some("NoSuchBucket")
    }

    /// Why, without where.
    pub fn into_reason(self) -> impl Error + Send + Sync + 'static {
        self.reason
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error("larger than the limit of {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    #[error("the scheme is not known: give s3://, https://, file: or a path")]
    Scheme,
    #[error("http:// is not encrypted and is refused: give https://, s3:// or a file")]
    Unencrypted,
    #[error("is not s3://BUCKET/KEY, with a plain bucket name and without empty or dotted parts in the key")]
    NotAnObject,
    #[error("is not an https URL")]
    NotAUrl,
    #[error("{variable} is not an http:// or https:// URL")]
    S3Endpoint { variable: &'static str },
    #[error("AWS_REGION, or AWS_DEFAULT_REGION, is no name of a region")]
    Region,
    #[error(
        "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them; \
         AWS_PROFILE and files below ~/.aws are not read"
    )]
    Credentials,
    #[error("no connection: {0}")]
    Connection(String),
    #[error("answered {status}{}{}", in_brackets(.code.as_deref()), note(*.status, .code.as_deref()))]
    Status { status: StatusCode, code: Option<String> },
    #[error("the answer broke off: {0}")]
    BrokeOff(String),
    #[error("nothing came for too long")]
    Silence,
    #[error("not complete after {limit_s} s")]
    Late { limit_s: u64 },
}

impl Reason {
    /// The same request may well succeed in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Connection(_) | Self::BrokeOff(_) | Self::Silence => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            _ => false,
        }
    }
}

impl From<reqwest::Error> for Reason {
    fn from(error: reqwest::Error) -> Self {
        if let Some(error) = refused(&error) {
            Self::Reach(error)
        } else if error.is_connect() {
            Self::Connection(innermost(&error))
        } else if error.is_timeout() {
            Self::Silence
        } else {
            Self::BrokeOff(innermost(&error))
        }
    }
}

/// The outer errors name the URL, which may be signed.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn Error> = error.source();
    while let Some(inner) = innermost.and_then(Error::source) {
        innermost = Some(inner);
    }
    innermost.map_or_else(|| "no reason is known".to_owned(), ToString::to_string)
}

/// By the resolver of our own.
fn refused(error: &reqwest::Error) -> Option<ReachError> {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(refused) = found.downcast_ref::<ReachError>() {
            return Some(refused.clone());
        }
        cause = found.source();
    }
    None
}

fn in_brackets(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(" ({code})"))
}

fn note(status: StatusCode, code: Option<&str>) -> &'static str {
    match code {
        _ if status.is_redirection() => "; redirects are not followed",
        Some("AccessDenied") => "; where a bucket may not be listed, S3 says so of missing objects too",
        _ => "",
    }
}
