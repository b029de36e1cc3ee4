//! Long computations off the async threads, stopped when nobody waits for them any more.

mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use turns::in_turns;

/// Nobody waits for the answer any more.
#[derive(Clone, Copy, Debug)]
pub struct GivenUp;

/// Tells a computation that its answer is not wanted.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets the flag when the waiting future is dropped.
struct SetOnDrop(Stop);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread for blocking work; not at all if nobody waits for it when its turn comes.
/// A panic in it goes on in the caller.
pub async fn offload<T: Send + 'static>(work: impl FnOnce(&Stop) -> T + Send + 'static) -> T {
    let stop = Stop::default();
    let _guard = SetOnDrop(stop.clone());
    match tokio::task::spawn_blocking(move || (!stop.is_set()).then(|| work(&stop))).await {
        Ok(result) => result.expect("whoever reads the result has waited for it. This is a bug."),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::panic::panic_any("blocking work was cancelled at shutdown"),
        },
    }
}

/// Work on so little is done sooner than it is on another thread and back.
const SMALL_BYTES: usize = 32 << 10;

/// Work whose time grows with so many bytes: here when they are few, else on a thread for blocking work.
pub async fn offload_large<T: Send + 'static>(
    n_bytes: usize,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> T {
    if n_bytes <= SMALL_BYTES { work(&Stop::default()) } else { offload(work).await }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test]
    async fn dropping_the_future_stops_the_work() {
        let (report, stopped) = mpsc::channel();
        let work = offload(move |stop| {
            while !stop.is_set() {
                std::thread::sleep(Duration::from_millis(1));
            }
            report.send(()).expect("the test waits");
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        stopped.recv_timeout(Duration::from_secs(10)).expect("the work has stopped");
    }

    #[tokio::test]
    async fn only_large_work_goes_to_another_thread() {
        let here = std::thread::current().id();
        assert_eq!(offload_large(SMALL_BYTES, |_| std::thread::current().id()).await, here);
        assert_ne!(offload_large(SMALL_BYTES + 1, |_| std::thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn a_panic_reaches_the_caller() {
        let work = tokio::spawn(offload(|_| panic!("on purpose")));
        assert!(work.await.expect_err("panics").is_panic());
    }
}
