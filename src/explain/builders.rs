//! Who may build an operator: one thread for each core at the most, all together in the memory that one may take, and each
//! operator once, however many wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::shap::{Design, Operator};

/// Bytes of one permit.
const PERMIT_BYTES: usize = 64 << 10;

/// Together 64 TiB.
const PERMITS_MAX: u32 = 1 << 30;

pub(super) struct Builders {
    permits: Arc<Semaphore>,
    permits_per_place: u32,
    /// Operators built at a time, at the most.
    pub(super) n_places: u32,
    /// What is built or waited for; no more than all requests together wait for.
    in_flight: Mutex<HashMap<Design, Weak<Flight>>>,
}

type Flight = OnceCell<Arc<Operator>>;

impl Builders {
    pub(super) fn new(bytes_max: usize, n_cores: usize) -> Self {
        let n_places = u32::try_from(n_cores).unwrap_or(u32::MAX).max(1);
        let bytes_per_place = bytes_max / n_places as usize;
        let permits_per_place = n_permits(bytes_per_place).clamp(1, PERMITS_MAX / n_places);
        let permits = Arc::new(Semaphore::new((n_places * permits_per_place) as usize));
        Self { permits, permits_per_place, n_places, in_flight: Mutex::default() }
    }

    /// Builds an operator in a place of its own. Others who want it meanwhile wait without a place and without a thread;
    /// when the one who builds goes away, the next of them does.
    pub(super) async fn build<F: Future<Output = Arc<Operator>>>(
        &self,
        design: Design,
        build: impl FnOnce(OwnedSemaphorePermit) -> F,
    ) -> Arc<Operator> {
        let flight = self.flight(design);
        let built = flight.get_or_init(|| async { build(self.enter(design.building_bytes()).await).await });
        Arc::clone(built.await)
    }

    fn flight(&self, design: Design) -> Arc<Flight> {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = in_flight.get(&design).and_then(Weak::upgrade) {
            return flight;
        }
        in_flight.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        in_flight.insert(design, Arc::downgrade(&flight));
        flight
    }

    /// Waits, first come first served, until so many bytes are free. What is larger than all of them goes alone.
    async fn enter(&self, bytes: usize) -> OwnedSemaphorePermit {
        let n_permits = n_permits(bytes).clamp(self.permits_per_place, self.n_places * self.permits_per_place);
        let entered = Arc::clone(&self.permits).acquire_many_owned(n_permits).await;
        entered.expect("nobody closes the semaphore. This is a bug.")
    }
}

fn n_permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;
    use crate::config::Kernel;
    use crate::shap::DesignLimits;

    #[test]
    fn small_operators_take_a_place_each_and_large_ones_share_the_memory() {
        let builders = Builders::new(1 << 20, 4);
        let enter = |bytes| builders.enter(bytes).now_or_never();
        let small: Vec<_> = (0..4).map(|_| enter(1).expect("a place is free")).collect();
        assert!(enter(1).is_none(), "four cores have four places");
        drop(small);
        let half = enter(512 << 10).expect("all memory is free");
        assert!(enter(768 << 10).is_none(), "a half and three quarters are more than all");
        let other_half = enter(512 << 10).expect("the other half is free");
        drop((half, other_half));
        let large = enter(usize::MAX).expect("goes alone");
        assert!(enter(1).is_none());
        drop(large);
    }

    fn design(n_players: usize) -> Design {
        let limits = DesignLimits { players_max: 100, operator_bytes_max: usize::MAX };
        Design::new(n_players, None, 0, Kernel::Shapley, limits).expect("within the limits")
    }

    #[tokio::test]
    async fn who_waits_for_an_operator_that_is_being_built_takes_no_place() {
        let builders = Builders::new(1 << 30, 2);
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        let slow = |place| async move {
            let _place = place;
            is_done.await.expect("is told");
            Arc::new(Operator::of(design(4)))
        };
        let twice = |_| async { panic!("it is built twice") };
        let mut first = pin!(builders.build(design(4), slow));
        let mut second = pin!(builders.build(design(4), twice));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        let other = builders.build(design(5), |_| async { Arc::new(Operator::of(design(5))) });
        assert_eq!(other.now_or_never().expect("has a place").design.n_players, 5);
        done.send(()).expect("somebody waits");
        let (first, second) = (first.await, second.await);
        assert_eq!((first.id, first.design.n_players), (second.id, 4));
    }

    #[tokio::test]
    async fn when_the_one_who_builds_goes_away_the_next_does() {
        let builders = Builders::new(1 << 30, 1);
        let mut first = Box::pin(builders.build(design(4), |_| std::future::pending()));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = pin!(builders.build(design(4), |_| async { Arc::new(Operator::of(design(4))) }));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(second.await.design.n_players, 4);
    }

    #[test]
    fn many_cores_and_little_memory_still_have_a_place() {
        let builders = Builders::new(0, 64);
        let all: Vec<_> = (0..64).map(|_| builders.enter(0).now_or_never().expect("a place is free")).collect();
        assert!(builders.enter(0).now_or_never().is_none());
        drop(all);
    }
}
