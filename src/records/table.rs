//! `text/csv` without a header row → records of cells, all of one width.

use std::sync::OnceLock;

use ndarray::Array2;

/// Cells of all records in one text, as they were spelled, quotes undone.
#[derive(Debug)]
pub struct Table {
    n_columns: usize,
    text: String,
    /// Where each cell ends in `text`, record by record.
    ends: Vec<u32>,
    numbers: OnceLock<Result<Array2<f32>, CellError>>,
}

/// Records count from 1, as people do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    #[error("the payload has no records")]
    Empty,
    #[error("record {record} is an empty line")]
    EmptyLine { record: usize },
    #[error("record {record} has {n_columns} features instead of {expected}")]
    Width { record: usize, n_columns: usize, expected: usize },
    #[error("record {record}: the text is not UTF-8")]
    NotUtf8 { record: usize },
    #[error("the payload has more records than the limit of {limit} records")]
    TooMany { limit: usize },
    #[error("the payload of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLong { bytes: usize, limit: usize },
    #[error("record {record}: {reason}")]
    Csv { record: usize, reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    #[error("record {record}, column {column}: {text:?} is not a number")]
    NotANumber { record: usize, column: usize, text: String },
    #[error("record {record}, column {column}: {text:?} is outside the range of float32")]
    OutOfRange { record: usize, column: usize, text: String },
}

impl Table {
    /// One record a line; a last line break is no record, an empty line is an error.
    pub fn read_csv(payload: &[u8], records_max: usize) -> Result<Self, TableError> {
        if u32::try_from(payload.len()).is_err() {
            return Err(TableError::TooLong { bytes: payload.len(), limit: u32::MAX as usize });
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(payload);
        let mut table = Self { n_columns: 0, text: String::new(), ends: Vec::new(), numbers: OnceLock::new() };
        let mut row = csv::ByteRecord::new();
        let mut record = 1;
        loop {
            let rest = unread(payload, reader.position().byte() as usize);
            // The reader skips empty lines; a record must not vanish.
            if matches!(rest, [b'\n' | b'\r', ..]) {
                let is_blank = payload.iter().all(|byte| b"\r\n".contains(byte));
                return Err(if is_blank { TableError::Empty } else { TableError::EmptyLine { record } });
            }
            let more = reader.read_byte_record(&mut row);
            if !more.map_err(|error| TableError::Csv { record, reason: error.to_string() })? {
                break;
            }
            if record > records_max {
                return Err(TableError::TooMany { limit: records_max });
            }
            table.push(record, &row)?;
            record += 1;
        }
        if table.ends.is_empty() {
            return Err(TableError::Empty);
        }
        Ok(table)
    }

    fn push(&mut self, record: usize, row: &csv::ByteRecord) -> Result<(), TableError> {
        if record == 1 {
            self.n_columns = row.len();
        }
        if row.len() != self.n_columns {
            return Err(TableError::Width { record, n_columns: row.len(), expected: self.n_columns });
        }
        for cell in row {
            self.text.push_str(std::str::from_utf8(cell).map_err(|_| TableError::NotUtf8 { record })?);
            self.ends.push(self.text.len() as u32);
        }
        Ok(())
    }

    pub fn n_records(&self) -> usize {
        self.ends.len() / self.n_columns
    }

    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// A cell as it was spelled.
    pub fn cell(&self, record_idx: usize, column_idx: usize) -> &str {
        let idx = record_idx * self.n_columns + column_idx;
        let start = if idx == 0 { 0 } else { self.ends[idx - 1] as usize };
        &self.text[start..self.ends[idx] as usize]
    }

    /// All cells as numbers, `[n_records × n_columns]`; parsed at the first call. An empty cell or `nan` is NaN: missing.
    pub fn numbers(&self) -> Result<&Array2<f32>, CellError> {
        self.numbers.get_or_init(|| self.parse()).as_ref().map_err(CellError::clone)
    }

    fn parse(&self) -> Result<Array2<f32>, CellError> {
        let mut numbers = Array2::zeros((self.n_records(), self.n_columns));
        for ((record_idx, column_idx), number) in numbers.indexed_iter_mut() {
            *number = parse_cell(self.cell(record_idx, column_idx)).map_err(|refuse| {
                refuse(record_idx + 1, column_idx + 1, shorten(self.cell(record_idx, column_idx)))
            })?;
        }
        Ok(numbers)
    }
}

/// What the reader has still to read: it leaves the second byte of `\r\n` behind.
fn unread(payload: &[u8], start: usize) -> &[u8] {
    match (&payload[..start], &payload[start..]) {
        ([.., b'\r'], [b'\n', rest @ ..]) => rest,
        (_, rest) => rest,
    }
}

type Refuse = fn(usize, usize, String) -> CellError;

fn parse_cell(cell: &str) -> Result<f32, Refuse> {
    let cell = cell.trim();
    if cell.is_empty() || cell.eq_ignore_ascii_case("nan") {
        return Ok(f32::NAN);
    }
    match cell.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(|record, column, text| CellError::OutOfRange { record, column, text }),
        Err(_) => Err(|record, column, text| CellError::NotANumber { record, column, text }),
    }
}

/// Enough of a cell to find it again.
fn shorten(cell: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    match cell.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &cell[..end]),
        None => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Result<Vec<Vec<String>>, TableError> {
        let table = Table::read_csv(payload.as_bytes(), 5)?;
        let row = |record| (0..table.n_columns()).map(|column| table.cell(record, column).to_owned()).collect();
        Ok((0..table.n_records()).map(row).collect())
    }

    #[test]
    fn cells_keep_their_spelling() {
        assert_eq!(read("1e5, 2\n").expect("reads"), [["1e5", " 2"]]);
        assert_eq!(read("\"a,\"\"b\"\"\",1\r\n\"x\n\ny\",2").expect("reads"), [["a,\"b\"", "1"], ["x\n\ny", "2"]]);
        assert_eq!(read(",\n1,").expect("reads"), [["", ""], ["1", ""]]);
    }

    #[test]
    fn broken_payloads_name_the_record() {
        use TableError::{Empty, EmptyLine, TooMany, Width};
        assert_eq!(read(""), Err(Empty));
        assert_eq!(read("\n"), Err(Empty));
        assert_eq!(read("1,2\n3\n"), Err(Width { record: 2, n_columns: 1, expected: 2 }));
        for payload in ["1,2\n\n3,4\n", "1,2\n\n3,4", "1,2\r\n\r\n3,4", "\"1\",2\r\r3,4", "1,2\n\n"] {
            assert_eq!(read(payload), Err(EmptyLine { record: 2 }), "{payload:?}");
        }
        assert_eq!(read("\n1,2"), Err(EmptyLine { record: 1 }));
        assert_eq!(read("1\n2\n3\n4\n5\n6"), Err(TooMany { limit: 5 }));
        let not_utf8 = Table::read_csv(b"1\n\xff\n", 5).map(|table| table.n_records());
        assert_eq!(not_utf8, Err(TableError::NotUtf8 { record: 2 }));
    }

    #[test]
    fn numbers_are_parsed_and_gaps_are_missing() {
        let table = Table::read_csv(b"1.5,,nan, NaN ,-3e2\n", 5).expect("reads");
        let numbers = table.numbers().expect("numbers");
        assert_eq!((numbers[[0, 0]], numbers[[0, 4]]), (1.5, -300.0));
        assert!((1..4).all(|column| numbers[[0, column]].is_nan()));
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (payload, text) in [
            ("1,2\n3,red\n", "record 2, column 2: \"red\" is not a number"),
            ("1,0x10\n", "record 1, column 2: \"0x10\" is not a number"),
            ("inf\n", "record 1, column 1: \"inf\" is outside the range of float32"),
            ("1e39\n", "record 1, column 1: \"1e39\" is outside the range of float32"),
        ] {
            let table = Table::read_csv(payload.as_bytes(), 5).expect("reads");
            assert_eq!(table.numbers().expect_err("is refused").to_string(), text);
        }
    }
}
