// Live leaves → the margins of all coalitions beyond those of the baseline row. Twin: src/compute/cpu/tree_values.rs.
//
// One workgroup adds up one output of one game for 256 coalitions; one thread 4 neighbouring ones, whose bits stand in
// one word. All threads of a workgroup read the same leaves, tree after tree.

const ABSENT = 0x80000000u;             // marks a player that is to be absent
const WORD_QUADS = 8u;                  // coalitions of a word, in fours

struct Sizes {
    n_trees: u32,
    leaf_width: u32,                    // numbers of a leaf
    game_words: u32,                    // what the segments of a game take, in u32
    n_quads: u32,                       // coalitions, in fours
    n_outputs: u32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> trees: array<vec2u>;               // root; start of its segment, in u32
@group(0) @binding(2) var<storage, read> lists: array<u32>;                 // [1 + n_lists], trees of an output start there
@group(0) @binding(3) var<storage, read> segments: array<u32>;              // as live_leaves writes them
@group(0) @binding(4) var<storage, read> ends: array<u32>;                  // [n_games × n_trees], into segments
@group(0) @binding(5) var<storage, read> columns: array<u32>;               // [n_players × n_quads / 8], coalitions' bits
@group(0) @binding(6) var<storage, read_write> margins: array<vec4f>;       // [n_games × n_outputs × n_quads]

// Which of a word's coalitions meet the literals from `at` on.
fn meeting(at: u32, n_literals: u32, word: u32) -> u32 {
    var bits = 0xffffffffu;
    for (var i = at; i < at + n_literals; i++) {
        let literal = segments[i];
        let flip = select(0u, 0xffffffffu, (literal & ABSENT) != 0u);
        bits &= columns[(literal & ~ABSENT) * (sizes.n_quads / WORD_QUADS) + word] ^ flip;
    }
    return bits;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let quad = id.x;
    let game = id.y;
    let output = id.z;
    if quad >= sizes.n_quads {
        return;
    }
    let own_bits = vec4u(1u, 2u, 4u, 8u) << vec4u(quad % WORD_QUADS * 4u);
    let list = output / sizes.leaf_width;
    let number = output % sizes.leaf_width;
    var sums = vec4f();
    for (var t = lists[list]; t < lists[list + 1u]; t++) {
        var at = game * sizes.game_words + trees[t].y;
        let end = ends[game * sizes.n_trees + t];
        while at < end {
            let n_literals = segments[at];
            let value = bitcast<f32>(segments[at + 1u + number]);
            let literals = at + 1u + sizes.leaf_width;
            let bits = meeting(literals, n_literals, quad / WORD_QUADS);
            sums += select(vec4f(), vec4f(value), (vec4u(bits) & own_bits) != vec4u());
            at = literals + n_literals;
        }
    }
    margins[(game * sizes.n_outputs + output) * sizes.n_quads + quad] = sums;
}
