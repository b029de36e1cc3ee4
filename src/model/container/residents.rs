//! What is remembered of the models in a container: which are loaded or being loaded, whether a request uses them, and
//! when one did last. Asks the container nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, Shared};

use super::client::ContainerError;

/// Models of one container. A forgotten one may stay loaded; it then counts as the one that was idle for longest.
const RESIDENTS_MAX: usize = 10_000;

/// Ends when the container has loaded the model or has refused to.
pub(super) type Load = Shared<BoxFuture<'static, Result<(), ContainerError>>>;

/// A model in the container. It is in use while someone else holds it too.
pub(super) struct Resident {
    /// Its name in the container.
    pub(super) id: String,
    pub(super) load: Load,
}

/// Uses are counted; a model that nobody knows was last used at 0.
pub(super) type LastUse = u64;

#[derive(Default)]
pub(super) struct Residents(Mutex<State>);

#[derive(Default)]
struct State {
    by_id: HashMap<String, (Arc<Resident>, LastUse)>,
    n_uses: LastUse,
}

impl Residents {
    pub(super) fn get(&self, id: &str) -> Option<Arc<Resident>> {
        self.lock().get(id)
    }

    /// The resident of that name; with a load that begins here where there is none.
    pub(super) fn get_or_begin(&self, id: &str, begin: impl FnOnce() -> Load) -> Arc<Resident> {
        let mut state = self.lock();
        if let Some(resident) = state.get(id) {
            return resident;
        }
        if state.by_id.len() >= RESIDENTS_MAX {
            state.forget_idlest();
        }
        let resident = Arc::new(Resident { id: id.to_owned(), load: begin() });
        let last_use = state.next_use();
        state.by_id.insert(id.to_owned(), (Arc::clone(&resident), last_use));
        resident
    }

    /// When a model was used last; none while it is in use or being loaded.
    pub(super) fn idle_since(&self, id: &str) -> Option<LastUse> {
        match self.lock().by_id.get(id) {
            None => Some(0),
            Some((resident, last_use)) => is_idle(resident).then_some(*last_use),
        }
    }

    /// Forgets a model unless it is in use again. True if it may be unloaded.
    pub(super) fn release(&self, id: &str) -> bool {
        let mut state = self.lock();
        let is_released = state.by_id.get(id).is_none_or(|(resident, _)| is_idle(resident));
        if is_released {
            state.by_id.remove(id);
        }
        is_released
    }

    /// Forgets this resident, not one that took its place.
    pub(super) fn forget(&self, resident: &Arc<Resident>) {
        let mut state = self.lock();
        if state.by_id.get(&resident.id).is_some_and(|(known, _)| Arc::ptr_eq(known, resident)) {
            state.by_id.remove(&resident.id);
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_use(&mut self) -> LastUse {
        self.n_uses += 1;
        self.n_uses
    }

    fn get(&mut self, id: &str) -> Option<Arc<Resident>> {
        let now = self.next_use();
        let (resident, last_use) = self.by_id.get_mut(id)?;
        *last_use = now;
        Some(Arc::clone(resident))
    }

    fn forget_idlest(&mut self) {
        let idle = self.by_id.iter().filter(|(_, (resident, _))| is_idle(resident));
        let idlest = idle.min_by_key(|(_, (_, last_use))| *last_use).map(|(id, _)| id.clone());
        idlest.map(|id| self.by_id.remove(&id));
    }
}

fn is_idle(resident: &Arc<Resident>) -> bool {
    Arc::strong_count(resident) == 1 && resident.load.peek().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn loaded() -> Load {
        let load = std::future::ready(Ok(())).boxed().shared();
        assert!(load.clone().now_or_never().is_some());
        load
    }

    fn pending() -> Load {
        std::future::pending().boxed().shared()
    }

    #[test]
    fn the_model_that_nobody_used_for_longest_is_known() {
        let residents = Residents::default();
        for id in ["a", "b", "a"] {
            drop(residents.get_or_begin(id, loaded));
        }
        let idle = ["unknown", "b", "a"].map(|id| residents.idle_since(id).expect("is idle"));
        assert!(idle[0] < idle[1] && idle[1] < idle[2], "{idle:?}");
    }

    #[test]
    fn models_in_use_and_models_being_loaded_are_not_idle() {
        let residents = Residents::default();
        let used = residents.get_or_begin("used", loaded);
        drop(residents.get_or_begin("loading", pending));
        for id in ["used", "loading"] {
            assert_eq!((residents.idle_since(id), residents.release(id)), (None, false), "{id}");
        }
        drop(used);
        assert!(residents.release("used") && residents.release("unknown"));
        assert!(residents.get("used").is_none());
    }

    #[test]
    fn a_load_begins_once_and_again_after_it_was_forgotten() {
        let residents = Residents::default();
        let first = residents.get_or_begin("a", loaded);
        assert!(Arc::ptr_eq(&first, &residents.get_or_begin("a", || panic!("is loaded"))));
        residents.forget(&first);
        let second = residents.get_or_begin("a", loaded);
        residents.forget(&first);
        assert!(residents.get("a").is_some_and(|known| Arc::ptr_eq(&known, &second)));
    }

    #[test]
    fn no_more_than_the_limit_are_remembered() {
        let residents = Residents::default();
        for idx in 0..RESIDENTS_MAX + 5 {
            drop(residents.get_or_begin(&idx.to_string(), loaded));
        }
        assert_eq!(residents.lock().by_id.len(), RESIDENTS_MAX);
        assert!(residents.get("4").is_none() && residents.get("5").is_some());
    }
}
