//! A container of many models: load, list, unload and invoke of the multi-model contract. A model is loaded when the
//! first request asks for it; where memory is short, the one that was idle for longest goes. Knows no records.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::ContainerError;
use super::residents::{LastUse, Load, Resident, Residents};
use super::running::Container;
use super::standing::{LOADING_PAUSE, START_WAIT, Standing, look, settled};
use crate::model::{Answer, Forward, Identity, Message, ModelError, Reply, TargetError, TargetName, sha256};
use crate::telemetry;

/// A model may take so long to load, whoever waits for it (SageMaker documentation, "Invoke a Multi-Model Endpoint").
const LOAD_WAIT: Duration = Duration::from_secs(360);
/// Models that are being loaded at the same time.
const LOADS_MAX: usize = 16;
/// To list all models and to unload one.
const UNLOAD_WAIT: Duration = Duration::from_secs(60);
/// Pages of the list of models that are read.
const PAGES_MAX: usize = 100;
/// Between two looks at a model that does not answer.
const SILENCE_PAUSE: Duration = Duration::from_secs(2);
/// Hexadecimal digits of a model's name in the container.
const ID_CHARS: usize = 32;

/// A running container whose models come and go.
#[derive(Clone)]
pub struct MultiModelContainer(Arc<Inner>);

struct Inner {
    container: Arc<Container>,
    /// What stands before a model's name where the container loads it from; may be empty.
    models: String,
    /// How long a request waits for a load.
    load_wait: Duration,
    residents: Residents,
    loads: Arc<Semaphore>,
    /// Whether it has said of any model how it stands. A container that never did may know no such question.
    describes: AtomicBool,
    /// Held by who makes room.
    unloading: tokio::sync::Mutex<()>,
}

impl MultiModelContainer {
    /// `models` stands before the names, its slash included.
    pub fn new(container: Arc<Container>, models: String, load_wait: Duration) -> Self {
        Self(Arc::new(Inner {
            container,
            models,
            load_wait,
            residents: Residents::default(),
            loads: Arc::new(Semaphore::new(LOADS_MAX)),
            describes: AtomicBool::new(false),
            unloading: tokio::sync::Mutex::default(),
        }))
    }

    /// The model that a message is for, loaded. It stays loaded while it is held, unless others unload it.
    pub async fn model(&self, message: &Message) -> Result<Arc<dyn Forward>, ModelError> {
        Ok(Arc::new(self.target(message).await?))
    }

    pub(super) fn container(&self) -> &Arc<Container> {
        &self.0.container
    }

    pub fn identity(&self, target: &TargetName) -> Identity {
        Identity::Container { url: self.0.container.url().to_owned(), model: vec![self.0.location(target)] }
    }

    async fn target(&self, message: &Message) -> Result<TargetModel, ModelError> {
        let name = message.target()?.clone();
        let resident = Mutex::new(self.0.resident(&name, message.deadline).await?);
        Ok(TargetModel { models: Arc::clone(&self.0), name, resident })
    }
}

impl Forward for MultiModelContainer {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        async { self.target(&message).await?.forward(message).await }.boxed()
    }
}

/// One of the models, in use.
struct TargetModel {
    models: Arc<Inner>,
    name: TargetName,
    resident: Mutex<Arc<Resident>>,
}

impl Forward for TargetModel {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        self.invoke(message).boxed()
    }
}

impl TargetModel {
    /// A model that was unloaded meanwhile is loaded again, and room is made where memory is short; each once.
    async fn invoke(&self, message: Message) -> Result<Reply, ModelError> {
        let (resident, deadline) = (Arc::clone(&self.resident()), message.deadline);
        match self.models.invoke(&resident, message.clone()).await {
            Err(error) if self.models.has_lost(&resident, &error, deadline).await => {
                self.models.residents.forget(&resident);
                let again = self.models.resident(&self.name, deadline).await?;
                *self.resident() = again;
            }
            Err(ContainerError::Refused { status: 507, .. }) if self.models.make_room(deadline).await => {}
            outcome => return Ok(outcome?),
        }
        let resident = Arc::clone(&self.resident());
        Ok(self.models.invoke(&resident, message).await?)
    }

    /// Nothing panics while it is held.
    fn resident(&self) -> MutexGuard<'_, Arc<Resident>> {
        self.resident.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Where the container loads a model from.
    fn location(&self, name: &TargetName) -> String {
        format!("{}{name}", self.models)
    }

    /// A model that the container has loaded. The load goes on when nobody waits any more; a failure that came when
    /// nobody waited is told to the next who asks.
    async fn resident(
        self: &Arc<Self>,
        name: &TargetName,
        deadline: Instant,
    ) -> Result<Arc<Resident>, ModelError> {
        let wait_end = deadline.min(Instant::now() + self.load_wait);
        let loaded = async {
            let resident = self.begun(name).await;
            match resident.load.clone().await {
                Ok(()) => Ok(resident),
                Err(error) => {
                    self.residents.forget(&resident);
                    Err(refused(error, name, &self.location(name)))
                }
            }
        };
        let waited = tokio::time::timeout_at(wait_end.into(), loaded).await;
        waited.unwrap_or_else(|_| Err(TargetError::Loading(name.clone()).into()))
    }

    /// A model that is loaded or being loaded.
    async fn begun(self: &Arc<Self>, name: &TargetName) -> Arc<Resident> {
        let location = self.location(name);
        let id = sha256(location.as_bytes())[..ID_CHARS].to_owned();
        if let Some(resident) = self.residents.get(&id) {
            return resident;
        }
        let turn = Arc::clone(&self.loads).acquire_owned().await.expect("never closed. This is a bug.");
        self.residents.get_or_begin(&id, || self.begin(id.clone(), location, turn))
    }

    fn begin(self: &Arc<Self>, id: String, location: String, turn: OwnedSemaphorePermit) -> Load {
        let models = Arc::clone(self);
        let load = async move {
            let outcome = models.load(&id, &location).await;
            drop(turn);
            outcome
        };
        let load = load.boxed().shared();
        // It goes on when all who wait for it leave.
        tokio::spawn(load.clone());
        load
    }

    async fn load(&self, id: &str, location: &str) -> Result<(), ContainerError> {
        let deadline = Instant::now() + LOAD_WAIT;
        let mut outcome = self.ask_to_load(id, location, deadline).await;
        if is_full(&outcome) {
            // Some servers keep the name of a model that found no memory.
            self.unload(id, deadline).await;
            if self.make_room(deadline).await {
                outcome = self.ask_to_load(id, location, deadline).await;
            }
        }
        if outcome.is_ok() && !self.describes.load(Ordering::Relaxed) {
            // Only that it is answered counts.
            drop(self.look(id, deadline).await);
        }
        telemetry::count_model_load("container", outcome_name(&outcome));
        outcome.map(|_| ())
    }

    /// Who is told 409 finds the model loaded, or being loaded by somebody else.
    async fn ask_to_load(&self, id: &str, location: &str, deadline: Instant) -> Result<Loaded, ContainerError> {
        let body = json!({ "model_name": id, "url": location });
        loop {
            match self.container.manage(Method::POST, "/models", Some(body.clone()), deadline).await {
                Ok(_) => return Ok(Loaded::Now),
                Err(ContainerError::Refused { status: 409, .. }) => {}
                Err(error) => return Err(error),
            }
            match settled(|| self.look(id, deadline), START_WAIT).await? {
                Standing::Ready | Standing::Loading => return Ok(Loaded::Before),
                Standing::Gone => {}
                Standing::Workerless => drop(self.unload(id, deadline).await),
            }
            tokio::time::sleep(LOADING_PAUSE).await;
        }
    }

    async fn look(&self, id: &str, deadline: Instant) -> Result<Standing, ContainerError> {
        let standing = look(&self.container, &escaped(id), deadline).await?;
        if standing != Standing::Gone {
            self.describes.store(true, Ordering::Relaxed);
        }
        Ok(if self.describes.load(Ordering::Relaxed) { standing } else { Standing::Ready })
    }

    async fn unload(&self, id: &str, deadline: Instant) -> &'static str {
        let path = format!("/models/{}", escaped(id));
        match self.container.manage(Method::DELETE, &path, None, deadline).await {
            Ok(_) => "unloaded",
            Err(ContainerError::Refused { status: 404, .. }) => "gone",
            Err(_) => "failed",
        }
    }

    /// Unloads the model that was idle for longest. False where all are in use or the container keeps it.
    async fn make_room(&self, deadline: Instant) -> bool {
        // One after the other, so that two of them do not unload the same model.
        let _alone = self.unloading.lock().await;
        let deadline = deadline.min(Instant::now() + UNLOAD_WAIT);
        let Some(id) = self.idlest(deadline).await.filter(|id| self.residents.release(id)) else { return false };
        let outcome = self.unload(&id, deadline).await;
        telemetry::count_model_unload("container", outcome);
        outcome != "failed"
    }

    /// Of the container's models that no request of ours uses, the one used least recently; those of others first. None
    /// without workers: it takes no memory, and may be about to be loaded by others.
    async fn idlest(&self, deadline: Instant) -> Option<String> {
        let mut idle = self.idle(deadline).await?;
        idle.sort_by_key(|(last_use, _)| *last_use);
        for (_, id) in idle {
            if self.look(&id, deadline).await.ok()? != Standing::Workerless {
                return Some(id);
            }
        }
        None
    }

    /// The container's models that no request of ours uses.
    async fn idle(&self, deadline: Instant) -> Option<Vec<(LastUse, String)>> {
        let mut idle = Vec::new();
        let mut path = "/models".to_owned();
        for _ in 0..PAGES_MAX {
            let page = self.container.manage(Method::GET, &path, None, deadline).await.ok()?;
            let page: Page = serde_json::from_slice(&page.body).ok()?;
            let listed = page.models.into_iter().map(|listed| listed.model_name);
            idle.extend(listed.filter_map(|id| Some((self.residents.idle_since(&id)?, id))));
            let Some(token) = page.next_page_token.filter(|token| !token.is_empty()) else { break };
            path = format!("/models?next_page_token={}", escaped(&token));
        }
        Some(idle)
    }

    async fn invoke(&self, resident: &Resident, message: Message) -> Result<Reply, ContainerError> {
        let (path, deadline) = (format!("/models/{}/invoke", resident.id), message.deadline);
        tokio::select! {
            outcome = self.container.invoke(&path, message) => outcome,
            gone = self.gone(&resident.id, deadline) => Err(gone),
        }
    }

    /// Ends when the container has a model no more: some servers never answer the requests that waited for it.
    async fn gone(&self, id: &str, deadline: Instant) -> ContainerError {
        loop {
            tokio::time::sleep(SILENCE_PAUSE).await;
            if let Ok(Standing::Gone) = self.look(id, deadline).await {
                let message = "The model was unloaded before it answered.".to_owned();
                return ContainerError::Refused { status: 404, message };
            }
        }
    }

    /// Whether an invocation failed because the container has the model no more, or nobody to answer for it.
    async fn has_lost(&self, resident: &Resident, error: &ContainerError, deadline: Instant) -> bool {
        match error {
            ContainerError::Refused { status: 404, .. } => true,
            ContainerError::Refused { status: 503, .. } => {
                let standing = self.look(&resident.id, deadline).await;
                matches!(standing, Ok(Standing::Gone | Standing::Workerless))
            }
            _ => false,
        }
    }
}

/// A part of the list of models.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    models: Vec<Listed>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    model_name: String,
}

fn is_full(outcome: &Result<Loaded, ContainerError>) -> bool {
    matches!(outcome, Err(ContainerError::Refused { status: 507, .. }))
}

enum Loaded {
    Now,
    Before,
}

fn outcome_name(outcome: &Result<Loaded, ContainerError>) -> &'static str {
    match outcome {
        Ok(Loaded::Now) => "loaded",
        Ok(Loaded::Before) => "found",
        Err(ContainerError::Refused { status: 507, .. }) => "no_memory",
        Err(ContainerError::Refused { .. }) => "refused",
        Err(_) => "failed",
    }
}

/// What a client is told of a load that failed: nothing of where its model is kept.
fn refused(error: ContainerError, name: &TargetName, location: &str) -> ModelError {
    match error {
        ContainerError::Refused { status: 400 | 404, .. } => TargetError::Unknown(name.clone()).into(),
        ContainerError::Refused { status, message } => {
            ContainerError::Refused { status, message: message.replace(location, name.as_str()) }.into()
        }
        other => other.into(),
    }
}

/// Text of a container as a part of a path or a query.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_container_cannot_change_a_path() {
        assert_eq!(escaped("model-1_b"), "model-1_b");
        assert_eq!(escaped("../a?b#c d\u{e9}\n"), "%2E%2E%2Fa%3Fb%23c%20d%C3%A9%0A");
    }

    #[test]
    fn a_refused_load_does_not_say_where_the_model_is_kept() {
        let name = TargetName::read("a/b.tar.gz").expect("is a name");
        let refuse = |status| {
            let message = "cannot read s3://bucket/secret/a/b.tar.gz: denied".to_owned();
            let error = ContainerError::Refused { status, message };
            refused(error, &name, "s3://bucket/secret/a/b.tar.gz").to_string()
        };
        assert_eq!(refuse(404), "The target model a/b.tar.gz does not exist.");
        assert_eq!(refuse(400), refuse(404));
        assert_eq!(refuse(500), "cannot read a/b.tar.gz: denied");
    }
}
