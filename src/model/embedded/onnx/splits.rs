//! A branch of a tree, by its mode → the view and the threshold of a split.

use super::wrong;
use crate::form::{CategorySet, Fractions, View};

/// Categories that a branch may compare with, counted from 0.
const CATEGORIES_MAX: f64 = 4_096.0;

/// A split of the form, and whether the branch's true side is its right one.
#[derive(Debug, PartialEq)]
pub(super) struct Split {
    pub view: View,
    pub threshold: f32,
    pub true_is_right: bool,
}

/// `tracks`: missing values go to the true side. They compare as false else.
pub(super) fn split(mode: &str, input: u32, threshold: f64, tracks: bool) -> Result<Split, String> {
    if threshold.is_nan() {
        return Err(wrong("nodes_values", threshold, "a threshold"));
    }
    match mode {
        "BRANCH_LT" => Ok(number(input, Some(first_from(threshold)), tracks, false)),
        "BRANCH_LEQ" => Ok(number(input, first_above(threshold), tracks, false)),
        "BRANCH_GTE" => Ok(number(input, Some(first_from(threshold)), tracks, true)),
        "BRANCH_GT" => Ok(number(input, first_above(threshold), tracks, true)),
        "BRANCH_EQ" => Ok(category(input, threshold, false, !tracks)?),
        // Missing values differ from any number.
        "BRANCH_NEQ" => Ok(category(input, threshold, true, false)?),
        _ => Err(wrong("nodes_modes", mode, "LEAF or BRANCH_ with LEQ, LT, GTE, GT, EQ or NEQ")),
    }
}

/// Numbers from `first` on go right; without it none does.
fn number(input: u32, first: Option<f32>, tracks: bool, true_is_right: bool) -> Split {
    let missing_right = tracks == true_is_right;
    match first {
        Some(threshold) => {
            Split { view: View::Number { input, missing_right, zero_is_missing: false }, threshold, true_is_right }
        }
        None => {
            let set = CategorySet { words: Vec::new(), fractions: Fractions::Refused };
            let view = View::Category { input, set, inside_right: true, missing_right };
            Split { view, threshold: 0.0, true_is_right }
        }
    }
}

/// Equal numbers are true.
fn category(input: u32, number: f64, inside_right: bool, missing_right: bool) -> Result<Split, String> {
    if !(0.0..CATEGORIES_MAX).contains(&number) || number.fract() != 0.0 {
        let expected = format!("a whole number from 0 to {}", CATEGORIES_MAX - 1.0);
        return Err(wrong("nodes_values of BRANCH_EQ or BRANCH_NEQ", number, expected));
    }
    let (word, bit) = (number as usize / 32, number as u32 % 32);
    let mut words = vec![0; word + 1];
    words[word] = 1 << bit;
    let set = CategorySet { words, fractions: Fractions::Refused };
    let view = View::Category { input, set, inside_right, missing_right };
    Ok(Split { view, threshold: 0.0, true_is_right: false })
}

/// The smallest float32 that is not below.
fn first_from(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    if f64::from(nearest) < threshold { nearest.next_up() } else { nearest }
}

/// The smallest float32 that is above.
fn first_above(threshold: f64) -> Option<f32> {
    let nearest = threshold as f32;
    match f64::from(nearest) > threshold {
        true => Some(nearest),
        false if threshold == f64::INFINITY => None,
        false => Some(nearest.next_up()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_true(mode: &str, threshold: f64, tracks: bool, x: f32) -> bool {
        let split = split(mode, 0, threshold, tracks).unwrap();
        // A tree of the form compares keys; that of a category is the smallest or the largest.
        let is_right = match &split.view {
            View::Number { missing_right, .. } if x.is_nan() => *missing_right,
            View::Number { .. } => x >= split.threshold,
            View::Category { .. } => split.view.key(x) == u32::MAX,
        };
        is_right == split.true_is_right
    }

    #[test]
    fn branches_compare_as_their_modes_say() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let numbers = [-inf, -1.0, -0.0, 0.5, 1.0, 1.5, 2.0, f32::MAX, inf];
        for threshold in [-inf, 0.0, 1.0, 2.0, f32::MAX, inf] {
            for x in numbers {
                let check = |mode, want| {
                    assert_eq!(goes_true(mode, threshold.into(), false, x), want, "{x} {mode} {threshold}");
                };
                check("BRANCH_LEQ", x <= threshold);
                check("BRANCH_LT", x < threshold);
                check("BRANCH_GTE", x >= threshold);
                check("BRANCH_GT", x > threshold);
                if (0.0..9.0).contains(&threshold) {
                    check("BRANCH_EQ", x == threshold);
                    check("BRANCH_NEQ", x != threshold);
                }
            }
            for mode in ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"] {
                assert!(
                    goes_true(mode, threshold.into(), true, nan) && !goes_true(mode, threshold.into(), false, nan)
                );
            }
        }
        assert!(goes_true("BRANCH_EQ", 1.0, true, nan) && !goes_true("BRANCH_EQ", 1.0, false, nan));
        assert!(goes_true("BRANCH_NEQ", 1.0, true, nan) && goes_true("BRANCH_NEQ", 1.0, false, nan));
    }

    #[test]
    fn thresholds_of_float64_part_float32_where_they_stand() {
        let (below, above) = (0.1_f32.next_down(), 0.1_f32);
        assert!(f64::from(below) < 0.1 && f64::from(above) > 0.1);
        for mode in ["BRANCH_LEQ", "BRANCH_LT"] {
            assert!(goes_true(mode, 0.1, false, below) && !goes_true(mode, 0.1, false, above));
        }
        for mode in ["BRANCH_GTE", "BRANCH_GT"] {
            assert!(!goes_true(mode, 0.1, false, below) && goes_true(mode, 0.1, false, above));
        }
    }

    #[test]
    fn branches_that_cannot_be_are_refused() {
        for (mode, threshold) in [
            ("BRANCH_LEQ", f64::NAN),
            ("BRANCH_EQ", 0.5),
            ("BRANCH_EQ", -1.0),
            ("BRANCH_EQ", 4_096.0),
            ("LEAVE", 0.0),
        ] {
            assert!(split(mode, 0, threshold, false).is_err(), "{mode} {threshold}");
        }
    }
}
