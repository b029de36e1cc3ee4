//! The file of records → records as clients send them, a few at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::players::Players;
use crate::endpoints::Probe;
use crate::fetch::read_file;
use crate::model::{Call, Message, TargetName};
use crate::records::{Format, Table};

const FILE_BYTES_MAX: u64 = 64 << 20;
const FILE_RECORDS_MAX: usize = 1 << 20;

/// What the caller says about the records.
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) content_type: Option<String>,
    pub(super) target_model: Option<TargetName>,
}

/// The file, before it is known where its features are.
pub(super) struct Payload {
    bytes: Vec<u8>,
    pub(super) content_type: String,
    pub(super) format: Format,
    target_model: Option<TargetName>,
}

/// At least one record.
pub(super) struct Records {
    payload: Payload,
    /// As they stand in the file.
    pub(super) lines: Vec<String>,
    /// The first record has words where the second has numbers.
    pub(super) has_header: bool,
    /// Where texts play in units.
    pub(super) players: Option<Players>,
}

impl Input {
    pub(super) fn read(self) -> anyhow::Result<Payload> {
        let content_type = self.content_type()?;
        let format = Format::from_mime(&content_type).with_context(|| {
            format!(
                "the content type {content_type:?} is not supported; supported: text/csv, application/jsonlines"
            )
        })?;
        let bytes = read_file(&self.path, FILE_BYTES_MAX)?;
        Ok(Payload { bytes, content_type, format, target_model: self.target_model })
    }

    fn content_type(&self) -> anyhow::Result<String> {
        let ending = self.path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match (&self.content_type, ending.as_str()) {
            (Some(content_type), _) => Ok(content_type.clone()),
            (None, "csv") => Ok(Format::Csv.mime().to_owned()),
            (None, "jsonl" | "jsonlines") => Ok(Format::JsonLines.mime().to_owned()),
            (None, _) => bail!("{}: the ending does not say the format: give --content-type", self.path.display()),
        }
    }
}

impl Payload {
    /// As the endpoint reads it.
    pub(super) fn table(&self, probe: &Probe) -> anyhow::Result<Table> {
        Ok(probe.records(&self.bytes, self.format, FILE_RECORDS_MAX)?)
    }

    /// In JSON Lines.
    pub(super) fn first_line(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        text.lines().next().filter(|_| self.format == Format::JsonLines)
    }

    pub(super) fn into_records(self, table: &Table, players: Option<Players>) -> Records {
        let lines = match self.format {
            Format::Csv => {
                table.rows().map(|row| row.map(|cell| cell.raw()).collect::<Vec<_>>().join(",")).collect()
            }
            Format::JsonLines => String::from_utf8_lossy(&self.bytes).lines().map(str::to_owned).collect(),
        };
        let has_header = self.format == Format::Csv && has_header(table);
        Records { payload: self, lines, has_header, players }
    }
}

fn has_header(table: &Table) -> bool {
    let is_number = |record_idx, column_idx| {
        table.cell(record_idx, column_idx).text().trim().parse::<f64>().is_ok_and(f64::is_finite)
    };
    let columns = || 0..table.n_columns();
    table.n_records() > 1 && !columns().any(|idx| is_number(0, idx)) && columns().any(|idx| is_number(1, idx))
}

impl Records {
    pub(super) fn format(&self) -> Format {
        self.payload.format
    }

    /// The first records, in a circle where there are fewer, as one client's request.
    pub(super) fn call(
        &self,
        probe: &Probe,
        n_records: usize,
        accept: Option<&str>,
        wait: Duration,
    ) -> anyhow::Result<Arc<Call>> {
        let lines: Vec<&str> = self.lines.iter().cycle().take(n_records).map(String::as_str).collect();
        let Payload { content_type, format, target_model, .. } = &self.payload;
        let mut message = Message::new(lines.join("\n"), content_type, Instant::now() + wait);
        message.accept = accept.map(str::to_owned);
        message.target_model.clone_from(target_model);
        let records = Arc::new(probe.records(&message.payload, *format, n_records)?);
        let pieces = probe.pieces(&records)?;
        Ok(Arc::new(Call { message, records, pieces }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_record_of_words_over_numbers_is_a_header() {
        for (text, expected) in [
            ("age,income\n41,52000", true),
            ("age,job\n41,nurse", true),
            ("41,52000\n42,1", false),
            ("red,nurse\nblue,clerk", false),
            ("red,1\nblue,2", false),
            ("nan,red\n1,blue", true),
            ("age,income", false),
        ] {
            let table = Table::read(text.as_bytes(), Format::Csv, None, 9).expect("reads");
            assert_eq!(has_header(&table), expected, "{text}");
        }
    }

    #[test]
    fn the_ending_says_the_format_unless_the_caller_does() {
        let content_type = |path: &str, content_type: Option<&str>| {
            let content_type = content_type.map(str::to_owned);
            Input { path: path.into(), content_type, target_model: None }.content_type().ok()
        };
        for (path, expected) in [
            ("a.csv", Some("text/csv")),
            ("a.CSV", Some("text/csv")),
            ("a.jsonl", Some("application/jsonlines")),
            ("a.b.jsonlines", Some("application/jsonlines")),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(content_type(path, None).as_deref(), expected);
            assert_eq!(content_type(path, Some("x/y")).as_deref(), Some("x/y"));
        }
    }
}
