//! A sum of decision trees as flat arrays, and its margins for many rows.
//! Knows nothing of the file the trees came from, or of what a row stands for.

/// Rows that go down a tree side by side, so that the loads of one hide behind those of the others.
const LANES: usize = 8;
/// Rows that meet every tree before the next rows do, so that they stay in the nearest cache.
const BLOCK_ROWS: usize = 32;
/// Levels between two looks at whether all lanes have come to a leaf: trees grown without
/// a depth limit have a few leaves far below the rest.
const LEVELS: usize = 8;

/// What turns margins into scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    Identity,
    Logistic,
    Softmax,
}

/// A node of a tree as a loader knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// The number this leaf adds to a margin.
    Leaf(f32),
    /// `x < threshold` goes left. Its right child is `left + 1`, both counted from the tree's root.
    Split { feature: u32, threshold: f32, missing_right: bool, left: u32 },
}

/// A sum of trees. Tree `t` owns the nodes from `roots[t]` up to the next root; the links in
/// `left` count from that root. A row is walked in its *wide* form, `[2 × n_features + 1]`:
///
/// | columns | hold | so that `wide[features[n]] >= values[n]` is |
/// |---|---|---|
/// | `0..n_features` | the row, NaN where missing | false for a missing value: it goes left |
/// | `n_features..2 × n_features` | the row, +∞ where missing | true for a missing value: it goes right |
/// | `2 × n_features` | NaN | false: a leaf links to itself and stays |
///
/// One step is therefore `left[n] + (wide[features[n]] >= values[n])`, with no test for missing
/// values, leaves or directions.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeEnsemble {
    pub n_features: usize,
    /// Margins per row: 1 for binary and regression models, else the number of classes.
    pub n_outputs: usize,
    pub transform: Transform,
    /// `[n_outputs]`, what every row starts from.
    pub base_margins: Vec<f32>,
    /// `[n_trees]`, in the order of summation.
    pub roots: Vec<u32>,
    /// `[n_trees]`, steps from the root to the deepest leaf.
    pub depths: Vec<u32>,
    /// `[n_trees]`, the margin a tree adds to.
    pub outputs: Vec<u32>,
    /// `[n_nodes]`, the column of the wide row that is tested.
    pub features: Vec<u32>,
    /// `[n_nodes]`, the threshold of a split, the number a leaf adds.
    pub values: Vec<f32>,
    /// `[n_nodes]`, the left child, counted from the tree's root; the right one follows it.
    pub left: Vec<u32>,
}

impl TreeEnsemble {
    /// An ensemble without trees yet. `base_margins` is `[n_outputs]`.
    pub fn new(n_features: usize, transform: Transform, base_margins: Vec<f32>) -> Self {
        Self {
            n_features,
            n_outputs: base_margins.len(),
            transform,
            base_margins,
            roots: Vec::new(),
            depths: Vec::new(),
            outputs: Vec::new(),
            features: Vec::new(),
            values: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Appends a tree that adds to margin `output`. The first node is the root and children come
    /// after their parents; features are below `n_features`, thresholds are not NaN.
    /// Panics on links that point backwards or out of `nodes`.
    pub fn push_tree(&mut self, output: u32, nodes: &[Node]) {
        self.roots.push(index(self.left.len()));
        self.depths.push(depth(nodes));
        self.outputs.push(output);
        for (n, &node) in nodes.iter().enumerate() {
            let (feature, value, left) = self.encode(index(n), node);
            self.features.push(feature);
            self.values.push(value);
            self.left.push(left);
        }
    }

    fn encode(&self, n: u32, node: Node) -> (u32, f32, u32) {
        let n_features = index(self.n_features);
        match node {
            Node::Leaf(value) => (2 * n_features, value, n),
            Node::Split { feature, threshold, missing_right, left } => {
                (feature + u32::from(missing_right) * n_features, threshold, left)
            }
        }
    }

    /// Writes the margins `[n_rows × n_outputs]` of `rows` `[n_rows × n_features]`, NaN for a
    /// missing value. Sums in float32, base margin first, then in tree order: a row's margins do
    /// not depend on the rows around it. Panics on slices of other lengths.
    pub fn margins(&self, rows: &[f32], out: &mut [f32]) {
        let n_rows = rows.len() / self.n_features;
        assert_eq!(rows.len(), n_rows * self.n_features, "a row is cut short. This is a bug.");
        assert_eq!(out.len(), n_rows * self.n_outputs, "margins do not fit. This is a bug.");
        let n_lanes = n_rows.next_multiple_of(LANES).min(BLOCK_ROWS);
        let mut wide = vec![f32::NAN; n_lanes * self.wide_columns()];
        let blocks = rows.chunks(BLOCK_ROWS * self.n_features);
        for (rows, out) in blocks.zip(out.chunks_mut(BLOCK_ROWS * self.n_outputs)) {
            self.widen(rows, &mut wide);
            self.sum_block(&wide, out);
        }
    }

    fn wide_columns(&self) -> usize {
        2 * self.n_features + 1
    }

    /// Fills the wide rows `[n_rows × wide_columns]`; their last columns keep the NaN they hold.
    fn widen(&self, rows: &[f32], wide: &mut [f32]) {
        let rows = rows.chunks_exact(self.n_features);
        for (row, wide) in rows.zip(wide.chunks_exact_mut(self.wide_columns())) {
            let (lefts, rights) = wide.split_at_mut(self.n_features);
            lefts.copy_from_slice(row);
            for (right, &x) in rights.iter_mut().zip(row) {
                *right = if x.is_nan() { f32::INFINITY } else { x };
            }
        }
    }

    /// `out` may have fewer rows than `wide`: the lanes past its end are walked in vain.
    fn sum_block(&self, wide: &[f32], out: &mut [f32]) {
        for out in out.chunks_exact_mut(self.n_outputs) {
            out.copy_from_slice(&self.base_margins);
        }
        for (t, &output) in self.outputs.iter().enumerate() {
            let tree = self.tree(t);
            let lanes = wide.chunks_exact(LANES * self.wide_columns());
            for (wide, out) in lanes.zip(out.chunks_mut(LANES * self.n_outputs)) {
                let leaves = tree.walk(wide, self.wide_columns());
                for (out, leaf) in out.chunks_exact_mut(self.n_outputs).zip(leaves) {
                    out[output as usize] += tree.values[leaf as usize];
                }
            }
        }
    }

    fn tree(&self, t: usize) -> Tree<'_> {
        let start = self.roots[t] as usize;
        let end = self.roots.get(t + 1).map_or(self.left.len(), |&root| root as usize);
        Tree {
            depth: self.depths[t] as usize,
            features: &self.features[start..end],
            values: &self.values[start..end],
            left: &self.left[start..end],
        }
    }
}

/// One tree's share of the arrays, each `[n_nodes of the tree]`.
struct Tree<'a> {
    depth: usize,
    features: &'a [u32],
    values: &'a [f32],
    left: &'a [u32],
}

impl Tree<'_> {
    /// The leaves that `LANES` wide rows come to.
    #[inline]
    fn walk(&self, wide: &[f32], wide_columns: usize) -> [u32; LANES] {
        let mut nodes = [0; LANES];
        let mut levels = self.depth;
        while levels > LEVELS && !self.are_leaves(&nodes) {
            self.descend(&mut nodes, LEVELS, wide, wide_columns);
            levels -= LEVELS;
        }
        self.descend(&mut nodes, levels.min(LEVELS), wide, wide_columns);
        nodes
    }

    fn are_leaves(&self, nodes: &[u32; LANES]) -> bool {
        nodes.iter().all(|&n| self.left[n as usize] == n)
    }

    #[inline]
    fn descend(&self, nodes: &mut [u32; LANES], levels: usize, wide: &[f32], wide_columns: usize) {
        // Slices of visibly equal length need one bounds check between them.
        let left = self.left;
        let (features, values) = (&self.features[..left.len()], &self.values[..left.len()]);
        for _ in 0..levels {
            for (node, row) in nodes.iter_mut().zip(wide.chunks_exact(wide_columns)) {
                let n = *node as usize;
                *node = left[n] + u32::from(row[features[n] as usize] >= values[n]);
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

    fn split(feature: u32, threshold: f32, missing_right: bool, left: u32) -> Node {
        Node::Split { feature, threshold, missing_right, left }
    }

    fn stump(threshold: f32, missing_right: bool) -> TreeEnsemble {
        let mut trees = TreeEnsemble::new(1, Transform::Identity, vec![0.0]);
        trees.push_tree(0, &[split(0, threshold, missing_right, 1), Node::Leaf(-1.0), Node::Leaf(1.0)]);
        trees
    }

    fn margins(trees: &TreeEnsemble, rows: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; rows.len() / trees.n_features * trees.n_outputs];
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
        let mut trees = TreeEnsemble::new(2, Transform::Softmax, vec![0.5, 0.0, -1.0]);
        trees.push_tree(2, &[Node::Leaf(10.0)]);
        trees.push_tree(0, &[split(1, 0.0, false, 1), Node::Leaf(1.0), Node::Leaf(2.0)]);
        trees.push_tree(2, &[Node::Leaf(0.25)]);
        assert_eq!(margins(&trees, &[9.0, -1.0, 9.0, 1.0]), [1.5, 0.0, 9.25, 2.5, 0.0, 9.25]);
    }

    #[test]
    fn no_trees_and_no_rows_are_fine() {
        let trees = TreeEnsemble::new(2, Transform::Logistic, vec![0.5]);
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
                nodes.push(Node::Leaf(i as f32));
            }
        }
        nodes.extend([Node::Leaf(-1.0), Node::Leaf(n_splits as f32)]);
        let mut trees = TreeEnsemble::new(1, Transform::Identity, vec![0.0]);
        trees.push_tree(0, &nodes);
        assert_eq!(trees.depths, [n_splits]);
        assert_eq!(margins(&trees, &[0.5, -0.5, -5_000.5, -1e9]), [1.0, 2.0, 5_002.0, -1.0]);
    }

    /// One row through one tree at a time, straight from the definition.
    fn margins_by_definition(trees: &[Vec<Node>], row: &[f32]) -> f32 {
        let leaf = |nodes: &Vec<Node>| {
            let mut n = 0;
            loop {
                match nodes[n] {
                    Node::Leaf(value) => return value,
                    Node::Split { feature, threshold, missing_right, left } => {
                        let x = row[feature as usize];
                        let right = if x.is_nan() { missing_right } else { x >= threshold };
                        n = left as usize + usize::from(right);
                    }
                }
            }
        };
        trees.iter().map(leaf).fold(0.25, |sum, value| sum + value)
    }

    /// A tree that grows at a place drawn for each new pair of children.
    fn tree_strategy() -> impl Strategy<Value = Vec<Node>> {
        let growth = (any::<prop::sample::Index>(), 0..3u32, -2..3i8, any::<bool>());
        prop::collection::vec(growth, 0..40).prop_map(|growths| {
            let mut nodes = vec![Node::Leaf(0.0)];
            for (place, feature, threshold, missing_right) in growths {
                let leaves: Vec<usize> = (0..nodes.len()).filter(|&n| matches!(nodes[n], Node::Leaf(_))).collect();
                let left = nodes.len() as u32;
                nodes[*place.get(&leaves)] = split(feature, threshold.into(), missing_right, left);
                nodes.extend([Node::Leaf(left as f32 / 3.0), Node::Leaf(-(left as f32) / 7.0)]);
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
            let mut trees = TreeEnsemble::new(3, Transform::Identity, vec![0.25]);
            for nodes in &forest {
                trees.push_tree(0, nodes);
            }
            let rows = &cells[..3 * n_rows];
            let want: Vec<f32> = rows.chunks(3).map(|row| margins_by_definition(&forest, row)).collect();
            prop_assert_eq!(margins(&trees, rows), want);
        }
    }
}
