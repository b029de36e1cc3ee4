//! `GET /ping` for load balancers and `GET /metrics` for Prometheus.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{App, body, respond};

/// 200 while new requests are welcome: endpoints are loaded and warmed up before the port opens.
pub(super) async fn ping(State(app): State<Arc<App>>) -> StatusCode {
    if app.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// What is measured tells of endpoints and load: a key is needed where strangers may ask.
pub(super) async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match app.gate.admit_metrics(&parts) {
        Ok(()) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response(),
        Err(error) => {
            body::drain(body.into_data_stream()).await;
            respond::refusal_of_metrics(error, &app.config)
        }
    }
}
