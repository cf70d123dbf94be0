"""Intervals for the ratio of two rates."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, Interval, Limits, aligned, choose, interval, refuse_narrower
from disprop.intervals.proportion import exact_odds_low, mid_p_odds_low, wilson_high, wilson_low


def rate_ratio_interval(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    confidence: ArrayLike = 0.95,
    method: str = "score",
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """How many times the reference rate the group's rate may be: (a / n1) / (c / n0) between two limits.

    Corner cases first. No reference events: no estimate (NaN); the low limit is given, the high one is infinite
    ("none"). No events in the group: ratio 0, low 0, high given. Neither: NaN, 0 and infinity. `log_wald` has no
    standard error in any of the three and gives 0 and infinity. No exposure on either side: all three are NaN. A
    missing count (NaN) gives NaN throughout. Events may outnumber the exposure.

    Methods: given the total a + c, the count a is binomial with odds = ratio x n1 / n0, so that limits for the
    proportion a / (a + c) are limits for the ratio:

    - `score` (default): Wilson limits of that proportion; closed form.
    - `mid_p`: its mid-P limits; advised when either count is below 50.
    - `exact`: its Clopper-Pearson limits. Coverage is never below the confidence.
    - `log_wald`: exp(log ratio -+ z sqrt(1 / a + 1 / c)). A replica, good for large counts only.

    `dispersion` is how many times the variance of the counts exceeds that of Poisson counts: `score` and `log_wald`
    are then their closed forms on counts divided by it, which widens log limits by about its square root. The other
    methods are of whole counts and take none.

    Shapes: scalars, arrays and pandas Series broadcast together, by position (a Series' index is not used);
    `confidence` and `dispersion` may be arrays too. All scalars give Python floats, anything else float64 arrays.

    Raises UsageError for a negative or infinite count or exposure, a confidence outside 0 to 1, an unknown method, a
    dispersion below 1 or one given to `exact` or `mid_p`, or shapes that do not go together.

    Sources: Przyborowski and Wilenski (1940) Biometrika 31:313 (conditional argument); Graham, Mengersen and Morton
    (2003) Stat Med 22:2071 (score); Gu and others (2008) Biometrical J 50:283 (comparison).

    West Mercia 2019: 151 searches of 21,659 residents against 2,531 of 1,220,835.

    >>> counts = dict(events=151, exposure=21_659, reference_events=2_531, reference_exposure=1_220_835)
    >>> [round(figure, 3) for figure in rate_ratio_interval(**counts, method="log_wald")]
    [3.363, 2.854, 3.963]
    >>> [round(figure, 3) for figure in rate_ratio_interval(**counts)]
    [3.363, 2.854, 3.962]

    West Midlands 2019/20, Black and White residents; the months are 4.4 times as uneven as chance would have it:

    >>> counts = dict(events=3_684, exposure=236_047, reference_events=9_629, reference_exposure=1_793_173)
    >>> [round(figure, 2) for figure in rate_ratio_interval(**counts)]
    [2.91, 2.8, 3.02]
    >>> [round(figure, 2) for figure in rate_ratio_interval(**counts, dispersion=4.4)]
    [2.91, 2.68, 3.15]
    """
    limits = choose(method, METHODS, "rate_ratio_interval")
    a, n1, c, n0, phi, tail = aligned(
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
        dispersion=dispersion,
        confidence=confidence,
    )
    _check_dispersion(phi, method)
    with np.errstate(all="ignore"):
        scale = np.where((n1 > 0) & (n0 > 0), n0 / n1, np.nan)
        low, high = limits(a / phi, c / phi, tail)
        estimate = np.where(c == 0, np.nan, a / c)
        low, high = np.where(a == 0, 0.0, low), np.where(c == 0, np.inf, high)
        return interval(estimate * scale, low * scale, high * scale)


def _check_dispersion(phi: FloatArray, method: str) -> None:
    refuse_narrower(phi)
    if method not in _DISPERSED and np.any(phi != 1):
        raise UsageError(
            f"method {method!r} is of whole counts and takes no dispersion (got {np.nanmax(phi):g}): "
            f"use one of {', '.join(_DISPERSED)}, or leave dispersion at 1."
        )


def _score(a: FloatArray, c: FloatArray, tail: FloatArray) -> Limits:
    z = -ndtri(tail)
    return wilson_low(a, c, z) / wilson_high(c, a, z), wilson_high(a, c, z) / wilson_low(c, a, z)


def _exact(a: FloatArray, c: FloatArray, tail: FloatArray) -> Limits:
    return exact_odds_low(a, c, tail), 1 / exact_odds_low(c, a, tail)


def _mid_p(a: FloatArray, c: FloatArray, tail: FloatArray) -> Limits:
    return mid_p_odds_low(a, c, tail), 1 / mid_p_odds_low(c, a, tail)


def _log_wald(a: FloatArray, c: FloatArray, tail: FloatArray) -> Limits:
    none = (a == 0) | (c == 0)
    factor = np.exp(-ndtri(tail) * np.sqrt(1 / a + 1 / c))
    return np.where(none, 0.0, a / c / factor), np.where(none, np.inf, a / c * factor)


METHODS: dict[str, Callable[[FloatArray, FloatArray, FloatArray], Limits]] = {
    "score": _score,
    "mid_p": _mid_p,
    "exact": _exact,
    "log_wald": _log_wald,
}
_DISPERSED = ("score", "log_wald")
