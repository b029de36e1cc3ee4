//! Who may build an operator: one thread for each core at the most, and all together in the memory that one may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit.
const PERMIT_BYTES: usize = 64 << 10;

/// Together 64 TiB.
const PERMITS_MAX: u32 = 1 << 30;

pub(super) struct Builders {
    permits: Arc<Semaphore>,
    permits_per_place: u32,
    /// Operators built at a time, at the most.
    pub(super) n_places: u32,
}

impl Builders {
    pub(super) fn new(bytes_max: usize, n_cores: usize) -> Self {
        let n_places = u32::try_from(n_cores).unwrap_or(u32::MAX).max(1);
        let bytes_per_place = bytes_max / n_places as usize;
        let permits_per_place = n_permits(bytes_per_place).clamp(1, PERMITS_MAX / n_places);
        let permits = Arc::new(Semaphore::new((n_places * permits_per_place) as usize));
        Self { permits, permits_per_place, n_places }
    }

    /// Waits, first come first served, until so many bytes are free. What is larger than all of them goes alone.
    pub(super) async fn enter(&self, bytes: usize) -> OwnedSemaphorePermit {
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
    use futures_util::FutureExt;

    use super::*;

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

    #[test]
    fn many_cores_and_little_memory_still_have_a_place() {
        let builders = Builders::new(0, 64);
        let all: Vec<_> = (0..64).map(|_| builders.enter(0).now_or_never().expect("a place is free")).collect();
        assert!(builders.enter(0).now_or_never().is_none());
        drop(all);
    }
}
