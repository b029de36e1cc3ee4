//! Name → endpoint that answers requests now. Names are unique and their case matters.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::endpoint::Endpoint;

/// Readers get what stands there when they ask and keep it as long as they need it.
#[derive(Default)]
pub struct Registry(RwLock<Endpoints>);

type Endpoints = BTreeMap<String, Arc<Endpoint>>;

impl Registry {
    pub fn get(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.read(|endpoints| endpoints.get(name).cloned())
    }

    pub fn len(&self) -> usize {
        self.read(Endpoints::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn names(&self) -> Vec<String> {
        self.read(|endpoints| endpoints.keys().cloned().collect())
    }

    /// Takes the place of the one of its name, whose running requests end as they began.
    pub fn put(&self, endpoint: Endpoint) {
        self.write(|endpoints| drop(endpoints.insert(endpoint.name.clone(), Arc::new(endpoint))));
    }

    pub fn remove(&self, name: &str) {
        self.write(|endpoints| drop(endpoints.remove(name)));
    }

    /// Nobody panics between; what stands there is whole.
    fn read<T>(&self, read: impl FnOnce(&Endpoints) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Endpoints)) {
        write(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
