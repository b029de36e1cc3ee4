//! A small model to change for the tests, what rows it sends where, and files that are damaged.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::load;
use crate::form::{Form, Transform};
use crate::model::embedded::renumber::renumber;

/// Tree 0: feature 0 at 0.1 (NaN is missing, goes left), then categories {1, 33} of feature 1. Tree 1: one leaf.
/// Tree 2: feature 2 at −0.5, zero is missing and goes left. Tree 3: feature 2 at 0, where nothing is missing.
const MODEL: &str = "tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=2
objective=binary sigmoid:2
feature_names=a b Tree=
tree_sizes=1 2 3 4

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
split_gain=1 2
threshold=0.1 0
decision_type=10 1
left_child=1 -1
right_child=-3 -2
leaf_value=1 2 4
cat_boundaries=0 2
cat_threshold=2 2
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
split_feature=
threshold=
left_child=
leaf_value=0.5
shrinkage=1


Tree=2
num_leaves=2
num_cat=0
split_feature=2
threshold=-0.5
decision_type=6
left_child=-1
right_child=-2
leaf_value=8 16
is_linear=0


Tree=3
num_leaves=2
num_cat=0
split_feature=2
threshold=0
decision_type=0
left_child=-1
right_child=-2
leaf_value=32 64


end of trees

feature_importances:
a=1
";

/// The model with one part written otherwise.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(MODEL.matches(from).count(), 1, "{from}");
    MODEL.replace(from, to)
}

fn margins(form: &Form, rows: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; rows.len() / form.n_features() * form.n_outputs()];
    form.margins(rows, &mut out);
    out
}

/// Margins of one row, without the factor 2 of the sigmoid.
fn margin(row: [f32; 3]) -> f32 {
    margins(&load(MODEL.as_bytes()).unwrap(), &row)[0] / 2.0
}

#[test]
fn rows_go_where_thresholds_sets_and_missing_values_send_them() {
    let nan = f32::NAN;
    // The nearest float32 to 0.1 is above it.
    let (tenth, below) = (0.1_f32, 0.1_f32.next_down());
    let cases = [
        ([tenth, 1.0, -1.0], 4.0 + 0.5 + 8.0 + 32.0),
        ([below, 1.0, -1.0], 1.0 + 0.5 + 8.0 + 32.0),
        ([below, 33.9, -1.0], 1.0 + 0.5 + 8.0 + 32.0),
        ([below, 0.0, -1.0], 2.0 + 0.5 + 8.0 + 32.0),
        ([below, -1.0, -1.0], 2.0 + 0.5 + 8.0 + 32.0),
        ([below, 64.0, -1.0], 2.0 + 0.5 + 8.0 + 32.0),
        ([below, nan, -1.0], 2.0 + 0.5 + 8.0 + 32.0),
        ([nan, 1.0, -1.0], 1.0 + 0.5 + 8.0 + 32.0),
        // Zero and NaN are missing in tree 2, and NaN is 0 in tree 3.
        ([tenth, 0.0, 0.0], 4.0 + 0.5 + 8.0 + 32.0),
        ([tenth, 0.0, nan], 4.0 + 0.5 + 8.0 + 32.0),
        ([tenth, 0.0, -1e-36], 4.0 + 0.5 + 8.0 + 32.0),
        ([tenth, 0.0, -0.4], 4.0 + 0.5 + 16.0 + 32.0),
        ([tenth, 0.0, 0.1], 4.0 + 0.5 + 16.0 + 64.0),
    ];
    for (row, want) in cases {
        assert_eq!(margin(row), want, "{row:?}");
    }
}

#[test]
fn where_nothing_is_missing_a_gap_is_zero() {
    let at = |threshold: &str| {
        let text = changed("split_feature=2\nthreshold=0\n", &format!("split_feature=2\nthreshold={threshold}\n"));
        margins(&load(text.as_bytes()).unwrap(), &[1.0, 0.0, f32::NAN])[0] / 2.0 - 12.5
    };
    assert_eq!([at("-1e-300"), at("0"), at("-0.0"), at("1e-300")], [64.0, 32.0, 32.0, 32.0]);
}

#[test]
fn thresholds_in_float64_keep_every_decision_of_float32() {
    let (tiny, inf) = (f32::from_bits(1), f32::INFINITY);
    let thresholds = [
        0.1,
        0.1_f32.into(),
        -0.1,
        0.0,
        1e-300,
        -1e-300,
        1e300,
        -1e300,
        f32::MAX.into(),
        16_777_217.0,
        1e-35_f32.into(),
        -f64::from(1e-35_f32),
    ];
    for threshold in thresholds {
        let text = changed("threshold=0.1 0", &format!("threshold={threshold:?} 0"));
        let form = load(text.as_bytes()).unwrap();
        let nearest = threshold as f32;
        for x in [
            nearest,
            nearest.next_up(),
            nearest.next_down(),
            0.0,
            -0.0,
            tiny,
            -tiny,
            inf,
            -inf,
            f32::MAX,
            f32::MIN,
        ] {
            let is_right = margins(&form, &[x, 1.0, -1.0])[0] / 2.0 - 40.5 == 4.0;
            let seen = if x.abs() <= 1e-35 { 0.0 } else { f64::from(x) };
            assert_eq!(is_right, seen > threshold, "{x:?} at {threshold:?}");
        }
    }
}

#[test]
fn an_infinite_threshold_parts_numbers_from_gaps() {
    // NaN is missing and goes right.
    let text = changed("threshold=0.1 0", "threshold=inf 0").replace("type=10 1", "type=8 1");
    let form = load(text.as_bytes()).unwrap();
    let got = margins(&form, &[f32::MAX, 1.0, -1.0, f32::MIN, 1.0, -1.0, f32::NAN, 1.0, -1.0]);
    assert_eq!(got.iter().map(|margin| margin / 2.0 - 40.5).collect::<Vec<f32>>(), [1.0, 1.0, 4.0]);
}

#[test]
fn objectives_choose_the_transform_and_the_factor_of_the_leaves() {
    let cases = [
        ("objective=binary sigmoid:1", Transform::Logistic, 1.0),
        ("objective=cross_entropy", Transform::Logistic, 1.0),
        ("objective=regression", Transform::Identity, 1.0),
        ("objective=quantile alpha:0.5", Transform::Identity, 1.0),
        ("objective=poisson", Transform::Exponential, 1.0),
        ("objective=tweedie tweedie_variance_power:1.5", Transform::Exponential, 1.0),
        ("objective=lambdarank\naverage_output", Transform::Identity, 0.25),
        ("objective=binary sigmoid:2\naverage_output", Transform::Logistic, 0.5),
        ("no_objective=", Transform::Identity, 1.0),
    ];
    for (line, transform, factor) in cases {
        let form = load(changed("objective=binary sigmoid:2", line).as_bytes()).unwrap();
        assert_eq!(form.transform, transform, "{line}");
        assert_eq!(margins(&form, &[1.0, 0.0, -1.0]), [44.5 * factor], "{line}");
    }
}

#[test]
fn trees_take_turns_in_adding_to_the_outputs() {
    for (objective, transform, factor) in [
        ("multiclass num_class:2", Transform::Softmax, 1.0),
        ("multiclassova num_class:2 sigmoid:3", Transform::Logistic, 3.0),
    ] {
        let text =
            changed("binary sigmoid:2", objective).replace("num_tree_per_iteration=1", "num_tree_per_iteration=2");
        let form = load(text.as_bytes()).unwrap();
        assert_eq!(form.transform, transform);
        assert_eq!(margins(&form, &[1.0, 0.0, -1.0]), [12.0 * factor, 32.5 * factor]);
    }
}

#[test]
fn older_versions_and_other_line_ends_are_read() {
    let old = changed("version=v4", "version=v2")
        .replace("is_linear=0\n", "")
        .replace("end of trees\n\nfeature_importances:", "feature importances:");
    for text in [old, MODEL.replace('\n', "\r\n")] {
        assert_eq!(margins(&load(text.as_bytes()).unwrap(), &[1.0, 0.0, -1.0]), [89.0]);
    }
}

#[test]
fn what_cannot_be_served_is_refused_by_its_place() {
    let cases = [
        ("version=v4", "version=v5", "version is \"v5\"; expected v2, v3, v4"),
        ("version=v4\n", "", "version is missing; expected a line with it"),
        ("idx=2", "idx=65536", "max_feature_idx is \"65536\"; expected a number from 0 to 65535"),
        ("iteration=1", "iteration=3", "num_tree_per_iteration is 3; expected 1 for objective binary"),
        (
            "binary sigmoid:2",
            "regression sqrt",
            "a parameter of the objective is \"sqrt\"; expected sigmoid, num_class",
        ),
        (
            "binary sigmoid:2",
            "cross_entropy_lambda",
            "objective \"cross_entropy_lambda\" is not supported; supported: b",
        ),
        (
            "binary sigmoid:2",
            "multiclass",
            "num_tree_per_iteration is 1; expected at least 2 for objective multiclass",
        ),
        ("sigmoid:2", "sigmoid:-1", "sigmoid is \"-1\"; expected a number above 0"),
        ("is_linear=0\nshrinkage", "is_linear=1\nshrinkage", "tree 0: linear trees are not supported; train with"),
        ("end of trees", "", "the file ends inside the trees; it was cut"),
        ("num_leaves=3", "num_leaves=4", "tree 0: leaf_value is 3; expected 4 numbers"),
        ("num_leaves=3", "num_leaves=0", "tree 0: num_leaves is \"0\"; expected a number from 1 to"),
        (
            "split_feature=0 1",
            "split_feature=0 3",
            "tree 0, node 1: split_feature is 3; expected a feature below 3",
        ),
        ("threshold=0.1 0", "threshold=0.1", "tree 0: threshold is 1; expected 2 numbers"),
        ("threshold=0.1 0", "threshold=0.1x 0", "tree 0: threshold is \"0.1x\"; expected number"),
        ("threshold=0.1 0", "threshold=nan 0", "tree 0, node 0: threshold is NaN; expected a number"),
        (
            "threshold=0.1 0",
            "threshold=0.1 1",
            "tree 0, node 1: threshold is 1; expected the number of a set of categ",
        ),
        ("threshold=0.1 0", "threshold=0.1 0.5", "tree 0, node 1: threshold is 0.5; expected the number of a set"),
        ("type=10 1", "type=11 1", "tree 0, node 0: threshold is 0.1; expected the number of a set"),
        ("type=10 1", "type=12 1", "tree 0, node 0: decision_type is 12; expected a number from 0 to 11"),
        (
            "child=1 -1",
            "child=0 -1",
            "tree 0, node 0: left_child is 0; expected a node without a parent: this is a c",
        ),
        (
            "child=1 -1",
            "child=2 -1",
            "tree 0, node 0: left_child is 2; expected the number of a split, or −1 − that",
        ),
        ("child=-3 -2", "child=-3 -1", "tree 0, node 1: right_child is -1; expected a node without a parent"),
        ("child=-3 -2", "child=-4 -2", "tree 0, node 0: right_child is -4; expected the number of a split"),
        ("leaf_value=1 2 4", "leaf_value=1 nan 4", "tree 0: leaf_value is NaN; expected numbers that are finite"),
        ("leaf_value=1 2 4", "leaf_value=1 1e39 4", "tree 0: leaf_value is 1e39; expected"),
        (
            "leaf_value=1 2 4",
            "leaf_value=1 1e38 4",
            "the sum of the trees' largest leaves is 2.00e38; expected at mos",
        ),
        ("cat_boundaries=0 2", "cat_boundaries=2 0", "tree 0: cat_threshold is 2; expected 0 whole numbers"),
        ("cat_boundaries=0 2", "cat_boundaries=3 2", "tree 0: cat_boundaries is not in order; expected each"),
        ("cat_threshold=2 2", "cat_threshold=2 -2", "tree 0: cat_threshold is \"-2\"; expected whole number"),
    ];
    for (from, to, start) in cases {
        let text = load(changed(from, to).as_bytes()).unwrap_err().to_string();
        assert!(text.starts_with(start), "{from} => {to}\ngot: {text}\nwant: {start}");
    }
    assert_eq!(load(b"tree\n\xff").unwrap_err().to_string(), "byte 5 is not UTF-8");
    let uneven = changed("binary sigmoid:2", "custom").replace("iteration=1", "iteration=3");
    let text = load(uneven.as_bytes()).unwrap_err().to_string();
    assert_eq!(text, "the number of trees is 4; expected a multiple of num_tree_per_iteration, 3");
}

#[test]
fn two_splits_may_not_share_a_set() {
    let text = changed("decision_type=10 1", "decision_type=1 1").replace("threshold=0.1 0", "threshold=0 0");
    let text = load(text.as_bytes()).unwrap_err().to_string();
    assert!(text.contains("expected the number of a set of categories that no other split has"), "{text}");
}

/// Loads what may be damaged; what is accepted must answer with finite margins, in time.
fn check_hostile(bytes: &[u8]) {
    let start = Instant::now();
    if let Ok(form) = load(bytes) {
        for x in [f32::NAN, 0.0, f32::INFINITY] {
            let out = margins(&form, &vec![x; form.n_features()]);
            assert!(out.iter().all(|margin| margin.is_finite()), "{out:?}");
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn number_strategy() -> impl Strategy<Value = &'static str> {
    let numbers = "-1 0 1 2 3 4 5 -0 1e39 -1e308 nan inf 4294967295 99999999999999999999";
    prop::sample::select(numbers.split(' ').collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bytes_changed_at_random_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.1),
    ) {
        let mut bytes = MODEL.as_bytes().to_vec();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes) = byte;
        }
        let end = if is_cut { end.index(bytes.len()) } else { bytes.len() };
        check_hostile(&bytes[..end]);
    }

    #[test]
    fn numbers_changed_at_random_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), number_strategy()), 1..4),
    ) {
        check_hostile(&renumber(MODEL, &changes));
    }
}
