//! The name of one host → the addresses it leads to now, but for those that may not be reached. The one way from names
//! to addresses for all clients of this room.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Name, Resolve, Resolving};
use tower_service::Service;

use super::backend::Place;
use super::{Confined, ReachError};

/// Names → addresses.
pub(super) type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// For a look at a name before anybody connects to it.
const LOOKUP_WAIT: Duration = Duration::from_secs(5);

pub(super) fn system_lookup(name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) }.boxed()
}

enum LookupError {
    System(io::Error),
    Reach(ReachError),
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// As it is: whoever finds it among the causes of a failure knows it.
impl From<LookupError> for Box<dyn Error + Send + Sync> {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::System(error) => error.into(),
            LookupError::Reach(error) => error.into(),
        }
    }
}

/// Without limits by default.
#[derive(Clone, Default)]
pub struct Resolver(Option<(Arc<Confined>, Arc<Place>)>);

impl Resolver {
    pub(super) fn confined(confined: Arc<Confined>, place: Place) -> Self {
        Self(Some((confined, Arc::new(place))))
    }

    /// Only what may be reached; a name that leads nowhere else is refused.
    async fn addresses(self, name: String) -> Result<Vec<IpAddr>, LookupError> {
        let Some((confined, place)) = self.0 else { return Ok(system_lookup(name).await?) };
        let (mut within, mut refused) = (Vec::new(), None);
        for address in (confined.lookup)(name).await? {
            match confined.check(&place, address) {
                Ok(()) => within.push(address),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if within.is_empty() => Err(LookupError::Reach(error)),
            _ => Ok(within),
        }
    }

    pub(super) async fn check_now(&self) -> Result<(), ReachError> {
        let Some((_, place)) = self.0.as_ref().filter(|(_, place)| place.address().is_none()) else {
            return Ok(());
        };
        match tokio::time::timeout(LOOKUP_WAIT, self.clone().addresses(place.host.clone())).await {
            Ok(Err(LookupError::Reach(error))) => Err(error),
            _ => Ok(()),
        }
    }
}

fn any_port(addresses: Vec<IpAddr>) -> vec::IntoIter<SocketAddr> {
    addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter()
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(any_port(addresses.await?)) as _) })
    }
}

impl Service<dns::Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(any_port(addresses.await?)) })
    }
}
