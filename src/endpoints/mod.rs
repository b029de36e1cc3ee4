//! The endpoints of a process by name, and how one is made ready from its setup.

mod files;
mod open;
mod probe;
mod setup;
mod stamp;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::explain::Explainer;
use crate::model::Forward;

pub use open::{AttributeError, LoadLimits, SetupError};
pub use probe::Probe;
pub use setup::{
    Baseline, BaselineSource, ContainerSource, ExplainerSetup, FeatureType, Granularity, ModelSource, Setup,
    TextSetup,
};
pub use stamp::Stamp;

/// One endpoint, ready to answer.
pub struct Endpoint {
    pub name: String,
    /// Each request says which of many models it asks.
    pub has_many_models: bool,
    pub service: Service,
}

/// What an endpoint does with a request.
pub enum Service {
    Explain(Arc<Explained>),
    /// Without an explainer the model's answer is the answer.
    Forward(Box<dyn Forward>),
}

/// A model with its explainer.
pub struct Explained {
    pub explainer: Explainer,
    pub feature_headers: Option<Vec<String>>,
    /// With the model that answers, it identifies everything that decides an answer besides the record.
    pub stamp: Stamp,
    /// The configuration as it was given.
    pub config: serde_json::Value,
}

/// Name → endpoint; names are unique and their case matters.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Arc<Endpoint>>);

#[derive(Debug, thiserror::Error)]
#[error("the endpoint {0:?} is defined twice")]
pub struct DefinedTwice(String);

impl Registry {
    pub fn insert(&mut self, endpoint: Endpoint) -> Result<(), DefinedTwice> {
        if self.0.contains_key(&endpoint.name) {
            return Err(DefinedTwice(endpoint.name));
        }
        self.0.insert(endpoint.name.clone(), Arc::new(endpoint));
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.0.get(name)
    }

    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
