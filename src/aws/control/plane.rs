//! The one place that changes anything: calls in, store and registry behind.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::account::{Account, Kind, key};
use super::answer::{Step, Then};
use super::catalog::{Catalog, Change, Endpoint};
use super::error::ControlError;
use super::files::FileEndpoint;
use super::input::Input;
use super::opening::Opener;
use super::operation::Operation;
use super::resources::{Object, Status};
use super::timestamp::Timestamp;
use super::{endpoint_configs, endpoint_description, endpoints, listing, models, tags};
use crate::aws::definition::json;
use crate::aws::service_model;
use crate::endpoints::{Endpoint as Serving, Registry, Store, StoreError, Variant};
use crate::offload::offload;
use crate::telemetry;

/// Calls under way, those included that wait for another's write.
const CALLS_MAX: usize = 64;

/// A description waits so long for an opening to end: clients look every 30 s, and their first look sees the end.
const DESCRIBE_WAIT: Duration = Duration::from_secs(2);

/// An endpoint that served before the process began and does not open is tried again after so long, then twice that.
const REOPEN_PAUSE: Duration = Duration::from_secs(5);
const REOPEN_PAUSE_MAX: Duration = Duration::from_secs(300);

pub struct ControlPlane {
    account: Account,
    catalog: Mutex<Catalog>,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    opener: Arc<Opener>,
    calls: Semaphore,
    /// An endpoint's status is no longer a passing one.
    settled: Notify,
}

/// Why a server can not begin with the state that it finds.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{place}: {reason}")]
    Document { place: String, reason: String },
    #[error("the {} {name:?} is also in {place}", .kind.text())]
    Twice { kind: Kind, name: String, place: String },
}

impl ControlPlane {
    /// With what the store holds; nothing of it is open yet.
    pub fn load(
        account: Account,
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        opener: Arc<Opener>,
    ) -> Result<Arc<Self>, StateError> {
        let mut catalog = Catalog::default();
        for document in store.load()? {
            let place = || store.place(&document.shelf, &document.key);
            catalog.read(&document).map_err(|reason| StateError::Document { place: place(), reason })?;
        }
        let (catalog, calls, settled) = (Mutex::new(catalog), Semaphore::new(CALLS_MAX), Notify::new());
        Ok(Arc::new(Self { account, catalog, store, registry, opener, calls, settled }))
    }

    /// The names that an endpoint of a file takes must be free.
    pub async fn check_name(&self, name: &str) -> Result<(), StateError> {
        let catalog = self.catalog.lock().await;
        let key = key(name);
        match Kind::ALL.into_iter().rev().find(|kind| catalog.tags(*kind, &key).is_some()) {
            Some(kind) => {
                let place = self.store.place(kind.word(), &key);
                Err(StateError::Twice { kind, name: name.to_owned(), place })
            }
            None => Ok(()),
        }
    }

    /// An endpoint of a file, which is open.
    pub async fn add(&self, endpoint: FileEndpoint) {
        endpoint.add_to(&mut *self.catalog.lock().await);
    }

    /// Opens what the store holds: what served is served again when this returns, or is tried again and again; what was
    /// under way goes on.
    pub async fn open_all(self: &Arc<Self>) {
        let records: Vec<Endpoint> = self.catalog.lock().await.endpoints.values().cloned().collect();
        let own = records.into_iter().filter(|record| !record.is_from_file);
        join_all(own.map(|record| self.reopen(record))).await;
    }

    async fn reopen(self: &Arc<Self>, record: Endpoint) {
        let key = key(&record.name);
        match record.body.status {
            Status::Failed => return,
            Status::Creating => {}
            Status::InService | Status::Updating => {
                let opened = self.opener.open(&record.name, &record.body.deployment).await;
                if let Err(reason) = self.serve_again(&record, opened).await {
                    tracing::error!(
                        endpoint = record.name,
                        reason,
                        "the endpoint does not open; it is tried again"
                    );
                    let plane = Arc::clone(self);
                    tokio::spawn(async move { plane.reopen_later(record).await });
                    return;
                }
            }
        }
        if record.body.status.is_passing() {
            self.begin_opening(key);
        }
    }

    async fn reopen_later(self: &Arc<Self>, record: Endpoint) {
        let (key, mut pause) = (key(&record.name), REOPEN_PAUSE);
        loop {
            sleep(pause).await;
            let is_there = self
                .catalog
                .lock()
                .await
                .endpoints
                .get(&key)
                .is_some_and(|now| now.created_ms == record.created_ms && now.body.closed_reason.is_some());
            if !is_there {
                return;
            }
            let opened = self.opener.open(&record.name, &record.body.deployment).await;
            if self.serve_again(&record, opened).await.is_ok() {
                tracing::info!(endpoint = record.name, "the endpoint is open again");
                if record.body.status.is_passing() {
                    self.begin_opening(key);
                }
                return;
            }
            pause = (2 * pause).min(REOPEN_PAUSE_MAX);
        }
    }

    /// The store says what it said: that the endpoint serves.
    async fn serve_again(&self, record: &Endpoint, opened: Result<Vec<Variant>, String>) -> Result<(), String> {
        let mut catalog = self.catalog.lock().await;
        // It may have been deleted in the meantime, and another one created.
        let now = catalog.endpoints.get_mut(&key(&record.name));
        let Some(now) = now.filter(|now| now.created_ms == record.created_ms) else { return Ok(()) };
        now.body.closed_reason = opened.as_ref().err().cloned();
        self.registry.put(Serving::new(record.name.clone(), opened?));
        Ok(())
    }

    /// One call: the target as the client names it, and its body.
    pub async fn call(self: &Arc<Self>, target: &str, body: &[u8]) -> Result<Vec<u8>, ControlError> {
        let operation = Operation::read(target)?;
        let _place = self.calls.try_acquire().map_err(|_| ControlError::Throttled { limit: CALLS_MAX })?;
        let input = json::read_object(body).map_err(ControlError::NotJson)?;
        service_model::check(operation.name(), &input)?;
        // A client that hangs up leaves nothing half done.
        let plane = Arc::clone(self);
        let work = tokio::spawn(async move {
            let work = AssertUnwindSafe(plane.run(operation, &input)).catch_unwind();
            work.await.unwrap_or_else(|_| {
                telemetry::count_panic();
                Err(ControlError::Panicked)
            })
        });
        work.await.unwrap_or(Err(ControlError::Panicked))
    }

    async fn run(self: &Arc<Self>, operation: Operation, input: &Object) -> Result<Vec<u8>, ControlError> {
        use Operation as Op;
        let (account, input, now) = (&self.account, Input(input), Timestamp::now());
        if operation == Op::DescribeEndpoint {
            self.wait_until_settled(input.text("EndpointName")).await;
        }
        let mut catalog = self.catalog.lock().await;
        let step = match operation {
            Op::DescribeModel => return models::describe(&catalog, account, input),
            Op::ListModels => return listing::models(&catalog, account, input),
            Op::DescribeEndpointConfig => return endpoint_configs::describe(&catalog, account, input),
            Op::ListEndpointConfigs => return listing::endpoint_configs(&catalog, account, input),
            Op::DescribeEndpoint => return endpoint_description::describe(&catalog, account, input),
            Op::ListEndpoints => return listing::endpoints(&catalog, account, input),
            Op::ListTags => return tags::list(&catalog, account, input),
            Op::CreateModel => models::create(&catalog, account, input, now),
            Op::DeleteModel => models::delete(&catalog, account, input),
            Op::CreateEndpointConfig => endpoint_configs::create(&catalog, account, input, now),
            Op::DeleteEndpointConfig => endpoint_configs::delete(&catalog, account, input),
            Op::CreateEndpoint => endpoints::create(&catalog, account, input, now),
            Op::UpdateEndpoint => endpoints::update(&catalog, account, input, now),
            Op::UpdateEndpointWeightsAndCapacities => endpoints::update_weights(&catalog, account, input, now),
            Op::DeleteEndpoint => endpoints::delete(&catalog, account, input),
            Op::AddTags => tags::add(&catalog, account, input),
            Op::DeleteTags => tags::delete(&catalog, account, input),
        };
        let Step { change, answer, then } = step?;
        let resource = change.resource();
        self.write(&mut catalog, change).await?;
        tracing::info!(operation = operation.name(), resource, "changed");
        self.follow(&catalog, then);
        Ok(answer)
    }

    /// To the store first: what the catalog shows is kept.
    async fn write(&self, catalog: &mut Catalog, change: Change) -> Result<(), StoreError> {
        let (store, document) = (Arc::clone(&self.store), change.document());
        let gone = if let Change::Remove(kind, key) = &change { Some((*kind, key.clone())) } else { None };
        offload(move |_| match (document, gone) {
            (Some(document), _) => store.put(&document),
            (None, Some((kind, key))) => store.remove(kind.word(), &key),
            (None, None) => Ok(()),
        })
        .await?;
        catalog.apply(change);
        Ok(())
    }

    fn follow(self: &Arc<Self>, catalog: &Catalog, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Close { name } => self.registry.remove(&name),
            Then::Open { key } => self.begin_opening(key),
            Then::Reweigh { key } => self.reweigh(&catalog.endpoints[&key]),
        }
    }

    fn reweigh(&self, record: &Endpoint) {
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
    fn begin_opening(self: &Arc<Self>, key: String) {
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
        let Some(record) = catalog.endpoints.get(key) else { return };
        let mut record = record.clone();
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

    async fn wait_until_settled(&self, name: &str) {
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
