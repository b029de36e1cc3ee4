//! Which of two devices gets the next batch: the one that will be done first, by what batches of its kind have taken.

use std::collections::HashMap;
use std::time::Duration;

/// Kinds whose times are known; the least recently met is forgotten.
const KINDS_MAX: usize = 1024;

/// Batches of a kind that each device gets before the two are compared.
const TRIALS: u32 = 2;

/// So many batches of a kind pass before the slower device is tried again, if it would not take much longer.
const RETRY_BATCHES: u32 = 64;
const RETRY_RATIO_MAX: f64 = 4.0;

/// What an older batch counts for, at each newer one.
const MEMORY: f64 = 0.9;

/// Operator, and function of games; batches of one kind differ in their number of columns.
pub(super) type Kind = (u64, Option<u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Cpu = 0,
    Accelerator = 1,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Cpu => Self::Accelerator,
            Self::Accelerator => Self::Cpu,
        }
    }
}

#[derive(Default)]
pub(super) struct Routing {
    kinds: HashMap<Kind, Times>,
    clock: u64,
}

#[derive(Default)]
struct Times {
    /// By side.
    lines: [Line; 2],
    used_at: u64,
    since_retry: u32,
}

impl Routing {
    pub(super) fn choose(&mut self, kind: Kind, n_columns: usize) -> Side {
        let times = self.times(kind);
        let untried =
            [Side::Cpu, Side::Accelerator].into_iter().find(|&side| times.lines[side as usize].n < TRIALS);
        if let Some(side) = untried {
            return side;
        }
        let expected = |side: Side| times.lines[side as usize].at(n_columns as f64);
        let faster = if expected(Side::Accelerator) < expected(Side::Cpu) { Side::Accelerator } else { Side::Cpu };
        let is_near = expected(faster.other()) < RETRY_RATIO_MAX * expected(faster);
        times.since_retry += 1;
        if is_near && times.since_retry >= RETRY_BATCHES {
            times.since_retry = 0;
            return faster.other();
        }
        faster
    }

    pub(super) fn note(&mut self, kind: Kind, side: Side, n_columns: usize, took: Duration) {
        self.times(kind).lines[side as usize].add(n_columns as f64, took.as_secs_f64());
    }

    fn times(&mut self, kind: Kind) -> &mut Times {
        self.clock += 1;
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&kind) {
            let oldest = self.kinds.iter().min_by_key(|(_, times)| times.used_at).map(|(&kind, _)| kind);
            oldest.and_then(|oldest| self.kinds.remove(&oldest));
        }
        let times = self.kinds.entry(kind).or_default();
        times.used_at = self.clock;
        times
    }
}

/// Seconds by number of columns: a line through what was measured, weighted towards what is recent.
#[derive(Default)]
struct Line {
    n: u32,
    weight: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    fn add(&mut self, x: f64, y: f64) {
        self.n = self.n.saturating_add(1);
        for sum in [&mut self.weight, &mut self.x, &mut self.y, &mut self.xx, &mut self.xy] {
            *sum *= MEMORY;
        }
        self.weight += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
    }

    /// Where only one size is known, the best that may be: other sizes are tried rather than feared.
    fn at(&self, x: f64) -> f64 {
        let (mean_x, mean_y) = (self.x / self.weight, self.y / self.weight);
        let spread = self.xx / self.weight - mean_x * mean_x;
        if spread < 1e-9 * mean_x * mean_x {
            return mean_y * (x / mean_x).min(1.0);
        }
        // More columns do not take less time, nor none a negative one.
        let slope = (self.xy / self.weight - mean_x * mean_y) / spread;
        mean_y + slope.clamp(0.0, mean_y / mean_x) * (x - mean_x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = (1, Some(2));

    /// A CPU that takes 10 µs a column, an accelerator that takes 200 µs and 1 µs a column.
    fn seconds(side: Side, n_columns: usize) -> Duration {
        Duration::from_secs_f64(match side {
            Side::Cpu => 10e-6 * n_columns as f64,
            Side::Accelerator => 200e-6 + 1e-6 * n_columns as f64,
        })
    }

    /// How often each side got a batch of that size.
    fn run(routing: &mut Routing, n_columns: usize, n_batches: usize) -> [usize; 2] {
        let mut counts = [0; 2];
        for _ in 0..n_batches {
            let side = routing.choose(KIND, n_columns);
            counts[side as usize] += 1;
            routing.note(KIND, side, n_columns, seconds(side, n_columns));
        }
        counts
    }

    #[test]
    fn small_batches_go_to_the_processor_and_large_ones_to_the_accelerator() {
        let mut routing = Routing::default();
        run(&mut routing, 1, 8);
        run(&mut routing, 1000, 8);
        run(&mut routing, 1, 8);
        assert_eq!(run(&mut routing, 1, 50), [50, 0]);
        let [cpu, accelerator] = run(&mut routing, 1000, 50);
        assert!(accelerator >= 49, "{cpu} {accelerator}");
    }

    #[test]
    fn a_device_that_becomes_fast_again_is_noticed() {
        let mut routing = Routing::default();
        for side in [Side::Cpu, Side::Accelerator, Side::Cpu, Side::Accelerator] {
            let slow = if side == Side::Cpu { 100e-6 } else { 300e-6 };
            routing.note(KIND, side, 10, Duration::from_secs_f64(slow));
        }
        let mut last = 0;
        for batch in 0..2000 {
            let side = routing.choose(KIND, 10);
            let now = if side == Side::Cpu { 100e-6 } else { 30e-6 };
            routing.note(KIND, side, 10, Duration::from_secs_f64(now));
            if side == Side::Cpu {
                last = batch;
            }
        }
        assert!(last < 1999 - 10, "{last}");
    }

    #[test]
    fn kinds_are_forgotten_in_the_order_of_their_use() {
        let mut routing = Routing::default();
        for id in 0..KINDS_MAX as u64 + 10 {
            routing.note((id, None), Side::Cpu, 1, Duration::from_micros(1));
            routing.note((0, None), Side::Cpu, 1, Duration::from_micros(1));
        }
        assert_eq!(routing.kinds.len(), KINDS_MAX);
        assert!(routing.kinds.contains_key(&(0, None)) && !routing.kinds.contains_key(&(1, None)));
    }
}
