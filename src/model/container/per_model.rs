//! What is kept for each of a container's models by its name, such as what it was seen to take. Knows no models.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Models that something is kept for; with one more all are forgotten.
const MODELS_MAX: usize = 10_000;

pub(super) struct PerModel<T> {
    make: Box<dyn Fn() -> T + Send + Sync>,
    of: Mutex<HashMap<String, Arc<T>>>,
}

impl<T> PerModel<T> {
    /// `make` makes what a model begins with.
    pub(super) fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { make: Box::new(make), of: Mutex::default() }
    }

    pub(super) fn get(&self, model: &str) -> Arc<T> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = of.get(model) {
            return Arc::clone(own);
        }
        if of.len() >= MODELS_MAX {
            of.clear();
        }
        Arc::clone(of.entry(model.to_owned()).or_insert_with(|| Arc::new((self.make)())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_its_own() {
        let per_model = PerModel::new(|| Mutex::new(0));
        *per_model.get("a").lock().expect("no panic") = 5;
        assert_eq!(
            (*per_model.get("a").lock().expect("no panic"), *per_model.get("b").lock().expect("no panic")),
            (5, 0)
        );
    }

    #[test]
    fn names_without_end_are_forgotten() {
        let per_model = PerModel::new(|| ());
        (0..=MODELS_MAX).for_each(|idx| drop(per_model.get(&idx.to_string())));
        assert!(per_model.of.lock().expect("no panic").len() <= MODELS_MAX);
    }
}
