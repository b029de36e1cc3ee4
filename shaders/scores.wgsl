// Margins of coalitions → sums over baseline rows on the link's scale → what the operator multiplies.
// Twin: src/compute/cpu/scores.rs.
// uses shared/elementary.wgsl
//
// `add`: one workgroup adds the baseline rows of a dispatch for 64 coalitions of one record; one thread one coalition.
// Rows are summed in blocks of 16, and the sums of the blocks one after the other, so that a dispatch may end at any block.
// `finish`: one workgroup makes 64 pairs of one column; one thread one pair.

const BLOCK_ROWS = 16u;                 // baseline rows summed before their sum joins the total
const PANEL_WIDTH = 16u;                // columns of a panel
const SUM_MIN = 1e-30f;                 // of probabilities; next to it e^-87, where terms are cut, is nothing

// Rules.
const MARGIN = 0u;
const SCORE = 1u;
const LOG_ODDS = 2u;

// Transforms.
const LOGISTIC_TRANSFORM = 1u;
const SOFTMAX = 2u;
const EXPONENTIAL = 3u;

struct Sizes {
    n_outputs: u32,
    n_padded: u32,                      // coalitions in whole words
    n_pairs: u32,
    n_rows: u32,                        // baseline rows of this dispatch
    first_row: u32,
    n_baseline_rows: u32,
    rule: u32,
    transform: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> margins: array<f32>;               // [n_records × n_rows × n_outputs × n_padded]
@group(0) @binding(2) var<storage, read> baseline_margins: array<f32>;      // [n_baseline_rows × n_outputs]
@group(0) @binding(3) var<storage, read_write> totals: array<f32>;          // [n_records × n_sums × n_outputs × n_padded]
@group(0) @binding(4) var<storage, read> deltas: array<f32>;                // [n_columns]
@group(0) @binding(5) var<storage, read> trends: array<f32>;                // [n_pairs], (2|z| − M)/M
@group(0) @binding(6) var<storage, read_write> columns: array<f32>;         // [n_panels × n_pairs × 16]
@group(0) @binding(7) var<storage, read_write> is_coarse: array<atomic<u32>>;   // [n_columns], float32 is not enough

// Numbers summed for each output: of scores, then of their complements where the rule is the log odds.
fn n_sums() -> u32 {
    return select(1u, 2u, sizes.rule == LOG_ODDS);
}

fn total_index(record: u32, sum: u32, output: u32, coalition: u32) -> u32 {
    return ((record * n_sums() + sum) * sizes.n_outputs + output) * sizes.n_padded + coalition;
}

// Of a record, a baseline row of this dispatch and an output, for one coalition; beyond the baseline row's own.
fn margin_beyond(record: u32, row: u32, output: u32, coalition: u32) -> f32 {
    return margins[((record * sizes.n_rows + row) * sizes.n_outputs + output) * sizes.n_padded + coalition];
}

fn margin(record: u32, row: u32, output: u32, coalition: u32) -> f32 {
    let baseline = baseline_margins[(sizes.first_row + row) * sizes.n_outputs + output];
    return baseline + margin_beyond(record, row, output, coalition);
}

fn largest_margin(record: u32, row: u32, coalition: u32) -> f32 {
    var largest = margin(record, row, 0u, coalition);
    for (var output = 1u; output < sizes.n_outputs; output++) {
        largest = max(largest, margin(record, row, output, coalition));
    }
    return largest;
}

// The weights of all classes but `left_out`, each e^(margin − largest).
fn weights(record: u32, row: u32, coalition: u32, largest: f32, left_out: u32) -> f32 {
    var sum = 0.0f;
    for (var output = 0u; output < sizes.n_outputs; output++) {
        if output != left_out {
            sum += exponential(margin(record, row, output, coalition) - largest);
        }
    }
    return sum;
}

// Adds a block of rows to the totals of one coalition. Complements are summed, never 1 − p, which would lose a p near 1.
fn add_softmax(record: u32, first: u32, end: u32, coalition: u32) {
    var largest: array<f32, BLOCK_ROWS>;
    var total: array<f32, BLOCK_ROWS>;
    for (var row = first; row < end; row++) {
        largest[row - first] = largest_margin(record, row, coalition);
        total[row - first] = weights(record, row, coalition, largest[row - first], sizes.n_outputs);
    }
    for (var output = 0u; output < sizes.n_outputs; output++) {
        var present = 0.0f;
        var absent = 0.0f;
        for (var row = first; row < end; row++) {
            let i = row - first;
            present += exponential(margin(record, row, output, coalition) - largest[i]) / total[i];
            if sizes.rule == LOG_ODDS {
                absent += weights(record, row, coalition, largest[i], output) / total[i];
            }
        }
        totals[total_index(record, 0u, output, coalition)] += present;
        if sizes.rule == LOG_ODDS {
            totals[total_index(record, 1u, output, coalition)] += absent;
        }
    }
}

fn score(margin: f32) -> f32 {
    switch sizes.transform {
        case LOGISTIC_TRANSFORM: { return sigmoid(margin); }
        case EXPONENTIAL: { return exponential(margin); }
        default: { return margin; }
    }
}

fn add_each(record: u32, first: u32, end: u32, coalition: u32) {
    for (var output = 0u; output < sizes.n_outputs; output++) {
        var present = 0.0f;
        var absent = 0.0f;
        for (var row = first; row < end; row++) {
            if sizes.rule == MARGIN {
                present += margin_beyond(record, row, output, coalition);
            } else {
                present += score(margin(record, row, output, coalition));
            }
            if sizes.rule == LOG_ODDS {
                absent += sigmoid(-margin(record, row, output, coalition));
            }
        }
        totals[total_index(record, 0u, output, coalition)] += present;
        if sizes.rule == LOG_ODDS {
            totals[total_index(record, 1u, output, coalition)] += absent;
        }
    }
}

@compute @workgroup_size(64)
fn add(@builtin(global_invocation_id) id: vec3u) {
    let coalition = id.x;
    let record = id.y;
    if coalition >= sizes.n_padded {
        return;
    }
    for (var first = 0u; first < sizes.n_rows; first += BLOCK_ROWS) {
        let end = min(first + BLOCK_ROWS, sizes.n_rows);
        if sizes.rule != MARGIN && sizes.transform == SOFTMAX {
            add_softmax(record, first, end, coalition);
        } else {
            add_each(record, first, end, coalition);
        }
    }
}

struct Value {
    value: f32,
    is_fine: bool,
}

// Up to a constant that is the same for all coalitions.
fn value(column: u32, coalition: u32) -> Value {
    let record = column / sizes.n_outputs;
    let output = column % sizes.n_outputs;
    let present = totals[total_index(record, 0u, output, coalition)];
    if sizes.rule != LOG_ODDS {
        return Value(present / f32(sizes.n_baseline_rows), is_finite(present));
    }
    let absent = totals[total_index(record, 1u, output, coalition)];
    let is_fine = present >= SUM_MIN && absent >= SUM_MIN;
    return Value(logarithm(present) - logarithm(absent), is_fine);
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u) {
    let pair = id.x;
    let column = id.y;
    if pair >= sizes.n_pairs {
        return;
    }
    let present = value(column, pair);
    let absent = value(column, sizes.n_pairs + pair);
    let difference = present.value - absent.value - deltas[column] * trends[pair];
    // A mark, since a shader may be compiled as if there were no NaN.
    if !(present.is_fine && absent.is_fine && is_finite(difference)) {
        atomicStore(&is_coarse[column], 1u);
    }
    columns[(column / PANEL_WIDTH * sizes.n_pairs + pair) * PANEL_WIDTH + column % PANEL_WIDTH] = difference;
}
