"""ONNX files over HTTP against onnxruntime on the same file, and against the library that trained the model."""

import numpy as np
import onnx
import onnx_models
import pytest
import shap
from onnx import TensorProto, helper
from onnx_models import CASES, MIXED, to_csv
from onnxruntime import InferenceSession

OWN_BOUND = 1e-5  # the libraries compute in float64, or in another order


def saver(model):
    return lambda path: path.write_bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def cases():
    return {name: make() for name, make in CASES.items()}


@pytest.fixture(scope="module")
def server(serve, define, cases):
    return serve(
        *(define(name, saver(case.onnx), to_csv(case.rows[:1]), enable="`false`") for name, case in cases.items())
    )


@pytest.mark.parametrize("name", CASES)
def test_predictions_equal_those_of_onnxruntime_and_of_the_library(server, cases, name):
    case = cases[name]
    answer = server.invoke(name, to_csv(case.rows).encode())
    np.testing.assert_allclose(answer.scores, case.expected(), rtol=case.rtol, atol=case.atol)
    if case.is_known:
        np.testing.assert_allclose(answer.scores, case.own(), rtol=OWN_BOUND, atol=max(OWN_BOUND, case.atol))


EXPLAINED = [
    "logistic",
    "logistic-wine",
    "logistic-l2",
    "linear",
    "mlp-tanh",
    "mlp-wine",
    "forest",
    "forest-wine",
    "boosting",
    "boosting-wine",
    "boosting-regressor",
    "xgboost-pipeline",
    "mixed-logistic",
    "mixed-boosting",
    "mixed-forest",
]
N_EXPLAINED = 3


@pytest.fixture(scope="module")
def explainers(serve, define, cases):
    return serve(*(define(name, saver(cases[name].onnx), to_csv(cases[name].rows[5:9])) for name in EXPLAINED))


@pytest.mark.parametrize("name", EXPLAINED)
def test_attributions_equal_those_of_the_shap_package(explainers, cases, name):
    """All coalitions are listed. Of a pipeline the players are the columns of its own table, text included."""
    case = cases[name]
    answer = explainers.invoke(name, to_csv(case.rows[:N_EXPLAINED]).encode())
    predict, rows = coded(case)
    explainer = shap.KernelExplainer(predict, rows[5:9])
    expected = explainer.shap_values(rows[:N_EXPLAINED], nsamples=2 ** rows.shape[1], l1_reg=False, silent=True)
    expected = np.asarray(expected).reshape(N_EXPLAINED, rows.shape[1], -1)
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(answer.attributions, expected, rtol=0, atol=1e-5 * scale)


def coded(case):
    """predict and rows of numbers alone: text as its place among all texts of its column, gaps as they are."""
    if isinstance(case.rows, np.ndarray):
        return lambda x: onnx_models.one_of_two(onnx_models.predictions(case.model, x), case.model), case.rows
    texts = {name: sorted(set(MIXED[name])) for name in MIXED if MIXED[name].dtype.kind not in "fi"}
    codes = case.rows.assign(**{name: [texts[name].index(text) for text in case.rows[name]] for name in texts})

    def predict(x):
        table = codes.iloc[:0].reindex(range(len(x))).assign(**dict(zip(codes, np.asarray(x, float).T)))
        named = {name: [texts[name][int(code)] for code in table[name]] for name in texts}
        table = table.assign(**named, code=table.code.astype(int))
        return onnx_models.one_of_two(onnx_models.predictions(case.model, table), case.model)

    return predict, codes.to_numpy(float)


def ml(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, domain="ai.onnx.ml", **attributes)


def stumps(mode, tracks, threshold, **attributes):
    """Two trees of one split each, on columns 0 and 1."""
    return ml(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        nodes_treeids=[0, 0, 0, 7, 7, 7],
        nodes_nodeids=[5, 1, 2, 0, 1, 2],
        nodes_featureids=[0, 0, 0, 1, 0, 0],
        nodes_modes=[mode, "LEAF", "LEAF"] * 2,
        nodes_values=[threshold, 0.0, 0.0] * 2,
        nodes_truenodeids=[2, 0, 0, 1, 0, 0],
        nodes_falsenodeids=[1, 0, 0, 2, 0, 0],
        nodes_missing_value_tracks_true=[tracks, 0, 0, 0, 0, 0],
        target_treeids=[0, 0, 7, 7],
        target_nodeids=[1, 2, 1, 2],
        target_ids=[0, 0, 0, 0],
        target_weights=[1.0, 2.0, 0.5, -0.25],
        n_targets=1,
        **attributes,
    )


def weights(name, *shape):
    values = np.random.default_rng(len(name)).normal(size=shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def integers(name, *values):
    return onnx.numpy_helper.from_array(np.array(values, dtype=np.int64), name)


ROWS = np.array([[0, 2], [1, 1], [2, 0], [np.nan, 3], [1, np.nan], [-1.5, -2], [1.25, 0.75]], dtype=np.float32)
FULL = ROWS[~np.isnan(ROWS).any(axis=1)]
BRANCHES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
GRAPHS = {
    **{f"{mode[7:]}-{tracks}": ([stumps(mode, tracks, 1.0)], [], ROWS) for mode in BRANCHES for tracks in [0, 1]},
    "average": ([stumps("BRANCH_LEQ", 0, 1.0, aggregate_function="AVERAGE", base_values=[0.75])], [], ROWS),
    "gemm": (
        [helper.make_node("Gemm", ["x", "wt", "b"], ["y"], alpha=0.5, beta=2.0, transB=1)],
        [weights("wt", 3, 2), weights("b", 3)],
        FULL,
    ),
    "split": (
        [
            helper.make_node("Split", ["x"], ["p", "q"], axis=1),
            helper.make_node("Concat", ["q", "p", "q"], ["r"], axis=1),
            helper.make_node("MatMul", ["r", "w"], ["m"]),
            helper.make_node("Exp", ["m"], ["y"]),
        ],
        [weights("w", 3, 2)],
        FULL,
    ),
    "slice": (
        [
            helper.make_node("MatMul", ["x", "w"], ["m"]),
            helper.make_node("Slice", ["m", "one", "end", "one"], ["s"]),
            helper.make_node("Softmax", ["s"], ["y"], axis=-1),
        ],
        [weights("w", 2, 4), integers("one", 1), integers("end", 2**40)],
        FULL,
    ),
    "truncated": (
        [
            helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
            ml(
                "LabelEncoder",
                ["i"],
                ["e"],
                keys_int64s=[0, 1, 2],
                values_floats=[5.0, -3.0, 0.5],
                default_float=9.0,
            ),
            helper.make_node("MatMul", ["e", "w"], ["y"]),
        ],
        [weights("w", 2, 1)],
        FULL,
    ),
    "label-encoder-gaps": (
        [
            ml(
                "LabelEncoder",
                ["x"],
                ["e"],
                keys_floats=[0.0, 1.0, float("nan")],
                values_floats=[5.0, -3.0, 0.5],
                default_float=9.0,
            ),
            helper.make_node("MatMul", ["e", "w"], ["y"]),
        ],
        [weights("w", 2, 1)],
        ROWS,
    ),
    "arithmetic": (
        [
            helper.make_node("Sub", ["b", "x"], ["s"]),
            helper.make_node("Div", ["s", "c"], ["d"]),
            helper.make_node("Gather", ["d", "places"], ["g"], axis=1),
            helper.make_node("Gemm", ["g", "w", "c"], ["h"]),
            helper.make_node("Sigmoid", ["h"], ["a"]),
            helper.make_node("Mul", ["a", "b"], ["m"]),
            helper.make_node("Gemm", ["m", "v"], ["o"]),
            helper.make_node("Tanh", ["o"], ["t"]),
            helper.make_node("Add", ["t", "c"], ["y"]),
        ],
        [
            weights("b", 2),
            weights("c", 1, 2),
            integers("places", 1, -2, 1),
            weights("w", 3, 2),
            weights("v", 2, 2),
        ],
        FULL,
    ),
}


def graph(nodes, initializers):
    """A model of two columns x whose scores are y."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    made = helper.make_graph(nodes, "made", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


@pytest.fixture(scope="module")
def made(serve, define):
    return serve(
        *(define(name, saver(graph(*parts[:2])), "0.5,0.5", enable="`false`") for name, parts in GRAPHS.items())
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_operators_answer_as_those_of_onnxruntime(made, name):
    nodes, initializers, rows = GRAPHS[name]
    session = InferenceSession(graph(nodes, initializers).SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["y"], {"x": rows})
    np.testing.assert_allclose(made.invoke(name, to_csv(rows)).scores, expected, rtol=1e-6, atol=1e-6)
