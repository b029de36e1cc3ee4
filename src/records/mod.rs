//! Text of clients and models ↔ records: tables of cells, numbers in their spelling, answers, filters.
//! Knows nothing of games, models or HTTP.

mod answer;
mod cell;
mod csv;
mod encoding;
mod expression;
mod filter;
mod json_lines;
mod json_tree;
#[cfg(test)]
mod laws;
mod number;
mod payload;
mod pieces;
mod spelled;
mod table;
mod template;
pub mod units;

pub use answer::{AnswerError, AnswerLayout, Scores, answer_records};
pub use cell::{Cell, Spelling, spell_part};
pub use csv::CsvError;
pub use encoding::Encoding;
pub use expression::{Expression, ExpressionError, Json, parse_json};
pub use filter::{Filter, FilterError};
pub use json_lines::FeaturesError;
pub use json_tree::JsonError;
pub use number::{spell, spell_single, write_number};
pub use payload::PayloadError;
pub use pieces::{CutText, Cutter, FeatureType, Pieces, inferred_types};
pub use spelled::{Parts, Spelled};
pub use table::{CellError, Table, TableError};
pub use template::{Template, TemplateError};

/// The text formats that records and answers come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    JsonLines,
}

impl Format {
    pub fn mime(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::JsonLines => "application/jsonlines",
        }
    }

    /// Reads a MIME type; its parameters do not matter.
    pub fn from_mime(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        [Self::Csv, Self::JsonLines].into_iter().find(|format| essence.eq_ignore_ascii_case(format.mime()))
    }
}

/// Enough of a client's text to find it again.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
