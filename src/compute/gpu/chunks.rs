//! How many records and baseline rows go through the kernels together, so that what is between them stays under a limit
//! in bytes.

use super::kernel::GROUPS_MAX;
use crate::compute::DeviceError;

/// Baseline rows whose scores are summed together: chunks end at their edges, so that no sum depends on the chunks.
const BLOCK_ROWS: usize = 16;

/// What games take on the device between their kernels, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Of a record against one baseline row.
    pub(super) game_bytes: u64,
    /// Of a record besides.
    pub(super) record_bytes: u64,
}

/// Records that go in one submission, and baseline rows that they go through at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    pub(super) n_records: usize,
    pub(super) n_rows: usize,
}

impl Chunks {
    /// As many records as fit with all baseline rows, else one and as many rows as fit.
    pub(super) fn new(room: Room, n_rows: usize, n_outputs: usize, bytes_max: u64) -> Result<Self, DeviceError> {
        let record_bytes = room.record_bytes + n_rows as u64 * room.game_bytes;
        if record_bytes <= bytes_max && n_rows.max(n_outputs) <= GROUPS_MAX {
            let fitting = usize::try_from(bytes_max / record_bytes.max(1)).unwrap_or(GROUPS_MAX);
            return Ok(Self { n_records: fitting.min(GROUPS_MAX / n_rows.max(n_outputs)), n_rows });
        }
        let block_bytes = BLOCK_ROWS as u64 * room.game_bytes;
        let fitting = bytes_max.saturating_sub(room.record_bytes) / block_bytes.max(1);
        let n_blocks = usize::try_from(fitting).unwrap_or(GROUPS_MAX).min(GROUPS_MAX / BLOCK_ROWS);
        if n_blocks == 0 || n_outputs > GROUPS_MAX {
            let bytes = room.record_bytes + block_bytes.min(record_bytes);
            let text = format!(
                "a record of {n_outputs} outputs and {bytes} bytes; the limits are {GROUPS_MAX} outputs and {bytes_max} bytes"
            );
            return Err(DeviceError::Refused(text));
        }
        Ok(Self { n_records: 1, n_rows: n_blocks * BLOCK_ROWS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records and rows where 1000 bytes are allowed.
    fn chunks(game_bytes: u64, record_bytes: u64, n_rows: usize) -> Option<(usize, usize)> {
        let chunks = Chunks::new(Room { game_bytes, record_bytes }, n_rows, 1, 1_000);
        chunks.ok().map(|Chunks { n_records, n_rows }| (n_records, n_rows))
    }

    #[test]
    fn chunks_fit_the_limit_and_end_at_blocks_of_rows() {
        assert_eq!(chunks(10, 100, 1), Some((9, 1)));
        assert_eq!(chunks(10, 100, 90), Some((1, 90)));
        assert_eq!(chunks(10, 100, 91), Some((1, 80)));
        assert_eq!(chunks(50, 200, 17), Some((1, 16)));
        assert_eq!(chunks(50, 201, 17), None);
        assert_eq!(chunks(60, 100, 15), Some((1, 15)));
        assert_eq!(chunks(0, 1_001, 1), None);
    }

    #[test]
    fn no_dispatch_has_more_workgroups_than_a_device_takes() {
        let chunks = |n_rows, n_outputs| {
            let chunks = Chunks::new(Room { game_bytes: 0, record_bytes: 0 }, n_rows, n_outputs, u64::MAX);
            chunks.ok().map(|Chunks { n_records, n_rows }| (n_records, n_rows))
        };
        assert_eq!(chunks(1, 1), Some((65_535, 1)));
        assert_eq!(chunks(1_000, 1), Some((65, 1_000)));
        assert_eq!(chunks(1, 30_000), Some((2, 1)));
        assert_eq!(chunks(70_000, 1), Some((1, 65_520)));
        assert_eq!(chunks(1, 70_000), None);
    }
}
