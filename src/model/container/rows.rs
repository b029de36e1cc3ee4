//! Synthetic records: cells of the client's record and of a baseline row by coalition. Each cell keeps its own spelling;
//! bytes are copied, nothing is read or printed. Knows no requests.

use super::protocol::RowShape;
use crate::records::{CutText, Pieces, Spelling, Table, spell_part};

/// So many bytes are copied at once, wanted or not; cells are rarely longer.
const COPIED_BYTES: usize = 16;

/// The pieces of one record as they stand in a row: cells, each with the comma behind it, and units of texts, each with
/// what stands before it.
#[derive(Debug)]
pub(super) struct Cells {
    /// The last cell is followed by `COPIED_BYTES` more bytes.
    bytes: Vec<u8>,
    /// Where each piece begins, then where the last one ends. What follows it is the same in record and baseline.
    starts: Vec<u32>,
}

/// Whose cells stand where nobody plays.
#[derive(Clone, Copy)]
pub(super) struct BaselineRow<'a> {
    pub(super) table: &'a Table,
    pub(super) row_idx: usize,
}

impl Cells {
    pub(super) fn of_record(table: &Table, record_idx: usize, cells: Spelling) -> Self {
        let n_columns = table.n_columns();
        let (mut bytes, mut starts) = (Vec::new(), Vec::with_capacity(n_columns + 1));
        for column_idx in 0..n_columns {
            starts.push(start(&bytes));
            table.cell(record_idx, column_idx).spell(cells, &mut bytes);
            if column_idx + 1 < n_columns {
                bytes.push(b',');
            }
        }
        // An empty line would be no record.
        if cells == Spelling::Csv && bytes.is_empty() {
            bytes.extend_from_slice(b"\"\"");
        }
        starts.push(start(&bytes));
        bytes.resize(bytes.len() + COPIED_BYTES, 0);
        Self { bytes, starts }
    }

    /// A record whose texts are in units: as it is, or with the cells of a baseline row in place of every piece.
    pub(super) fn of_pieces(
        table: &Table,
        record_idx: usize,
        cells: Spelling,
        pieces: &Pieces,
        absent: Option<BaselineRow>,
    ) -> Self {
        let (mut bytes, mut starts) = (Vec::new(), vec![0]);
        for (column_idx, text) in pieces.features().iter().enumerate() {
            let (table, row_idx) = absent.map_or((table, record_idx), |row| (row.table, row.row_idx));
            let cell = table.cell(row_idx, column_idx);
            let comma = if column_idx + 1 < pieces.features().len() { &b","[..] } else { b"" };
            match text {
                None => {
                    cell.spell(cells, &mut bytes);
                    bytes.extend_from_slice(comma);
                    starts.push(start(&bytes));
                }
                Some(text) => {
                    let replacement = absent.map(|_| cell.text());
                    write_text(text, replacement.as_deref(), cells, &mut bytes, &mut starts);
                    bytes.extend_from_slice(comma);
                }
            }
        }
        bytes.resize(bytes.len() + COPIED_BYTES, 0);
        Self { bytes, starts }
    }

    pub(super) fn of_records(table: &Table, cells: Spelling) -> Vec<Self> {
        (0..table.n_records()).map(|record_idx| Self::of_record(table, record_idx, cells)).collect()
    }

    /// With the comma, if one follows.
    pub(super) fn get(&self, idx: usize) -> &[u8] {
        &self.bytes[self.starts[idx] as usize..self.starts[idx + 1] as usize]
    }

    fn len(&self) -> usize {
        self.bytes.len() - COPIED_BYTES
    }
}

/// In quotes; what stands around the units stays where it is.
fn write_text(
    text: &CutText,
    replacement: Option<&str>,
    cells: Spelling,
    bytes: &mut Vec<u8>,
    starts: &mut Vec<u32>,
) {
    bytes.push(b'"');
    let (parts, rest) = text.parts();
    for (before, unit) in parts {
        spell_part(before, cells, bytes);
        spell_part(replacement.unwrap_or(unit), cells, bytes);
        starts.push(start(bytes));
    }
    spell_part(rest, cells, bytes);
    bytes.push(b'"');
}

/// A record's cells are a part of a request, which has less than 4 GiB.
fn start(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a table has less than 4 GiB of cells. This is a bug.")
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

impl Presence<'_> {
    pub(super) const NOBODY: Self = Self { words: &[], is_complement: false };
}

/// Rows one behind the other, with what stands around them.
#[derive(Debug, Default)]
pub(super) struct RowBuffer {
    bytes: Vec<u8>,
    /// Up to here rows are kept; behind it is room for the next.
    n_kept: usize,
}

impl RowBuffer {
    /// With room for so many bytes.
    pub(super) fn with_room(n_bytes: usize) -> Self {
        Self { bytes: vec![0; n_bytes], n_kept: 0 }
    }

    /// Writes a row behind those that are kept; returns its bytes, which stay until the next one is written.
    pub(super) fn write(
        &mut self,
        shape: &RowShape,
        columns: &Columns,
        presence: Presence,
        record: &Cells,
        absent: &Cells,
    ) -> &[u8] {
        let between = if self.n_kept == 0 { &[][..] } else { shape.between_rows };
        let around = between.len() + shape.before_row.len() + shape.after_row.len();
        self.make_room(around + record.len() + absent.len() + COPIED_BYTES);
        let mut at = append(&mut self.bytes, self.n_kept, between);
        let start = at;
        at = append(&mut self.bytes, at, &shape.before_row);
        at = write_cells(&mut self.bytes, at, columns, presence, record, absent);
        at = append(&mut self.bytes, at, &shape.after_row);
        &self.bytes[start..at]
    }

    /// Keeps the row written last, of so many bytes.
    pub(super) fn keep(&mut self, shape: &RowShape, row_bytes: usize) {
        self.n_kept = self.len_with(shape, row_bytes);
    }

    /// Bytes with one more row.
    pub(super) fn len_with(&self, shape: &RowShape, row_bytes: usize) -> usize {
        let between = if self.n_kept == 0 { 0 } else { shape.between_rows.len() };
        self.n_kept + between + row_bytes
    }

    /// What there is room for.
    pub(super) fn room(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.n_kept);
        self.bytes
    }

    fn make_room(&mut self, n_bytes: usize) {
        let needed = self.n_kept + n_bytes;
        if self.bytes.len() < needed {
            self.bytes.resize((2 * self.bytes.len()).max(needed), 0);
        }
    }
}

fn append(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    out[at..at + bytes.len()].copy_from_slice(bytes);
    at + bytes.len()
}

fn write_cells(
    out: &mut [u8],
    mut at: usize,
    columns: &Columns,
    presence: Presence,
    record: &Cells,
    absent: &Cells,
) -> usize {
    let sources = [absent, record];
    let flip = if presence.is_complement { u64::MAX } else { 0 };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::Format;

    fn table(rows: &[Vec<String>]) -> Table {
        let text = rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join("\n");
        Table::read(text.as_bytes(), Format::Csv, None, 10).expect("is a table")
    }

    fn shape(before: &str, after: &str, between_rows: &'static [u8]) -> RowShape {
        RowShape { cells: Spelling::Csv, before_row: before.into(), after_row: after.into(), between_rows }
    }

    proptest! {
        #[test]
        fn rows_are_the_chosen_cells(
            cells in prop::collection::vec(("[a-z0-9.]{1,40}", "[a-z0-9.]{1,40}", any::<bool>()), 1..100),
            masks in prop::collection::vec((any::<u64>(), any::<u64>(), any::<bool>()), 1..5),
        ) {
            let record: Vec<String> = cells.iter().map(|(own, ..)| own.clone()).collect();
            // Columns that nobody plays are the same in both.
            let absent: Vec<String> =
                cells.iter().map(|(own, other, plays)| if *plays { other } else { own }.clone()).collect();
            let players: Vec<u32> = (0..cells.len()).filter(|&idx| cells[idx].2).map(|idx| idx as u32).collect();
            let table = table(&[record.clone(), absent.clone()]);
            let (own, other) = (Cells::of_record(&table, 0, Spelling::Csv), Cells::of_record(&table, 1, Spelling::Csv));
            let (shape, columns) = (shape("<", ">", b"|"), Columns::of(&players));
            let mut buffer = RowBuffer::default();
            let mut expected = Vec::new();
            for (low, high, is_complement) in masks {
                let presence = Presence { words: &[low, high], is_complement };
                let n_bytes = buffer.write(&shape, &columns, presence, &own, &other).len();
                buffer.keep(&shape, n_bytes);
                let mut row = absent.clone();
                for (player_idx, &column) in players.iter().enumerate() {
                    let bit = [low, high][player_idx / 64] >> (player_idx % 64) & 1 == 1;
                    if bit != is_complement {
                        row[column as usize].clone_from(&record[column as usize]);
                    }
                }
                expected.push(format!("<{}>", row.join(",")));
            }
            prop_assert_eq!(String::from_utf8(buffer.into_bytes()).expect("is text"), expected.join("|"));
        }
    }

    #[test]
    fn a_row_that_is_not_kept_is_written_over() {
        let table = table(&[vec!["aaaa".to_owned()], vec!["b".to_owned()]]);
        let (a, b) = (Cells::of_record(&table, 0, Spelling::Csv), Cells::of_record(&table, 1, Spelling::Csv));
        let (shape, nobody) = (shape("", "", b"\n"), Columns::of(&[]));
        let presence = Presence::NOBODY;
        let mut buffer = RowBuffer::default();
        assert_eq!(buffer.write(&shape, &nobody, presence, &a, &a), b"aaaa");
        assert_eq!(buffer.write(&shape, &nobody, presence, &b, &b), b"b");
        assert_eq!(buffer.len_with(&shape, 1), 1);
        buffer.keep(&shape, 1);
        assert_eq!(buffer.write(&shape, &nobody, presence, &a, &a), b"aaaa");
        buffer.keep(&shape, 4);
        assert_eq!(buffer.into_bytes(), b"b\naaaa");
    }

    #[test]
    fn a_lone_empty_cell_is_no_empty_line() {
        let table = Table::read(b"\"\"\nx", Format::Csv, None, 2).expect("is a table");
        assert_eq!(Cells::of_record(&table, 0, Spelling::Csv).get(0), b"\"\"");
        let table = Table::read(b"[null]", Format::JsonLines, None, 2).expect("is a table");
        assert_eq!(Cells::of_record(&table, 0, Spelling::Csv).get(0), b"\"\"");
    }
}
