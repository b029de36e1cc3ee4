//! How many requests run and how many wait; one more is refused at once. One endpoint leaves room for the others, so
//! that a model that hangs does not stop them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::error::InvokeError;
use crate::telemetry;

pub(super) struct Admission {
    server: Room,
    /// Of endpoints that were asked while there were several.
    endpoints: Mutex<HashMap<String, Room>>,
}

/// Requests of the whole server, or of one endpoint.
struct Room {
    owner: &'static str,
    running_max: usize,
    waiting_max: usize,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A request that may wait. Dropping it frees its places.
pub(super) struct Place {
    gauge: Gauge,
    /// Of its endpoint, then of the server: in this order nobody holds what others wait for.
    entries: Vec<Entry>,
}

/// A place in one room, and who may run there.
struct Entry {
    running: Arc<Semaphore>,
    place: OwnedSemaphorePermit,
}

/// A request that may run. Dropping it frees its places and its turns.
pub(super) struct Turn {
    _gauge: Gauge,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Admission {
    pub(super) fn new(running_max: usize, waiting_max: usize) -> Self {
        Self { server: Room::new("this server", running_max, waiting_max), endpoints: Mutex::default() }
    }

    /// Refuses before a body is read what would be refused after it.
    pub(super) fn check(&self) -> Result<(), InvokeError> {
        self.server.check()
    }

    /// A single endpoint may have it all.
    pub(super) fn enter(&self, endpoint: &str, n_endpoints: usize) -> Result<Place, InvokeError> {
        let own = if n_endpoints > 1 { Some(self.enter_own(endpoint)?) } else { None };
        let entries = own.into_iter().chain([self.server.enter()?]).collect();
        Ok(Place { gauge: Gauge::new(telemetry::WAITING), entries })
    }

    fn enter_own(&self, endpoint: &str) -> Result<Entry, InvokeError> {
        let mut rooms = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if !rooms.contains_key(endpoint) {
            // Endpoints come and go.
            rooms.retain(|_, room| !room.is_empty());
            let Room { running_max, waiting_max, .. } = self.server;
            rooms.insert(endpoint.to_owned(), Room::new("one endpoint", share(running_max), share(waiting_max)));
        }
        rooms[endpoint].enter()
    }
}

/// What one endpoint may have of what there is: all but a quarter.
fn share(all: usize) -> usize {
    all - all / 4
}

impl Room {
    fn new(owner: &'static str, running_max: usize, waiting_max: usize) -> Self {
        let running = Arc::new(Semaphore::new(running_max));
        let places = Arc::new(Semaphore::new(running_max + waiting_max));
        Self { owner, running_max, waiting_max, running, places }
    }

    fn is_empty(&self) -> bool {
        self.places.available_permits() == self.running_max + self.waiting_max
    }

    fn check(&self) -> Result<(), InvokeError> {
        if self.places.available_permits() == 0 { Err(self.throttled()) } else { Ok(()) }
    }

    fn throttled(&self) -> InvokeError {
        InvokeError::Throttled { running: self.running_max, waiting: self.waiting_max, owner: self.owner }
    }

    fn enter(&self) -> Result<Entry, InvokeError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.throttled())?;
        Ok(Entry { running: Arc::clone(&self.running), place })
    }
}

impl Place {
    /// Waits, first come first served.
    pub(super) async fn turn(self) -> Turn {
        let mut permits = Vec::with_capacity(2 * self.entries.len());
        for Entry { running, place } in self.entries {
            permits.push(running.acquire_owned().await.expect("the semaphore is never closed. This is a bug."));
            permits.push(place);
        }
        drop(self.gauge);
        Turn { _gauge: Gauge::new(telemetry::RUNNING), _permits: permits }
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
        let running = admission.enter("e", 1).expect("there is a place").turn().await;
        let waiting = admission.enter("e", 1).expect("there is a place");
        assert!(matches!(admission.enter("e", 1), Err(InvokeError::Throttled { running: 1, waiting: 1, .. })));
        drop(running);
        let _running = waiting.turn().await;
        assert!(admission.enter("e", 1).is_ok());
    }

    #[tokio::test]
    async fn one_endpoint_leaves_room_for_the_others() {
        let admission = Admission::new(4, 4);
        let mut running = Vec::new();
        for _ in 0..3 {
            running.push(admission.enter("dead", 2).expect("there is a place").turn().await);
        }
        let waiting: Vec<Place> = (0..3).map(|_| admission.enter("dead", 2).expect("may wait")).collect();
        let refused = admission.enter("dead", 2);
        assert!(matches!(refused, Err(InvokeError::Throttled { running: 3, waiting: 3, owner: "one endpoint" })));
        let waits = waiting.into_iter().next().expect("one waits").turn();
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), waits).await.is_err());
        admission.enter("other", 2).expect("there is a place").turn().await;
    }
}
