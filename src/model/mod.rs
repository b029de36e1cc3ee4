//! Where answers come from: the seam between the games and whatever computes scores.
//! Knows records and games; nothing of operators, devices or of the server's own HTTP.

pub mod container;
pub mod embedded;
mod rows;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use ndarray::Array2;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::form::ValueFunction;
use crate::offload::GivenUp;
use crate::records::{AnswerError, CellError, Format, Pieces, Table, TableError};
use crate::shap::{Clipped, Coalitions};
use container::{ContainerError, ProtocolError};
use embedded::STEPS_PER_BYTE_MAX;
pub use target::{NameError, TargetError, TargetName};

/// A model, or many of them, with the baseline and the link of its endpoint.
pub trait Model: Send + Sync {
    /// What answers one request. It may remember what that request has asked.
    fn predictor<'a>(&'a self, message: &'a Message) -> Answer<'a, Arc<dyn Predictor>>;
}

/// One model during one request: what a game needs of it.
pub trait Predictor: Send + Sync {
    /// Scores of the client's own records, and the answer as the model words it.
    /// There is at least one record, and at least one output.
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions>;

    /// The features that can change the score: those that differ from some baseline row.
    fn differing(&self, call: &Call, record_idx: usize) -> Result<Vec<u32>, ModelError>;

    /// Where the values of this call's coalitions come from.
    fn valuation<'a>(&'a self, call: &'a Call) -> Result<Valuation<'a>, ModelError>;

    fn identity(&self) -> Identity;
}

/// How coalitions get their values.
pub enum Valuation<'a> {
    /// A model that is asked for each of them.
    Asked(&'a dyn Ask),
    /// A function in the process, whose arithmetic may run anywhere.
    Computed {
        function: &'a Arc<ValueFunction>,
        /// The call's records, `[n_records × n_features]`.
        numbers: &'a Array2<f32>,
        /// v(nobody).
        null: &'a LinkedValue,
    },
}

/// A model that says what coalitions are worth.
pub trait Ask: Send + Sync {
    /// What nobody and every coalition of some games are worth, with the outputs of the call's predictions.
    fn values<'a>(
        &'a self,
        call: &'a Arc<Call>,
        games: Vec<Game>,
        predictions: &'a Predictions,
    ) -> Answer<'a, Values>;
}

/// What tells a model from others, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Identity {
    /// SHA-256 of its file, in hexadecimal.
    File(String),
    /// Where its container is, and of one among many which one.
    Container { url: String, model: Vec<String> },
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::File(hash) => formatter.write_str(hash),
            Self::Container { url, model } => write!(formatter, "{url} {}", model.join(" ")),
        }
    }
}

/// A model without a game: it answers messages as they come.
pub trait Forward: Send + Sync {
    fn forward(&self, message: Message) -> Answer<'_, Reply>;
}

impl<F: Forward + ?Sized> Forward for Arc<F> {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        (**self).forward(message)
    }
}

pub type Answer<'a, T> = BoxFuture<'a, Result<T, ModelError>>;

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Message {
    pub payload: Bytes,
    pub content_type: String,
    /// What the client would like to get; whatever the model gives, without it.
    pub accept: Option<String>,
    /// Between the client and its model.
    pub custom_attributes: Option<String>,
    /// Which of an endpoint's many models is asked.
    pub target_model: Option<TargetName>,
    /// No answer is of use any more after this.
    pub deadline: Instant,
    /// The payload has several records of ours, which may as well be asked in parts.
    pub can_be_split: bool,
}

impl Message {
    /// Which of many models is asked.
    pub fn target(&self) -> Result<&TargetName, TargetError> {
        self.target_model.as_ref().ok_or(TargetError::Missing)
    }

    /// A client that asks for nothing in particular.
    pub fn new(payload: impl Into<Bytes>, content_type: &str, deadline: Instant) -> Self {
        Self {
            payload: payload.into(),
            content_type: content_type.to_owned(),
            accept: None,
            custom_attributes: None,
            target_model: None,
            deadline,
            can_be_split: false,
        }
    }

    /// The first type the client accepts that can be written; CSV when it does not care.
    pub(crate) fn accepted(&self) -> Result<Format, ModelError> {
        let Some(accept) = &self.accept else { return Ok(Format::Csv) };
        let format = |choice: &str| match choice.split(';').next().unwrap_or_default().trim() {
            "" | "*/*" | "text/*" => Some(Format::Csv),
            _ => Format::from_mime(choice),
        };
        accept.split(',').find_map(format).ok_or_else(|| ModelError::Accept(accept.clone()))
    }

    /// The records of an endpoint that says nothing of them.
    pub(crate) fn records(&self, records_max: usize) -> Result<Table, ModelError> {
        let not_supported = || ModelError::ContentType(self.content_type.clone());
        let format = Format::from_mime(&self.content_type).ok_or_else(not_supported)?;
        Ok(Table::read(&self.payload, format, None, records_max)?)
    }
}

/// What a model answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub custom_attributes: Option<String>,
    /// From the request to the whole answer.
    pub took: Duration,
}

/// One request, and the records in it.
#[derive(Debug)]
pub struct Call {
    pub message: Message,
    pub records: Arc<Table>,
    /// Of the records that are explained, where some feature is a text that plays in units.
    pub pieces: Option<Arc<[Option<Pieces>]>>,
}

impl Call {
    /// None where each feature is a piece.
    pub fn pieces(&self, record_idx: usize) -> Option<&Pieces> {
        self.pieces.as_ref().and_then(|pieces| pieces[record_idx].as_ref())
    }

    /// Pieces of a record: its attributions.
    pub fn n_pieces(&self, record_idx: usize) -> usize {
        self.pieces(record_idx).map_or(self.records.n_columns(), Pieces::len)
    }
}

/// A model's answer to the client's records.
#[derive(Debug)]
pub struct Predictions {
    /// The model's own text.
    pub text: String,
    /// As the model words it, with parameters.
    pub content_type: String,
    pub format: Format,
    /// f(record) on the link's scale, `[n_records × n_outputs]`.
    pub values: Array2<f64>,
    /// Names of the outputs, where the answer has them.
    pub labels: Option<Vec<String>>,
    pub custom_attributes: Option<String>,
    pub clipped: Clipped,
}

/// One record's game: which features play, and which coalitions are asked.
#[derive(Clone, Debug)]
pub struct Game {
    pub record_idx: usize,
    /// Piece of each player.
    pub players: Vec<u32>,
    pub coalitions: Arc<Coalitions>,
}

/// One value per output, and how many scores its link had to clip.
#[derive(Clone, Debug)]
pub struct LinkedValue {
    pub value: Vec<f64>,
    pub clipped: Clipped,
}

/// Values of coalitions on the link's scale.
#[derive(Debug)]
pub struct Values {
    /// v(nobody): the mean over the baseline rows; the same in all answers to a request.
    pub null: LinkedValue,
    /// For each game `[2·n_pairs × n_outputs]`: the representatives of the pairs, then their complements.
    pub of_games: Vec<Array2<f64>>,
    /// Scores of the games that the link had to clip.
    pub clipped: Clipped,
}

/// In hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The client's records do not fit the model.
    #[error("record {record} has {n_columns} features instead of {expected}")]
    Width { record: usize, n_columns: usize, expected: usize },
    #[error(transparent)]
    Cell(#[from] CellError),
    #[error(transparent)]
    Records(#[from] TableError),
    #[error("the model gave {score} for record {record}: an attribution needs finite scores")]
    NotFinite { record: usize, score: f64 },
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("the content type {0:?} is not supported; supported: text/csv, application/jsonlines")]
    ContentType(String),
    #[error("the accepted type {0:?} is not supported; supported: text/csv, application/jsonlines")]
    Accept(String),
    #[error("the model's answer has the content type {0:?}; supported: text/csv, application/jsonlines")]
    AnswerType(String),
    #[error("the model's answer is not UTF-8 text")]
    AnswerText,
    #[error("the model gave {got} scores for a synthetic record and {expected} for the client's")]
    Outputs { got: usize, expected: usize },
    #[error("the model names the scores of a synthetic record otherwise than those of the client's")]
    Labels,
    #[error(
        "records in JSON Lines need InferenceConfig.ContentTemplate, which says how a record is written for the container"
    )]
    NoTemplate,
    #[error("a synthetic record has {bytes} bytes; the limit of one request is {limit} bytes")]
    RowTooLarge { bytes: usize, limit: usize },
    #[error("the tokens of record {record} take more than {STEPS_PER_BYTE_MAX} steps for each of its bytes")]
    Tokens { record: usize },
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nobody waits for the answer any more.
    #[error("the request was given up")]
    GivenUp,
}

impl From<GivenUp> for ModelError {
    fn from(_: GivenUp) -> Self {
        Self::GivenUp
    }
}
