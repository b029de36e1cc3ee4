//! Margins of dense layers over coalitions: `shaders/steps.wgsl`, `shaders/linear_values.wgsl`, then
//! `shaders/mlp_values.wgsl` for each further layer.

use super::chunks::Room;
use super::design::DesignBuffers;
use super::kernel::{Context, GROUP_THREADS, Kernel};
use super::passage::Passage;
use super::program::Program;
use super::shaders::shader;
use super::store::{Scratch, Slice, WORK};
use crate::form::{Activation, Layer, Layers, ValueFunction};

/// Units of a thread.
const UNITS: usize = 4;

pub(super) struct LayerKernels {
    steps: Kernel,
    linear_values: Kernel,
    mlp_values: Kernel,
    of_players: Scratch,
    units: [Scratch; 2],
}

/// A function's layers.
pub(super) struct LayerBuffers {
    layers: Vec<LayerBuffer>,
    /// What the first layer's sums start from: the baseline row's, or 0 where margins are sums.
    starts: Slice,
    baseline_inputs: Slice,
    baseline_margins: Slice,
}

struct LayerBuffer {
    n_inputs: usize,
    n_units: usize,
    activation: u32,
    /// `[n_inputs × n_units in whole fours]`
    weights: Slice,
    /// `[n_units in whole fours]`
    bias: Slice,
}

/// Bytes that `LayerBuffers` take, about.
pub(super) fn bytes(layers: &Layers, function: &ValueFunction) -> usize {
    let of_layer = |layer: &Layer| (layer.n_inputs() + 1) * width(layer.n_outputs());
    let n_baseline = function.baseline_inputs.len() + function.baseline_sums.len();
    size_of::<f32>() * (layers.as_slice().iter().map(of_layer).sum::<usize>() + n_baseline)
}

/// Units in whole fours.
fn width(n_units: usize) -> usize {
    n_units.next_multiple_of(UNITS)
}

impl LayerBuffers {
    pub(super) fn upload(context: &Context, layers: &Layers, function: &ValueFunction) -> Self {
        let mut starts = function.baseline_sums.clone();
        if layers.is_linear() {
            starts.fill(0.0);
        }
        Self {
            layers: layers.as_slice().iter().map(|layer| LayerBuffer::upload(context, layer)).collect(),
            starts: context.keep("layers.starts", &starts),
            baseline_inputs: context.keep("layers.baseline_inputs", &function.baseline_inputs),
            baseline_margins: context.keep("layers.baseline_margins", &function.baseline_margins),
        }
    }

    pub(super) fn room(&self, n_players: usize, n_quads: usize) -> Room {
        let n_words = n_players * width(self.layers[0].n_units) + 2 * self.hidden_units() * n_quads * 4;
        Room {
            game_bytes: (size_of::<f32>() * n_words) as u64,
            record_bytes: (size_of::<[u32; 2]>() * self.layers[0].n_inputs) as u64,
        }
    }

    /// Of the widest layer before the last.
    fn hidden_units(&self) -> usize {
        let hidden = &self.layers[..self.layers.len() - 1];
        hidden.iter().map(|layer| layer.n_units).max().unwrap_or(0)
    }

    /// Whether margins are the sums of steps alone.
    fn margins_are_sums(&self) -> bool {
        self.layers.len() == 1 && self.layers[0].activation == 0
    }
}

impl LayerBuffer {
    fn upload(context: &Context, layer: &Layer) -> Self {
        let (n_inputs, n_units) = (layer.n_inputs(), layer.n_outputs());
        let width = width(n_units);
        let mut weights = vec![0.0; n_inputs * width];
        for (unit, of_unit) in layer.weights.chunks_exact(n_inputs).enumerate() {
            of_unit.iter().enumerate().for_each(|(input, &weight)| weights[input * width + unit] = weight);
        }
        let mut bias = layer.bias.clone();
        bias.resize(width, 0.0);
        let activation = match layer.activation {
            Activation::Identity => 0,
            Activation::Relu => 1,
            Activation::Tanh => 2,
            Activation::Logistic => 3,
        };
        let (weights, bias) = (context.keep("layer.weights", &weights), context.keep("layer.bias", &bias));
        Self { n_inputs, n_units, activation, weights, bias }
    }
}

/// What stands between the kernels.
pub(super) struct LayerWork {
    of_players: Slice,
    units: [Slice; 2],
}

impl LayerKernels {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            steps: Kernel::new(context, "steps", shader!("steps"), "main", 1),
            linear_values: Kernel::new(context, "linear_values", shader!("linear_values"), "main", 1),
            mlp_values: Kernel::new(context, "mlp_values", shader!("mlp_values"), "main", 1),
            of_players: Scratch::new("layers.steps", WORK),
            units: ["layers.units_0", "layers.units_1"].map(|label| Scratch::new(label, WORK)),
        }
    }

    /// For `n_games`.
    pub(super) fn work(
        &mut self,
        context: &Context,
        layers: &LayerBuffers,
        (n_players, n_quads): (usize, usize),
        n_games: usize,
    ) -> LayerWork {
        let bytes = |n_words: usize| (size_of::<f32>() * n_games * n_words) as u64;
        let n_units = bytes(layers.hidden_units() * n_quads * 4);
        let n_steps = bytes(n_players * width(layers.layers[0].n_units));
        LayerWork {
            of_players: self.of_players.take(&context.device, n_steps),
            units: self.units.each_mut().map(|scratch| scratch.take(&context.device, n_units)),
        }
    }

    pub(super) fn encode(
        &self,
        program: &mut Program,
        (layers, design, n_players): (&LayerBuffers, &DesignBuffers, usize),
        passage: &Passage,
        work: &LayerWork,
    ) {
        self.encode_steps(program, layers, n_players, passage, work);
        let n_layers = layers.layers.len();
        let written = |idx: usize| if idx + 1 == n_layers { &passage.margins } else { &work.units[idx % 2] };
        let [n_rows, first_row, n_quads] = [passage.n_rows, passage.first_row, design.n_quads()].map(|n| n as u32);
        for (idx, layer) in layers.layers.iter().enumerate() {
            let is_offset = u32::from(idx + 1 == n_layers && !layers.margins_are_sums());
            let [n_units, n_inputs] = [layer.n_units, if idx == 0 { n_players } else { layer.n_inputs }];
            let groups = [design.n_quads().div_ceil(GROUP_THREADS), passage.n_games(), n_units.div_ceil(UNITS)];
            let [n_units, n_inputs] = [n_units, n_inputs].map(|n| n as u32);
            let sizes = [n_inputs, n_units, n_quads, layer.activation, n_rows, first_row, is_offset, 0];
            if idx == 0 {
                let bindings =
                    [&layers.starts, &work.of_players, &design.columns, &layers.baseline_margins, written(0)];
                program.dispatch(&self.linear_values, sizes, &bindings, groups);
            } else {
                let inputs = written(idx - 1);
                let bindings = [&layer.weights, &layer.bias, &layers.baseline_margins, inputs, written(idx)];
                program.dispatch(&self.mlp_values, sizes, &bindings, groups);
            }
        }
    }

    fn encode_steps(
        &self,
        program: &mut Program,
        layers: &LayerBuffers,
        n_players: usize,
        passage: &Passage,
        work: &LayerWork,
    ) {
        let first = &layers.layers[0];
        let sizes = [first.n_inputs, first.n_units, n_players, passage.n_rows, passage.first_row, 0, 0, 0];
        program.dispatch(
            &self.steps,
            sizes.map(|n| n as u32),
            &[&first.weights, &layers.baseline_inputs, &passage.records, &work.of_players],
            [width(first.n_units).div_ceil(GROUP_THREADS), passage.n_games(), 1],
        );
    }
}
