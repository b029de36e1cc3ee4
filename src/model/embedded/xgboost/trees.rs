//! The trees of a `gbtree` or a `dart` → an ensemble.
//! Knows how trees belong to outputs; nothing of what is inside a tree.

use super::categories::Budget;
use super::learner::Frame;
use super::parts::{Dart, Float, Tree, TreesModel};
use super::tree::Reading;
use crate::form::{Body, Form, TreeEnsemble};
use crate::model::embedded::checks::{LeafSums, Place, Wrong, quote};

/// `gbtree`.
pub(super) fn form(frame: Frame, model: &TreesModel) -> Result<Form, Wrong> {
    weighted(frame, model, None)
}

/// `dart`: the leaves of each tree have a factor of its own.
pub(super) fn dart_form(frame: Frame, dart: &Dart) -> Result<Form, Wrong> {
    let (n_trees, n_factors) = (dart.gbtree.model.trees.len(), dart.weight_drop.len());
    if n_factors != n_trees {
        let expected = format!("one factor for each of {n_trees} trees");
        return Err(Place::Model.wrong("weight_drop", format!("{n_factors} factors long"), expected));
    }
    weighted(frame, &dart.gbtree.model, Some(&dart.weight_drop))
}

fn weighted(frame: Frame, model: &TreesModel, factors: Option<&[Float]>) -> Result<Form, Wrong> {
    check_counts(model)?;
    let leaf_width = leaf_width(&model.trees[0], frame.base_margins.len())?;
    let mut sums = LeafSums::new(&frame.base_margins);
    let mut ensemble = TreeEnsemble::new(frame.n_features, frame.base_margins, leaf_width);
    let mut budget = Budget::default();
    for (t, (tree, &class)) in model.trees.iter().zip(&model.tree_info).enumerate() {
        let output = output(t, class, &ensemble)?;
        let factor = factors.map_or(1.0, |factors| factors[t].0);
        let reading = Reading { t, tree, n_features: ensemble.n_inputs, leaf_width, factor };
        let nodes = reading.nodes(&mut budget)?;
        sums.add(output, &nodes);
        ensemble.push_tree(output, nodes);
    }
    sums.check()?;
    Ok(Form::of_numbers(Body::Trees(ensemble), frame.transform))
}

fn check_counts(model: &TreesModel) -> Result<(), Wrong> {
    let (n_trees, n_classes) = (model.trees.len(), model.tree_info.len());
    let num_trees = &model.gbtree_model_param.num_trees;
    if n_trees == 0 {
        return Err(Place::Model.wrong("trees", "empty", "at least one tree"));
    }
    if num_trees.parse() != Ok(n_trees) {
        return Err(Place::Model.wrong("num_trees", quote(num_trees), n_trees));
    }
    if n_classes != n_trees {
        let expected = format!("one class for each of {n_trees} trees");
        return Err(Place::Model.wrong("tree_info", format!("{n_classes} classes long"), expected));
    }
    Ok(())
}

/// Numbers in the leaves of all trees, as the first has them.
fn leaf_width(first: &Tree, n_outputs: usize) -> Result<usize, Wrong> {
    let size = &first.tree_param.size_leaf_vector;
    match size.parse() {
        Ok(0 | 1) => Ok(1),
        Ok(width) if width == n_outputs => Ok(width),
        _ => {
            Err(Place::Tree(0).wrong("size_leaf_vector", quote(size), format!("0, 1 or {n_outputs}, the outputs")))
        }
    }
}

/// The margin that a tree adds to, or the first of them.
fn output(t: usize, class: i32, ensemble: &TreeEnsemble) -> Result<u32, Wrong> {
    let n_classes = if ensemble.leaf_width == 1 { ensemble.n_outputs } else { 1 };
    let output = u32::try_from(class).ok().filter(|&output| (output as usize) < n_classes);
    let expected = || format!("a class from 0 to {}", n_classes - 1);
    output.ok_or_else(|| Place::Tree(t).wrong("tree_info", class, expected()))
}
