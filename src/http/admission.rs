//! How many requests run and how many wait; one more is refused at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::error::InvokeError;
use crate::telemetry;

pub(super) struct Admission {
    running_max: usize,
    waiting_max: usize,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A request that may wait. Dropping it frees its place.
pub(super) struct Place {
    gauge: Gauge,
    running: Arc<Semaphore>,
    place: OwnedSemaphorePermit,
}

/// A request that may run. Dropping it frees its place and its turn.
pub(super) struct Turn {
    _gauge: Gauge,
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(running_max: usize, waiting_max: usize) -> Self {
        let running = Arc::new(Semaphore::new(running_max));
        let places = Arc::new(Semaphore::new(running_max + waiting_max));
        Self { running_max, waiting_max, running, places }
    }

    /// Refuses before a body is read what would be refused after it.
    pub(super) fn check(&self) -> Result<(), InvokeError> {
        if self.places.available_permits() == 0 { Err(self.throttled()) } else { Ok(()) }
    }

    fn throttled(&self) -> InvokeError {
        InvokeError::Throttled { running: self.running_max, waiting: self.waiting_max }
    }

    pub(super) fn enter(&self) -> Result<Place, InvokeError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.throttled())?;
        Ok(Place { gauge: Gauge::new(telemetry::WAITING), running: Arc::clone(&self.running), place })
    }
}

impl Place {
    /// Waits, first come first served.
    pub(super) async fn turn(self) -> Turn {
        let turn = self.running.acquire_owned().await.expect("the semaphore is never closed. This is a bug.");
        drop(self.gauge);
        Turn { _gauge: Gauge::new(telemetry::RUNNING), _place: self.place, _turn: turn }
    }
}

/// Counts itself in a metric while it lives.
struct Gauge(&'static str);

impl Gauge {
    fn new(name: &'static str) -> Self {
        telemetry::add_to_gauge(name, 1.0);
        Self(name)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        telemetry::add_to_gauge(self.0, -1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_request_too_many_is_refused_and_a_freed_place_is_given_again() {
        let admission = Admission::new(1, 1);
        let running = admission.enter().expect("there is a place").turn().await;
        let waiting = admission.enter().expect("there is a place");
        assert!(matches!(admission.enter(), Err(InvokeError::Throttled { running: 1, waiting: 1 })));
        drop(running);
        let _running = waiting.turn().await;
        assert!(admission.enter().is_ok());
    }
}
