//! Runs `shaders/attribute.wgsl`: uploads an operator once, takes columns from the host or from a kernel before it.

use super::kernel::{Context, Kernel};
use super::program::Program;
use super::shaders::shader;
use super::store::{INPUT, READBACK, Scratch, Slice, Store, UNIFORM, WORK};
use crate::compute::DeviceError;
use crate::shap::{PANEL_WIDTH, Panels};

/// Players and columns of one workgroup, as the shader's constants say.
const GROUP_PLAYERS: usize = 32;
const GROUP_COLUMNS: usize = 64;

pub(super) struct Attribute {
    kernel: Kernel,
    operators: Store<Slice>,
    uniforms: Scratch,
    columns: Scratch,
    attributions: Scratch,
    readback: Scratch,
}

/// `[n_rows × n_players]` in panels, `[n_rows × n_columns]` in panels, `[n_columns × n_players]`.
pub(super) struct Product {
    pub(super) n_rows: usize,
    pub(super) n_players: usize,
    pub(super) n_columns: usize,
    pub(super) operator: Slice,
    pub(super) columns: Slice,
    pub(super) attributions: Slice,
}

impl Attribute {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            kernel: Kernel::new(context, "attribute", shader!("attribute"), "main", 1),
            operators: Store::new(context.limits.operator_bytes_max),
            uniforms: Scratch::new("attribute.sizes", UNIFORM),
            columns: Scratch::new("attribute.columns", INPUT),
            attributions: Scratch::new("attribute.attributions", WORK),
            readback: Scratch::new("attribute.readback", READBACK),
        }
    }

    /// Forgets what was kept.
    pub(super) fn clear(&mut self) {
        self.operators.clear();
    }

    /// See [`crate::compute::Device::attribute`]. Batches larger than the limit go in several dispatches.
    pub(super) fn attribute(
        &mut self,
        context: &Context,
        operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> Result<Vec<f32>, DeviceError> {
        let mut attributions = vec![0.0; columns.n_columns * operator.n_columns];
        if attributions.is_empty() || columns.n_rows == 0 {
            return Ok(attributions);
        }
        let kept = self.operator(context, operator_id, operator)?;
        let panel_len = columns.n_rows * PANEL_WIDTH;
        let panels_max = panels_per_dispatch(context, columns.n_rows, operator.n_columns)?;
        let results = attributions.chunks_mut(panels_max * PANEL_WIDTH * operator.n_columns);
        for (panels, result) in columns.data.chunks(panels_max * panel_len).zip(results) {
            let product = Product {
                n_rows: columns.n_rows,
                n_players: operator.n_columns,
                n_columns: result.len() / operator.n_columns,
                operator: kept.clone(),
                columns: context.put(&mut self.columns, panels),
                attributions: self.attributions.take(&context.device, size_of_val(result) as u64),
            };
            self.product(context, &product, result)?;
        }
        Ok(attributions)
    }

    /// The operator on the device.
    pub(super) fn operator(
        &mut self,
        context: &Context,
        operator_id: u64,
        operator: &Panels<f32>,
    ) -> Result<Slice, DeviceError> {
        let (bytes, bytes_max) = (operator.bytes() as u64, context.binding_bytes_max());
        if bytes > bytes_max {
            let text = format!("an operator of {bytes} bytes; the limit is {bytes_max} bytes");
            return Err(DeviceError::Refused(text));
        }
        Ok(self.operators.get(operator_id, bytes, || context.keep("operator", &operator.data)))
    }

    fn product(&mut self, context: &Context, product: &Product, result: &mut [f32]) -> Result<(), DeviceError> {
        let readback = self.readback.take(&context.device, product.attributions.bytes);
        let mut program = Program::default();
        self.encode(&mut program, product);
        program.copy(&product.attributions, &readback, 0);
        let submission = program.submit(context, &mut self.uniforms);
        context.read(submission, &readback, bytemuck::cast_slice_mut(result))
    }

    pub(super) fn encode(&self, program: &mut Program, product: &Product) {
        let &Product { n_rows, n_players, n_columns, .. } = product;
        let groups = [n_columns.div_ceil(GROUP_COLUMNS), n_players.div_ceil(GROUP_PLAYERS), 1];
        let bindings = [&product.operator, &product.columns, &product.attributions];
        let sizes = [n_rows, n_players, n_columns, 0, 0, 0, 0, 0].map(|n| n as u32);
        program.dispatch(&self.kernel, sizes, &bindings, groups);
    }
}

/// Column panels that fit the byte limits of a dispatch, for what goes up and what comes back.
fn panels_per_dispatch(context: &Context, n_rows: usize, n_players: usize) -> Result<usize, DeviceError> {
    let limit = context.limits.dispatch_bytes_max.min(context.binding_bytes_max());
    let panel_bytes = (n_rows.max(n_players) * PANEL_WIDTH * size_of::<f32>()) as u64;
    match limit / panel_bytes {
        0 => Err(DeviceError::Refused(format!("a panel of {panel_bytes} bytes; the limit is {limit} bytes"))),
        panels => Ok(panels as usize),
    }
}
