//! The one place that changes anything: calls in, store and registry behind.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::timeout;

use super::account::{Account, Kind, key};
use super::answer::{Step, Then};
use super::catalog::{Catalog, Change};
use super::error::ControlError;
use super::files::FileEndpoint;
use super::input::Input;
use super::opening::Opener;
use super::operation::Operation;
use super::resources::Object;
use super::timestamp::Timestamp;
use super::{endpoint_configs, endpoint_description, endpoints, listing, models, tags};
use crate::aws::definition::json;
use crate::aws::service_model;
use crate::endpoints::{Registry, Store, StoreError};
use crate::offload::offload;
use crate::telemetry;

/// Calls under way, those included that wait for another's write.
const CALLS_MAX: usize = 64;

/// One more waits so long for its place.
const CALL_WAIT: Duration = Duration::from_secs(5);

pub struct ControlPlane {
    account: Account,
    pub(super) catalog: Mutex<Catalog>,
    store: Arc<dyn Store>,
    pub(super) registry: Arc<Registry>,
    pub(super) opener: Arc<Opener>,
    calls: Arc<Semaphore>,
    /// An endpoint's status is no longer a passing one.
    pub(super) settled: Notify,
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
        let (catalog, calls, settled) = (Mutex::new(catalog), Arc::new(Semaphore::new(CALLS_MAX)), Notify::new());
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

    /// One call: the target as the client names it, and its body.
    pub async fn call(self: &Arc<Self>, target: &str, body: &[u8]) -> Result<Vec<u8>, ControlError> {
        let operation = Operation::read(target)?;
        let input = json::read_object(body).map_err(ControlError::NotJson)?;
        service_model::check(operation.name(), &input)?;
        if operation == Operation::DescribeEndpoint {
            self.wait_until_settled(Input(&input).text("EndpointName")).await;
        }
        let place = timeout(CALL_WAIT, Arc::clone(&self.calls).acquire_owned()).await;
        let place = place.map_err(|_| ControlError::Throttled { limit: CALLS_MAX })?;
        // A client that hangs up leaves nothing half done.
        let plane = Arc::clone(self);
        let work = tokio::spawn(async move {
            let _place = place;
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
    pub(super) async fn write(&self, catalog: &mut Catalog, change: Change) -> Result<(), StoreError> {
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
}
