//! A model in a container of its own, `POST /invocations`, or one of many in a container that loads and unloads them.

mod client;
mod models;
mod multi_model;
mod predictor;
mod protocol;
mod residents;
mod rows;

pub use client::{Container, ContainerError};
pub use models::Models;
pub use multi_model::MultiModelContainer;
pub use predictor::{ContainerPredictor, ContainerSettings};
pub use protocol::Protocol;
