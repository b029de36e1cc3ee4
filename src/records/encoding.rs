//! What cells stand for as numbers: themselves, or the place of their text among a column's names.
//! Knows nothing of where the names come from.

use std::collections::HashMap;

/// Of each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    /// By column; columns that are not here are numbers.
    names: HashMap<usize, HashMap<String, u32>>,
}

impl Encoding {
    /// The names of each column, none for numbers.
    pub fn new<'a>(columns: impl IntoIterator<Item = Option<&'a [String]>>) -> Self {
        let places = |names: &[String]| names.iter().cloned().zip(0..).collect();
        let columns = columns.into_iter().enumerate();
        Self { names: columns.filter_map(|(column_idx, names)| Some((column_idx, places(names?)))).collect() }
    }

    /// The place of a text among the names of its column, or how many they are; none for a column of numbers.
    pub(super) fn code(&self, column_idx: usize, text: &str) -> Option<f32> {
        let names = self.names.get(&column_idx)?;
        Some(names.get(text).copied().unwrap_or(names.len() as u32) as f32)
    }
}
