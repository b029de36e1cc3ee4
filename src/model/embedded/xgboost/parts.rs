//! The parts of a file that count, by their names in the file, whether it is JSON or UBJSON.
//! Knows what stands where; nothing of what the values mean.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// The words that XGBoost writes where JSON has no number.
pub(super) const NOT_FINITE: [(&str, f32); 3] =
    [("NaN", f32::NAN), ("Infinity", f32::INFINITY), ("-Infinity", f32::NEG_INFINITY)];

/// Names and parameters, or the content of a booster: two passes, since the name that says which content to expect
/// may come after it.
#[derive(Deserialize)]
pub(super) struct File<L> {
    pub learner: L,
    /// Major, minor, patch.
    #[serde(default)]
    pub version: Vec<u64>,
}

#[derive(Deserialize)]
pub(super) struct Learner {
    pub gradient_booster: Named,
    pub objective: Named,
    pub learner_model_param: LearnerParam,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub name: String,
}

#[derive(Deserialize)]
pub(super) struct LearnerParam {
    pub base_score: String,
    pub num_class: String,
    pub num_feature: String,
    #[serde(default = "one")]
    pub num_target: String,
}

fn one() -> String {
    "1".to_owned()
}

#[derive(Deserialize)]
pub(super) struct Content<B> {
    pub gradient_booster: B,
}

/// Of `gbtree`, and inside `dart`.
#[derive(Deserialize)]
pub(super) struct Trees {
    pub model: TreesModel,
}

#[derive(Deserialize)]
pub(super) struct Dart {
    pub gbtree: Trees,
    /// `[num_trees]`, what the leaves of each tree are multiplied by.
    pub weight_drop: Vec<Float>,
}

#[derive(Deserialize)]
pub(super) struct Linear {
    pub model: LinearModel,
}

#[derive(Deserialize)]
pub(super) struct LinearModel {
    /// `[(num_feature + 1) × n_outputs]`, the intercepts last.
    pub weights: Vec<Float>,
}

#[derive(Deserialize)]
pub(super) struct TreesModel {
    pub gbtree_model_param: ModelParam,
    /// `[num_trees]`, the class each tree counts for.
    pub tree_info: Vec<i32>,
    pub trees: Vec<Tree>,
}

#[derive(Deserialize)]
pub(super) struct ModelParam {
    pub num_trees: String,
}

/// Arrays are `[num_nodes]`, but for those of categories and of leaves with several numbers.
/// Nodes that pruning deleted stay in the arrays, linked to by none.
#[derive(Deserialize)]
pub(super) struct Tree {
    pub tree_param: TreeParam,
    pub left_children: Vec<i32>,
    /// Of a leaf with several numbers since 3.2, its place in `leaf_weights`.
    pub right_children: Vec<i32>,
    pub split_indices: Vec<u32>,
    /// The threshold of a split, the value of a leaf.
    pub split_conditions: Vec<Float>,
    pub default_left: Vec<Flag>,
    /// 1 for a categorical split; empty in files from before there were any.
    #[serde(default)]
    pub split_type: Vec<u8>,
    /// `[n_categorical]`, the nodes with a categorical split.
    #[serde(default)]
    pub categories_nodes: Vec<u32>,
    /// `[n_categorical]`, where the categories of each such node begin in `categories`, and how many they are.
    #[serde(default)]
    pub categories_segments: Vec<u64>,
    #[serde(default)]
    pub categories_sizes: Vec<u64>,
    #[serde(default)]
    pub categories: Vec<u32>,
    /// `[num_nodes × size_leaf_vector]` where leaves have several numbers.
    #[serde(default)]
    pub base_weights: Vec<Float>,
    /// `[n_leaves × size_leaf_vector]` since 3.2.
    #[serde(default)]
    pub leaf_weights: Vec<Float>,
}

#[derive(Deserialize)]
pub(super) struct TreeParam {
    pub num_nodes: String,
    pub size_leaf_vector: String,
}

#[derive(Clone, Copy)]
pub(super) struct Float(pub f32);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FloatVisitor)
    }
}

struct FloatVisitor;

impl Visitor<'_> for FloatVisitor {
    type Value = Float;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Float, E> {
        Ok(Float(value as f32))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Float, E> {
        Ok(Float(value as f32))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Float, E> {
        Ok(Float(value as f32))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Float, E> {
        let number = NOT_FINITE.into_iter().find(|&(word, _)| word == text);
        number.map(|(_, number)| Float(number)).ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))
    }
}

/// Written as 0 and 1, by older versions as false and true.
#[derive(Clone, Copy)]
pub(super) struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0, 1, false or true")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Flag, E> {
        match value {
            0 => Ok(Flag(false)),
            1 => Ok(Flag(true)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }
}
