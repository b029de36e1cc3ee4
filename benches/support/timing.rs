//! Contenders in turn, a burst each, so that a slow minute of the machine meets all of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use explaind::compute::{Device, DeviceError};

use super::contender::Contender;
use super::spread::Spread;

/// How long a measurement may take.
#[derive(Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    /// A contender's turn: calls until this has passed, at least one.
    pub burst: Duration,
    /// A contender whose one call would take longer sits out.
    pub call_max: Duration,
}

pub enum Outcome {
    Measured(Spread),
    /// One call would have taken about this long.
    Skipped {
        estimate_s: f64,
    },
    Failed(String),
}

impl Outcome {
    pub fn spread(&self) -> Option<Spread> {
        match self {
            Self::Measured(spread) => Some(*spread),
            _ => None,
        }
    }
}

/// Each contender's outcome and the result of its first call, which warms up and is not timed.
pub fn measure<R: Send>(
    contenders: &mut [Contender],
    flop: f64,
    plan: Plan,
    work: impl Fn(&mut dyn Device) -> Result<R, DeviceError> + Sync,
) -> Vec<(Outcome, Option<R>)> {
    let first_calls: Vec<Result<R, Outcome>> =
        contenders.iter_mut().map(|contender| first_call(contender, flop, plan, &work)).collect();
    let mut seconds: Vec<Vec<f64>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for ((contender, first_call), seconds) in contenders.iter_mut().zip(&first_calls).zip(&mut seconds) {
            if first_call.is_ok() {
                burst(contender, plan.burst, &work, seconds);
            }
        }
    }
    let finished = contenders.iter_mut().zip(first_calls).zip(seconds);
    finished.map(|((contender, first_call), seconds)| finish(contender, flop, first_call, seconds)).collect()
}

fn first_call<R: Send>(
    contender: &mut Contender,
    flop: f64,
    plan: Plan,
    work: &(impl Fn(&mut dyn Device) -> Result<R, DeviceError> + Sync),
) -> Result<R, Outcome> {
    let estimate_s = contender.estimate_s(flop);
    if estimate_s > plan.call_max.as_secs_f64() {
        return Err(Outcome::Skipped { estimate_s });
    }
    contender.run(work).map_err(|error| Outcome::Failed(error.to_string()))
}

/// Runs whole on the contender's threads, so that reaching them is not part of a call.
fn burst<R: Send>(
    contender: &mut Contender,
    burst: Duration,
    work: &(impl Fn(&mut dyn Device) -> Result<R, DeviceError> + Sync),
    seconds: &mut Vec<f64>,
) {
    contender.run(|device| {
        let turn = Instant::now();
        loop {
            let started = Instant::now();
            let result = black_box(work(device));
            let elapsed = started.elapsed();
            if result.is_ok() {
                seconds.push(elapsed.as_secs_f64());
            }
            if turn.elapsed() >= burst {
                return;
            }
        }
    });
}

fn finish<R>(
    contender: &mut Contender,
    flop: f64,
    first_call: Result<R, Outcome>,
    seconds: Vec<f64>,
) -> (Outcome, Option<R>) {
    match first_call {
        Err(outcome) => (outcome, None),
        Ok(_) if seconds.is_empty() => (Outcome::Failed("every call but the first failed".to_owned()), None),
        Ok(result) => {
            let spread = Spread::of(seconds);
            contender.note(flop, spread.median_s);
            (Outcome::Measured(spread), Some(result))
        }
    }
}
