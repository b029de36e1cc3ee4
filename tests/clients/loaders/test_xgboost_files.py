"""Model files of XGBoost: both encodings, every booster and objective, against the library's own predict."""

import json

import numpy as np
import pytest
import xgboost
from conftest import refusal
from model_files import check_attributions, check_predictions, explained, plain, with_gaps, with_ties
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from xgboost import DMatrix

CANCER, WINE, DIABETES = load_breast_cancer(), load_wine(), load_diabetes()
X_CANCER, X_WINE, X_DIABETES = (with_gaps(data.data) for data in (CANCER, WINE, DIABETES))
AMOUNT = DIABETES.target
CATEGORIES = 40
rng = np.random.default_rng(3)

# A column of codes beside numbers; the last codes are met in prediction alone.
X_CODED = np.column_stack([rng.integers(0, CATEGORIES - 5, 442), rng.integers(0, 3, 442), DIABETES.data[:, :4]])
X_CODED = with_gaps(X_CODED)
CODED = {"feature_types": ["c", "c", "q", "q", "q", "q"], "enable_categorical": True}
CODED_LABEL = np.nan_to_num(X_CODED[:, 0]) % 3 + np.nan_to_num(X_CODED[:, 1])

# name: parameters, rows, labels, more of the matrix
MODELS = {
    "binary": ({"objective": "binary:logistic"}, X_CANCER, CANCER.target, {}),
    "raw": ({"objective": "binary:logitraw"}, X_CANCER, CANCER.target, {}),
    "logistic": ({"objective": "reg:logistic"}, X_CANCER, CANCER.target, {}),
    "softprob": ({"objective": "multi:softprob", "num_class": 3}, X_WINE, WINE.target, {}),
    "squared": ({"objective": "reg:squarederror"}, X_DIABETES, AMOUNT, {}),
    "absolute": ({"objective": "reg:absoluteerror"}, X_DIABETES, AMOUNT, {}),
    "squared-log": ({"objective": "reg:squaredlogerror"}, X_DIABETES, AMOUNT, {}),
    "huber": ({"objective": "reg:pseudohubererror", "huber_slope": 50}, X_DIABETES, AMOUNT, {}),
    "quantiles": ({"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]}, X_DIABETES, AMOUNT, {}),
    "poisson": ({"objective": "count:poisson"}, X_DIABETES, AMOUNT, {}),
    "gamma": ({"objective": "reg:gamma"}, X_DIABETES, AMOUNT, {}),
    "tweedie": ({"objective": "reg:tweedie"}, X_DIABETES, AMOUNT, {}),
    "cox": ({"objective": "survival:cox"}, X_DIABETES, AMOUNT, {}),
    "pairwise": ({"objective": "rank:pairwise"}, X_DIABETES, AMOUNT // 100, {"qid": np.arange(442) // 50}),
    "ndcg": ({"objective": "rank:ndcg"}, X_DIABETES, AMOUNT // 100, {"qid": np.arange(442) // 50}),
    "map": ({"objective": "rank:map"}, X_DIABETES, AMOUNT > 150, {"qid": np.arange(442) // 50}),
    "targets": ({"objective": "reg:squarederror"}, X_DIABETES, np.column_stack([AMOUNT, -AMOUNT / 7]), {}),
    "forest": ({"objective": "binary:logistic", "num_parallel_tree": 5, "subsample": 0.7}, X_CANCER, CANCER.target, {}),
    "categories": ({"objective": "reg:squarederror", "max_cat_to_onehot": 2}, X_CODED, CODED_LABEL, CODED),
    "one-hot": ({"objective": "reg:squarederror", "max_cat_to_onehot": 99}, X_CODED, CODED_LABEL, CODED),
    "dart": ({"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3}, X_CANCER, CANCER.target, {}),
    "dart-softprob": (
        {"objective": "multi:softprob", "num_class": 3, "booster": "dart", "rate_drop": 0.3}, X_WINE, WINE.target, {}
    ),
    "linear": ({"objective": "reg:squarederror", "booster": "gblinear"}, X_DIABETES, AMOUNT, {}),
    "linear-softprob": (
        {"objective": "multi:softprob", "num_class": 3, "booster": "gblinear", "eta": 0.01}, X_WINE, WINE.target, {}
    ),
    "vector-leaf": (
        {"objective": "multi:softprob", "num_class": 3, "multi_strategy": "multi_output_tree"}, X_WINE, WINE.target, {}
    ),
    "vector-targets": (
        {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"},
        X_DIABETES,
        np.column_stack([AMOUNT, -AMOUNT / 7]),
        {},
    ),
}
ENCODINGS = ["json", "ubj"]


def train(parameters, x, y, more, rounds=12):
    shape = {} if parameters.get("booster") == "gblinear" else {"max_depth": 4, "tree_method": "hist"}
    matrix = DMatrix(x, y, **more)
    return xgboost.train({"nthread": 1, "seed": 0} | shape | parameters, matrix, rounds)


def splits(booster):
    content = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    found = []
    for tree in content.get("gbtree", content)["model"].get("trees", []):
        columns = ("split_indices", "split_conditions", "left_children", "split_type")
        for feature, threshold, child, kind in zip(*(tree[name] for name in columns)):
            found += [(feature, threshold)] if child >= 0 and kind == 0 else []
    return found


def predict(booster, rows, more={}):
    typed = {name: more[name] for name in more if name != "qid"}
    return booster.predict(DMatrix(np.asarray(rows, np.float32), **typed))


def hard_rows(name, booster):
    x = MODELS[name][1]
    rows = with_ties(np.vstack([x[:200], x[:60]]), splits(booster))
    rows[0] = np.nan
    if name in ("categories", "one-hot"):
        # Unseen, beyond any set, fractions; XGBoost itself refuses negative ones.
        rows[1:7, 0] = [36, 39, 1000, 2.5, 16_777_215, np.nan]
        rows[7:10, 1] = [3, 40, 1.9]
    return rows


@pytest.fixture(scope="module")
def boosters():
    return {name: train(*model) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def server(serve, write_definition, boosters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    definitions = []
    for name, booster in boosters.items():
        for encoding in ENCODINGS:
            path = folder / f"{name}.{encoding}"
            booster.save_model(path)
            definitions.append(plain(write_definition, f"{name}-{encoding}", path, booster.num_features()))
    return serve(*definitions)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", MODELS)
def test_predictions_equal_those_of_xgboost(server, boosters, name, encoding):
    rows = hard_rows(name, boosters[name])
    check_predictions(server, f"{name}-{encoding}", rows, predict(boosters[name], rows, MODELS[name][3]))


@pytest.mark.parametrize("name", ["categories", "dart", "linear", "poisson", "vector-leaf"])
def test_attributions_equal_those_of_shap(serve, write_definition, tmp_path, name):
    parameters, x, y, more = MODELS[name]
    x = np.nan_to_num(x[:, :6], nan=1).astype(np.float32)
    y = y / 100 if name in ("linear", "poisson") else y
    booster = train(parameters, x, y, more)
    booster.save_model(tmp_path / "model.ubj")
    server = serve(explained(write_definition, f"shap-{name}", tmp_path / "model.ubj", x[10:11]))
    check_attributions(server, f"shap-{name}", x[20:24], lambda rows: predict(booster, rows, more), x[10:11])


def test_an_objective_whose_answer_is_a_step_is_refused(write_definition, tmp_path):
    booster = train({"objective": "binary:hinge"}, X_CANCER, CANCER.target, {})
    booster.save_model(tmp_path / "model.ubj")
    told = refusal(plain(write_definition, "hinge", tmp_path / "model.ubj", 30), {})
    assert 'objective "binary:hinge" is not supported' in told
