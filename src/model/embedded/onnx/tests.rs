//! Graphs as pipelines export them → forms, and what of them is refused.

use super::builder::{Builder, float, floats, int, ints, text, texts};
use std::sync::Arc;

use super::OnnxError;
use super::proto::{AttributeProto, elem};
use crate::form::{Body, Feature, Form, Transform};
use crate::model::embedded::FileModel;

pub(super) fn load(file: &[u8]) -> Result<Arc<Form>, OnnxError> {
    match super::load(file)? {
        FileModel::Form(form) => Ok(form),
        FileModel::Text(_) => panic!("this is no model over texts"),
    }
}

/// `[n_rows × n_outputs]` for `rows` `[n_rows × n_features]`.
pub(super) fn margins(form: &Form, rows: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; rows.len() / form.n_features() * form.n_outputs()];
    form.margins(rows, &mut out);
    out
}

pub(super) fn error(file: &[u8]) -> String {
    load(file).expect_err("the file is to be refused").to_string()
}

fn numbers(width: i64) -> Builder {
    Builder::default().input("x", elem::FLOAT, width).output("y", elem::FLOAT)
}

/// One tree on column 0, at 1: `0.25` below, `0.75` above, all for class 0 of two.
pub(super) fn stump() -> Vec<AttributeProto> {
    vec![
        ints("nodes_treeids", &[3, 3, 3]),
        ints("nodes_nodeids", &[0, 1, 2]),
        ints("nodes_featureids", &[0, 0, 0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"]),
        floats("nodes_values", &[1.0, 0.0, 0.0]),
        ints("nodes_truenodeids", &[1, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0]),
        ints("class_treeids", &[3, 3]),
        ints("class_nodeids", &[1, 2]),
        ints("class_ids", &[0, 0]),
        floats("class_weights", &[0.25, 0.75]),
        ints("classlabels_int64s", &[0, 1]),
    ]
}

/// The stump with these attributes in place of its own.
fn stump_with(changes: Vec<AttributeProto>) -> Vec<u8> {
    let mut attributes = stump();
    attributes.retain(|attribute| changes.iter().all(|change| change.name != attribute.name));
    attributes.extend(changes);
    numbers(2).node("TreeEnsembleClassifier", "x", "label y", attributes).file()
}

/// A table of numbers, text and codes, encoded, scaled and classified; its labels go another way.
pub(super) fn pipeline() -> Builder {
    Builder::default()
        .input("age", elem::FLOAT, 1)
        .input("colour", elem::STRING, 1)
        .input("unused", elem::STRING, 1)
        .input("code", elem::INT64, 1)
        .output("label", elem::INT64)
        .sequence_output("probabilities")
        .floats("two", &[], &[2.0])
        .floats("one", &[1], &[1.0])
        .floats("w", &[6, 1], &[1.0, 10.0, 20.0, 30.0, 40.0, -1.0])
        .floats("b", &[1, 1], &[0.5])
        .integers("shape", &[-1, 2])
        .node(
            "Imputer",
            "age",
            "i",
            vec![floats("imputed_value_floats", &[7.0]), float("replaced_value_float", f32::NAN)],
        )
        .node("Scaler", "i", "s", vec![floats("offset", &[1.0]), floats("scale", &[0.5])])
        .node("Mul", "s two", "t", vec![])
        .node("OneHotEncoder", "colour", "h", vec![texts("cats_strings", &["red", "a, b"])])
        .node("Reshape", "h shape", "h2", vec![])
        .node("OneHotEncoder", "code", "k", vec![ints("cats_int64s", &[3, -1])])
        .node("Flatten", "k", "k2", vec![])
        .node(
            "LabelEncoder",
            "colour",
            "l",
            vec![
                texts("keys_strings", &["blue", "red"]),
                ints("values_int64s", &[5, 6]),
                int("default_int64", -2),
            ],
        )
        .node("Cast", "l", "l2", vec![int("to", 1)])
        .node("Concat", "t h2 k2 l2", "c", vec![int("axis", 1)])
        .node("MatMul", "c w", "m", vec![])
        .node("Add", "m b", "n", vec![])
        .node("Sigmoid", "n", "p", vec![])
        .node("Sub", "one p", "q", vec![])
        .node("Concat", "q p", "both", vec![int("axis", -1)])
        .node("ZipMap", "both", "probabilities", vec![ints("classlabels_int64s", &[0, 1])])
        .node("ArgMax", "both", "argmax", vec![int("axis", 1)])
        .node("Unheard", "argmax", "label", vec![])
}

#[test]
fn a_pipeline_becomes_its_raw_columns_and_the_probability_of_class_1() {
    let form = load(&pipeline().file()).unwrap();
    let names = |names: &[&str]| Feature::Category(names.iter().map(|&name| name.to_owned()).collect());
    assert_eq!(form.features, [Feature::Number, names(&["red", "a, b", "blue"]), names(&[]), Feature::Number]);
    assert_eq!((form.n_outputs(), form.transform), (1, Transform::Logistic));
    assert!(matches!(&form.body, Body::Layers(layers) if layers.is_linear()));
    let nan = f32::NAN;
    let rows = [3.0, 0.0, 0.0, 3.0, nan, 1.0, 5.0, -1.0, 1.0, 2.0, 0.0, 0.0, 1.0, 3.0, 0.0, 3.5];
    assert_eq!(margins(&form, &rows), [2.0 + 10.0 + 30.0 - 6.0 + 0.5, 68.5, -4.5, 2.5]);
}

#[test]
fn two_classes_whose_leaves_count_for_the_first_give_the_probability_of_the_second() {
    let rows = [1.0, 0.0, 1.5, 0.0, f32::NAN, 0.0];
    let form = |changes| load(&stump_with(changes)).unwrap();
    let share = form(vec![]);
    assert_eq!((share.transform, margins(&share, &rows)), (Transform::Identity, vec![0.25, 0.75, 0.75]));
    let logistic = form(vec![text("post_transform", "LOGISTIC"), floats("base_values", &[-1.0])]);
    assert_eq!((logistic.transform, margins(&logistic, &rows)), (Transform::Logistic, vec![-0.75, -0.25, -0.25]));
    let tracked = form(vec![ints("nodes_missing_value_tracks_true", &[1, 0, 0])]);
    assert_eq!(margins(&tracked, &rows), [0.25, 0.75, 0.25]);
}

#[test]
fn leaves_of_several_classes_are_vectors_and_of_one_class_are_numbers() {
    let three = |ids: &[i64], trees: &[i64]| {
        let weights: Vec<f32> = (1..=ids.len()).map(|n| n as f32).collect();
        load(&stump_with(vec![
            ints("class_treeids", &vec![3; ids.len()]),
            ints("class_nodeids", trees),
            ints("class_ids", ids),
            floats("class_weights", &weights),
            floats("base_values", &[0.0, 10.0, 20.0]),
            ints("classlabels_int64s", &[4, 5, 6]),
            text("post_transform", "SOFTMAX"),
        ]))
        .unwrap()
    };
    let width = |form: &Form| match &form.body {
        Body::Trees(trees) => trees.leaf_width,
        Body::Layers(_) => panic!("these are trees"),
    };
    let (vectors, single) = (three(&[0, 2, 1], &[1, 1, 2]), three(&[2, 2], &[1, 2]));
    assert_eq!((width(&vectors), width(&single)), (3, 1));
    assert_eq!(margins(&vectors, &[0.0, 0.0, 2.0, 0.0]), [1.0, 10.0, 22.0, 0.0, 13.0, 20.0]);
    assert_eq!(margins(&single, &[0.0, 0.0, 2.0, 0.0]), [0.0, 10.0, 21.0, 0.0, 10.0, 22.0]);
    assert_eq!(vectors.transform, Transform::Softmax);
}

#[test]
fn hidden_layers_follow_each_other_and_scales_fold_into_them() {
    let file = numbers(2)
        .floats("w", &[2, 2], &[1.0, -1.0, 2.0, 0.5])
        .floats("v", &[2, 1], &[3.0, -2.0])
        .floats("half", &[1], &[0.5])
        .node("MatMul", "x w", "a", vec![])
        .node("Relu", "a", "r", vec![])
        .node("Mul", "r half", "h", vec![])
        .node("Gemm", "h v half", "g", vec![])
        .node("Mul", "g half", "y", vec![])
        .file();
    let form = load(&file).unwrap();
    let Body::Layers(layers) = &form.body else { panic!("these are layers") };
    assert_eq!(layers.as_slice().len(), 2);
    // max(1 + 2·2, 0) = 5 and max(−1 + 0.5·2, 0) = 0.
    assert_eq!(margins(&form, &[1.0, 2.0]), [(5.0 * 0.5 * 3.0 + 0.5) * 0.5]);
}

#[test]
fn probabilities_that_are_normalised_again_stay() {
    let softmax = |post: &str, labels: &[i64], coefficients: &[f32]| {
        let attributes = vec![
            floats("coefficients", coefficients),
            floats("intercepts", &vec![0.5; labels.len()]),
            ints("classlabels_ints", labels),
            text("post_transform", post),
        ];
        numbers(1)
            .node("LinearClassifier", "x", "label p", attributes)
            .node("Normalizer", "p", "y", vec![text("norm", "L1")])
            .file()
    };
    assert_eq!(load(&softmax("SOFTMAX", &[0, 1, 2], &[1.0, 2.0, 3.0])).unwrap().transform, Transform::Softmax);
    let two = load(&softmax("SOFTMAX", &[0, 1], &[1.0, 3.0])).unwrap();
    assert_eq!((two.transform, margins(&two, &[2.0])), (Transform::Logistic, vec![4.0]));
    let text = error(&softmax("LOGISTIC", &[0, 1, 2], &[1.0, 2.0, 3.0]));
    assert!(text.contains("(Normalizer): only columns of features, and shares that add up to 1"), "{text}");
}

#[test]
fn sums_of_models_over_the_same_columns_are_one_model() {
    let tree = |n_targets: i64, weight: f32| {
        let mut attributes = stump();
        attributes.retain(|attribute| !attribute.name.starts_with("class"));
        attributes.extend([
            ints("target_treeids", &[3, 3]),
            ints("target_nodeids", &[1, 2]),
            ints("target_ids", &[0, 0]),
            floats("target_weights", &[weight, 4.0]),
            int("n_targets", n_targets),
        ]);
        attributes
    };
    let sum = |columns: &str| {
        numbers(2)
            .node("TreeEnsembleRegressor", "x", "a", tree(1, 1.0))
            .node("Identity", "x", columns, vec![])
            .node("TreeEnsembleRegressor", columns, "b", tree(1, 2.0))
            .node("Sum", "a b a", "y", vec![])
            .file()
    };
    assert_eq!(margins(&load(&sum("same")).unwrap(), &[0.0, 0.0, 2.0, 0.0]), [4.0, 12.0]);
}

#[test]
fn what_is_not_known_or_does_not_fit_is_refused_by_its_node() {
    let linear = |name: &str, inputs: &str, attributes| {
        numbers(2)
            .floats("w", &[2, 1], &[1.0, 1.0])
            .node("MatMul", "x w", "m", vec![])
            .node(name, inputs, "y", attributes)
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (linear("Erf", "m", vec![]).file(), "node 1 \"Erf-1\" (Erf): this operator is not supported"),
        (linear("Relu", "x", vec![]).file(), "(Relu): this operator on columns of features is not supported"),
        (linear("Relu", "gone", vec![]).file(), "(Relu): no node before it gives its input \"gone\""),
        (linear("Identity", "x", vec![]).file(), "output \"y\": there is no model between it and the features"),
        (linear("MatMul", "x x", vec![]).file(), "(MatMul): an input depends on the record; expected a constant"),
        (linear("MatMul", "m w", vec![]).file(), "the number of weights is 2; expected 1 for 1 sums of 1 columns"),
        (linear("Concat", "x m", vec![]).file(), "(Concat): columns of different kinds are joined"),
        (
            linear("Concat", "m m", vec![int("axis", 0)]).file(),
            "(Concat): axis is 0; expected 1, that of the columns",
        ),
        (linear("Scaler", "m", vec![]).file(), "(Scaler): its input mixes features"),
        (linear("Gather", "x w", vec![]).file(), "(Gather): axis is 0; expected 1"),
        (linear("Mul", "m m", vec![]).file(), "(Mul): products of scores are not supported"),
        (
            linear("Cast", "m", vec![int("to", 7)]).file(),
            "(Cast): to is 7; expected a type that these values can have",
        ),
        (
            numbers(2).node("Normalizer", "x", "n", vec![]).node("Concat", "x n", "y", vec![]).file(),
            "(Concat): columns that stand before and after a Normalizer are joined",
        ),
        (numbers(0).file(), "input \"x\": its shape is [0, 0]; expected 1 or 2 dimensions"),
        (Builder::default().input("x", 16, 1).file(), "input \"x\": its type is 16; expected"),
        (numbers(1).file(), "output \"y\": no node gives it"),
        (Builder::default().input("x", 1, 1).output("l", elem::INT64).file(), "no output of real numbers"),
        (
            numbers(1).node_of("com.example", "Gemm", "x", "y", vec![]).file(),
            "node 0 \"Gemm-1\" (Gemm): the domain is com.example; expected ai.onnx or ai.onnx.ml",
        ),
    ];
    for (file, fragment) in cases {
        let text = error(&file);
        assert!(text.contains(fragment), "got: {text}\nwant: {fragment}");
    }
}

#[test]
fn trees_that_do_not_fit_are_refused_by_tree_and_node() {
    let many = ints("nodes_treeids", &[3; 4]);
    let cases: Vec<(Vec<AttributeProto>, &str)> = vec![
        (vec![many], "nodes_nodeids is 3 nodes long; expected 4, as nodes_treeids"),
        (vec![ints("nodes_treeids", &[])], "nodes_treeids is empty; expected at least one node"),
        (
            vec![ints("nodes_treeids", &[3, 4, 3]), ints("class_treeids", &[4, 3])],
            "the nodes of a tree stand in two places",
        ),
        (vec![ints("nodes_nodeids", &[0, 1, 1])], "a tree has two nodes of one nodes_nodeids"),
        (
            vec![ints("nodes_featureids", &[2, 0, 0])],
            "tree 3, node 0: nodes_featureids is 2; expected a column below 2",
        ),
        (vec![ints("nodes_truenodeids", &[9, 0, 0])], "tree 3, node 0: a child is 9; expected a node of the tree"),
        (
            vec![ints("nodes_truenodeids", &[0, 0, 0])],
            "tree 3, node 0: a child is 0; expected a node without a parent",
        ),
        (
            vec![ints("nodes_truenodeids", &[2, 0, 0])],
            "tree 3, node 0: a child is 2; expected a node without a parent",
        ),
        (
            vec![texts("nodes_modes", &["BRANCH", "LEAF", "LEAF"])],
            "tree 3, node 0: nodes_modes is BRANCH; expected",
        ),
        (vec![floats("nodes_values", &[f32::NAN, 0.0, 0.0])], "tree 3, node 0: nodes_values is NaN; expected"),
        (
            vec![floats("class_weights", &[f32::NAN, 0.0])],
            "tree 3, node 1: class_weights is NaN; expected a finite",
        ),
        (
            vec![floats("class_weights", &[3e38, 0.0])],
            "the sum of the trees' largest leaves is 3.00e38; expected at",
        ),
        (
            vec![floats("class_weights", &[0.5])],
            "class_treeids, _nodeids, _ids and _weights are not of one length",
        ),
        (vec![ints("class_ids", &[0, 2])], "class_ids is 2; expected below 2"),
        (vec![ints("class_nodeids", &[0, 7])], "class_nodeids is 7; expected a node of its tree"),
        (vec![floats("base_values", &[0.0, 1.0])], "base_values is 2 numbers long; expected 1, or none"),
        (vec![text("post_transform", "PROBIT")], "post_transform is PROBIT; expected NONE, LOGISTIC or SOFTMAX"),
        (vec![text("aggregate_function", "MAX")], "aggregate_function is MAX; expected SUM or AVERAGE"),
        (vec![ints("classlabels_int64s", &[])], "the number of classes is 0; expected 1 to 1000"),
    ];
    for (changes, fragment) in cases {
        let text = error(&stump_with(changes));
        assert!(text.contains(fragment), "got: {text}\nwant: {fragment}");
    }
}

#[test]
fn an_error_repeats_no_more_than_the_start_of_a_long_text_and_keeps_to_a_line() {
    let long = format!("a\n{}", "é".repeat(1_000_000));
    let operator = numbers(1).node(&long, "x", "y", vec![]);
    let input = numbers(1).node("Relu", &format!("x{}", "é".repeat(1_000_000)), "y", vec![]);
    for file in [operator.file(), input.file()] {
        let text = error(&file);
        assert!(text.len() < 700 && !text.contains('\n'), "{} bytes: {text}", text.len());
    }
}
