//! A deployment → variants that answer: models loaded, baselines read, everything checked and warm.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::resources::{DeployedVariant, Deployment};
use crate::aws::definition::{self, Defaults};
use crate::aws::fault::Faults;
use crate::endpoints::{LoadLimits, Opened, Setup, SetupError, Variant};
use crate::explain::Shared;
use crate::offload::offload;
use crate::telemetry;

/// Deployments that are opened at the same time; each takes a core and a few times the size of its models.
const OPENINGS_MAX: usize = 4;

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
    ) -> Result<Vec<Variant>, String> {
        let _turn = self.turns.acquire().await.expect("never closed. This is a bug.");
        let (opener, name, deployment) = (Arc::clone(self), name.to_owned(), deployment.clone());
        let runtime = Handle::current();
        let open = move || runtime.block_on(opener.open_variants(&name, &deployment)).map_err(|e| e.to_string());
        offload(move |_| open()).await
    }

    async fn open_variants(&self, name: &str, deployment: &Deployment) -> Result<Vec<Variant>, OpenError> {
        let mut variants = Vec::new();
        for deployed in &deployment.variants {
            let opened = self.open_variant(name, deployment, deployed).await?;
            variants.push(Variant { name: deployed.name.clone(), weight: deployed.weight, opened });
        }
        Ok(variants)
    }

    async fn open_variant(
        &self,
        name: &str,
        deployment: &Deployment,
        deployed: &DeployedVariant,
    ) -> Result<Opened, OpenError> {
        let variant = || deployed.name.clone();
        let setup = self.setup(name, deployment, deployed);
        let setup = setup.map_err(|reason| OpenError::Definition { variant: variant(), reason })?;
        // A model that makes its loader panic is that endpoint's failure.
        let opening = AssertUnwindSafe(setup.open(&self.shared, &self.limits)).catch_unwind();
        match opening.await {
            Ok(opened) => opened.map_err(|reason| OpenError::Setup { variant: variant(), reason }),
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
