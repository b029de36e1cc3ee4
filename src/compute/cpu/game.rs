//! One record against one baseline row after the other, as its coalitions see it: conjunctions of players for trees and
//! linear models, steps of the first layer for an MLP.

use super::conjunctions::{ABSENT, Conjunctions, Sum};
use super::instructions::Instructions;
use super::live_leaves::{NOBODY, Rows, live_leaves};
use super::mlp_values::FirstLayer;
use crate::compute::Explicand;
use crate::form::{Body, Layers, ValueFunction};
use crate::shap::BitColumns;

/// One record's game, and room to work.
pub(super) struct Game<'a, T> {
    pub(super) function: &'a ValueFunction,
    /// `[n_inputs]`
    inputs: Vec<f32>,
    /// `[n_inputs]`, the player behind each input.
    players: Vec<u32>,
    n_players: usize,
    /// Of the record and their players, `[n_keys]`; empty for layers.
    keys: Vec<u32>,
    key_players: Vec<u32>,
    groups: Groups<T>,
}

impl<'a, T: Sum> Game<'a, T> {
    pub(super) fn new(function: &'a ValueFunction, explicand: &Explicand) -> Self {
        let players = input_players(function, explicand);
        let inputs = function.form.inputs.apply(&explicand.features, function.form.n_features()).into_owned();
        let (mut keys, mut key_players) = (Vec::new(), Vec::new());
        if let Body::Trees(trees) = &function.form.body {
            trees.push_keys(&inputs, &mut keys);
            key_players.push(NOBODY);
            key_players.extend(trees.views.iter().map(|view| players[view.input() as usize]));
        }
        let n_players = explicand.players.len();
        let groups = Groups::new(&function.form.body);
        Self { function, inputs, players, n_players, keys, key_players, groups }
    }

    /// What players add to the margins of a baseline row; trees and linear models only. None when trees have more than
    /// `leaves_max` live leaves.
    pub(super) fn conjunctions(&mut self, baseline_row: usize, leaves_max: usize) -> Option<&Groups<T>> {
        let function = self.function;
        self.groups.lists.iter_mut().for_each(Conjunctions::clear);
        match &function.form.body {
            Body::Trees(trees) => {
                let (record, players) = (&self.keys, &self.key_players);
                let rows = Rows { record, players, baseline: function.baseline_keys(baseline_row) };
                let leaves = function.baseline_leaves(baseline_row);
                if !live_leaves(trees, rows, leaves, leaves_max, &mut self.groups.lists) {
                    return None;
                }
            }
            Body::Layers(layers) => {
                let first = self.first_layer(layers, baseline_row);
                for (player, steps) in first.steps.chunks_exact(layers.n_outputs()).enumerate() {
                    self.groups.lists[0].push(&[player as u32], steps.iter().copied());
                }
            }
        }
        Some(&self.groups)
    }

    /// What the record's features add to the first layer's sums, `[n_players × n_units]`.
    pub(super) fn first_layer(&self, layers: &Layers, baseline_row: usize) -> FirstLayer<T> {
        let first = &layers.as_slice()[0];
        let (n_units, n_inputs) = (first.n_outputs(), first.n_inputs());
        let baseline = &self.function.baseline_inputs[baseline_row * n_inputs..][..n_inputs];
        let mut steps = vec![0.0; self.n_players * n_units];
        for (unit, weights) in first.weights.chunks_exact(n_inputs).enumerate() {
            let inputs = weights.iter().zip(&self.inputs).zip(baseline).zip(&self.players);
            for (((&weight, &x), &b), &player) in inputs.filter(|(_, player)| **player != NOBODY) {
                steps[player as usize * n_units + unit] += f64::from(weight) * (f64::from(x) - f64::from(b));
            }
        }
        FirstLayer {
            sums: self.function.baseline_sums(baseline_row).to_vec(),
            steps: steps.into_iter().map(T::round).collect(),
        }
    }
}

fn input_players(function: &ValueFunction, explicand: &Explicand) -> Vec<u32> {
    let mut of_features = vec![NOBODY; function.form.n_features()];
    for (player, &feature) in explicand.players.iter().enumerate() {
        of_features[feature as usize] = player as u32;
    }
    let features = function.input_features.as_ref().expect("inputs that mix features need rows. This is a bug.");
    features.iter().map(|&feature| of_features[feature as usize]).collect()
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
        let n_padded = (columns.n_words * u64::BITS as usize).max(1);
        for (output, sums) in sums.chunks_exact_mut(n_padded).enumerate() {
            let (list, number) = (output / self.width(), output % self.width());
            self.lists[list].sums(instructions, (number, self.width()), columns, sums);
        }
    }
}

const _: () = assert!(NOBODY & ABSENT == 0);
