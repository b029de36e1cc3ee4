//! Stand-in until the real one is here.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    Token,
    Sentence,
    Paragraph,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub bytes: Range<usize>,
    pub start_idx: usize,
}

#[derive(Debug)]
pub struct Splitter;

impl Splitter {
    pub fn new(_: Granularity, _: &str) -> Self {
        Self
    }

    pub fn split(&self, text: &str) -> Vec<Unit> {
        let mut units = Vec::new();
        for word in text.split_whitespace() {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            units.push(Unit { bytes: start..start + word.len(), start_idx: text[..start].chars().count() });
        }
        units
    }
}
