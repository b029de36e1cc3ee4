//! The GPU side of the seam: which adapter, one device with its pipelines, buffers and readback.
//! A `Gpu` is used by one thread at a time and never outlives its device: after any error it is dropped.

mod adapters;
mod attribute;
mod chunks;
mod design;
mod faults;
mod function;
mod games;
mod kernel;
mod layers;
mod passage;
mod program;
mod scores;
mod shaders;
mod store;
mod trees;
mod warm_up;

pub use adapters::{Choice, adapters, choose};

use std::panic::{AssertUnwindSafe, catch_unwind};

use attribute::Attribute;
use faults::Faults;
use games::GamesKernels;
use kernel::Context;

use super::{Device, DeviceError, Games};
use crate::shap::Panels;

/// What a GPU may hold and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct GpuLimits {
    /// Operators kept on the device, in bytes; as much again of their coalitions.
    pub operator_bytes_max: u64,
    /// Columns of one dispatch, in bytes; larger batches go in several.
    pub dispatch_bytes_max: u64,
    /// Models kept on the device, in bytes.
    pub function_bytes_max: u64,
    /// What games take on the device in one submission, in bytes, before buffers are rounded up to powers of two; larger
    /// batches go in several.
    pub work_bytes_max: u64,
    /// A dispatch that has not come back by then counts as lost.
    pub wait_ms_max: u64,
}

impl Default for GpuLimits {
    fn default() -> Self {
        Self {
            operator_bytes_max: 256 << 20,
            dispatch_bytes_max: 32 << 20,
            function_bytes_max: 256 << 20,
            work_bytes_max: 128 << 20,
            wait_ms_max: 20_000,
        }
    }
}

/// One device, warmed up.
pub struct Gpu {
    name: String,
    faults: Faults,
    context: Context,
    attribute: Attribute,
    games: GamesKernels,
}

impl Gpu {
    /// Opens the adapter's device, compiles every pipeline and dispatches each once.
    pub fn open(adapter: &wgpu::Adapter, limits: GpuLimits) -> Result<Self, DeviceError> {
        let name = adapter.get_info().name;
        catch(|| {
            let descriptor = wgpu::DeviceDescriptor {
                label: Some("explaind"),
                required_limits: required_limits(adapter),
                ..Default::default()
            };
            let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
                .map_err(|error| DeviceError::Refused(error.to_string()))?;
            let faults = Faults::watch(&device);
            let context = Context { device, queue, limits };
            let (attribute, games) = (Attribute::new(&context), GamesKernels::new(&context));
            let mut gpu = Self { name, faults, context, attribute, games };
            gpu.warm_up()?;
            Ok(gpu)
        })
    }

    /// The wgpu device and queue, so that a drill can lose or disturb them.
    pub fn handles(&self) -> (wgpu::Device, wgpu::Queue) {
        (self.context.device.clone(), self.context.queue.clone())
    }

    fn warm_up(&mut self) -> Result<(), DeviceError> {
        let [operator, columns] = [[1.0, 2.0], [3.0, 4.0]].map(|column| Panels::from_columns(2, &[column]));
        let product = self.attribute(u64::MAX, &operator, &columns)?;
        if product != [11.0] {
            return Err(DeviceError::Refused(format!("the warm-up gave {product:?} instead of [11.0]")));
        }
        warm_up::warm_up(self)?;
        self.attribute.clear();
        self.games.clear();
        Ok(())
    }
}

impl Device for Gpu {
    fn name(&self) -> &str {
        &self.name
    }

    fn attribute(
        &mut self,
        operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> Result<Vec<f32>, DeviceError> {
        let result = catch(|| self.attribute.attribute(&self.context, operator_id, operator, columns));
        self.faults.check()?;
        result
    }

    fn explain(&mut self, games: Games) -> Result<Vec<f32>, DeviceError> {
        let result = catch(|| self.games.explain(&self.context, &mut self.attribute, games));
        self.faults.check()?;
        result
    }
}

/// wgpu panics on some driver errors; the panic ends the device, not the process.
fn catch<T>(work: impl FnOnce() -> Result<T, DeviceError>) -> Result<T, DeviceError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(DeviceError::Lost("wgpu panicked".to_owned())))
}

/// The WebGPU defaults, with larger buffers where the adapter has them.
fn required_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let (has, default) = (adapter.limits(), wgpu::Limits::default());
    wgpu::Limits {
        max_buffer_size: has.max_buffer_size.min(1 << 30).max(default.max_buffer_size),
        max_storage_buffer_binding_size: has
            .max_storage_buffer_binding_size
            .min(1 << 30)
            .max(default.max_storage_buffer_binding_size),
        ..default
    }
}
