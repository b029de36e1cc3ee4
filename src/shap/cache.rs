//! Operators by design, built once however many ask at the same time, kept under a limit in bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::design::Design;
use super::operator::Operator;

/// The least recently used operators go first; one larger than the limit is never kept.
pub struct OperatorCache {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    places: HashMap<Design, Place>,
    clock: u64,
}

#[derive(Clone, Default)]
struct Place {
    operator: Arc<OnceLock<Arc<Operator>>>,
    used_at: u64,
}

impl OperatorCache {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    /// Blocks while the operator is built (milliseconds to a second).
    pub fn get(&self, design: Design) -> Arc<Operator> {
        let place = self.place(design);
        let mut built = false;
        let operator = place.get_or_init(|| {
            built = true;
            Arc::new(Operator::of(design))
        });
        if built {
            self.shrink();
        }
        Arc::clone(operator)
    }

    /// The operator if it is there already.
    pub fn cached(&self, design: Design) -> Option<Arc<Operator>> {
        let mut state = self.lock();
        let now = state.tick();
        let place = state.places.get_mut(&design)?;
        place.used_at = now;
        place.operator.get().cloned()
    }

    /// Memory held by finished operators, in bytes.
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    fn place(&self, design: Design) -> Arc<OnceLock<Arc<Operator>>> {
        let mut state = self.lock();
        let now = state.tick();
        let place = state.places.entry(design).or_default();
        place.used_at = now;
        Arc::clone(&place.operator)
    }

    fn shrink(&self) {
        let mut state = self.lock();
        while state.bytes() > self.bytes_max {
            let finished = state.places.iter().filter(|(_, place)| place.operator.get().is_some());
            let Some(oldest) = finished.min_by_key(|(_, place)| place.used_at).map(|(design, _)| *design) else {
                return;
            };
            state.places.remove(&oldest);
        }
    }

    /// A panic while the lock was held leaves whole entries behind, so the state stays usable.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn bytes(&self) -> usize {
        self.places.values().filter_map(|place| place.operator.get()).map(|operator| operator.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Kernel;
    use crate::shap::DesignLimits;

    fn design(seed: i64) -> Design {
        let limits = DesignLimits { players_max: 16, operator_bytes_max: usize::MAX };
        Design::new(16, Some(64), seed, Kernel::Shapley, limits).expect("no limit is met")
    }

    #[test]
    fn equal_designs_share_one_operator() {
        let cache = OperatorCache::new(1 << 20);
        assert_eq!(cache.get(design(1)).id, cache.get(design(1)).id);
        assert_ne!(cache.get(design(1)).id, cache.get(design(2)).id);
        assert!(cache.cached(design(1)).is_some());
        assert!(cache.cached(design(3)).is_none());
    }

    #[test]
    fn the_least_recently_used_operator_is_dropped_at_the_limit() {
        let one = Operator::of(design(0)).bytes();
        let cache = OperatorCache::new(2 * one);
        let [first, second] = [1, 2].map(|seed| cache.get(design(seed)).id);
        assert_eq!(cache.get(design(1)).id, first);
        cache.get(design(3));
        assert_eq!(cache.get(design(1)).id, first);
        assert_ne!(cache.get(design(2)).id, second);
        assert!(cache.bytes() <= 2 * one);
    }

    #[test]
    fn many_askers_at_once_build_once() {
        let cache = OperatorCache::new(1 << 20);
        let ids: Vec<u64> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| cache.get(design(9)).id)).collect();
            askers.into_iter().map(|asker| asker.join().expect("no panic")).collect()
        });
        assert!(ids.iter().all(|&id| id == ids[0]));
    }
}
