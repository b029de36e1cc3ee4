//! Runs `shaders/attribute.wgsl`: uploads an operator once and columns each time, reads attributions back.

use std::num::NonZeroU64;
use std::sync::mpsc;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use wgpu::{BindGroupEntry, BindingResource, Buffer, BufferBinding, Device, MapMode, PollError, PollType, Queue};

use super::GpuLimits;
use super::store::{INPUT, OperatorStore, READBACK, RESULT, Scratch, UNIFORM};
use crate::compute::DeviceError;
use crate::shap::{PANEL_WIDTH, Panels};

const SHADER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/attribute.wgsl"));

/// Players and columns of one workgroup, as the shader's constants say.
const GROUP_PLAYERS: usize = 32;
const GROUP_COLUMNS: usize = 64;

/// The shader's `Sizes`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Sizes {
    n_rows: u32,
    n_players: u32,
    n_columns: u32,
    unused: u32,
}

pub(super) struct Kernel {
    device: Device,
    queue: Queue,
    pipeline: wgpu::ComputePipeline,
    limits: GpuLimits,
    operators: OperatorStore,
    sizes: Scratch,
    columns: Scratch,
    attributions: Scratch,
    readback: Scratch,
}

impl Kernel {
    pub(super) fn new(device: Device, queue: Queue, limits: GpuLimits) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("attribute"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("attribute"),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            // Every workgroup writes its block before it reads it, so zeroing would be lost time.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Self {
            device,
            queue,
            pipeline,
            limits,
            operators: OperatorStore::new(limits.operator_bytes_max),
            sizes: Scratch::new("attribute.sizes", UNIFORM),
            columns: Scratch::new("attribute.columns", INPUT),
            attributions: Scratch::new("attribute.attributions", RESULT),
            readback: Scratch::new("attribute.readback", READBACK),
        }
    }

    pub(super) fn handles(&self) -> (Device, Queue) {
        (self.device.clone(), self.queue.clone())
    }

    /// See [`crate::compute::Device::attribute`]. Batches larger than the limit go in several dispatches.
    pub(super) fn attribute(
        &mut self,
        operator_id: u64,
        operator: &Panels<f32>,
        columns: &Panels<f32>,
    ) -> Result<Vec<f32>, DeviceError> {
        let mut attributions = vec![0.0; columns.n_columns * operator.n_columns];
        if attributions.is_empty() || columns.n_rows == 0 {
            return Ok(attributions);
        }
        let binding_bytes_max = self.device.limits().max_storage_buffer_binding_size;
        if operator.bytes() as u64 > binding_bytes_max {
            let text =
                format!("an operator of {} bytes; the limit is {binding_bytes_max} bytes", operator.bytes());
            return Err(DeviceError::Refused(text));
        }
        let operator_buffer = self.operators.get(&self.device, &self.queue, operator_id, &operator.data);
        let panel_len = columns.n_rows * PANEL_WIDTH;
        let panels_max = self.panels_per_dispatch(columns.n_rows, operator.n_columns)?;
        let results = attributions.chunks_mut(panels_max * PANEL_WIDTH * operator.n_columns);
        for (panels, result) in columns.data.chunks(panels_max * panel_len).zip(results) {
            let sizes = Sizes {
                n_rows: columns.n_rows as u32,
                n_players: operator.n_columns as u32,
                n_columns: (result.len() / operator.n_columns) as u32,
                unused: 0,
            };
            self.dispatch(sizes, &operator_buffer, operator.bytes() as u64, panels, result)?;
        }
        Ok(attributions)
    }

    /// Column panels that fit the byte limits of a dispatch, for what goes up and what comes back.
    fn panels_per_dispatch(&self, n_rows: usize, n_players: usize) -> Result<usize, DeviceError> {
        let limit = self.limits.dispatch_bytes_max.min(self.device.limits().max_storage_buffer_binding_size);
        let panel_bytes = (n_rows.max(n_players) * PANEL_WIDTH * size_of::<f32>()) as u64;
        match limit / panel_bytes {
            0 => Err(DeviceError::Refused(format!("a panel of {panel_bytes} bytes; the limit is {limit} bytes"))),
            panels => Ok(panels as usize),
        }
    }

    fn dispatch(
        &mut self,
        sizes: Sizes,
        operator: &Buffer,
        operator_bytes: u64,
        panels: &[f32],
        result: &mut [f32],
    ) -> Result<(), DeviceError> {
        let result_bytes = size_of_val(result) as u64;
        let columns_bytes = size_of_val(panels) as u64;
        let sizes_buffer = self.sizes.at_least(&self.device, size_of::<Sizes>() as u64);
        let columns = self.columns.at_least(&self.device, columns_bytes);
        let attributions = self.attributions.at_least(&self.device, result_bytes);
        let readback = self.readback.at_least(&self.device, result_bytes);
        self.queue.write_buffer(&sizes_buffer, 0, bytemuck::bytes_of(&sizes));
        self.queue.write_buffer(&columns, 0, bytemuck::cast_slice(panels));
        let entries = [
            entry(0, &sizes_buffer, size_of::<Sizes>() as u64),
            entry(1, operator, operator_bytes),
            entry(2, &columns, columns_bytes),
            entry(3, &attributions, result_bytes),
        ];
        let mut encoder = self.encode(sizes, &entries);
        encoder.copy_buffer_to_buffer(&attributions, 0, &readback, 0, result_bytes);
        let submission = self.queue.submit([encoder.finish()]);
        self.read(submission, &readback, result)
    }

    fn encode(&self, sizes: Sizes, entries: &[BindGroupEntry]) -> wgpu::CommandEncoder {
        let layout = &self.pipeline.get_bind_group_layout(0);
        let descriptor = wgpu::BindGroupDescriptor { label: Some("attribute"), layout, entries };
        let bindings = self.device.create_bind_group(&descriptor);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        let groups = |n: u32, per_group: usize| n.div_ceil(per_group as u32);
        let [x, y] = [groups(sizes.n_columns, GROUP_COLUMNS), groups(sizes.n_players, GROUP_PLAYERS)];
        pass.dispatch_workgroups(x, y, 1);
        drop(pass);
        encoder
    }

    /// Waits for the submission and copies the start of the readback buffer out.
    fn read(
        &self,
        submission: wgpu::SubmissionIndex,
        readback: &Buffer,
        result: &mut [f32],
    ) -> Result<(), DeviceError> {
        let bytes = size_of_val(result) as u64;
        let (mapped, is_mapped) = mpsc::channel();
        readback.map_async(MapMode::Read, ..bytes, move |outcome| {
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
        let view = readback.get_mapped_range(..bytes).map_err(|error| DeviceError::Lost(error.to_string()))?;
        result.copy_from_slice(bytemuck::cast_slice(&view));
        drop(view);
        readback.unmap();
        Ok(())
    }
}

fn entry(binding: u32, buffer: &Buffer, bytes: u64) -> BindGroupEntry<'_> {
    BindGroupEntry {
        binding,
        resource: BindingResource::Buffer(BufferBinding { buffer, offset: 0, size: NonZeroU64::new(bytes) }),
    }
}
