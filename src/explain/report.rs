//! What an answer says about how it was made: kernel, estimators, devices, clipped scores, time by stage.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Kernel;
use crate::shap::Clipped;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Predict,
    Values,
    Attribute,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Values => "values",
            Self::Attribute => "attribute",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Report {
    pub kernel: Kernel,
    /// Names.
    pub estimators: BTreeSet<&'static str>,
    /// Devices that made attributions; empty when nothing was explained.
    pub devices: BTreeSet<Arc<str>>,
    pub clipped: Clipped,
    pub stages: Vec<(Stage, Duration)>,
}

impl Report {
    pub(super) fn new(kernel: Kernel, clipped: Clipped) -> Self {
        Self { kernel, estimators: BTreeSet::new(), devices: BTreeSet::new(), clipped, stages: Vec::new() }
    }
}

/// Adds up the time of each stage.
pub(super) struct Clock {
    last: Instant,
    spent: [Duration; 3],
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { last: Instant::now(), spent: [Duration::ZERO; 3] }
    }

    /// The time since the last lap went into `stage`.
    pub(super) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.spent[stage as usize] += now - self.last;
        self.last = now;
    }

    pub(super) fn stages(self) -> Vec<(Stage, Duration)> {
        [Stage::Predict, Stage::Values, Stage::Attribute].into_iter().zip(self.spent).collect()
    }
}
