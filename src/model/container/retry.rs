//! How often and when a request is repeated: never more than a fifth of what a container is asked. Knows no HTTP.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// One repetition.
const TOKEN: i64 = 5;

/// What each request adds: after five of them one may be repeated.
const SHARE: i64 = 1;

/// Repetitions that are there before any request, and the most that are saved up.
const SAVED_MAX: i64 = 10 * TOKEN;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Repetitions that one container still allows.
pub(super) struct RetryBudget(AtomicI64);

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(SAVED_MAX))
    }

    /// A request goes out for the first time.
    pub(super) fn deposit(&self) {
        self.change(|saved| Some((saved + SHARE).min(SAVED_MAX)));
    }

    /// Whether a request may go out once more.
    pub(super) fn withdraw(&self) -> bool {
        self.change(|saved| (saved >= TOKEN).then(|| saved - TOKEN))
    }

    fn change(&self, change: impl Fn(i64) -> Option<i64>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

/// The pause before a repetition, 0 for the first: doubled each time, and anything down to half of that, so that those
/// who failed together do not come back together.
pub(super) fn pause(retry_idx: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << retry_idx.min(16)).min(PAUSE_MAX);
    // Each state of the standard library is keyed anew.
    let random = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    longest.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_may_be_repeated_after_the_first_ten() {
        let budget = RetryBudget::new();
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
        let mut repeated = 0;
        for _ in 0..100 {
            budget.deposit();
            repeated += usize::from(budget.withdraw());
        }
        assert_eq!(repeated, 20);
    }

    #[test]
    fn no_more_than_ten_are_saved_up() {
        let budget = RetryBudget::new();
        (0..1000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }

    #[test]
    fn pauses_double_and_end() {
        for (retry_idx, longest_ms) in [(0, 50), (1, 100), (2, 200), (9, 2000), (40, 2000)] {
            let longest = Duration::from_millis(longest_ms);
            let pauses: Vec<Duration> = (0..50).map(|_| pause(retry_idx)).collect();
            assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
