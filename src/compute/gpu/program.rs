//! Dispatches that go to the device in one submission, one after the other; each sees what those before it wrote.

use std::num::NonZeroU64;

use wgpu::{BindGroupEntry, BindingResource, BufferBinding, CommandEncoder};

use super::kernel::{Context, Kernel};
use super::store::{Scratch, Slice};

/// Bytes between the sizes of two dispatches: what every device can start a binding at.
const SIZES_STRIDE: usize = 256;

/// What a kernel's `Sizes` take, in u32; shorter ones end with 0.
pub(super) type Sizes = [u32; 8];

#[derive(Default)]
pub(super) struct Program {
    steps: Vec<Step>,
    sizes: Vec<u8>,
}

enum Step {
    Clear(Slice),
    Dispatch { kernel: Kernel, sizes_at: u64, bindings: Vec<Slice>, groups: [u32; 3] },
    Copy { from: Slice, to: Slice, at: u64 },
}

impl Program {
    pub(super) fn clear(&mut self, slice: &Slice) {
        self.steps.push(Step::Clear(slice.clone()));
    }

    /// `bindings` follow the kernel's `Sizes` in its order. A dispatch without workgroups does nothing.
    pub(super) fn dispatch(&mut self, kernel: &Kernel, sizes: Sizes, bindings: &[&Slice], groups: [usize; 3]) {
        let sizes_at = self.sizes.len() as u64;
        self.sizes.extend_from_slice(bytemuck::bytes_of(&sizes));
        self.sizes.resize(self.sizes.len().next_multiple_of(SIZES_STRIDE), 0);
        let bindings = bindings.iter().map(|&slice| slice.clone()).collect();
        self.steps.push(Step::Dispatch {
            kernel: kernel.clone(),
            sizes_at,
            bindings,
            groups: groups.map(|n| n as u32),
        });
    }

    /// Copies all of `from` to byte `at` of `to`.
    pub(super) fn copy(&mut self, from: &Slice, to: &Slice, at: u64) {
        self.steps.push(Step::Copy { from: from.clone(), to: to.clone(), at });
    }

    pub(super) fn submit(self, context: &Context, uniforms: &mut Scratch) -> wgpu::SubmissionIndex {
        let sizes = context.put(uniforms, &self.sizes);
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for step in &self.steps {
            step.encode(context, &mut encoder, &sizes);
        }
        context.queue.submit([encoder.finish()])
    }
}

impl Step {
    fn encode(&self, context: &Context, encoder: &mut CommandEncoder, sizes: &Slice) {
        match self {
            Self::Clear(slice) => encoder.clear_buffer(&slice.buffer, 0, Some(slice.bytes)),
            Self::Copy { from, to, at } => {
                encoder.copy_buffer_to_buffer(&from.buffer, 0, &to.buffer, *at, from.bytes);
            }
            Self::Dispatch { kernel, sizes_at, bindings, groups } => {
                let own_sizes = entry(0, &sizes.buffer, *sizes_at, size_of::<Sizes>() as u64);
                let slices = (kernel.first_binding..).zip(bindings);
                let slices = slices.map(|(binding, slice)| entry(binding, &slice.buffer, 0, slice.bytes));
                let entries: Vec<BindGroupEntry> = std::iter::once(own_sizes).chain(slices).collect();
                kernel.encode(context, encoder, &entries, *groups);
            }
        }
    }
}

fn entry(binding: u32, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> BindGroupEntry<'_> {
    BindGroupEntry {
        binding,
        resource: BindingResource::Buffer(BufferBinding { buffer, offset, size: NonZeroU64::new(bytes) }),
    }
}
