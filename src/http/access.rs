//! The gate in front of all that answers calls: who may pass, by the head of a request and then by its body.

use std::time::SystemTime;

use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use bytes::Bytes;

use crate::aws::signature::{self, AccessError, Caller, Head, Keys};
use crate::offload::offload_large;
use crate::telemetry;

/// Who may call.
pub struct Gate {
    /// None: everybody.
    keys: Option<Keys>,
    guards_metrics: bool,
}

/// A caller who may send a body.
pub(super) struct Visitor(Caller);

impl Gate {
    /// Everybody may call.
    pub fn open() -> Self {
        Self { keys: None, guards_metrics: false }
    }

    /// Those who have a key may call. Metrics are for all who reach a loopback address.
    pub fn with(keys: Keys, is_loopback: bool) -> Self {
        Self { keys: Some(keys), guards_metrics: !is_loopback }
    }

    /// Everything but the body, which need not be read when this refuses.
    pub(super) fn admit(&self, parts: &Parts) -> Result<Visitor, AccessError> {
        let caller = match &self.keys {
            Some(keys) => signature::identify(keys, &head(parts), SystemTime::now().into()),
            None => Ok(Caller::Known),
        };
        caller.map(Visitor).inspect_err(count)
    }

    /// The same for the control plane. Where everybody may call, pages that a browser of this machine shows may not:
    /// they can reach a loopback address, and browsers name their origin.
    pub(super) fn admit_control(&self, parts: &Parts) -> Result<Visitor, AccessError> {
        if self.keys.is_none() && parts.headers.contains_key(header::ORIGIN) {
            return Err(AccessError::WebPage).inspect_err(count);
        }
        self.admit(parts)
    }

    /// Whether strangers must not learn what there is.
    pub(super) fn is_closed(&self) -> bool {
        self.keys.is_some()
    }

    /// A request of metrics has no body.
    pub(super) fn admit_metrics(&self, parts: &Parts) -> Result<(), AccessError> {
        if !self.guards_metrics {
            return Ok(());
        }
        match self.admit(parts)?.0 {
            Caller::Known => Ok(()),
            Caller::Claimed(claim) => claim.verify(b"").inspect_err(count),
        }
    }
}

impl Visitor {
    /// Whether it is certain who calls, whatever the body holds.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.0, Caller::Known)
    }

    /// Whether the caller has signed this body.
    pub(super) async fn verify(self, body: &Bytes) -> Result<(), AccessError> {
        match self.0 {
            Caller::Known => Ok(()),
            Caller::Claimed(claim) => {
                let body = body.clone();
                offload_large(body.len(), move |_| claim.verify(&body)).await.inspect_err(count)
            }
        }
    }
}

fn head(parts: &Parts) -> Head<'_> {
    let fields = parts.headers.iter().map(|(name, value)| (HeaderName::as_str(name), value.as_bytes()));
    Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        fields: fields.collect(),
    }
}

fn count(error: &AccessError) {
    telemetry::count_access_refusal(error.reason());
}
