// Inputs of records and baseline rows → what each player adds to the first layer's sums. Twin: src/compute/cpu/steps.rs.
//
// One workgroup does 64 units of one game, a record against a baseline row; one thread all players of one unit.

const NOBODY = 0x7fffffffu;             // owns a feature that stays as it is in the baseline row

struct Sizes {
    n_inputs: u32,
    n_units: u32,
    n_players: u32,
    n_rows: u32,                        // baseline rows of these games
    first_row: u32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> weights: array<f32>;               // [n_inputs × n_units in whole fours]
@group(0) @binding(2) var<storage, read> baseline_inputs: array<f32>;       // [n_baseline_rows × n_inputs]
@group(0) @binding(3) var<storage, read> records: array<vec2u>;             // [n_records × n_inputs], bits and its player
@group(0) @binding(4) var<storage, read_write> steps: array<f32>;           // [n_games × n_players × n_units in whole fours]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let unit = id.x;
    let game = id.y;
    let width = (sizes.n_units + 3u) / 4u * 4u;
    if unit >= width {
        return;
    }
    let first = game * sizes.n_players * width + unit;
    for (var player = 0u; player < sizes.n_players; player++) {
        steps[first + player * width] = 0.0f;
    }
    let row = sizes.first_row + game % sizes.n_rows;
    for (var i = 0u; i < sizes.n_inputs; i++) {
        let record = records[game / sizes.n_rows * sizes.n_inputs + i];
        if record.y != NOBODY {
            let difference = bitcast<f32>(record.x) - baseline_inputs[row * sizes.n_inputs + i];
            steps[first + record.y * width] += weights[i * width + unit] * difference;
        }
    }
}
