//! The control plane: calls of AWS JSON 1.1 → resources that are kept, and endpoints that are opened and closed.
//! A call is decided on the catalog alone, written to the store, and only then seen by anybody. Knows no HTTP.

mod account;
mod answer;
mod catalog;
mod deployments;
mod endpoint_configs;
mod endpoint_description;
mod endpoints;
mod error;
mod files;
mod input;
mod listing;
mod models;
mod opening;
mod operation;
mod plane;
mod resources;
mod tags;
#[cfg(test)]
mod tests;
mod timestamp;
mod transitions;

pub use account::Account;
pub use error::ControlError;
pub use files::FileEndpoint;
pub use opening::Opener;
pub use plane::{ControlPlane, StateError};
