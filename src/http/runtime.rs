//! InvokeEndpoint: `POST /endpoints/{EndpointName}/invocations`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::timeout_at;

use super::body::Payload;
use super::head::{self, Head, NotThere};
use super::{App, body, respond};
use crate::aws::error::{InvokeError, Origin};
use crate::aws::headers;
use crate::endpoints::{Service, Variant};
use crate::explain::{Explanation, Message, Request};
use crate::offload::offload_large;
use crate::telemetry;

/// A number of the document with its place, as it is written.
const NUMBER_BYTES: usize = 64;

pub(super) async fn invoke_endpoint(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    request: HttpRequest,
) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let request_id = respond::request_id();
    let name = name.ok().map(|Path(name)| name);
    let origin = Origin {
        endpoint: name.as_deref().unwrap_or_default(),
        account_id: &app.config.account_id,
        region: &app.config.region,
        request_id: &request_id,
    };
    let endpoint = app.registry.get(origin.endpoint);
    let variant = head::chosen(name.as_deref(), endpoint.as_deref(), &parts.headers);
    // A panic in one request is that request's failure.
    let answered = answer(&app, &origin, variant.clone(), &parts, body, started);
    let Answered { outcome, is_known } = AssertUnwindSafe(answered).catch_unwind().await.unwrap_or_else(|_| {
        telemetry::count_panic();
        Answered { outcome: Err(InvokeError::Panicked), is_known: !app.gate.is_closed() }
    });
    let mut response = outcome.unwrap_or_else(|error| respond::error(&error, &origin));
    if app.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // Strangers are not told what there is.
    if let Ok(variant) = variant
        && is_known
    {
        let name = HeaderValue::from_str(&variant.name).expect("names are visible ASCII. This is a bug.");
        response.headers_mut().insert(headers::INVOKED_PRODUCTION_VARIANT, name);
    }
    let label = endpoint.as_ref().map_or("unknown", |endpoint| &endpoint.name);
    telemetry::record_request(label, response.status().as_u16(), started.elapsed());
    response
}

/// What comes of a request.
struct Answered {
    outcome: Result<Response, InvokeError>,
    /// It is certain who asks, or everybody may.
    is_known: bool,
}

async fn answer(
    app: &App,
    origin: &Origin<'_>,
    variant: Result<&Variant, NotThere>,
    parts: &Parts,
    body: Body,
    started: Instant,
) -> Answered {
    let deadline = tokio::time::Instant::from_std(started + app.config.deadline());
    match receive(app, origin, variant, parts, body).await {
        Err(error) => Answered { outcome: Err(error), is_known: !app.gate.is_closed() },
        Ok((Err(error), _)) => Answered { outcome: Err(error), is_known: true },
        Ok((Ok(head), payload)) => {
            Answered { outcome: work(app, origin, head, payload, deadline).await, is_known: true }
        }
    }
}

/// From a request that has come in whole to its answer.
async fn work(
    app: &App,
    origin: &Origin<'_>,
    head: Head,
    payload: Payload,
    deadline: tokio::time::Instant,
) -> Result<Response, InvokeError> {
    // Only now: a slow sender takes no place of others.
    let place = app.admission.enter(origin.endpoint, app.registry.len())?;
    let waiting_since = Instant::now();
    let waited_too_long = |_| InvokeError::WaitedTooLong { waited_ms: waiting_since.elapsed().as_millis() as u64 };
    let _turn = timeout_at(deadline, place.turn()).await.map_err(waited_too_long)?;
    let queue = waiting_since.elapsed();
    let deadline_passed = |_| InvokeError::DeadlinePassed { deadline_ms: app.config.deadline_ms };
    let message = head.message(payload.bytes.clone(), deadline.into_std());
    let work = serve(head, message, queue, origin);
    timeout_at(deadline, work).await.map_err(deadline_passed)?
}

/// A body is only read where nothing else is wrong, or where it must tell first who it is that would hear what is wrong.
async fn receive(
    app: &App,
    origin: &Origin<'_>,
    variant: Result<&Variant, NotThere>,
    parts: &Parts,
    body: Body,
) -> Result<(Result<Head, InvokeError>, Payload), InvokeError> {
    let visitor = app.admit().and_then(|()| Ok(app.gate.admit(parts)?));
    let read = visitor.and_then(|visitor| match Head::read(variant, origin, &parts.headers) {
        Err(error) if visitor.is_known() => Err(error),
        head => Ok((visitor, head)),
    });
    let (visitor, head) = match read {
        Ok(read) => read,
        // Clients that send first and read later must see this instead of a broken connection.
        Err(error) => {
            body::drain(body.into_data_stream()).await;
            return Err(error);
        }
    };
    let payload = app.bodies.read(body).await?;
    visitor.verify(&payload.bytes).await?;
    Ok((head, payload))
}

/// The work on a request that has its turn.
async fn serve(
    head: Head,
    message: Message,
    queue: Duration,
    origin: &Origin<'_>,
) -> Result<Response, InvokeError> {
    let (Head { service, format, filter, .. }, id) = (head, origin.request_id);
    match (service, format) {
        (Service::Explain(explained), Some(format)) => {
            let explanation = explained.explainer.explain(Request { message, format, filter }).await?;
            record(origin.endpoint, &explanation);
            let id = id.to_owned();
            let n_numbers: usize = explanation.attributions.iter().flatten().map(|own| own.len()).sum();
            let n_bytes = explanation.predictions.text.len() + NUMBER_BYTES * n_numbers;
            Ok(offload_large(n_bytes, move |_| respond::explanation(&explained, &explanation, queue, &id)).await)
        }
        (Service::Explain(_), None) => panic!("the head of a request to explain has a format. This is a bug."),
        (Service::Forward(model), _) => Ok(respond::reply(model.forward(message).await?, id)),
    }
}

fn record(endpoint: &str, explanation: &Explanation) {
    let n_explained = explanation.attributions.iter().flatten().count();
    telemetry::record_records(endpoint, explanation.attributions.len(), n_explained);
    for (stage, took) in &explanation.report.stages {
        telemetry::record_stage(stage.name(), *took);
    }
}
