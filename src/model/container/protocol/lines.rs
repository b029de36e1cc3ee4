//! Predictions in JSON → the lines that a SageMaker container would have answered, each score in its own spelling.

use crate::records::{AnswerError, Format, Spelled};

/// One line for each record, none at the end.
pub(super) struct Lines {
    format: Format,
    n_records: usize,
    text: String,
    n_lines: usize,
    /// What names the values of the first record, and how many they are.
    first: Option<(Option<Vec<String>>, usize)>,
    /// Cells of the line that is being written.
    cells: String,
}

impl Lines {
    pub(super) fn new(format: Format, n_records: usize) -> Self {
        Self { format, n_records, text: String::new(), n_lines: 0, first: None, cells: String::new() }
    }

    pub(super) fn n_records(&self) -> usize {
        self.n_records
    }

    /// One record's number or text, its list of them, or its object.
    pub(super) fn push(&mut self, prediction: Spelled) -> Result<(), AnswerError> {
        match (prediction.elements(), prediction.members()) {
            (Some(elements), _) => self.row(elements),
            (None, Some(members)) => self.object(prediction, members),
            (None, None) => self.row(std::iter::once(prediction)),
        }
    }

    pub(super) fn row<'a>(&mut self, cells: impl Iterator<Item = Spelled<'a>>) -> Result<(), AnswerError> {
        if !self.begin() {
            return Ok(());
        }
        let n_cells = self.write_cells(cells)?;
        self.check(None, n_cells)?;
        match (self.format, n_cells) {
            (Format::Csv, _) => self.text.push_str(&self.cells),
            (Format::JsonLines, 1) => self.text.extend(["{\"score\":", &self.cells, "}"]),
            (Format::JsonLines, _) => self.text.extend(["{\"score\":[", &self.cells, "]}"]),
        }
        Ok(())
    }

    fn object<'a>(
        &mut self,
        object: Spelled<'a>,
        members: impl Iterator<Item = (Spelled<'a>, Spelled<'a>)>,
    ) -> Result<(), AnswerError> {
        if !self.begin() {
            return Ok(());
        }
        let (names, values): (Vec<Spelled>, Vec<Spelled>) = members.unzip();
        let names: Result<Vec<String>, _> = names.into_iter().map(Spelled::string).collect();
        self.check(Some(names.map_err(self.not_json())?), values.len())?;
        match self.format {
            Format::Csv => {
                self.write_cells(values.into_iter())?;
                self.text.push_str(&self.cells);
                Ok(())
            }
            Format::JsonLines => object.write(Format::JsonLines, &mut self.text).map_err(self.not_json()),
        }
    }

    /// Whether the line is wanted; lines over their number are only counted.
    fn begin(&mut self) -> bool {
        self.n_lines += 1;
        if (2..=self.n_records).contains(&self.n_lines) {
            self.text.push('\n');
        }
        self.n_lines <= self.n_records
    }

    /// The number of cells.
    fn write_cells<'a>(&mut self, cells: impl Iterator<Item = Spelled<'a>>) -> Result<usize, AnswerError> {
        self.cells.clear();
        let mut n_cells = 0;
        for cell in cells {
            if n_cells > 0 {
                self.cells.push(',');
            }
            cell.write(self.format, &mut self.cells).map_err(self.not_json())?;
            n_cells += 1;
        }
        // An empty line would be no record.
        if self.format == Format::Csv && self.cells.is_empty() {
            self.cells.push_str("\"\"");
        }
        Ok(n_cells)
    }

    /// All records have what the first one has, in its order.
    fn check(&mut self, names: Option<Vec<String>>, got: usize) -> Result<(), AnswerError> {
        let record = self.n_lines;
        if got == 0 {
            return Err(AnswerError::NoScores { record });
        }
        match self.first.get_or_insert_with(|| (names.clone(), got)) {
            (first, _) if *first != names => Err(AnswerError::Labels { record }),
            (_, expected) if *expected != got => Err(AnswerError::Outputs { record, got, expected: *expected }),
            _ => Ok(()),
        }
    }

    fn not_json(&self) -> impl Fn(serde_json::Error) -> AnswerError + use<> {
        let record = self.n_lines;
        move |source| AnswerError::Json { record, source }
    }

    pub(super) fn finish(self) -> Result<String, AnswerError> {
        match self.n_lines == self.n_records {
            true => Ok(self.text),
            false => Err(AnswerError::Count { got: self.n_lines, expected: self.n_records }),
        }
    }
}
