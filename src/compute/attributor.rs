//! The batching front of the engine: problems of many requests in, one solution each out.
//! One thread owns the engine and so the device; entries whose client has gone are dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::batch::{BatchLimits, Collector, Key, Load, groups};
use super::engine::spawn;
use super::{DeviceError, Engine, Explicand, Games, Task};
use crate::form::ValueFunction;
use crate::shap::{Matrix, Operator, Panels};
use crate::telemetry;

/// Queue places are counted in KiB, since a semaphore counts at most 2^32 of them.
const PLACE_BYTES: usize = 1 << 10;

/// Some records of one request under one sampled operator.
pub struct Problem {
    pub operator: Arc<Operator>,
    pub work: Work,
}

/// A column is one output of one record.
pub enum Work {
    /// `[n_columns]` columns of `n_pairs` elements: values are known.
    Columns(Vec<Vec<f32>>),
    /// Values are the device's task as well.
    Games { function: Arc<ValueFunction>, explicands: Arc<[Explicand]> },
}

impl Problem {
    fn n_columns(&self) -> usize {
        match &self.work {
            Work::Columns(columns) => columns.len(),
            Work::Games { function, explicands } => explicands.len() * function.form.n_outputs(),
        }
    }

    fn bytes(&self) -> usize {
        self.n_columns() * self.operator.design.n_pairs * size_of::<f32>()
    }
}

#[derive(Debug)]
pub struct Solution {
    /// `[n_columns × n_players]`.
    pub attributions: Vec<f32>,
    /// The device that made them.
    pub device: Arc<str>,
}

#[derive(Debug, thiserror::Error)]
#[error("the compute thread dropped a problem")]
pub struct AttributorClosed;

struct Entry {
    problem: Problem,
    reply: oneshot::Sender<Solution>,
    waiting_since: Instant,
    _place: OwnedSemaphorePermit,
}

/// How long the end waits for the batch in hand and for the device to be dropped.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// What requests share. Its end is the end of the thread.
pub struct Attributor {
    running: Mutex<Option<Running>>,
    places: Arc<Semaphore>,
    n_places: u32,
    device: Arc<str>,
}

struct Running {
    queue: mpsc::Sender<Entry>,
    thread: JoinHandle<()>,
}

impl Attributor {
    /// Starts the thread and opens the engine on it; returns when it is warm.
    pub fn start(
        open: impl FnOnce() -> Result<Engine, DeviceError> + Send + 'static,
        limits: BatchLimits,
    ) -> Result<Self, DeviceError> {
        let (queue, entries) = mpsc::channel();
        let (report, ready) = mpsc::channel();
        let run = move || match open() {
            Ok(engine) => {
                let _ = report.send(Ok(engine.name()));
                serve(engine, Collector::new(entries, limits));
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        };
        let thread = spawn("attribute", run).map_err(|error| DeviceError::Refused(error.to_string()))?;
        let device = ready.recv().map_err(|_| DeviceError::Lost("its thread panicked".to_owned()))??;
        let n_places = u32::try_from(limits.queue_bytes_max / PLACE_BYTES).unwrap_or(u32::MAX).max(1);
        let running = Mutex::new(Some(Running { queue, thread }));
        Ok(Self { running, places: Arc::new(Semaphore::new(n_places as usize)), n_places, device })
    }

    /// Ends the thread and drops its device, so that a driver is not torn down under it when the process exits.
    /// A device that hangs is left behind after 5 s. Problems that come later are refused.
    pub fn close(&self) {
        let Some(Running { queue, thread }) = self.lock().take() else { return };
        drop(queue);
        let give_up = Instant::now() + CLOSE_WAIT;
        while !thread.is_finished() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device that was opened at the start.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Waits for a place in the queue, then for the batch. Dropping the future gives the place back.
    pub async fn solve(&self, problem: Problem) -> Result<Solution, AttributorClosed> {
        let n_places = u32::try_from(problem.bytes().div_ceil(PLACE_BYTES)).unwrap_or(u32::MAX).min(self.n_places);
        let place = Arc::clone(&self.places).acquire_many_owned(n_places).await.map_err(|_| AttributorClosed)?;
        let (reply, solution) = oneshot::channel();
        let entry = Entry { problem, reply, waiting_since: Instant::now(), _place: place };
        let sent = self.lock().as_ref().map(|running| running.queue.send(entry));
        sent.ok_or(AttributorClosed)?.map_err(|_| AttributorClosed)?;
        solution.await.map_err(|_| AttributorClosed)
    }
}

impl Drop for Attributor {
    fn drop(&mut self) {
        self.close();
    }
}

impl Load for Entry {
    fn n_columns(&self) -> usize {
        self.problem.n_columns()
    }

    fn bytes(&self) -> usize {
        self.problem.bytes()
    }

    fn key(&self) -> Key {
        let function_id = match &self.problem.work {
            Work::Columns(_) => None,
            Work::Games { function, .. } => Some(function.id),
        };
        (self.problem.operator.id, function_id)
    }
}

fn serve(mut engine: Engine, mut batches: Collector<Entry>) {
    while let Some(batch) = batches.next_batch() {
        let wanted: Vec<Entry> = batch.into_iter().filter(|entry| !entry.reply.is_closed()).collect();
        for group in groups(wanted) {
            // A panic drops the group's replies: its requests fail, the thread goes on.
            if catch_unwind(AssertUnwindSafe(|| solve_group(&mut engine, group))).is_err() {
                tracing::error!("the compute thread panicked on a batch. This is a bug.");
                telemetry::count_panic();
            }
        }
    }
}

/// One task for all entries of a key.
fn solve_group(engine: &mut Engine, group: Vec<Entry>) {
    let operator = Arc::clone(&group[0].problem.operator);
    let started = Instant::now();
    let n_columns = group.iter().map(Entry::n_columns).sum();
    telemetry::record_batch(n_columns, group.len(), group.iter().map(|entry| entry.waiting_since.elapsed()));
    let (attributions, device) = match &group[0].problem.work {
        Work::Columns(_) => solve_columns(engine, &operator, &group),
        Work::Games { function, .. } => {
            let explicands: Vec<&Explicand> = group.iter().flat_map(Entry::explicands).collect();
            engine.solve(Task::Games(Games { function, operator: &operator, explicands: &explicands }))
        }
    };
    telemetry::record_batch_seconds(&device, started.elapsed());
    let mut rest = attributions.as_slice();
    for entry in group {
        let (own, others) = rest.split_at(entry.n_columns() * operator.design.n_players);
        rest = others;
        // A client that has gone needs no answer.
        let _ = entry.reply.send(Solution { attributions: own.to_vec(), device: Arc::clone(&device) });
    }
}

fn solve_columns(engine: &mut Engine, operator: &Operator, group: &[Entry]) -> (Vec<f32>, Arc<str>) {
    let Matrix::Single(matrix) = &operator.matrix else {
        panic!("listings are solved on the host. This is a bug.");
    };
    let columns: Vec<&Vec<f32>> = group.iter().flat_map(Entry::columns).collect();
    let columns = Panels::from_columns(operator.design.n_pairs, &columns);
    engine.solve(Task::Product { operator_id: operator.id, operator: matrix, columns: &columns })
}

impl Entry {
    fn columns(&self) -> &[Vec<f32>] {
        match &self.problem.work {
            Work::Columns(columns) => columns,
            Work::Games { .. } => &[],
        }
    }

    fn explicands(&self) -> &[Explicand] {
        match &self.problem.work {
            Work::Columns(_) => &[],
            Work::Games { explicands, .. } => explicands,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::compute::{BoxedDevice, Device};
    use crate::config::Kernel;
    use crate::shap::{Design, DesignLimits};

    /// Answers zeros, notes the columns of each product, and holds its first one until told.
    struct Slow {
        batches: Arc<Mutex<Vec<usize>>>,
        go_on: mpsc::Receiver<()>,
    }

    impl Device for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        fn attribute(
            &mut self,
            _: u64,
            operator: &Panels<f32>,
            columns: &Panels<f32>,
        ) -> Result<Vec<f32>, DeviceError> {
            self.batches.lock().unwrap().push(columns.n_columns);
            let _ = self.go_on.recv();
            Ok(vec![0.0; columns.n_columns * operator.n_columns])
        }
        fn explain(&mut self, games: Games) -> Result<Vec<f32>, DeviceError> {
            Ok(vec![0.0; games.explicands.len() * games.operator.design.n_players])
        }
    }

    fn operator(seed: i64) -> Arc<Operator> {
        let limits = DesignLimits { players_max: 16, operator_bytes_max: 1 << 20 };
        Arc::new(Operator::of(Design::new(16, Some(100), seed, Kernel::Shapley, limits).unwrap()))
    }

    fn problem(operator: &Arc<Operator>, n_columns: usize) -> Problem {
        let columns = vec![vec![1.0; operator.design.n_pairs]; n_columns];
        Problem { operator: Arc::clone(operator), work: Work::Columns(columns) }
    }

    /// An attributor over a `Slow` device, what the device saw, and what holds it until it is dropped.
    fn slow() -> (Attributor, Arc<Mutex<Vec<usize>>>, mpsc::Sender<()>) {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let (go, go_on) = mpsc::channel();
        let device = Mutex::new(Some(Box::new(Slow { batches: Arc::clone(&batches), go_on }) as BoxedDevice));
        let open = move || Engine::accelerated(Arc::new(move || Ok(device.lock().unwrap().take().expect("once"))));
        (Attributor::start(open, BatchLimits::default()).unwrap(), batches, go)
    }

    #[tokio::test]
    async fn problems_join_by_operator_and_those_nobody_waits_for_are_dropped() {
        let (attributor, batches, go) = slow();
        let (first, second) = (operator(1), operator(2));

        let busy = attributor.solve(problem(&first, 1));
        let abandoned = attributor.solve(problem(&first, 40));
        let joined = [problem(&first, 3), problem(&second, 5), problem(&first, 2)];
        let joined = join_all(joined.into_iter().map(|problem| attributor.solve(problem)));
        let (mut busy, mut abandoned, mut joined) = (busy.boxed(), abandoned.boxed(), joined.boxed());
        assert!(futures_util::poll!(&mut busy).is_pending());
        while batches.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(futures_util::poll!(&mut abandoned).is_pending());
        drop(abandoned);
        assert!(futures_util::poll!(&mut joined).is_pending());
        drop(go);

        let sizes: Vec<usize> =
            joined.await.into_iter().map(|solved| solved.unwrap().attributions.len()).collect();
        assert_eq!((sizes, busy.await.unwrap().attributions.len()), (vec![48, 80, 32], 16));
        assert_eq!(*batches.lock().unwrap(), [1, 5, 5]);
    }

    #[tokio::test]
    async fn a_closed_attributor_has_dropped_its_device_and_refuses_problems() {
        let (attributor, batches, _go) = slow();
        attributor.close();
        assert_eq!(Arc::strong_count(&batches), 1, "the device is gone");
        assert!(attributor.solve(problem(&operator(1), 1)).await.is_err());
    }
}
