//! The CPU twins: one file for each shader, the same computation on the same buffers.
//! They are also the production path where no GPU is.

pub mod attribute;
pub mod conjunctions;
pub mod double;
pub mod elementary;
pub mod exact;
mod game;
pub mod games;
mod instructions;
pub mod live_leaves;
pub mod mlp_values;
pub mod scores;

pub use instructions::Instructions;

use super::{Device, DeviceError};
use crate::shap::Panels;

/// The processor as a device: all cores, the widest vectors it has.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    pub instructions: Instructions,
}

impl Cpu {
    pub fn detect() -> Self {
        Self { instructions: Instructions::detect() }
    }
}

impl Device for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn attribute(
        &mut self,
        _operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> Result<Vec<f32>, DeviceError> {
        Ok(attribute::attribute(self.instructions, operator, columns))
    }
}
