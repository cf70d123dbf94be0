"""Intervals for one rate: events over an exposure (residents, resident-years, hours)."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainc, gammaincc, gammainccinv, gammaincinv, ndtri

from disprop.intervals import quantiles
from disprop.intervals.distinct import on_distinct, quick_or_slow
from disprop.intervals.interval import FloatArray, Interval, Limits, aligned, choose, interval
from disprop.intervals.roots import root

BYAR_FROM = 10  # events; below, Byar's approximation gives way to the exact limits


def rate_interval(
    *, events: ArrayLike, exposure: ArrayLike, confidence: ArrayLike = 0.95, method: str = "exact"
) -> Interval:
    """How high the rate behind `events` over `exposure` may be: events / exposure between two limits.

    Corner cases first. No exposure: no rate, so all three are NaN. No events: rate 0, low 0, high above 0 (only
    `normal` shrinks to a point there). A missing count (NaN) gives NaN throughout. Events may outnumber the
    exposure: a search is an event, not a person. Fractional counts are accepted (tail sums become their gamma
    integrals). With `exposure=1` the limits are those of the expected count.

    Methods, for limits on the expected count given x events; the rate is the count / exposure:

    - `exact` (default): Garwood; all means under which x or more, and x or fewer, both have probability of at least
      half the error; gamma quantiles. Coverage is never below the confidence.
    - `mid_p`: the same with only half the probability of x itself counted.
    - `byar`: x (1 - 1 / (9 x) - z / (3 sqrt x))³ and (x + 1) (1 - 1 / (9 (x + 1)) + z / (3 sqrt(x + 1)))³, the
      approximation used in public health; below 10 events the exact limits, as is the custom there.
    - `score`: all means with (x - mean)² <= z² mean.
    - `normal`: x -+ z sqrt x. A replica: its low limit can be negative, and no events give a range of no width.

    Shapes: scalars, arrays and pandas Series broadcast together, by position (a Series' index is not used);
    `confidence` may be an array too. All scalars give Python floats, anything else float64 arrays. Unit: events per
    unit of exposure; multiply all three by 1,000 for a rate per 1,000.

    Raises UsageError for a negative or infinite count or exposure, a confidence outside 0 to 1, an unknown method, or
    shapes that do not go together.

    Sources: Garwood (1936) Biometrika 28:437; Byar's approximation in Breslow and Day (1987) Statistical Methods in
    Cancer Research II, IARC; for mid-P, Berry and Armitage (1995) The Statistician 44:417.

    250 searches of a group of 220 residents, per 100,000 (a rate above one is no error):

    >>> rate = rate_interval(events=250, exposure=220, method="byar")
    >>> [round(100_000 * figure, 2) for figure in rate]
    [113636.36, 99984.95, 128631.14]
    """
    limits = choose(method, METHODS, "rate_interval")
    x, t, tail = aligned(events=events, exposure=exposure, confidence=confidence)
    t = np.where(t == 0, np.nan, t)
    with np.errstate(all="ignore"):
        low, high = on_distinct(limits, x, tail) if method in SLOW else limits(x, tail)
        return interval(x / t, low / t, high / t)


def _exact(x: FloatArray, tail: FloatArray) -> Limits:
    low = quick_or_slow(_gamma_below, _gamma_below_slowly, x, tail)
    return np.where(x == 0, 0.0, low), quick_or_slow(_gamma_above, _gamma_above_slowly, x + 1, tail)


_gamma_below = partial(quantiles.gamma_quantile, sign=1)
_gamma_above = partial(quantiles.gamma_quantile, sign=-1)
_gamma_below_slowly = partial(quantiles.gamma_quantile_slowly, sign=1)
_gamma_above_slowly = partial(quantiles.gamma_quantile_slowly, sign=-1)


def _mid_p(x: FloatArray, tail: FloatArray) -> Limits:
    """Half the probability of x, and all that of counts further out, sum to the tail."""
    low = quick_or_slow(_mid_p_low_quickly, _mid_p_low, x, tail)
    return np.where(x == 0, 0.0, low), quick_or_slow(_mid_p_high_quickly, _mid_p_high, x, tail)


def _mid_p_low_quickly(x: FloatArray, tail: FloatArray) -> FloatArray:
    return np.exp(quantiles.mid_gamma_log(x, tail, sign=1))


def _mid_p_high_quickly(x: FloatArray, tail: FloatArray) -> FloatArray:
    return np.exp(quantiles.mid_gamma_log(x, tail, sign=-1))


def _mid_p_low(x: FloatArray, tail: FloatArray) -> FloatArray:
    return root(_mid_p_above, gammaincinv(x, tail), gammaincinv(x, 2 * tail), x, tail)


def _mid_p_high(x: FloatArray, tail: FloatArray) -> FloatArray:
    return root(_mid_p_below, gammainccinv(x + 1, 2 * tail), gammainccinv(x + 1, tail), x, tail)


def _mid_p_above(mean: FloatArray, x: FloatArray, tail: FloatArray) -> FloatArray:
    return (gammainc(x, mean) + gammainc(x + 1, mean)) / 2 - tail


def _mid_p_below(mean: FloatArray, x: FloatArray, tail: FloatArray) -> FloatArray:
    return (gammaincc(x + 1, mean) + gammaincc(x, mean)) / 2 - tail


def _byar(x: FloatArray, tail: FloatArray) -> Limits:
    z = -ndtri(tail)
    few, (exact_low, exact_high) = x < BYAR_FROM, _exact(x, tail)
    low = x * (1 - 1 / (9 * x) - z / (3 * np.sqrt(x))) ** 3
    high = (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * np.sqrt(x + 1))) ** 3
    return np.where(few, exact_low, low), np.where(few, exact_high, high)


def _score(x: FloatArray, tail: FloatArray) -> Limits:
    """Roots of (x - mean)² = z² mean; the smaller as x² over the larger, which keeps all digits."""
    z = -ndtri(tail)
    high = x + z * z / 2 + z * np.sqrt(x + z * z / 4)
    return x * x / high, high


def _normal(x: FloatArray, tail: FloatArray) -> Limits:
    half = -ndtri(tail) * np.sqrt(x)
    return x - half, x + half


METHODS: dict[str, Callable[[FloatArray, FloatArray], Limits]] = {
    "exact": _exact,
    "mid_p": _mid_p,
    "byar": _byar,
    "score": _score,
    "normal": _normal,
}
SLOW = ("exact", "mid_p", "byar")  # worth finding each distinct count once
