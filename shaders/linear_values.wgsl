// What players add to a first layer's sums → its units for all coalitions, a product with the coalitions' bits; of a
// linear model the margins beyond those of the baseline row. Twin: src/compute/cpu/linear_values.rs.
// uses shared/elementary.wgsl
//
// One workgroup does 4 units of one game for 256 coalitions; one thread 4 neighbouring coalitions, whose bits stand in
// one word. Players are added in their order.

const WORD_QUADS = 8u;                  // coalitions of a word, in fours

struct Sizes {
    n_players: u32,
    n_units: u32,
    n_quads: u32,                       // coalitions, in fours
    activation: u32,
    n_rows: u32,                        // baseline rows of these games
    first_row: u32,
    is_offset: u32,                     // whether the baseline row's margins are taken off
    unused: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> starts: array<f32>;                // [n_baseline_rows × n_units], of nobody
@group(0) @binding(2) var<storage, read> steps: array<vec4f>;               // [n_games × n_players × n_units in fours]
@group(0) @binding(3) var<storage, read> columns: array<u32>;               // [n_players × n_quads / 8], coalitions' bits
@group(0) @binding(4) var<storage, read> baseline_margins: array<f32>;      // [n_baseline_rows × n_units], of the last layer
@group(0) @binding(5) var<storage, read_write> units: array<vec4f>;         // [n_games × n_units × n_quads]

// The unit's sum for nobody; of those past the last it does not matter.
fn start(unit: u32, game: u32) -> vec4f {
    let row = sizes.first_row + game % sizes.n_rows;
    return vec4f(starts[row * sizes.n_units + min(unit, sizes.n_units - 1u)]);
}

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
    let unit = 4u * id.z;
    let n_unit_quads = (sizes.n_units + 3u) / 4u;
    let own_bits = vec4u(1u, 2u, 4u, 8u) << vec4u(quad % WORD_QUADS * 4u);
    var sum_0 = start(unit, game);
    var sum_1 = start(unit + 1u, game);
    var sum_2 = start(unit + 2u, game);
    var sum_3 = start(unit + 3u, game);
    for (var player = 0u; player < sizes.n_players; player++) {
        let step = steps[(game * sizes.n_players + player) * n_unit_quads + id.z];
        let word = columns[player * (sizes.n_quads / WORD_QUADS) + quad / WORD_QUADS];
        let is_present = (vec4u(word) & own_bits) != vec4u();
        sum_0 += select(vec4f(), vec4f(step.x), is_present);
        sum_1 += select(vec4f(), vec4f(step.y), is_present);
        sum_2 += select(vec4f(), vec4f(step.z), is_present);
        sum_3 += select(vec4f(), vec4f(step.w), is_present);
    }
    store(unit, game, quad, sum_0);
    store(unit + 1u, game, quad, sum_1);
    store(unit + 2u, game, quad, sum_2);
    store(unit + 3u, game, quad, sum_3);
}
