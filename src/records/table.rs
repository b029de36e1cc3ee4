//! The records of one payload: cells of one width, as the client spelled them, and the same as numbers.

use std::borrow::Cow;
use std::sync::OnceLock;

use ndarray::Array2;

use super::cell::Cell;
use super::csv::CsvError;
use super::encoding::Encoding;
use super::json_lines::FeaturesError;
use super::json_tree::JsonError;
use super::{Expression, Format, csv, json_lines, shorten};

/// Features of one record.
const COLUMNS_MAX: usize = 65_536;

/// Bytes of all cells together, as far as their ends are counted in u32.
const CELL_BYTES_MAX: usize = u32::MAX as usize;

/// Stands in errors for texts of records that whoever reads them may not see.
const NOT_SHOWN: &str = "(not shown)";

/// The spellings of all cells in one text, one after the other.
#[derive(Debug)]
pub struct Table {
    format: Format,
    n_columns: usize,
    text: String,
    /// Where each cell ends in `text`, record by record.
    ends: Vec<u32>,
    shows_texts: bool,
    numbers: OnceLock<Result<Array2<f32>, CellError>>,
}

/// Records and columns count from 1, as people do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    #[error("the payload has no records")]
    Empty,
    #[error("record {record} is an empty line")]
    EmptyLine { record: usize },
    #[error("record {record} has no features")]
    NoFeatures { record: usize },
    #[error("record {record} has {n_columns} features instead of {expected}")]
    Width { record: usize, n_columns: usize, expected: usize },
    #[error("record {record} has more features than the limit of {limit} features")]
    TooWide { record: usize, limit: usize },
    #[error("the payload has more records than the limit of {limit} records")]
    TooMany { limit: usize },
    #[error("with record {record} the features take {bytes} bytes; the limit is {limit} bytes")]
    TooLong { record: usize, bytes: usize, limit: usize },
    #[error("record {record}, column {column}: {reason}")]
    Csv { record: usize, column: usize, reason: CsvError },
    #[error("record {record}: {reason}")]
    Json { record: usize, reason: JsonError },
    #[error("record {record}: {reason}")]
    Features { record: usize, reason: FeaturesError },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    #[error("record {record}, column {column}: {text:?} is not a number")]
    NotANumber { record: usize, column: usize, text: String },
    #[error("record {record}, column {column}: {text:?} is outside the range of float32")]
    OutOfRange { record: usize, column: usize, text: String },
    #[error(
        "record {record}, column {column}: {text} is no text; a text feature is a string or null in JSON, and FeatureTypes says which features are texts"
    )]
    NotAText { record: usize, column: usize, text: String },
    #[error(
        "record {record}: its texts have {bytes} bytes; the limit of those that are explained is {limit} bytes"
    )]
    LongText { record: usize, bytes: usize, limit: usize },
    #[error(
        "record {record}: its texts have {n_units} units, and with the baseline's texts in their place {bytes} bytes; \
         the limit is {limit} bytes"
    )]
    TooManyUnits { record: usize, n_units: usize, bytes: usize, limit: usize },
}

impl Table {
    /// `features` says where the features of a JSON Lines record are; without it the record is an array of them.
    pub fn read(
        payload: &[u8],
        format: Format,
        features: Option<&Expression>,
        records_max: usize,
    ) -> Result<Self, TableError> {
        let mut rows = Rows::new(records_max, payload.len());
        match format {
            Format::Csv => csv::read(payload, &mut rows)?,
            Format::JsonLines => json_lines::read(payload, features, &mut rows)?,
        }
        let Rows { n_columns, text, ends, .. } = rows;
        Ok(Self { format, n_columns, text, ends, shows_texts: true, numbers: OnceLock::new() })
    }

    /// The same table, whose errors show nothing of what is in its cells.
    pub fn without_texts(self) -> Self {
        Self { shows_texts: false, numbers: OnceLock::new(), ..self }
    }

    /// The same table with strings in these columns, so that they are texts in either format.
    pub fn with_strings(self, columns: &[usize]) -> Self {
        let (mut text, mut ends) = (String::with_capacity(self.text.len()), Vec::with_capacity(self.ends.len()));
        for (column_idx, cell) in self.rows().flat_map(Iterator::enumerate) {
            text.push_str(&if columns.contains(&column_idx) { cell.string() } else { cell.raw().into() });
            ends.push(text.len() as u32);
        }
        Self { text, ends, numbers: OnceLock::new(), ..self }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    pub fn n_records(&self) -> usize {
        self.ends.len() / self.n_columns
    }

    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub fn cell(&self, record_idx: usize, column_idx: usize) -> Cell<'_> {
        let idx = record_idx * self.n_columns + column_idx;
        let start = if idx == 0 { 0 } else { self.ends[idx - 1] as usize };
        Cell::new(&self.text[start..self.ends[idx] as usize], self.format)
    }

    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = Cell<'_>>> {
        let row = move |record_idx| (0..self.n_columns).map(move |column_idx| self.cell(record_idx, column_idx));
        (0..self.n_records()).map(row)
    }

    /// All cells as numbers, as one model takes them: what `encode` gave at the first call.
    pub fn numbers(&self, encoding: &Encoding) -> Result<&Array2<f32>, CellError> {
        self.numbers.get_or_init(|| self.encode(encoding)).as_ref().map_err(CellError::clone)
    }

    /// All cells as numbers, `[n_records × n_columns]`. An empty cell, `null` or `nan` is NaN: missing; in a column
    /// with names it is a text like others.
    pub fn encode(&self, encoding: &Encoding) -> Result<Array2<f32>, CellError> {
        let mut numbers = Array2::zeros((self.n_records(), self.n_columns));
        for ((record_idx, column_idx), number) in numbers.indexed_iter_mut() {
            let text = self.cell(record_idx, column_idx).text();
            *number = match encoding.code(column_idx, &text) {
                Some(code) => code,
                None => {
                    let refused = |refuse: Refuse| refuse(record_idx + 1, column_idx + 1, self.shown(&text));
                    parse_number(&text).map_err(refused)?
                }
            };
        }
        Ok(numbers)
    }

    /// What a text feature of a record says.
    pub fn text(&self, record_idx: usize, column_idx: usize) -> Result<Cow<'_, str>, CellError> {
        let cell = self.cell(record_idx, column_idx);
        if cell.is_text() {
            return Ok(cell.text());
        }
        let (record, column) = (record_idx + 1, column_idx + 1);
        Err(CellError::NotAText { record, column, text: self.shown(cell.raw()) })
    }

    /// A cell as an error may repeat it.
    fn shown(&self, text: &str) -> String {
        if self.shows_texts { shorten(text) } else { NOT_SHOWN.to_owned() }
    }
}

impl TableError {
    /// The same fault at the same place, without what the record says there.
    pub fn without_texts(self) -> Self {
        match self {
            Self::Json { record, reason } => Self::Json { record, reason: json_without_texts(reason) },
            // Expressions name kinds of values and no values.
            Self::Features { .. } => self,
            Self::Empty
            | Self::EmptyLine { .. }
            | Self::NoFeatures { .. }
            | Self::Width { .. }
            | Self::TooWide { .. }
            | Self::TooMany { .. }
            | Self::TooLong { .. }
            | Self::Csv { .. } => self,
        }
    }
}

fn json_without_texts(error: JsonError) -> JsonError {
    let text = NOT_SHOWN.to_owned();
    match error {
        JsonError::Unexpected { byte, .. } => JsonError::Unexpected { byte, text },
        JsonError::OutOfRange { byte, .. } => JsonError::OutOfRange { byte, text },
        JsonError::KeyTwice { byte, .. } => JsonError::KeyTwice { byte, key: text },
        // Its reason names a kind of escape or character.
        JsonError::String { .. }
        | JsonError::EndsEarly { .. }
        | JsonError::TooDeep { .. }
        | JsonError::TooManyValues { .. }
        | JsonError::Payload(_) => error,
    }
}

/// A number that is not there.
pub(super) fn is_missing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("nan")
}

type Refuse = fn(usize, usize, String) -> CellError;

fn parse_number(text: &str) -> Result<f32, Refuse> {
    if is_missing(text) {
        return Ok(f32::NAN);
    }
    let text = text.trim();
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(|record, column, text| CellError::OutOfRange { record, column, text }),
        Err(_) => Err(|record, column, text| CellError::NotANumber { record, column, text }),
    }
}

/// A table while it is read, cell by cell.
pub(super) struct Rows {
    records_max: usize,
    n_records: usize,
    /// 0 until the first record ends.
    n_columns: usize,
    text: String,
    ends: Vec<u32>,
}

impl Rows {
    fn new(records_max: usize, payload_bytes: usize) -> Self {
        Self {
            records_max,
            n_records: 0,
            n_columns: 0,
            text: String::with_capacity(payload_bytes),
            ends: Vec::new(),
        }
    }

    /// The number of the record that is being read.
    pub(super) fn record(&self) -> usize {
        self.n_records + 1
    }

    /// The number of the column that comes next.
    pub(super) fn column(&self) -> usize {
        self.n_pushed() + 1
    }

    fn n_pushed(&self) -> usize {
        self.ends.len() - self.n_records * self.n_columns
    }

    pub(super) fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        // An end that does not fit is refused where its record ends.
        self.ends.push(self.text.len() as u32);
    }

    /// Called while a record goes on, so that one without end takes no more.
    pub(super) fn check_width(&self) -> Result<(), TableError> {
        if self.n_pushed() > COLUMNS_MAX {
            return Err(TableError::TooWide { record: self.record(), limit: COLUMNS_MAX });
        }
        Ok(())
    }

    pub(super) fn end_record(&mut self) -> Result<(), TableError> {
        let (record, n_columns, bytes) = (self.record(), self.n_pushed(), self.text.len());
        if record > self.records_max {
            return Err(TableError::TooMany { limit: self.records_max });
        }
        self.check_width()?;
        if bytes > CELL_BYTES_MAX {
            return Err(TableError::TooLong { record, bytes, limit: CELL_BYTES_MAX });
        }
        match (record, n_columns) {
            (1, 0) => return Err(TableError::NoFeatures { record }),
            (1, _) => self.n_columns = n_columns,
            _ if n_columns == self.n_columns => {}
            _ => return Err(TableError::Width { record, n_columns, expected: self.n_columns }),
        }
        self.n_records = record;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(payload: &str, format: Format) -> Result<Vec<f32>, String> {
        let table = Table::read(payload.as_bytes(), format, None, 5).map_err(|error| error.to_string())?;
        table
            .numbers(&Encoding::default())
            .map(|numbers| numbers.iter().copied().collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_parsed_and_gaps_are_missing() {
        for (payload, format) in [
            ("1.5,,nan, NaN ,\"\",\"-3e2\"\n", Format::Csv),
            ("[1.5,null,\"nan\",\" NaN \",\"\",\"-3e2\"]\n", Format::JsonLines),
        ] {
            let numbers = numbers(payload, format).expect(payload);
            assert_eq!((numbers[0], numbers[5]), (1.5, -300.0));
            assert!(numbers[1..5].iter().all(|number| number.is_nan()), "{payload}");
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (payload, format, text) in [
            ("1,2\n3,red\n", Format::Csv, "record 2, column 2: \"red\" is not a number"),
            ("1,0x10\n", Format::Csv, "record 1, column 2: \"0x10\" is not a number"),
            ("inf\n", Format::Csv, "record 1, column 1: \"inf\" is outside the range of float32"),
            ("1e39\n", Format::Csv, "record 1, column 1: \"1e39\" is outside the range of float32"),
            ("[1]\n[true]", Format::JsonLines, "record 2, column 1: \"true\" is not a number"),
            ("[1,\"r\\u0065d\"]", Format::JsonLines, "record 1, column 2: \"red\" is not a number"),
            ("[\"null\"]", Format::JsonLines, "record 1, column 1: \"null\" is not a number"),
        ] {
            assert_eq!(numbers(payload, format).expect_err(payload), text);
        }
    }

    #[test]
    fn errors_without_texts_keep_record_column_and_fault() {
        let error = |payload: &str, format: Format| match Table::read(payload.as_bytes(), format, None, 5) {
            Ok(table) => table.without_texts().encode(&Encoding::default()).expect_err(payload).to_string(),
            Err(error) => error.without_texts().to_string(),
        };
        let (csv, lines) = (Format::Csv, Format::JsonLines);
        for (payload, format, expected) in [
            ("1,2\n3,secret\n", csv, "record 2, column 2: \"(not shown)\" is not a number"),
            ("7e77\n", csv, "record 1, column 1: \"(not shown)\" is outside the range of float32"),
            ("[1]\n[\"secret\"]", lines, "record 2, column 1: \"(not shown)\" is not a number"),
            ("[secret]", lines, "record 1: byte 2: \"(not shown)\" is not what JSON has here"),
            ("[1]\nsecret", lines, "record 2: byte 1: \"(not shown)\" is not what JSON has here"),
            ("[7e777]", lines, "record 1: byte 2: the number (not shown) is outside the range of float64"),
            ("[\"\\x\"]", lines, "record 1: byte 2: the string is not JSON: invalid escape"),
            ("{\"secret\":1,\"secret\":2}", lines, "record 1: byte 13: the key \"(not shown)\" is there twice"),
            (
                "1,\"secret\"2",
                csv,
                "record 1, column 2: a closing quote is followed by more than a comma or a line break",
            ),
            ("[1]\n[1,2]", lines, "record 2 has 2 features instead of 1"),
        ] {
            assert_eq!(error(payload, format), expected);
        }
    }

    #[test]
    fn text_in_a_column_with_names_is_its_place_among_them() {
        let names = ["red", "a, \"b\"", "", "7"].map(str::to_owned);
        let encoding = Encoding::new([None, Some(names.as_slice())]);
        let csv = "1,red\n2,\"a, \"\"b\"\"\"\n3,\n,7\n4,7.0\n5, red\n6,nan\n7,\"red\"\n";
        let json = "[1,\"r\\u0065d\"]\n[2,\"a, \\\"b\\\"\"]\n[3,null]\n[null,7]\n[4,7.0]\n[5,\" red\"]\n[6,\"nan\"]\n[7,\"red\"]";
        for (payload, format) in [(csv, Format::Csv), (json, Format::JsonLines)] {
            let table = Table::read(payload.as_bytes(), format, None, 8).expect(payload);
            let numbers = table.encode(&encoding).expect("text is no error");
            assert_eq!(numbers.column(1).to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 0.0], "{payload}");
            assert!(numbers[[3, 0]].is_nan() && numbers[[4, 0]] == 4.0, "{payload}");
        }
        let table = Table::read(b"red,red", Format::Csv, None, 1).expect("reads");
        let error = table.encode(&encoding).expect_err("the first column takes numbers");
        assert_eq!(error.to_string(), "record 1, column 1: \"red\" is not a number");
    }

    #[test]
    fn a_record_may_have_so_many_columns_and_no_more() {
        let read = |n_columns: usize| {
            let table = Table::read(",".repeat(n_columns - 1).as_bytes(), Format::Csv, None, 5);
            table.map(|table| (table.n_records(), table.n_columns())).map_err(|error| error.to_string())
        };
        assert_eq!(read(65_536), Ok((1, 65_536)));
        assert_eq!(read(65_537), Err("record 1 has more features than the limit of 65536 features".to_owned()));
    }
}
