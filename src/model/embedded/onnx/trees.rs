//! TreeEnsembleClassifier and TreeEnsembleRegressor: flat lists of nodes and weights → trees, each node checked.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::rc::Rc;

use super::activations::{Post, after};
use super::forest::{Forest, Grown};
use super::node::Node;
use super::scores::{Curve, Margin, Score, Scores};
use super::splits::split;
use super::values::{Basis, Context, RowsId, Value};
use super::wrong;

const CLASSES_MAX: usize = 1_000;

/// The lists of a node, `[n_nodes]` each.
struct Lists<'a> {
    trees: &'a [i64],
    nodes: &'a [i64],
    features: &'a [i64],
    modes: Vec<String>,
    thresholds: Vec<f64>,
    on_true: &'a [i64],
    on_false: &'a [i64],
    /// Or empty.
    tracks: &'a [i64],
    /// Where each node of a tree stands.
    places: HashMap<(i64, i64), usize>,
    n_inputs: usize,
}

impl<'a> Lists<'a> {
    fn read(node: &'a Node, n_inputs: usize) -> Result<Self, String> {
        let (trees, nodes) = (node.ints("nodes_treeids"), node.ints("nodes_nodeids"));
        let lists = Self {
            trees,
            nodes,
            features: node.ints("nodes_featureids"),
            modes: node.texts("nodes_modes")?,
            thresholds: node.numbers("nodes_values")?,
            on_true: node.ints("nodes_truenodeids"),
            on_false: node.ints("nodes_falsenodeids"),
            tracks: node.ints("nodes_missing_value_tracks_true"),
            places: trees.iter().copied().zip(nodes.iter().copied()).zip(0..).collect(),
            n_inputs,
        };
        lists.check()?;
        Ok(lists)
    }

    fn check(&self) -> Result<(), String> {
        let n_nodes = self.trees.len();
        if n_nodes == 0 {
            return Err(wrong("nodes_treeids", "empty", "at least one node"));
        }
        let lengths = [
            ("nodes_nodeids", self.nodes.len()),
            ("nodes_featureids", self.features.len()),
            ("nodes_modes", self.modes.len()),
            ("nodes_values", self.thresholds.len()),
            ("nodes_truenodeids", self.on_true.len()),
            ("nodes_falsenodeids", self.on_false.len()),
            ("nodes_missing_value_tracks_true", if self.tracks.is_empty() { n_nodes } else { self.tracks.len() }),
        ];
        if let Some((name, len)) = lengths.into_iter().find(|&(_, len)| len != n_nodes) {
            return Err(wrong(name, format!("{len} nodes long"), format!("{n_nodes}, as nodes_treeids")));
        }
        if self.places.len() != n_nodes {
            return Err("a tree has two nodes of one nodes_nodeids".to_owned());
        }
        Ok(())
    }

    /// The first node of each tree, its root.
    fn roots(&self) -> Result<Vec<usize>, String> {
        let is_first = |&n: &usize| n == 0 || self.trees[n] != self.trees[n - 1];
        let roots: Vec<usize> = (0..self.trees.len()).filter(is_first).collect();
        let ids: HashSet<i64> = roots.iter().map(|&root| self.trees[root]).collect();
        if ids.len() == roots.len() {
            Ok(roots)
        } else {
            Err("the nodes of a tree stand in two places".to_owned())
        }
    }

    /// The tree of a root, level by level, so that children are neighbours.
    fn grow(
        &self,
        root: usize,
        leaves: &mut [Vec<(u32, f64)>],
        is_met: &mut [bool],
    ) -> Result<Vec<Grown>, String> {
        let (mut order, mut grown) = (vec![root], Vec::new());
        is_met[root] = true;
        while let Some(&n) = order.get(grown.len()) {
            let node = if self.modes[n] == "LEAF" {
                Grown::Leaf(mem::take(&mut leaves[n]))
            } else {
                let left = u32::try_from(order.len()).expect("a file has fewer than 2^32 bytes. This is a bug.");
                let split = self.split(n)?;
                let children = [self.on_true[n], self.on_false[n]];
                let children = if split.true_is_right { [children[1], children[0]] } else { children };
                for child in children {
                    order.push(self.child(n, child, is_met)?);
                }
                Grown::Split { view: split.view, threshold: split.threshold, left }
            };
            grown.push(node);
        }
        Ok(grown)
    }

    fn split(&self, n: usize) -> Result<super::splits::Split, String> {
        let feature = usize::try_from(self.features[n]).ok().filter(|&feature| feature < self.n_inputs);
        let feature = feature.ok_or_else(|| {
            self.at(n, wrong("nodes_featureids", self.features[n], format!("a column below {}", self.n_inputs)))
        })?;
        let tracks = self.tracks.get(n).is_some_and(|&tracks| tracks != 0);
        split(&self.modes[n], feature as u32, self.thresholds[n], tracks).map_err(|problem| self.at(n, problem))
    }

    fn child(&self, n: usize, child: i64, is_met: &mut [bool]) -> Result<usize, String> {
        let place = self.places.get(&(self.trees[n], child));
        let &place = place.ok_or_else(|| self.at(n, wrong("a child", child, "a node of the tree")))?;
        if mem::replace(&mut is_met[place], true) {
            let expected = "a node without a parent: this is a cycle, or a second parent";
            return Err(self.at(n, wrong("a child", child, expected)));
        }
        Ok(place)
    }

    fn at(&self, n: usize, problem: String) -> String {
        format!("tree {}, node {}: {problem}", self.trees[n], self.nodes[n])
    }

    /// `[n_nodes]`, what each leaf adds to which classes; `kind` is `class` or `target`.
    fn leaves(
        &self,
        node: &Node,
        kind: &str,
        weights: &[f64],
        n_classes: usize,
    ) -> Result<Vec<Vec<(u32, f64)>>, String> {
        let list = |part: &str| node.ints(&format!("{kind}_{part}"));
        let (trees, nodes, classes) = (list("treeids"), list("nodeids"), list("ids"));
        if [trees.len(), nodes.len(), classes.len()] != [weights.len(); 3] {
            return Err(format!("the lists of {kind}_treeids, _nodeids, _ids and _weights are not of one length"));
        }
        let mut leaves = vec![Vec::new(); self.trees.len()];
        for (i, &weight) in weights.iter().enumerate() {
            let place = self.places.get(&(trees[i], nodes[i]));
            let &place = place.ok_or_else(|| wrong(&format!("{kind}_nodeids"), nodes[i], "a node of its tree"))?;
            let class = usize::try_from(classes[i]).ok().filter(|&class| class < n_classes);
            let class =
                class.ok_or_else(|| wrong(&format!("{kind}_ids"), classes[i], format!("below {n_classes}")))?;
            if !weight.is_finite() {
                return Err(self.at(place, wrong(&format!("{kind}_weights"), weight, "a finite number")));
            }
            leaves[place].push((class as u32, weight));
        }
        Ok(leaves)
    }

    fn forest(&self, mut leaves: Vec<Vec<(u32, f64)>>, n_classes: usize) -> Result<Forest, String> {
        let mut is_met = vec![false; self.trees.len()];
        let grow = |root: usize| self.grow(root, &mut leaves, &mut is_met);
        let trees = self.roots()?.into_iter().map(grow).collect::<Result<_, _>>()?;
        Ok(Forest { n_classes, trees })
    }
}

/// The scores of a node before its post_transform: its base values and the sum of its trees.
struct Ensemble {
    scores: Rc<Scores>,
    weights: Vec<f64>,
    /// The one class of all leaves.
    class: Option<i64>,
    n_bases: usize,
}

fn read(
    context: &mut Context,
    node: &Node,
    rows: RowsId,
    kind: &str,
    n_classes: usize,
) -> Result<Ensemble, String> {
    if !(1..=CLASSES_MAX).contains(&n_classes) {
        return Err(wrong("the number of classes", n_classes, format!("1 to {CLASSES_MAX}")));
    }
    let lists = Lists::read(node, context.rows[rows].columns.len())?;
    let weights = node.numbers(&format!("{kind}_weights"))?;
    let forest = lists.forest(lists.leaves(node, kind, &weights, n_classes)?, n_classes)?;
    let classes = node.ints(&format!("{kind}_ids"));
    let class = classes.first().copied().filter(|first| classes.iter().all(|class| class == first));
    let factor = factor(node, forest.trees.len())?;
    let bases = node.numbers("base_values")?;
    if bases.iter().any(|base| !base.is_finite()) {
        return Err("base_values are not finite".to_owned());
    }
    let basis = context.push_basis(Basis::Forests { rows, forests: vec![Rc::new(forest)] });
    context.charge(n_classes * n_classes)?;
    let margin = |class: usize| {
        let base = bases.get(class).copied().unwrap_or(0.0);
        Score::Margin(Margin::unit(n_classes, class).scaled(factor).shifted(base))
    };
    let scores = Rc::new(Scores::new(basis, (0..n_classes).map(margin).collect())?);
    Ok(Ensemble { scores, weights, class, n_bases: bases.len() })
}

fn factor(node: &Node, n_trees: usize) -> Result<f64, String> {
    let name = node.text("aggregate_function", "SUM")?;
    match name.as_str() {
        "SUM" => Ok(1.0),
        "AVERAGE" => Ok(1.0 / n_trees as f64),
        _ => Err(wrong("aggregate_function", name, "SUM or AVERAGE")),
    }
}

fn check_bases(n_bases: usize, expected: usize) -> Result<(), String> {
    if n_bases == 0 || n_bases == expected {
        return Ok(());
    }
    Err(wrong("base_values", format!("{n_bases} numbers long"), format!("{expected}, or none")))
}

pub(super) fn regressor(context: &mut Context, node: &Node, rows: RowsId) -> Result<Value, String> {
    let n_targets = usize::try_from(node.int("n_targets", 0)).unwrap_or(0);
    let ensemble = read(context, node, rows, "target", n_targets)?;
    check_bases(ensemble.n_bases, n_targets)?;
    match Post::read(node)? {
        Post::None => Ok(Value::Scores(ensemble.scores)),
        // Runtimes differ in whether they obey it.
        _ => Err("post_transform of a regressor is not supported".to_owned()),
    }
}

pub(super) fn classifier(context: &mut Context, node: &Node, rows: RowsId) -> Result<Value, String> {
    let n_classes = node.ints("classlabels_int64s").len().max(node.texts("classlabels_strings")?.len());
    let ensemble = read(context, node, rows, "class", n_classes)?;
    let post = Post::read(node)?;
    match (n_classes, ensemble.class) {
        (2, Some(0)) => single(&ensemble, post),
        (1, _) if post != Post::None => Err("post_transform of a single class is not supported".to_owned()),
        // Runtimes add base values of two classes in ways of their own.
        (2, _) => check_bases(ensemble.n_bases, 0).and_then(|()| after(context, post, &ensemble.scores)),
        _ => check_bases(ensemble.n_bases, n_classes).and_then(|()| after(context, post, &ensemble.scores)),
    }
}

/// Two classes whose leaves all count for the first: by convention the sum is that of the second.
fn single(ensemble: &Ensemble, post: Post) -> Result<Value, String> {
    check_bases(ensemble.n_bases, 1)?;
    let sum = &ensemble.scores.columns[0];
    let columns = match post {
        Post::Logistic => {
            let margin = sum.margin().expect("a forest gives margins. This is a bug.");
            let probability = Score::curve(Curve::Logistic, margin.clone());
            vec![probability.scaled(-1.0).shifted(1.0), probability]
        }
        Post::None if ensemble.weights.iter().all(|&weight| weight >= 0.0) => {
            vec![sum.scaled(-1.0).shifted(1.0), sum.clone()]
        }
        Post::None => vec![sum.scaled(-1.0), sum.clone()],
        Post::Softmax => return Err("a softmax of a single sum is not supported".to_owned()),
    };
    Ok(Value::Scores(Rc::new(Scores::new(ensemble.scores.basis, columns)?)))
}
