//! Synthetic records: pieces of the client's record and of a baseline row by coalition. Each piece is written once, as its
//! reader wants it, and copied from then on. Knows no requests and no models.

use std::sync::Arc;

use super::Call;
use crate::records::{Cell, CutText, Pieces, Table};
use crate::shap::Coalitions;

/// So many bytes are copied at once, wanted or not; cells are rarely longer.
pub(super) const COPIED_BYTES: usize = 16;

/// Which cell of a row is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) column_idx: usize,
    pub(super) n_columns: usize,
}

impl Place {
    pub(super) fn is_last(self) -> bool {
        self.column_idx + 1 == self.n_columns
    }
}

/// How whoever reads the rows wants their cells.
pub(super) trait Writing {
    /// A cell that is one piece, with what separates it from the next.
    fn cell(&self, cell: Cell, place: Place, out: &mut Vec<u8>);

    /// What stands before the first unit of a text.
    fn open(&self, place: Place, out: &mut Vec<u8>);

    /// A unit of a text, or what stands between two.
    fn part(&self, part: &str, place: Place, out: &mut Vec<u8>);

    /// What stands behind a text, with what separates it from the next cell.
    fn close(&self, place: Place, out: &mut Vec<u8>);
}

/// The pieces of one record as they stand in a row: cells, each with what separates it from the next, and units of texts,
/// each with what stands before it.
#[derive(Debug)]
pub(super) struct Cells {
    /// The last cell is followed by `COPIED_BYTES` more bytes.
    bytes: Vec<u8>,
    /// Where each piece begins, then where the last one ends. What follows it is the same in record and baseline.
    starts: Vec<u32>,
}

/// Whose cells stand where nobody plays.
#[derive(Clone, Copy)]
struct BaselineRow<'a> {
    table: &'a Table,
    row_idx: usize,
}

impl Cells {
    pub(super) fn of_record(table: &Table, record_idx: usize, writing: &impl Writing) -> Self {
        let n_columns = table.n_columns();
        let (mut bytes, mut starts) = (Vec::new(), Vec::with_capacity(n_columns + 1));
        for column_idx in 0..n_columns {
            starts.push(start(&bytes));
            writing.cell(table.cell(record_idx, column_idx), Place { column_idx, n_columns }, &mut bytes);
        }
        starts.push(start(&bytes));
        bytes.resize(bytes.len() + COPIED_BYTES, 0);
        Self { bytes, starts }
    }

    /// A client's record as synthetic ones hold it, where everybody is present.
    pub(super) fn present(call: &Call, record_idx: usize, writing: &impl Writing) -> Self {
        match call.pieces(record_idx) {
            Some(pieces) => Self::of_pieces(&call.records, record_idx, writing, pieces, None),
            None => Self::of_record(&call.records, record_idx, writing),
        }
    }

    /// A record whose texts are in units: as it is, or with the cells of a baseline row in place of every piece.
    fn of_pieces(
        table: &Table,
        record_idx: usize,
        writing: &impl Writing,
        pieces: &Pieces,
        absent: Option<BaselineRow>,
    ) -> Self {
        let n_columns = pieces.features().len();
        let (mut bytes, mut starts) = (Vec::new(), vec![0]);
        for (column_idx, text) in pieces.features().iter().enumerate() {
            let place = Place { column_idx, n_columns };
            let own = table.cell(record_idx, column_idx);
            let cell = absent.map_or(own, |row| row.table.cell(row.row_idx, column_idx));
            match text {
                None => {
                    writing.cell(cell, place, &mut bytes);
                    starts.push(start(&bytes));
                }
                // A text without units is nobody's to replace.
                Some(text) if text.units.is_empty() => writing.cell(own, place, &mut bytes),
                Some(text) => {
                    let replacement = absent.map(|_| cell.text());
                    write_text(text, replacement.as_deref(), writing, place, &mut bytes, &mut starts);
                }
            }
        }
        bytes.resize(bytes.len() + COPIED_BYTES, 0);
        Self { bytes, starts }
    }

    pub(super) fn of_records(table: &Table, writing: &impl Writing) -> Vec<Self> {
        (0..table.n_records()).map(|record_idx| Self::of_record(table, record_idx, writing)).collect()
    }

    /// With what separates it from the next.
    pub(super) fn get(&self, idx: usize) -> &[u8] {
        &self.bytes[self.starts[idx] as usize..self.starts[idx + 1] as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - COPIED_BYTES
    }
}

/// What stands around the units stays where it is.
fn write_text(
    text: &CutText,
    replacement: Option<&str>,
    writing: &impl Writing,
    place: Place,
    bytes: &mut Vec<u8>,
    starts: &mut Vec<u32>,
) {
    writing.open(place, bytes);
    let (parts, rest) = text.parts();
    for (before, unit) in parts {
        writing.part(before, place, bytes);
        writing.part(replacement.unwrap_or(unit), place, bytes);
        starts.push(start(bytes));
    }
    writing.part(rest, place, bytes);
    writing.close(place, bytes);
}

/// A record's cells are a part of a request, which has less than 4 GiB.
fn start(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a table has less than 4 GiB of cells. This is a bug.")
}

/// Rows of a baseline: as they are written, and as they were read, for texts that are cut.
#[derive(Debug)]
pub(super) struct BaselineRows {
    pub(super) cells: Vec<Cells>,
    table: Arc<Table>,
    /// Whether a column differs among the rows.
    varies: Vec<bool>,
}

impl BaselineRows {
    /// At least one row.
    pub(super) fn new(table: Arc<Table>, writing: &impl Writing) -> Self {
        let cells = Cells::of_records(&table, writing);
        let varies = |column_idx| cells.iter().any(|row| row.get(column_idx) != cells[0].get(column_idx));
        Self { varies: (0..table.n_columns()).map(varies).collect(), cells, table }
    }

    /// The cells of a record, and what stands for those that are absent where it is not the baseline's own cells.
    pub(super) fn against(
        &self,
        call: &Call,
        record_idx: usize,
        writing: &impl Writing,
    ) -> (Cells, Option<Vec<Cells>>) {
        let absent = call.pieces(record_idx).map(|pieces| {
            let absent = |row_idx| self.absent(call, record_idx, pieces, row_idx, writing);
            (0..self.table.n_records()).map(absent).collect()
        });
        (Cells::present(call, record_idx, writing), absent)
    }

    /// A baseline row in the pieces of a record.
    fn absent(
        &self,
        call: &Call,
        record_idx: usize,
        pieces: &Pieces,
        row_idx: usize,
        writing: &impl Writing,
    ) -> Cells {
        let row = BaselineRow { table: &self.table, row_idx };
        Cells::of_pieces(&call.records, record_idx, writing, pieces, Some(row))
    }

    /// Pieces whose bytes are not those of all baseline rows: of one, where these are all alike.
    pub(super) fn differing(&self, call: &Call, record_idx: usize, writing: &impl Writing) -> Vec<u32> {
        let record = Cells::present(call, record_idx, writing);
        match call.pieces(record_idx) {
            None => self.differing_from(&self.cells[0], &record, 0..self.varies.len()),
            Some(pieces) => {
                let first = self.absent(call, record_idx, pieces, 0, writing);
                self.differing_from(&first, &record, pieces.columns())
            }
        }
    }

    /// `columns` are those of the pieces.
    fn differing_from(&self, first: &Cells, record: &Cells, columns: impl Iterator<Item = usize>) -> Vec<u32> {
        let differs =
            |&(piece, column): &(usize, usize)| self.varies[column] || record.get(piece) != first.get(piece);
        columns.enumerate().filter(differs).map(|(piece, _)| piece as u32).collect()
    }
}

/// Whose cells stand in a row: each player's own column, with those before it that nobody plays and that are the same in
/// record and baseline.
#[derive(Debug)]
pub(super) struct Columns {
    /// Where each player's columns begin, then where those begin that follow the last player.
    firsts: Vec<u32>,
}

impl Columns {
    /// `players` are columns, ascending.
    pub(super) fn of(players: &[u32]) -> Self {
        Self { firsts: std::iter::once(0).chain(players.iter().map(|column| column + 1)).collect() }
    }
}

/// One coalition: bits of the players present, all of them the other way round for a complement.
#[derive(Clone, Copy)]
pub(super) struct Presence<'a> {
    pub(super) words: &'a [u64],
    pub(super) is_complement: bool,
}

impl<'a> Presence<'a> {
    pub(super) const NOBODY: Presence<'static> = Presence { words: &[], is_complement: false };

    /// The representatives of the pairs come first, then their complements.
    pub(super) fn of(coalitions: &'a Coalitions, coalition_idx: usize) -> Self {
        match coalition_idx.checked_sub(coalitions.n_pairs()) {
            None => Self { words: coalitions.pair(coalition_idx), is_complement: false },
            Some(pair_idx) => Self { words: coalitions.pair(pair_idx), is_complement: true },
        }
    }

    fn flip(self) -> u64 {
        if self.is_complement { u64::MAX } else { 0 }
    }
}

/// Room that a row may take in front of where it ends.
pub(super) fn row_bytes_max(record: &Cells, absent: &Cells) -> usize {
    record.len() + absent.len() + COPIED_BYTES
}

/// Writes a row from there on, where there is room for it; returns where it ends.
pub(super) fn write_cells(
    out: &mut [u8],
    mut at: usize,
    columns: &Columns,
    presence: Presence,
    record: &Cells,
    absent: &Cells,
) -> usize {
    let sources = [absent, record];
    let flip = presence.flip();
    let (bounds, words) = (columns.firsts.windows(2), presence.words);
    for (player_idx, bound) in bounds.enumerate() {
        let bit = ((words[player_idx / 64] ^ flip) >> (player_idx % 64)) & 1;
        let cells = sources[bit as usize];
        let start = cells.starts[bound[0] as usize] as usize;
        at = copy(out, at, &cells.bytes, start, cells.starts[bound[1] as usize] as usize);
    }
    let rest = columns.firsts[columns.firsts.len() - 1] as usize;
    copy(out, at, &absent.bytes, absent.starts[rest] as usize, absent.len())
}

/// Copies of one length cost less than copies of the right length.
#[inline(always)]
fn copy(out: &mut [u8], at: usize, bytes: &[u8], start: usize, end: usize) -> usize {
    let n_bytes = end - start;
    if n_bytes <= COPIED_BYTES {
        out[at..at + COPIED_BYTES].copy_from_slice(&bytes[start..start + COPIED_BYTES]);
    } else {
        out[at..at + n_bytes].copy_from_slice(&bytes[start..end]);
    }
    at + n_bytes
}
