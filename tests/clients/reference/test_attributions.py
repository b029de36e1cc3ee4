"""Attributions over HTTP against the shap package, direct float64 regressions and exact values."""

import json

import numpy as np
import oracles
import pytest
import shap
import xgboost
from sklearn.datasets import load_wine
from xgboost import Booster, DMatrix

N_PLAYERS, N_RECORDS = 10, 6  # 2^10 - 2 coalitions: all are listed
LINKS = {"identity": oracles.identity, "logit": oracles.logit}
WINE = load_wine()
X = WINE.data[:, :N_PLAYERS]
MODELS = {
    "binary": ({"objective": "binary:logistic"}, WINE.target == 1),
    "softprob": ({"objective": "multi:softprob", "num_class": 3}, WINE.target),
}
BASELINES = {"one-row": X[60:61], "twenty-rows": X[4:178:9]}
CASES = [(model, rows, link) for model in MODELS for rows in BASELINES for link in LINKS]
KERNELS = ["shapley", "clarify"]

# The last record shares cells with the one baseline row: no players there, but under `clarify`.
RECORDS = X[7:177:34].copy()
RECORDS = np.vstack([RECORDS, np.where(np.arange(N_PLAYERS) % 3 == 0, X[60], X[130])])


def csv(rows):
    return "\n".join(",".join(map(repr, row)) for row in np.asarray(rows).tolist())


def endpoint_name(model, rows, link, kernel):
    return f"{model}-{rows}-{link}-{kernel}"


@pytest.fixture(scope="module")
def boosters():
    shape = {"max_depth": 3, "eta": 0.3, "nthread": 1}
    return {
        name: xgboost.train(parameters | shape, DMatrix(X, label), 12)
        for name, (parameters, label) in MODELS.items()
    }


@pytest.fixture(scope="module")
def server(serve, define, boosters, examples):
    definitions = [
        define(
            endpoint_name(model, rows, link, kernel),
            boosters[model].save_model,
            csv(BASELINES[rows]),
            use_logit=link == "logit",
            environment={"EXPLAIND_KERNEL": kernel},
        )
        for model, rows, link in CASES
        for kernel in KERNELS
    ]
    return serve(*definitions, examples / "breast-cancer" / "endpoint.json")


@pytest.mark.parametrize("model, rows, link", CASES)
def test_all_coalitions_give_what_the_shap_package_gives(server, boosters, model, rows, link):
    def predict(x):
        return oracles.scores(boosters[model], x)

    answer = server.invoke(endpoint_name(model, rows, link, "shapley"), csv(RECORDS))
    explainer = shap.KernelExplainer(predict, BASELINES[rows], link=link)
    expected = explainer.shap_values(RECORDS, nsamples=2**N_PLAYERS, l1_reg=False, silent=True)
    np.testing.assert_allclose(answer.attributions, expected, rtol=0, atol=1e-6)
    base = LINKS[link](predict(BASELINES[rows]).mean(axis=0))
    np.testing.assert_allclose(answer.base_values, base, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model, rows, link", CASES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_all_coalitions_give_the_weighted_least_squares(server, boosters, model, rows, link, kernel):
    def predict(x):
        return oracles.scores(boosters[model], x)

    answer = server.invoke(endpoint_name(model, rows, link, kernel), csv(RECORDS))
    assert answer.headers["X-Explaind-Kernel"] == kernel
    for record, found in zip(RECORDS, answer.attributions, strict=True):
        values = oracles.values(predict, LINKS[link], record, BASELINES[rows])
        expected = oracles.regression(values, N_PLAYERS, 1 + KERNELS.index(kernel))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_a_feature_equal_to_the_baseline_gets_exactly_nothing(server, model):
    answer = server.invoke(endpoint_name(model, "one-row", "identity", "shapley"), csv(RECORDS[-1:]))
    (attributions,) = np.array(answer.attributions)
    assert not attributions[RECORDS[-1] == BASELINES["one-row"][0]].any()


def test_sampled_attributions_are_near_the_exact_ones(server, examples):
    """30 players, the default 2·30 + 2048 coalitions; error per record = ‖estimate − exact‖ / ‖exact‖."""
    folder = examples / "breast-cancer"
    definition = json.loads((folder / "endpoint.json").read_text())
    shap_config = definition["ExplainerConfig"]["ClarifyExplainerConfig"]["ShapConfig"]
    baseline = np.array([shap_config["ShapBaselineConfig"]["ShapBaseline"].split(",")], np.float32)
    body = (folder / "records.csv").read_text()
    records = np.array([line.split(",") for line in body.splitlines()], np.float32)

    # With one baseline row the logit of a sigmoid is the margin, whose Shapley values trees give exactly.
    booster = Booster(model_file=folder / "model.json")
    exact = shap.TreeExplainer(booster, baseline, feature_perturbation="interventional").shap_values(records)
    found = np.array(server.invoke("breast-cancer", body).attributions)[:, :, 0]
    errors = np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
    print(f"relative error: mean {errors.mean():.4f}, largest {errors.max():.4f}")
    assert errors.mean() < 0.03
    assert errors.max() < 0.1
