//! Texts and numbers of a row → its margins: what bags of terms and weighted numbers add up to.

use super::bag::{Bag, Counter, Source};
use super::tokens::TooManySteps;
use crate::form::{Feature, Inputs, Layers, Transform};

/// What one thread evaluates without a pause, about, in steps as trees have them.
pub(super) const BLOCK_STEPS: usize = 512 << 10;

/// What one byte of a text costs, in such steps, about.
const STEPS_PER_BYTE: usize = 8;

/// A linear model over terms of texts, and over numbers beside them.
pub struct TextModel {
    pub(in crate::model::embedded) features: Vec<Feature>,
    pub(in crate::model::embedded) sources: Vec<Source>,
    pub(in crate::model::embedded) bags: Vec<Bag>,
    pub(in crate::model::embedded) numbers: Vec<WeightedNumbers>,
    /// `[n_outputs]`.
    pub(in crate::model::embedded) bias: Vec<f64>,
    pub(in crate::model::embedded) transform: Transform,
}

/// Columns that are no terms, and their weights.
pub(in crate::model::embedded) struct WeightedNumbers {
    pub inputs: Inputs,
    /// One linear layer.
    pub layers: Layers,
}

/// What a thread works with.
pub(super) struct Scratch {
    counters: Vec<Counter>,
    sums: Vec<f64>,
    of_numbers: Vec<f32>,
}

impl TextModel {
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    pub fn n_features(&self) -> usize {
        self.features.len()
    }

    pub fn n_outputs(&self) -> usize {
        self.bias.len()
    }

    /// Whether this feature is a text for the model, if only one that it does not read, and no number and no category.
    pub fn reads_text(&self, feature_idx: usize) -> bool {
        matches!(&self.features[feature_idx], Feature::Category(names) if names.is_empty())
    }

    /// What the margins of a row cost, whose sources have so many bytes: each bag cuts its text anew.
    pub(super) fn steps(&self, n_bytes: impl Fn(usize) -> usize) -> usize {
        let n_bytes: usize = self.bags.iter().map(|bag| n_bytes(bag.source)).sum();
        let n_numbers: usize = self.numbers.iter().map(|part| part.layers.n_inputs() * self.n_outputs()).sum();
        n_bytes.saturating_mul(STEPS_PER_BYTE).saturating_add(n_numbers)
    }

    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            counters: self.bags.iter().map(Bag::counter).collect(),
            sums: vec![0.0; self.n_outputs()],
            of_numbers: vec![0.0; self.n_outputs()],
        }
    }

    /// Writes the margins `[n_outputs]` of a row: `text` gives those of the sources, `features` is `[n_features]`, and
    /// empty for a model without numbers. Sums are in float64 and rounded once.
    pub(super) fn margins<'t>(
        &self,
        text: impl Fn(usize) -> &'t [u8],
        features: &[f32],
        scratch: &mut Scratch,
        margins: &mut [f32],
    ) -> Result<(), TooManySteps> {
        let Scratch { counters, sums, of_numbers } = scratch;
        sums.copy_from_slice(&self.bias);
        for (bag, counter) in self.bags.iter().zip(counters) {
            bag.add(text(bag.source), counter, sums)?;
        }
        for WeightedNumbers { inputs, layers } in &self.numbers {
            layers.margins(&inputs.apply(features, self.n_features()), of_numbers);
            sums.iter_mut().zip(&*of_numbers).for_each(|(sum, &own)| *sum += f64::from(own));
        }
        margins.iter_mut().zip(sums).for_each(|(margin, sum)| *margin = *sum as f32);
        Ok(())
    }
}
