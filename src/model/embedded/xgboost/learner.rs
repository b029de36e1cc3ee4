//! The learner's names and parameters → an ensemble that waits for its trees.
//! Knows which objectives can be served, and how XGBoost stores their base score.

use std::ops::RangeInclusive;

use super::json::Learner;
use super::{Place, XgboostError, cut, quote};
use crate::form::{Transform, TreeEnsemble};

const FEATURES_MAX: usize = 65_536;
const CLASSES_MAX: usize = 1_000;

/// XGBoost keeps a base score this far away from 0 and 1 before it takes the logit
/// (`kRtEps`, `ProbToMargin` in `src/objective/regression_loss.h`).
const BASE_SCORE_MARGIN: f32 = 1e-6;

/// Objectives by name. Those with another transform, or whose base score has changed its meaning
/// between versions (`binary:logitraw`), are left out.
const OBJECTIVES: [(&str, Transform); 8] = [
    ("binary:logistic", Transform::Logistic),
    ("reg:logistic", Transform::Logistic),
    ("reg:squarederror", Transform::Identity),
    ("reg:squaredlogerror", Transform::Identity),
    ("reg:absoluteerror", Transform::Identity),
    ("reg:pseudohubererror", Transform::Identity),
    ("multi:softprob", Transform::Softmax),
    ("multi:softmax", Transform::Softmax),
];

/// The objectives' names as an error lists them.
pub(super) fn supported() -> String {
    OBJECTIVES.map(|(name, _)| name).join(", ")
}

/// Trees are still to come.
pub(super) fn empty_ensemble(learner: &Learner) -> Result<(TreeEnsemble, Transform), XgboostError> {
    let booster = &learner.gradient_booster.name;
    if booster != "gbtree" {
        return Err(XgboostError::Booster { name: cut(booster) });
    }
    let transform = transform(&learner.objective.name)?;
    let param = &learner.learner_model_param;
    integer("num_target", &param.num_target, 1..=1)?;
    let n_features = integer("num_feature", &param.num_feature, 1..=FEATURES_MAX)?;
    let n_classes = match transform {
        Transform::Softmax => 2..=CLASSES_MAX,
        Transform::Identity | Transform::Logistic | Transform::Exponential => 0..=1,
    };
    let n_outputs = integer("num_class", &param.num_class, n_classes)?.max(1);
    let base_margins = base_margins(&param.base_score, n_outputs, transform)?;
    Ok((TreeEnsemble::new(n_features, base_margins, 1), transform))
}

fn transform(objective: &str) -> Result<Transform, XgboostError> {
    let known = OBJECTIVES.into_iter().find(|&(name, _)| name == objective);
    known.map(|(_, transform)| transform).ok_or_else(|| XgboostError::Objective { name: cut(objective) })
}

fn integer(field: &'static str, text: &str, range: RangeInclusive<usize>) -> Result<usize, XgboostError> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let expected = match (range.start(), range.end()) {
            (start, end) if start == end => start.to_string(),
            (start, end) => format!("a number from {start} to {end}"),
        };
        Place::Model.wrong(field, quote(text), expected)
    })
}

/// `base_score` is one number, or since 3.1 a list `[a,b,c]` of one or `n_outputs` numbers.
fn base_margins(text: &str, n_outputs: usize, transform: Transform) -> Result<Vec<f32>, XgboostError> {
    let wrong = |expected: &str| Place::Model.wrong("base_score", quote(text), expected);
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let scores: Option<Vec<f32>> = inner.unwrap_or(text).split(',').map(finite).collect();
    let mut margins = scores.ok_or_else(|| wrong("finite numbers"))?;
    if transform == Transform::Logistic {
        if !margins.iter().all(|score| (0.0..=1.0).contains(score)) {
            return Err(wrong("a probability"));
        }
        margins.iter_mut().for_each(|score| *score = logit(*score));
    }
    match margins.len() {
        1 => Ok(vec![margins[0]; n_outputs]),
        n if n == n_outputs => Ok(margins),
        n => Err(wrong(&format!("1 or {n_outputs} numbers, not {n}"))),
    }
}

fn finite(text: &str) -> Option<f32> {
    text.trim().parse().ok().filter(|number: &f32| number.is_finite())
}

/// In float32 and by this formula, as XGBoost computes it.
fn logit(score: f32) -> f32 {
    let score = score.clamp(BASE_SCORE_MARGIN, 1.0 - BASE_SCORE_MARGIN);
    -(1.0 / score - 1.0).ln()
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::{changed, check_refusals, trees};
    use super::*;

    #[test]
    fn objectives_choose_the_transform_and_the_meaning_of_the_base_score() {
        let half = logit(0.2);
        let cases = [
            ("binary:logistic", "0", "2E-1", Transform::Logistic, vec![half]),
            ("reg:logistic", "0", "[2E-1]", Transform::Logistic, vec![half]),
            ("binary:logistic", "0", "[0E0]", Transform::Logistic, vec![-13.815_51]),
            ("binary:logistic", "0", "1", Transform::Logistic, vec![13.745_16]),
            ("reg:squarederror", "1", "[6.274165E-1]", Transform::Identity, vec![0.627_416_5]),
            ("reg:absoluteerror", "0", "-3", Transform::Identity, vec![-3.0]),
            ("multi:softprob", "3", "5E-1", Transform::Softmax, vec![0.5; 3]),
            ("multi:softmax", "3", "[1E0, -2E0,3E0]", Transform::Softmax, vec![1.0, -2.0, 3.0]),
        ];
        for (objective, num_class, base_score, transform, base_margins) in cases {
            let text = changed("binary:logistic", objective)
                .replace(r#""num_class":"0""#, &format!(r#""num_class":"{num_class}""#))
                .replace(r#""base_score":"5E-1""#, &format!(r#""base_score":"{base_score}""#));
            let form = load(text.as_bytes()).unwrap();
            assert_eq!(form.transform, transform, "{objective}");
            let ensemble = trees(&form);
            assert_eq!(ensemble.base_margins, base_margins, "{objective} {base_score}");
            assert_eq!(ensemble.n_outputs, base_margins.len());
        }
    }

    #[test]
    fn names_and_parameters_that_cannot_be_served_are_refused() {
        check_refusals(
            r#"
            "gbtree"} => "dart"} => booster "dart" is not supported; supported: gbtree
            binary:logistic => rank:ndcg => objective "rank:ndcg" is not supported; supported: binary:logistic, reg
            num_target":"1" => num_target":"2" => num_target is "2"; expected 1

            feature":"2" => feature":"65537" => num_feature is "65537"; expected a number from 1 to 65536
            feature":"2" => feature":"0" => num_feature is "0"; expected a number from 1 to 65536
            feature":"2" => feature":"99999999999999999999" => num_feature is "99999999999999999999"; expected
            class":"0" => class":"2" => num_class is "2"; expected a number from 0 to 1

            "5E-1" => "nan" => base_score is "nan"; expected finite numbers
            "5E-1" => "[]" => base_score is "[]"; expected finite numbers
            "5E-1" => "1.5" => base_score is "1.5"; expected a probability
            "5E-1" => "[0.5,0.5]" => base_score is "[0.5,0.5]"; expected 1 or 1 numbers, not 2
        "#,
        );
    }
}
