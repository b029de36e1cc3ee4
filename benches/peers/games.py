"""Games whose Shapley values are known: models of real tables and of synthetic ones, and games by formula.

A game has players, all of them absent in the baseline and all present in the record, and several records. Exact values come
from all coalitions (up to 16 players), from interventional TreeSHAP on one baseline row, or from the game's formula."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import shap
import xgboost
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

N_RECORDS = 8
TREES = {"n_estimators": 100, "max_depth": 6, "random_state": 0, "n_jobs": 1}


@dataclass
class Game:
    name: str
    # Not among the games by which the estimator's constants were chosen.
    is_held_out: bool
    # Per record: [n_coalitions × n_players] of booleans -> [n_coalitions].
    values: list[Callable]
    # [n_records × n_players].
    exact: np.ndarray


def shapley(table, n_players):
    """Values of all coalitions, player 0 the lowest bit -> Shapley values by definition."""
    sizes = np.bitwise_count(np.arange(2**n_players))
    shares = np.array([1 / (n_players * binomial(n_players - 1, size)) for size in range(n_players)])
    phi = np.empty(n_players)
    for player in range(n_players):
        without = np.flatnonzero(np.arange(2**n_players) >> player & 1 == 0)
        phi[player] = shares[sizes[without]] @ (table[without | 1 << player] - table[without])
    return phi


def binomial(n, k):
    return float(np.prod([(n - i) / (i + 1) for i in range(k)]))


def listed(name, is_held_out, n_players, evaluators):
    """A game small enough to be asked for every coalition."""
    masks = np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1 == 1
    tables = [np.asarray(evaluate(masks), float) for evaluate in evaluators]
    powers = 1 << np.arange(n_players)
    values = [lambda z, table=table: table[z @ powers] for table in tables]
    return Game(name, is_held_out, values, np.array([shapley(table, n_players) for table in tables]))


def replacing(predict, records, baseline):
    """Absent features take the baseline's values."""
    return [lambda z, record=record: np.asarray(predict(np.where(z, record, baseline)), float) for record in records]


def trees(name, is_held_out, model, predict, records, baseline, output=None):
    """A tree ensemble on the scale where its trees add up."""
    explainer = shap.TreeExplainer(model, baseline[None, :], feature_perturbation="interventional")
    exact = explainer.shap_values(records, check_additivity=False)
    exact = exact if output is None else exact[..., output]
    return Game(name, is_held_out, replacing(predict, records, baseline), np.asarray(exact, float))


def margin(model):
    return lambda rows: model.get_booster().inplace_predict(rows, predict_type="margin")


def split(dataset, n_features=None, seed=0):
    """Rows to fit, their labels, and records to explain."""
    X, y = dataset.data.astype(np.float32), dataset.target
    X = X if n_features is None else X[:, :n_features]
    order = np.random.default_rng(seed).permutation(len(X))
    return X[order[N_RECORDS:]], y[order[N_RECORDS:]], X[order[:N_RECORDS]]


def boosted(name, X, y, records, kind=xgboost.XGBClassifier):
    model = kind(**TREES).fit(X, y)
    return trees(name, False, model, margin(model), records, X.mean(axis=0))


def breast_cancer_xgb():
    return boosted("bc-xgb", *split(datasets.load_breast_cancer()))


def friedman60_xgb():
    X, y = datasets.make_friedman1(2000, 60, noise=1.0, random_state=0)
    X = X.astype(np.float32)
    return boosted("friedman60-xgb", X[N_RECORDS:], y[N_RECORDS:], X[:N_RECORDS], xgboost.XGBRegressor)


def digits_xgb():
    X, y, records = split(datasets.load_digits())
    return boosted("digits-xgb", X, (y >= 5).astype(int), records)


def diabetes_xgb():
    X, y, records = split(datasets.load_diabetes())
    predict = margin(xgboost.XGBRegressor(**TREES).fit(X, y))
    return listed("diabetes-xgb", False, 10, replacing(predict, records, X.mean(axis=0)))


def wine_mlp():
    X, y, records = split(datasets.load_wine())
    model = make_pipeline(StandardScaler(), MLPClassifier((32, 16), max_iter=2000, random_state=0)).fit(X, y)
    return probability("wine-mlp", False, model, X, records)


def wine_svm():
    X, y, records = split(datasets.load_wine())
    model = make_pipeline(StandardScaler(), SVC(gamma=0.3, C=10.0)).fit(X, y == 1)
    return listed("wine-svm", False, 13, replacing(model.decision_function, records, X.mean(axis=0)))


def probability(name, is_held_out, model, X, records):
    """The probability of the class that the model gives each record."""
    classes = model.predict_proba(records).argmax(axis=1)
    evaluators = [
        replacing(lambda rows, own=own: model.predict_proba(rows)[:, own], record[None, :], X.mean(axis=0))[0]
        for record, own in zip(records, classes)
    ]
    return listed(name, is_held_out, X.shape[1], evaluators)


def breast_cancer_logistic():
    X, y, records = split(datasets.load_breast_cancer(), n_features=16)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=5000)).fit(X, y)
    return probability("bc-logistic", True, model, X, records)


def wine_xgb():
    X, y, records = split(datasets.load_wine())
    return probability("wine-xgb (probability)", True, xgboost.XGBClassifier(**TREES).fit(X, y), X, records)


def pixels():
    """The 16 pixels of the digits that vary most."""
    X, y, records = split(datasets.load_digits())
    chosen = np.argsort(X.var(axis=0))[-16:]
    return X[:, chosen], y, records[:, chosen]


def digits_mlp():
    X, y, records = pixels()
    model = make_pipeline(StandardScaler(), MLPClassifier((64, 32), max_iter=500, random_state=0)).fit(X, y)
    return probability("digits16-mlp", True, model, X, records)


def digits_neighbours():
    X, y, records = pixels()
    return probability("digits16-neighbours", True, KNeighborsClassifier(7, weights="distance").fit(X, y), X, records)


def breast_cancer_forest():
    X, y, records = split(datasets.load_breast_cancer())
    model = RandomForestClassifier(100, random_state=0, n_jobs=1).fit(X, y)
    predict = lambda rows: model.predict_proba(rows.astype(np.float32))[:, 1]  # noqa: E731
    return trees("bc-forest (probability)", True, model, predict, records, X.mean(axis=0), output=1)


def friedman_process():
    X, y = datasets.make_friedman1(300, 14, noise=0.5, random_state=1)
    kernel = RBF(np.full(14, 1.0)) + WhiteKernel()
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(X[N_RECORDS:], y[N_RECORDS:])
    return listed("friedman14-process", True, 14, replacing(model.predict, X[:N_RECORDS], X.mean(axis=0)))


def unanimity():
    """120 sets of one to six players; each pays its amount where all its members are present."""
    n_players, values, exact = 40, [], []
    for rng in map(np.random.default_rng, range(N_RECORDS)):
        sets = np.zeros((120, n_players))
        for row in sets:
            row[rng.choice(n_players, rng.integers(1, 7), replace=False)] = 1
        sizes, amounts = sets.sum(axis=1), rng.normal(size=120)
        values.append(lambda z, sets=sets, sizes=sizes, amounts=amounts: (z @ sets.T == sizes) @ amounts)
        exact.append((amounts / sizes) @ sets)
    return Game("unanimity of 40", True, values, np.array(exact))


def voting():
    """A coalition with more than half of all votes wins."""
    n_players, values, exact = 30, [], []
    for rng in map(np.random.default_rng, range(N_RECORDS)):
        votes = rng.integers(1, 30, n_players)
        quota = votes.sum() // 2 + 1
        values.append(lambda z, votes=votes, quota=quota: (z @ votes >= quota).astype(float))
        exact.append([pivots(np.delete(votes, player), votes[player], quota) for player in range(n_players)])
    return Game("voting of 30", True, values, np.array(exact))


def pivots(others, own, quota):
    """Shapley value of a voter: coalitions of the others counted by size and votes."""
    counts = np.zeros((len(others) + 1, quota))
    counts[0, 0] = 1
    for votes in others:
        counts[1:, votes:] += counts[:-1, : quota - votes].copy()
    n_players = len(others) + 1
    shares = [1 / (n_players * binomial(n_players - 1, size)) for size in range(n_players)]
    return shares @ counts[:, max(0, quota - own) :].sum(axis=1)


def airport():
    """A coalition pays for the longest runway that a member needs (Littlechild & Owen 1973)."""
    n_players, values, exact = 50, [], []
    for rng in map(np.random.default_rng, range(N_RECORDS)):
        costs = rng.lognormal(sigma=1.0, size=n_players)
        values.append(lambda z, costs=costs: (z * costs).max(axis=1))
        order = np.argsort(costs)
        steps = np.diff(costs[order], prepend=0) / np.arange(n_players, 0, -1)
        phi = np.empty(n_players)
        phi[order] = list(accumulate(steps))
        exact.append(phi)
    return Game("airport of 50", True, values, np.array(exact))


def noisy(name, noise):
    """Weights of norm 1, and for each coalition an error of its own."""
    evaluators = []
    for rng in map(np.random.default_rng, range(N_RECORDS)):
        weights, errors = rng.normal(size=14), noise * rng.normal(size=2**14)
        weights /= np.linalg.norm(weights)
        evaluators.append(lambda z, weights=weights, errors=errors: z @ weights + errors)
    return listed(name, True, 14, evaluators)


def little_noise():
    return noisy("additive with noise 0.1, 14", 0.1)


def much_noise():
    return noisy("additive with noise 3, 14", 3.0)


ALL = [
    breast_cancer_xgb,
    friedman60_xgb,
    wine_mlp,
    wine_svm,
    diabetes_xgb,
    digits_xgb,
    breast_cancer_logistic,
    wine_xgb,
    digits_mlp,
    digits_neighbours,
    breast_cancer_forest,
    friedman_process,
    unanimity,
    voting,
    airport,
    little_noise,
    much_noise,
]
