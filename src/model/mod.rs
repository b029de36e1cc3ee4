//! Where answers come from: the seam between the games and whatever computes scores.
//! Knows records and games; nothing of operators, devices or HTTP.

pub mod embedded;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ndarray::Array2;

use crate::records::{AnswerError, CellError, Format, Table};
use crate::shap::{Clipped, Coalitions};

/// A model with the baseline and the link of its endpoint: what a game needs of it.
pub trait Predictor: Send + Sync {
    /// Scores of the client's own records, and the answer as the model words it.
    fn predict<'a>(&'a self, records: &'a Arc<Table>, accept: Format) -> Answer<'a, Predictions>;

    /// The features that can change the score: those that differ from some baseline row.
    fn differing(&self, records: &Table, record_idx: usize) -> Result<Vec<u32>, ModelError>;

    /// v(nobody) on the link's scale, `[n_outputs]`: the mean over the baseline rows.
    fn null_value<'a>(&'a self) -> Answer<'a, LinkedValue>;

    /// What every coalition of some games is worth.
    fn values<'a>(&'a self, records: &'a Arc<Table>, games: Vec<Game>) -> Answer<'a, Values>;
}

pub type Answer<'a, T> = BoxFuture<'a, Result<T, ModelError>>;

/// A model's answer to the client's records.
#[derive(Debug)]
pub struct Predictions {
    /// The model's own text.
    pub text: String,
    pub format: Format,
    /// f(record) on the link's scale, `[n_records × n_outputs]`.
    pub values: Array2<f64>,
    pub clipped: Clipped,
}

/// One record's game: which features play, and which coalitions are asked.
#[derive(Clone, Debug)]
pub struct Game {
    pub record_idx: usize,
    /// Feature of each player.
    pub players: Vec<u32>,
    pub coalitions: Arc<Coalitions>,
}

/// One value per output.
#[derive(Clone, Debug)]
pub struct LinkedValue {
    pub value: Vec<f64>,
    pub clipped: Clipped,
}

/// Values of coalitions on the link's scale.
#[derive(Debug)]
pub struct Values {
    /// For each game `[2·n_pairs × n_outputs]`: the representatives of the pairs, then their complements.
    pub of_games: Vec<Array2<f64>>,
    pub clipped: Clipped,
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The client's records do not fit the model.
    #[error("record {record} has {n_columns} features instead of {expected}")]
    Width { record: usize, n_columns: usize, expected: usize },
    #[error(transparent)]
    Cell(#[from] CellError),
    #[error("the model gave {score} for record {record}: an attribution needs finite scores")]
    NotFinite { record: usize, score: f64 },
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// Nobody waits for the answer any more.
    #[error("the request was given up")]
    GivenUp,
}
