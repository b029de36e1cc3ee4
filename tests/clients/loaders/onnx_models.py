"""Models of every kind that skl2onnx and onnxmltools write, each with rows to ask: ties, gaps, text that CSV quotes."""

import csv
import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxmltools
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools.convert.common.data_types import FloatTensorType as BoosterFloats
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from onnxruntime import InferenceSession
from skl2onnx import convert_sklearn, to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

N_FEATURES, N_ROWS = 8, 120


@dataclass
class Case:
    model: Any
    onnx: onnx.ModelProto
    rows: Any  # float32 [n_rows × n_features], or a DataFrame
    rtol: float = 0
    atol: float = 1e-6
    is_known: bool = True  # whether the library answers these rows as its export does

    def expected(self):
        """[n_rows × n_outputs] of onnxruntime; of two classes the second alone."""
        session = InferenceSession(self.onnx.SerializeToString(), providers=["CPUExecutionProvider"])
        names = [
            output.name
            for output in session.get_outputs()
            if output.type not in ("tensor(int64)", "tensor(string)")
        ]
        answers = [as_matrix(answer) for answer in session.run(names, feed(session, self.rows))]
        return one_of_two(np.hstack(answers), self.model)

    def own(self):
        return one_of_two(predictions(self.model, self.rows), self.model)


def feed(session, rows):
    if isinstance(rows, pd.DataFrame):
        return {name: rows[[name]].to_numpy() for name in rows}
    (only,) = session.get_inputs()
    return {only.name: rows.astype(np.float64 if only.type == "tensor(double)" else np.float32)}


def as_matrix(answer):
    if isinstance(answer, list):
        return np.array([list(row.values()) for row in answer])
    return np.asarray(answer).reshape(len(answer), -1)


def one_of_two(answers, model):
    is_binary = hasattr(model, "predict_proba") and answers.shape[1] == 2
    return answers[:, 1:] if is_binary else answers


def predictions(model, rows):
    answers = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)
    return np.asarray(answers).reshape(len(rows), -1)


def to_csv(rows):
    """Shortest float32 spelling, nothing for a gap, quotes where they are needed."""
    text = io.StringIO()
    cells = rows.itertuples(index=False) if isinstance(rows, pd.DataFrame) else rows
    spell = lambda cell: (
        "" if isinstance(cell, float | np.floating) and np.isnan(cell) else str(cell)
    )  # noqa: E731
    csv.writer(text, lineterminator="\n").writerows([spell(cell) for cell in row] for row in cells)
    return text.getvalue()


def thresholds(model):
    """(feature, threshold) of every split of an ONNX file."""
    for node in model.graph.node:
        values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if "nodes_modes" in values:
            lists = zip(values["nodes_modes"], values["nodes_featureids"], values["nodes_values"])
            yield from ((feature, threshold) for mode, feature, threshold in lists if mode != b"LEAF")


def with_ties(rows, model):
    """The rows, each with one cell set to the threshold of some split on its feature."""
    splits, rows = list(thresholds(model)), rows.copy()
    for i in range(len(rows) if splits else 0):
        feature, threshold = splits[i * len(splits) // len(rows)]
        rows[i, feature] = threshold
    return rows


def with_gaps(rows):
    return np.where(np.random.default_rng(5).random(rows.shape) < 0.2, np.float32("nan"), rows).astype(np.float32)


def data(load, n_features=N_FEATURES):
    bunch = load()
    return bunch.data[:, :n_features].astype(np.float32), bunch.target


CANCER, WINE, DIABETES = data(load_breast_cancer), data(load_wine), data(load_diabetes)
NO_ZIPMAP = {"options": {"zipmap": False}}
SMALL = {"n_estimators": 12, "max_depth": 3, "random_state": 0}
NETWORK = {"hidden_layer_sizes": (7, 5), "max_iter": 80, "random_state": 0}
BOOSTED = {"n_estimators": 12, "max_depth": 3, "verbose": -1}


def of_sklearn(model, xy, gaps=False, dtype=np.float32, **options):
    x, y = xy[0].astype(dtype), xy[1]
    x = with_gaps(x).astype(dtype) if gaps else x
    with warnings.catch_warnings(action="ignore"):
        model.fit(x, y)
        exported = to_onnx(model, x[:1], **options)
    is_known = not isinstance(model, Pipeline) or not isinstance(model[-1], LGBMClassifier)
    return case(model, exported, with_ties(x[:N_ROWS].astype(np.float32), exported), is_known=is_known)


def of_booster(convert, model, xy, **options):
    x, y = with_gaps(xy[0]), xy[1]
    model.fit(x, y)
    exported = convert(model, initial_types=[("input", BoosterFloats([None, x.shape[1]]))], **options)
    # LightGBM compares in float64, and has ways with gaps that its export has not.
    is_known = not isinstance(model, LGBMClassifier | LGBMRegressor)
    return case(model, exported, with_ties(x[:N_ROWS], exported), is_known=is_known)


def case(model, exported, rows, **settings):
    bounds = {} if hasattr(model, "predict_proba") else {"rtol": 1e-6, "atol": 1e-4}
    return Case(model, exported, rows, **bounds, **settings)


def xgb(model, xy):
    return of_booster(onnxmltools.convert_xgboost, model, xy)


def lgb(model, xy, **options):
    return of_booster(onnxmltools.convert_lightgbm, model, xy, **options)


def mixed_table():
    """Numbers with gaps beside text with quotes, commas and blanks, and beside integers that are codes."""
    rng, n = np.random.default_rng(3), 300
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n).astype(np.float32),
            "colour": rng.choice(["red", "green, dark", 'say "blue"', " white", "été"], n),
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.normal(3, 1, n)).astype(np.float32),
            "size": rng.choice(["s", "m", "l, or more"], n),
            "code": rng.integers(0, 4, n),
        }
    )
    signal = (table.age > 40).astype(int) + (table.colour == "red") + (table["size"] == "m") + (table.code == 2)
    return table, np.asarray(signal > 1).astype(int), np.minimum(np.asarray(signal), 2)


MIXED, MIXED_BINARY, MIXED_CLASSES = mixed_table()
TENSORS = {"O": StringTensorType, "f": FloatTensorType, "i": Int64TensorType}
UNSEEN = pd.DataFrame(
    {
        "age": np.float32([30, 50]),
        "colour": ["", "pink"],
        "income": np.float32([2, np.nan]),
        "size": ["m", "xl"],
        "code": [9, 1],
    }
)


def of_mixed(final, target, numbers, texts, codes, rows=MIXED[:N_ROWS]):
    steps = [
        ("numbers", numbers, ["age", "income"]),
        ("texts", texts, ["colour", "size"]),
        ("codes", codes, ["code"]),
    ]
    model = make_pipeline(ColumnTransformer(steps), final).fit(MIXED, target)
    kinds = [
        "i" if MIXED[name].dtype.kind == "i" else "f" if MIXED[name].dtype.kind == "f" else "O" for name in MIXED
    ]
    types = [(name, TENSORS[kind]([None, 1])) for name, kind in zip(MIXED, kinds)]
    exported = convert_sklearn(model, initial_types=types, target_opset={"": 18, "ai.onnx.ml": 3})
    return case(model, exported, rows)


def scaled():
    return make_pipeline(SimpleImputer(), StandardScaler())


def any_one_hot():
    return OneHotEncoder(handle_unknown="ignore")


def known_one_hot():
    return OneHotEncoder(drop="first")


def any_ordinal():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def register_boosters():
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for booster, alias, convert in [
        (LGBMClassifier, "Lgb", convert_lightgbm),
        (XGBClassifier, "Xgb", convert_xgboost),
    ]:
        update_registered_converter(
            booster, alias, calculate_linear_classifier_output_shapes, convert, options=options
        )


register_boosters()
ML3 = {"target_opset": {"": 18, "ai.onnx.ml": 3}}

SCALERS = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
    "maxabs": MaxAbsScaler,
    "l1": lambda: Normalizer("l1"),
    "l2": lambda: Normalizer("l2"),
    "max": lambda: Normalizer("max"),
    "pca": lambda: PCA(4),
}

CASES = {
    "logistic": lambda: of_sklearn(make_pipeline(StandardScaler(), LogisticRegression()), CANCER),
    "logistic-without-zipmap": lambda: of_sklearn(
        make_pipeline(StandardScaler(), LogisticRegression()), CANCER, **NO_ZIPMAP
    ),
    "logistic-zipmap-columns": lambda: of_sklearn(
        make_pipeline(StandardScaler(), LogisticRegression()), CANCER, options={"zipmap": "columns"}
    ),
    "logistic-double": lambda: of_sklearn(
        make_pipeline(StandardScaler(), LogisticRegression()), CANCER, dtype=np.float64, **NO_ZIPMAP
    ),
    "logistic-sgd": lambda: of_sklearn(make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")), CANCER),
    "logistic-wine": lambda: of_sklearn(make_pipeline(StandardScaler(), LogisticRegression()), WINE),
    "logistic-wine-double": lambda: of_sklearn(
        make_pipeline(StandardScaler(), LogisticRegression()), WINE, dtype=np.float64, **NO_ZIPMAP
    ),
    "logistic-text-labels": lambda: of_sklearn(
        make_pipeline(StandardScaler(), LogisticRegression()), (WINE[0], np.array(["a", "b", "c"])[WINE[1]])
    ),
    "logistic-onehot-numbers": lambda: of_sklearn(
        make_pipeline(any_one_hot(), LogisticRegression()), ((CANCER[0] * 0.2).round(), CANCER[1])
    ),
    **{
        f"logistic-{name}": lambda scaler=scaler: of_sklearn(
            make_pipeline(scaler(), LogisticRegression(max_iter=500)), CANCER
        )
        for name, scaler in SCALERS.items()
    },
    "linear": lambda: of_sklearn(LinearRegression(), DIABETES),
    "linear-double": lambda: of_sklearn(make_pipeline(MinMaxScaler(), Ridge()), DIABETES, dtype=np.float64),
    "ridge": lambda: of_sklearn(Ridge(), DIABETES),
    **{
        f"mlp-{activation}": lambda activation=activation: of_sklearn(
            make_pipeline(StandardScaler(), MLPClassifier(activation=activation, **NETWORK)), CANCER
        )
        for activation in ["relu", "tanh", "logistic"]
    },
    "mlp-wine": lambda: of_sklearn(make_pipeline(StandardScaler(), MLPClassifier(**NETWORK)), WINE, **NO_ZIPMAP),
    "mlp-regressor": lambda: of_sklearn(make_pipeline(StandardScaler(), MLPRegressor(**NETWORK)), DIABETES),
    "mlp-identity": lambda: of_sklearn(MLPRegressor(activation="identity", **NETWORK), DIABETES),
    "forest": lambda: of_sklearn(RandomForestClassifier(**SMALL), CANCER),
    "forest-double": lambda: of_sklearn(RandomForestClassifier(**SMALL), CANCER, dtype=np.float64),
    "forest-wine": lambda: of_sklearn(RandomForestClassifier(**SMALL), WINE),
    "forest-regressor": lambda: of_sklearn(RandomForestRegressor(**SMALL), DIABETES),
    "extra-trees": lambda: of_sklearn(ExtraTreesClassifier(**SMALL), CANCER),
    "extra-trees-wine": lambda: of_sklearn(ExtraTreesClassifier(**SMALL), WINE, **NO_ZIPMAP),
    "extra-trees-regressor": lambda: of_sklearn(ExtraTreesRegressor(**SMALL), DIABETES),
    "boosting": lambda: of_sklearn(GradientBoostingClassifier(**SMALL), CANCER),
    "boosting-wine": lambda: of_sklearn(GradientBoostingClassifier(**SMALL), WINE),
    "boosting-regressor": lambda: of_sklearn(GradientBoostingRegressor(**SMALL), DIABETES),
    "tree": lambda: of_sklearn(DecisionTreeClassifier(max_depth=4), CANCER),
    "tree-wine": lambda: of_sklearn(DecisionTreeClassifier(max_depth=4), WINE),
    "tree-regressor": lambda: of_sklearn(DecisionTreeRegressor(max_depth=4), DIABETES),
    "imputed-logistic": lambda: of_sklearn(make_pipeline(scaled(), LogisticRegression()), CANCER, gaps=True),
    "imputed-forest": lambda: of_sklearn(
        make_pipeline(SimpleImputer(), RandomForestClassifier(**SMALL)), CANCER, gaps=True
    ),
    "xgboost": lambda: xgb(XGBClassifier(n_estimators=12, max_depth=3), CANCER),
    "xgboost-wine": lambda: xgb(XGBClassifier(n_estimators=12, max_depth=3), WINE),
    "xgboost-regressor": lambda: xgb(XGBRegressor(n_estimators=12, max_depth=3), DIABETES),
    "xgboost-pipeline": lambda: of_sklearn(
        make_pipeline(SimpleImputer(), XGBClassifier(n_estimators=12, max_depth=3)), CANCER, gaps=True, **ML3
    ),
    "lightgbm": lambda: lgb(LGBMClassifier(**BOOSTED), CANCER),
    "lightgbm-without-zipmap": lambda: lgb(LGBMClassifier(**BOOSTED), CANCER, zipmap=False),
    "lightgbm-wine": lambda: lgb(LGBMClassifier(**BOOSTED), WINE),
    "lightgbm-one-against-all": lambda: lgb(LGBMClassifier(objective="multiclassova", **BOOSTED), WINE),
    "lightgbm-regressor": lambda: lgb(LGBMRegressor(**BOOSTED), DIABETES),
    "lightgbm-split": lambda: lgb(LGBMRegressor(**BOOSTED), DIABETES, split=5),
    "lightgbm-poisson": lambda: lgb(LGBMRegressor(objective="poisson", **BOOSTED), DIABETES),
    "lightgbm-pipeline": lambda: of_sklearn(
        make_pipeline(SimpleImputer(), LGBMClassifier(**BOOSTED)), CANCER, gaps=True, **ML3
    ),
    "mixed-logistic": lambda: of_mixed(LogisticRegression(), MIXED_BINARY, scaled(), any_one_hot(), any_one_hot()),
    "mixed-unseen": lambda: of_mixed(
        LogisticRegression(), MIXED_BINARY, scaled(), any_one_hot(), any_one_hot(), rows=UNSEEN
    ),
    "mixed-boosting": lambda: of_mixed(
        GradientBoostingClassifier(**SMALL), MIXED_BINARY, SimpleImputer(), known_one_hot(), OrdinalEncoder()
    ),
    "mixed-forest": lambda: of_mixed(
        RandomForestClassifier(**SMALL), MIXED_CLASSES, SimpleImputer(), any_ordinal(), "passthrough"
    ),
    "mixed-ordinal-unseen": lambda: of_mixed(
        RandomForestClassifier(**SMALL), MIXED_CLASSES, SimpleImputer(), any_ordinal(), any_ordinal(), rows=UNSEEN
    ),
    "mixed-lightgbm": lambda: of_mixed(
        LGBMClassifier(**BOOSTED), MIXED_BINARY, SimpleImputer(), any_one_hot(), any_one_hot()
    ),
    "mixed-mlp": lambda: of_mixed(MLPClassifier(**NETWORK), MIXED_CLASSES, scaled(), any_one_hot(), any_one_hot()),
}
