//! Answers batches on the device while it is well and on the CPU while it is not.
//! A device that failed is dropped and opened again after a pause that doubles, 1 to 60 s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Cpu, Device, DeviceError};
use crate::shap::Panels;
use crate::telemetry;

const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Opens a device; asked again after each loss.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Device>, DeviceError> + Send>;

pub struct Engine {
    cpu: Cpu,
    cpu_name: Arc<str>,
    accelerator: Option<Accelerator>,
}

struct Accelerator {
    open: Opener,
    pause_min: Duration,
    state: State,
}

enum State {
    Well { device: Box<dyn Device>, name: Arc<str> },
    Lost { retry_at: Instant, pause: Duration },
}

impl Engine {
    pub fn cpu() -> Self {
        Self { cpu: Cpu::detect(), cpu_name: "cpu".into(), accelerator: None }
    }

    /// Fails when the device cannot be opened now.
    pub fn accelerated(open: Opener) -> Result<Self, DeviceError> {
        Self::with_pause(open, PAUSE_MIN)
    }

    fn with_pause(mut open: Opener, pause_min: Duration) -> Result<Self, DeviceError> {
        let state = State::well(open()?);
        Ok(Self { accelerator: Some(Accelerator { open, pause_min, state }), ..Self::cpu() })
    }

    /// The device in use now.
    pub fn name(&self) -> Arc<str> {
        match &self.accelerator {
            Some(Accelerator { state: State::Well { name, .. }, .. }) => Arc::clone(name),
            _ => Arc::clone(&self.cpu_name),
        }
    }

    /// Attributions `[n_columns × n_players]` and the name of the device that made them.
    pub fn solve(
        &mut self,
        operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> (Vec<f32>, Arc<str>) {
        if let Some(accelerator) = &mut self.accelerator {
            accelerator.reopen();
            if let Some(solved) = accelerator.solve(operator_id, operator, columns) {
                return solved;
            }
        }
        let result = self.cpu.attribute(operator_id, operator, columns);
        (result.expect("the CPU never refuses a batch. This is a bug."), Arc::clone(&self.cpu_name))
    }
}

impl Accelerator {
    fn solve(&mut self, id: u64, operator: &Panels<f32>, columns: &Panels<f32>) -> Option<(Vec<f32>, Arc<str>)> {
        let State::Well { device, name } = &mut self.state else { return None };
        let answer = catch_unwind(AssertUnwindSafe(|| device.attribute(id, operator, columns)))
            .unwrap_or_else(|_| Err(DeviceError::Lost("the device's code panicked".to_owned())))
            .and_then(finite);
        match answer {
            Ok(attributions) => Some((attributions, Arc::clone(name))),
            // The device is well; this batch is too large for it.
            Err(DeviceError::Refused(reason)) => {
                tracing::warn!(device = %name, reason, "a batch was refused and is answered on the CPU");
                telemetry::count_fallback("refused");
                None
            }
            Err(error) => {
                tracing::error!(device = %name, %error, "the device failed; its batch is answered on the CPU");
                telemetry::count_fallback("lost");
                self.state = State::lost(self.pause_min);
                None
            }
        }
    }

    /// Tries a lost device again when its pause is over.
    fn reopen(&mut self) {
        let State::Lost { retry_at, pause } = self.state else { return };
        if Instant::now() < retry_at {
            return;
        }
        self.state = match (self.open)() {
            Ok(device) => {
                tracing::info!(device = device.name(), "the device is back");
                State::well(device)
            }
            Err(error) => {
                let pause = (pause * 2).min(PAUSE_MAX);
                tracing::warn!(%error, pause_s = pause.as_secs_f64(), "the device could not be opened again");
                State::lost(pause)
            }
        };
    }
}

impl State {
    fn well(device: Box<dyn Device>) -> Self {
        let name = device.name().into();
        Self::Well { device, name }
    }

    fn lost(pause: Duration) -> Self {
        Self::Lost { retry_at: Instant::now() + pause, pause }
    }
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
    }

    fn solve(engine: &mut Engine) -> (Vec<f32>, String) {
        let [operator, columns] = [[1.0, 2.0], [3.0, 4.0]].map(|column| Panels::from_columns(2, &[column]));
        let (attributions, name) = engine.solve(1, &operator, &columns);
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
            let mut engine = Engine::accelerated(Box::new(move || Ok(Box::new(Fake(failure))))).expect("opens");
            assert_eq!(solve(&mut engine), (vec![11.0], "cpu".to_owned()));
        }
    }

    #[test]
    fn a_lost_device_is_opened_again_after_the_pause() {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let open: Opener = Box::new(|| {
            Ok(Box::new(match OPENED.fetch_add(1, Ordering::SeqCst) {
                0 => Fake(|| Err(DeviceError::Lost("gone".to_owned()))),
                _ => Fake(|| Ok(vec![7.0])),
            }))
        });
        let mut engine = Engine::with_pause(open, Duration::from_millis(20)).expect("opens");
        assert_eq!(solve(&mut engine).1, "cpu");
        assert_eq!(solve(&mut engine).1, "cpu");
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(solve(&mut engine), (vec![7.0], "fake".to_owned()));
        assert_eq!(OPENED.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_device_that_cannot_be_opened_at_the_start_is_an_error() {
        let open: Opener = Box::new(|| Err(DeviceError::Refused("no driver".to_owned())));
        assert!(Engine::accelerated(open).is_err());
    }
}
