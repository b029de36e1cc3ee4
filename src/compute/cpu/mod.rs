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
pub mod linear_values;
pub mod live_leaves;
pub mod mlp_values;
pub mod record;
mod rows;
pub mod scores;
pub mod steps;
pub mod tree_values;

pub use instructions::Instructions;

use rayon::prelude::*;

use super::{Device, DeviceError, Explicand, Games};
use crate::shap::{Matrix, Panels};

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

    fn explain(&mut self, Games { function, operator, explicands }: Games) -> Result<Vec<f32>, DeviceError> {
        let Matrix::Single(matrix) = &operator.matrix else {
            panic!("listings are solved on the host. This is a bug.");
        };
        let of_explicand =
            |explicand: &&Explicand| games::columns(self.instructions, function, operator, explicand);
        let columns: Vec<Vec<f32>> = match explicands {
            // One record alone is done before another thread is awake.
            [explicand] => of_explicand(explicand),
            _ => explicands.par_iter().flat_map_iter(of_explicand).collect(),
        };
        let columns = Panels::from_columns(operator.design.n_pairs, &columns);
        Ok(attribute::attribute(self.instructions, matrix, &columns))
    }
}
