"""Serves games with known Shapley values over standard input and output, a JSON document a line, and says how far other
packages are from these values. For each game: what it is; then values for each line of coalitions; then, asked with the
budgets, the packages' errors, after which the next game follows."""

import json
import os
import sys
from importlib.metadata import version

os.environ["OMP_NUM_THREADS"] = "1"
# What packages print is not for the reader of the lines.
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
import shap  # noqa: E402
import shapiq  # noqa: E402
from games import ALL  # noqa: E402

N_SEEDS = 2


def tell(document):
    print(json.dumps(document), file=out, flush=True)


def kernel_explainer(value, n_players, budget, seed):
    np.random.seed(seed)
    explainer = shap.KernelExplainer(lambda z: value(z > 0.5), np.zeros((1, n_players)))
    return explainer.shap_values(np.ones((1, n_players)), nsamples=budget, l1_reg=False, silent=True)[0]


def permutation_explainer(value, n_players, budget, seed):
    masker = shap.maskers.Independent(np.zeros((1, n_players)))
    explainer = shap.PermutationExplainer(lambda z: value(z > 0.5), masker, seed=seed)
    return explainer(np.ones((1, n_players)), max_evals=max(budget, 2 * n_players + 1), silent=True).values[0]


def paired(sampling_weights=None):
    def estimate(value, n_players, budget, seed):
        weights = None if sampling_weights is None else sampling_weights(n_players)
        estimator = shapiq.KernelSHAP(n_players, pairing_trick=True, sampling_weights=weights, random_state=seed)
        nobody = value(np.zeros((1, n_players), bool))[0]
        game = lambda z: value(np.asarray(z, bool)) - nobody  # noqa: E731
        # The budget of this package counts nobody and everybody.
        return estimator.approximate(budget + 2, game).get_n_order_values(1)

    return estimate


PEERS = {
    "shap.KernelExplainer": kernel_explainer,
    "shap.PermutationExplainer": permutation_explainer,
    "shapiq.KernelSHAP, paired": paired(),
    "shapiq.KernelSHAP, paired, sizes alike": paired(lambda n_players: np.ones(n_players + 1)),
}


def errors(estimate, game, budget, seed):
    """Distance to the exact values as a share of their norm, mean over the records."""
    n_players = game.exact.shape[1]
    found = [estimate(value, n_players, budget, seed) for value in game.values]
    return np.mean(np.linalg.norm(found - game.exact, axis=1) / np.linalg.norm(game.exact, axis=1))


def serve(game):
    n_players = game.exact.shape[1]
    ends = np.array([[False] * n_players, [True] * n_players])
    deltas = [float(np.subtract(*value(ends)[::-1])) for value in game.values]
    # Models answer in float32.
    np.testing.assert_allclose(game.exact.sum(axis=1), deltas, rtol=1e-4, atol=1e-5 * np.abs(game.exact).max())
    tell({"game": game.name, "is_held_out": game.is_held_out, "deltas": deltas, "exact": game.exact.tolist()})
    for request in map(json.loads, sys.stdin):
        if "coalitions" in request:
            present = np.array([list(members) for members in request["coalitions"]]) == "1"
            tell({"values": [np.asarray(value(present), float).tolist() for value in game.values]})
        else:
            budgets = request["budgets"]
            tell({
                name: [[errors(estimate, game, budget, seed) for seed in range(N_SEEDS)] for budget in budgets]
                for name, estimate in PEERS.items()
            })
            return


tell({"versions": {name: version(name) for name in ["shap", "shapiq", "scikit-learn", "xgboost-cpu"]}})
for make in ALL:
    serve(make())
