//! Text of clients and models ↔ records: tables of cells, numbers in their spelling, answers, filters.
//! Knows nothing of games, models or HTTP.

mod answer;
mod expression;
mod filter;
mod number;
mod table;

pub use answer::{AnswerError, read_answer};
pub use expression::{Expression, ExpressionError, Json, parse_json};
pub use filter::{Filter, FilterError};
pub use number::{spell, spell_single};
pub use table::{CellError, Table, TableError};

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
