//! Answers as they go out: explanations with their headers, errors in AWS's form, each logged once.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::aws::control::ControlError;
use crate::aws::document::{Document, write_numbers};
use crate::aws::error::{InvokeError, Origin};
use crate::aws::fault::shown;
use crate::aws::headers;
use crate::aws::signature::AccessError;
use crate::config::ServerConfig;
use crate::endpoints::Explained;
use crate::explain::{Explanation, Reply};

/// Longer lists are left out: proxies and clients take only so much of a header.
const BASE_VALUES_CHARS_MAX: usize = 4096;

const JSON: &str = "application/json";
const AWS_JSON: &str = "application/x-amz-json-1.1";

pub(super) fn explanation(
    explained: &Explained,
    explanation: &Explanation,
    queue: Duration,
    id: &str,
) -> Response {
    let started = std::time::Instant::now();
    let body = Document::of(explained.feature_headers.as_deref(), explained.feature_types.as_deref(), explanation)
        .to_json();
    let encode = started.elapsed();
    let report = &explanation.report;
    let mut fields = own_fields(id, explanation.predictions.custom_attributes.clone());
    fields.push((headers::KERNEL, report.kernel.name().to_owned()));
    fields.push((headers::STAMP, explained.stamp.with(&explanation.model)));
    fields.push((headers::SERVER_TIMING, server_timing(explanation, queue, encode)));
    if let Some(base_values) = &explanation.base_values {
        let base_values = write_numbers(base_values);
        fields.extend((base_values.len() <= BASE_VALUES_CHARS_MAX).then_some((headers::BASE_VALUES, base_values)));
        fields.push((headers::DEVICE, visible(&join(report.devices.iter().map(AsRef::as_ref)))));
        fields.push((headers::ESTIMATOR, join(report.estimators.iter().copied())));
    }
    if report.clipped > 0 {
        fields.push((headers::CLIPPED, report.clipped.to_string()));
    }
    respond(StatusCode::OK, Some(JSON), fields, body)
}

/// A model's answer as it came.
pub(super) fn reply(reply: Reply, id: &str) -> Response {
    let fields = own_fields(id, reply.custom_attributes);
    respond(StatusCode::OK, reply.content_type.as_deref(), fields, reply.body.into())
}

/// The request's ID, and what the container has to say.
fn own_fields(id: &str, custom_attributes: Option<String>) -> Vec<(&'static str, String)> {
    let attributes = custom_attributes.map(|attributes| (headers::CUSTOM_ATTRIBUTES, attributes));
    [(headers::REQUEST_ID, id.to_owned())].into_iter().chain(attributes).collect()
}

/// Adapter names come from drivers; a header takes visible ASCII.
fn visible(name: &str) -> String {
    name.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<&str>>().join(", ")
}

/// In ms, in the order of the work.
fn server_timing(explanation: &Explanation, queue: Duration, encode: Duration) -> String {
    let stages = explanation.report.stages.iter().map(|(stage, took)| (stage.name(), *took));
    let all = [("queue", queue)].into_iter().chain(stages).chain([("encode", encode)]);
    let entries = all.map(|(name, took)| format!("{name};dur={:.3}", took.as_secs_f64() * 1e3));
    entries.collect::<Vec<String>>().join(", ")
}

/// The one place where a failure is logged.
pub(super) fn error(error: &InvokeError, origin: &Origin) -> Response {
    let (status, code) = (error.status(), error.code());
    let Origin { endpoint, request_id, .. } = origin;
    let access_key_id = error.access_key_id();
    let reason = if error.holds_record_values() { "see the answer".to_owned() } else { error.to_string() };
    if status == 500 {
        tracing::error!(request_id, endpoint, status, code, reason, "request failed");
    } else {
        tracing::info!(request_id, endpoint, status, code, access_key_id, reason, "request refused");
    }
    let mut fields = vec![(headers::REQUEST_ID, (*request_id).to_owned()), (headers::ERROR_TYPE, code.to_owned())];
    if status == 429 {
        fields.push((header::RETRY_AFTER.as_str(), "1".to_owned()));
    }
    // The rest of a body that was refused may still be on its way.
    let leaves_body = matches!(status, 408 | 413 | 429 | 503) || matches!(error, InvokeError::BodyBroken);
    if leaves_body {
        fields.push((header::CONNECTION.as_str(), "close".to_owned()));
    }
    let status = StatusCode::from_u16(status).expect("the statuses are valid. This is a bug.");
    respond(status, Some(JSON), fields, error.body(origin).to_string().into_bytes())
}

/// What a call of the control plane returns; an operation without output has no body.
pub(super) fn control(body: Vec<u8>, id: &str) -> Response {
    respond(StatusCode::OK, Some(AWS_JSON), own_fields(id, None), body)
}

pub(super) fn control_error(error: &ControlError, target: &str, request_id: &str) -> Response {
    let (status, code) = (error.status(), error.code());
    let target = shown(target);
    let access_key_id = error.access_key_id();
    if status == 500 {
        tracing::error!(request_id, target, status, code, reason = %error, "call failed");
    } else {
        tracing::info!(request_id, target, status, code, access_key_id, "call refused");
    }
    let status = StatusCode::from_u16(status).expect("the statuses are valid. This is a bug.");
    let mut fields = own_fields(request_id, None);
    // The rest of a body that was refused may still be on its way.
    if matches!(error, ControlError::Request(_)) {
        fields.push((header::CONNECTION.as_str(), "close".to_owned()));
    }
    respond(status, Some(AWS_JSON), fields, error.body(request_id).to_string().into_bytes())
}

/// Metrics belong to no endpoint.
pub(super) fn refusal_of_metrics(refusal: AccessError, config: &ServerConfig) -> Response {
    let (account_id, region) = (config.account_id.as_str(), config.region.as_str());
    error(&refusal.into(), &Origin { endpoint: "", account_id, region, request_id: &request_id() })
}

fn respond(
    status: StatusCode,
    content_type: Option<&str>,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = content_type.map(|content_type| (header::CONTENT_TYPE.as_str(), content_type.to_owned()));
    for (name, value) in content_type.into_iter().chain(fields) {
        let value = HeaderValue::from_str(&value).expect("our header values are visible ASCII. This is a bug.");
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

pub(super) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub(super) async fn unknown_operation(status: StatusCode, body: Body) -> Response {
    super::body::drain(body.into_data_stream()).await;
    let text = r#"{"Message":"There is no such operation here. Known: POST /endpoints/{EndpointName}/invocations, POST / with X-Amz-Target, GET /ping, GET /metrics."}"#;
    let fields =
        vec![(headers::REQUEST_ID, request_id()), (headers::ERROR_TYPE, "UnknownOperationException".to_owned())];
    respond(status, Some(JSON), fields, text.as_bytes().to_vec())
}
