//! A folder of model files, local or in S3: each is loaded when the first request asks for it, and those used least
//! recently go when they fill their memory. It must not know where the files are.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use tokio::sync::Semaphore;

use super::fitted::Embedded;
use super::place::Place;
use super::scorer::{EmbeddedForward, Scorer};
use crate::model::{Answer, Forward, Message, Model, ModelError, Predictor, Reply, TargetError, TargetName};
use crate::offload::offload;
use crate::telemetry;

/// Files that are fetched and read at the same time; each takes a core and a few times its size.
const LOADS_MAX: usize = 4;

/// Requests that wait for loads, those included that have given up since.
const WAITING_MAX: usize = 1024;

/// What loaded models may cost.
#[derive(Clone, Copy, Debug)]
pub struct FolderLimits {
    /// One file.
    pub model_bytes_max: u64,
    /// All files that are kept loaded.
    pub models_bytes_max: u64,
    /// How long a request waits for a load.
    pub load_wait: Duration,
}

pub type Misfit = Box<dyn Error + Send + Sync>;

/// Models of one kind below a folder: with a game, or without.
pub struct Folder<M>(Arc<Inner<M>>);

struct Inner<M> {
    place: Place,
    /// What a scorer becomes when it fits the endpoint.
    fit: Box<dyn Fn(Scorer) -> Result<M, Misfit> + Send + Sync>,
    limits: FolderLimits,
    models: Cache<TargetName, Outcome<M>>,
    loads: Semaphore,
    waiting: Arc<Semaphore>,
}

type Outcome<M> = Result<Loaded<M>, TargetError>;

#[derive(Clone)]
struct Loaded<M> {
    model: M,
    file_bytes: usize,
}

impl<M: Clone + Send + Sync + 'static> Folder<M> {
    pub fn new(
        place: Place,
        limits: FolderLimits,
        fit: impl Fn(Scorer) -> Result<M, Misfit> + Send + Sync + 'static,
    ) -> Self {
        let bytes = |_: &TargetName, outcome: &Outcome<M>| {
            outcome.as_ref().map_or(1, |loaded| u32::try_from(loaded.file_bytes).unwrap_or(u32::MAX))
        };
        let models = Cache::builder()
            .max_capacity(limits.models_bytes_max)
            .weigher(bytes)
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(|_, outcome, cause| {
                if outcome.is_ok() && cause.was_evicted() {
                    telemetry::count_model_unload("folder", "unloaded");
                }
            })
            .build();
        let (loads, waiting) = (Semaphore::new(LOADS_MAX), Arc::new(Semaphore::new(WAITING_MAX)));
        Self(Arc::new(Inner { place, fit: Box::new(fit), limits, models, loads, waiting }))
    }

    /// The model that a message is for. A load goes on when nobody waits any more; a failure that came when nobody
    /// waited is told to the next who asks.
    async fn model(&self, message: &Message) -> Result<M, ModelError> {
        let name = message.target()?;
        let wait_end = message.deadline.min(Instant::now() + self.0.limits.load_wait);
        let waited = tokio::time::timeout_at(wait_end.into(), self.outcome(name)).await;
        match waited.unwrap_or_else(|_| Err(TargetError::Loading(name.clone()))) {
            Ok(loaded) => Ok(loaded.model),
            Err(error) => Err(error.into()),
        }
    }

    async fn outcome(&self, name: &TargetName) -> Outcome<M> {
        let outcome = match self.0.models.get(name).await {
            Some(outcome) => outcome,
            None => self.begun(name).await,
        };
        if outcome.is_err() {
            self.0.models.invalidate(name).await;
        }
        outcome
    }

    /// Loads of one name become one.
    async fn begun(&self, name: &TargetName) -> Outcome<M> {
        let (inner, key) = (Arc::clone(&self.0), name.clone());
        let place = Arc::clone(&inner.waiting).acquire_owned().await.expect("never closed. This is a bug.");
        let loading = tokio::spawn(async move {
            let outcome = inner.models.get_with(key.clone(), Arc::clone(&inner).load(key)).await;
            // What has become too much goes now, not with some later request.
            inner.models.run_pending_tasks().await;
            drop(place);
            outcome
        });
        match loading.await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(outcome) => outcome,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => Err(TargetError::Loading(name.clone())),
        }
    }
}

impl<M: Clone + Send + Sync + 'static> Inner<M> {
    async fn load(self: Arc<Self>, name: TargetName) -> Outcome<M> {
        let _turn = self.loads.acquire().await.expect("never closed. This is a bug.");
        let outcome = match self.place.read(&name, self.limits.model_bytes_max).await {
            Ok(Some(file)) => {
                let inner = Arc::clone(&self);
                offload(move |_| inner.read(name, &file)).await
            }
            Ok(None) => Err(TargetError::Unknown(name)),
            Err(reason) => Err(TargetError::Unfit { name, reason: reason.into() }),
        };
        telemetry::count_model_load(
            "folder",
            match &outcome {
                Ok(_) => "loaded",
                Err(TargetError::Unfit { .. }) => "refused",
                Err(_) => "not_found",
            },
        );
        outcome
    }

    fn read(&self, name: TargetName, file: &[u8]) -> Outcome<M> {
        let fitted = || (self.fit)(Scorer::read(file, self.limits.model_bytes_max)?);
        let model = fitted().map_err(|reason| TargetError::Unfit { name, reason: reason.into() })?;
        Ok(Loaded { model, file_bytes: file.len() })
    }
}

impl Model for Folder<Embedded> {
    fn predictor<'a>(&'a self, message: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        async { Ok(self.model(message).await?.into_predictor()) }.boxed()
    }
}

impl Forward for Folder<EmbeddedForward> {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        async { self.model(&message).await?.forward(message).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const MODEL: &[u8] = include_bytes!("../../../examples/wine/model.json");

    /// A folder with a copy of the model for each name.
    fn folder(test: &str, names: &[&str]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("explaind-{}-{test}", std::process::id()));
        std::fs::create_dir_all(root.join("sub")).expect("is made");
        names.iter().for_each(|name| std::fs::write(root.join(name), MODEL).expect("writes"));
        root
    }

    fn limits(n_models: u64, load_wait: Duration) -> FolderLimits {
        let bytes = MODEL.len() as u64;
        FolderLimits { model_bytes_max: bytes, models_bytes_max: n_models * bytes, load_wait }
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Models are numbers: how many were loaded before.
    fn counting(root: &Path, limits: FolderLimits) -> Folder<usize> {
        let n_loads = std::sync::atomic::AtomicUsize::new(0);
        let fit = move |_| Ok(n_loads.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        Folder::new(Place::folder(root).expect("is a folder"), limits, fit)
    }

    async fn ask<M: Clone + Send + Sync + 'static>(folder: &Folder<M>, name: &str) -> Result<M, String> {
        let mut message = Message::new("", "text/csv", Instant::now() + PATIENCE);
        message.target_model = Some(TargetName::read(name).expect("is a name"));
        folder.model(&message).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_model_used_least_recently_makes_room() {
        let root = folder("lru", &["a", "b", "c"]);
        let folder = counting(&root, limits(2, PATIENCE));
        for (name, expected) in [("a", 0), ("b", 1), ("a", 0), ("c", 2), ("a", 0), ("b", 3), ("c", 4)] {
            assert_eq!(ask(&folder, name).await, Ok(expected), "{name}");
        }
        std::fs::remove_dir_all(root).expect("is removed");
    }

    #[tokio::test]
    async fn first_calls_at_the_same_time_load_once() {
        let root = folder("once", &["a"]);
        let folder = counting(&root, limits(1, PATIENCE));
        let answers = futures_util::future::join_all((0..20).map(|_| ask(&folder, "a"))).await;
        assert_eq!(answers, vec![Ok(0); 20]);
        std::fs::remove_dir_all(root).expect("is removed");
    }

    /// Each model waits for a word before it is loaded.
    fn held(root: &Path, fits: bool) -> (Sender<()>, Folder<()>) {
        let (go, gate): (Sender<()>, Receiver<()>) = channel();
        let gate = Mutex::new(gate);
        let fit = move |_| {
            gate.lock().expect("no test panics here").recv_timeout(PATIENCE).expect("may go on");
            if fits { Ok(()) } else { Err("it does not fit".into()) }
        };
        let place = Place::folder(root).expect("is a folder");
        (go, Folder::new(place, limits(1, Duration::from_millis(20)), fit))
    }

    const LOADING: &str = "The target model a is still being loaded. Wait and try again.";

    #[tokio::test]
    async fn a_load_goes_on_and_is_kept_when_nobody_waits() {
        let root = folder("kept", &["a"]);
        let (go, folder) = held(&root, true);
        assert_eq!(ask(&folder, "a").await, Err(LOADING.to_owned()));
        // One word: a second load would wait for ever.
        go.send(()).expect("is waited for");
        while ask(&folder, "a").await.is_err() {}
        std::fs::remove_dir_all(root).expect("is removed");
    }

    #[tokio::test]
    async fn a_failure_that_nobody_heard_is_told_once() {
        let root = folder("told", &["a"]);
        let (go, folder) = held(&root, false);
        assert_eq!(ask(&folder, "a").await, Err(LOADING.to_owned()));
        go.send(()).expect("is waited for");
        let told = loop {
            match ask(&folder, "a").await.expect_err("does not fit") {
                loading if loading == LOADING => {}
                told => break told,
            }
        };
        assert_eq!(told, "the target model a cannot be used: it does not fit");
        assert_eq!(ask(&folder, "a").await, Err(LOADING.to_owned()), "is loaded again");
        go.send(()).expect("is waited for");
        std::fs::remove_dir_all(root).expect("is removed");
    }

    #[tokio::test]
    async fn only_regular_files_below_the_folder_are_models() {
        let root = folder("files", &["a", "sub/b"]);
        let folder = counting(&root, limits(9, PATIENCE));
        for name in ["a", "sub/b"] {
            assert!(ask(&folder, name).await.is_ok(), "{name}");
        }
        for name in ["c", "sub", "a/b", &"x".repeat(1000)] {
            assert_eq!(ask(&folder, name).await, Err(format!("The target model {name} does not exist.")));
        }
        std::fs::write(root.join("large"), [MODEL, b" "].concat()).expect("writes");
        let too_large =
            format!("the target model large cannot be used: larger than the limit of {} bytes", MODEL.len());
        assert_eq!(ask(&folder, "large").await, Err(too_large));
        std::fs::remove_dir_all(root).expect("is removed");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_may_not_lead_out_of_the_folder() {
        use std::os::unix::fs::symlink;

        let (root, outside) = (folder("links", &["a"]), folder("outside", &["b"]));
        for (to, link) in [
            (outside.join("b"), "out"),
            (outside.clone(), "out-folder"),
            (PathBuf::from("../../../../../../../etc/passwd"), "up"),
            (root.join("a"), "in"),
            (PathBuf::from("../a"), "sub/in"),
            (PathBuf::from("/dev/null"), "device"),
        ] {
            symlink(to, root.join(link)).expect("is made");
        }
        let folder = counting(&root, limits(9, PATIENCE));
        for name in ["in", "sub/in"] {
            assert!(ask(&folder, name).await.is_ok(), "{name}");
        }
        for name in ["out", "out-folder/b", "up", "device"] {
            assert_eq!(ask(&folder, name).await, Err(format!("The target model {name} does not exist.")));
        }
        // The folder itself may be a link.
        symlink(&root, outside.join("models")).expect("is made");
        assert!(ask(&counting(&outside.join("models"), limits(9, PATIENCE)), "a").await.is_ok());
        for root in [root, outside] {
            std::fs::remove_dir_all(root).expect("is removed");
        }
    }
}
