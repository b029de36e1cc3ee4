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


def text_game(scores, record, units, baseline):
    """The same where texts play by their units and what equals the baseline does not play. scores(rows) are floats.
    units: the (partial text, start) of each text, None for a column that is none."""
    n = sum(1 if cut is None else len(cut) for cut in units)
    coalitions = list(itertools.product([False, True], repeat=n))
    rows = [mixed(record, units, baseline, members) for members in coalitions]
    return dict(zip(coalitions, map(Fraction, scores(rows)), strict=True))


def mixed(record, units, baseline, members):
    """The row of a coalition. Nobody is the baseline itself, and not one replacement for each unit."""
    present, row, is_nobody = iter(members), [], True
    for own, cut, other in zip(record, units, baseline, strict=True):
        if cut is None:
            row.append(own if next(present) else other)
            is_nobody &= row[-1] == other
        else:
            of_units = [next(present) for _ in cut]
            row.append(spliced(own, cut, other, of_units))
            is_nobody &= not any(of_units)
    return baseline if is_nobody else row


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
