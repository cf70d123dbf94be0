"""Intervals for the difference of two rates."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from disprop.intervals.interval import FloatArray, Interval, Limits, aligned, choose, interval
from disprop.intervals.roots import root


def rate_difference_interval(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    confidence: ArrayLike = 0.95,
    method: str = "score",
) -> Interval:
    """By how much the group's rate may exceed the reference rate: a / n1 - c / n0 between two limits.

    Corner cases first. No exposure on either side: all three are NaN. No events on either side: difference 0 with
    one limit below and one above it (only `wald` shrinks to a point there). A missing count (NaN) gives NaN
    throughout. Fractional counts are accepted: for a dispersion phi, divide events and exposures by it (the rates
    stay, their variance is phi times as large).

    Methods:

    - `score` (default): all differences d with (a / n1 - c / n0 - d)² <= z² (r1 / n1 + r0 / n0), where r1 and
      r0 = r1 - d are the rates most likely to have given the counts if d were true.
    - `wald`: the same with the observed rates in place of r1 and r0. A replica.

    Shapes: scalars, arrays and pandas Series broadcast together, by position (a Series' index is not used);
    `confidence` may be an array too. All scalars give Python floats, anything else float64 arrays. Unit: events per
    unit of exposure; times the group's exposure, the difference is the excess in events.

    Raises UsageError for a negative or infinite count or exposure, a confidence outside 0 to 1, an unknown method, or
    shapes that do not go together.

    Source: Miettinen and Nurminen (1985) Stat Med 4:213.

    41 events in 28,010 person-years against 15 in 19,017, per 1,000:

    >>> counts = dict(events=41, exposure=28_010, reference_events=15, reference_exposure=19_017)
    >>> [round(1_000 * figure, 3) for figure in rate_difference_interval(**counts)]
    [0.675, 0.043, 1.29]
    """
    limits = choose(method, METHODS, "rate_difference_interval")
    a, n1, c, n0, tail = aligned(
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
        confidence=confidence,
    )
    n1, n0 = (np.where((n1 > 0) & (n0 > 0), n, np.nan) for n in (n1, n0))
    with np.errstate(all="ignore"):
        low, high = limits(a, n1, c, n0, tail)
        return interval(a / n1 - c / n0, low, high)


def _score(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    square = ndtri(tail) ** 2
    return _score_low(a, n1, c, n0, square), -_score_low(c, n0, a, n1, square)


def _score_low(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, square: FloatArray) -> FloatArray:
    """The difference at which the score statistic, squared, is `square`, below the estimate.

    The rates fitted under a given difference are a / (n1 + pull) and c / (n0 - pull), one multiplier
    `pull` for both: the search is over it, and ends where one group alone would make half or all of it.
    """
    ends = (
        np.minimum(_pull_of_group(a, n1, part * square), _pull_of_reference(c, n0, part * square))
        for part in (0.5, 1.0)
    )
    pull = root(_score_excess, *ends, a, n1, c, n0, square)
    rate = a / (n1 + pull)
    corner = n0 * square / pull**2 - n0 * rate / n1
    return rate - np.where(c > 0, c / (n0 - pull), np.where(pull < n0, 0.0, np.maximum(corner, 0)))


def _score_excess(
    pull: FloatArray, a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, square: FloatArray
) -> FloatArray:
    reference = np.where(c > 0, c / (n0 * (n0 - pull)), 0.0)
    return pull**2 * (a / (n1 * (n1 + pull)) + reference) - square


def _pull_of_group(a: FloatArray, n1: FloatArray, square: FloatArray) -> FloatArray:
    return n1 * (square + np.sqrt(square**2 + 4 * square * a)) / (2 * a)


def _pull_of_reference(c: FloatArray, n0: FloatArray, square: FloatArray) -> FloatArray:
    pull = 2 * square * n0 / (square + np.sqrt(square**2 + 4 * square * c))
    return np.where(c == 0, n0, pull)


def _wald(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    half = -ndtri(tail) * np.hypot(np.sqrt(a) / n1, np.sqrt(c) / n0)
    return a / n1 - c / n0 - half, a / n1 - c / n0 + half


METHODS: dict[str, Callable[[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], Limits]] = {
    "score": _score,
    "wald": _wald,
}
