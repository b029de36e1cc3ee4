//! The terms of one text → what they add to each margin: counted, scaled, normalised and weighted.

use std::sync::Arc;

use super::case::write_lower;
use super::tokens::{Tokenizer, TooManySteps};
use super::vocabulary::{Sequences, Vocabulary};
use crate::form::Norm;
use crate::model::rows::{Place, Writing};
use crate::records::{Cell, Table};

/// A text as a bag takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::embedded) struct Source {
    /// Column of a record.
    pub feature: u32,
    pub is_lower: bool,
}

impl Source {
    /// Of a record as it is.
    pub(super) fn text(self, table: &Table, record_idx: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&table.cell(record_idx, self.feature as usize).text(), &mut bytes);
        bytes
    }

    fn write(self, text: &str, out: &mut Vec<u8>) {
        match self.is_lower {
            true => write_lower(text, out),
            false => out.extend_from_slice(text.as_bytes()),
        }
    }
}

/// What a term that occurs so and so often counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::embedded) enum Frequency {
    Count,
    /// ln(1 + count).
    Logarithm,
    /// 1, however often it occurs.
    Presence,
}

impl Frequency {
    fn of(self, count: u32) -> f32 {
        match self {
            Self::Count => count as f32,
            Self::Logarithm => (1.0 + count as f32).ln(),
            Self::Presence => 1.0,
        }
    }
}

/// Terms of one text, and what they weigh.
pub(in crate::model::embedded) struct Bag {
    /// A place in the model's `sources`.
    pub source: usize,
    pub tokenizer: Arc<Tokenizer>,
    pub vocabulary: Arc<Vocabulary>,
    pub frequency: Frequency,
    /// `[n_terms]`, what the frequency of each term is multiplied by.
    pub scale: Vec<f32>,
    /// Of the scaled frequencies of a text.
    pub norm: Option<Norm>,
    /// `[n_terms × n_outputs]`, term by term.
    pub weights: Vec<f32>,
}

/// What a thread counts terms in.
pub(super) struct Counter {
    /// `[n_terms]`, zeros between texts.
    counts: Vec<u32>,
    /// Terms that occur, each once, by their first occurrence.
    occurring: Vec<u32>,
    sequences: Sequences,
}

impl Bag {
    pub(super) fn counter(&self) -> Counter {
        Counter { counts: vec![0; self.scale.len()], occurring: Vec::new(), sequences: Sequences::default() }
    }

    /// Adds to the margins `[n_outputs]` what a text is worth. Sums are in float64, in the order of first occurrences.
    pub(super) fn add(&self, text: &[u8], counter: &mut Counter, margins: &mut [f64]) -> Result<(), TooManySteps> {
        let counted = self.count(text, counter);
        let norm = self.norm.map_or(1.0, |norm| self.norm_of(norm, counter));
        let n_outputs = margins.len();
        for &term in &counter.occurring {
            let x = f64::from(self.value(term, counter.counts[term as usize])) / norm;
            let weights = &self.weights[term as usize * n_outputs..][..n_outputs];
            margins.iter_mut().zip(weights).for_each(|(margin, &weight)| *margin += f64::from(weight) * x);
            counter.counts[term as usize] = 0;
        }
        counter.occurring.clear();
        counted
    }

    fn count(&self, text: &[u8], counter: &mut Counter) -> Result<(), TooManySteps> {
        let Counter { counts, occurring, sequences } = counter;
        sequences.begin();
        self.tokenizer.each(text, |token| {
            self.vocabulary.push(sequences, token, |term| {
                let count = &mut counts[term as usize];
                if *count == 0 {
                    occurring.push(term);
                }
                *count += 1;
            });
        })
    }

    fn value(&self, term: u32, count: u32) -> f32 {
        self.frequency.of(count) * self.scale[term as usize]
    }

    /// A text whose norm is 0 stays as it is.
    fn norm_of(&self, norm: Norm, counter: &Counter) -> f64 {
        let values = counter.occurring.iter().map(|&term| self.value(term, counter.counts[term as usize]));
        let values = values.map(f64::from);
        let norm = match norm {
            Norm::L1 => values.map(f64::abs).sum(),
            Norm::L2 => values.map(|x| x * x).sum::<f64>().sqrt(),
            Norm::Max if counter.occurring.len() < self.scale.len() => values.fold(0.0, f64::max),
            Norm::Max => values.fold(f64::NEG_INFINITY, f64::max),
        };
        if norm == 0.0 { 1.0 } else { norm }
    }
}

/// The text of one column alone; all other cells are pieces without bytes.
impl Writing for Source {
    fn cell(&self, cell: Cell, place: Place, out: &mut Vec<u8>) {
        self.part(&cell.text(), place, out);
    }

    fn open(&self, _: Place, _: &mut Vec<u8>) {}

    fn part(&self, part: &str, place: Place, out: &mut Vec<u8>) {
        if place.column_idx == self.feature as usize {
            self.write(part, out);
        }
    }

    fn close(&self, _: Place, _: &mut Vec<u8>) {}
}
