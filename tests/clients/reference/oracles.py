"""Slow answers in float64: a model's margins, the value of every coalition, and regressions over all.

Shapes: rows [n_rows × n_features], margins and values [.. × n_classes].
"""

import json
from math import comb

import numpy as np
from xgboost import DMatrix


def margins(booster, rows):
    """XGBoost's own way through every tree, the leaves it ends in added up in float64."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    model = learner["gradient_booster"]["model"]
    base = np.array(json.loads(learner["learner_model_param"]["base_score"]))
    if learner["objective"]["name"] == "binary:logistic":
        base = np.log(base / (1 - base))
    ends = booster.predict(DMatrix(rows), pred_leaf=True).astype(int).reshape(len(rows), -1)
    total = np.tile(base, (len(rows), 1))
    for tree, class_idx, leaf in zip(model["trees"], model["tree_info"], ends.T):
        total[:, class_idx] += np.array(tree["split_conditions"])[leaf]
    return total


def scores(booster, rows):
    """Probabilities in float64: of class 1 for one margin, of each class for several."""
    m = margins(booster, rows)
    if m.shape[1] == 1:
        return 1 / (1 + np.exp(-m))
    e = np.exp(m - m.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def identity(p):
    return p


def logit(p):
    return np.log(p / (1 - p))


def members(n_players):
    """[2^n_players × n_players]: nobody first, everybody last."""
    return (np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1).astype(bool)


def values(predict, link, record, baseline):
    """The linked mean score of every coalition: its members from the record, the rest from the baseline."""
    coalitions = members(len(record))
    rows = np.where(coalitions[:, None, :], record, baseline)
    answers = predict(rows.reshape(-1, len(record)))
    return link(answers.reshape(len(coalitions), len(baseline), -1).mean(axis=1))


def regression(values, n_players, kernel_power):
    """[n_players × n_classes] least squares over all coalitions, weights k(size)^kernel_power, exact sum.

    Power 1 is the Shapley kernel of Lundberg and Lee (2017); power 2 is kernel `clarify`.
    """
    z = members(n_players)[1:-1].astype(float)
    size = z.sum(axis=1).astype(int)
    k = np.array([(n_players - 1) / (comb(n_players, s) * s * (n_players - s)) for s in size])
    root = np.sqrt(k**kernel_power)[:, None]
    total = values[-1] - values[0]
    last = z[:, -1:]
    y = values[1:-1] - values[0] - last * total
    attributions = np.linalg.lstsq(root * (z[:, :-1] - last), root * y)[0]
    return np.vstack([attributions, total - attributions.sum(axis=0)])
