//! One record against one baseline row after the other, as its coalitions see it: conjunctions of players for trees and
//! linear models, steps of the first layer for an MLP.

use super::conjunctions::{ABSENT, Conjunctions};
use super::instructions::Instructions;
use super::live_leaves::{NOBODY, Rows, live_leaves};
use super::record::{Keys, Record};
use super::steps::{self, steps};
use super::tree_values::{self, Sum};
use crate::compute::Explicand;
use crate::form::{Body, Layers, ValueFunction};
use crate::shap::BitColumns;

/// One record's game, and room to work.
pub(super) struct Game<'a, T> {
    pub(super) function: &'a ValueFunction,
    record: Record,
    n_players: usize,
    /// Empty for layers.
    keys: Keys,
    groups: Groups<T>,
}

impl<'a, T: Sum> Game<'a, T> {
    pub(super) fn new(function: &'a ValueFunction, explicand: &Explicand) -> Self {
        let record = Record::of(function, explicand);
        let keys = match &function.form.body {
            Body::Trees(trees) => record.keys(trees),
            Body::Layers(_) => Keys::default(),
        };
        let groups = Groups::new(&function.form.body);
        Self { function, record, n_players: explicand.players.len(), keys, groups }
    }

    /// What players add to the margins of a baseline row; trees and linear models only. None when trees have more than
    /// `leaves_max` live leaves.
    pub(super) fn conjunctions(&mut self, baseline_row: usize, leaves_max: usize) -> Option<&Groups<T>> {
        let function = self.function;
        self.groups.lists.iter_mut().for_each(Conjunctions::clear);
        match &function.form.body {
            Body::Trees(trees) => {
                let Keys { keys: record, players } = &self.keys;
                let rows = Rows { record, players, baseline: function.baseline_keys(baseline_row) };
                let leaves = function.baseline_leaves(baseline_row);
                if !live_leaves(trees, rows, leaves, leaves_max, &mut self.groups.lists) {
                    return None;
                }
            }
            Body::Layers(layers) => {
                let steps = self.steps(layers, baseline_row);
                for (player, steps) in steps.chunks_exact(layers.n_outputs()).enumerate() {
                    self.groups.lists[0].push(&[player as u32], steps.iter().copied());
                }
            }
        }
        Some(&self.groups)
    }

    /// What the record's features add to the first layer's sums, `[n_players × n_units]`.
    pub(super) fn steps(&self, layers: &Layers, baseline_row: usize) -> Vec<T> {
        let Record { inputs, players } = &self.record;
        let baseline = &self.function.baseline_inputs[baseline_row * inputs.len()..][..inputs.len()];
        let rows = steps::Rows { record: inputs, baseline, players };
        steps(&layers.as_slice()[0], rows, self.n_players)
    }
}

/// What players add: one list for each output with one number each, or one list for all with a number for each.
pub(super) struct Groups<T> {
    pub(super) lists: Vec<Conjunctions<T>>,
    n_outputs: usize,
}

impl<T: Sum> Groups<T> {
    fn new(body: &Body) -> Self {
        let n_outputs = body.n_outputs();
        let (n_lists, n_leaves) = match body {
            // Most trees have few live leaves.
            Body::Trees(trees) => (n_outputs / trees.leaf_width, 4 * trees.n_trees()),
            Body::Layers(layers) => (1, layers.n_inputs()),
        };
        let lists = (0..n_lists).map(|_| Conjunctions::with_room(n_leaves / n_lists)).collect();
        Self { lists, n_outputs }
    }

    /// Numbers of a conjunction.
    pub(super) fn width(&self) -> usize {
        self.n_outputs / self.lists.len()
    }

    /// Writes the sums of all coalitions, `[n_outputs × n_padded]`.
    pub(super) fn sums(&self, instructions: Instructions, columns: &BitColumns, sums: &mut [T]) {
        // Without players there are no coalitions, and no sums.
        let n_padded = columns.n_padded().max(1);
        for (output, sums) in sums.chunks_exact_mut(n_padded).enumerate() {
            let (list, number) = (output / self.width(), output % self.width());
            tree_values::sums(instructions, &self.lists[list], (number, self.width()), columns, sums);
        }
    }
}

const _: () = assert!(NOBODY & ABSENT == 0);
