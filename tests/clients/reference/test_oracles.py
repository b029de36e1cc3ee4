"""The oracles themselves, without the binary: against worked examples and the shap package."""

from fractions import Fraction

import numpy as np
import oracles
import pytest
import shap

THREE_TOGETHER = {  # v(S) = 1 if S holds players 1, 2 and 3, else 0; kernel `clarify`
    4: ("7/20", "-1/20"),
    5: ("11/30", "-1/20"),
    6: ("49/128", "-19/384"),
    7: ("181/455", "-22/455"),
}


def three_together(n_players):
    return oracles.members(n_players)[:, :3].all(axis=1).astype(float)[:, None]


@pytest.mark.parametrize("n_players", THREE_TOGETHER)
def test_squared_weights_give_the_known_answers(n_players):
    member, other = (float(Fraction(text)) for text in THREE_TOGETHER[n_players])
    found = oracles.regression(three_together(n_players), n_players, 2)[:, 0]
    np.testing.assert_allclose(found, [member] * 3 + [other] * (n_players - 3), atol=1e-12)


@pytest.mark.parametrize("n_players", THREE_TOGETHER)
def test_shapley_weights_share_equally_and_give_the_rest_nothing(n_players):
    found = oracles.regression(three_together(n_players), n_players, 1)[:, 0]
    np.testing.assert_allclose(found, [1 / 3] * 3 + [0] * (n_players - 3), atol=1e-12)


@pytest.mark.parametrize("link", [oracles.identity, oracles.logit])
def test_shapley_weights_equal_the_shap_package(link):
    rng = np.random.default_rng(0)
    record, baseline = rng.normal(size=7), rng.normal(size=(5, 7))

    def predict(rows):
        return 1 / (1 + np.exp(-np.stack([rows[:, 0] * rows[:, 1], rows[:, 2:].prod(axis=1)], axis=1)))

    explainer = shap.KernelExplainer(predict, baseline, link=link.__name__)
    expected = explainer.shap_values(record, nsamples=2**7, l1_reg=False, silent=True)
    found = oracles.regression(oracles.values(predict, link, record, baseline), 7, 1)
    np.testing.assert_allclose(found, expected, atol=1e-10)
