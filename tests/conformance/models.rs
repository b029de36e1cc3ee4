//! Small models of every kind, rows for them, and their margins and values in float64 by definition.

use explaind::form::{
    Activation, Body, CategorySet, Column, Form, Fractions, Inputs, Layer, Layers, Node, Norm, Stage, Step,
    Transform, TreeEnsemble, ValueFunction, View,
};
use explaind::shap::Link;
use ndarray::Array2;

use crate::games::noise;

pub const N_FEATURES: usize = 12;

/// Cells between −2 and 2 in steps of a half, so that ties with thresholds happen, and some are missing.
pub fn rows(n_rows: usize, salt: u64) -> Array2<f32> {
    Array2::from_shape_fn((n_rows, N_FEATURES), |(row, feature)| {
        let x = noise(salt * 10_000 + (row * N_FEATURES + feature) as u64);
        if x > 0.9 { f32::NAN } else { (4.0 * x).round() as f32 / 2.0 }
    })
}

pub fn all() -> Vec<(&'static str, Form)> {
    let of_trees = |trees, transform| Form::of_numbers(Body::Trees(trees), transform);
    let of_layers = |layers, transform| {
        let imputed = (0..N_FEATURES as u32).map(|source| Column { source, steps: vec![impute()] }).collect();
        let inputs = Inputs { stages: vec![Stage::Columns(imputed)] };
        Form { inputs, ..Form::of_numbers(Body::Layers(layers), transform) }
    };
    vec![
        ("trees", of_trees(trees(1, 1, 4), Transform::Identity)),
        ("logistic trees", of_trees(trees(1, 1, 4), Transform::Logistic)),
        ("exponential trees", of_trees(trees(1, 1, 3), Transform::Exponential)),
        ("trees for each class", of_trees(trees(3, 1, 4), Transform::Softmax)),
        ("trees with vectors for leaves", of_trees(trees(3, 3, 4), Transform::Softmax)),
        ("logistic trees of two outputs", of_trees(trees(2, 2, 4), Transform::Logistic)),
        ("linear", of_layers(layers(&[2], Activation::Identity), Transform::Identity)),
        ("logistic regression", of_layers(layers(&[1], Activation::Identity), Transform::Logistic)),
        ("multinomial regression", of_layers(layers(&[3], Activation::Identity), Transform::Softmax)),
        ("relu", of_layers(layers(&[9, 1], Activation::Relu), Transform::Logistic)),
        ("tanh", of_layers(layers(&[9, 5, 2], Activation::Tanh), Transform::Identity)),
        ("logistic units", of_layers(layers(&[17, 3], Activation::Logistic), Transform::Softmax)),
        ("inputs of their own features", prepared(Vec::new())),
        ("inputs that mix features", prepared(vec![Stage::Normalise(Norm::L2)])),
    ]
}

/// 20 trees; every fourth split asks for a category.
fn trees(n_outputs: usize, leaf_width: usize, depth: usize) -> TreeEnsemble {
    let base_margins = (0..n_outputs).map(|output| noise(output as u64) as f32).collect();
    let mut trees = TreeEnsemble::new(N_FEATURES, base_margins, leaf_width);
    for t in 0..20 {
        let output = if leaf_width == 1 { t as u32 % n_outputs as u32 } else { 0 };
        trees.push_tree(output, complete_tree(depth, leaf_width, t));
    }
    trees
}

/// One tree with more live leaves than walking rows costs.
pub fn bushy() -> Form {
    let mut trees = TreeEnsemble::new(N_FEATURES, vec![0.5], 1);
    trees.push_tree(0, complete_tree(N_FEATURES, 1, 3));
    Form::of_numbers(Body::Trees(trees), Transform::Logistic)
}

fn complete_tree(depth: usize, leaf_width: usize, salt: u64) -> Vec<Node> {
    let n_splits = (1 << depth) - 1;
    let mut nodes: Vec<Node> = (0..n_splits)
        .map(|n| Node::Split { view: view(salt, n), threshold: threshold(salt, n), left: 2 * n as u32 + 1 })
        .collect();
    for leaf in 0..=n_splits {
        let number = |idx: usize| noise(salt * 1000 + (leaf * leaf_width + idx) as u64) as f32;
        nodes.push(Node::Leaf((0..leaf_width).map(number).collect()));
    }
    nodes
}

fn threshold(salt: u64, n: usize) -> f32 {
    (4.0 * noise(salt * 77 + n as u64)).round() as f32 / 2.0
}

fn view(salt: u64, n: usize) -> View {
    let seed = salt * 131 + n as u64;
    let input = ((noise(seed) + 1.0) / 2.0 * N_FEATURES as f64) as u32;
    let bit = |idx: u64| noise(seed + 1_000_000 * idx) > 0.0;
    if n % 4 == 3 {
        let set = CategorySet { words: vec![0b101], fractions: Fractions::CutUnlessNegative };
        return View::Category { input, set, inside_right: bit(1), missing_right: bit(2) };
    }
    View::Number { input, missing_right: bit(1), zero_is_missing: bit(2) }
}

/// `units` of each layer; the last one has no activation.
fn layers(units: &[usize], activation: Activation) -> Layers {
    let mut n_inputs = N_FEATURES;
    let mut layers = Vec::new();
    for (idx, &n_outputs) in units.iter().enumerate() {
        let weight = |i: usize| noise((idx * 10_000 + i) as u64) as f32;
        let activation = if idx + 1 == units.len() { Activation::Identity } else { activation };
        let weights = (0..n_outputs * n_inputs).map(weight).collect();
        layers.push(Layer { weights, bias: (0..n_outputs).map(|i| weight(i + 5_000)).collect(), activation });
        n_inputs = n_outputs;
    }
    Layers::new(layers)
}

/// Missing values would make every sum of a layer NaN.
fn impute() -> Step {
    Step::Impute { missing: f32::NAN, with: 0.5 }
}

/// Missing values imputed, two inputs of the first feature, one of the second left out.
fn prepared(more: Vec<Stage>) -> Form {
    let own = |source: u32| Column { source, steps: vec![impute(), Step::Scale { offset: 0.25, scale: 1.5 }] };
    let mut columns: Vec<Column> = (0..N_FEATURES as u32).filter(|&source| source != 1).map(own).collect();
    columns.push(Column { source: 0, steps: vec![impute(), Step::Equals(1.0)] });
    let stages = [vec![Stage::Columns(columns)], more].concat();
    let body = Body::Layers(layers(&[1], Activation::Identity));
    Form { inputs: Inputs { stages }, ..Form::of_numbers(body, Transform::Logistic) }
}

/// Margins of a row of inputs, summed in float64.
fn margins(form: &Form, inputs: &[f32]) -> Vec<f64> {
    match &form.body {
        Body::Trees(trees) => {
            let mut margins: Vec<f64> = trees.base_margins.iter().map(|&base| f64::from(base)).collect();
            let mut keys = Vec::new();
            trees.push_keys(inputs, &mut keys);
            for t in 0..trees.n_trees() {
                for (idx, &number) in trees.leaf(trees.tree(t).leaf(&keys)).iter().enumerate() {
                    margins[trees.outputs[t] as usize + idx] += f64::from(number);
                }
            }
            margins
        }
        Body::Layers(layers) => {
            let row: Vec<f64> = inputs.iter().map(|&x| f64::from(x)).collect();
            layers.as_slice().iter().fold(row, |row, layer| {
                let weights = layer.weights.chunks_exact(row.len()).zip(&layer.bias);
                let sum = |(weights, &bias): (&[f32], &f32)| {
                    weights.iter().zip(&row).fold(f64::from(bias), |sum, (&w, x)| sum + f64::from(w) * x)
                };
                weights.map(|weights| layer.activation.apply(sum(weights))).collect()
            })
        }
    }
}

/// v of one row for each baseline row, by definition: the link of the mean score.
pub fn value(function: &ValueFunction, rows: &Array2<f32>) -> Vec<f64> {
    let form = &function.form;
    let rows: Vec<f32> = rows.iter().copied().collect();
    let inputs = form.inputs.apply(&rows, form.n_features());
    let margins: Vec<Vec<f64>> =
        inputs.chunks_exact(form.body.n_inputs()).map(|inputs| margins(form, inputs)).collect();
    let mean = |of_row: &dyn Fn(&[f64]) -> f64| {
        margins.iter().map(|margins| of_row(margins)).sum::<f64>() / margins.len() as f64
    };
    let of_output = |output: usize| {
        let p = mean(&|margins| score(form.transform, margins, output));
        let q = mean(&|margins| complement(form.transform, margins, output));
        match function.link {
            Link::Identity => p,
            Link::Logit if matches!(form.transform, Transform::Logistic | Transform::Softmax) => p.ln() - q.ln(),
            Link::Logit => {
                let p = p.clamp(1e-15, 1.0 - 1e-15);
                (p / (1.0 - p)).ln()
            }
        }
    };
    (0..form.n_outputs()).map(of_output).collect()
}

fn score(transform: Transform, margins: &[f64], output: usize) -> f64 {
    let m = margins[output];
    match transform {
        Transform::Identity => m,
        Transform::Logistic => 1.0 / (1.0 + (-m).exp()),
        Transform::Exponential => m.exp(),
        Transform::Softmax => 1.0 / margins.iter().map(|other| (other - m).exp()).sum::<f64>(),
    }
}

/// 1 − score, without the subtraction.
fn complement(transform: Transform, margins: &[f64], output: usize) -> f64 {
    match transform {
        Transform::Softmax => {
            let others = (0..margins.len()).filter(|&other| other != output);
            others.map(|other| score(transform, margins, other)).sum()
        }
        _ => 1.0 / (1.0 + margins[output].exp()),
    }
}
