"""Model files of LightGBM against the library's own predict: objectives, boostings, categories, gaps and ties."""

import lightgbm
import numpy as np
import pytest
from conftest import refusal
from model_files import check_attributions, check_predictions, explained, plain, with_gaps, with_ties
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

CANCER, WINE, DIABETES = load_breast_cancer(), load_wine(), load_diabetes()
X_CANCER, X_WINE, X_DIABETES = (with_gaps(data.data) for data in (CANCER, WINE, DIABETES))
X_WHOLE = DIABETES.data.astype(np.float32)
AMOUNT, SHARE = DIABETES.target, (DIABETES.target - 25) / 325
GROUPS = {"group": [50] * 8 + [42]}

rng = np.random.default_rng(3)
X_CODED = np.column_stack([rng.integers(0, 70, 442), rng.integers(0, 3, 442), DIABETES.data[:, :4] * 100])
X_CODED = np.where(np.abs(X_CODED) < 0.5, 0, with_gaps(X_CODED))
CODED = {"categorical_feature": [0, 1]}
CODED_LABEL = np.nan_to_num(X_CODED[:, 0]) % 3 + np.nan_to_num(X_CODED[:, 1])
RANDOM_FOREST = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}

# name: parameters, rows, labels, more of the data set
MODELS = {
    "binary": ({"objective": "binary"}, X_CANCER, CANCER.target, {}),
    "sigmoid": ({"objective": "binary", "sigmoid": 2.5}, X_CANCER, CANCER.target, {}),
    "cross-entropy": ({"objective": "cross_entropy"}, X_DIABETES, SHARE, {}),
    "multiclass": ({"objective": "multiclass", "num_class": 3}, X_WINE, WINE.target, {}),
    "one-vs-all": ({"objective": "multiclassova", "num_class": 3, "sigmoid": 1.5}, X_WINE, WINE.target, {}),
    "regression": ({"objective": "regression"}, X_DIABETES, AMOUNT, {}),
    "l1": ({"objective": "regression_l1"}, X_DIABETES, AMOUNT, {}),
    "huber": ({"objective": "huber"}, X_DIABETES, AMOUNT, {}),
    "fair": ({"objective": "fair"}, X_DIABETES, AMOUNT, {}),
    "quantile": ({"objective": "quantile", "alpha": 0.3}, X_DIABETES, AMOUNT, {}),
    "mape": ({"objective": "mape"}, X_DIABETES, AMOUNT, {}),
    "poisson": ({"objective": "poisson"}, X_DIABETES, AMOUNT, {}),
    "gamma": ({"objective": "gamma"}, X_DIABETES, AMOUNT, {}),
    "tweedie": ({"objective": "tweedie"}, X_DIABETES, AMOUNT, {}),
    "lambdarank": ({"objective": "lambdarank"}, X_DIABETES, AMOUNT // 100, GROUPS),
    "xendcg": ({"objective": "rank_xendcg"}, X_DIABETES, AMOUNT // 100, GROUPS),
    "dart": ({"objective": "binary", "boosting": "dart"}, X_CANCER, CANCER.target, {}),
    "goss": ({"objective": "binary", "data_sample_strategy": "goss"}, X_CANCER, CANCER.target, {}),
    "forest": ({"objective": "binary"} | RANDOM_FOREST, X_CANCER, CANCER.target, {}),
    "forest-multiclass": (
        {"objective": "multiclass", "num_class": 3} | RANDOM_FOREST, X_WINE, WINE.target, {}
    ),
    "no-gaps": ({"objective": "regression"}, X_WHOLE, AMOUNT, {}),
    "zero-missing": ({"objective": "regression", "zero_as_missing": True}, X_CODED[:, 2:], CODED_LABEL, {}),
    "gaps-ignored": ({"objective": "regression", "use_missing": False}, X_CODED[:, 2:], CODED_LABEL, {}),
    "categories": ({"objective": "regression"}, X_CODED, CODED_LABEL, CODED),
    "one-hot": ({"objective": "regression", "max_cat_to_onehot": 99}, X_CODED, CODED_LABEL, CODED),
    "one-leaf": ({"objective": "regression", "min_data_in_leaf": 400}, X_DIABETES, AMOUNT, {}),
}


def train(parameters, x, y, more, rounds=12):
    settings = {"num_threads": 1, "seed": 0, "verbose": -1, "min_data_per_group": 5, "cat_smooth": 1}
    return lightgbm.train(settings | parameters, lightgbm.Dataset(x, y, **more), rounds)


def splits(booster):
    """The float32 numbers next to every threshold, which are seldom float32 numbers themselves."""
    frame = booster.trees_to_dataframe()
    frame = frame[frame.decision_type == "<="]
    features = [booster.feature_name().index(name) for name in frame.split_feature]
    with np.errstate(over="ignore"):
        nearest = frame.threshold.to_numpy().astype(np.float32)
    sides = [nearest, np.nextafter(nearest, np.float32(np.inf)), np.nextafter(nearest, -np.float32(np.inf))]
    found = [(feature, side[i]) for i, feature in enumerate(features) for side in sides]
    return [(feature, number) for feature, number in found if np.isfinite(number)]


def hard_rows(name, booster):
    rows = with_ties(np.vstack([MODELS[name][1]] * 3), splits(booster))
    rows[0], rows[1], rows[2] = np.nan, 0, 1e-36
    if MODELS[name][3] is CODED:
        # Unseen, beyond any set, fractions, negative.
        rows[3:11, 0] = [69.5, 70, 1000, 2.5, -1, -0.5, 1e30, np.nan]
        rows[11:15, 1] = [3, 40, 1.5, -2]
    return rows


@pytest.fixture(scope="module")
def boosters():
    return {name: train(*model) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def server(serve, write_definition, boosters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    definitions = []
    for name, booster in boosters.items():
        booster.save_model(folder / f"{name}.txt")
        definitions.append(plain(write_definition, name, folder / f"{name}.txt", booster.num_feature()))
    return serve(*definitions)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_equal_those_of_lightgbm(server, boosters, name):
    rows = hard_rows(name, boosters[name])
    # An exponential makes the rounding of a margin to float32 larger.
    bound = 5e-6 if name in ("poisson", "gamma", "tweedie") else 1e-6
    check_predictions(server, name, rows, boosters[name].predict(rows.astype(float)), bound)


@pytest.mark.parametrize("name", ["categories", "one-vs-all", "poisson", "forest"])
def test_attributions_equal_those_of_shap(serve, write_definition, tmp_path, name):
    parameters, x, y, more = MODELS[name]
    x = np.nan_to_num(x[:, :6], nan=1).astype(np.float32)
    y = y / 100 if name == "poisson" else y
    booster = train(parameters, x, y, more)
    booster.save_model(tmp_path / "model.txt")
    server = serve(explained(write_definition, f"shap-{name}", tmp_path / "model.txt", x[10:11]))
    check_attributions(server, f"shap-{name}", x[20:24], booster.predict, x[10:11])


@pytest.mark.parametrize(
    "parameters, told",
    [
        ({"objective": "regression", "linear_tree": True}, "tree 0: linear trees are not supported"),
        ({"objective": "regression", "reg_sqrt": True}, 'a parameter of the objective is "sqrt"'),
        ({"objective": "cross_entropy_lambda"}, 'objective "cross_entropy_lambda" is not supported'),
    ],
)
def test_models_whose_answers_are_computed_otherwise_are_refused(write_definition, tmp_path, parameters, told):
    booster = train(parameters, X_WHOLE, SHARE, {})
    booster.save_model(tmp_path / "model.txt")
    assert told in refusal(plain(write_definition, "refused", tmp_path / "model.txt", 10), {})
