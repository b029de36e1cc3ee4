//! One tree of the file → its nodes in the order of the form, each checked.
//! Knows nothing of the trees beside it.

use std::mem;

use super::json::{Flag, Float, Tree};
use super::{Place, XgboostError, quote};
use crate::form::{Node, View};

/// The nodes of tree `t` that its root leads to, level by level: children are neighbours.
pub(super) fn nodes(t: usize, tree: &Tree, n_features: usize) -> Result<Vec<Node>, XgboostError> {
    check_leaf_size(t, tree)?;
    check_lengths(t, tree)?;
    if let Some(&n) = tree.categories_nodes.first() {
        return Err(XgboostError::Categorical { place: Place::Node(t, n as usize) });
    }
    Reader::new(t, tree, n_features).nodes()
}

fn check_leaf_size(t: usize, tree: &Tree) -> Result<(), XgboostError> {
    let size = &tree.tree_param.size_leaf_vector;
    match size.as_str() {
        "0" | "1" => Ok(()),
        _ => Err(Place::Tree(t).wrong("size_leaf_vector", quote(size), "0 or 1: one number in each leaf")),
    }
}

fn check_lengths(t: usize, tree: &Tree) -> Result<(), XgboostError> {
    let (place, num_nodes) = (Place::Tree(t), &tree.tree_param.num_nodes);
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

/// A walk through a tree whose arrays all have the same length, from its root.
struct Reader<'a> {
    t: usize,
    tree: &'a Tree,
    n_features: usize,
    /// The nodes met so far, by their index in the file, in the order they will have.
    order: Vec<usize>,
    /// `[num_nodes]`, whether a node was met.
    seen: Vec<bool>,
}

impl<'a> Reader<'a> {
    fn new(t: usize, tree: &'a Tree, n_features: usize) -> Self {
        let mut seen = vec![false; tree.left_children.len()];
        seen[0] = true;
        Self { t, tree, n_features, order: vec![0], seen }
    }

    fn nodes(mut self) -> Result<Vec<Node>, XgboostError> {
        let mut nodes = Vec::new();
        while let Some(&n) = self.order.get(nodes.len()) {
            nodes.push(if self.tree.left_children[n] == -1 { self.leaf(n)? } else { self.split(n)? });
        }
        Ok(nodes)
    }

    fn leaf(&self, n: usize) -> Result<Node, XgboostError> {
        let (right, Float(value)) = (self.tree.right_children[n], self.tree.split_conditions[n]);
        if right != -1 {
            return Err(self.place(n).wrong("right_children", right, "-1, as left_children is"));
        }
        if !value.is_finite() {
            return Err(self.place(n).wrong("split_conditions", value, "a finite leaf value"));
        }
        Ok(Node::Leaf(vec![value]))
    }

    fn split(&mut self, n: usize) -> Result<Node, XgboostError> {
        let (tree, place) = (self.tree, self.place(n));
        if tree.split_type.get(n).is_some_and(|&kind| kind != 0) {
            return Err(XgboostError::Categorical { place });
        }
        let (feature, Float(threshold)) = (tree.split_indices[n], tree.split_conditions[n]);
        if feature as usize >= self.n_features {
            let expected = format!("a feature below {}", self.n_features);
            return Err(place.wrong("split_indices", feature, expected));
        }
        if threshold.is_nan() {
            return Err(place.wrong("split_conditions", threshold, "a threshold"));
        }
        let Flag(default_left) = tree.default_left[n];
        let left = self.child(n, "left_children", tree.left_children[n])?;
        self.child(n, "right_children", tree.right_children[n])?;
        let view = View::Number { input: feature, missing_right: !default_left, zero_is_missing: false };
        Ok(Node::Split { view, threshold, left })
    }

    /// Queues a child and tells its index in the new order.
    fn child(&mut self, n: usize, field: &'static str, child: i32) -> Result<u32, XgboostError> {
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
        Place::Node(self.t, n)
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
            vector":"1" => vector":"3" => tree 1: size_leaf_vector is "3"; expected 0 or 1
            "split_type":[0 => "split_type":[1 => tree 0, node 0: a categorical split
            "categories_nodes":[ => "categories_nodes":[4 => tree 0, node 4: a categorical split

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
}
