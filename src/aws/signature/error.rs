//! Why nobody is let in: AWS's types and sentences. What a caller wrote is shown only where it cannot be a secret.

use super::date::Moment;
use super::{SERVICE, TERMINATOR};
use crate::aws::fault::shown;

/// How far the clock of a caller may be off, either way.
pub(super) const SKEW_S_MAX: i64 = 15 * 60;

/// Each is answered 403.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("{}", required(.0))]
    Parameters(Vec<&'static str>),
    #[error("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")]
    NoDate,
    #[error("Date must be in ISO-8601 'basic format'. Got '{}'.", shown(.0))]
    Date(String),
    #[error("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")]
    Credential,
    #[error("The Authorization header {0}.")]
    Malformed(&'static str),
    #[error("The Authorization header has more than {limit} bytes.")]
    TooLong { limit: usize },
    #[error("The signature covers more than {limit} headers.")]
    TooManySigned { limit: usize },
    #[error("Signatures in the query are not supported; send the signature in the Authorization header.")]
    Presigned,
    #[error("Credential should be scoped with a valid terminator: '{TERMINATOR}'.")]
    Terminator,
    // The blank at the end is AWS's.
    #[error("Credential should be scoped to correct service: '{SERVICE}'. ")]
    Service,
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', \
         from '{date}'.", shown(scope), date.day()
    )]
    ScopeDate { scope: String, date: Moment },
    #[error("Signature expired: {date} is now earlier than {} ({now} - 15 min.)", now.plus(-SKEW_S_MAX))]
    Expired { date: Moment, now: Moment },
    #[error("Signature not yet current: {date} is still later than {} ({now} + 15 min.)", now.plus(SKEW_S_MAX))]
    NotYet { date: Moment, now: Moment },
    #[error("{} must be a 'SignedHeader' in the AWS Authorization.", quoted(.0))]
    Unsigned(String),
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    ContentHash,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch { access_key_id: String },
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is invalid.")]
    SessionToken { access_key_id: String },
    #[error("The bearer key is not a key of this server.")]
    Bearer,
    #[error("Web pages may not call without a key.")]
    WebPage,
}

impl AccessError {
    /// As boto3 names it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Parameters(_)
            | Self::NoDate
            | Self::Date(_)
            | Self::Credential
            | Self::Malformed(_)
            | Self::TooLong { .. }
            | Self::TooManySigned { .. }
            | Self::Presigned => "IncompleteSignatureException",
            Self::Terminator
            | Self::Service
            | Self::ScopeDate { .. }
            | Self::Expired { .. }
            | Self::NotYet { .. }
            | Self::Unsigned(_)
            | Self::ContentHash
            | Self::Mismatch { .. } => "InvalidSignatureException",
            Self::UnknownKey | Self::SessionToken { .. } => "UnrecognizedClientException",
            Self::Bearer | Self::WebPage => "AccessDeniedException",
        }
    }

    /// A few words for a metric.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "nothing to go by",
            Self::Expired { .. } | Self::NotYet { .. } => "clock",
            Self::Mismatch { .. } | Self::ContentHash => "wrong signature",
            Self::UnknownKey => "unknown key",
            Self::SessionToken { .. } => "wrong session token",
            Self::Bearer => "unknown bearer key",
            Self::WebPage => "web page",
            Self::Terminator | Self::Service | Self::ScopeDate { .. } => "wrong scope",
            Self::Unsigned(_) => "unsigned header",
            _ => "incomplete",
        }
    }

    /// A key of this server, where the caller named one.
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::Mismatch { access_key_id } | Self::SessionToken { access_key_id } => Some(access_key_id),
            _ => None,
        }
    }
}

fn required(parameters: &[&str]) -> String {
    let sentence = |name: &&str| format!("Authorization header requires '{name}' parameter.");
    parameters.iter().map(sentence).collect::<Vec<String>>().join(" ")
}

fn quoted(header: &str) -> String {
    if header == "host" { "'Host' or ':authority'".to_owned() } else { format!("'{}'", shown(header)) }
}
