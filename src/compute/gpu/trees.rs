//! Margins of trees over coalitions: `shaders/live_leaves.wgsl`, then `shaders/tree_values.wgsl`.

use super::chunks::Room;
use super::design::DesignBuffers;
use super::kernel::{Context, GROUP_THREADS, Kernel};
use super::passage::Passage;
use super::program::Program;
use super::shaders::shader;
use super::store::{Scratch, Slice, WORK};
use crate::compute::DeviceError;
use crate::form::{Tree, TreeEnsemble, ValueFunction};

/// Players on one path, as `live_leaves` keeps them in each thread: deeper trees than usual ones, and still small
/// enough for many threads.
const PATH_MAX: usize = 64;

/// Coalitions of a workgroup of `tree_values`, in fours.
const GROUP_QUADS: usize = GROUP_THREADS;

pub(super) struct TreeKernels {
    live_leaves: Kernel,
    tree_values: Kernel,
    segments: Scratch,
    ends: Scratch,
}

/// A function's trees, those of each output together.
pub(super) struct TreeBuffers {
    n_trees: usize,
    n_keys: usize,
    leaf_width: usize,
    depth: usize,
    /// What the live leaves of a game take at most, in u32.
    game_words: usize,
    nodes: Slice,
    trees: Slice,
    lists: Slice,
    leaves: Slice,
    baseline_keys: Slice,
    baseline_leaves: Slice,
}

/// Bytes that `TreeBuffers` take, about.
pub(super) fn bytes(trees: &TreeEnsemble, function: &ValueFunction) -> usize {
    size_of::<[u32; 4]>() * trees.left.len()
        + size_of_val(trees.leaves.as_slice())
        + size_of_val(function.baseline_keys.as_slice())
        + size_of_val(function.baseline_leaves.as_slice())
}

impl TreeBuffers {
    pub(super) fn upload(context: &Context, trees: &TreeEnsemble, function: &ValueFunction) -> Self {
        let order = by_output(trees);
        let (starts, game_words) = segments(trees, &order);
        let nodes = trees.columns.iter().zip(&trees.values).zip(&trees.left);
        let nodes: Vec<[u32; 4]> = nodes.map(|((&column, &value), &left)| [column, value, left, 0]).collect();
        let roots: Vec<[u32; 2]> = order.iter().zip(starts).map(|(&t, start)| [trees.roots[t], start]).collect();
        let of_rows = function.baseline_leaves.chunks_exact(trees.n_trees().max(1));
        let baseline_leaves: Vec<u32> = of_rows.flat_map(|leaves| order.iter().map(|&t| leaves[t])).collect();
        Self {
            n_trees: trees.n_trees(),
            n_keys: trees.n_keys(),
            leaf_width: trees.leaf_width,
            depth: trees.depths.iter().max().map_or(0, |&depth| depth as usize),
            game_words,
            nodes: context.keep("trees.nodes", &nodes),
            trees: context.keep("trees.trees", &roots),
            lists: context.keep("trees.lists", &lists(trees, &order)),
            leaves: context.keep("trees.leaves", &trees.leaves),
            baseline_keys: context.keep("trees.baseline_keys", &function.baseline_keys),
            baseline_leaves: context.keep("trees.baseline_leaves", &baseline_leaves),
        }
    }

    /// Fails where a path may hold more players than a thread keeps.
    pub(super) fn room(&self, n_players: usize) -> Result<Room, DeviceError> {
        let n_on_path = self.depth.min(n_players);
        if n_on_path > PATH_MAX {
            let text = format!("trees with {n_on_path} players on a path; the limit is {PATH_MAX} players");
            return Err(DeviceError::Refused(text));
        }
        let game_words = self.game_words + self.n_trees;
        Ok(Room {
            game_bytes: (size_of::<u32>() * game_words) as u64,
            record_bytes: (size_of::<[u32; 2]>() * self.n_keys) as u64,
        })
    }
}

impl TreeKernels {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            live_leaves: Kernel::new(context, "live_leaves", shader!("live_leaves"), "main", 1),
            tree_values: Kernel::new(context, "tree_values", shader!("tree_values"), "main", 1),
            segments: Scratch::new("trees.segments", WORK),
            ends: Scratch::new("trees.ends", WORK),
        }
    }

    pub(super) fn encode(
        &self,
        program: &mut Program,
        (trees, design): (&TreeBuffers, &DesignBuffers),
        passage: &Passage,
        work: &TreeWork,
    ) {
        let [n_trees, n_keys, leaf_width, game_words] =
            [trees.n_trees, trees.n_keys, trees.leaf_width, trees.game_words].map(|n| n as u32);
        let [n_rows, first_row, n_quads, n_outputs] =
            [passage.n_rows, passage.first_row, design.n_quads(), passage.n_outputs].map(|n| n as u32);
        program.dispatch(
            &self.live_leaves,
            [n_trees, n_keys, n_rows, first_row, leaf_width, game_words, 0, 0],
            &[
                &trees.nodes,
                &trees.trees,
                &trees.leaves,
                &trees.baseline_keys,
                &trees.baseline_leaves,
                &passage.records,
                &work.segments,
                &work.ends,
            ],
            [trees.n_trees.div_ceil(GROUP_THREADS), passage.n_games(), 1],
        );
        program.dispatch(
            &self.tree_values,
            [n_trees, leaf_width, game_words, n_quads, n_outputs, 0, 0, 0],
            &[&trees.trees, &trees.lists, &work.segments, &work.ends, &design.columns, &passage.margins],
            [design.n_quads().div_ceil(GROUP_QUADS), passage.n_games(), passage.n_outputs],
        );
    }

    /// What stands between the two kernels, for `n_games`.
    pub(super) fn work(&mut self, context: &Context, trees: &TreeBuffers, n_games: usize) -> TreeWork {
        let take = |scratch: &mut Scratch, n_words: usize| {
            scratch.take(&context.device, (size_of::<u32>() * n_games * n_words) as u64)
        };
        TreeWork {
            segments: take(&mut self.segments, trees.game_words),
            ends: take(&mut self.ends, trees.n_trees),
        }
    }
}

pub(super) struct TreeWork {
    segments: Slice,
    ends: Slice,
}

/// The trees of each output together, else in their order.
fn by_output(trees: &TreeEnsemble) -> Vec<usize> {
    let mut order: Vec<usize> = (0..trees.n_trees()).collect();
    order.sort_by_key(|&t| trees.outputs[t]);
    order
}

/// Where the trees of each output start in `order`, and the end.
fn lists(trees: &TreeEnsemble, order: &[usize]) -> Vec<u32> {
    let n_lists = trees.n_outputs / trees.leaf_width;
    let start = |list: usize| order.partition_point(|&t| (trees.outputs[t] as usize) < list) as u32;
    (0..=n_lists).map(start).collect()
}

/// Where the segment of each tree starts, and the words of all.
fn segments(trees: &TreeEnsemble, order: &[usize]) -> (Vec<u32>, usize) {
    let mut end = 0;
    let starts = order.iter().map(|&t| {
        let start = end;
        end += segment_words(trees.tree(t), trees.leaf_width);
        start as u32
    });
    (starts.collect(), end)
}

/// Words of a tree whose leaves are all live, each with a player for every split above it.
fn segment_words(tree: Tree, leaf_width: usize) -> usize {
    let mut depths = vec![0; tree.left.len()];
    let mut n_words = 0;
    for (n, &left) in tree.left.iter().enumerate() {
        if tree.columns[n] == 0 {
            n_words += 1 + leaf_width + depths[n];
        } else {
            let child_depth = depths[n] + 1;
            depths[left as usize..][..2].fill(child_depth);
        }
    }
    n_words
}
