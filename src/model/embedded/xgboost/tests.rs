//! A small model to change for the tests of each file, and the tests of files as a whole.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::load;
use crate::form::{Body, Form, TreeEnsemble};
use crate::model::embedded::renumber::renumber;

/// Tree 0 keeps its children apart, tree 1 has two deleted nodes, one linked to itself.
pub(super) const MODEL: &str = r#"{"learner":{"attributes":{"best_iteration":"0","note":"a \"NaN\\"},
    "gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"2"},
    "tree_info":[0,0],"trees":[
    {"tree_param":{"num_deleted":"0","num_nodes":"5","size_leaf_vector":"0"},"id":0,
     "left_children":[4,-1,-1,-1,3],"right_children":[1,-1,-1,-1,2],"split_indices":[1,0,0,0,0],
     "split_conditions":[5E-1,8E0,4E0,2E0,-25E-1],"default_left":[1,0,0,1,0],
     "sum_hessian":[NaN,Infinity,-Infinity,0E0,0E0],
     "split_type":[0,0,0,0,0],"categories_nodes":[]},
    {"tree_param":{"num_deleted":"2","num_nodes":"3","size_leaf_vector":"1"},
     "left_children":[-1,1,-1],"right_children":[-1,2,-1],"split_indices":[0,2147483647,2147483647],
     "split_conditions":[1E0,NaN,Infinity],"default_left":[false,true,false]}]},"name":"gbtree"},
    "learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},
    "objective":{"name":"binary:logistic"}},"version":[1,7,6]}"#;

/// The model with one part written otherwise.
pub(super) fn changed(from: &str, to: &str) -> String {
    assert_eq!(MODEL.matches(from).count(), 1, "{from}");
    MODEL.replace(from, to)
}

/// `[n_rows × n_outputs]` for `rows` `[n_rows × n_features]`.
pub(super) fn margins(form: &Form, rows: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; rows.len() / form.n_features() * form.n_outputs()];
    form.margins(rows, &mut out);
    out
}

pub(super) fn trees(form: &Form) -> &TreeEnsemble {
    match &form.body {
        Body::Trees(trees) => trees,
        Body::Layers(_) => panic!("these are no trees"),
    }
}

pub(super) fn error(bytes: &[u8]) -> String {
    load(bytes).expect_err("the file is to be refused").to_string()
}

/// Each line of `cases` is `what the model has => what stands there instead => part of the error`.
pub(super) fn check_refusals(cases: &str) {
    for case in cases.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        let [from, to, fragment] = case.split(" => ").collect::<Vec<_>>().try_into().unwrap();
        let text = error(changed(from, to).as_bytes());
        assert!(text.contains(fragment), "{case}\ngot: {text}");
    }
}

#[test]
fn trees_add_to_the_class_that_tree_info_names() {
    let text = changed("binary:logistic", "multi:softprob")
        .replace(r#""num_class":"0""#, r#""num_class":"3""#)
        .replace(r#""tree_info":[0,0]"#, r#""tree_info":[2,1]"#);
    let ensemble = load(text.as_bytes()).unwrap();
    assert_eq!(trees(&ensemble).outputs, [2, 1]);
    assert_eq!(margins(&ensemble, &[0.0, 1.0]), [0.5, 1.5, 8.5]);
}

#[test]
fn trees_that_do_not_fit_together_are_refused() {
    check_refusals(
        r#"
        trees":"2" => trees":"3" => num_trees is "3"; expected 2
        [0,0], => [0], => tree_info is 1 classes long; expected one class for each of 2 trees
        [0,0], => [0,1], => tree 1: tree_info is 1; expected a class from 0 to 0
        [0,0], => [-1,0], => tree 0: tree_info is -1; expected a class from 0 to 0
        ,8E0 => ,3E38 => the sum of the trees' largest leaves is 3.00e38; expected at most 1.70e38
    "#,
    );
}

#[test]
fn a_model_without_trees_is_refused() {
    let (start, end) = (MODEL.find("[\n").unwrap(), MODEL.find("},\"name\":\"gbtree").unwrap());
    let text = MODEL.replace(&MODEL[start..end], "[]");
    assert_eq!(error(text.as_bytes()), "trees is empty; expected at least one tree");
}

fn models() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models"))
}

pub(super) fn file(name: &str) -> Vec<u8> {
    fs::read(models().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `[n_rows × n_columns]` cells, an empty one and `nan` as NaN.
fn cells(name: &str) -> Vec<f32> {
    let text = String::from_utf8(file(name)).unwrap();
    let cell = |cell: &str| {
        if cell.is_empty() { f32::NAN } else { cell.parse().unwrap() }
    };
    text.lines().flat_map(|line| line.split(',').map(cell)).collect()
}

fn check_margins(name: &str, extension: &str) {
    let got =
        margins(&load(&file(&format!("{name}.model.{extension}"))).unwrap(), &cells(&format!("{name}.rows.csv")));
    let want = cells(&format!("{name}.margins.csv"));
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((got - want).abs() <= 1e-6 * want.abs().max(1.0), "{name}, margin {i}: {got} != {want}");
    }
}

#[test]
fn margins_are_those_of_xgboost_from_both_encodings() {
    let kinds = "binary binary-base-score categorical dart dart-softprob forest forest-softprob gblinear \
        gblinear-softprob infinity missing poisson pruned raw regression softmax softprob targets";
    for kind in kinds.split(' ') {
        for extension in ["json", "ubj"] {
            check_margins(&format!("1.7-{kind}"), extension);
            check_margins(&format!("3.2-{kind}"), extension);
        }
    }
    check_margins("3.2-vector-leaf", "json");
    check_margins("3.2-vector-leaf", "ubj");
}

#[test]
fn both_encodings_give_the_same_form() {
    for name in ["1.7-categorical", "3.2-categorical", "3.2-vector-leaf", "3.2-dart", "3.2-missing"] {
        let of = |extension| load(&file(&format!("{name}.model.{extension}"))).unwrap();
        assert_eq!(of("json"), of("ubj"), "{name}");
    }
}

#[test]
fn leaves_that_are_not_finite_are_refused() {
    for name in ["1.7-diverged", "3.2-diverged"] {
        let text = error(&file(&format!("{name}.model.json")));
        assert!(text.contains("expected a finite leaf value"), "{name}: {text}");
    }
}

/// Loads what may be damaged; what is accepted must answer with finite margins, in time.
fn check_hostile(bytes: &[u8]) {
    let start = Instant::now();
    if let Ok(ensemble) = load(bytes) {
        let is_linear = matches!(ensemble.body, Body::Layers(_));
        for x in [f32::NAN, 0.0, f32::INFINITY].into_iter().take(if is_linear { 2 } else { 3 }) {
            let out = margins(&ensemble, &vec![x; ensemble.n_features()]);
            assert!(out.iter().all(|margin| margin.is_finite()), "{out:?}");
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn number_strategy() -> impl Strategy<Value = &'static str> {
    let numbers = "-1 0 1 2 3 4 5 -0 1e39 -1e308 NaN Infinity 2147483648 99999999999999999999 null []";
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
    fn bytes_of_ubjson_changed_at_random_do_no_harm(
        name in prop::sample::select(vec!["3.2-categorical", "3.2-vector-leaf", "1.7-dart", "3.2-gblinear"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.1),
    ) {
        let mut bytes = file(&format!("{name}.model.ubj"));
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
