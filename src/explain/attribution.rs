//! From the values of games to attributions: listings on the host in float64, sampled designs through the batcher.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use ndarray::Array2;
use rayon::prelude::*;

use super::ExplainError;
use crate::compute::cpu::{Instructions, attribute::attribute};
use crate::compute::{Attributor, AttributorClosed, Problem};
use crate::model::Game;
use crate::offload::offload;
use crate::shap::{Matrix, Operator, Panels, attributions, differences, scaled, unscaled};

/// A game whose coalitions have their values.
pub(super) struct Played {
    pub(super) game: Game,
    pub(super) operator: Arc<Operator>,
    /// `[n_outputs × 2·n_pairs]`.
    pub(super) values: Array2<f64>,
    /// v(everybody) − v(nobody), `[n_outputs]`.
    pub(super) delta: Vec<f64>,
}

/// Attributions of the players of one game, `[n_outputs][n_players]`.
pub(super) type PlayerAttributions = Vec<Vec<f64>>;

/// Games under one operator, by their place in the chunk.
type Groups = BTreeMap<u64, Vec<usize>>;

/// Attributions of every game, in the order of the games. Notes the devices that worked.
pub(super) async fn solve(
    attributor: &Attributor,
    played: &Arc<Vec<Played>>,
    devices: &mut BTreeSet<Arc<str>>,
) -> Result<Vec<PlayerAttributions>, AttributorClosed> {
    let mut groups = Groups::new();
    for (place, game) in played.iter().enumerate() {
        groups.entry(game.operator.id).or_default().push(place);
    }
    let solved = groups.into_values().map(|places| solve_group(attributor, Arc::clone(played), places));
    let mut all: Vec<PlayerAttributions> = played.iter().map(|_| Vec::new()).collect();
    for (places, attributions, device) in try_join_all(solved).await? {
        devices.insert(device);
        for (place, attributions) in places.into_iter().zip(attributions) {
            all[place] = attributions;
        }
    }
    Ok(all)
}

type Solved = (Vec<usize>, Vec<PlayerAttributions>, Arc<str>);

async fn solve_group(
    attributor: &Attributor,
    played: Arc<Vec<Played>>,
    places: Vec<usize>,
) -> Result<Solved, AttributorClosed> {
    let operator = Arc::clone(&played[places[0]].operator);
    let own = (Arc::clone(&played), places.clone());
    let (products, device) = match &operator.matrix {
        Matrix::Single(_) if operator.design.n_pairs > 0 => {
            let (columns, scales) = offload(move |_| scaled_columns(&own.0, &own.1)).await;
            let solution = attributor.solve(Problem { operator: Arc::clone(&operator), columns }).await?;
            let products = solution.attributions.chunks_exact(operator.design.n_players);
            let products: Vec<Vec<f64>> =
                products.zip(scales).map(|(product, scale)| unscaled(product, scale)).collect();
            (products, solution.device)
        }
        _ => (offload(move |_| host_products(&own.0, &own.1)).await, "cpu".into()),
    };
    let mut products = products.into_iter();
    let finished = places.iter().map(|&place| finish(&played[place], &mut products)).collect();
    Ok((places, finished, device))
}

/// Float64 throughout: a listing is exact to rounding, and a design without coalitions is the equal split.
fn host_products(played: &[Played], places: &[usize]) -> Vec<Vec<f64>> {
    let Operator { design, matrix, .. } = played[places[0]].operator.as_ref();
    let columns: Vec<Vec<f64>> = places.iter().flat_map(|&place| columns(&played[place])).collect();
    match matrix {
        Matrix::Double(matrix) if design.n_pairs > 0 => {
            let panels = Panels::from_columns(design.n_pairs, &columns);
            let products = attribute(Instructions::detect(), matrix, &panels);
            products.chunks_exact(design.n_players).map(<[f64]>::to_vec).collect()
        }
        _ => vec![vec![0.0; design.n_players]; columns.len()],
    }
}

/// Columns in float32, and what each was divided by.
fn scaled_columns(played: &[Played], places: &[usize]) -> (Vec<Vec<f32>>, Vec<f64>) {
    let columns = places.par_iter().flat_map_iter(|&place| columns(&played[place]));
    columns.map(|column| scaled(&column)).unzip()
}

/// What the operator multiplies, one column for each output.
fn columns(played: &Played) -> impl Iterator<Item = Vec<f64>> + '_ {
    let outputs = played.values.rows().into_iter().zip(&played.delta);
    outputs.map(|(values, &delta)| {
        let values = values.to_slice().expect("values of one output lie together. This is a bug.");
        differences(&played.operator.coalitions, values, delta)
    })
}

/// Takes one product for each output of the game.
fn finish(played: &Played, products: &mut impl Iterator<Item = Vec<f64>>) -> PlayerAttributions {
    let outputs = played.delta.iter().zip(products);
    outputs.map(|(&delta, product)| attributions(&product, delta)).collect()
}

/// `[n_features × n_outputs]`: players at their features, 0 for features that do not play.
pub(super) fn to_features(
    game: &Game,
    players: &PlayerAttributions,
    n_features: usize,
) -> Result<Array2<f64>, ExplainError> {
    let mut features = Array2::zeros((n_features, players.len()));
    for (output_idx, of_output) in players.iter().enumerate() {
        for (&feature, &attribution) in game.players.iter().zip(of_output) {
            if !attribution.is_finite() {
                return Err(ExplainError::NotFinite { record: game.record_idx + 1 });
            }
            features[[feature as usize, output_idx]] = attribution;
        }
    }
    Ok(features)
}
