"""Predictions over HTTP against xgboost's own, on rows with gaps and ties."""

import json

import numpy as np
import pytest
import xgboost
from xgboost import DMatrix

N_ROWS, N_FEATURES = 1000, 8
BINARY = {"objective": "binary:logistic", "max_depth": 4}
SOFTPROB = {"objective": "multi:softprob", "num_class": 4, "max_depth": 3}
FOREST = {"num_parallel_tree": 5, "subsample": 0.7, "colsample_bynode": 0.7}
MODELS = {
    "binary": BINARY,
    "binary-base-score": BINARY | {"base_score": 0.1},
    "regression": {"objective": "reg:squarederror", "max_depth": 4},
    "softprob": SOFTPROB,
    "softmax": SOFTPROB | {"objective": "multi:softmax"},
    "forest": BINARY | FOREST,
    "forest-softprob": SOFTPROB | FOREST,
}


def data(rng):
    x = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    signal = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=N_ROWS) / 4
    return np.where(rng.random(x.shape) < 0.2, np.float32("nan"), x), signal


def label(parameters, signal):
    classes = parameters.get("num_class", 2)
    if parameters["objective"] == "reg:squarederror":
        return 1000 + 250 * signal
    return np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes))


def with_ties(rows, booster):
    """The rows, each with one cell set to the threshold of some split on its feature."""
    trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
    splits = [
        (feature, threshold)
        for tree in trees
        for feature, threshold, child in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"]
        )
        if child >= 0
    ]
    rows = rows.copy()
    for i in range(len(rows)):
        feature, threshold = splits[i * len(splits) // len(rows)]
        rows[i, feature] = threshold
    return rows


def csv(rows):
    """Shortest float32 spelling; gaps spelled in both ways."""
    cells = [["" if value == "nan" else value for value in map(str, row)] for row in rows]
    return "\n".join(",".join(cell or ("", "nan")[i % 2] for cell in row) for i, row in enumerate(cells))


@pytest.fixture(scope="module")
def boosters():
    rng = np.random.default_rng(11)
    found = {}
    for name, parameters in MODELS.items():
        x, signal = data(rng)
        matrix = DMatrix(x, label(parameters, signal))
        found[name] = xgboost.train({"nthread": 1, "seed": 0, **parameters}, matrix, 15)
    return found


@pytest.fixture(scope="module")
def server(serve, define, boosters):
    baseline = ",".join(["0"] * N_FEATURES)
    return serve(
        *(
            define(name, booster.save_model, baseline, enable="`false`")
            for name, booster in boosters.items()
        )
    )


@pytest.mark.parametrize("name", MODELS)
def test_predictions_equal_those_of_xgboost(server, boosters, name):
    booster = boosters[name]
    rows = with_ties(data(np.random.default_rng(12))[0], booster)
    if MODELS[name]["objective"] == "multi:softmax":
        booster.set_param({"objective": "multi:softprob"})  # its own answer is only the class
    expected = booster.predict(DMatrix(rows)).reshape(N_ROWS, -1)

    answer = server.invoke(name, csv(rows))
    assert answer.document["explanations"] == {}
    bound = {"rtol": 1e-6} if name == "regression" else {"rtol": 0, "atol": 1e-6}
    np.testing.assert_allclose(answer.scores, expected, **bound)
