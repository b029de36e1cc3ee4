"""Explains rows with other packages, a request a line, on one thread, and says how long it took: JSON lines over standard
input and output. The models are those of make_models.py. A package is imported by the first request for it."""

import json
import os
import sys
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
# What packages print is not for the reader of the lines.
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
import xgboost  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "target" / "engine"
N_BASELINE_ROWS = 100
PACKAGES = ["shap", "alibi", "xgboost-cpu", "numpy"]


@cache
def booster(name):
    return xgboost.Booster({"nthread": 1}, model_file=FOLDER / f"{name}.json")


@cache
def rows(name):
    return np.loadtxt(FOLDER / f"{name}.csv", delimiter=",", dtype=np.float32)


def baseline(name, n_rows):
    return rows(name)[:1] if n_rows == 1 else rows(name)[1 : 1 + n_rows]


def records(name, n_records, first=0):
    start = 1 + N_BASELINE_ROWS + first
    return rows(name)[start : start + n_records]


def score(name):
    return lambda X: booster(name).inplace_predict(np.asarray(X, np.float32))


def timed(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def kernel_explainer(model, n_baseline_rows, n_records, n_samples, first=0):
    import shap

    explainer = shap.KernelExplainer(score(model), baseline(model, n_baseline_rows))
    X = records(model, n_records, first)
    return timed(lambda: explainer.shap_values(X, nsamples=n_samples, l1_reg=False, silent=True))


def alibi_kernel_shap(model, n_baseline_rows, n_records, n_samples, first=0):
    from alibi.explainers import KernelShap

    explainer = KernelShap(score(model), link="identity").fit(baseline(model, n_baseline_rows))
    X = records(model, n_records, first)
    work = lambda: explainer.explain(X, nsamples=n_samples, l1_reg=False, silent=True)  # noqa: E731
    seconds, explanation = timed(work)
    return seconds, np.asarray(explanation.shap_values[0])


@cache
def tree_explainer(model, n_baseline_rows):
    import shap

    data = baseline(model, n_baseline_rows)
    return shap.TreeExplainer(booster(model), data, feature_perturbation="interventional", model_output="raw")


def tree(model, n_baseline_rows, n_records):
    explainer, X = tree_explainer(model, n_baseline_rows), records(model, n_records)
    return timed(lambda: explainer.shap_values(X, check_additivity=False))


coalitions = None


def synthetic(model, first=0):
    return np.where(coalitions, records(model, 1, first), baseline(model, 1))


def predict(model, first=0):
    X = synthetic(model, first)
    return timed(lambda: booster(model).inplace_predict(X))


def predict_matrix(model, first=0):
    """The matrix is made anew, since a booster remembers what it predicted for one."""
    matrix = xgboost.DMatrix(synthetic(model, first), nthread=1)
    return timed(lambda: booster(model).predict(matrix))


def present():
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            pass


TASKS = {f.__name__: f for f in [kernel_explainer, alibi_kernel_shap, tree, predict, predict_matrix]}

print(json.dumps({"versions": dict(present())}), file=out, flush=True)
for request in map(json.loads, sys.stdin):
    if "coalitions" in request:
        coalitions = np.array([list(members) for members in request["coalitions"]]) == "1"
        answer = {}
    else:
        seconds, result = TASKS[request.pop("task")](**request)
        answer = {"seconds": seconds, "result": np.ravel(result).tolist()}
    print(json.dumps(answer), file=out, flush=True)
