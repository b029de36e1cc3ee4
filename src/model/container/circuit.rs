//! A container that fails again and again is left alone for a while; then one request tries it. Knows no HTTP.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Closed while a container works, open while it is left alone, half open while one request tries it.
pub(super) struct Circuit {
    failures_max: u32,
    open_for: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// So many failures in a row, and when the last one was told.
    Closed {
        failures: u32,
        last: Option<Instant>,
    },
    Open {
        since: Instant,
    },
    HalfOpen,
}

/// Requests that were under way for less fail together for one reason; longer silences count one by one.
const TOGETHER: Duration = Duration::from_secs(2);

const WORKING: State = State::Closed { failures: 0, last: None };

/// The container is left alone.
#[derive(Debug, PartialEq)]
pub(super) struct IsOpen;

/// One request that may go. Dropped without an outcome it says nothing about the container.
pub(super) struct Pass<'a> {
    circuit: &'a Circuit,
    since: Instant,
    is_probe: bool,
}

impl Circuit {
    pub(super) fn new(failures_max: u32, open_for: Duration) -> Self {
        Self { failures_max, open_for, state: Mutex::new(WORKING) }
    }

    pub(super) fn enter(&self) -> Result<Pass<'_>, IsOpen> {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => Ok(Pass { circuit: self, since: Instant::now(), is_probe: false }),
            State::Open { since } if since.elapsed() >= self.open_for => {
                *state = State::HalfOpen;
                Ok(Pass { circuit: self, since: Instant::now(), is_probe: true })
            }
            State::Open { .. } | State::HalfOpen => Err(IsOpen),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the lock. This is a bug.")
    }
}

impl Pass<'_> {
    pub(super) fn settle(mut self, is_working: bool) {
        let is_quick = self.since.elapsed() < TOGETHER;
        let mut state = self.circuit.state();
        *state = match *state {
            _ if is_working => WORKING,
            // Requests that were under way together fail together, and that once.
            State::Closed { failures, last } if is_quick && last.is_some_and(|last| self.since <= last) => {
                State::Closed { failures, last }
            }
            State::Closed { failures, .. } if failures + 1 < self.circuit.failures_max => {
                State::Closed { failures: failures + 1, last: Some(Instant::now()) }
            }
            // Requests from before it opened do not keep it open for longer.
            State::Open { since } => State::Open { since },
            State::HalfOpen if !self.is_probe => State::HalfOpen,
            State::Closed { .. } | State::HalfOpen => State::Open { since: Instant::now() },
        };
        self.is_probe = false;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            // Nobody waited for the answer: the next request tries again.
            let since = Instant::now().checked_sub(self.circuit.open_for).unwrap_or_else(Instant::now);
            *self.circuit.state() = State::Open { since };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_millis(30);

    fn fail(circuit: &Circuit, times: usize) {
        (0..times).for_each(|_| circuit.enter().expect("is closed").settle(false));
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let circuit = Circuit::new(3, OPEN_FOR);
        fail(&circuit, 2);
        circuit.enter().expect("is closed").settle(true);
        fail(&circuit, 3);
        assert!(circuit.enter().is_err());
    }

    #[test]
    fn requests_that_fail_together_are_one_failure() {
        let circuit = Circuit::new(2, OPEN_FOR);
        let passes: Vec<Pass> = (0..5).map(|_| circuit.enter().expect("is closed")).collect();
        passes.into_iter().for_each(|pass| pass.settle(false));
        fail(&circuit, 1);
        assert!(circuit.enter().is_err());
    }

    #[test]
    fn one_request_tries_and_its_success_closes_it() {
        let circuit = Circuit::new(1, OPEN_FOR);
        fail(&circuit, 1);
        std::thread::sleep(OPEN_FOR);
        let probe = circuit.enter().expect("one may try");
        assert!(circuit.enter().is_err());
        probe.settle(false);
        assert!(circuit.enter().is_err());
        std::thread::sleep(OPEN_FOR);
        circuit.enter().expect("one may try").settle(true);
        assert!(circuit.enter().is_ok() && circuit.enter().is_ok());
    }

    #[test]
    fn a_try_that_nobody_waited_for_is_made_again() {
        let circuit = Circuit::new(1, OPEN_FOR);
        fail(&circuit, 1);
        std::thread::sleep(OPEN_FOR);
        drop(circuit.enter().expect("one may try"));
        assert!(circuit.enter().is_ok());
    }

    #[test]
    fn late_failures_do_not_keep_it_open() {
        let circuit = Circuit::new(1, OPEN_FOR);
        let (first, second) = (circuit.enter().expect("is closed"), circuit.enter().expect("is closed"));
        first.settle(false);
        std::thread::sleep(OPEN_FOR);
        second.settle(false);
        assert!(circuit.enter().is_ok());
    }
}
