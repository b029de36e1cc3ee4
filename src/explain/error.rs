//! Why a request cannot be explained; whose fault it is, the match over it says in aws/error.rs.

use crate::compute::AttributorClosed;
use crate::model::ModelError;
use crate::offload::GivenUp;
use crate::records::{AnswerError, FilterError, TableError};
use crate::shap::DesignError;

/// Records count from 1.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(transparent)]
    Records(#[from] TableError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("record {record}{}: {reason}", of_units(*n_units))]
    Design { record: usize, n_units: usize, reason: DesignError },
    #[error(
        "{n_records} records have {n_pieces} features or units of texts in all, and {got} attributions for {n_outputs} \
         outputs; the limit is {limit}"
    )]
    TooLarge { n_records: usize, n_pieces: usize, n_outputs: usize, got: usize, limit: usize },
    #[error("{got} LabelHeaders for {expected} outputs of the model")]
    Labels { got: usize, expected: usize },
    #[error(
        "the model answers {value} for record {record} and {base_value} for the baseline, though they are the same"
    )]
    Unstable { record: usize, value: f64, base_value: f64 },
    #[error(transparent)]
    Compute(#[from] AttributorClosed),
    #[error("an attribution of record {record} is not finite. This is a bug.")]
    NotFinite { record: usize },
}

impl From<GivenUp> for ExplainError {
    fn from(given_up: GivenUp) -> Self {
        Self::Model(given_up.into())
    }
}

/// How many units its texts have, where it has texts.
fn of_units(n_units: usize) -> String {
    match n_units {
        0 => String::new(),
        n_units => format!(", whose texts have {n_units} units"),
    }
}
