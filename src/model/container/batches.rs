//! The rows of some games → requests of bounded records and bytes, in which no row stands twice: nobody first, then every
//! coalition with every baseline row, game by game. Knows no answers.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::batching::BatchLimits;
use super::protocol::RowShape;
use super::rows::RowBuffer;
use crate::model::rows::{BaselineRows, Cells, Columns, Presence};
use crate::model::{Call, Game, ModelError};
use crate::records::Table;
use crate::shap::Coalitions;

/// Rows of one batch, those included whose answer is known.
const SOURCES_MAX: usize = 1 << 20;

/// Rows of one request that are remembered.
const KNOWN_ROWS_MAX: usize = 1 << 20;

/// Scores of one request that are remembered.
const KNOWN_SCORE_BYTES_MAX: usize = 64 << 20;

/// Rows whose scores are remembered during a request, where each has so many.
pub(super) fn known_rows_max(n_outputs: usize) -> usize {
    KNOWN_ROWS_MAX.min(KNOWN_SCORE_BYTES_MAX / (n_outputs * size_of::<f64>()))
}

/// Where the scores of a row come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The next row of this batch.
    Asked,
    /// The row that was asked as the so-and-so-many-th of the whole request, from 0.
    Known(u32),
}

/// Rows for one request to a container, one behind the other, and all rows that are answered with it.
#[derive(Debug, Default)]
pub struct Batch {
    pub rows: Vec<u8>,
    /// Where each row ends.
    ends: Vec<u32>,
    /// In the order of games, coalitions and baseline rows.
    pub(super) sources: Vec<Source>,
}

impl Batch {
    pub fn n_rows(&self) -> usize {
        self.ends.len()
    }

    /// Records as they are, as many of them as fit into one request.
    pub(super) fn of_records<'a>(
        records: impl Iterator<Item = &'a Cells>,
        shape: &RowShape,
        limits: BatchLimits,
    ) -> Result<Self, ModelError> {
        let (mut buffer, mut batch, columns) = (RowBuffer::default(), Self::default(), Columns::of(&[]));
        for cells in records.take(limits.rows_max) {
            let row_bytes = buffer.write(shape, &columns, Presence::NOBODY, cells, cells).len();
            let bytes = buffer.len_with(shape, row_bytes);
            match bytes <= limits.bytes_max {
                true => buffer.keep(shape, row_bytes),
                false if batch.n_rows() > 0 => break,
                false => return Err(ModelError::RowTooLarge { bytes, limit: limits.bytes_max }),
            }
            batch.push_asked(bytes);
        }
        batch.rows = buffer.into_bytes();
        Ok(batch)
    }

    /// A row that ends there is to be asked.
    fn push_asked(&mut self, end: usize) {
        self.ends.push(end as u32);
        self.sources.push(Source::Asked);
    }

    /// Where some of its rows stand, at least one.
    pub(super) fn bytes_of(&self, rows: Range<usize>, shape: &RowShape) -> Range<usize> {
        let before = |row_idx: usize| self.ends[row_idx - 1] as usize + shape.between_rows.len();
        let start = if rows.start == 0 { 0 } else { before(rows.start) };
        start..self.ends[rows.end - 1] as usize
    }
}

/// Which rows a request has asked already. Told apart by 128 bits of a hash with a key that no client knows.
pub(super) struct Known {
    /// Indexes of `hashes`: small, so that it stays in cache.
    table: HashTable<u32>,
    hashes: Vec<u128>,
    n_asked: usize,
    rows_max: usize,
    key: u64,
}

impl Known {
    pub(super) fn new(n_outputs: usize) -> Self {
        let key = RandomState::new().build_hasher().finish();
        let rows_max = known_rows_max(n_outputs);
        Self { table: HashTable::new(), hashes: Vec::new(), n_asked: 0, rows_max, key }
    }

    /// Which row of the request this one equals; one that is to be asked is remembered. None if there is no
    /// room to ask it.
    fn find(&mut self, row: &[u8], has_room: bool) -> Option<Source> {
        let (hash, hashes) = (xxh3_128_with_seed(row, self.key), &mut self.hashes);
        let is_same = |&idx: &u32| hashes[idx as usize] == hash;
        match self.table.entry(hash as u64, is_same, |&idx| hashes[idx as usize] as u64) {
            Entry::Occupied(known) => return Some(Source::Known(*known.get())),
            Entry::Vacant(_) if !has_room => return None,
            Entry::Vacant(vacant) if hashes.len() < self.rows_max => {
                vacant.insert(hashes.len() as u32);
                hashes.push(hash);
            }
            Entry::Vacant(_) => {}
        }
        self.n_asked += 1;
        Some(Source::Asked)
    }
}

/// The rows that are still to be asked.
pub struct Batches {
    call: Arc<Call>,
    games: Arc<[Game]>,
    baseline: Arc<BaselineRows>,
    shape: Arc<RowShape>,
    known: Known,
    /// The part at whose rows it stands; the games that follow.
    part: Option<Part>,
    next_game: usize,
    /// What the batch before needed, in bytes.
    room: usize,
}

/// The rows of nobody, or of one game.
struct Part {
    record: Option<Cells>,
    /// Of a record whose texts are in units, for each baseline row; else the baseline's own cells stand for who is absent.
    absent: Option<Vec<Cells>>,
    columns: Columns,
    coalitions: Option<Arc<Coalitions>>,
    n_coalitions: usize,
    /// The row that comes next.
    coalition_idx: usize,
    baseline_idx: usize,
}

impl Batches {
    /// All rows that the games of a request need, where answers have one score.
    pub fn of(call: Arc<Call>, games: Vec<Game>, baseline: Arc<Table>, shape: RowShape) -> Self {
        let baseline = Arc::new(BaselineRows::new(baseline, &shape.cells));
        Self::new(call, games.into(), baseline, Arc::new(shape), Known::new(1))
    }

    /// `known` has not seen the rows of nobody yet, or they are known and left out.
    pub(super) fn new(
        call: Arc<Call>,
        games: Arc<[Game]>,
        baseline: Arc<BaselineRows>,
        shape: Arc<RowShape>,
        known: Known,
    ) -> Self {
        let nobody = Part::new(None, None, &[], None);
        let part = (known.n_asked == 0).then_some(nobody);
        let mut batches = Self { call, games, baseline, shape, known, part, next_game: 0, room: 0 };
        batches.begin_part();
        batches
    }

    /// The next rows that fit into one request; none at the end. A batch may have no row to be asked.
    pub fn next(&mut self, limits: BatchLimits) -> Result<Option<Batch>, ModelError> {
        let mut buffer = RowBuffer::with_room(self.room);
        let mut batch = Batch::default();
        while let Some(part) = self.part.as_mut().filter(|_| batch.sources.len() < SOURCES_MAX) {
            let before = buffer.len_with(&self.shape, 0);
            let row = part.write(&mut buffer, &self.shape, &self.baseline.cells);
            let (row_bytes, bytes) = (row.len(), before + row.len());
            let bytes_max = if batch.n_rows() == 0 { limits.row_bytes_max } else { limits.bytes_max };
            let has_room = batch.n_rows() < limits.rows_max && bytes <= bytes_max;
            match self.known.find(row, has_room) {
                Some(Source::Asked) => {
                    buffer.keep(&self.shape, row_bytes);
                    batch.push_asked(bytes);
                }
                Some(known) => batch.sources.push(known),
                None if batch.n_rows() > 0 => break,
                None => return Err(ModelError::RowTooLarge { bytes, limit: limits.row_bytes_max }),
            }
            part.go_on(self.baseline.cells.len());
            self.begin_part();
        }
        self.room = buffer.room();
        batch.rows = buffer.into_bytes();
        Ok((!batch.sources.is_empty()).then_some(batch))
    }

    pub(super) fn is_over(&self) -> bool {
        self.part.is_none()
    }

    /// What has been asked, for the next games of the request.
    pub(super) fn take_known(&mut self) -> Known {
        std::mem::replace(&mut self.known, Known::new(1))
    }

    /// Goes on to the next game that has rows.
    fn begin_part(&mut self) {
        while self.part.as_ref().is_none_or(Part::is_over) {
            self.part = self.games.get(self.next_game).map(|game| self.part_of(game));
            self.next_game += 1;
            if self.part.is_none() {
                break;
            }
        }
    }

    fn part_of(&self, game: &Game) -> Part {
        let (record, absent) = self.baseline.against(&self.call, game.record_idx, &self.shape.cells);
        Part::new(Some(record), absent, &game.players, Some(Arc::clone(&game.coalitions)))
    }
}

impl Part {
    fn new(
        record: Option<Cells>,
        absent: Option<Vec<Cells>>,
        players: &[u32],
        coalitions: Option<Arc<Coalitions>>,
    ) -> Self {
        let n_coalitions = coalitions.as_ref().map_or(1, |coalitions| 2 * coalitions.n_pairs());
        Self {
            record,
            absent,
            columns: Columns::of(players),
            coalitions,
            n_coalitions,
            coalition_idx: 0,
            baseline_idx: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.coalition_idx == self.n_coalitions
    }

    fn go_on(&mut self, n_baseline_rows: usize) {
        self.baseline_idx += 1;
        if self.baseline_idx == n_baseline_rows {
            (self.coalition_idx, self.baseline_idx) = (self.coalition_idx + 1, 0);
        }
    }

    fn write<'a>(&self, buffer: &'a mut RowBuffer, shape: &RowShape, baseline: &[Cells]) -> &'a [u8] {
        let absent = &self.absent.as_deref().unwrap_or(baseline)[self.baseline_idx];
        let presence =
            self.coalitions.as_deref().map_or(Presence::NOBODY, |all| Presence::of(all, self.coalition_idx));
        buffer.write(shape, &self.columns, presence, self.record.as_ref().unwrap_or(absent), absent)
    }
}
