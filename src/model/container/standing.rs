//! What a container of many models says of one of them, and when it can be believed. Knows no loads and no residents.

use std::time::{Duration, Instant};

use hyper::Method;
use serde::Deserialize;

use super::client::ContainerError;
use super::running::Container;

/// A model has no worker while a server starts the process for it. multi-model-server gives up after this time.
pub(super) const START_WAIT: Duration = Duration::from_secs(60);
/// Between two looks at a model that is being loaded.
pub(super) const LOADING_PAUSE: Duration = Duration::from_millis(100);

/// How a model stands in its container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standing {
    Ready,
    Loading,
    /// It is about to be loaded, or found no memory and will never answer. A server that is told to unload it in the first
    /// case starts it all the same, and it never answers.
    Workerless,
    Gone,
}

/// What a server that lists the workers of a model says of them.
#[derive(Deserialize)]
struct Workers {
    workers: Vec<Worker>,
}

#[derive(Deserialize)]
struct Worker {
    status: String,
}

impl Standing {
    /// A server that says no more about a model has it.
    fn read(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Workers { workers }) if workers.is_empty() => Self::Workerless,
            Ok(Workers { workers }) if workers.iter().any(Worker::is_ready) => Self::Ready,
            Ok(_) => Self::Loading,
            Err(_) => Self::Ready,
        }
    }
}

impl Worker {
    fn is_ready(&self) -> bool {
        self.status.eq_ignore_ascii_case("READY")
    }
}

/// How a model stands at this moment. `id` is as it stands in a path.
pub(super) async fn look(container: &Container, id: &str, deadline: Instant) -> Result<Standing, ContainerError> {
    match container.manage(Method::GET, &format!("/models/{id}"), None, deadline).await {
        Ok(reply) => Ok(Standing::read(&reply.body)),
        Err(ContainerError::Refused { status: 404, .. }) => Ok(Standing::Gone),
        Err(ContainerError::Refused { .. }) => Ok(Standing::Ready),
        Err(error) => Err(error),
    }
}

/// How a model stands once nobody loads it any more; without workers only if it has had none for `start_wait`.
pub(super) async fn settled<L: Future<Output = Result<Standing, ContainerError>>>(
    mut look: impl FnMut() -> L,
    start_wait: Duration,
) -> Result<Standing, ContainerError> {
    let mut start_end = Instant::now() + start_wait;
    loop {
        match look().await? {
            Standing::Loading => start_end = Instant::now() + start_wait,
            Standing::Workerless if Instant::now() < start_end => {}
            standing => return Ok(standing),
        }
        tokio::time::sleep(LOADING_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[test]
    fn a_model_is_ready_when_one_of_its_workers_is_or_the_server_lists_none() {
        for (body, expected) in [
            (r#"{"workers":[{"status":"UNLOADING"},{"status":"ready"}]}"#, Standing::Ready),
            (r#"{"workers":[{"status":"UNLOADING"}]}"#, Standing::Loading),
            (r#"{"minWorkers":0,"maxWorkers":0,"workers":[]}"#, Standing::Workerless),
            (r#"{"modelName":"a"}"#, Standing::Ready),
            ("", Standing::Ready),
        ] {
            assert_eq!(Standing::read(body.as_bytes()), expected, "{body}");
        }
    }

    /// What is made of these looks, the last again and again, and when.
    async fn settle(looks: &[Standing], start_wait: Duration) -> (Standing, Duration) {
        let mut n_looks = 0;
        let look = || {
            n_looks += 1;
            ready(Ok(looks[(n_looks - 1).min(looks.len() - 1)]))
        };
        let began = Instant::now();
        (settled(look, start_wait).await.expect("every look succeeds"), began.elapsed())
    }

    #[tokio::test]
    async fn a_model_without_workers_is_given_up_after_the_time_that_a_start_may_take() {
        use Standing::{Gone, Loading, Ready, Workerless};
        assert_eq!(settle(&[Workerless, Workerless, Loading, Ready], START_WAIT).await.0, Ready);
        assert_eq!(settle(&[Workerless, Gone], START_WAIT).await.0, Gone);
        let wait = LOADING_PAUSE.mul_f64(1.5);
        let (standing, waited) = settle(&[Workerless], wait).await;
        assert!(standing == Workerless && waited >= wait, "{waited:?}");
        let (standing, waited) = settle(&[Loading, Loading, Workerless], wait).await;
        assert!(standing == Workerless && waited >= LOADING_PAUSE + wait, "{waited:?}");
    }
}
