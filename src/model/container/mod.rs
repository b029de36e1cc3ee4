//! A model in a container of its own, or one of many in a container that loads and unloads them, behind HTTP: from cells of
//! records to requests, and from answers to values.

mod asking;
mod batches;
mod batching;
mod circuit;
mod client;
mod interpreter;
mod message;
mod models;
mod multi_model;
mod per_model;
mod predictor;
mod probe;
mod protocol;
mod residents;
mod retry;
mod rows;
mod running;
mod standing;
mod tally;

pub use batches::{Batch, Batches};
pub use batching::BatchLimits;
pub use client::ContainerError;
pub use interpreter::Translator;
pub use models::{Models, SingleModel};
pub use multi_model::MultiModelContainer;
pub use predictor::{ContainerModel, ContainerSettings};
pub use probe::{Asked, BatchRow, ContainerProbe, Exchange};
pub use protocol::{Dialect, Protocol, ProtocolError, RowShape, TensorInput, input_of};
pub use running::Container;
