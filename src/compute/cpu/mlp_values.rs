//! Twin of `shaders/mlp_values.wgsl`: dense layers over coalitions, from the units of the first on.

use super::instructions::{Instructions, Kernel};
use super::linear_values::{FirstLayer, LANES, Tiles, activate, presences};
use crate::form::{Layer, Layers};
use crate::shap::BitColumns;

/// Writes the margins of all coalitions, `[n_outputs × n_padded]`.
pub fn mlp_values(
    instructions: Instructions,
    layers: &Layers,
    first: FirstLayer,
    columns: &BitColumns,
    margins: &mut [f32],
) {
    instructions.run(Mlp { layers: layers.as_slice(), first, columns, margins });
}

struct Mlp<'a> {
    layers: &'a [Layer],
    first: FirstLayer<'a>,
    columns: &'a BitColumns,
    margins: &'a mut [f32],
}

impl Kernel for Mlp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { layers, first, columns, margins } = self;
        let n_padded = columns.n_padded();
        let of_layer = |layer: &Layer| {
            let n_inputs = layer.n_inputs();
            Tiles::new(&layer.bias, n_inputs, |unit, input| layer.weights[unit * n_inputs + input])
        };
        let mut tiles = vec![Tiles::of_first_layer(first, columns.n_players())];
        tiles.extend(layers[1..].iter().map(of_layer));
        let (mut units, mut next) = (Vec::new(), Vec::new());
        for start in (0..n_padded).step_by(LANES) {
            presences(columns, start, &mut units);
            for (tiles, layer) in tiles.iter().zip(layers) {
                tiles.sums(&units, &mut next);
                next.iter_mut().for_each(|unit| activate(layer.activation, unit));
                std::mem::swap(&mut units, &mut next);
            }
            for (margins, unit) in margins.chunks_exact_mut(n_padded).zip(&units) {
                margins[start..start + LANES].copy_from_slice(unit);
            }
        }
    }
}
