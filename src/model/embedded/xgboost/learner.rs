//! The learner's names and parameters → what all boosters share.
//! Knows which objectives can be served, and how XGBoost stores their base score.

use std::ops::RangeInclusive;

use super::XgboostError;
use super::parts::{File, Learner, LearnerParam};
use crate::form::Transform;
use crate::model::embedded::checks::{CLASSES_MAX, FEATURES_MAX, Place, Wrong, cut, quote};

/// XGBoost keeps a base score this far away from 0 and 1 before it takes the logit
/// (`kRtEps`, `ProbToMargin` in `src/objective/regression_loss.h`).
const BASE_SCORE_MARGIN: f32 = 1e-6;

/// Objectives by name. A base score is one of scores, not of margins.
const OBJECTIVES: [(&str, Transform); 17] = [
    ("binary:logistic", Transform::Logistic),
    (RAW, Transform::Identity),
    ("count:poisson", Transform::Exponential),
    ("multi:softmax", Transform::Softmax),
    ("multi:softprob", Transform::Softmax),
    ("rank:map", Transform::Identity),
    ("rank:ndcg", Transform::Identity),
    ("rank:pairwise", Transform::Identity),
    ("reg:absoluteerror", Transform::Identity),
    ("reg:gamma", Transform::Exponential),
    ("reg:logistic", Transform::Logistic),
    ("reg:pseudohubererror", Transform::Identity),
    ("reg:quantileerror", Transform::Identity),
    ("reg:squarederror", Transform::Identity),
    ("reg:squaredlogerror", Transform::Identity),
    ("reg:tweedie", Transform::Exponential),
    ("survival:cox", Transform::Exponential),
];

/// Its base score was a probability once, and is a margin from this version on.
const RAW: &str = "binary:logitraw";
const RAW_VERSION: [u64; 2] = [1, 7];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Booster {
    Trees,
    Dart,
    Linear,
}

const BOOSTERS: [(&str, Booster); 3] =
    [("gbtree", Booster::Trees), ("dart", Booster::Dart), ("gblinear", Booster::Linear)];

/// What all boosters share.
pub(super) struct Frame {
    pub n_features: usize,
    /// `[n_outputs]`
    pub base_margins: Vec<f32>,
    pub transform: Transform,
}

/// Names as an error lists them.
pub(super) fn objectives() -> String {
    OBJECTIVES.map(|(name, _)| name).join(", ")
}

pub(super) fn boosters() -> String {
    BOOSTERS.map(|(name, _)| name).join(", ")
}

pub(super) fn read(file: &File<Learner>) -> Result<(Booster, Frame), XgboostError> {
    let (learner, param) = (&file.learner, &file.learner.learner_model_param);
    let booster = booster(&learner.gradient_booster.name)?;
    let transform = transform(&learner.objective.name)?;
    if learner.objective.name == RAW {
        check_raw_version(&file.version)?;
    }
    let n_features = integer("num_feature", &param.num_feature, 1..=FEATURES_MAX)?;
    let n_outputs = n_outputs(param, transform)?;
    let base_margins = base_margins(&param.base_score, n_outputs, transform)?;
    Ok((booster, Frame { n_features, base_margins, transform }))
}

fn booster(name: &str) -> Result<Booster, XgboostError> {
    let known = BOOSTERS.into_iter().find(|&(known, _)| known == name);
    known.map(|(_, booster)| booster).ok_or_else(|| XgboostError::Booster { name: cut(name) })
}

fn check_raw_version(version: &[u64]) -> Result<(), Wrong> {
    if version >= RAW_VERSION.as_slice() {
        return Ok(());
    }
    let expected = format!("1.7 or later for {RAW}, whose base score meant something else before");
    Err(Place::Model.wrong("version", format!("{version:?}"), expected))
}

/// Classes, or targets of a regression.
fn n_outputs(param: &LearnerParam, transform: Transform) -> Result<usize, Wrong> {
    if transform == Transform::Softmax {
        integer("num_target", &param.num_target, 1..=1)?;
        return integer("num_class", &param.num_class, 2..=CLASSES_MAX);
    }
    integer("num_class", &param.num_class, 0..=1)?;
    integer("num_target", &param.num_target, 1..=CLASSES_MAX)
}

fn transform(objective: &str) -> Result<Transform, XgboostError> {
    let known = OBJECTIVES.into_iter().find(|&(name, _)| name == objective);
    known.map(|(_, transform)| transform).ok_or_else(|| XgboostError::Objective { name: cut(objective) })
}

fn integer(field: &'static str, text: &str, range: RangeInclusive<usize>) -> Result<usize, Wrong> {
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
fn base_margins(text: &str, n_outputs: usize, transform: Transform) -> Result<Vec<f32>, Wrong> {
    let wrong = |expected: &str| Place::Model.wrong("base_score", quote(text), expected);
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let scores: Option<Vec<f32>> = inner.unwrap_or(text).split(',').map(finite).collect();
    let mut margins = scores.ok_or_else(|| wrong("finite numbers"))?;
    if let Some((is_score, to_margin, expected)) = inverse(transform) {
        if !margins.iter().all(|&score| is_score(score)) {
            return Err(wrong(expected));
        }
        margins.iter_mut().for_each(|score| *score = to_margin(*score));
    }
    match margins.len() {
        1 => Ok(vec![margins[0]; n_outputs]),
        n if n == n_outputs => Ok(margins),
        n => Err(wrong(&format!("1 or {n_outputs} numbers, not {n}"))),
    }
}

type Inverse = (fn(f32) -> bool, fn(f32) -> f32, &'static str);

/// Which numbers are scores, the margin of a score, and what an error expects.
fn inverse(transform: Transform) -> Option<Inverse> {
    match transform {
        Transform::Logistic => Some((|score| (0.0..=1.0).contains(&score), logit, "a probability")),
        Transform::Exponential => Some((|score| score > 0.0, f32::ln, "a number above 0")),
        Transform::Identity | Transform::Softmax => None,
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
            ("binary:logitraw", "0", "2E-1", Transform::Identity, vec![0.2]),
            ("rank:ndcg", "0", "[-2E0]", Transform::Identity, vec![-2.0]),
            ("count:poisson", "0", "2E0", Transform::Exponential, vec![std::f32::consts::LN_2]),
            ("reg:gamma", "0", "1", Transform::Exponential, vec![0.0]),
            ("reg:tweedie", "0", "[1E0]", Transform::Exponential, vec![0.0]),
            ("survival:cox", "0", "[1E0]", Transform::Exponential, vec![0.0]),
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
    fn several_targets_are_several_outputs() {
        let text = changed("binary:logistic", "reg:squarederror")
            .replace(r#""num_target":"1""#, r#""num_target":"3""#)
            .replace(r#""base_score":"5E-1""#, r#""base_score":"[1E0,2E0,3E0]""#);
        assert_eq!(trees(&load(text.as_bytes()).unwrap()).base_margins, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_base_score_whose_meaning_is_not_known_is_refused() {
        let of_version = |version: &str| changed("binary:logistic", "binary:logitraw").replace("[1,7,6]", version);
        for version in ["[1,6,2]", "[0,90]", "[]"] {
            let text = load(of_version(version).as_bytes()).unwrap_err().to_string();
            assert!(text.contains("expected 1.7 or later for binary:logitraw"), "{text}");
        }
        assert!(load(of_version("[2,0,0]").as_bytes()).is_ok());
    }

    #[test]
    fn classes_have_one_target_and_scores_their_range() {
        let with = |objective: &str, from: &str, to: &str| {
            let text = changed("binary:logistic", objective).replace(r#""num_class":"0""#, r#""num_class":"3""#);
            load(text.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        let targets = with("multi:softprob", r#""num_target":"1""#, r#""num_target":"2""#);
        assert_eq!(targets, "num_target is \"2\"; expected 1");
        let text = changed("binary:logistic", "count:poisson").replace("5E-1", "0E0");
        let text = load(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(text, "base_score is \"0E0\"; expected a number above 0");
    }

    #[test]
    fn names_and_parameters_that_cannot_be_served_are_refused() {
        check_refusals(
            r#"
            "gbtree"} => "gbforest"} => booster "gbforest" is not supported; supported: gbtree, dart, gblinear
            binary:logistic => binary:hinge => objective "binary:hinge" is not supported; supported: binary:logistic, bin
            num_target":"1" => num_target":"0" => num_target is "0"; expected a number from 1 to 1000
            num_target":"1" => num_target":"1001" => num_target is "1001"; expected a number from 1 to 1000

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
