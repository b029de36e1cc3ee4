"""Models that the benchmarks explain, with rows: XGBoost's JSON, or the layers of a linear model and of a perceptron, all
with pinned versions and seeds. Argument: the folder. Rows are CSV: the mean of all rows, 100 baseline rows, then records."""

import json
import sys
from pathlib import Path

import numpy as np
import xgboost
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

N_BASELINE_ROWS = 100
N_RECORDS_MAX = 4096


def boosted(kind, n_trees, max_depth, X, y):
    model = kind(n_estimators=n_trees, max_depth=max_depth, random_state=0, n_jobs=1).fit(X, y)
    return lambda path: model.get_booster().save_model(path)


def layered(model, X, y):
    """Standard scores go into the first layer's weights, so that inputs are the features themselves."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    model.fit((X - mean) / scale, y)
    is_deep = hasattr(model, "coefs_")
    weights = [w.T for w in model.coefs_] if is_deep else [model.coef_]
    biases = model.intercepts_ if is_deep else [model.intercept_]
    weights[0], biases[0] = weights[0] / scale, biases[0] - weights[0] @ (mean / scale)
    layers = [{"weights": w.tolist(), "biases": b.tolist()} for w, b in zip(weights, biases)]
    return lambda path: path.write_text(json.dumps(layers))


def shuffled(X, y):
    order = np.random.default_rng(0).permutation(len(X))
    return X[order].astype(np.float32), y[order]


def write(folder, name, X, save):
    save(folder / f"{name}.json")
    records = np.resize(X, (N_RECORDS_MAX, X.shape[1]))
    rows = np.vstack([X.mean(axis=0, dtype=np.float64).astype(np.float32), X[:N_BASELINE_ROWS], records])
    (folder / f"{name}.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
classifier, regressor = xgboost.XGBClassifier, xgboost.XGBRegressor

X, y = shuffled(*datasets.load_breast_cancer(return_X_y=True))
write(folder, "breast-cancer", X, boosted(classifier, 100, 6, X, y))
write(folder, "linear", X, layered(LogisticRegression(max_iter=5000), X, y))
write(folder, "mlp", X, layered(MLPClassifier((64, 32), max_iter=1000, random_state=0), X, y))
X, y = shuffled(*datasets.load_wine(return_X_y=True))
write(folder, "wine", X, boosted(classifier, 100, 6, X, y))
X, y = shuffled(*datasets.make_friedman1(5000, 30, noise=1.0, random_state=0))
write(folder, "friedman-100x6", X, boosted(regressor, 100, 6, X, y))
write(folder, "friedman-500x8", X, boosted(regressor, 500, 8, X, y))
X, y = shuffled(*datasets.make_friedman1(5000, 128, noise=1.0, random_state=0))
write(folder, "friedman128-100x6", X, boosted(regressor, 100, 6, X, y))
