//! Synthetic records as requests hold them: rows one behind the other, with what stands around them, in the spelling of
//! the request. Knows no requests.

use super::protocol::RowShape;
use crate::model::rows::{Cells, Columns, Place, Presence, Writing, row_bytes_max, write_cells};
use crate::records::{Cell, Spelling, spell_part};

/// Each cell keeps its own spelling, with a comma behind it, if one follows; a text that is cut stands in quotes.
impl Writing for Spelling {
    fn cell(&self, cell: Cell, place: Place, out: &mut Vec<u8>) {
        cell.spell(*self, out);
        // An empty line would be no record.
        if *self == Self::Csv && place.n_columns == 1 && out.is_empty() {
            out.extend_from_slice(b"\"\"");
        }
        comma(place, out);
    }

    fn open(&self, _: Place, out: &mut Vec<u8>) {
        out.push(b'"');
    }

    fn part(&self, part: &str, _: Place, out: &mut Vec<u8>) {
        spell_part(part, *self, out);
    }

    fn close(&self, place: Place, out: &mut Vec<u8>) {
        out.push(b'"');
        comma(place, out);
    }
}

fn comma(place: Place, out: &mut Vec<u8>) {
    if !place.is_last() {
        out.push(b',');
    }
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
        self.make_room(around + row_bytes_max(record, absent));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::{Format, Table};

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
            let (own, other) = (Cells::of_record(&table, 0, &Spelling::Csv), Cells::of_record(&table, 1, &Spelling::Csv));
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
        let (a, b) = (Cells::of_record(&table, 0, &Spelling::Csv), Cells::of_record(&table, 1, &Spelling::Csv));
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
        assert_eq!(Cells::of_record(&table, 0, &Spelling::Csv).get(0), b"\"\"");
        let table = Table::read(b"[null]", Format::JsonLines, None, 2).expect("is a table");
        assert_eq!(Cells::of_record(&table, 0, &Spelling::Csv).get(0), b"\"\"");
    }
}
