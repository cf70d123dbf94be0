"""Do two or more reviewers agree? Raw agreement and the coefficients that allow for chance, with limits.

Ratings are items x raters: one row per record, one column per reviewer, None (or NaN) where there is none. Items with
fewer than two ratings say nothing about agreement; they count only towards how common each answer is (Fleiss, AC1).

When nearly every answer is the same, kappa can be near 0 although reviewers hardly ever differ; AC1 is not
misled by that. Print raw agreement beside any of them.

Sources: Cohen (1960), Educational and Psychological Measurement 20; Fleiss, Cohen and Everitt (1969), Psychological
Bulletin 72; Fleiss (1971), Psychological Bulletin 76; Conger (1980), Psychological Bulletin 88; Gwet (2008), British
Journal of Mathematical and Statistical Psychology 61; Krippendorff (2018), Content Analysis, chapter 12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from disprop.audit.sizes import normal_quantile
from disprop.errors import UsageError
from disprop.intervals import proportion_interval

Array = np.ndarray

LEVELS = ("nominal", "ordinal", "interval", "ratio")


class Agreement(NamedTuple):
    """A coefficient, its standard error and limits (cut to -1 and 1), and how many items had two ratings or more."""

    coefficient: str
    estimate: float
    standard_error: float
    low: float
    high: float
    items: int


class _Counts(NamedTuple):
    """Ratings per item and answer (items x answers), and the answers in order."""

    table: Array
    answers: list[Any]


def raw_agreement(ratings: Any, *, confidence: float = 0.95) -> Agreement:
    """Share of items on which all raters gave the same answer; Wilson limits. Incomplete items are left out.

    >>> raw_agreement([["yes", "yes"], ["no", "yes"], ["no", "no"], ["yes", "yes"]]).estimate
    0.75
    """
    complete = _complete(_grid(ratings))
    same = sum(len(set(row)) == 1 for row in complete)
    limits = proportion_interval(events=same, trials=len(complete), confidence=confidence)
    share = same / len(complete) if complete else math.nan
    error = math.sqrt(share * (1 - share) / len(complete)) if complete else math.nan
    return Agreement("raw agreement", share, error, limits.low, limits.high, len(complete))


def cohen_kappa(ratings: Any, *, weights: str = "none", confidence: float = 0.95) -> Agreement:
    """Cohen's kappa of two raters; of more raters, Conger's generalisation (without limits). Complete items only.

    (observed - expected) / (1 - expected), each rater keeping their own rates. `weights` are "none", "linear" or
    "squared" over answers in sorted order. Standard error of Fleiss, Cohen and Everitt (1969), normal limits.
    nan when every rating is the same answer.

    Raises: UsageError for unknown weights, or weights with more than two raters.
    """
    if weights not in ("none", "linear", "squared"):
        raise UsageError(f"weights came as {weights!r}; the choices are none, linear, squared")
    complete = _complete(_grid(ratings))
    if complete and len(complete[0]) > 2:
        return _conger(complete, weights)
    table = _cross_table(complete)
    gaps = np.abs(np.subtract.outer(np.arange(len(table)), np.arange(len(table))))
    farthest = max(len(table) - 1, 1)
    credit = {"none": gaps == 0, "linear": 1 - gaps / farthest, "squared": 1 - (gaps / farthest) ** 2}[weights]
    return _kappa(table, np.asarray(credit, float), confidence)


def fleiss_kappa(ratings: Any, *, confidence: float = 0.95) -> Agreement:
    """Fleiss' kappa, the raters sharing one set of rates; t limits over items (Gwet's linearised error)."""
    counts = _count(_grid(ratings))
    share = _pi(counts.table)
    expected = float((share**2).sum())
    return _from_items("Fleiss kappa", counts.table, expected, counts.table @ share, confidence)


def gwet_ac1(ratings: Any, *, confidence: float = 0.95) -> Agreement:
    """Gwet's AC1: chance agreement is sum of pi (1 - pi) / (answers - 1); t limits over items.

    One answer only: agreement is complete, and AC1 is 1.
    """
    counts = _count(_grid(ratings))
    share, answers = _pi(counts.table), len(counts.answers)
    if answers < 2:
        return Agreement("Gwet AC1", 1.0 if answers else math.nan, math.nan, math.nan, math.nan, _paired(counts.table))
    expected = float((share * (1 - share)).sum() / (answers - 1))
    return _from_items("Gwet AC1", counts.table, expected, counts.table @ (1 - share) / (answers - 1), confidence)


def krippendorff_alpha(ratings: Any, *, level: str = "nominal", confidence: float = 0.95) -> Agreement:
    """Krippendorff's alpha, 1 - observed / expected disagreement, over items with two ratings or more.

    `level` says what a difference is: "nominal" (any), "ordinal" (ranks), "interval" (squared), "ratio" (squared,
    relative to the sum); the last two need numbers. t limits over items (Gwet's linearised error). nan when every
    rating is the same answer.

    Raises: UsageError for an unknown level.
    """
    if level not in LEVELS:
        raise UsageError(f"level came as {level!r}; the choices are {', '.join(LEVELS)}")
    grid = [row for row in _grid(ratings) if sum(not _blank(value) for value in row) > 1]
    counts = _count(grid)
    table = counts.table
    gaps = _squared_gaps(counts, level)
    if not len(table) or not gaps.max(initial=0.0):
        return Agreement("Krippendorff alpha", math.nan, math.nan, math.nan, math.nan, len(table))
    return _alpha(table, 1 - gaps / gaps.max(), confidence)


def agreement(ratings: Any, *, confidence: float = 0.95) -> list[Agreement]:
    """Every coefficient, raw agreement first."""
    functions = (raw_agreement, cohen_kappa, fleiss_kappa, gwet_ac1, krippendorff_alpha)
    return [function(ratings, confidence=confidence) for function in functions]


def _grid(ratings: Any) -> list[list[Any]]:
    rows = [list(row) for row in (ratings.to_numpy() if hasattr(ratings, "to_numpy") else ratings)]
    if any(len(row) != len(rows[0]) for row in rows):
        raise UsageError("every item needs one place per rater; some rows are longer than others")
    return rows


def _blank(value: Any) -> bool:
    return value is None or value == "" or value != value


def _complete(grid: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(row) for row in grid if not any(_blank(value) for value in row)]


def _answers(grid: Sequence[Sequence[Any]]) -> list[Any]:
    return sorted({value for row in grid for value in row if not _blank(value)})


def _count(grid: Sequence[Sequence[Any]]) -> _Counts:
    answers = _answers(grid)
    table = np.array([[sum(value == answer for value in row) for answer in answers] for row in grid], float)
    table = table.reshape(len(grid), len(answers))
    return _Counts(table[table.sum(axis=1) > 0], answers)


def _cross_table(complete: Sequence[Sequence[Any]]) -> Array:
    answers = _answers(complete)
    table = np.zeros((len(answers), len(answers)))
    for first, second in complete:
        table[answers.index(first), answers.index(second)] += 1
    return table


def _kappa(table: Array, credit: Array, confidence: float) -> Agreement:
    items = int(table.sum())
    if not items or len(table) < 2:
        return Agreement("Cohen kappa", math.nan, math.nan, math.nan, math.nan, items)
    share = table / items
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, expected = float((credit * share).sum()), float(rows @ credit @ columns)
    kappa = (observed - expected) / (1 - expected)
    middle = (credit @ columns)[:, None] + (rows @ credit)[None, :]
    spread = (share * (credit - middle * (1 - kappa)) ** 2).sum() - (kappa - expected * (1 - kappa)) ** 2
    error = math.sqrt(max(float(spread), 0.0) / items) / (1 - expected)
    return _with_limits("Cohen kappa", kappa, error, normal_quantile(confidence), items)


def _conger(complete: Sequence[Sequence[Any]], weights: str) -> Agreement:
    if weights != "none":
        raise UsageError("weights are for two raters; with more give weights='none'")
    table = _count(complete).table
    raters = len(complete[0])
    answers = _answers(complete)
    rates = np.array(
        [[np.mean([row[rater] == answer for row in complete]) for answer in answers] for rater in range(raters)]
    )
    expected = float((rates.mean(axis=0) ** 2).sum() - rates.var(axis=0, ddof=1).sum() / raters)
    observed = float(_pair_shares(table).mean())
    return Agreement("Cohen kappa", (observed - expected) / (1 - expected), math.nan, math.nan, math.nan, len(complete))


def _pair_shares(table: Array) -> Array:
    """For each item, the share of pairs of its ratings that agree; 0 with fewer than two ratings."""
    ratings = table.sum(axis=1)
    pairs = np.maximum(ratings * (ratings - 1), 1)
    return (table * (table - 1)).sum(axis=1) / pairs


def _pi(table: Array) -> Array:
    return (table / table.sum(axis=1, keepdims=True)).sum(axis=0) / max(len(table), 1)


def _paired(table: Array) -> int:
    return int((table.sum(axis=1) > 1).sum())


def _from_items(name: str, table: Array, expected: float, chance: Array, confidence: float) -> Agreement:
    """Coefficient and linearised error from each item's own agreement and chance agreement (Gwet 2008)."""
    items, paired = len(table), _paired(table)
    if not paired or expected >= 1:
        return Agreement(name, math.nan, math.nan, math.nan, math.nan, paired)
    ratings = table.sum(axis=1)
    agree = _pair_shares(table)
    estimate = (agree.sum() / paired - expected) / (1 - expected)
    own = items / paired * (agree - expected * (ratings > 1)) / (1 - expected)
    linear = own - 2 * (1 - estimate) * (chance / ratings - expected) / (1 - expected)
    error = _error_over_items(linear, estimate)
    return _with_limits(name, float(estimate), error, _t(items, confidence), paired)


def _alpha(table: Array, credit: Array, confidence: float) -> Agreement:
    items, ratings = len(table), table.sum(axis=1)
    typical = ratings.mean()
    small = 1 / ratings.sum()
    own = (table * (table @ credit - 1)).sum(axis=1) / (typical * (ratings - 1))
    observed = own.mean()
    share = table.mean(axis=0) / typical
    expected = float(share @ credit @ share)
    corrected = (1 - small) * observed + small
    estimate = (corrected - expected) / (1 - expected)
    # the error is that of the coefficient before its small-sample term, slightly on the wide side (as irrCAC 1.0's)
    plain = (observed - expected) / (1 - expected)
    uneven = (ratings - typical) / typical
    own = (own - corrected * uneven - expected) / (1 - expected)
    chance = table @ (credit @ share) / typical - expected * uneven
    linear = own - 2 * (1 - plain) * (chance - expected) / (1 - expected)
    error = _error_over_items(linear, plain)
    return _with_limits("Krippendorff alpha", float(estimate), error, _t(items, confidence), items)


def _squared_gaps(counts: _Counts, level: str) -> Array:
    answers = counts.answers
    if level == "nominal":
        return 1.0 - np.eye(len(answers))
    if level == "ordinal":
        total = counts.table.sum(axis=0)
        middle = np.cumsum(total) - total / 2
        return np.subtract.outer(middle, middle) ** 2
    values = np.array(answers, float)
    gaps = np.subtract.outer(values, values) ** 2
    if level == "interval":
        return gaps
    sums = np.add.outer(values, values) ** 2
    return np.divide(gaps, sums, out=np.zeros_like(gaps), where=sums > 0)


def _error_over_items(linear: Array, estimate: float) -> float:
    items = len(linear)
    if items < 2:
        return math.nan
    return math.sqrt(float(((linear - estimate) ** 2).sum()) / (items * (items - 1)))


def _t(items: int, confidence: float) -> float:
    return float(stdtrit(items - 1, 0.5 + confidence / 2)) if items > 1 else math.nan


def _with_limits(name: str, estimate: float, error: float, quantile: float, items: int) -> Agreement:
    half = quantile * error
    return Agreement(name, estimate, error, max(estimate - half, -1.0), min(estimate + half, 1.0), items)
