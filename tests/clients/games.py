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


def text_game(scores, record, units, baselines):
    """The same where texts play by their units and what equals all baseline rows does not play. scores(rows) are floats.
    units: the (partial text, start) of each text, None for a column that is none."""
    pieces = [(column, cut is None) for column, cut in enumerate(units) for _ in ([None] if cut is None else cut)]
    plays = [not is_whole or any(row[c] != record[c] for row in baselines) for c, is_whole in pieces]
    coalitions = list(itertools.product([False, True], repeat=len(pieces)))
    rows = []
    for members in coalitions:
        # Nobody is the baseline itself, and not one replacement for each unit.
        is_nobody = not any(itertools.compress(members, plays))
        rows += [row if is_nobody else mixed(record, units, row, members) for row in baselines]
    found, n = list(map(Fraction, scores(rows))), len(baselines)
    means = [sum(found[start : start + n]) / n for start in range(0, len(found), n)]
    return dict(zip(coalitions, means, strict=True))


def mixed(record, units, baseline, members):
    """The row of a coalition."""
    present, row = iter(members), []
    for own, cut, other in zip(record, units, baseline, strict=True):
        if cut is None:
            row.append(own if next(present) else other)
        else:
            row.append(spliced(own, cut, other, [next(present) for _ in cut]))
    return row


def spliced(text, units, other, present):
    """The text with its absent units replaced in place. White space alone is a unit that ends where the next begins."""
    ends = [*(start for _, start in units), len(text)][1:]
    parts, at = [], 0
    for (unit, start), end, is_present in zip(units, ends, present, strict=True):
        end = start + len(unit) if unit else end
        parts += [text[at:start], text[start:end] if is_present else other]
        at = end
    return "".join(parts) + text[at:]


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
