//! How many records a container gets in one request: what its endpoint says, what it was seen to take, and how long it
//! needed. What it refused is remembered for a while, then tried again.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Where the endpoint names no MaxRecordCount: to begin with, and at most.
const TUNED_ROWS_FIRST: usize = 500;
const TUNED_ROWS_MAX: usize = 100_000;

/// A request answered sooner than this could have been larger; one answered later should be smaller, so that a request
/// that is given up ends soon and several of a container's workers have something to do.
const QUICK: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(500);

/// What one request to a container may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    pub rows_max: usize,
    pub bytes_max: usize,
    /// A single record goes alone if it has no more than these.
    pub row_bytes_max: usize,
}

/// What is known of a container's appetite.
pub(super) struct Batching {
    /// MaxRecordCount and MaxPayloadInMB.
    rows_fixed: Option<usize>,
    bytes_max: usize,
    forget_after: Duration,
    learned: Mutex<Learned>,
}

struct Learned {
    rows_tuned: usize,
    /// It takes one record at a time.
    single_since: Option<Instant>,
    /// It refused more bytes than these.
    bytes: Option<(usize, Instant)>,
}

impl Batching {
    pub(super) fn new(rows_fixed: Option<usize>, bytes_max: usize, forget_after: Duration) -> Self {
        let learned = Learned { rows_tuned: TUNED_ROWS_FIRST, single_since: None, bytes: None };
        Self { rows_fixed, bytes_max, forget_after, learned: Mutex::new(learned) }
    }

    pub(super) fn limits(&self) -> BatchLimits {
        let learned = self.learned();
        let is_single = learned.single_since.is_some_and(|since| self.is_remembered(since));
        let rows_max = if is_single { 1 } else { self.rows_fixed.unwrap_or(learned.rows_tuned) };
        BatchLimits { rows_max, bytes_max: self.bytes_max(&learned), row_bytes_max: self.bytes_max }
    }

    fn bytes_max(&self, learned: &Learned) -> usize {
        let remembered = learned.bytes.filter(|(_, since)| self.is_remembered(*since));
        remembered.map_or(self.bytes_max, |(bytes, _)| bytes.min(self.bytes_max))
    }

    fn is_remembered(&self, since: Instant) -> bool {
        since.elapsed() < self.forget_after
    }

    /// So many records were answered after so long.
    pub(super) fn answered(&self, n_rows: usize, took: Duration) {
        let mut learned = self.learned();
        let tuned = learned.rows_tuned;
        if took < QUICK && n_rows >= tuned {
            learned.rows_tuned = (2 * tuned).min(TUNED_ROWS_MAX);
        }
        if took > SLOW && n_rows > 1 && n_rows <= tuned {
            learned.rows_tuned = n_rows / 2;
        }
    }

    /// So many records were not answered in time.
    pub(super) fn was_late(&self, n_rows: usize) {
        let mut learned = self.learned();
        learned.rows_tuned = learned.rows_tuned.min((n_rows / 2).max(1));
    }

    /// Many records were refused, and the same records one by one were not.
    pub(super) fn takes_single_records(&self) {
        self.learned().single_since = Some(Instant::now());
    }

    /// So many bytes were refused as too many; half of them are tried next.
    pub(super) fn refused_bytes(&self, bytes: usize) {
        let mut learned = self.learned();
        // Requests under way together are all refused; the smallest of them counts.
        learned.bytes = Some((self.bytes_max(&learned).min(bytes / 2), Instant::now()));
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().expect("no code panics while it holds the lock. This is a bug.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn rows_max(batching: &Batching) -> usize {
        batching.limits().rows_max
    }

    #[test]
    fn quick_answers_to_full_requests_make_them_larger_and_slow_ones_smaller() {
        let batching = Batching::new(None, 1000, HOUR);
        assert_eq!(rows_max(&batching), 500);
        batching.answered(499, QUICK / 2);
        assert_eq!(rows_max(&batching), 500);
        batching.answered(500, QUICK / 2);
        assert_eq!(rows_max(&batching), 1000);
        batching.answered(1000, QUICK * 2);
        assert_eq!(rows_max(&batching), 1000);
        batching.answered(600, SLOW * 2);
        assert_eq!(rows_max(&batching), 300);
        (0..20).for_each(|_| batching.answered(rows_max(&batching), SLOW * 2));
        assert_eq!(rows_max(&batching), 1);
        (0..40).for_each(|_| batching.answered(rows_max(&batching), QUICK / 2));
        assert_eq!(rows_max(&batching), TUNED_ROWS_MAX);
        batching.was_late(400);
        assert_eq!(rows_max(&batching), 200);
    }

    #[test]
    fn a_given_count_stays() {
        let batching = Batching::new(Some(7), 1000, HOUR);
        (0..20).for_each(|_| batching.answered(7, QUICK / 2));
        assert_eq!(batching.limits(), BatchLimits { rows_max: 7, bytes_max: 1000, row_bytes_max: 1000 });
    }

    #[test]
    fn refusals_are_remembered_and_forgotten() {
        for (forget_after, expected) in [(HOUR, (1, 250)), (Duration::ZERO, (7, 1000))] {
            let batching = Batching::new(Some(7), 1000, forget_after);
            batching.takes_single_records();
            batching.refused_bytes(500);
            batching.refused_bytes(900);
            let limits = batching.limits();
            assert_eq!((limits.rows_max, limits.bytes_max), expected);
        }
    }
}
