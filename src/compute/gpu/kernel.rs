//! What all kernels have in common: a pipeline each, how data goes up and results come back.

use std::sync::mpsc;
use std::time::Duration;

use wgpu::{BindGroupEntry, CommandEncoder, MapMode, PollError, PollType};

use super::GpuLimits;
use super::shaders::composed;
use super::store::{Scratch, Slice, kept};
use crate::compute::DeviceError;

/// Workgroups of one dimension of a dispatch: what every device has.
pub(super) const GROUPS_MAX: usize = 65_535;

/// Threads of a workgroup of the kernels that go along one dimension.
pub(super) const GROUP_THREADS: usize = 64;

/// The device, and what it may hold.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: GpuLimits,
}

impl Context {
    /// The largest storage buffer of a kernel, in bytes.
    pub(super) fn binding_bytes_max(&self) -> u64 {
        self.device.limits().max_storage_buffer_binding_size
    }

    pub(super) fn write<T: bytemuck::NoUninit>(&self, slice: &Slice, data: &[T]) {
        self.queue.write_buffer(&slice.buffer, 0, bytemuck::cast_slice(data));
    }

    /// A buffer of its own for what stays.
    pub(super) fn keep<T: bytemuck::NoUninit>(&self, label: &'static str, data: &[T]) -> Slice {
        let slice = kept(&self.device, label, size_of_val(data) as u64);
        self.write(&slice, data);
        slice
    }

    /// `data` in a scratch buffer.
    pub(super) fn put<T: bytemuck::NoUninit>(&self, scratch: &mut Scratch, data: &[T]) -> Slice {
        let slice = scratch.take(&self.device, size_of_val(data) as u64);
        self.write(&slice, data);
        slice
    }

    /// Waits for the submission and copies the start of the readback buffer out.
    pub(super) fn read(
        &self,
        submission: wgpu::SubmissionIndex,
        readback: &Slice,
        result: &mut [u32],
    ) -> Result<(), DeviceError> {
        let (buffer, bytes) = (&readback.buffer, size_of_val(result) as u64);
        let (mapped, is_mapped) = mpsc::channel();
        buffer.map_async(MapMode::Read, ..bytes, move |outcome| {
            let _ = mapped.send(outcome);
        });
        let waited_ms = self.limits.wait_ms_max;
        let timeout = Some(Duration::from_millis(waited_ms));
        match self.device.poll(PollType::Wait { submission_index: Some(submission), timeout }) {
            Ok(_) => {}
            Err(PollError::Timeout) => return Err(DeviceError::Stalled { waited_ms }),
            Err(error) => return Err(DeviceError::Lost(error.to_string())),
        }
        match is_mapped.try_recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(DeviceError::Lost(error.to_string())),
            Err(_) => return Err(DeviceError::Lost("the result was never mapped".to_owned())),
        }
        let view = buffer.get_mapped_range(..bytes).map_err(|error| DeviceError::Lost(error.to_string()))?;
        result.copy_from_slice(bytemuck::cast_slice(&view));
        drop(view);
        buffer.unmap();
        Ok(())
    }
}

#[derive(Clone)]
pub(super) struct Kernel {
    pipeline: wgpu::ComputePipeline,
    /// Where the buffers of its entry point begin; 0 is its `Sizes`.
    pub(super) first_binding: u32,
}

impl Kernel {
    pub(super) fn new(context: &Context, label: &str, text: &str, entry_point: &str, first_binding: u32) -> Self {
        let module = context.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(composed(text).into()),
        });
        let pipeline = context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: None,
            module: &module,
            entry_point: Some(entry_point),
            // Every workgroup writes its memory before it reads it, so zeroing would be lost time.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Self { pipeline, first_binding }
    }

    pub(super) fn encode(
        &self,
        context: &Context,
        encoder: &mut CommandEncoder,
        entries: &[BindGroupEntry],
        [x, y, z]: [u32; 3],
    ) {
        let layout = &self.pipeline.get_bind_group_layout(0);
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries };
        let bindings = context.device.create_bind_group(&descriptor);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}
