//! A value function on the device, and which kernels its margins come from.

use super::chunks::Room;
use super::design::DesignBuffers;
use super::kernel::Context;
use super::layers::{self, LayerBuffers, LayerKernels, LayerWork};
use super::passage::Passage;
use super::program::Program;
use super::store::Slice;
use super::trees::{self, TreeBuffers, TreeKernels, TreeWork};
use crate::compute::cpu::record::{Keys, Record};
use crate::compute::{DeviceError, Explicand};
use crate::form::{Body, ValueFunction};

pub(super) struct FunctionBuffers {
    /// `[n_baseline_rows × n_outputs]`
    pub(super) baseline_margins: Slice,
    body: BodyBuffers,
}

enum BodyBuffers {
    Trees(TreeBuffers),
    Layers(LayerBuffers),
}

/// What stands between the kernels of a body.
pub(super) enum BodyWork {
    Trees(TreeWork),
    Layers(LayerWork),
}

/// Bytes that `FunctionBuffers` take, about.
pub(super) fn bytes(function: &ValueFunction) -> usize {
    size_of_val(function.baseline_margins.as_slice())
        + match &function.form.body {
            Body::Trees(trees) => trees::bytes(trees, function),
            Body::Layers(layers) => layers::bytes(layers, function),
        }
}

/// A record's keys or inputs as u32, each with its player.
pub(super) fn record(function: &ValueFunction, explicand: &Explicand) -> Vec<[u32; 2]> {
    let record = Record::of(function, explicand);
    let (numbers, players) = match &function.form.body {
        Body::Trees(trees) => {
            let Keys { keys, players } = record.keys(trees);
            (keys, players)
        }
        Body::Layers(_) => (record.inputs.iter().map(|input| input.to_bits()).collect(), record.players),
    };
    numbers.into_iter().zip(players).map(|(number, player)| [number, player]).collect()
}

impl FunctionBuffers {
    pub(super) fn upload(context: &Context, function: &ValueFunction) -> Self {
        Self {
            baseline_margins: context.keep("function.baseline_margins", &function.baseline_margins),
            body: match &function.form.body {
                Body::Trees(trees) => BodyBuffers::Trees(TreeBuffers::upload(context, trees, function)),
                Body::Layers(layers) => BodyBuffers::Layers(LayerBuffers::upload(context, layers, function)),
            },
        }
    }

    /// What its kernels leave for each other, without the margins.
    pub(super) fn room(&self, n_players: usize, design: &DesignBuffers) -> Result<Room, DeviceError> {
        match &self.body {
            BodyBuffers::Trees(trees) => trees.room(n_players),
            BodyBuffers::Layers(layers) => Ok(layers.room(n_players, design.n_quads())),
        }
    }
}

pub(super) struct BodyKernels {
    trees: TreeKernels,
    layers: LayerKernels,
}

impl BodyKernels {
    pub(super) fn new(context: &Context) -> Self {
        Self { trees: TreeKernels::new(context), layers: LayerKernels::new(context) }
    }

    pub(super) fn work(
        &mut self,
        context: &Context,
        function: &FunctionBuffers,
        (n_players, n_quads): (usize, usize),
        n_games: usize,
    ) -> BodyWork {
        match &function.body {
            BodyBuffers::Trees(trees) => BodyWork::Trees(self.trees.work(context, trees, n_games)),
            BodyBuffers::Layers(layers) => {
                BodyWork::Layers(self.layers.work(context, layers, (n_players, n_quads), n_games))
            }
        }
    }

    /// Writes the passage's margins.
    pub(super) fn encode(
        &self,
        program: &mut Program,
        (function, design, n_players): (&FunctionBuffers, &DesignBuffers, usize),
        passage: &Passage,
        work: &BodyWork,
    ) {
        match (&function.body, work) {
            (BodyBuffers::Trees(trees), BodyWork::Trees(work)) => {
                self.trees.encode(program, (trees, design), passage, work);
            }
            (BodyBuffers::Layers(layers), BodyWork::Layers(work)) => {
                self.layers.encode(program, (layers, design, n_players), passage, work);
            }
            _ => panic!("work of another body. This is a bug."),
        }
    }
}
