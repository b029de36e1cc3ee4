//! Models as flat arrays of u32 and f32, the one form that both compute paths evaluate.
//! Knows nothing of files, of records, or of who evaluates it.

mod trees;

pub use trees::{Node, Transform, TreeEnsemble};
