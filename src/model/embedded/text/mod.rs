//! Models over n-grams of texts: text → tokens → counts → weighted sums, row by row, for whatever reads such models from
//! files and whatever asks them. Knows no files.

mod bag;
mod baseline;
mod case;
mod expression;
mod game;
mod model;
mod predictor;
mod records;
mod tokens;
mod vocabulary;

pub(super) use bag::{Bag, Frequency, Source};
pub use model::TextModel;
pub(super) use model::WeightedNumbers;
pub(super) use predictor::TextPredictor;
pub(super) use records::record_margins;
pub(in crate::model) use tokens::STEPS_PER_BYTE_MAX;
pub(super) use tokens::Tokenizer;
pub(super) use vocabulary::{Twice, Vocabulary};
