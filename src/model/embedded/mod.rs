//! Models evaluated inside the process: a file → a form, or a model over texts, and either behind the `Predictor` seam.

mod answer;
mod archive;
mod checks;
mod file;
mod file_model;
mod fitted;
mod folder;
mod form_predictor;
mod lightgbm;
pub mod onnx;
mod place;
mod predictions;
#[cfg(test)]
mod renumber;
mod scorer;
mod scores;
mod text;
pub mod xgboost;

pub use file::{FileError, read};
pub use file_model::FileModel;
pub use fitted::Embedded;
pub use folder::{Folder, FolderLimits, Misfit};
pub use place::Place;
pub use scorer::{EmbeddedForward, Scorer};
pub(super) use text::STEPS_PER_BYTE_MAX;
pub use text::TextModel;
