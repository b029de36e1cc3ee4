//! A deployment → variants that answer: models loaded, baselines read, containers there, everything checked.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::resources::{DeployedVariant, Deployment};
use crate::aws::definition::{self, Defaults};
use crate::aws::fault::Faults;
use crate::endpoints::{LoadLimits, Opened, Setup, SetupError, Variant};
use crate::explain::Shared;
use crate::offload::offload;
use crate::telemetry;

/// Deployments that are opened at the same time; each takes a few times the size of its models, most of the time to
/// fetch them.
const OPENINGS_MAX: usize = 16;

/// One deployment, its downloads and all.
const OPENING_MAX: Duration = Duration::from_secs(600);

/// Whether a running container must answer before its endpoint serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containers {
    /// Those of a deployment that nobody has used yet.
    Asked,
    /// Those of one that served before the process began.
    Trusted,
}

/// What all deployments are opened with.
pub struct Opener {
    shared: Arc<Shared>,
    limits: LoadLimits,
    defaults: Defaults,
    turns: Semaphore,
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("variant {variant}: {reason}")]
    Definition { variant: String, reason: Faults },
    #[error("variant {variant}: {}: {reason}", definition::member(.reason))]
    Setup { variant: String, reason: SetupError },
    #[error("variant {variant}: an internal failure; see the server's log")]
    Panicked { variant: String },
    #[error("not open after {limit_s} s")]
    Late { limit_s: u64 },
}

impl Opener {
    pub fn new(shared: Arc<Shared>, limits: LoadLimits, defaults: Defaults) -> Arc<Self> {
        Arc::new(Self { shared, limits, defaults, turns: Semaphore::new(OPENINGS_MAX) })
    }

    /// All variants, or why one of them can not serve. On a thread of its own: models may be large.
    pub(super) async fn open(
        self: &Arc<Self>,
        name: &str,
        deployment: &Deployment,
        containers: Containers,
    ) -> Result<Vec<Variant>, String> {
        let _turn = self.turns.acquire().await.expect("never closed. This is a bug.");
        let (opener, name, deployment) = (Arc::clone(self), name.to_owned(), deployment.clone());
        let asks_containers = containers == Containers::Asked;
        let limits = LoadLimits { asks_containers, ..self.limits.clone() };
        let runtime = Handle::current();
        let open = move || {
            let opening = timeout(OPENING_MAX, opener.open_variants(&name, &deployment, &limits));
            let opened = runtime.block_on(opening).map_err(|_| OpenError::Late { limit_s: OPENING_MAX.as_secs() });
            opened.flatten().map_err(|error| error.to_string())
        };
        offload(move |_| open()).await
    }

    async fn open_variants(
        &self,
        name: &str,
        deployment: &Deployment,
        limits: &LoadLimits,
    ) -> Result<Vec<Variant>, OpenError> {
        let mut variants = Vec::new();
        for deployed in &deployment.variants {
            let opened = self.open_variant(name, deployment, deployed, limits).await?;
            variants.push(Variant { name: deployed.name.clone(), weight: deployed.weight, opened });
        }
        Ok(variants)
    }

    async fn open_variant(
        &self,
        name: &str,
        deployment: &Deployment,
        deployed: &DeployedVariant,
        limits: &LoadLimits,
    ) -> Result<Opened, OpenError> {
        let variant = || deployed.name.clone();
        let opening = async {
            let setup = self.setup(name, deployment, deployed);
            let setup = setup.map_err(|reason| OpenError::Definition { variant: variant(), reason })?;
            let opened = setup.open(&self.shared, limits).await;
            opened.map_err(|reason| OpenError::Setup { variant: variant(), reason })
        };
        // A model that makes its loader panic is that endpoint's failure.
        match AssertUnwindSafe(opening).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_) => {
                telemetry::count_panic();
                Err(OpenError::Panicked { variant: variant() })
            }
        }
    }

    /// In the words of a definition file. Relative paths begin at the working directory.
    fn setup(&self, name: &str, deployment: &Deployment, deployed: &DeployedVariant) -> Result<Setup, Faults> {
        let mut definition = Map::from_iter([
            ("EndpointName".to_owned(), Value::from(name)),
            ("PrimaryContainer".to_owned(), deployed.container.clone().into()),
        ]);
        if let Some(config) = &deployment.explainer_config {
            definition.insert("ExplainerConfig".to_owned(), config.clone().into());
        }
        definition::read_values(&definition, Path::new(""), &self.defaults)
    }
}
