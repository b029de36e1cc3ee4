// Trees, records and baseline rows → the leaves that some coalition comes to. Twin: src/compute/cpu/live_leaves.rs.
//
// One workgroup walks 64 trees for one game, a record against a baseline row; one thread one tree, every node at most once.
// A live leaf is written as the number of its literals, what it adds beyond the baseline row's own leaf, and its literals.
// Each tree has a segment of its own, so that no thread waits for another and sums stay in the order of the trees.

const PATH_MAX = 64u;                   // players on one path; more are refused before they come here
const ABSENT = 0x80000000u;             // marks a player that is to be absent
const NOBODY = 0x7fffffffu;             // owns a feature that stays as it is in the baseline row

struct Sizes {
    n_trees: u32,
    n_keys: u32,
    n_rows: u32,                        // baseline rows of these games
    first_row: u32,
    leaf_width: u32,                    // numbers of a leaf
    game_words: u32,                    // what the segments of a game take, in u32
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
// Key that a split looks at or 0 at a leaf; what it compares with or the leaf; left child, counted from the root.
@group(0) @binding(1) var<storage, read> nodes: array<vec4u>;
@group(0) @binding(2) var<storage, read> trees: array<vec2u>;               // root; start of its segment, in u32
@group(0) @binding(3) var<storage, read> leaves: array<f32>;                // [n_leaves × leaf_width]
@group(0) @binding(4) var<storage, read> baseline_keys: array<u32>;         // [n_baseline_rows × n_keys]
@group(0) @binding(5) var<storage, read> baseline_leaves: array<u32>;       // [n_baseline_rows × n_trees]
@group(0) @binding(6) var<storage, read> records: array<vec2u>;             // [n_records × n_keys], key and its player
@group(0) @binding(7) var<storage, read_write> segments: array<u32>;        // [n_games × game_words]
@group(0) @binding(8) var<storage, read_write> ends: array<u32>;            // [n_games × n_trees], into segments

// Whether a path holds a literal.
fn holds(path: ptr<function, array<u32, PATH_MAX>>, length: u32, literal: u32) -> bool {
    for (var i = 0u; i < length; i++) {
        if (*path)[i] == literal {
            return true;
        }
    }
    return false;
}

// Writes a leaf with its path at `at` and gives where the next goes.
fn push(path: ptr<function, array<u32, PATH_MAX>>, length: u32, leaf: u32, baseline_leaf: u32, at: u32) -> u32 {
    segments[at] = length;
    for (var i = 0u; i < sizes.leaf_width; i++) {
        let value = leaves[leaf * sizes.leaf_width + i] - leaves[baseline_leaf * sizes.leaf_width + i];
        segments[at + 1u + i] = bitcast<u32>(value);
    }
    for (var i = 0u; i < length; i++) {
        segments[at + 1u + sizes.leaf_width + i] = (*path)[i];
    }
    return at + 1u + sizes.leaf_width + length;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let tree_idx = id.x;
    let game = id.y;
    if tree_idx >= sizes.n_trees {
        return;
    }
    let root = trees[tree_idx].x;
    let row = sizes.first_row + game % sizes.n_rows;
    let first_key = game / sizes.n_rows * sizes.n_keys;
    let baseline_leaf = baseline_leaves[row * sizes.n_trees + tree_idx];
    var at = game * sizes.game_words + trees[tree_idx].y;

    // The players that lead here, and for each present one the node that its absence leads to.
    var path: array<u32, PATH_MAX>;
    var others: array<u32, PATH_MAX>;
    var length = 0u;
    var n = 0u;
    loop {
        let node = nodes[root + n];
        if node.x == 0u {
            if node.y != baseline_leaf {
                at = push(&path, length, node.y, baseline_leaf, at);
            }
            // Back to the last player that has not been absent yet.
            while length > 0u && (path[length - 1u] & ABSENT) != 0u {
                length -= 1u;
            }
            if length == 0u {
                break;
            }
            path[length - 1u] |= ABSENT;
            n = others[length - 1u];
            continue;
        }
        let record = records[first_key + node.x];
        let record_side = node.z + u32(record.x > node.y);
        let baseline_side = node.z + u32(baseline_keys[row * sizes.n_keys + node.x] > node.y);
        if record_side == baseline_side || holds(&path, length, record.y) {
            n = record_side;
        } else if record.y == NOBODY || holds(&path, length, record.y | ABSENT) {
            n = baseline_side;
        } else {
            path[length] = record.y;
            others[length] = baseline_side;
            length += 1u;
            n = record_side;
        }
    }
    ends[game * sizes.n_trees + tree_idx] = at;
}
