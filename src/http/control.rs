//! The control plane: `POST /` with `X-Amz-Target`, AWS JSON 1.1.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::{App, body, respond};
use crate::aws::control::{ControlError, ControlPlane};
use crate::aws::error::InvokeError;
use crate::aws::headers;
use crate::telemetry;

pub(super) async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(control) = &app.control else {
        return respond::unknown_operation(StatusCode::NOT_FOUND, body).await;
    };
    let request_id = respond::request_id();
    let target = parts.headers.get(headers::TARGET).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let response = match answer(&app, control, target, &parts, body).await {
        Ok(body) => respond::control(body, &request_id),
        Err(error) => respond::control_error(&error, target, &request_id),
    };
    telemetry::count_control_call(response.status().as_u16());
    response
}

async fn answer(
    app: &App,
    control: &Arc<ControlPlane>,
    target: &str,
    parts: &Parts,
    body: Body,
) -> Result<Vec<u8>, ControlError> {
    if app.closed.load(Ordering::Relaxed) {
        return Err(InvokeError::Draining.into());
    }
    let visitor = match app.gate.admit_control(parts) {
        Ok(visitor) => visitor,
        Err(error) => {
            body::drain(body.into_data_stream()).await;
            return Err(InvokeError::from(error).into());
        }
    };
    let payload = app.bodies.read(body).await?;
    visitor.verify(&payload.bytes).await.map_err(InvokeError::from)?;
    control.call(target, &payload.bytes).await
}
