"""Makes the XGBoost fixtures in this folder, with the installed xgboost; run once per family:

    xgboost==1.7.6      numpy==1.26.4 scipy==1.11.4   writes 1.7-*
    xgboost-cpu==3.2.0  numpy==2.4.6  scipy==1.17.1   writes 3.2-*   (CPython 3.11)

NAME.model.json    as save_model wrote it; nothing else where its margins are not finite
NAME.model.ubj     the same
NAME.rows.csv      cells exactly as a client sends them: gaps spelled both ways, ties with every split
NAME.margins.csv   xgboost's own margins of these rows, shortest float32 spelling, one line per row
NAME.scores.csv    its predictions in the same form; multi:softmax as the probabilities of multi:softprob
"""

import json
from pathlib import Path

import numpy as np
import xgboost
from xgboost import DMatrix

HERE = Path(__file__).parent
FAMILY = ".".join(xgboost.__version__.split(".")[:2])
N_TRAIN, N_FEATURES, N_ROWS = 400, 5, 40

rng = np.random.default_rng(7)
x = rng.normal(size=(N_TRAIN, N_FEATURES)).astype(np.float32)
x_gaps = np.where(rng.random(x.shape) < 0.25, np.float32("nan"), x)
x_coded = np.column_stack([rng.integers(0, 6, N_TRAIN), x[:, 1:]]).astype(np.float32)
signal = x[:, 0] + x[:, 1] * x[:, 2] - 0.5 * x[:, 3]
positive, amount, third = signal > 0.3, 40 + 9 * signal, np.digitize(signal, [-0.6, 0.6])
CODED = {"feature_types": ["c", "q", "q", "q", "q"], "enable_categorical": True}

binary = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.4}
regression = {"objective": "reg:squarederror", "max_depth": 3, "eta": 0.4}
softprob = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "eta": 0.4}
forest = {"num_parallel_tree": 4, "subsample": 0.6, "colsample_bynode": 0.6, "seed": 1}

# name: parameters, training features, labels, boosting rounds, more of the training matrix
FIXTURES = {
    "binary": (binary, x, positive, 6, {}),
    "binary-base-score": (binary | {"base_score": 0.2}, x, positive, 4, {}),
    "regression": (regression, x, amount, 6, {}),
    "softprob": (softprob, x, third, 5, {}),
    "softmax": (softprob | {"objective": "multi:softmax", "base_score": 0.7}, x, third, 5, {}),
    "forest": (binary | forest, x, positive, 3, {}),
    "forest-softprob": (softprob | forest, x, third, 2, {}),
    "missing": (binary, x_gaps, positive, 6, {}),
    # Pruning leaves deleted nodes behind: no parent links to them, split_indices is 2147483647.
    "pruned": (binary | {"tree_method": "exact", "gamma": 6, "max_depth": 4}, x_gaps, positive, 4, {}),
    # Sums of weights beyond float32: a good model whose sum_hessian is the token Infinity.
    "infinity": (regression | {"base_score": 0.5}, x, amount, 2, {"weight": np.full(N_TRAIN, 1e37)}),
    "poisson": (regression | {"objective": "count:poisson"}, x, np.abs(amount), 4, {}),
    "raw": (binary | {"objective": "binary:logitraw", "base_score": 0.2}, x, positive, 4, {}),
    "targets": (regression, x, np.column_stack([amount, -signal, x[:, 0]]), 3, {}),
    # To be refused: leaves that are not finite.
    "diverged": (regression | {"eta": 1e9}, x, amount, 6, {}),
    "categorical": (binary | {"tree_method": "hist"}, x_coded, x_coded[:, 0] % 2 > 0, 2, CODED),
    "dart": (binary | {"booster": "dart", "rate_drop": 0.5, "seed": 1}, x, positive, 4, {}),
    "gblinear": ({"objective": "binary:logistic", "booster": "gblinear"}, x, positive, 4, {}),
    "gblinear-softprob": (softprob | {"booster": "gblinear"}, x, third, 4, {}),
    "dart-softprob": (softprob | {"booster": "dart", "rate_drop": 0.5, "seed": 1}, x_gaps, third, 3, {}),
}
if FAMILY != "1.7":
    FIXTURES["vector-leaf"] = (softprob | {"multi_strategy": "multi_output_tree"}, x, third, 3, {})


def ties(path):
    """The (feature, threshold) of every split on a number, as spelled in the model's file."""
    booster = json.loads(path.read_text())["learner"]["gradient_booster"]
    trees = booster.get("gbtree", booster)["model"].get("trees", [])
    found = {
        (feature, str(np.float32(threshold)))
        for tree in trees
        for feature, threshold, child, kind in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], tree["split_type"]
        )
        if child >= 0 and kind == 0
    }
    return sorted(found)


def rows(name, features, path):
    """[N_ROWS × N_FEATURES] cells: three odd rows, then training rows with gaps and ties."""
    cells = [[str(value) for value in row] for row in features[:N_ROWS]]
    cells = [["" if cell == "nan" else cell for cell in row] for row in cells]
    for i in range(0, N_ROWS, 3):
        cells[i][i % N_FEATURES] = ("", "nan")[i % 2]
    for i, (feature, threshold) in enumerate(ties(path)):
        cells[3 + i % (N_ROWS - 3)][feature] = threshold
    cells[0] = [""] * N_FEATURES
    cells[1] = ["nan"] * N_FEATURES
    if name != "categorical":
        cells[2] = ["0", "-0.0", "1e30", "-3.4028235e38", "1e-45"]
    return cells


def write(name, parameters, features, labels, rounds, more):
    model = xgboost.train(
        {"nthread": 1, **parameters}, DMatrix(features, labels, **more), num_boost_round=rounds
    )
    path = HERE / f"{FAMILY}-{name}.model.json"
    model.save_model(path)
    cells = rows(name, features, path)
    typed = {key: more[key] for key in more if key != "weight"}
    values = np.array([[np.float32(cell or "nan") for cell in row] for row in cells])
    matrix = DMatrix(values, **typed)
    margins = model.predict(matrix, output_margin=True)
    if not np.isfinite(margins).all():
        return
    model.save_model(path.with_suffix(".ubj"))
    if parameters["objective"] == "multi:softmax":
        model.set_param({"objective": "multi:softprob"})
    scores = model.predict(matrix)
    write_csv(name, "rows", cells)
    write_csv(name, "margins", margins.reshape(N_ROWS, -1))
    write_csv(name, "scores", scores.reshape(N_ROWS, -1))


def write_csv(name, what, table):
    lines = "".join(",".join(map(str, row)) + "\n" for row in table)
    (HERE / f"{FAMILY}-{name}.{what}.csv").write_text(lines)


for name, fixture in FIXTURES.items():
    write(name, *fixture)
