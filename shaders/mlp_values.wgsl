// One dense layer for all coalitions: units → the next layer's; the last gives margins beyond those of the baseline row.
// Twin: src/compute/cpu/mlp_values.rs.
// uses shared/elementary.wgsl
//
// One workgroup does 4 units of one game for 256 coalitions; one thread 4 neighbouring coalitions. Products are added to
// the bias in the order of the inputs.

struct Sizes {
    n_inputs: u32,
    n_units: u32,
    n_quads: u32,                       // coalitions, in fours
    activation: u32,
    n_rows: u32,                        // baseline rows of these games
    first_row: u32,
    is_offset: u32,                     // whether the baseline row's margins are taken off
    unused: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;             // [n_inputs × n_units in fours]
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;                // [n_units in fours]
@group(0) @binding(3) var<storage, read> baseline_margins: array<f32>;      // [n_baseline_rows × n_units] of the last layer
@group(0) @binding(4) var<storage, read> inputs: array<vec4f>;              // [n_games × n_inputs × n_quads]
@group(0) @binding(5) var<storage, read_write> units: array<vec4f>;         // [n_games × n_units × n_quads]

fn store(unit: u32, game: u32, quad: u32, sum: vec4f) {
    if unit >= sizes.n_units {
        return;
    }
    let a = sizes.activation;
    var result = vec4f(activated(a, sum.x), activated(a, sum.y), activated(a, sum.z), activated(a, sum.w));
    if sizes.is_offset != 0u {
        result -= vec4f(baseline_margins[(sizes.first_row + game % sizes.n_rows) * sizes.n_units + unit]);
    }
    units[(game * sizes.n_units + unit) * sizes.n_quads + quad] = result;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let quad = id.x;
    let game = id.y;
    if quad >= sizes.n_quads {
        return;
    }
    let n_unit_quads = (sizes.n_units + 3u) / 4u;
    var sum_0 = vec4f(bias[id.z].x);
    var sum_1 = vec4f(bias[id.z].y);
    var sum_2 = vec4f(bias[id.z].z);
    var sum_3 = vec4f(bias[id.z].w);
    for (var i = 0u; i < sizes.n_inputs; i++) {
        let x = inputs[(game * sizes.n_inputs + i) * sizes.n_quads + quad];
        let w = weights[i * n_unit_quads + id.z];
        sum_0 += w.x * x;
        sum_1 += w.y * x;
        sum_2 += w.z * x;
        sum_3 += w.w * x;
    }
    let unit = 4u * id.z;
    store(unit, game, quad, sum_0);
    store(unit + 1u, game, quad, sum_1);
    store(unit + 2u, game, quad, sum_2);
    store(unit + 3u, game, quad, sum_3);
}
