//! What an answer says about how it was made: kernel, estimators, devices, clipped scores, time by stage.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Kernel;
use crate::shap::Clipped;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The table, and its texts cut into units.
    Decode,
    Predict,
    /// Players, designs, and operators that are built or waited for.
    Plan,
    Values,
    Attribute,
}

impl Stage {
    /// In the order of the work, which is that of the numbers.
    const ALL: [Self; 5] = [Self::Decode, Self::Predict, Self::Plan, Self::Values, Self::Attribute];

    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Predict => "predict",
            Self::Plan => "plan",
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
    spent: [Duration; Stage::ALL.len()],
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { last: Instant::now(), spent: Default::default() }
    }

    /// The time since the last lap went into `stage`.
    pub(super) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.spent[stage as usize] += now - self.last;
        self.last = now;
    }

    pub(super) fn stages(self) -> Vec<(Stage, Duration)> {
        Stage::ALL.into_iter().zip(self.spent).collect()
    }
}
