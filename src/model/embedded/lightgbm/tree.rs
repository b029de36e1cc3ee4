//! The fields of one tree → its nodes in the order of the form, each checked.
//! Knows nothing of the trees beside it.

use std::mem;

use super::text::Fields;
use super::{Header, LightgbmError};
use crate::form::{CategorySet, Fractions, Node, View};
use crate::model::embedded::checks::{Place, Wrong};

/// LightGBM drops numbers up to here from a row (`kZeroThreshold` in `include/LightGBM/meta.h`).
const ZERO_MAX: f32 = 1e-35;

/// Bits of a `decision_type`; those of missing values follow.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

/// The nodes of tree `t`, level by level: children are neighbours.
pub(super) fn nodes(t: usize, fields: &Fields, header: &Header) -> Result<Vec<Node>, LightgbmError> {
    if fields.find("is_linear").is_some_and(|text| text != "0") {
        return Err(LightgbmError::Linear { place: Place::Tree(t) });
    }
    Ok(Walk::new(t, Arrays::read(fields)?, header).nodes()?)
}

/// Of splits `[num_leaves − 1]`, but for the leaves `[num_leaves]` and the sets.
struct Arrays {
    features: Vec<usize>,
    /// Of a categorical split its set.
    thresholds: Vec<f64>,
    decisions: Vec<u8>,
    /// A split's number, or of leaf l the number −1 − l.
    left: Vec<i64>,
    right: Vec<i64>,
    leaves: Vec<f64>,
    /// `[num_cat]`, each taken by its split.
    sets: Vec<Option<Vec<u32>>>,
}

impl Arrays {
    fn read(fields: &Fields) -> Result<Self, Wrong> {
        let leaves: usize = fields.number("num_leaves", 1..=u32::MAX as usize / 2)?;
        let n = leaves - 1;
        let (integer, number) = ("whole number", "number");
        let leaf_values = fields.numbers("leaf_value", leaves, number)?;
        if n == 0 {
            return Ok(Self::of_one_leaf(leaf_values));
        }
        Ok(Self {
            features: fields.numbers("split_feature", n, integer)?,
            thresholds: fields.numbers("threshold", n, number)?,
            decisions: fields.numbers("decision_type", n, integer)?,
            left: fields.numbers("left_child", n, integer)?,
            right: fields.numbers("right_child", n, integer)?,
            leaves: leaf_values,
            sets: sets(fields)?,
        })
    }

    fn of_one_leaf(leaves: Vec<f64>) -> Self {
        let (features, thresholds, decisions) = (Vec::new(), Vec::new(), Vec::new());
        Self { features, thresholds, decisions, left: Vec::new(), right: Vec::new(), leaves, sets: Vec::new() }
    }
}

/// Set s has the words from boundary s up to the next of `cat_threshold`.
fn sets(fields: &Fields) -> Result<Vec<Option<Vec<u32>>>, Wrong> {
    let n_sets: usize = fields.number("num_cat", 0..=u32::MAX as usize / 2)?;
    if n_sets == 0 {
        return Ok(Vec::new());
    }
    let boundaries: Vec<usize> = fields.numbers("cat_boundaries", n_sets + 1, "whole number")?;
    let n_words = boundaries[n_sets];
    let words: Vec<u32> = fields.numbers("cat_threshold", n_words, "whole number")?;
    let set = |pair: &[usize]| words.get(pair[0]..pair[1]).map(|words| Some(words.to_vec()));
    let sets: Option<Vec<Option<Vec<u32>>>> = boundaries.windows(2).map(set).collect();
    sets.ok_or_else(|| fields.wrong("cat_boundaries", "not in order", "each at least the one before"))
}

/// A walk from the root, split 0, or leaf 0 where there is no split.
struct Walk<'a> {
    t: usize,
    arrays: Arrays,
    header: &'a Header,
    /// The nodes met so far, by their numbers in the file, in the order they will have.
    order: Vec<i64>,
    splits_seen: Vec<bool>,
    leaves_seen: Vec<bool>,
}

impl<'a> Walk<'a> {
    fn new(t: usize, arrays: Arrays, header: &'a Header) -> Self {
        let (mut splits_seen, mut leaves_seen) =
            (vec![false; arrays.left.len()], vec![false; arrays.leaves.len()]);
        let root = if splits_seen.is_empty() { -1 } else { 0 };
        splits_seen.first_mut().map_or_else(|| leaves_seen[0] = true, |seen| *seen = true);
        Self { t, arrays, header, order: vec![root], splits_seen, leaves_seen }
    }

    fn nodes(mut self) -> Result<Vec<Node>, Wrong> {
        let mut nodes = Vec::new();
        while let Some(&n) = self.order.get(nodes.len()) {
            nodes.push(match usize::try_from(n) {
                Ok(split) => self.split(split)?,
                Err(_) => self.leaf(leaf_of(n))?,
            });
        }
        Ok(nodes)
    }

    fn leaf(&self, leaf: usize) -> Result<Node, Wrong> {
        let value = self.arrays.leaves[leaf];
        let number = (value * self.header.factor) as f32;
        if number.is_finite() {
            return Ok(Node::Leaf(vec![number]));
        }
        Err(Place::Tree(self.t).wrong("leaf_value", format!("{value:?}"), "numbers that are finite in float32"))
    }

    fn split(&mut self, n: usize) -> Result<Node, Wrong> {
        let (place, feature) = (Place::Node(self.t, n), self.arrays.features[n]);
        if feature >= self.header.n_features {
            let expected = format!("a feature below {}", self.header.n_features);
            return Err(place.wrong("split_feature", feature, expected));
        }
        let left = self.child(place, "left_child", self.arrays.left[n])?;
        self.child(place, "right_child", self.arrays.right[n])?;
        let (input, decision, threshold) = (feature as u32, self.arrays.decisions[n], self.arrays.thresholds[n]);
        let (view, threshold) = match decision & CATEGORICAL {
            0 => (number_view(place, input, decision, threshold)?, first_right(threshold)),
            _ => (self.category_view(place, input, threshold)?, 0.0),
        };
        Ok(Node::Split { view, threshold, left })
    }

    /// What is in the set goes left; all else goes right, missing values too.
    fn category_view(&mut self, place: Place, input: u32, threshold: f64) -> Result<View, Wrong> {
        let sets = &mut self.arrays.sets;
        // Casts of other numbers saturate, and a set is no whole number's but its own.
        let set = sets.get_mut(threshold as usize).filter(|_| threshold >= 0.0 && threshold.fract() == 0.0);
        let words = set.and_then(Option::take);
        let expected = || "the number of a set of categories that no other split has";
        let words = words.ok_or_else(|| place.wrong("threshold", threshold, expected()))?;
        let set = CategorySet { words, fractions: Fractions::Cut };
        Ok(View::Category { input, set, inside_right: false, missing_right: true })
    }

    /// Queues a child and tells its index in the new order.
    fn child(&mut self, place: Place, field: &'static str, child: i64) -> Result<u32, Wrong> {
        let seen = match usize::try_from(child) {
            Ok(split) => self.splits_seen.get_mut(split),
            Err(_) => self.leaves_seen.get_mut(leaf_of(child)),
        };
        let Some(seen) = seen else {
            return Err(place.wrong(field, child, "the number of a split, or −1 − that of a leaf"));
        };
        if mem::replace(seen, true) {
            return Err(place.wrong(field, child, "a node without a parent: this is a cycle, or a second parent"));
        }
        let new_index = self.order.len();
        self.order.push(child);
        Ok(u32::try_from(new_index).expect("a file has fewer than 2^32 bytes. This is a bug."))
    }
}

fn leaf_of(n: i64) -> usize {
    usize::try_from(!n).expect("leaves have negative numbers. This is a bug.")
}

fn number_view(place: Place, input: u32, decision: u8, threshold: f64) -> Result<View, Wrong> {
    if threshold.is_nan() {
        return Err(place.wrong("threshold", threshold, "a number"));
    }
    let default_right = decision & DEFAULT_LEFT == 0;
    let (missing_right, zero_is_missing) = match decision >> 2 {
        // No value is missing: NaN counts as 0.
        0 => (threshold < 0.0, false),
        1 => (default_right, true),
        2 => (default_right, false),
        _ => return Err(place.wrong("decision_type", decision, "a number from 0 to 11")),
    };
    Ok(View::Number { input, missing_right, zero_is_missing })
}

/// What is not below this goes right, as `x > threshold` does in float64 where numbers next to zero count as zero.
/// Above infinity there is nothing, so that only infinite cells, which are refused, could go the wrong way there.
fn first_right(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    let first = if f64::from(nearest) > threshold { nearest } else { nearest.next_up() };
    if threshold < 0.0 { first.min(-ZERO_MAX) } else { first.max(ZERO_MAX.next_up()) }
}
