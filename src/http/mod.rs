//! The wire: what serves with axum and hyper. One visible list of routes.

mod access;
mod admission;
mod body;
mod control;
mod head;
mod health;
mod respond;
mod runtime;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::aws::control::ControlPlane;
use crate::aws::error::InvokeError;
use crate::config::ServerConfig;
use crate::endpoints::Registry;
use admission::Admission;
use body::Bodies;

pub use access::Gate;
pub use server::serve;

/// What handlers share.
pub struct App {
    registry: Arc<Registry>,
    /// None where endpoints are what they were at the start.
    control: Option<Arc<ControlPlane>>,
    config: ServerConfig,
    gate: Gate,
    admission: Admission,
    bodies: Bodies,
    metrics: PrometheusHandle,
    /// The end is announced: /ping says so, requests are still taken.
    draining: AtomicBool,
    /// No request is taken any more.
    closed: AtomicBool,
}

impl App {
    pub fn new(
        registry: Arc<Registry>,
        control: Option<Arc<ControlPlane>>,
        config: ServerConfig,
        gate: Gate,
        metrics: PrometheusHandle,
    ) -> Arc<Self> {
        let admission = Admission::new(config.running_max, config.waiting_max);
        let bodies = Bodies::new(&config);
        Arc::new(Self {
            registry,
            control,
            config,
            gate,
            admission,
            bodies,
            metrics,
            draining: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        })
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Refuses what need not even send its body.
    fn admit(&self) -> Result<(), InvokeError> {
        if self.closed.load(Ordering::Relaxed) { Err(InvokeError::Draining) } else { self.admission.check() }
    }
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/endpoints/{name}/invocations", post(runtime::invoke_endpoint))
        .route("/", post(control::call))
        .route("/ping", get(health::ping))
        .route("/metrics", get(health::metrics))
        .fallback(|body: Body| respond::unknown_operation(StatusCode::NOT_FOUND, body))
        .method_not_allowed_fallback(|body: Body| respond::unknown_operation(StatusCode::METHOD_NOT_ALLOWED, body))
        .with_state(app)
}
