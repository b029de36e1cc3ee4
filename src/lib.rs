//! explaind: an explanation server. It answers InvokeEndpoint as an Amazon SageMaker endpoint with the Clarify
//! online explainer does: the prediction and, next to it, Kernel SHAP attributions.
//!
//! `docs/architecture.md` shows the flow. Imports go one way: shap, records, fetch, offload, config and telemetry
//! import nothing of ours (config, telemetry and offload may be imported by all); form → shap; compute → shap, form;
//! model → records, shap, form, fetch; explain → records, model, shap, form, compute;
//! endpoints → explain, model, records, shap, fetch; aws → endpoints, explain, model, records, shap;
//! http → aws, endpoints, explain, records; cli → all of these. `tests/tidy` reads the sources and holds the rule.

pub mod config;
pub mod telemetry;

pub mod aws;
pub mod cli;
pub mod compute;
pub mod endpoints;
pub mod explain;
pub mod fetch;
pub mod form;
pub mod http;
pub mod model;
pub mod offload;
pub mod records;
pub mod shap;
