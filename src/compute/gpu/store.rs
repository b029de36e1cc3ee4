//! Buffers on the device: operators kept under a limit in bytes, and scratch buffers that grow and stay.

use std::collections::HashMap;

use wgpu::{Buffer, BufferUsages, Device, Queue};

/// Operators by id; the least recently used go first. One larger than the limit stays until the next comes.
pub(super) struct OperatorStore {
    bytes_max: u64,
    buffers: HashMap<u64, (Buffer, u64)>,
    clock: u64,
}

impl OperatorStore {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, buffers: HashMap::new(), clock: 0 }
    }

    /// The operator's buffer, uploaded at the first meeting.
    pub(super) fn get(&mut self, device: &Device, queue: &Queue, operator_id: u64, data: &[f32]) -> Buffer {
        self.clock += 1;
        if let Some((buffer, used_at)) = self.buffers.get_mut(&operator_id) {
            *used_at = self.clock;
            return buffer.clone();
        }
        self.make_room(size_of_val(data) as u64);
        let buffer = new_buffer(device, "operator", size_of_val(data) as u64, INPUT);
        queue.write_buffer(&buffer, 0, bytemuck::cast_slice(data));
        self.buffers.insert(operator_id, (buffer.clone(), self.clock));
        buffer
    }

    fn make_room(&mut self, bytes: u64) {
        while self.buffers.values().map(|(buffer, _)| buffer.size()).sum::<u64>() + bytes > self.bytes_max {
            let oldest = self.buffers.iter().min_by_key(|(_, (_, used_at))| used_at).map(|(&id, _)| id);
            let Some(oldest) = oldest else { return };
            self.buffers.remove(&oldest);
        }
    }
}

pub(super) const INPUT: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_DST);
pub(super) const RESULT: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC);
pub(super) const READBACK: BufferUsages = BufferUsages::MAP_READ.union(BufferUsages::COPY_DST);
pub(super) const UNIFORM: BufferUsages = BufferUsages::UNIFORM.union(BufferUsages::COPY_DST);

/// A buffer that is replaced by a larger one when it is too small.
pub(super) struct Scratch {
    label: &'static str,
    usage: BufferUsages,
    buffer: Option<Buffer>,
}

impl Scratch {
    pub(super) fn new(label: &'static str, usage: BufferUsages) -> Self {
        Self { label, usage, buffer: None }
    }

    pub(super) fn at_least(&mut self, device: &Device, bytes: u64) -> Buffer {
        match &self.buffer {
            Some(buffer) if buffer.size() >= bytes => buffer.clone(),
            _ => {
                let buffer = new_buffer(device, self.label, bytes.next_power_of_two(), self.usage);
                self.buffer.insert(buffer).clone()
            }
        }
    }
}

fn new_buffer(device: &Device, label: &'static str, bytes: u64, usage: BufferUsages) -> Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes,
        usage,
        mapped_at_creation: false,
    })
}
