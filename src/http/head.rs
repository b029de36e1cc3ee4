//! Path and headers of InvokeEndpoint → which endpoint is asked, and how. Nothing of the body is read here.

use std::time::Instant;

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

use crate::aws::error::{InvokeError, Origin};
use crate::aws::fault::Faults;
use crate::aws::headers;
use crate::endpoints::{Endpoint, NoVariant, Opened, Service, Variant};
use crate::explain::{Message, TargetName};
use crate::records::Format;

/// What a request says besides its body.
pub(super) struct Head {
    pub(super) service: Service,
    pub(super) content_type: String,
    /// Of the records, where the endpoint explains.
    pub(super) format: Option<Format>,
    pub(super) accept: Option<String>,
    pub(super) custom_attributes: Option<String>,
    /// EnableExplanations, without the blanks around it.
    pub(super) filter: Option<String>,
    pub(super) target_model: Option<TargetName>,
}

/// What a request asks is not there.
#[derive(Clone)]
pub(super) enum NotThere {
    NotText,
    Endpoint,
    Variant(NoVariant),
}

impl Head {
    pub(super) fn read(
        variant: Result<&Variant, NotThere>,
        origin: &Origin,
        fields: &HeaderMap,
    ) -> Result<Self, InvokeError> {
        let variant = match variant {
            Err(NotThere::NotText) => return Err(InvokeError::BadHeader("EndpointName is not UTF-8.".to_owned())),
            Err(NotThere::Endpoint) => return Err(unknown_endpoint(origin)),
            Err(NotThere::Variant(error)) => Err(InvokeError::BadHeader(error.to_string())),
            Ok(variant) => Ok(variant),
        };
        check_limits(fields)?;
        check_refused(fields)?;
        let Opened { has_many_models, service } = &variant?.opened;
        let target_model = target_model(*has_many_models, origin, fields)?;
        check_encoding(fields)?;
        let text = |name: &str| text(fields, name).map(str::to_owned);
        let content_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let filter = text(headers::ENABLE_EXPLANATIONS);
        let format = match service {
            Service::Explain(_) => Some(format(&content_type)?),
            Service::Forward(_) if filter.is_some() => {
                return Err(InvokeError::NoExplainer(origin.endpoint.to_owned()));
            }
            Service::Forward(_) => None,
        };
        Ok(Self {
            service: service.clone(),
            content_type,
            format,
            accept: text(header::ACCEPT.as_str()),
            custom_attributes: text(headers::CUSTOM_ATTRIBUTES),
            filter,
            target_model,
        })
    }

    /// What the model gets.
    pub(super) fn message(&self, payload: Bytes, deadline: Instant) -> Message {
        Message {
            payload,
            content_type: self.content_type.clone(),
            accept: self.accept.clone(),
            custom_attributes: self.custom_attributes.clone(),
            target_model: self.target_model.clone(),
            deadline,
            can_be_split: false,
        }
    }
}

/// The variant that a path and a header ask for. A path that is no text gives no name.
pub(super) fn chosen<'a>(
    name: Option<&str>,
    endpoint: Option<&'a Endpoint>,
    fields: &HeaderMap,
) -> Result<&'a Variant, NotThere> {
    name.ok_or(NotThere::NotText)?;
    let endpoint = endpoint.ok_or(NotThere::Endpoint)?;
    endpoint.choose(text(fields, headers::TARGET_VARIANT)).map_err(NotThere::Variant)
}

fn unknown_endpoint(origin: &Origin) -> InvokeError {
    let (name, account_id) = (origin.endpoint.to_owned(), origin.account_id.to_owned());
    InvokeError::UnknownEndpoint { name, account_id }
}

/// Records that are explained come in two formats.
fn format(content_type: &str) -> Result<Format, InvokeError> {
    Format::from_mime(content_type).ok_or_else(|| match content_type {
        "" => InvokeError::NoContentType,
        other => InvokeError::ContentType(other.to_owned()),
    })
}

/// All headers that break a limit of the service model, in one refusal.
fn check_limits(fields: &HeaderMap) -> Result<(), InvokeError> {
    let mut faults = Faults::default();
    for limit in &headers::LIMITS {
        let values = fields.get_all(limit.header).iter().map(HeaderValue::as_bytes);
        limit.check(&values.collect::<Vec<&[u8]>>(), &mut faults);
    }
    if faults.is_empty() { Ok(()) } else { Err(InvokeError::BadHeader(faults.to_string())) }
}

/// Exactly the endpoints with many models are asked for one of them.
fn target_model(
    has_many_models: bool,
    origin: &Origin,
    fields: &HeaderMap,
) -> Result<Option<TargetName>, InvokeError> {
    match (has_many_models, text(fields, headers::TARGET_MODEL)) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(InvokeError::NotMultiModel(origin.endpoint.to_owned())),
        (true, None) => Err(InvokeError::NoTargetModel { request_id: origin.request_id.to_owned() }),
        (true, Some(name)) => {
            let name = headers::target_model(name);
            name.map(Some).map_err(|faults| InvokeError::BadHeader(faults.to_string()))
        }
    }
}

/// What no endpoint here has.
fn check_refused(fields: &HeaderMap) -> Result<(), InvokeError> {
    match headers::REFUSED.into_iter().find(|name| fields.contains_key(*name)) {
        Some(name) => Err(InvokeError::BadHeader(format!("The header {name} is not supported by this endpoint."))),
        None => Ok(()),
    }
}

fn check_encoding(fields: &HeaderMap) -> Result<(), InvokeError> {
    let encoding = fields.get(header::CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()));
    match encoding.filter(|encoding| encoding != "identity") {
        Some(encoding) => Err(InvokeError::ContentEncoding(encoding.into_owned())),
        None => Ok(()),
    }
}

/// A header whose limits have been checked, without the blanks around it.
fn text<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).map(str::trim)
}
