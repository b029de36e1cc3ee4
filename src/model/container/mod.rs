//! A model in a container of its own, behind HTTP: from cells of records to requests, and from answers to values.

mod asking;
mod batches;
mod batching;
mod circuit;
mod client;
mod interpreter;
mod message;
mod predictor;
mod protocol;
mod retry;
mod rows;
mod running;
mod tally;

pub use batches::{Batch, Batches};
pub use batching::BatchLimits;
pub use client::ContainerError;
pub use interpreter::Translator;
pub use predictor::{ContainerModel, ContainerSettings};
pub use protocol::{Dialect, Protocol, ProtocolError, RowShape, TensorInput, input_of};
pub use running::{Container, SingleModel};
