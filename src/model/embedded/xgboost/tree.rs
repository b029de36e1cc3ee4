//! One tree of the file → its nodes in the order of the form, each checked.
//! Knows nothing of the trees beside it.

use std::collections::HashMap;
use std::mem;

use super::categories::{self, Budget};
use super::parts::{Flag, Float, Tree};
use crate::form::{CategorySet, Node, View};
use crate::model::embedded::checks::{Place, Wrong, quote};

/// Tree `t`, and what it is read for.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub t: usize,
    pub tree: &'a Tree,
    pub n_features: usize,
    /// Numbers in a leaf.
    pub leaf_width: usize,
    /// Of all leaves.
    pub factor: f32,
}

impl Reading<'_> {
    /// The nodes that the root leads to, level by level: children are neighbours.
    pub(super) fn nodes(self, budget: &mut Budget) -> Result<Vec<Node>, Wrong> {
        self.check_leaf_size()?;
        self.check_lengths()?;
        let sets = categories::sets(self.t, self.tree, budget)?;
        Walk::new(self, sets).nodes()
    }

    fn check_leaf_size(self) -> Result<(), Wrong> {
        let size = &self.tree.tree_param.size_leaf_vector;
        if size.parse().ok().map(|size: usize| size.max(1)) != Some(self.leaf_width) {
            let expected = format!("{}, as in tree 0", self.leaf_width);
            return Err(Place::Tree(self.t).wrong("size_leaf_vector", quote(size), expected));
        }
        let n_leaves = self.tree.left_children.iter().filter(|&&child| child == -1).count();
        let (n_numbers, expected) = (self.tree.leaf_weights.len(), n_leaves * self.leaf_width);
        if self.leaf_width > 1 && n_numbers > 0 && n_numbers != expected {
            return Err(Place::Tree(self.t).wrong("leaf_weights", format!("{n_numbers} numbers long"), expected));
        }
        Ok(())
    }

    fn check_lengths(self) -> Result<(), Wrong> {
        let (tree, place, num_nodes) = (self.tree, Place::Tree(self.t), &self.tree.tree_param.num_nodes);
        let n_nodes = tree.left_children.len();
        if n_nodes == 0 {
            return Err(place.wrong("left_children", "empty", "at least one node"));
        }
        let expected = format!("{n_nodes}, the length of left_children");
        if num_nodes.parse() != Ok(n_nodes) {
            return Err(place.wrong("num_nodes", quote(num_nodes), expected));
        }
        let lengths = [
            ("right_children", tree.right_children.len()),
            ("split_indices", tree.split_indices.len()),
            ("split_conditions", tree.split_conditions.len()),
            ("default_left", tree.default_left.len()),
            ("split_type", if tree.split_type.is_empty() { n_nodes } else { tree.split_type.len() }),
        ];
        match lengths.into_iter().find(|&(_, len)| len != n_nodes) {
            Some((field, len)) => Err(place.wrong(field, format!("{len} nodes long"), expected)),
            None => Ok(()),
        }
    }
}

/// A walk through a tree whose arrays all have the same length, from its root.
struct Walk<'a> {
    reading: Reading<'a>,
    /// By node, each taken by its split.
    sets: HashMap<usize, CategorySet>,
    /// The nodes met so far, by their index in the file, in the order they will have.
    order: Vec<usize>,
    /// `[num_nodes]`, whether a node was met.
    seen: Vec<bool>,
}

impl<'a> Walk<'a> {
    fn new(reading: Reading<'a>, sets: HashMap<usize, CategorySet>) -> Self {
        let mut seen = vec![false; reading.tree.left_children.len()];
        seen[0] = true;
        Self { reading, sets, order: vec![0], seen }
    }

    fn nodes(mut self) -> Result<Vec<Node>, Wrong> {
        let mut nodes = Vec::new();
        while let Some(&n) = self.order.get(nodes.len()) {
            nodes.push(if self.reading.tree.left_children[n] == -1 { self.leaf(n)? } else { self.split(n)? });
        }
        Ok(nodes)
    }

    fn leaf(&self, n: usize) -> Result<Node, Wrong> {
        let (field, numbers) = self.leaf_numbers(n)?;
        let numbers: Vec<f32> = numbers.iter().map(|&Float(number)| number * self.reading.factor).collect();
        match numbers.iter().find(|number| !number.is_finite()) {
            Some(number) => Err(self.place(n).wrong(field, number, "a finite leaf value")),
            None => Ok(Node::Leaf(numbers)),
        }
    }

    fn leaf_numbers(&self, n: usize) -> Result<(&'static str, &'a [Float]), Wrong> {
        let (tree, width) = (self.reading.tree, self.reading.leaf_width);
        let right = tree.right_children[n];
        if width > 1 && !tree.leaf_weights.is_empty() {
            let leaf = usize::try_from(right).unwrap_or(usize::MAX);
            return self.numbers_at(n, "leaf_weights", &tree.leaf_weights, leaf);
        }
        if right != -1 {
            return Err(self.place(n).wrong("right_children", right, "-1, as left_children is"));
        }
        if width > 1 {
            return self.numbers_at(n, "base_weights", &tree.base_weights, n);
        }
        Ok(("split_conditions", &tree.split_conditions[n..=n]))
    }

    fn numbers_at(
        &self,
        n: usize,
        field: &'static str,
        numbers: &'a [Float],
        leaf: usize,
    ) -> Result<(&'static str, &'a [Float]), Wrong> {
        let width = self.reading.leaf_width;
        let found = numbers.chunks_exact(width).nth(leaf).map(|numbers| (field, numbers));
        let actual = || format!("{} numbers long", numbers.len());
        found.ok_or_else(|| self.place(n).wrong(field, actual(), format!("{width} numbers for this leaf")))
    }

    fn split(&mut self, n: usize) -> Result<Node, Wrong> {
        let (tree, place) = (self.reading.tree, self.place(n));
        let (input, Float(threshold)) = (tree.split_indices[n], tree.split_conditions[n]);
        if input as usize >= self.reading.n_features {
            let expected = format!("a feature below {}", self.reading.n_features);
            return Err(place.wrong("split_indices", input, expected));
        }
        let Flag(default_left) = tree.default_left[n];
        let left = self.child(n, "left_children", tree.left_children[n])?;
        self.child(n, "right_children", tree.right_children[n])?;
        let missing_right = !default_left;
        match tree.split_type.get(n).unwrap_or(&0) {
            0 if threshold.is_nan() => Err(place.wrong("split_conditions", threshold, "a threshold")),
            0 => {
                let view = View::Number { input, missing_right, zero_is_missing: false };
                Ok(Node::Split { view, threshold, left })
            }
            1 => {
                let set = self.sets.remove(&n);
                let expected = "a list that has every node whose split_type is 1";
                let set = set.ok_or_else(|| place.wrong("categories_nodes", "without this node", expected))?;
                let view = View::Category { input, set, inside_right: true, missing_right };
                Ok(Node::Split { view, threshold: 0.0, left })
            }
            kind => Err(place.wrong("split_type", kind, "0 or 1")),
        }
    }

    /// Queues a child and tells its index in the new order.
    fn child(&mut self, n: usize, field: &'static str, child: i32) -> Result<u32, Wrong> {
        let index = usize::try_from(child).ok().filter(|&index| index < self.seen.len());
        let Some(index) = index else {
            let expected = format!("a node from 0 to {}", self.seen.len() - 1);
            return Err(self.place(n).wrong(field, child, expected));
        };
        if mem::replace(&mut self.seen[index], true) {
            let expected = "a node without a parent: this is a cycle, or a second parent";
            return Err(self.place(n).wrong(field, child, expected));
        }
        let new_index = self.order.len();
        self.order.push(index);
        Ok(u32::try_from(new_index).expect("a file has fewer than 2^32 bytes. This is a bug."))
    }

    fn place(&self, n: usize) -> Place {
        Place::Node(self.reading.t, n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::{MODEL, changed, check_refusals, margins, trees};

    #[test]
    fn the_nodes_are_renumbered_so_that_children_are_neighbours() {
        let form = load(MODEL.as_bytes()).unwrap();
        let ensemble = trees(&form);
        assert_eq!(ensemble.roots, [0, 5]);
        assert_eq!(ensemble.depths, [2, 0]);
        assert_eq!(ensemble.left, [1, 3, 2, 3, 4, 0]);
        assert_eq!(ensemble.columns, [1, 2, 0, 0, 0, 0]);
        let inputs: Vec<u32> = ensemble.views.iter().map(|view| view.input()).collect();
        assert_eq!((inputs, ensemble.leaves.as_slice()), (vec![1, 0], [8.0, 2.0, 4.0, 1.0].as_slice()));
    }

    #[test]
    fn rows_go_where_thresholds_and_default_directions_send_them() {
        let ensemble = load(MODEL.as_bytes()).unwrap();
        let nan = f32::NAN;
        let rows = [-2.6, 0.4, -2.5, 0.4, 9.0, 0.5, nan, 0.4, -3.0, nan, nan, nan];
        assert_eq!(margins(&ensemble, &rows), [3.0, 5.0, 9.0, 5.0, 3.0, 5.0]);
    }

    #[test]
    fn an_infinite_threshold_is_a_threshold() {
        let ensemble = load(changed("[5E-1,8E0", "[-Infinity,8E0").as_bytes()).unwrap();
        assert_eq!(margins(&ensemble, &[0.0, -1e38]), [9.0]);
    }

    #[test]
    fn a_damaged_tree_is_refused_by_the_place_of_the_damage() {
        check_refusals(
            r#"
            vector":"0" => vector":"3" => tree 0: size_leaf_vector is "3"; expected 0, 1 or 1, the outputs
            vector":"1" => vector":"3" => tree 1: size_leaf_vector is "3"; expected 1, as in tree 0
            "split_type":[0 => "split_type":[1 => tree 0, node 0: categories_nodes is without this node; expected a list
            "split_type":[0 => "split_type":[2 => tree 0, node 0: split_type is 2; expected 0 or 1
            "categories_nodes":[ => "categories_nodes":[4 => tree 0: categories_segments is 0 nodes long; expected 1

            [4,-1 => [0,-1 => tree 0, node 0: left_children is 0; expected a node without a parent: this is a cycle
            -1,3] => -1,0] => tree 0, node 4: left_children is 0; expected a node without a parent: this is a cycle
            -1,3] => -1,1] => tree 0, node 4: left_children is 1; expected a node without a parent: this is a cycle
            -1,3] => -1,5] => tree 0, node 4: left_children is 5; expected a node from 0 to 4
            -1,3] => -1,-2] => tree 0, node 4: left_children is -2; expected a node from 0 to 4
            -1,3] => -1,-1] => tree 0, node 4: right_children is 2; expected -1, as left_children is
            -1,2] => -1,3] => tree 0, node 4: right_children is 3; expected a node without a parent: this is a cycle
            -1,2] => -1,-1] => tree 0, node 4: right_children is -1; expected a node from 0 to 4

            num_nodes":"5" => num_nodes":"6" => tree 0: num_nodes is "6"; expected 5, the length of left_children
            [4,-1, => [4, => tree 0: num_nodes is "5"; expected 4, the length of left_children
            [1,-1,-1,-1,2] => [1] => tree 0: right_children is 1 nodes long; expected 5, the length of left_children
            [1,0,0,0,0], => [], => tree 0: split_indices is 0 nodes long; expected 5
            ,Infinity], => ], => tree 1: split_conditions is 2 nodes long; expected 3
            ,true,false] => ] => tree 1: default_left is 1 nodes long; expected 3
            "split_type":[0, => "split_type":[ => tree 0: split_type is 4 nodes long; expected 5
            [-1,1,-1] => [] => tree 1: left_children is empty; expected at least one node

            [1,0,0,0,0], => [2,0,0,0,0], => tree 0, node 0: split_indices is 2; expected a feature below 2
            -25E-1 => NaN => tree 0, node 4: split_conditions is NaN; expected a threshold
            ,8E0 => ,NaN => tree 0, node 1: split_conditions is NaN; expected a finite leaf value
            ,8E0 => ,-Infinity => tree 0, node 1: split_conditions is -inf; expected a finite leaf value
            ,8E0 => ,1E39 => tree 0, node 1: split_conditions is inf; expected a finite leaf value
        "#,
        );
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_nodes_loads() {
        let n_nodes = 100_001;
        let link = |first: i32| {
            let links = (0..n_nodes).map(|n| if n % 2 == 0 && n + 2 < n_nodes { n + first } else { -1 });
            links.map(|link| link.to_string()).collect::<Vec<_>>().join(",")
        };
        let zeros = vec!["0"; n_nodes as usize].join(",");
        let text = changed(r#""num_nodes":"3""#, &format!(r#""num_nodes":"{n_nodes}""#))
            .replace("[-1,1,-1],\"right", &format!("[{}],\"right", link(1)))
            .replace("[-1,2,-1],\"split", &format!("[{}],\"split", link(2)))
            .replace("[0,2147483647,2147483647]", &format!("[{zeros}]"))
            .replace("[1E0,NaN,Infinity]", &format!("[{zeros}]"))
            .replace("[false,true,false]", &format!("[{zeros}]"));
        let ensemble = load(text.as_bytes()).unwrap();
        assert_eq!(trees(&ensemble).depths, [2, 50_000]);
        assert_eq!(margins(&ensemble, &[1.0, 1.0]), [8.0]);
    }

    /// As 2.x and 3.0 write it, and as 3.2 does.
    const VECTORS: [&str; 2] = [r#""base_weights":[0,0,1,2,3,4]"#, r#""leaf_weights":[1,2,3,4]"#];

    fn vector_leaf(weights: &str) -> String {
        let right = if weights.contains("leaf_weights") { "[2,0,1]" } else { "[2,-1,-1]" };
        format!(
            r#"{{"learner":{{"gradient_booster":{{"model":{{"gbtree_model_param":{{"num_trees":"1"}},"tree_info":[0],
            "trees":[{{"tree_param":{{"num_nodes":"3","size_leaf_vector":"2"}},"left_children":[1,-1,-1],
            "right_children":{right},"split_indices":[0,0,0],"split_conditions":[1,NaN,NaN],
            "default_left":[0,0,0],{weights}}}]}},"name":"gbtree"}},"learner_model_param":{{"base_score":"1",
            "num_class":"0","num_feature":"1","num_target":"2"}},"objective":{{"name":"reg:squarederror"}}}}}}"#
        )
    }

    #[test]
    fn leaves_with_several_numbers_are_read_as_each_version_writes_them() {
        for weights in VECTORS {
            let form = load(vector_leaf(weights).as_bytes()).unwrap();
            assert_eq!(trees(&form).leaf_width, 2);
            assert_eq!(margins(&form, &[0.0, 1.0]), [2.0, 3.0, 4.0, 5.0], "{weights}");
        }
        let refusal = |weights: &str| load(vector_leaf(weights).as_bytes()).unwrap_err().to_string();
        let short = "tree 0, node 1: base_weights is 3 numbers long; expected 2 numbers for this leaf";
        assert_eq!(refusal(r#""base_weights":[0,0,1]"#), short);
        let uneven = "tree 0: leaf_weights is 5 numbers long; expected 4";
        assert_eq!(refusal(r#""leaf_weights":[1,2,3,4,5]"#), uneven);
        let far = vector_leaf(VECTORS[1]).replace("[2,0,1]", "[2,0,2]");
        let text = load(far.as_bytes()).unwrap_err().to_string();
        assert_eq!(text, "tree 0, node 2: leaf_weights is 4 numbers long; expected 2 numbers for this leaf");
    }
}
