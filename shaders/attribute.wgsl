// attributions = operatorᵀ · columns, for many records at once. Twin: src/compute/cpu/attribute.rs.
//
// One workgroup computes 32 players × 64 columns; one thread 4 players × 4 columns, held in registers.
// Each result is summed in one order, whatever the batch: blocks of 32 rows one after the other, then the
// sums of the blocks one after the other. Matrices come in panels of 16 columns: [n_panels × n_rows × 16].

const PANEL_QUADS = 4u;                 // a row of a panel, in vec4f
const BLOCK_ROWS = 32u;                 // rows summed before their sum joins the total
const PLAYER_QUADS = 8u;                // players of a workgroup, in vec4f
const COLUMN_QUADS = 16u;               // columns of a workgroup, in vec4f
const THREADS = PLAYER_QUADS * COLUMN_QUADS;

struct Sizes {
    n_rows: u32,                        // pairs of coalitions
    n_players: u32,
    n_columns: u32,                     // records × outputs
    unused: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> operator_panels: array<vec4f>;
@group(0) @binding(2) var<storage, read> column_panels: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> attributions: array<f32>;    // [n_columns × n_players]

var<workgroup> players: array<vec4f, BLOCK_ROWS * PLAYER_QUADS>;            // 4 KiB, row-major
var<workgroup> columns: array<vec4f, BLOCK_ROWS * COLUMN_QUADS>;            // 8 KiB, row-major

// Index of 4 neighbouring columns of a matrix in panels, in vec4f.
fn quad_index(row: u32, quad: u32) -> u32 {
    return (quad / PANEL_QUADS * sizes.n_rows + row) * PANEL_QUADS + quad % PANEL_QUADS;
}

fn panels(n: u32) -> u32 {
    return (n + 4u * PANEL_QUADS - 1u) / (4u * PANEL_QUADS);
}

// Rows and panels past the end read as zero, which changes no sum.
fn load_block(first_row: u32, group: vec2u, thread: u32) {
    for (var i = thread; i < BLOCK_ROWS * PLAYER_QUADS; i += THREADS) {
        let row = first_row + i / PLAYER_QUADS;
        let quad = group.y * PLAYER_QUADS + i % PLAYER_QUADS;
        if row < sizes.n_rows && quad < panels(sizes.n_players) * PANEL_QUADS {
            players[i] = operator_panels[quad_index(row, quad)];
        } else {
            players[i] = vec4f();
        }
    }
    for (var i = thread; i < BLOCK_ROWS * COLUMN_QUADS; i += THREADS) {
        let row = first_row + i / COLUMN_QUADS;
        let quad = group.x * COLUMN_QUADS + i % COLUMN_QUADS;
        if row < sizes.n_rows && quad < panels(sizes.n_columns) * PANEL_QUADS {
            columns[i] = column_panels[quad_index(row, quad)];
        } else {
            columns[i] = vec4f();
        }
    }
}

fn store(player: u32, column: u32, values: vec4f) {
    if player >= sizes.n_players {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if column + i < sizes.n_columns {
            attributions[(column + i) * sizes.n_players + player] = values[i];
        }
    }
}

@compute @workgroup_size(COLUMN_QUADS, PLAYER_QUADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_id) local: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    var total_0 = vec4f();
    var total_1 = vec4f();
    var total_2 = vec4f();
    var total_3 = vec4f();
    for (var first_row = 0u; first_row < sizes.n_rows; first_row += BLOCK_ROWS) {
        load_block(first_row, group.xy, thread);
        // Nobody reads the block before all of it is there.
        workgroupBarrier();
        var sum_0 = vec4f();
        var sum_1 = vec4f();
        var sum_2 = vec4f();
        var sum_3 = vec4f();
        for (var row = 0u; row < BLOCK_ROWS; row++) {
            let weights = players[row * PLAYER_QUADS + local.y];
            let values = columns[row * COLUMN_QUADS + local.x];
            sum_0 += weights.x * values;
            sum_1 += weights.y * values;
            sum_2 += weights.z * values;
            sum_3 += weights.w * values;
        }
        total_0 += sum_0;
        total_1 += sum_1;
        total_2 += sum_2;
        total_3 += sum_3;
        // Nobody overwrites the block before all have read it.
        workgroupBarrier();
    }
    let player = 4u * (group.y * PLAYER_QUADS + local.y);
    let column = 4u * (group.x * COLUMN_QUADS + local.x);
    store(player, column, total_0);
    store(player + 1u, column, total_1);
    store(player + 2u, column, total_2);
    store(player + 3u, column, total_3);
}
