//! What becomes of endpoints beside the calls: they are opened, swapped, weighed, and opened again after a restart.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::account::key;
use super::catalog::{Change, Endpoint};
use super::plane::ControlPlane;
use super::resources::Status;
use super::timestamp::Timestamp;
use crate::endpoints::{Endpoint as Serving, Variant};

/// A description waits so long for an opening to end: clients look every 30 s, and their first look sees the end.
const DESCRIBE_WAIT: Duration = Duration::from_secs(2);

/// An endpoint that served before the process began and does not open is tried again after so long, then twice that.
const REOPEN_PAUSE: Duration = Duration::from_secs(5);
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(300);

impl ControlPlane {
    /// Opens what the store holds: what served is served again when this returns, or is tried again and again; what was
    /// under way goes on.
    pub async fn open_all(self: &Arc<Self>) {
        let records: Vec<Endpoint> = self.catalog.lock().await.endpoints.values().cloned().collect();
        let own = records.into_iter().filter(|record| !record.is_from_file);
        join_all(own.map(|record| self.reopen(record))).await;
    }

    async fn reopen(self: &Arc<Self>, record: Endpoint) {
        let served = matches!(record.body.status, Status::InService | Status::Updating);
        if !served || self.serve_again(&record).await {
            self.go_on(&record);
        } else {
            let plane = Arc::clone(self);
            tokio::spawn(async move { plane.reopen_in_time(record).await });
        }
    }

    async fn reopen_in_time(self: &Arc<Self>, record: Endpoint) {
        let mut pause = REOPEN_PAUSE;
        loop {
            sleep(pause).await;
            if self.serve_again(&record).await {
                return self.go_on(&record);
            }
            pause = (2 * pause).min(REOPEN_PAUSE_MAX);
        }
    }

    fn go_on(self: &Arc<Self>, record: &Endpoint) {
        if record.body.status.is_passing() {
            self.begin_opening(key(&record.name));
        }
    }

    /// False where it does not open. One that was deleted in the meantime, even if another one has its name now, needs
    /// no opening.
    async fn serve_again(&self, record: &Endpoint) -> bool {
        if !self.catalog.lock().await.endpoints.get(&key(&record.name)).is_some_and(|now| is_same(now, record)) {
            return true;
        }
        let opened = self.opener.open(&record.name, &record.body.deployment).await;
        let mut catalog = self.catalog.lock().await;
        let now = catalog.endpoints.get_mut(&key(&record.name)).filter(|now| is_same(now, record));
        let Some(now) = now else { return true };
        now.body.closed_reason = opened.as_ref().err().cloned();
        match opened {
            Ok(variants) => {
                tracing::info!(endpoint = record.name, "the endpoint is open again");
                self.registry.put(Serving::new(record.name.clone(), variants));
                true
            }
            Err(reason) => {
                tracing::error!(endpoint = record.name, reason, "the endpoint does not open; it is tried again");
                false
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
            let Some(record) = plane.catalog.lock().await.endpoints.get(&key).cloned() else { return };
            let deployment = record.body.next.as_ref().unwrap_or(&record.body.deployment);
            let opened = plane.opener.open(&record.name, deployment).await;
            plane.settle(&key, opened).await;
            plane.settled.notify_waiters();
        });
    }

    /// What was opened serves from now on; what could not be opened leaves what was there.
    async fn settle(&self, key: &str, opened: Result<Vec<Variant>, String>) {
        let mut catalog = self.catalog.lock().await;
        let passing = catalog.endpoints.get(key).filter(|record| record.body.status.is_passing());
        let Some(mut record) = passing.cloned() else { return };
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

fn is_same(now: &Endpoint, then: &Endpoint) -> bool {
    now.created_ms == then.created_ms
}
