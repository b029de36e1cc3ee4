//! What becomes of endpoints beside the calls: they are opened, swapped, weighed, and opened again after a restart.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::account::key;
use super::catalog::{Change, Endpoint};
use super::opening::Containers;
use super::plane::ControlPlane;
use super::resources::{Deployment, Status};
use super::timestamp::Timestamp;
use crate::endpoints::{Endpoint as Serving, Variant};

/// A description waits so long for an opening to end: clients look every 30 s, and their first look sees the end.
const DESCRIBE_WAIT: Duration = Duration::from_secs(2);

/// An endpoint that served before the process began and does not open is tried again after so long, then twice that.
const REOPEN_PAUSE: Duration = Duration::from_secs(5);
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(300);

/// So long the port of a new process waits for the endpoints of the one before.
const REOPEN_WAIT: Duration = Duration::from_secs(30);

/// What came of opening an endpoint that served before.
enum Reopened {
    Serves,
    Fails,
    /// It is not there any more.
    Gone,
}

impl ControlPlane {
    /// Opens what the store holds. What served is served again when this returns, but for what takes longer than
    /// others may be kept waiting; that, and what does not open, goes on being tried. What was under way goes on.
    pub async fn open_all(self: &Arc<Self>) {
        let records: Vec<Endpoint> = self.catalog.lock().await.endpoints.values().cloned().collect();
        let own = records.into_iter().filter(|record| !record.is_from_file);
        let openings: Vec<_> = own
            .map(|record| {
                let (plane, (done, is_done)) = (Arc::clone(self), oneshot::channel());
                tokio::spawn(async move { plane.reopen(record, done).await });
                is_done
            })
            .collect();
        if timeout(REOPEN_WAIT, join_all(openings)).await.is_err() {
            tracing::warn!("some endpoints are still being opened");
        }
    }

    /// `first` is told when the first attempt has ended.
    async fn reopen(self: &Arc<Self>, record: Endpoint, first: oneshot::Sender<()>) {
        let mut first = Some(first);
        let mut pause = REOPEN_PAUSE;
        if matches!(record.body.status, Status::InService | Status::Updating) {
            loop {
                let outcome = self.serve_again(&record).await;
                drop(first.take());
                match outcome {
                    Reopened::Serves => break,
                    Reopened::Gone => return,
                    Reopened::Fails => sleep(pause).await,
                }
                pause = (2 * pause).min(REOPEN_PAUSE_MAX);
            }
        }
        if record.body.status.is_passing() {
            self.begin_opening(key(&record.name));
        }
    }

    /// Unless it was deleted in the meantime, even if another one has its name now.
    async fn serve_again(&self, record: &Endpoint) -> Reopened {
        let key = key(&record.name);
        if !self.catalog.lock().await.endpoints.get(&key).is_some_and(|now| is_same(now, record)) {
            return Reopened::Gone;
        }
        let opened = self.opener.open(&record.name, &record.body.deployment, Containers::Trusted).await;
        let mut catalog = self.catalog.lock().await;
        let now = catalog.endpoints.get_mut(&key).filter(|now| is_same(now, record));
        let Some(now) = now else { return Reopened::Gone };
        now.body.closed_reason = opened.as_ref().err().cloned();
        match opened {
            Ok(variants) => {
                tracing::info!(endpoint = record.name, "the endpoint is open again");
                self.registry.put(Serving::new(record.name.clone(), variants));
                Reopened::Serves
            }
            Err(reason) => {
                tracing::error!(endpoint = record.name, reason, "the endpoint does not open; it is tried again");
                Reopened::Fails
            }
        }
    }

    /// From the next request on.
    pub(super) fn reweigh(&self, record: &Endpoint) {
        let Some(serving) = self.registry.get(&record.name) else { return };
        let weights = &record.body.deployment.variants;
        let reweighed = serving
            .variants()
            .iter()
            .zip(weights)
            .map(|(variant, deployed)| Variant { weight: deployed.weight, ..variant.clone() });
        self.registry.put(Serving::new(record.name.clone(), reweighed.collect()));
    }

    /// Of an endpoint that is Creating or Updating.
    pub(super) fn begin_opening(self: &Arc<Self>, key: String) {
        let plane = Arc::clone(self);
        tokio::spawn(async move {
            let record = plane.catalog.lock().await.endpoints.get(&key).cloned();
            let Some(record) = record.filter(|record| record.body.status.is_passing()) else { return };
            let opened = plane.opener.open(&record.name, pending(&record), Containers::Asked).await;
            plane.settle(&record, opened).await;
            plane.settled.notify_waiters();
        });
    }

    /// What was opened serves from now on; what could not be opened leaves what was there. `then` is what was opened:
    /// it may have made room for another one of its name.
    async fn settle(&self, then: &Endpoint, opened: Result<Vec<Variant>, String>) {
        let mut catalog = self.catalog.lock().await;
        let now = catalog.endpoints.get(&key(&then.name)).filter(|now| is_same(now, then));
        let is_awaited =
            |now: &&Endpoint| now.body.status.is_passing() && pending(now).started_ms == pending(then).started_ms;
        let Some(mut record) = now.filter(is_awaited).cloned() else { return };
        let body = &mut record.body;
        let next = body.next.take();
        body.failure_reason = opened.as_ref().err().cloned();
        body.status = match &opened {
            Err(_) if body.status == Status::Creating => Status::Failed,
            _ => Status::InService,
        };
        if let (Ok(_), Some(next)) = (&opened, next) {
            body.deployment = next;
        }
        record.modified_ms = Timestamp::now().0;
        let (name, status) = (record.name.clone(), record.body.status.word());
        let change = Change::Endpoint(Box::new(record.clone()));
        if let Err(error) = self.write(&mut catalog, change).await {
            // It is opened again at the next start; until then it is what it is.
            tracing::error!(endpoint = name, %error, "the status of the endpoint could not be kept");
            catalog.apply(Change::Endpoint(Box::new(record)));
        }
        match opened {
            Ok(variants) => {
                tracing::info!(endpoint = name, status, "the endpoint is open");
                self.registry.put(Serving::new(name, variants));
            }
            Err(reason) => tracing::warn!(endpoint = name, status, reason, "the endpoint could not be opened"),
        }
    }

    pub(super) async fn wait_until_settled(&self, name: &str) {
        let key = key(name);
        let settled = async {
            loop {
                let settled = self.settled.notified();
                let catalog = self.catalog.lock().await;
                if catalog.endpoints.get(&key).is_none_or(|record| !record.body.status().is_passing()) {
                    return;
                }
                drop(catalog);
                settled.await;
            }
        };
        // It is described as it then is.
        let _ = timeout(DESCRIBE_WAIT, settled).await;
    }
}

/// What is to serve.
fn pending(record: &Endpoint) -> &Deployment {
    record.body.next.as_ref().unwrap_or(&record.body.deployment)
}

/// Created by the same call.
fn is_same(now: &Endpoint, then: &Endpoint) -> bool {
    now.created_ms == then.created_ms
}
