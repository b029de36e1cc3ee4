//! Models evaluated inside the process: a file → a form, and the form behind the `Predictor` seam.

mod answer;
mod archive;
mod checks;
mod file;
mod folder;
mod lightgbm;
pub mod onnx;
mod place;
mod predictor;
#[cfg(test)]
mod renumber;
mod scorer;
mod scores;
pub mod xgboost;

pub use file::{FileError, read as read_form};
pub use folder::{Folder, FolderLimits, Misfit};
pub use place::Place;
pub use predictor::Embedded;
pub use scorer::{EmbeddedForward, Scorer};
