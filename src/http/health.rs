//! `GET /ping` for load balancers and `GET /metrics` for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::App;

/// 200 while new requests are welcome: endpoints are loaded and warmed up before the port opens.
pub(super) async fn ping(State(app): State<Arc<App>>) -> StatusCode {
    if app.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
}
