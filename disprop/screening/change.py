"""How a disparity moved: one ratio of rates over another, and how long until a ratio is known well enough."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, Floats, Interval, aligned, interval, refuse_narrower

HALF_BAND = float(np.log(1.25) / 2)
"""Half-width of log RR at which an interval fits inside the band from 1 to 1.25, or from 0.8 to 1."""


def ratio_change_interval(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    base_events: ArrayLike,
    base_exposure: ArrayLike,
    base_reference_events: ArrayLike,
    base_reference_exposure: ArrayLike,
    dispersion: ArrayLike = 1.0,
    base_dispersion: ArrayLike = 1.0,
    confidence: ArrayLike = 0.95,
) -> Interval:
    """One rate ratio over another: (a / n1) / (c / n0) now, over the same of the base, between two limits.

    The base is an earlier period of the same force, or the rest of the country, the force left out: the two must share
    no record. Corner cases first. Any exposure of 0, or a missing count, gives NaN throughout. With a count of 0 among
    the four there is no standard error: the limits are 0 and infinity; the estimate is 0 where a alone is 0, and none
    (NaN) where any of the other three is.

    log limits: log(RR / base RR) -+ z SE, SE^2 = phi (1 / a + 1 / c) + base phi (1 / base a + 1 / base c), each ratio's
    counts with the dispersion of its own months.

    All arguments broadcast. Scalars give Python floats, anything else float64 arrays.
    Raises UsageError for negative counts, a dispersion below 1, a confidence outside 0 to 1.

    Source: the delta method on logarithms; Altman and Bland (2003) BMJ 326:219 on why two intervals that overlap, or
    do not, are no test of a difference.

    A ratio of 2.9 last year, 2.4 this year, from the same residents:

    >>> residents = dict(exposure=236_047, reference_exposure=1_793_173)
    >>> base = {f"base_{name}": value for name, value in residents.items()}
    >>> counts = dict(events=3_042, reference_events=9_629, base_events=3_684, base_reference_events=9_629)
    >>> [round(figure, 3) for figure in ratio_change_interval(**counts, **residents, **base)]
    [0.826, 0.781, 0.873]
    """
    names = ("events", "exposure", "reference_events", "reference_exposure")
    now = dict(zip(names, (events, exposure, reference_events, reference_exposure)))
    base = (base_events, base_exposure, base_reference_events, base_reference_exposure)
    a, n1, c, n0, b, m1, d, m0, phi, base_phi, tail = aligned(
        **now,
        **{f"base_{name}": value for name, value in zip(names, base)},
        dispersion=dispersion,
        base_dispersion=base_dispersion,
        confidence=confidence,
    )
    refuse_narrower(phi)
    refuse_narrower(base_phi)
    with np.errstate(all="ignore"):
        ratio = _ratio(a, n1, c, n0) / _ratio(b, m1, d, m0)
        half = -ndtri(tail) * np.sqrt(phi * (1 / a + 1 / c) + base_phi * (1 / b + 1 / d))
        known = ~np.isnan(a + c + b + d + n1 + n0 + m1 + m0) & (np.minimum(np.minimum(n1, n0), np.minimum(m1, m0)) > 0)
        empty = np.minimum(np.minimum(a, c), np.minimum(b, d)) == 0
        low, high = np.where(empty, 0.0, ratio * np.exp(-half)), np.where(empty, np.inf, ratio * np.exp(half))
        estimate = np.where((c > 0) & (b > 0) & (d > 0) & known, ratio, np.nan)
        return interval(estimate, np.where(known, low, np.nan), np.where(known, high, np.nan))


def months_to_precision(
    *,
    events: ArrayLike,
    reference_events: ArrayLike,
    months: ArrayLike,
    dispersion: ArrayLike = 1.0,
    confidence: ArrayLike = 0.95,
    half_width: float = HALF_BAND,
) -> Floats:
    """Months still needed until the log of a rate ratio is known to within `half_width` either way.

    Corner cases first. 0 where it is known well enough already. No events on either side, or no months, gives
    NaN: at no events a month it would never be known. The answer is whole months, rounded up, and supposes that counts
    go on arriving as they have.

    half-width now = z sqrt(phi (1 / a + 1 / c)), and it falls with the square root of the months: needed in all =
    months x (half-width now / half_width)^2.

    half_width: by default ln(1.25) / 2, so that the whole interval is as wide as the band from 1 to 1.25.
    All arguments but half_width broadcast. Raises UsageError for negative counts, a dispersion below 1, or a
    half_width of 0 or below.

    30 Black and 160 White people searched in 12 months:

    >>> months_to_precision(events=30, reference_events=160, months=12)
    135.0
    """
    if not half_width > 0:
        raise UsageError(f"half_width is {half_width:g}: it must be above 0, such as ln(1.25) / 2")
    a, c, k, phi, tail = aligned(
        events=events, reference_events=reference_events, months=months, dispersion=dispersion, confidence=confidence
    )
    refuse_narrower(phi)
    with np.errstate(all="ignore"):
        now = -ndtri(tail) * np.sqrt(phi * (1 / a + 1 / c))
        needed = np.ceil(k * (now / half_width) ** 2 - 1e-9) - k
        found = np.where((a > 0) & (c > 0) & (k > 0), np.maximum(needed, 0), np.nan)
    return found if found.ndim else float(found)


def _ratio(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray) -> FloatArray:
    return (a / n1) / (c / n0)
