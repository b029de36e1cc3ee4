//! Curves over margins, and arithmetic of scores: what stands between a model's sums and its answer.

use std::rc::Rc;

use super::columns::{Arithmetic, for_columns};
use super::node::Node;
use super::scores::{Curve, Score, Scores};
use super::select::on_one_basis;
use super::tensor::Constant;
use super::values::{Context, Value};
use super::wrong;

/// `post_transform` of a classifier or a regressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Post {
    None,
    Logistic,
    Softmax,
}

impl Post {
    pub fn read(node: &Node) -> Result<Self, String> {
        let name = node.text("post_transform", "NONE")?;
        match name.as_str() {
            "NONE" => Ok(Self::None),
            "LOGISTIC" => Ok(Self::Logistic),
            "SOFTMAX" => Ok(Self::Softmax),
            _ => Err(wrong("post_transform", name, "NONE, LOGISTIC or SOFTMAX")),
        }
    }
}

/// The scores after `post_transform`.
pub(super) fn after(context: &mut Context, post: Post, scores: &Rc<Scores>) -> Result<Value, String> {
    match post {
        Post::None => Ok(Value::Scores(Rc::clone(scores))),
        Post::Logistic => activate(context, Curve::Logistic, scores),
        Post::Softmax => softmax(context, scores),
    }
}

pub(super) fn activate(context: &mut Context, curve: Curve, scores: &Scores) -> Result<Value, String> {
    context.charge(scores.cost())?;
    let activated = scores.map(|score| Ok(Score::curve(curve, margin(score)?.clone())))?;
    Ok(Value::Scores(Rc::new(activated)))
}

fn margin(score: &Score) -> Result<&super::scores::Margin, String> {
    score
        .margin()
        .ok_or_else(|| "a curve of a curve, without weighted sums between them, is not supported".to_owned())
}

/// Of two margins it is the logistic of their difference.
pub(super) fn softmax(context: &mut Context, scores: &Scores) -> Result<Value, String> {
    context.charge(scores.cost())?;
    let margins = scores.columns.iter().map(margin).collect::<Result<Vec<_>, _>>()?;
    let columns = match margins.as_slice() {
        &[a, b] => {
            let second = Score::curve(Curve::Logistic, b.plus(&a.scaled(-1.0)));
            vec![second.scaled(-1.0).shifted(1.0), second]
        }
        _ => {
            let (id, n) = (context.n_softmaxes, margins.len());
            context.n_softmaxes += 1;
            let share = |(index, &margin): (usize, &&_)| {
                Score::curve(Curve::Softmax { id, index, n }, super::scores::Margin::clone(margin))
            };
            margins.iter().enumerate().map(share).collect()
        }
    };
    Ok(Value::Scores(Rc::new(Scores::new(scores.basis, columns)?)))
}

/// What is never negative is its own magnitude.
pub(super) fn magnitude(scores: &Rc<Scores>) -> Result<Value, String> {
    if scores.columns.iter().all(Score::is_share) {
        return Ok(Value::Scores(Rc::clone(scores)));
    }
    Err("only of probabilities this is supported".to_owned())
}

/// `ReduceSum` over the columns.
pub(super) fn total(context: &mut Context, scores: &Scores) -> Result<Value, String> {
    context.charge(scores.columns.len() * scores.cost())?;
    let (first, rest) = scores.columns.split_first().expect("there is a column. This is a bug.");
    let total = rest.iter().try_fold(first.clone(), |total, score| total.plus(score))?;
    Ok(Value::Scores(Rc::new(Scores::new(scores.basis, vec![total])?)))
}

/// Scores and a constant, in either order.
pub(super) fn with_constant(
    context: &mut Context,
    operator: Arithmetic,
    scores: &Scores,
    constant: &Constant,
    is_constant_first: bool,
) -> Result<Value, String> {
    let numbers = for_columns("the constant", constant.finite()?, scores.columns.len())?;
    with_numbers(context, operator, scores, &numbers, is_constant_first)
}

fn with_numbers(
    context: &mut Context,
    operator: Arithmetic,
    scores: &Scores,
    numbers: &[f64],
    is_constant_first: bool,
) -> Result<Value, String> {
    context.charge(scores.cost())?;
    let mut numbers = numbers.iter().copied();
    let changed = scores.map(|score| {
        let number = numbers.next().expect("there is a number for each column. This is a bug.");
        match (operator, is_constant_first) {
            (Arithmetic::Add, _) => Ok(score.shifted(number)),
            (Arithmetic::Sub, false) => Ok(score.shifted(-number)),
            (Arithmetic::Sub, true) => Ok(score.scaled(-1.0).shifted(number)),
            (Arithmetic::Mul, _) => Ok(score.scaled(number)),
            (Arithmetic::Div, false) if number != 0.0 => Ok(score.scaled(1.0 / number)),
            (Arithmetic::Div, _) => Err("only scores over a constant that is not 0 are supported".to_owned()),
        }
    });
    Ok(Value::Scores(Rc::new(changed?)))
}

/// Scores and scores, column by column.
pub(super) fn with_scores(
    context: &mut Context,
    operator: Arithmetic,
    a: &Rc<Scores>,
    b: &Rc<Scores>,
) -> Result<Value, String> {
    if let Some(numbers) = b.columns.iter().map(Score::constant).collect::<Option<Vec<f64>>>() {
        let numbers = for_columns("the other operand", &numbers, a.columns.len())?;
        return with_numbers(context, operator, a, &numbers, false);
    }
    let sign = match operator {
        Arithmetic::Add => 1.0,
        Arithmetic::Sub => -1.0,
        Arithmetic::Mul | Arithmetic::Div => return Err("products of scores are not supported".to_owned()),
    };
    let (a, b) = on_one_basis(context, a, b)?;
    if a.columns.len() != b.columns.len() {
        return Err(wrong("the number of columns", b.columns.len(), a.columns.len()));
    }
    context.charge(a.cost() + b.cost())?;
    let mut others = b.columns.iter();
    let sums = a.map(|score| {
        let other = others.next().expect("there are as many columns. This is a bug.");
        score.plus(&other.scaled(sign))
    });
    Ok(Value::Scores(Rc::new(sums?)))
}
