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
MARGINS = {"regression": ({"objective": "reg:squarederror"}, X[:, 9] * X[:, 6])}
WIDE = {"wide": MODELS["softprob"]}
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
    columns = {"wide": WINE.data}
    return {
        name: xgboost.train(parameters | shape, DMatrix(columns.get(name, X), label), 12)
        for name, (parameters, label) in (MODELS | MARGINS | WIDE).items()
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
    definitions.append(define("regression", boosters["regression"].save_model, csv(BASELINES["twenty-rows"])))
    wide = {
        "listed": {"n_samples": 2**13 - 2},
        "sampled-kernel-shap": {"environment": {"EXPLAIND_ESTIMATOR": "kernel-shap"}},
        "sampled-trend": {"environment": {"EXPLAIND_ESTIMATOR": "trend"}},
    }
    for name, more in wide.items():
        definitions.append(define(name, boosters["wide"].save_model, csv(WINE.data[60:61]), **more))
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


def test_margins_of_trees_get_their_exact_values(server, examples):
    """With one baseline row the logit of a sigmoid is the margin, whose Shapley values trees give exactly."""
    folder = examples / "breast-cancer"
    definition = json.loads((folder / "endpoint.json").read_text())
    shap_config = definition["ExplainerConfig"]["ClarifyExplainerConfig"]["ShapConfig"]
    baseline = np.array([shap_config["ShapBaselineConfig"]["ShapBaseline"].split(",")], np.float32)
    body = (folder / "records.csv").read_text()
    records = np.array([line.split(",") for line in body.splitlines()], np.float32)

    booster = Booster(model_file=folder / "model.json")
    exact = shap.TreeExplainer(booster, baseline, feature_perturbation="interventional").shap_values(records)
    answer = server.invoke("breast-cancer", body)
    assert answer.headers["X-Explaind-Estimator"] == "exact"
    np.testing.assert_allclose(np.array(answer.attributions)[:, :, 0], exact, rtol=0, atol=1e-6)


def test_margins_over_several_baseline_rows_get_their_exact_values(server, boosters):
    baseline = BASELINES["twenty-rows"]
    explainer = shap.TreeExplainer(boosters["regression"], baseline, feature_perturbation="interventional")
    exact = explainer.shap_values(RECORDS)
    answer = server.invoke("regression", csv(RECORDS))
    assert answer.headers["X-Explaind-Estimator"] == "exact"
    np.testing.assert_allclose(np.array(answer.attributions)[:, :, 0], exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimator", ["kernel-shap", "trend"])
def test_sampled_attributions_are_near_those_of_all_coalitions(server, estimator):
    """13 players, 2074 of 8190 coalitions; error per record = ‖estimate − exact‖ / ‖exact‖."""
    records = WINE.data[3:178:20]
    exact = np.array(server.invoke("listed", csv(records)).attributions)
    answer = server.invoke(f"sampled-{estimator}", csv(records))
    assert answer.headers["X-Explaind-Estimator"] == estimator
    difference = np.array(answer.attributions) - exact
    errors = np.linalg.norm(difference, axis=(1, 2)) / np.linalg.norm(exact, axis=(1, 2))
    print(f"relative error: mean {errors.mean():.4f}, largest {errors.max():.4f}")
    assert 0 < errors.mean() < 0.05
    assert errors.max() < 0.15
