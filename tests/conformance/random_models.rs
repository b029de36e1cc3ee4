//! Random models of every form with records to explain, the same on every machine.

use std::sync::Arc;

use explaind::compute::Explicand;
use explaind::config::Kernel;
use explaind::form::{
    Activation, Body, CategorySet, Form, Fractions, Layer, Layers, Node, Transform, TreeEnsemble, ValueFunction,
    View,
};
use explaind::shap::{Design, Link, Matrix, Operator, Panels};
use ndarray::{ArcArray2, Array2};

use crate::games::noise;
use crate::paths::LIMITS;

/// Features that no player owns: the same in records and baseline rows.
const N_FIXED: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Leaves with one number each.
    Trees {
        n_outputs: usize,
    },
    /// Leaves with a number for each output.
    VectorLeaves {
        n_outputs: usize,
    },
    Linear {
        n_outputs: usize,
    },
    /// Two hidden layers.
    Mlp {
        n_outputs: usize,
        activation: Activation,
    },
    /// One layer that is not linear.
    Perceptron {
        n_outputs: usize,
        activation: Activation,
    },
}

pub const KINDS: [Kind; 11] = [
    Kind::Trees { n_outputs: 1 },
    Kind::Trees { n_outputs: 3 },
    Kind::VectorLeaves { n_outputs: 3 },
    Kind::Linear { n_outputs: 1 },
    Kind::Linear { n_outputs: 3 },
    Kind::Mlp { n_outputs: 1, activation: Activation::Relu },
    Kind::Mlp { n_outputs: 3, activation: Activation::Tanh },
    Kind::Mlp { n_outputs: 3, activation: Activation::Logistic },
    Kind::Mlp { n_outputs: 1, activation: Activation::Identity },
    Kind::Perceptron { n_outputs: 1, activation: Activation::Tanh },
    Kind::Perceptron { n_outputs: 3, activation: Activation::Relu },
];

/// Transforms and links that float32 is good enough for.
pub const SCALES: [(Transform, Link); 6] = [
    (Transform::Identity, Link::Identity),
    (Transform::Logistic, Link::Identity),
    (Transform::Logistic, Link::Logit),
    (Transform::Softmax, Link::Identity),
    (Transform::Softmax, Link::Logit),
    (Transform::Exponential, Link::Identity),
];

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub n_players: usize,
    pub n_rows: usize,
    pub n_records: usize,
}

/// Draws that follow each other.
pub struct Draws(pub u64);

impl Draws {
    /// In −1..1.
    pub fn number(&mut self) -> f32 {
        self.0 += 1;
        noise(self.0) as f32
    }

    fn below(&mut self, n: usize) -> usize {
        ((f64::from(self.number()) + 1.0) / 2.0 * n as f64) as usize % n
    }
}

pub fn function(kind: Kind, (transform, link): (Transform, Link), shape: Shape, seed: u64) -> ValueFunction {
    let n_features = shape.n_players + N_FIXED;
    let mut draws = Draws(seed);
    let body = match kind {
        Kind::Trees { n_outputs } => Body::Trees(trees(n_features, n_outputs, 1, &mut draws)),
        Kind::VectorLeaves { n_outputs } => Body::Trees(trees(n_features, n_outputs, n_outputs, &mut draws)),
        Kind::Linear { n_outputs } => layers(&[n_features, n_outputs], &[Activation::Identity], &mut draws),
        Kind::Perceptron { n_outputs, activation } => layers(&[n_features, n_outputs], &[activation], &mut draws),
        Kind::Mlp { n_outputs, activation } => {
            let activations = [activation, activation, Activation::Identity];
            layers(&[n_features, 13, 6, n_outputs], &activations, &mut draws)
        }
    };
    let has_missing = matches!(body, Body::Trees(_));
    let rows: Vec<f32> = (0..shape.n_rows).flat_map(|_| row(n_features, has_missing, &mut draws)).collect();
    let baseline = Array2::from_shape_vec((shape.n_rows, n_features), rows).expect("rows are whole");
    ValueFunction::new(Arc::new(Form::of_numbers(body, transform)), ArcArray2::from(baseline), link)
}

/// Every third feature is a category, some numbers are missing.
fn row(n_features: usize, has_missing: bool, draws: &mut Draws) -> Vec<f32> {
    let feature = |feature: usize| match feature {
        _ if feature + N_FIXED >= n_features => 0.25,
        _ if has_missing && draws.below(8) == 0 => f32::NAN,
        _ if has_missing && feature % 3 == 2 => draws.below(40) as f32,
        _ => 2.0 * draws.number(),
    };
    (0..n_features).map(feature).collect()
}

fn trees(n_inputs: usize, n_outputs: usize, leaf_width: usize, draws: &mut Draws) -> TreeEnsemble {
    let base_margins = (0..n_outputs).map(|_| draws.number()).collect();
    let mut trees = TreeEnsemble::new(n_inputs, base_margins, leaf_width);
    let n_lists = n_outputs / leaf_width;
    for t in 0..5 * n_lists {
        // Outputs take turns, as those of boosted classes do.
        trees.push_tree((t % n_lists) as u32, tree(n_inputs, leaf_width, 1 + t % 6, draws));
    }
    trees
}

fn tree(n_inputs: usize, leaf_width: usize, depth: usize, draws: &mut Draws) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut open = vec![depth];
    while nodes.len() < open.len() {
        let depth = open[nodes.len()];
        if depth == 0 || (nodes.len() > 2 && draws.below(6) == 0) {
            nodes.push(Node::Leaf((0..leaf_width).map(|_| draws.number()).collect()));
        } else {
            let left = open.len() as u32;
            open.extend([depth - 1, depth - 1]);
            nodes.push(Node::Split { view: view(draws.below(n_inputs), draws), threshold: draws.number(), left });
        }
    }
    nodes
}

fn view(input: usize, draws: &mut Draws) -> View {
    let (missing_right, input) = (draws.below(2) == 0, input as u32);
    if input % 3 == 2 {
        let words = vec![draws.number().to_bits(), draws.number().to_bits()];
        let set = CategorySet { words, fractions: Fractions::Cut };
        return View::Category { input, set, inside_right: draws.below(2) == 0, missing_right };
    }
    View::Number { input, missing_right, zero_is_missing: draws.below(4) == 0 }
}

fn layers(widths: &[usize], activations: &[Activation], draws: &mut Draws) -> Body {
    let pairs = widths.windows(2).zip(activations);
    let layers = pairs.map(|(pair, &activation)| {
        let scale = 1.5 / (pair[0] as f32).sqrt();
        let weights = (0..pair[0] * pair[1]).map(|_| scale * draws.number()).collect();
        Layer { weights, bias: (0..pair[1]).map(|_| draws.number()).collect(), activation }
    });
    Body::Layers(Layers::new(layers.collect()))
}

/// Players own the features from the last to the first; records differ from the baseline only there.
pub fn explicands(function: &ValueFunction, shape: Shape, seed: u64) -> Vec<Explicand> {
    let mut draws = Draws(seed);
    let has_missing = matches!(function.form.body, Body::Trees(_));
    let explicand = |_| Explicand {
        features: row(shape.n_players + N_FIXED, has_missing, &mut draws),
        players: (0..shape.n_players as u32).rev().collect(),
        deltas: (0..function.form.n_outputs()).map(|_| f64::from(draws.number())).collect(),
    };
    (0..shape.n_records).map(explicand).collect()
}

/// A sampled operator in float32; where all coalitions are listed it is rounded, so that devices can be asked.
pub fn operator(n_players: usize) -> Operator {
    let n_samples = Some(4 * n_players as u64 + 70);
    let design = Design::new(n_players, n_samples, 1, Kernel::Shapley, LIMITS).expect("within the limits");
    let mut operator = Operator::of(design);
    if let Matrix::Double(Panels { n_rows, n_columns, data }) = &operator.matrix {
        let data = data.iter().map(|&element| element as f32).collect();
        operator.matrix = Matrix::Single(Panels { n_rows: *n_rows, n_columns: *n_columns, data });
    }
    operator
}
