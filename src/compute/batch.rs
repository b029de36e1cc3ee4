//! How problems of concurrent requests become batches: limits, collection, groups that one task can take.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Bounds of one batch and of what waits for it.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Records × outputs of one batch.
    pub columns_max: usize,
    /// Columns of one batch, in bytes. A larger problem goes alone.
    pub bytes_max: usize,
    /// How long the first problem of a batch may wait for company, where the batch before had some.
    pub wait_us: u64,
    /// Columns that may wait for a batch, in bytes; more wait outside, holding their request back.
    pub queue_bytes_max: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { columns_max: 4096, bytes_max: 64 << 20, wait_us: 100, queue_bytes_max: 256 << 20 }
    }
}

/// What a batch is counted in.
pub(super) trait Load {
    fn n_columns(&self) -> usize;
    fn bytes(&self) -> usize;
    fn key(&self) -> Key;
}

/// Operator, and the function of those whose values are not known yet: entries of one key go into one task.
pub(super) type Key = (u64, Option<u64>);

/// Takes entries from a queue, one batch at a time, in their order.
pub(super) struct Collector<E> {
    queue: Receiver<E>,
    limits: BatchLimits,
    /// The entry that did not fit the last batch opens the next.
    held: Option<E>,
    /// Whether the last batch had more than one entry: who comes alone need not wait.
    had_company: bool,
}

impl<E: Load> Collector<E> {
    pub(super) fn new(queue: Receiver<E>, limits: BatchLimits) -> Self {
        Self { queue, limits, held: None, had_company: false }
    }

    /// Waits for a first entry, then for `wait_us` for more if there were more the last time. `None` when all senders are gone.
    pub(super) fn next_batch(&mut self) -> Option<Vec<E>> {
        let first = match self.held.take() {
            Some(held) => held,
            None => self.queue.recv().ok()?,
        };
        let wait_us = if self.had_company { self.limits.wait_us } else { 0 };
        let deadline = Instant::now() + Duration::from_micros(wait_us);
        let (mut n_columns, mut bytes) = (first.n_columns(), first.bytes());
        let mut batch = vec![first];
        while let Some(entry) = self.receive_until(deadline) {
            n_columns += entry.n_columns();
            bytes += entry.bytes();
            if n_columns > self.limits.columns_max || bytes > self.limits.bytes_max {
                self.held = Some(entry);
                break;
            }
            batch.push(entry);
        }
        self.had_company = batch.len() > 1;
        Some(batch)
    }

    /// What is already there is taken even after the deadline.
    fn receive_until(&self, deadline: Instant) -> Option<E> {
        self.queue.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }
}

/// Entries by key; operators in the order of their making.
pub(super) fn groups<E: Load>(batch: Vec<E>) -> impl Iterator<Item = Vec<E>> {
    let mut groups = BTreeMap::<Key, Vec<E>>::new();
    for entry in batch {
        groups.entry(entry.key()).or_default().push(entry);
    }
    groups.into_values()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    impl Load for (u64, usize) {
        fn n_columns(&self) -> usize {
            self.1
        }
        fn bytes(&self) -> usize {
            self.1 * 100
        }
        fn key(&self) -> Key {
            (self.0, None)
        }
    }

    fn batches(entries: &[(u64, usize)], limits: BatchLimits) -> Vec<Vec<(u64, usize)>> {
        let (sender, queue) = mpsc::channel();
        entries.iter().for_each(|&entry| sender.send(entry).expect("the queue is open"));
        drop(sender);
        let mut collector = Collector::new(queue, limits);
        std::iter::from_fn(|| collector.next_batch()).collect()
    }

    #[test]
    fn a_batch_ends_at_its_limits_and_nothing_is_lost() {
        let limits = BatchLimits { columns_max: 5, bytes_max: 400, wait_us: 1_000, queue_bytes_max: 0 };
        let got = batches(&[(1, 2), (2, 2), (1, 1), (1, 9), (3, 1)], limits);
        assert_eq!(got, [vec![(1, 2), (2, 2)], vec![(1, 1)], vec![(1, 9)], vec![(3, 1)]]);
    }

    #[test]
    fn a_batch_waits_no_longer_than_it_may() {
        let (sender, queue) = mpsc::channel();
        sender.send((1, 1)).expect("the queue is open");
        let mut collector = Collector::new(queue, BatchLimits { wait_us: 2_000, ..BatchLimits::default() });
        collector.had_company = true;
        let started = Instant::now();
        assert_eq!(collector.next_batch(), Some(vec![(1, 1)]));
        assert!(started.elapsed() < Duration::from_secs(2));
        drop(sender);
        assert_eq!(collector.next_batch(), None);
    }

    #[test]
    fn only_after_company_a_batch_waits_for_more() {
        let (sender, queue) = mpsc::channel();
        let wait = Duration::from_millis(50);
        let wait_us = wait.as_micros() as u64;
        let mut collector = Collector::new(queue, BatchLimits { wait_us, ..BatchLimits::default() });
        let mut took = |n_entries: usize| {
            (0..n_entries).for_each(|_| sender.send((1, 1)).expect("the queue is open"));
            let started = Instant::now();
            assert_eq!(collector.next_batch().map(|batch| batch.len()), Some(n_entries));
            started.elapsed()
        };
        assert!(took(1) < wait && took(2) < wait);
        assert!(took(1) >= wait);
        assert!(took(1) < wait);
    }

    #[test]
    fn groups_keep_the_order_of_their_entries() {
        let groups: Vec<_> = groups(vec![(2, 1), (1, 1), (2, 3)]).collect();
        assert_eq!(groups, [vec![(1, 1)], vec![(2, 1), (2, 3)]]);
    }
}
