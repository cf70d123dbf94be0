"""Intervals for the ratio of two proportions."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from disprop.intervals.interval import FloatArray, Interval, Limits, aligned, choose, interval, refuse_more
from disprop.intervals.roots import root


def proportion_ratio_interval(
    *,
    events: ArrayLike,
    trials: ArrayLike,
    reference_events: ArrayLike,
    reference_trials: ArrayLike,
    confidence: ArrayLike = 0.95,
    method: str = "koopman",
) -> Interval:
    """How many times the reference proportion the group's may be: (a / n1) / (c / n0) between two limits.

    Corner cases first. No reference events: no estimate (NaN); the low limit is given, the high one is infinite
    ("none"). No events in the group: ratio 0, low 0, high given. Neither, or no trials on either side: NaN, 0 and
    infinity. `katz_log` has no standard error where a count of events is 0 and gives 0 and infinity; where every
    trial of both is an event it shrinks to the point 1, which the score methods do not. A missing count (NaN) gives
    NaN throughout. Fractional counts are accepted.

    Methods:

    - `koopman` (default): all ratios R whose chi-square statistic (a - n1 p1)² / (n1 p1 q1) + (c - n0 p0)² / (n0 p0 q0)
      is at most z², where p1 = R p0 are the proportions most likely to have given the counts if R were true.
    - `miettinen_nurminen`: the same with z² times N / (N - 1), N = n1 + n0: a little wider (0 to infinity
      for N <= 1).
    - `katz_log`: exp(log ratio -+ z sqrt(1 / a - 1 / n1 + 1 / c - 1 / n0)). A replica.

    Shapes: scalars, arrays and pandas Series broadcast together, by position (a Series' index is not used);
    `confidence` may be an array too. All scalars give Python floats, anything else float64 arrays.

    Raises UsageError for a negative or infinite count, events > trials on either side, a confidence outside 0 to 1, an
    unknown method, or shapes that do not go together.

    Sources: Koopman (1984) Biometrics 40:513; Miettinen and Nurminen (1985) Stat Med 4:213; Katz, Baptista, Azen and
    Pike (1978) Biometrics 34:469; compared in Fagerland, Lydersen and Laake (2015) Stat Methods Med Res 24:224.

    Birmingham 2019: 3,649 searches of 155,559 residents against 4,423 of 554,089.

    >>> counts = dict(events=3_649, trials=155_559, reference_events=4_423, reference_trials=554_089)
    >>> [round(figure, 6) for figure in proportion_ratio_interval(**counts, method="katz_log")]
    [2.938606, 2.813601, 3.069164]
    >>> [round(figure, 3) for figure in proportion_ratio_interval(**counts)]
    [2.939, 2.814, 3.069]
    """
    limits = choose(method, METHODS, "proportion_ratio_interval")
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
        estimate = np.where(nothing | (c == 0), np.nan, a / n1 / (c / n0))
        low, high = np.where(nothing | (a == 0), 0.0, low), np.where(nothing | (c == 0), np.inf, high)
        return interval(estimate, low, high)


def _koopman(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    square = ndtri(tail) ** 2
    return _score_low(a, n1, c, n0, square), 1 / _score_low(c, n0, a, n1, square)


def _miettinen_nurminen(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    square = ndtri(tail) ** 2 * (n1 + n0) / (n1 + n0 - 1)
    low, high = _score_low(a, n1, c, n0, square), 1 / _score_low(c, n0, a, n1, square)
    return np.where(n1 + n0 <= 1, 0.0, low), np.where(n1 + n0 <= 1, np.inf, high)


def _score_low(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, square: FloatArray) -> FloatArray:
    """The ratio at which the score statistic, squared, is `square`, below the estimate.

    The proportions fitted under a given ratio are (a - pull) / (n1 - pull) and (c + pull) / (n0 + pull),
    one multiplier `pull` for both: the search is over it, and ends where one group alone would make half or
    all of the statistic. Where every trial of the group is an event, p1 stays 1 until pull reaches n1.
    """
    ends = (
        np.minimum(_pull_of_group(a, n1, part * square), _pull_of_reference(c, n0, part * square))
        for part in (0.5, 1.0)
    )
    pull = root(_score_excess, *ends, a, n1, c, n0, square)
    corner = n1 / pull**2 * (square - _reference_part(pull, c, n0))
    against = np.where(a < n1, (n1 - a) / (a - pull), np.where(pull < n1, 0.0, np.maximum(corner, 0)))  # odds q1 / p1
    return (n0 + pull) / (c + pull) / (1 + against)


def _score_excess(
    pull: FloatArray, a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, square: FloatArray
) -> FloatArray:
    group = np.where(a < n1, pull**2 * (n1 - a) / (n1 * (a - pull)), 0.0)
    return group + _reference_part(pull, c, n0) - square


def _reference_part(pull: FloatArray, c: FloatArray, n0: FloatArray) -> FloatArray:
    return pull**2 * (n0 - c) / (n0 * (c + pull))


def _pull_of_group(a: FloatArray, n1: FloatArray, square: FloatArray) -> FloatArray:
    pull = 2 * square * a / (square + np.sqrt(square**2 + 4 * square * a * (n1 - a) / n1))
    return np.where(a == n1, n1, pull)


def _pull_of_reference(c: FloatArray, n0: FloatArray, square: FloatArray) -> FloatArray:
    share = (n0 - c) / n0
    return (square + np.sqrt(square**2 + 4 * square * c * share)) / (2 * share)


def _katz_log(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray, tail: FloatArray) -> Limits:
    none = (a == 0) | (c == 0)
    ratio = a / n1 / (c / n0)
    factor = np.exp(-ndtri(tail) * np.sqrt((n1 - a) / (a * n1) + (n0 - c) / (c * n0)))
    return np.where(none, 0.0, ratio / factor), np.where(none, np.inf, ratio * factor)


METHODS: dict[str, Callable[[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], Limits]] = {
    "koopman": _koopman,
    "miettinen_nurminen": _miettinen_nurminen,
    "katz_log": _katz_log,
}
