//! The endpoints of a process by name, and how one is made ready from its setup.

mod endpoint;
mod files;
mod open;
mod probe;
mod registry;
mod setup;
mod stamp;
mod store;

pub use endpoint::{Endpoint, Explained, NoVariant, Opened, Service, Variant};
pub use open::{AttributeError, LoadLimits, SetupError};
pub use probe::Probe;
pub use registry::Registry;
pub use setup::{
    Baseline, BaselineSource, ContainerSource, ExplainerSetup, FeatureType, Granularity, ModelSource, Setup,
    TextSetup,
};
pub use stamp::Stamp;
pub use store::{Document, FolderStore, Store, StoreError};
