"""Games by their definition, in exact arithmetic: v(S) of every coalition, and the Shapley values."""

import itertools
from fractions import Fraction
from math import factorial


def game(score, record, baselines):
    """v(S) of every coalition: the mean score over the baseline rows, exactly."""
    values = {}
    for members in itertools.product([False, True], repeat=len(record)):
        rows = [[own if m else other for m, own, other in zip(members, record, row)] for row in baselines]
        values[members] = sum(Fraction(score(row)) for row in rows) / len(rows)
    return values


def shapley(values, n):
    """Mean marginal contributions (Shapley 1953)."""
    attributions = [Fraction(0)] * n
    for members, value in values.items():
        size = sum(members)
        for player in range(n):
            # Of all orders, those in which these members come first and the player is the last of them, or next.
            before = size - 1 if members[player] else size
            share = Fraction(factorial(before) * factorial(n - 1 - before), factorial(n))
            attributions[player] += value * (share if members[player] else -share)
    return attributions
