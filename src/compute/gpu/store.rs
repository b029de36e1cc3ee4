//! Buffers on the device: what is kept under a limit in bytes, and scratch buffers that grow and stay.

use std::collections::HashMap;

use wgpu::{Buffer, BufferUsages, Device};

/// What batches have in common, by id; the least recently used goes first. One larger than the limit stays until the
/// next comes.
pub(super) struct Store<V> {
    bytes_max: u64,
    entries: HashMap<u64, Entry<V>>,
    clock: u64,
}

struct Entry<V> {
    value: V,
    bytes: u64,
    used_at: u64,
}

impl<V: Clone> Store<V> {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, entries: HashMap::new(), clock: 0 }
    }

    /// What is kept under `id`, uploaded at the first meeting; `bytes` is what that takes.
    pub(super) fn get(&mut self, id: u64, bytes: u64, upload: impl FnOnce() -> V) -> V {
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.used_at = self.clock;
            return entry.value.clone();
        }
        self.make_room(bytes);
        let value = upload();
        self.entries.insert(id, Entry { value: value.clone(), bytes, used_at: self.clock });
        value
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    fn make_room(&mut self, bytes: u64) {
        while self.entries.values().map(|entry| entry.bytes).sum::<u64>() + bytes > self.bytes_max {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used_at).map(|(&id, _)| id);
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
        }
    }
}

pub(super) const INPUT: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_DST);
/// Written by kernels or cleared; read by kernels or copied.
pub(super) const WORK: BufferUsages = INPUT.union(BufferUsages::COPY_SRC);
pub(super) const READBACK: BufferUsages = BufferUsages::MAP_READ.union(BufferUsages::COPY_DST);
pub(super) const UNIFORM: BufferUsages = BufferUsages::UNIFORM.union(BufferUsages::COPY_DST);

/// The smallest binding, in bytes: one vec4.
const SLICE_BYTES_MIN: u64 = 16;

/// The start of a buffer.
#[derive(Clone)]
pub(super) struct Slice {
    pub(super) buffer: Buffer,
    pub(super) bytes: u64,
}

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

    /// `bytes` of it, whatever they hold.
    pub(super) fn take(&mut self, device: &Device, bytes: u64) -> Slice {
        let bytes = bytes.next_multiple_of(SLICE_BYTES_MIN).max(SLICE_BYTES_MIN);
        let buffer = match &self.buffer {
            Some(buffer) if buffer.size() >= bytes => buffer.clone(),
            _ => {
                let buffer = new_buffer(device, self.label, bytes.next_power_of_two(), self.usage);
                self.buffer.insert(buffer).clone()
            }
        };
        Slice { buffer, bytes }
    }
}

/// A buffer of its own for what stays.
pub(super) fn kept(device: &Device, label: &'static str, bytes: u64) -> Slice {
    let bytes = bytes.next_multiple_of(SLICE_BYTES_MIN).max(SLICE_BYTES_MIN);
    Slice { buffer: new_buffer(device, label, bytes, INPUT), bytes }
}

fn new_buffer(device: &Device, label: &'static str, bytes: u64, usage: BufferUsages) -> Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes,
        usage,
        mapped_at_creation: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first_and_a_large_one_stays_until_the_next() {
        let mut store = Store::new(100);
        let mut n_uploads = 0;
        let mut get = |id: u64, bytes: u64| {
            let before = n_uploads;
            let value = store.get(id, bytes, || {
                n_uploads += 1;
                id
            });
            assert_eq!(value, id);
            n_uploads > before
        };
        assert!(get(1, 40) && get(2, 40) && !get(1, 40));
        assert!(get(3, 40), "this one takes the place of 2");
        assert!(!get(1, 40) && get(2, 40) && get(3, 40));
        assert!(get(4, 1_000) && !get(4, 1_000) && get(1, 1) && get(4, 1_000));
    }
}
