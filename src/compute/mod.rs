//! Where the arithmetic runs: batches of regressions on the GPU or the CPU, one seam, twins on both sides.
//! Knows operators and columns of numbers; nothing of records, models or HTTP.

mod attributor;
mod batch;
pub mod cpu;
mod engine;
pub mod gpu;
mod routing;

pub use attributor::{Attributor, AttributorClosed, Problem, Solution, Work};
pub use batch::BatchLimits;
pub use cpu::Cpu;
pub use engine::{BoxedDevice, Engine};
pub use gpu::Gpu;

use crate::form::ValueFunction;
use crate::shap::{Operator, Panels};

/// A record whose prediction is explained.
#[derive(Clone, Debug)]
pub struct Explicand {
    /// `[n_features]`
    pub features: Vec<f32>,
    /// `[n_players]`, the feature of each.
    pub players: Vec<u32>,
    /// v(everybody) − v(nobody), `[n_outputs]`.
    pub deltas: Vec<f64>,
}

/// Games of one model under one sampled operator. The function's inputs mix no features, and float32 is enough for its link.
#[derive(Clone, Copy)]
pub struct Games<'a> {
    pub function: &'a ValueFunction,
    pub operator: &'a Operator,
    pub explicands: &'a [&'a Explicand],
}

/// One place that can do the batched weighted regression. Every implementation passes the same suite of laws.
pub trait Device {
    /// What a client reads in `X-Explaind-Device`.
    fn name(&self) -> &str;

    /// attributions = operatorᵀ · columns, float32: `[n_pairs × n_players]`, `[n_pairs × n_columns]` →
    /// `[n_columns × n_players]`. A device may keep `operator` under `operator_id`.
    fn attribute(
        &mut self,
        operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> Result<Vec<f32>, DeviceError>;

    /// Values of all coalitions, then the same product: `[n_explicands × n_outputs × n_players]`, without the equal split
    /// Δ/M. NaN where float32 cannot hold a value. A device may keep what belongs to function and operator under their ids.
    fn explain(&mut self, games: Games) -> Result<Vec<f32>, DeviceError>;
}

/// What a device is asked.
#[derive(Clone, Copy)]
pub enum Task<'a> {
    Product { operator_id: u64, operator: &'a Panels<f32>, columns: &'a Panels<f32> },
    Games(Games<'a>),
}

impl Task<'_> {
    /// Records × outputs.
    pub fn n_columns(&self) -> usize {
        match self {
            Self::Product { columns, .. } => columns.n_columns,
            Self::Games(games) => games.explicands.len() * games.function.form.n_outputs(),
        }
    }

    /// What its time depends on, but for the number of columns: operator, and function of games.
    fn kind(&self) -> (u64, Option<u64>) {
        match self {
            Self::Product { operator_id, .. } => (*operator_id, None),
            Self::Games(games) => (games.operator.id, Some(games.function.id)),
        }
    }

    pub fn run(self, device: &mut dyn Device) -> Result<Vec<f32>, DeviceError> {
        match self {
            Self::Product { operator_id, operator, columns } => device.attribute(operator_id, operator, columns),
            Self::Games(games) => device.explain(games),
        }
    }
}

/// The device could not answer; the batch is still whole and may be answered elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("the device was lost: {0}")]
    Lost(String),
    #[error("the device refused the work: {0}")]
    Refused(String),
    #[error("the device did not answer within {waited_ms} ms")]
    Stalled { waited_ms: u64 },
    #[error("the device returned a number that is not finite")]
    NotFinite,
}
