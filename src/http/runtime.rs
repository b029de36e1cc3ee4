//! InvokeEndpoint: `POST /endpoints/{EndpointName}/invocations`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::timeout_at;

use super::{App, body, respond};
use crate::aws::error::{InvokeError, Origin};
use crate::aws::headers;
use crate::endpoints::Endpoint;
use crate::explain::{Explanation, Request};
use crate::offload::offload;
use crate::records::Format;
use crate::telemetry;

pub(super) async fn invoke_endpoint(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    fields: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let request_id = respond::request_id();
    let name = name.map(|Path(name)| name).map_err(|_| ());
    let origin = Origin {
        endpoint: name.as_deref().unwrap_or_default(),
        account_id: &app.config.account_id,
        region: &app.config.region,
        request_id: &request_id,
    };
    // A panic in one request is that request's failure.
    let answered = answer(&app, &origin, name.is_ok(), &fields, body, started);
    let mut response = match AssertUnwindSafe(answered).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => respond::error(&error, &origin),
        Err(_) => {
            telemetry::count_panic();
            respond::error(&InvokeError::Panicked, &origin)
        }
    };
    if app.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let label = app.registry.get(origin.endpoint).map_or("unknown", |endpoint| &endpoint.name);
    telemetry::record_request(label, response.status().as_u16(), started.elapsed());
    response
}

async fn answer(
    app: &App,
    origin: &Origin<'_>,
    is_named: bool,
    fields: &HeaderMap,
    body: Body,
    started: Instant,
) -> Result<Response, InvokeError> {
    let deadline = tokio::time::Instant::from_std(started + app.config.deadline());
    let head = match app.admit().and_then(|()| read_head(app, origin, is_named, fields)) {
        Ok(head) => head,
        // Clients that send first and read later must see this instead of a broken connection.
        Err(error) => {
            body::drain(body.into_data_stream()).await;
            return Err(error);
        }
    };
    let payload = app.bodies.read(body).await?;
    // Only now: a slow sender takes no place of others.
    let place = app.admission.enter()?;
    let waiting_since = Instant::now();
    let waited_too_long = |_| InvokeError::WaitedTooLong { waited_ms: waiting_since.elapsed().as_millis() as u64 };
    let _turn = timeout_at(deadline, place.turn()).await.map_err(waited_too_long)?;
    let queue = waiting_since.elapsed();
    let Head { endpoint, accept, filter } = head;
    let request = Request { payload: payload.bytes.clone(), accept, filter };
    let deadline_passed = |_| InvokeError::DeadlinePassed { deadline_ms: app.config.deadline_ms };
    let explanation =
        timeout_at(deadline, endpoint.explainer.explain(request)).await.map_err(deadline_passed)??;
    record(&endpoint, &explanation);
    let id = origin.request_id.to_owned();
    Ok(offload(move |_| respond::explanation(&endpoint, &explanation, queue, &id)).await)
}

fn record(endpoint: &Endpoint, explanation: &Explanation) {
    let n_explained = explanation.attributions.iter().flatten().count();
    telemetry::record_records(&endpoint.name, explanation.attributions.len(), n_explained);
    for (stage, took) in &explanation.report.stages {
        telemetry::record_stage(stage.name(), *took);
    }
}

/// What a request says besides its body.
struct Head {
    endpoint: Arc<Endpoint>,
    accept: Format,
    filter: Option<String>,
}

fn read_head(app: &App, origin: &Origin, is_named: bool, fields: &HeaderMap) -> Result<Head, InvokeError> {
    if !is_named {
        return Err(InvokeError::BadHeader("EndpointName is not UTF-8.".to_owned()));
    }
    let endpoint = app.registry.get(origin.endpoint).ok_or_else(|| InvokeError::UnknownEndpoint {
        name: origin.endpoint.to_owned(),
        account_id: origin.account_id.to_owned(),
    })?;
    check_target(endpoint, fields)?;
    if let Some(encoding) = text(fields, header::CONTENT_ENCODING.as_str())?.filter(|name| *name != "identity") {
        return Err(InvokeError::ContentEncoding(encoding.to_owned()));
    }
    let content_type = text(fields, header::CONTENT_TYPE.as_str())?.unwrap_or_default();
    let (Some(Format::Csv), Some(accept)) = (Format::from_mime(content_type), accepted(fields)?) else {
        return Err(unsupported(content_type, fields));
    };
    Ok(Head { endpoint: Arc::clone(endpoint), accept, filter: expression(fields)? })
}

/// An endpoint here is one embedded model in one variant.
fn check_target(endpoint: &Endpoint, fields: &HeaderMap) -> Result<(), InvokeError> {
    if fields.contains_key(headers::TARGET_MODEL) {
        return Err(InvokeError::NotMultiModel(endpoint.name.clone()));
    }
    if let Some(name) = headers::REFUSED.into_iter().find(|name| fields.contains_key(*name)) {
        return Err(InvokeError::BadHeader(format!("The header {name} is not supported by this endpoint.")));
    }
    match text(fields, headers::TARGET_VARIANT)? {
        Some(variant) if variant != headers::VARIANT => {
            let known = headers::VARIANT;
            Err(InvokeError::BadHeader(format!("Variant {variant} does not exist; this endpoint has {known}.")))
        }
        _ => Ok(()),
    }
}

fn unsupported(content_type: &str, fields: &HeaderMap) -> InvokeError {
    match Format::from_mime(content_type) {
        Some(Format::Csv) => {
            let accept = fields.get(header::ACCEPT).map(|value| String::from_utf8_lossy(value.as_bytes()));
            InvokeError::Accept(accept.unwrap_or_default().into_owned())
        }
        _ if content_type.is_empty() => InvokeError::NoContentType,
        _ => InvokeError::ContentType(content_type.to_owned()),
    }
}

/// The first accepted type we can write; CSV when the client does not care.
fn accepted(fields: &HeaderMap) -> Result<Option<Format>, InvokeError> {
    let Some(accept) = text(fields, header::ACCEPT.as_str())? else { return Ok(Some(Format::Csv)) };
    let format = |choice: &str| match choice.split(';').next().unwrap_or_default().trim() {
        "" | "*/*" | "text/*" => Some(Format::Csv),
        _ => Format::from_mime(choice),
    };
    Ok(accept.split(',').find_map(format))
}

/// EnableExplanations: 1 to 64 characters, without the blanks around it.
fn expression(fields: &HeaderMap) -> Result<Option<String>, InvokeError> {
    let Some(value) = fields.get(headers::ENABLE_EXPLANATIONS) else { return Ok(None) };
    let bad = |reason: String| InvokeError::BadHeader(format!("EnableExplanations {reason}."));
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| bad("is not UTF-8".to_owned()))?.trim();
    match text.chars().count() {
        1..=headers::EXPRESSION_CHARS_MAX => Ok(Some(text.to_owned())),
        n => Err(bad(format!("has {n} characters; allowed are 1 to {}", headers::EXPRESSION_CHARS_MAX))),
    }
}

fn text<'a>(fields: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, InvokeError> {
    let not_text = |_| InvokeError::BadHeader(format!("The header {name} is not visible ASCII."));
    fields.get(name).map(|value| value.to_str().map_err(not_text)).transpose()
}
