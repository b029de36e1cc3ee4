//! A model in a container of its own: `POST /invocations`, one request after the other.

mod client;
mod predictor;
mod protocol;
mod rows;

pub use client::{Container, ContainerError};
pub use predictor::{ContainerPredictor, ContainerSettings};
pub use protocol::Protocol;
