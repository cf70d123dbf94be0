"""Intervals for the difference of two proportions."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from disprop.intervals.interval import FloatArray, Interval, Limits, aligned, choose, interval, refuse_more
from disprop.intervals.proportion import wilson_high, wilson_low
from disprop.intervals.roots import root


def proportion_difference_interval(
    *,
    events: ArrayLike,
    trials: ArrayLike,
    reference_events: ArrayLike,
    reference_trials: ArrayLike,
    confidence: ArrayLike = 0.95,
    method: str = "newcombe",
) -> Interval:
    """By how much the group's proportion may exceed the reference: a / n1 - c / n0 between two limits.

    Corner cases first. No trials on either side: no estimate (NaN), limits -1 and 1. Proportions of 0 or 1 keep an
    honest width (only `wald` shrinks to a point where both are 0 or 1). A missing count (NaN) gives NaN throughout.
    Fractional counts are accepted.

    Methods:

    - `newcombe` (default): the distances of each proportion from its own Wilson limits, as a root of squares.
    - `mee`: all differences d with (a / n1 - c / n0 - d)² <= z² (p1 q1 / n1 + p0 q0 / n0), where p1 and p0 = p1 - d are
      the proportions most likely to have given the counts if d were true.
    - `miettinen_nurminen`: the same with z² times N / (N - 1), N = n1 + n0: a little wider (and -1 to 1 for N <= 1).
    - `wald`: the same as `mee` with the observed proportions in place of p1 and p0, cut to -1 and 1. A replica.

    Shapes: scalars, arrays and pandas Series broadcast together, by position (a Series' index is not used);
    `confidence` may be an array too. All scalars give Python floats, anything else float64 arrays.

    Raises UsageError for a negative or infinite count, events > trials on either side, a confidence outside 0 to 1, an
    unknown method, or shapes that do not go together.

    Sources: Newcombe (1998) Stat Med 17:873; Mee (1984) Biometrics 40:1175; Miettinen and Nurminen (1985) Stat Med
    4:213; compared in Fagerland, Lydersen and Laake (2015) Stat Methods Med Res 24:224.

    56 of 70 against 48 of 80, an example of Newcombe's:

    >>> counts = dict(events=56, trials=70, reference_events=48, reference_trials=80)
    >>> [round(figure, 4) for figure in proportion_difference_interval(**counts)]
    [0.2, 0.0524, 0.3339]
    >>> [round(figure, 4) for figure in proportion_difference_interval(**counts, method="mee")]
    [0.2, 0.0533, 0.3377]
    """
    limits = choose(method, METHODS, "proportion_difference_interval")
    a, n1, c, n0, tail = aligned(
        events=events,
        trials=trials,
        reference_events=reference_events,
        reference_trials=reference_trials,
        confidence=confidence,
    )
    refuse_more("events", a, "trials", n1)
    refuse_more("reference_events", c, "reference_trials", n0)
    nothing = (n1 == 0) | (n0 == 0)
    with np.errstate(all="ignore"):
        low, high = limits(a, n1, c, n0, tail)
        return interval(a / n1 - c / n0, np.where(nothing, -1.0, low), np.where(nothing, 1.0, high))


def _newcombe(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    return _newcombe_low(a, n1, c, n0, tail), -_newcombe_low(c, n0, a, n1, tail)


def _newcombe_low(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> FloatArray:
    z = -ndtri(tail)
    down = a / n1 - wilson_low(a, n1 - a, z)
    up = wilson_high(c, n0 - c, z) - c / n0
    return a / n1 - c / n0 - np.hypot(down, up)


def _mee(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    z = -ndtri(tail)
    return _score_low(a, n1, c, n0, z), -_score_low(c, n0, a, n1, z)


def _miettinen_nurminen(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    z = -ndtri(tail) * np.sqrt((n1 + n0) / (n1 + n0 - 1))
    low, high = _score_low(a, n1, c, n0, z), -_score_low(c, n0, a, n1, z)
    return np.where(n1 + n0 <= 1, -1.0, low), np.where(n1 + n0 <= 1, 1.0, high)


def _score_low(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, z: FloatArray) -> FloatArray:
    """The difference at which the score statistic is `z`, below the estimate.

    The proportions fitted under a given difference solve n1 p1 + pull p1 q1 = a and n0 p0 - pull p0 q0 = c,
    one multiplier `pull` for both: the search is over it, and ends where one group alone would make the
    statistic z / sqrt(2) or z, which is where its own Wilson limit is.
    """
    b, d = n1 - a, n0 - c
    ends = (np.minimum(_pull_of_one(a, b, part * z), _pull_of_one(d, c, part * z)) for part in (np.sqrt(0.5), 1.0))
    pull = root(_score_excess, *ends, a, b, c, d, z)
    p1, q1 = _fitted_down(a, b, pull), _fitted_up(b, a, pull)
    p0, q0 = _fitted_up(c, d, pull), _fitted_down(d, c, pull)
    low = np.where(p1 + p0 < 1, p1 - p0, q0 - q1)  # the smaller pair loses fewer digits
    return np.where((a == 0) & (d == 0), -1.0, low)


def _score_excess(
    pull: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray, z: FloatArray
) -> FloatArray:
    group = _fitted_down(a, b, pull) * _fitted_up(b, a, pull) / (a + b)
    reference = _fitted_up(c, d, pull) * _fitted_down(d, c, pull) / (c + d)
    return pull * np.sqrt(group + reference) - z


def _fitted_down(x: FloatArray, y: FloatArray, pull: FloatArray) -> FloatArray:
    """Root p of n p + pull p (1 - p) = x."""
    n = x + y
    return 2 * x / (n + pull + np.sqrt((n - pull) ** 2 + 4 * pull * y))


def _fitted_up(x: FloatArray, y: FloatArray, pull: FloatArray) -> FloatArray:
    """Root p of n p - pull p (1 - p) = x, in whichever form subtracts nothing."""
    slack = x + y - pull
    spread = np.sqrt(slack**2 + 4 * pull * x)
    return np.where(slack > 0, 2 * x / (slack + spread), (spread - slack) / (2 * pull))


def _pull_of_one(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """The pull that brings x of x + y down to its Wilson limit; none does where x is 0."""
    low = wilson_low(x, y, z)
    return np.where(x == 0, np.inf, z * np.sqrt((x + y) / (low * wilson_high(y, x, z))))


def _wald(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    half = -ndtri(tail) * np.sqrt(a * (n1 - a) / n1**3 + c * (n0 - c) / n0**3)
    difference = a / n1 - c / n0
    return np.maximum(difference - half, -1), np.minimum(difference + half, 1)


METHODS: dict[str, Callable[[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], Limits]] = {
    "newcombe": _newcombe,
    "miettinen_nurminen": _miettinen_nurminen,
    "mee": _mee,
    "wald": _wald,
}
