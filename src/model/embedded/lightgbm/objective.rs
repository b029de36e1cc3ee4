//! The objective's line → what turns margins into scores.

use super::LightgbmError;
use crate::form::Transform;
use crate::model::embedded::checks::{Place, Wrong, cut, quote};

/// By name. A score that is the square of a margin, or the logarithm of something, has no transform here.
const OBJECTIVES: [(&str, Transform); 16] = [
    ("binary", Transform::Logistic),
    ("cross_entropy", Transform::Logistic),
    ("custom", Transform::Identity),
    ("fair", Transform::Identity),
    ("gamma", Transform::Exponential),
    ("huber", Transform::Identity),
    ("lambdarank", Transform::Identity),
    ("mape", Transform::Identity),
    ("multiclass", Transform::Softmax),
    ("multiclassova", Transform::Logistic),
    ("poisson", Transform::Exponential),
    ("quantile", Transform::Identity),
    ("rank_xendcg", Transform::Identity),
    ("regression", Transform::Identity),
    ("regression_l1", Transform::Identity),
    ("tweedie", Transform::Exponential),
];

/// Parameters that have done their work when a model is trained.
const OF_TRAINING: [&str; 6] =
    ["num_class", "alpha", "fair_c", "tweedie_variance_power", "max_position", "label_gain"];

/// As an error lists them.
pub(super) fn supported() -> String {
    OBJECTIVES.map(|(name, _)| name).join(", ")
}

#[derive(Debug, PartialEq)]
pub(super) struct Objective {
    pub transform: Transform,
    /// Of margins.
    pub factor: f64,
}

impl Objective {
    /// `name parameter:value ...`; without a line the objective was the user's own, and margins are answers.
    pub(super) fn read(line: Option<&str>, n_outputs: usize) -> Result<Self, LightgbmError> {
        let mut words = line.unwrap_or("custom").split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let known = OBJECTIVES.into_iter().find(|&(known, _)| known == name);
        let (_, transform) = known.ok_or_else(|| LightgbmError::Objective { name: cut(name) })?;
        check_outputs(name, n_outputs)?;
        let factor = words.try_fold(1.0, |factor, word| Ok::<f64, Wrong>(factor * factor_of(word)?))?;
        Ok(Self { transform, factor })
    }
}

fn check_outputs(name: &str, n_outputs: usize) -> Result<(), Wrong> {
    let expected = match name {
        "custom" => return Ok(()),
        "multiclass" | "multiclassova" if n_outputs < 2 => "at least 2",
        "multiclass" | "multiclassova" => return Ok(()),
        _ if n_outputs > 1 => "1",
        _ => return Ok(()),
    };
    Err(Place::Model.wrong("num_tree_per_iteration", n_outputs, format!("{expected} for objective {name}")))
}

fn factor_of(parameter: &str) -> Result<f64, Wrong> {
    let (name, value) = parameter.split_once(':').unwrap_or((parameter, ""));
    if name == "sigmoid" {
        let factor = value.parse().ok().filter(|&factor: &f64| factor.is_finite() && factor > 0.0);
        return factor.ok_or_else(|| Place::Model.wrong("sigmoid", quote(value), "a number above 0"));
    }
    if OF_TRAINING.contains(&name) {
        return Ok(1.0);
    }
    let expected = format!("sigmoid, {}", OF_TRAINING.join(", "));
    Err(Place::Model.wrong("a parameter of the objective", quote(name), expected))
}
