//! A record as the games of its model see it: inputs or keys, and the player behind each. Both compute paths start here.

use super::live_leaves::NOBODY;
use crate::compute::Explicand;
use crate::form::{TreeEnsemble, ValueFunction};

/// Each `[n_inputs]`.
pub struct Record {
    pub inputs: Vec<f32>,
    pub players: Vec<u32>,
}

/// Each `[n_keys]`.
#[derive(Default)]
pub struct Keys {
    pub keys: Vec<u32>,
    pub players: Vec<u32>,
}

impl Record {
    /// Panics where the function's inputs mix features.
    pub fn of(function: &ValueFunction, explicand: &Explicand) -> Self {
        let form = &function.form;
        let inputs = form.inputs.apply(&explicand.features, form.n_features()).into_owned();
        Self { inputs, players: players(function, explicand) }
    }

    /// As the splits of its trees see it.
    pub fn keys(&self, trees: &TreeEnsemble) -> Keys {
        let mut keys = Vec::with_capacity(trees.n_keys());
        trees.push_keys(&self.inputs, &mut keys);
        let of_views = trees.views.iter().map(|view| self.players[view.input() as usize]);
        Keys { keys, players: std::iter::once(NOBODY).chain(of_views).collect() }
    }
}

fn players(function: &ValueFunction, explicand: &Explicand) -> Vec<u32> {
    let mut of_features = vec![NOBODY; function.form.n_features()];
    for (player, &feature) in explicand.players.iter().enumerate() {
        of_features[feature as usize] = player as u32;
    }
    let features = function.input_features.as_ref().expect("inputs that mix features need rows. This is a bug.");
    features.iter().map(|&feature| of_features[feature as usize]).collect()
}
