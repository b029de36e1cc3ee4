//! Trees as a file has them, a number for some classes in each leaf, and margins over those → an ensemble of the form.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::scores::Margin;
use super::wrong;
use crate::form::{Node, TreeEnsemble, View};

/// Numbers in all leaves, where each leaf has one for each output.
const LEAF_NUMBERS_MAX: usize = 1 << 26;

#[derive(Debug)]
pub(super) struct Forest {
    pub n_classes: usize,
    /// The first node of a tree is its root.
    pub trees: Vec<Vec<Grown>>,
}

/// A node in the order of the form.
#[derive(Debug)]
pub(super) enum Grown {
    /// Classes with what the leaf adds to them.
    Leaf(Vec<(u32, f64)>),
    Split {
        view: View,
        threshold: f32,
        left: u32,
    },
}

/// For each class of all forests, the outputs it counts for and how much.
type Shares = Vec<Vec<(u32, f64)>>;

pub(super) fn ensemble(
    forests: &[Rc<Forest>],
    margins: &[Margin],
    n_inputs: usize,
) -> Result<TreeEnsemble, String> {
    let shares = shares(margins);
    let trees = || {
        let starts = forests.iter().scan(0, |start, forest| {
            *start += forest.n_classes;
            Some(*start - forest.n_classes)
        });
        starts.zip(forests).flat_map(|(start, forest)| forest.trees.iter().map(move |tree| (start, tree)))
    };
    let homes: Vec<Option<u32>> = trees().map(|(start, tree)| home(tree, &shares[start..])).collect();
    let leaf_width = if homes.iter().all(Option::is_some) { 1 } else { margins.len() };
    check_leaves(trees().map(|(_, tree)| tree), leaf_width)?;
    let base = margins.iter().map(|margin| margin.offset as f32).collect();
    let mut ensemble = TreeEnsemble::new(n_inputs, base, leaf_width);
    let mut largest: Vec<f64> = margins.iter().map(|margin| margin.offset.abs()).collect();
    for ((start, tree), home) in trees().zip(homes) {
        let output = if leaf_width == 1 { home.unwrap_or(0) } else { 0 };
        let nodes: Vec<Node> =
            tree.iter().map(|node| written(node, &shares[start..], output, leaf_width)).collect();
        add_largest(&mut largest, output as usize, &nodes);
        ensemble.push_tree(output, nodes);
    }
    check_sums(&largest)?;
    Ok(ensemble)
}

fn shares(margins: &[Margin]) -> Shares {
    let n_classes = margins[0].weights.len();
    let of_class = |class: usize| {
        let weights = margins.iter().map(|margin| margin.weights[class]).enumerate();
        weights.filter(|&(_, weight)| weight != 0.0).map(|(output, weight)| (output as u32, weight)).collect()
    };
    (0..n_classes).map(of_class).collect()
}

/// The one output that a tree adds to; the first, where it adds to none.
fn home(tree: &[Grown], shares: &[Vec<(u32, f64)>]) -> Option<u32> {
    let mut outputs = tree.iter().flat_map(|node| match node {
        Grown::Leaf(numbers) => numbers.as_slice(),
        Grown::Split { .. } => &[],
    });
    let mut home = None;
    outputs
        .all(|&(class, _)| shares[class as usize].iter().all(|&(output, _)| *home.get_or_insert(output) == output))
        .then(|| home.unwrap_or(0))
}

fn written(node: &Grown, shares: &[Vec<(u32, f64)>], output: u32, leaf_width: usize) -> Node {
    let numbers = match node {
        Grown::Split { view, threshold, left } => {
            return Node::Split { view: view.clone(), threshold: *threshold, left: *left };
        }
        Grown::Leaf(numbers) => numbers,
    };
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    for &(class, number) in numbers {
        for &(output, weight) in &shares[class as usize] {
            *sums.entry(output).or_default() += weight * number;
        }
    }
    let number = |output: u32| sums.get(&output).map_or(0.0, |&sum| sum as f32);
    Node::Leaf((output..output + leaf_width as u32).map(number).collect())
}

fn check_leaves<'a>(trees: impl Iterator<Item = &'a Vec<Grown>>, leaf_width: usize) -> Result<(), String> {
    let is_leaf = |node: &&Grown| matches!(node, Grown::Leaf(_));
    let n_leaves: usize = trees.map(|tree| tree.iter().filter(is_leaf).count()).sum();
    match n_leaves.saturating_mul(leaf_width) {
        n_numbers if n_numbers > LEAF_NUMBERS_MAX => {
            Err(wrong("the number of numbers in leaves", n_numbers, format!("at most {LEAF_NUMBERS_MAX}")))
        }
        _ => Ok(()),
    }
}

fn add_largest(largest: &mut [f64], output: usize, nodes: &[Node]) {
    let mut of_tree = vec![0.0; largest.len() - output];
    for node in nodes {
        if let Node::Leaf(numbers) = node {
            let pairs = of_tree.iter_mut().zip(numbers);
            pairs.for_each(|(largest, number)| *largest = f64::max(*largest, f64::from(number.abs())));
        }
    }
    largest[output..].iter_mut().zip(of_tree).for_each(|(sum, number)| *sum += number);
}

/// Refuses leaves that could add up to infinity in float32, whichever leaves a row comes to.
fn check_sums(largest: &[f64]) -> Result<(), String> {
    // Half of the range leaves room for the rounding of each addition.
    let limit = f64::from(f32::MAX / 2.0);
    match largest.iter().find(|&&sum| sum.is_nan() || sum > limit) {
        Some(sum) => Err(wrong(
            "the sum of the trees' largest leaves",
            format!("{sum:.2e}"),
            format!("at most {limit:.2e}"),
        )),
        None => Ok(()),
    }
}
