//! `text/csv` without a header row (RFC 4180) → rows of cells as they are spelled, quotes and blanks included.
//! Knows nothing of what a cell means.

use super::cell::BLANKS;
use super::payload::{PayloadError, readable};
use super::table::{Rows, TableError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    #[error("the quote that opens here is never closed")]
    Unterminated,
    #[error("a closing quote is followed by more than a comma or a line break")]
    AfterQuote,
    #[error("a quote stands after a blank; a quoted cell begins with its quote")]
    QuoteAfterBlank,
    #[error("a carriage return without a line feed stands outside quotes")]
    LoneReturn,
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// What ends a cell.
#[derive(PartialEq)]
enum End {
    Comma,
    Line,
    Text,
}

/// One record a line; a last line break is no record, an empty line is an error.
pub(super) fn read(payload: &[u8], rows: &mut Rows) -> Result<(), TableError> {
    if payload.iter().all(|byte| b"\r\n".contains(byte)) {
        return Err(TableError::Empty);
    }
    let (text, fault) = readable(payload);
    let mut cells = Cells { text, at: 0, fault };
    while !cells.are_read() {
        if cells.meet_empty_line() {
            return Err(TableError::EmptyLine { record: rows.record() });
        }
        read_record(&mut cells, rows)?;
    }
    Ok(())
}

fn read_record(cells: &mut Cells, rows: &mut Rows) -> Result<(), TableError> {
    loop {
        let (cell, end) = cells.next().map_err(|reason| TableError::Csv {
            record: rows.record(),
            column: rows.column(),
            reason,
        })?;
        rows.push(cell);
        rows.check_width()?;
        if end != End::Comma {
            return rows.end_record();
        }
    }
}

struct Cells<'a> {
    text: &'a str,
    at: usize,
    /// What stands behind the text, an error for whoever comes there.
    fault: Option<PayloadError>,
}

impl<'a> Cells<'a> {
    fn are_read(&self) -> bool {
        self.at == self.text.len() && self.fault.is_none()
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn meet_empty_line(&self) -> bool {
        matches!(self.rest(), [b'\n', ..] | [b'\r', b'\n', ..])
    }

    fn next(&mut self) -> Result<(&'a str, End), CsvError> {
        let start = self.at;
        self.at += match self.rest() {
            [b'"', quoted @ ..] => 1 + self.quoted_bytes(quoted)?,
            rest => memchr::memchr3(b',', b'\n', b'\r', rest).unwrap_or(rest.len()),
        };
        let cell = &self.text[start..self.at];
        if cell.starts_with(BLANKS) && cell.trim_start_matches(BLANKS).starts_with('"') {
            return Err(CsvError::QuoteAfterBlank);
        }
        let (end, n_bytes) = match (self.rest(), self.fault) {
            ([b',', ..], _) => (End::Comma, 1),
            ([b'\n', ..], _) => (End::Line, 1),
            ([b'\r', b'\n', ..], _) => (End::Line, 2),
            ([b'\r', ..], _) => return Err(CsvError::LoneReturn),
            ([_, ..], _) => return Err(CsvError::AfterQuote),
            ([], Some(fault)) => return Err(fault.into()),
            ([], None) => (End::Text, 0),
        };
        self.at += n_bytes;
        Ok((cell, end))
    }

    /// Bytes up to and with the closing quote; a quote that is doubled closes nothing.
    fn quoted_bytes(&self, quoted: &[u8]) -> Result<usize, CsvError> {
        let mut at = 0;
        while let Some(quote) = memchr::memchr(b'"', &quoted[at..]) {
            at += quote + 1;
            if quoted.get(at) != Some(&b'"') {
                return Ok(at);
            }
            at += 1;
        }
        Err(self.fault.map_or(CsvError::Unterminated, CsvError::Payload))
    }
}

#[cfg(test)]
mod tests {
    use crate::records::{Format, Table};

    fn read(payload: &[u8]) -> Result<Vec<Vec<String>>, String> {
        let table = Table::read(payload, Format::Csv, None, 5).map_err(|error| error.to_string())?;
        Ok(table.rows().map(|row| row.map(|cell| cell.raw().to_owned()).collect()).collect())
    }

    #[test]
    fn cells_keep_their_spelling() {
        for (payload, expected) in [
            ("1,2,3,4", vec![vec!["1", "2", "3", "4"]]),
            ("1e5, 2\n", vec![vec!["1e5", " 2"]]),
            ("\"This is a good product\",5", vec![vec!["\"This is a good product\"", "5"]]),
            ("\"a,\"\"b\"\"\",1\r\n\"x\n\r\ny\",2", vec![vec!["\"a,\"\"b\"\"\"", "1"], vec!["\"x\n\r\ny\"", "2"]]),
            ("1,2\n3,4\r\n5,6", vec![vec!["1", "2"], vec!["3", "4"], vec!["5", "6"]]),
            (",\n1,", vec![vec!["", ""], vec!["1", ""]]),
            ("a\"b,\"\"\n c\"d\",é", vec![vec!["a\"b", "\"\""], vec![" c\"d\"", "é"]]),
        ] {
            assert_eq!(read(payload.as_bytes()).expect(payload), expected);
        }
    }

    #[test]
    fn faults_name_record_and_column() {
        for (payload, expected) in [
            (&b""[..], "the payload has no records"),
            (b"\r\n\n", "the payload has no records"),
            (b"\n1,2", "record 1 is an empty line"),
            (b"1,2\n\n3,4\n", "record 2 is an empty line"),
            (b"1,2\n\n3,4", "record 2 is an empty line"),
            (b"1,2\r\n\r\n3,4", "record 2 is an empty line"),
            (b"1,2\n\n", "record 2 is an empty line"),
            (b"1,2\n3\n", "record 2 has 1 features instead of 2"),
            (b"1\n2\n3\n4\n5\n6", "the payload has more records than the limit of 5 records"),
            (b"1,\"2\n3,4\n", "record 1, column 2: the quote that opens here is never closed"),
            (b"1,2\n\"3\"\"", "record 2, column 1: the quote that opens here is never closed"),
            (
                b"1,\"2\" \n",
                "record 1, column 2: a closing quote is followed by more than a comma or a line break",
            ),
            (
                b"1, \"2, 3\"\n",
                "record 1, column 2: a quote stands after a blank; a quoted cell begins with its quote",
            ),
            (b"1\r2", "record 1, column 1: a carriage return without a line feed stands outside quotes"),
            (b"1\n\"2\"\r", "record 2, column 1: a carriage return without a line feed stands outside quotes"),
            (b"1\n\xff\n", "record 2, column 1: the text is not UTF-8"),
            (b"1,2\n3,\"\n\xe2\x82\",4", "record 2, column 2: the text is not UTF-8"),
            (b"1,2\n3,4\0", "record 2, column 2: the text has a NUL character"),
            (b"\xef\xbb\xbf1,2", "record 1, column 1: the text begins with a byte order mark"),
        ] {
            assert_eq!(read(payload).expect_err("is refused"), expected, "{payload:?}");
        }
    }
}
