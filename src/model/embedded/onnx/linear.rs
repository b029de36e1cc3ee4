//! Weighted sums of columns: MatMul, Gemm, LinearRegressor, LinearClassifier; and hidden layers, where what is summed
//! are curves of sums.

use std::rc::Rc;

use super::activations::{Post, after};
use super::node::Node;
use super::scores::{Curve, Margin, SCORES_MAX, Score, Scores, Term};
use super::tensor::Constant;
use super::values::{Basis, BasisId, Context, Value};
use super::wrong;
use crate::form::{Activation, Layer};

/// Weights of one sum that are not 0, by their places in the basis.
struct Sparse {
    weights: Vec<(usize, f64)>,
    offset: f64,
}

/// `[n_outputs × n_inputs]`, row-major, and `[n_outputs]`.
struct Map {
    weights: Vec<f64>,
    offsets: Vec<f64>,
}

impl Map {
    fn new(weights: Vec<f64>, offsets: Vec<f64>) -> Result<Self, String> {
        let all_finite = weights.iter().chain(&offsets).all(|number| number.is_finite());
        if !all_finite {
            return Err("a weight is not finite".to_owned());
        }
        Ok(Self { weights, offsets })
    }

    /// Of a value that is a row for each record.
    fn apply(&self, context: &mut Context, value: &Value) -> Result<Value, String> {
        let width = context.width(value)?;
        if self.weights.len() != self.offsets.len() * width {
            let expected =
                format!("{} for {} sums of {width} columns", self.offsets.len() * width, self.offsets.len());
            return Err(wrong("the number of weights", self.weights.len(), expected));
        }
        let (basis, columns) = match value {
            Value::Rows(rows) => (context.linear_basis(*rows), None),
            Value::Blocks(blocks) => (context.blocks_basis(*blocks), None),
            Value::Scores(scores) => {
                let (basis, columns) = settle(context, scores)?;
                (basis, Some(columns))
            }
            Value::Constant(_) | Value::Texts(_) | Value::Lower(_) | Value::Tokens(_) => {
                return Err("only numbers can be summed".to_owned());
            }
        };
        let n = context.basis_width(basis);
        let n_products = columns.as_ref().map_or(n, |columns| columns.iter().map(|sum| sum.weights.len()).sum());
        context.charge(self.offsets.len() * (n + n_products))?;
        let sum = |(weights, &offset): (&[f64], &f64)| match &columns {
            None => Margin { weights: weights.to_vec(), offset },
            Some(columns) => combined(weights, offset, columns, n),
        };
        let margins = self.weights.chunks_exact(width).zip(&self.offsets).map(sum);
        Ok(Value::Scores(Rc::new(Scores::new(basis, margins.map(Score::Margin).collect())?)))
    }
}

fn combined(weights: &[f64], offset: f64, columns: &[Sparse], n: usize) -> Margin {
    let mut margin = Margin { weights: vec![0.0; n], offset };
    for (factor, column) in weights.iter().zip(columns) {
        margin.offset += factor * column.offset;
        for &(place, weight) in &column.weights {
            margin.weights[place] += factor * weight;
        }
    }
    margin
}

/// Scores as sums over a basis: their own, or that of a new hidden layer which has their curves.
fn settle(context: &mut Context, scores: &Scores) -> Result<(BasisId, Vec<Sparse>), String> {
    if let Some(margins) = scores.margins() {
        let sparse = |margin: &Margin| {
            let weights = margin.weights.iter().copied().enumerate().filter(|&(_, weight)| weight != 0.0);
            Sparse { weights: weights.collect(), offset: margin.offset }
        };
        return Ok((scores.basis, margins.into_iter().map(sparse).collect()));
    }
    let mut hidden: Vec<&Term> = Vec::new();
    let mut columns = Vec::new();
    for score in &scores.columns {
        let Score::Curves { terms, offset } = score else {
            return Err("sums of margins and of curves of margins are not supported".to_owned());
        };
        let weights = terms.iter().map(|term| (place(&mut hidden, term), term.factor)).collect();
        columns.push(Sparse { weights, offset: *offset });
    }
    let layer = hidden_layer(&hidden)?;
    if let Basis::Forests { .. } = context.bases[scores.basis] {
        return Err("sums of curves of trees are not supported".to_owned());
    }
    Ok((context.push_basis(Basis::Layer { below: scores.basis, layer }), columns))
}

/// Where the curve stands in the hidden layer.
fn place<'a>(hidden: &mut Vec<&'a Term>, term: &'a Term) -> usize {
    let is_same = |other: &&Term| other.curve == term.curve && other.margin == term.margin;
    hidden.iter().position(is_same).unwrap_or_else(|| {
        hidden.push(term);
        hidden.len() - 1
    })
}

fn hidden_layer(hidden: &[&Term]) -> Result<Layer, String> {
    let activation = match hidden.first().map(|term| term.curve) {
        Some(Curve::Relu) => Activation::Relu,
        Some(Curve::Tanh) => Activation::Tanh,
        Some(Curve::Logistic) => Activation::Logistic,
        _ => return Err("only sums of Relu, Tanh or Sigmoid are supported".to_owned()),
    };
    if hidden.iter().any(|term| term.curve != hidden[0].curve) {
        return Err("a layer of several activations is not supported".to_owned());
    }
    layer(hidden.iter().map(|term| &term.margin), activation)
}

pub(super) fn layer<'a>(
    margins: impl Iterator<Item = &'a Margin> + Clone,
    activation: Activation,
) -> Result<Layer, String> {
    let weights: Vec<f32> =
        margins.clone().flat_map(|margin| &margin.weights).map(|&weight| weight as f32).collect();
    let bias: Vec<f32> = margins.map(|margin| margin.offset as f32).collect();
    if weights.iter().chain(&bias).any(|number| !number.is_finite()) {
        return Err("a weight is outside the range of float32".to_owned());
    }
    Ok(Layer { weights, bias, activation })
}

/// The same scores as margins, where a hidden layer can make them so.
pub(super) fn as_margins(context: &mut Context, scores: &Scores) -> Result<Scores, String> {
    let (basis, columns) = settle(context, scores)?;
    let n = context.basis_width(basis);
    context.charge(n * columns.len())?;
    let margins =
        columns.iter().map(|column| Score::Margin(combined(&[1.0], 0.0, std::slice::from_ref(column), n)));
    Scores::new(basis, margins.collect())
}

fn check_sums(n: usize) -> Result<(), String> {
    if (1..=SCORES_MAX).contains(&n) {
        Ok(())
    } else {
        Err(wrong("the number of sums", n, format!("1 to {SCORES_MAX}")))
    }
}

/// `[n_inputs × n_outputs]` → `[n_outputs × n_inputs]`, with their numbers.
fn transposed(matrix: &Constant) -> Result<(Vec<f64>, usize), String> {
    let numbers = matrix.finite()?;
    let &[n_inputs, n_outputs] = matrix.dims.as_slice() else {
        return Err(wrong("the rank of the weights", matrix.dims.len(), 2));
    };
    check_sums(n_outputs)?;
    let weights = (0..n_outputs).flat_map(|j| (0..n_inputs).map(move |i| numbers[i * n_outputs + j]));
    Ok((weights.collect(), n_outputs))
}

pub(super) fn mat_mul(context: &mut Context, value: &Value, matrix: &Constant) -> Result<Value, String> {
    context.charge(matrix.finite()?.len())?;
    let (weights, n_outputs) = transposed(matrix)?;
    Map::new(weights, vec![0.0; n_outputs])?.apply(context, value)
}

pub(super) fn gemm(
    context: &mut Context,
    node: &Node,
    value: &Value,
    matrix: &Constant,
    offsets: Option<&Constant>,
) -> Result<Value, String> {
    node.expect("transA", 0)?;
    let (alpha, beta) = (f64::from(node.float("alpha", 1.0)), f64::from(node.float("beta", 1.0)));
    context.charge(matrix.finite()?.len())?;
    let (weights, n_outputs) = if node.int("transB", 0) == 0 {
        transposed(matrix)?
    } else {
        (matrix.finite()?.to_vec(), matrix.dims.first().copied().unwrap_or(0))
    };
    check_sums(n_outputs)?;
    let offsets = match offsets {
        Some(offsets) => super::columns::for_columns("the offsets", offsets.finite()?, n_outputs)?,
        None => vec![0.0; n_outputs],
    };
    let weights = weights.into_iter().map(|weight| alpha * weight).collect();
    Map::new(weights, offsets.into_iter().map(|offset| beta * offset).collect())?.apply(context, value)
}

/// Coefficients and intercepts of `n` sums.
fn coefficients(context: &Context, node: &Node, value: &Value, n: usize) -> Result<Map, String> {
    check_sums(n)?;
    let weights: Vec<f64> = node.floats("coefficients").iter().map(|&weight| weight.into()).collect();
    let offsets: Vec<f64> = node.floats("intercepts").iter().map(|&offset| offset.into()).collect();
    let offsets = if offsets.is_empty() { vec![0.0; n] } else { offsets };
    if offsets.len() != n {
        return Err(wrong("the number of intercepts", offsets.len(), n));
    }
    if weights.len() != n.saturating_mul(context.width(value)?) {
        return Err(wrong("the number of coefficients", weights.len(), format!("{n} times the columns")));
    }
    Map::new(weights, offsets)
}

pub(super) fn regressor(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    let n_targets = usize::try_from(node.int("targets", 1)).unwrap_or(0);
    match Post::read(node)? {
        Post::None => coefficients(context, node, value, n_targets)?.apply(context, value),
        _ => Err("post_transform of a regressor is not supported".to_owned()),
    }
}

/// One sum for each class, or one alone for two classes.
pub(super) fn classifier(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    let n_classes = node.ints("classlabels_ints").len().max(node.texts("classlabels_strings")?.len());
    let width = context.width(value)?;
    let is_single = n_classes == 2 && node.floats("coefficients").len() == width;
    let n_sums = if is_single { 1 } else { n_classes };
    let sums = coefficients(context, node, value, n_sums)?.apply(context, value)?;
    let Value::Scores(scores) = sums else { return Ok(sums) };
    let post = Post::read(node)?;
    if !is_single {
        return after(context, post, &scores);
    }
    let complement = |score: &Score| vec![score.scaled(-1.0).shifted(1.0), score.clone()];
    let columns = match post {
        Post::None => complement(&scores.columns[0]),
        Post::Logistic => complement(&after_one(&scores.columns[0])?),
        Post::Softmax => return Err("a softmax of a single sum is not supported".to_owned()),
    };
    Ok(Value::Scores(Rc::new(Scores::new(scores.basis, columns)?)))
}

fn after_one(score: &Score) -> Result<Score, String> {
    let margin = score.margin().ok_or("a curve of a curve is not supported")?;
    Ok(Score::curve(Curve::Logistic, margin.clone()))
}
