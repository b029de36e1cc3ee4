//! Answers batches on the device while it is well and on the CPU while it is not; or, where the choice is free, on the one
//! that is done first. A device that failed is dropped and opened again after a pause that doubles, 1 to 60 s.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::routing::{Routing, Side};
use super::{Cpu, Device, DeviceError, Task};
use crate::telemetry;

const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Threads that open devices: the shader compiler needs deep stacks in debug builds.
const STACK_BYTES: usize = 16 << 20;

/// A device that may be dropped on another thread.
pub type BoxedDevice = Box<dyn Device + Send>;

/// Opens a device; asked again after each loss.
pub type Opener = Arc<dyn Fn() -> Result<BoxedDevice, DeviceError> + Send + Sync>;

pub struct Engine {
    cpu: Cpu,
    cpu_name: Arc<str>,
    accelerator: Option<Accelerator>,
    /// None: whatever the accelerator can take is its.
    routing: Option<Routing>,
}

struct Accelerator {
    open: Opener,
    state: State,
    /// The pause after the next failure; only a batch that was answered makes it short again.
    pause: Duration,
    pause_min: Duration,
}

enum State {
    Well { device: BoxedDevice, name: Arc<str> },
    Lost { retry_at: Instant },
    Opening(JoinHandle<Result<BoxedDevice, DeviceError>>),
}

impl Engine {
    pub fn cpu() -> Self {
        Self { cpu: Cpu::detect(), cpu_name: "cpu".into(), accelerator: None, routing: None }
    }

    /// Each batch goes where batches like it were done sooner. Fails when the device cannot be opened now.
    pub fn routed(open: Opener) -> Result<Self, DeviceError> {
        Ok(Self { routing: Some(Routing::default()), ..Self::accelerated(open)? })
    }

    /// Every batch goes to the device. Fails when it cannot be opened now.
    pub fn accelerated(open: Opener) -> Result<Self, DeviceError> {
        Self::with_pause(open, PAUSE_MIN)
    }

    fn with_pause(open: Opener, pause_min: Duration) -> Result<Self, DeviceError> {
        let state = State::well(open()?);
        Ok(Self { accelerator: Some(Accelerator { open, state, pause: pause_min, pause_min }), ..Self::cpu() })
    }

    /// The device in use now.
    pub fn name(&self) -> Arc<str> {
        match &self.accelerator {
            Some(Accelerator { state: State::Well { name, .. }, .. }) => Arc::clone(name),
            _ => Arc::clone(&self.cpu_name),
        }
    }

    /// Attributions `[n_columns × n_players]` and the name of the device that made them.
    pub fn solve(&mut self, task: Task) -> (Vec<f32>, Arc<str>) {
        if let Some(accelerator) = &mut self.accelerator {
            accelerator.recover();
        }
        let (kind, n_columns, started) = (task.kind(), task.n_columns(), Instant::now());
        let is_well = self.accelerator.as_ref().is_some_and(Accelerator::is_well);
        let choose = |routing: &mut Routing| routing.choose(kind, n_columns);
        let side = self.routing.as_mut().filter(|_| is_well).map_or(Side::Accelerator, choose);
        let solved = self.solve_on(side, task);
        // A batch that the device refused has taken its time as well.
        if let Some(routing) = self.routing.as_mut().filter(|_| is_well) {
            routing.note(kind, side, n_columns, started.elapsed());
        }
        solved
    }

    fn solve_on(&mut self, side: Side, task: Task) -> (Vec<f32>, Arc<str>) {
        let accelerator = self.accelerator.as_mut().filter(|_| side == Side::Accelerator);
        if let Some(solved) = accelerator.and_then(|accelerator| accelerator.solve(task)) {
            return solved;
        }
        let result = task.run(&mut self.cpu);
        let attributions = result.expect("the CPU never refuses a batch. This is a bug.");
        (attributions, Arc::clone(&self.cpu_name))
    }
}

impl Accelerator {
    fn is_well(&self) -> bool {
        matches!(self.state, State::Well { .. })
    }

    fn solve(&mut self, task: Task) -> Option<(Vec<f32>, Arc<str>)> {
        let State::Well { device, name } = &mut self.state else { return None };
        let answer = catch_unwind(AssertUnwindSafe(|| task.run(device.as_mut())))
            .unwrap_or_else(|_| Err(DeviceError::Lost("the device's code panicked".to_owned())))
            .and_then(|attributions| match task {
                Task::Product { .. } => finite(attributions),
                // What float32 cannot hold goes on in float64; the device is well.
                Task::Games(_) => Ok(attributions),
            });
        match answer {
            Ok(attributions) => {
                self.pause = self.pause_min;
                Some((attributions, Arc::clone(name)))
            }
            // The device is well; this batch is too large for it.
            Err(DeviceError::Refused(reason)) => {
                tracing::warn!(device = %name, reason, "a batch was refused and is answered on the CPU");
                telemetry::count_fallback("refused");
                None
            }
            Err(error) => {
                tracing::error!(device = %name, %error, "the device failed; its batch is answered on the CPU");
                telemetry::count_fallback("lost");
                self.rest();
                None
            }
        }
    }

    /// Lets the device be until its pause is over, and doubles the next pause.
    fn rest(&mut self) {
        let resting = State::Lost { retry_at: Instant::now() + self.pause };
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        if let State::Well { device, .. } = std::mem::replace(&mut self.state, resting) {
            // A driver that hangs or panics while its device is dropped must not take the batches along. Without
            // a thread the device leaks, which is the lesser harm.
            let _ = spawn("drop a lost device", move || drop(device));
        }
    }

    /// Opens a lost device again when its pause is over, beside the batches, which go on on the CPU.
    fn recover(&mut self) {
        match &self.state {
            State::Lost { retry_at } if Instant::now() >= *retry_at => self.begin_opening(),
            State::Opening(opening) if opening.is_finished() => self.end_opening(),
            _ => {}
        }
    }

    fn begin_opening(&mut self) {
        let open = Arc::clone(&self.open);
        match spawn("open a lost device", move || open()) {
            Ok(opening) => self.state = State::Opening(opening),
            Err(error) => {
                tracing::warn!(%error, "no thread to open the device");
                self.rest();
            }
        }
    }

    fn end_opening(&mut self) {
        let now = State::Lost { retry_at: Instant::now() };
        let State::Opening(opening) = std::mem::replace(&mut self.state, now) else { return };
        let panicked = |_| Err(DeviceError::Lost("opening it panicked".to_owned()));
        match opening.join().unwrap_or_else(panicked) {
            Ok(device) => {
                tracing::info!(device = device.name(), "the device is back");
                self.state = State::well(device);
            }
            Err(error) => {
                tracing::warn!(%error, pause_s = self.pause.as_secs_f64(), "the device could not be opened again");
                self.rest();
            }
        }
    }
}

impl State {
    fn well(device: BoxedDevice) -> Self {
        let name = device.name().into();
        Self::Well { device, name }
    }
}

pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)
}

fn finite(attributions: Vec<f32>) -> Result<Vec<f32>, DeviceError> {
    if attributions.iter().all(|attribution| attribution.is_finite()) {
        Ok(attributions)
    } else {
        Err(DeviceError::NotFinite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Games;
    use crate::shap::Panels;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Answer = fn() -> Result<Vec<f32>, DeviceError>;

    struct Fake(Answer);

    impl Device for Fake {
        fn name(&self) -> &str {
            "fake"
        }
        fn attribute(&mut self, _: u64, _: &Panels<f32>, _: &Panels<f32>) -> Result<Vec<f32>, DeviceError> {
            (self.0)()
        }
        fn explain(&mut self, _: Games) -> Result<Vec<f32>, DeviceError> {
            (self.0)()
        }
    }

    fn solve(engine: &mut Engine) -> (Vec<f32>, String) {
        let [operator, columns] = [[1.0, 2.0], [3.0, 4.0]].map(|column| Panels::from_columns(2, &[column]));
        let (attributions, name) =
            engine.solve(Task::Product { operator_id: 1, operator: &operator, columns: &columns });
        (attributions, name.to_string())
    }

    #[test]
    fn every_kind_of_failure_is_answered_on_the_cpu() {
        let failures: [Answer; 5] = [
            || Err(DeviceError::Lost("gone".to_owned())),
            || Err(DeviceError::Refused("too large".to_owned())),
            || Err(DeviceError::Stalled { waited_ms: 1 }),
            || Ok(vec![f32::NAN]),
            || panic!("a driver bug"),
        ];
        for failure in failures {
            let mut engine = Engine::accelerated(Arc::new(move || Ok(Box::new(Fake(failure))))).expect("opens");
            assert_eq!(solve(&mut engine), (vec![11.0], "cpu".to_owned()));
        }
    }

    /// Solves until the device answers, or for a while.
    fn device_of_next_answers(engine: &mut Engine, for_ms: u64) -> String {
        let give_up = Instant::now() + Duration::from_millis(for_ms);
        loop {
            let (_, name) = solve(engine);
            if name != "cpu" || Instant::now() > give_up {
                return name;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A device that always takes so long.
    struct Slow(Duration);

    impl Device for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        fn attribute(&mut self, _: u64, _: &Panels<f32>, _: &Panels<f32>) -> Result<Vec<f32>, DeviceError> {
            thread::sleep(self.0);
            Ok(vec![11.0])
        }
        fn explain(&mut self, _: Games) -> Result<Vec<f32>, DeviceError> {
            Err(DeviceError::Refused("products only".to_owned()))
        }
    }

    #[test]
    fn where_the_choice_is_free_a_slow_device_gets_no_more_than_its_trials() {
        let open: Opener = Arc::new(|| Ok(Box::new(Slow(Duration::from_millis(2)))));
        let devices = |mut engine: Engine| {
            let on_slow = (0..20).filter(|_| solve(&mut engine).1 == "slow");
            on_slow.count()
        };
        assert!(devices(Engine::routed(Arc::clone(&open)).expect("opens")) <= 4);
        assert_eq!(devices(Engine::accelerated(open).expect("opens")), 20);
    }

    #[test]
    fn a_lost_device_is_opened_again_after_the_pause() {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let open: Opener = Arc::new(|| {
            Ok(Box::new(match OPENED.fetch_add(1, Ordering::SeqCst) {
                0 => Fake(|| Err(DeviceError::Lost("gone".to_owned()))),
                _ => Fake(|| Ok(vec![7.0])),
            }))
        });
        let mut engine = Engine::with_pause(open, Duration::from_millis(20)).expect("opens");
        assert_eq!(solve(&mut engine).1, "cpu");
        assert_eq!(solve(&mut engine).1, "cpu");
        assert_eq!(device_of_next_answers(&mut engine, 10_000), "fake");
        assert_eq!(OPENED.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn the_pause_doubles_while_a_device_opens_and_fails() {
        let open: Opener = Arc::new(|| Ok(Box::new(Fake(|| Err(DeviceError::Stalled { waited_ms: 1 })))));
        let mut engine = Engine::with_pause(open, Duration::from_millis(1)).expect("opens");
        device_of_next_answers(&mut engine, 200);
        let pause = engine.accelerator.expect("is accelerated").pause;
        assert!(pause >= Duration::from_millis(16), "{pause:?}");
    }

    #[test]
    fn a_device_that_hangs_or_panics_when_dropped_holds_nobody_up() {
        struct Stubborn(bool);
        impl Drop for Stubborn {
            fn drop(&mut self) {
                assert!(self.0, "on purpose");
                thread::sleep(Duration::from_secs(20));
            }
        }
        impl Device for Stubborn {
            fn name(&self) -> &str {
                "stubborn"
            }
            fn attribute(&mut self, _: u64, _: &Panels<f32>, _: &Panels<f32>) -> Result<Vec<f32>, DeviceError> {
                Err(DeviceError::Stalled { waited_ms: 1 })
            }
            fn explain(&mut self, _: Games) -> Result<Vec<f32>, DeviceError> {
                Err(DeviceError::Stalled { waited_ms: 1 })
            }
        }
        for hangs in [true, false] {
            let started = Instant::now();
            let mut engine = Engine::accelerated(Arc::new(move || Ok(Box::new(Stubborn(hangs))))).expect("opens");
            assert_eq!(solve(&mut engine), (vec![11.0], "cpu".to_owned()));
            assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        }
    }

    #[test]
    fn a_device_that_cannot_be_opened_at_the_start_is_an_error() {
        let open: Opener = Arc::new(|| Err(DeviceError::Refused("no driver".to_owned())));
        assert!(Engine::accelerated(open).is_err());
    }
}
