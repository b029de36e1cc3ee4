//! Decision trees as flat arrays, and their margins for many rows.
//! Knows nothing of the file the trees came from, or of what a row stands for.

use std::collections::HashMap;

use super::views::{View, number_key};

/// Rows that go down a tree side by side, so that the loads of one hide behind those of the others.
const LANES: usize = 8;
/// Rows that meet every tree before the next rows do, so that they stay in the nearest cache.
const BLOCK_ROWS: usize = 32;
/// Levels between two looks at whether all lanes have come to a leaf: trees grown without
/// a depth limit have a few leaves far below the rest.
const LEVELS: usize = 8;

/// A node of a tree as a loader knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// The numbers this leaf adds: one, or one for each margin.
    Leaf(Vec<f32>),
    /// `x >= threshold` goes right. Its right child is `left + 1`, both counted from the tree's root.
    Split { view: View, threshold: f32, left: u32 },
}

/// A sum of trees. Tree `t` owns the nodes from `roots[t]` up to the next root; the links in `left` count from that
/// root. A row is walked as its keys, `[1 + n_views]`, of which the first is 0:
///
/// | node | `columns[n]` | `values[n]` | `left[n]` | so that `keys[columns[n]] > values[n]` is |
/// |---|---|---|---|---|
/// | split | 1 + its view | key of the threshold − 1 | left child | true for what goes right |
/// | leaf | 0 | where its numbers are in `leaves`, over `leaf_width` | itself | false: it stays |
///
/// One step is therefore `left[n] + (keys[columns[n]] > values[n])`, with no test for missing values, leaves or
/// directions.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeEnsemble {
    pub n_inputs: usize,
    /// Margins per row: 1 for binary and regression models, else the number of classes.
    pub n_outputs: usize,
    /// Numbers in a leaf: 1, which go to the tree's own margin, or `n_outputs`.
    pub leaf_width: usize,
    /// `[n_outputs]`, what every row starts from.
    pub base_margins: Vec<f32>,
    /// `[n_views]`, no two of them equal.
    pub views: Vec<View>,
    /// `[n_trees]`, in the order of summation.
    pub roots: Vec<u32>,
    /// `[n_trees]`, steps from the root to the deepest leaf.
    pub depths: Vec<u32>,
    /// `[n_trees]`, the margin a tree adds to; 0 where leaves have a number for each.
    pub outputs: Vec<u32>,
    /// `[n_nodes]`
    pub columns: Vec<u32>,
    /// `[n_nodes]`
    pub values: Vec<u32>,
    /// `[n_nodes]`, the left child, counted from the tree's root; the right one follows it.
    pub left: Vec<u32>,
    /// `[n_leaves × leaf_width]`
    pub leaves: Vec<f32>,
    columns_of: HashMap<View, u32>,
}

impl TreeEnsemble {
    /// An ensemble without trees yet. `base_margins` is `[n_outputs]`, `leaf_width` 1 or as many.
    pub fn new(n_inputs: usize, base_margins: Vec<f32>, leaf_width: usize) -> Self {
        assert!(leaf_width == 1 || leaf_width == base_margins.len(), "leaves of another width. This is a bug.");
        Self {
            n_inputs,
            n_outputs: base_margins.len(),
            leaf_width,
            base_margins,
            views: Vec::new(),
            roots: Vec::new(),
            depths: Vec::new(),
            outputs: Vec::new(),
            columns: Vec::new(),
            values: Vec::new(),
            left: Vec::new(),
            leaves: Vec::new(),
            columns_of: HashMap::new(),
        }
    }

    pub fn n_trees(&self) -> usize {
        self.roots.len()
    }

    /// Appends a tree that adds to margin `output`. The first node is the root and children come after their parents;
    /// inputs are below `n_inputs`, thresholds are not NaN. Panics on what is otherwise.
    pub fn push_tree(&mut self, output: u32, nodes: Vec<Node>) {
        self.roots.push(index(self.left.len()));
        self.depths.push(depth(&nodes));
        self.outputs.push(output);
        for (n, node) in nodes.into_iter().enumerate() {
            let (column, value, left) = self.encode(index(n), node);
            self.columns.push(column);
            self.values.push(value);
            self.left.push(left);
        }
    }

    fn encode(&mut self, n: u32, node: Node) -> (u32, u32, u32) {
        match node {
            Node::Leaf(numbers) => {
                assert_eq!(numbers.len(), self.leaf_width, "a leaf of another width. This is a bug.");
                let leaf = index(self.leaves.len() / self.leaf_width);
                self.leaves.extend(numbers);
                (0, leaf, n)
            }
            Node::Split { view, threshold, left } => {
                assert!(!threshold.is_nan(), "a threshold is NaN. This is a bug.");
                (self.column(view), number_key(threshold) - 1, left)
            }
        }
    }

    /// The view's place among the keys, after the 0 of the leaves.
    fn column(&mut self, view: View) -> u32 {
        assert!((view.input() as usize) < self.n_inputs, "a view of no input. This is a bug.");
        *self.columns_of.entry(view).or_insert_with_key(|view| {
            self.views.push(view.clone());
            index(self.views.len())
        })
    }

    /// Numbers of one row as splits see them.
    pub fn n_keys(&self) -> usize {
        1 + self.views.len()
    }

    /// Appends the keys of a row `[n_inputs]`, `[n_keys]`.
    pub fn push_keys(&self, row: &[f32], keys: &mut Vec<u32>) {
        keys.push(0);
        keys.extend(self.views.iter().map(|view| view.key(row[view.input() as usize])));
    }

    /// Writes the margins `[n_rows × n_outputs]` of `rows` `[n_rows × n_inputs]`, NaN for a missing value. Sums in
    /// float32, base margin first, then in tree order: a row's margins do not depend on the rows around it.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        let n_lanes = out.len() / self.n_outputs;
        assert_eq!(rows.len(), n_lanes * self.n_inputs, "rows and margins do not fit. This is a bug.");
        let mut keys = Vec::with_capacity(n_lanes.next_multiple_of(LANES).min(BLOCK_ROWS) * self.n_keys());
        let blocks = rows.chunks(BLOCK_ROWS * self.n_inputs);
        for (rows, out) in blocks.zip(out.chunks_mut(BLOCK_ROWS * self.n_outputs)) {
            keys.clear();
            rows.chunks_exact(self.n_inputs).for_each(|row| self.push_keys(row, &mut keys));
            // The lanes past the last row are walked in vain.
            keys.resize(keys.len().next_multiple_of(LANES * self.n_keys()), 0);
            self.sum_block(&keys, out);
        }
    }

    fn sum_block(&self, keys: &[u32], out: &mut [f32]) {
        for out in out.chunks_exact_mut(self.n_outputs) {
            out.copy_from_slice(&self.base_margins);
        }
        for (t, &output) in self.outputs.iter().enumerate() {
            let tree = self.tree(t);
            let lanes = keys.chunks_exact(LANES * self.n_keys());
            for (keys, out) in lanes.zip(out.chunks_mut(LANES * self.n_outputs)) {
                let nodes = tree.walk(keys, self.n_keys());
                for (out, node) in out.chunks_exact_mut(self.n_outputs).zip(nodes) {
                    let out = &mut out[output as usize..][..self.leaf_width];
                    let leaf = self.leaf(tree.values[node as usize]);
                    out.iter_mut().zip(leaf).for_each(|(out, number)| *out += number);
                }
            }
        }
    }

    /// The numbers of a leaf, `[leaf_width]`.
    pub fn leaf(&self, leaf: u32) -> &[f32] {
        &self.leaves[leaf as usize * self.leaf_width..][..self.leaf_width]
    }

    pub fn tree(&self, t: usize) -> Tree<'_> {
        let start = self.roots[t] as usize;
        let end = self.roots.get(t + 1).map_or(self.left.len(), |&root| root as usize);
        Tree {
            depth: self.depths[t] as usize,
            columns: &self.columns[start..end],
            values: &self.values[start..end],
            left: &self.left[start..end],
        }
    }
}

/// One tree's share of the arrays, each `[n_nodes of the tree]`.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    pub depth: usize,
    pub columns: &'a [u32],
    pub values: &'a [u32],
    pub left: &'a [u32],
}

impl Tree<'_> {
    /// The leaf that one row of keys comes to.
    pub fn leaf(&self, keys: &[u32]) -> u32 {
        let mut n = 0;
        while self.columns[n] != 0 {
            n = (self.left[n] + u32::from(keys[self.columns[n] as usize] > self.values[n])) as usize;
        }
        self.values[n]
    }

    /// The leaves that `LANES` rows of keys come to.
    #[inline]
    fn walk(&self, keys: &[u32], n_keys: usize) -> [u32; LANES] {
        let mut nodes = [0; LANES];
        let mut levels = self.depth;
        while levels > LEVELS && !self.are_leaves(&nodes) {
            self.descend(&mut nodes, LEVELS, keys, n_keys);
            levels -= LEVELS;
        }
        self.descend(&mut nodes, levels.min(LEVELS), keys, n_keys);
        nodes
    }

    fn are_leaves(&self, nodes: &[u32; LANES]) -> bool {
        nodes.iter().all(|&n| self.left[n as usize] == n)
    }

    #[inline]
    fn descend(&self, nodes: &mut [u32; LANES], levels: usize, keys: &[u32], n_keys: usize) {
        // Slices of visibly equal length need one bounds check between them.
        let left = self.left;
        let (columns, values) = (&self.columns[..left.len()], &self.values[..left.len()]);
        for _ in 0..levels {
            for (node, keys) in nodes.iter_mut().zip(keys.chunks_exact(n_keys)) {
                let n = *node as usize;
                *node = left[n] + u32::from(keys[columns[n] as usize] > values[n]);
            }
        }
    }
}

/// Steps from the root to the deepest leaf, by one pass from the last node to the first.
fn depth(nodes: &[Node]) -> u32 {
    let mut heights = vec![0; nodes.len()];
    for (n, node) in nodes.iter().enumerate().rev() {
        if let Node::Split { left, .. } = *node {
            let left = left as usize;
            assert!(left > n, "a child comes before its parent. This is a bug.");
            heights[n] = 1 + u32::max(heights[left], heights[left + 1]);
        }
    }
    heights[0]
}

fn index(n: usize) -> u32 {
    u32::try_from(n).expect("loaders keep models below 2^32 nodes. This is a bug.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(input: u32, threshold: f32, missing_right: bool, left: u32) -> Node {
        Node::Split { view: View::Number { input, missing_right, zero_is_missing: false }, threshold, left }
    }

    fn leaf(number: f32) -> Node {
        Node::Leaf(vec![number])
    }

    fn stump(threshold: f32, missing_right: bool) -> TreeEnsemble {
        let mut trees = TreeEnsemble::new(1, vec![0.0], 1);
        trees.push_tree(0, vec![split(0, threshold, missing_right, 1), leaf(-1.0), leaf(1.0)]);
        trees
    }

    fn margins(trees: &TreeEnsemble, rows: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; rows.len() / trees.n_inputs * trees.n_outputs];
        trees.margins(rows, &mut out);
        out
    }

    #[test]
    fn a_split_sends_smaller_values_left_and_missing_ones_by_default() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let rows = [1.0, 0.99, 1.01, -inf, inf, nan];
        let cases = [
            (1.0, false, [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]),
            (1.0, true, [1.0, -1.0, 1.0, -1.0, 1.0, 1.0]),
            (inf, false, [-1.0, -1.0, -1.0, -1.0, 1.0, -1.0]),
            (inf, true, [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0]),
            (-inf, false, [1.0, 1.0, 1.0, 1.0, 1.0, -1.0]),
            (-inf, true, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ];
        for (threshold, missing_right, want) in cases {
            assert_eq!(margins(&stump(threshold, missing_right), &rows), want, "{threshold} {missing_right}");
        }
        assert_eq!(margins(&stump(0.0, false), &[-0.0, 0.0]), [1.0, 1.0]);
    }

    #[test]
    fn each_tree_adds_to_its_own_output() {
        let mut trees = TreeEnsemble::new(2, vec![0.5, 0.0, -1.0], 1);
        trees.push_tree(2, vec![leaf(10.0)]);
        trees.push_tree(0, vec![split(1, 0.0, false, 1), leaf(1.0), leaf(2.0)]);
        trees.push_tree(2, vec![leaf(0.25)]);
        assert_eq!(margins(&trees, &[9.0, -1.0, 9.0, 1.0]), [1.5, 0.0, 9.25, 2.5, 0.0, 9.25]);
    }

    #[test]
    fn no_trees_and_no_rows_are_fine() {
        let trees = TreeEnsemble::new(2, vec![0.5], 1);
        assert_eq!(margins(&trees, &[1.0, 2.0]), [0.5]);
        assert!(margins(&trees, &[]).is_empty());
    }

    #[test]
    fn a_chain_of_any_depth_is_walked_to_its_end() {
        let n_splits = 10_000;
        let mut nodes = Vec::new();
        for i in 0..n_splits {
            // The left child goes on, its sibling is a leaf behind it.
            nodes.push(split(0, -(i as f32), false, 2 * i + 1));
            if i > 0 {
                nodes.push(leaf(i as f32));
            }
        }
        nodes.extend([leaf(-1.0), leaf(n_splits as f32)]);
        let mut trees = TreeEnsemble::new(1, vec![0.0], 1);
        trees.push_tree(0, nodes);
        assert_eq!(trees.depths, [n_splits]);
        assert_eq!(margins(&trees, &[0.5, -0.5, -5_000.5, -1e9]), [1.0, 2.0, 5_002.0, -1.0]);
    }

    /// One row through one tree at a time, straight from the definition.
    fn margins_by_definition(trees: &[Vec<Node>], row: &[f32]) -> f32 {
        let leaf = |nodes: &Vec<Node>| {
            let mut n = 0;
            loop {
                match &nodes[n] {
                    Node::Leaf(numbers) => return numbers[0],
                    Node::Split { view: View::Number { input, missing_right, .. }, threshold, left } => {
                        let x = row[*input as usize];
                        let right = if x.is_nan() { *missing_right } else { x >= *threshold };
                        n = *left as usize + usize::from(right);
                    }
                    Node::Split { .. } => panic!("no test of categories here"),
                }
            }
        };
        trees.iter().map(leaf).fold(0.25, |sum, value| sum + value)
    }

    /// A tree that grows at a place drawn for each new pair of children.
    fn tree_strategy() -> impl Strategy<Value = Vec<Node>> {
        let growth = (any::<prop::sample::Index>(), 0..3u32, -2..3i8, any::<bool>());
        prop::collection::vec(growth, 0..40).prop_map(|growths| {
            let mut nodes = vec![leaf(0.0)];
            for (place, feature, threshold, missing_right) in growths {
                let leaves: Vec<usize> = (0..nodes.len()).filter(|&n| matches!(nodes[n], Node::Leaf(_))).collect();
                let left = nodes.len() as u32;
                nodes[*place.get(&leaves)] = split(feature, threshold.into(), missing_right, left);
                nodes.extend([leaf(left as f32 / 3.0), leaf(-(left as f32) / 7.0)]);
            }
            nodes
        })
    }

    fn cell_strategy() -> impl Strategy<Value = f32> {
        prop_oneof![4 => (-3..4i8).prop_map(f32::from), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)]
    }

    proptest! {
        #[test]
        fn margins_follow_the_definition_bit_for_bit_whatever_the_block(
            forest in prop::collection::vec(tree_strategy(), 1..6),
            cells in prop::collection::vec(cell_strategy(), 3 * 70),
            n_rows in 0..70usize,
        ) {
            let mut trees = TreeEnsemble::new(3, vec![0.25], 1);
            for nodes in &forest {
                trees.push_tree(0, nodes.clone());
            }
            let rows = &cells[..3 * n_rows];
            let want: Vec<f32> = rows.chunks(3).map(|row| margins_by_definition(&forest, row)).collect();
            prop_assert_eq!(margins(&trees, rows), want);
        }
    }
}
