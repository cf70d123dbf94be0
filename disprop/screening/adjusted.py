"""Many looks at once: p values made larger so that a list of findings keeps its promise."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, aligned, choose, refuse_narrower

Adjustment = Literal["holm", "benjamini_hochberg"]


def adjusted_p(*, p_values: ArrayLike, method: Adjustment = "benjamini_hochberg") -> FloatArray:
    """p values adjusted for their number, in the order and shape given.

    Corner cases first. A missing p (NaN) was not looked at: it is left out before ranking and stays missing. None at
    all: nothing comes back. No adjusted p is above 1, nor below its own p; equal p stay equal.

    - `benjamini_hochberg` (default): of the list with adjusted p <= 0.05, 5% is expected to be false. For screening.
      p x m / rank, from the largest p downwards never rising.
    - `holm`: the chance that the list with adjusted p <= 0.05 holds anything false is 5% at most, whatever hangs
      together. p x (m - rank + 1), from the smallest p upwards never falling.

    Raises UsageError for a p outside 0 to 1, or an unknown method.

    Sources: Benjamini and Hochberg (1995) J R Stat Soc B 57:289; Holm (1979) Scand J Stat 6:65.

    >>> adjusted_p(p_values=[0.01, 0.04, float("nan"), 0.03], method="holm").tolist()
    [0.03, 0.06, nan, 0.06]
    >>> adjusted_p(p_values=[0.01, 0.04, float("nan"), 0.03]).round(3).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    adjust = choose(method, {"benjamini_hochberg": _benjamini_hochberg, "holm": _holm}, "adjusted_p")
    p = np.asarray(p_values, dtype=float)
    seen = ~np.isnan(p)
    if ((p[seen] < 0) | (p[seen] > 1)).any():
        raise UsageError("every p value must lie between 0 and 1 (NaN where none was computed)")
    out = np.full(p.shape, np.nan)
    if seen.any():
        out[seen] = adjust(p[seen])
    return out


def rate_ratio_p(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    dispersion: ArrayLike = 1.0,
) -> FloatArray:
    """Two-sided p of "both rates are the same", agreeing with the `score` interval: p < 0.05 where 1 lies outside 95%.

    Corner cases first. No exposure on a side, no events at all, or a missing count: NaN, for there is nothing to test.

    Given a + c, a is binomial with share s = n1 / (n1 + n0): z = (a - (a + c) s) / sqrt(phi (a + c) s (1 - s)).

    For lists and alerts (`adjusted_p`); beside a single comparison print the interval, not a p.
    All arguments broadcast. Raises UsageError for negative counts or a dispersion below 1.

    >>> p = rate_ratio_p(events=[20, 12], exposure=1, reference_events=[10, 10], reference_exposure=1)
    >>> p.round(3).tolist()
    [0.068, 0.67]
    """
    a, n1, c, n0, phi = aligned(
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
        dispersion=dispersion,
        confidence=0.95,
    )[:5]
    refuse_narrower(phi)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((n1 > 0) & (n0 > 0), n1 / (n1 + n0), np.nan)
        z = (a - (a + c) * share) / np.sqrt(phi * (a + c) * share * (1 - share))
    return np.asarray(2 * ndtr(-np.abs(z)))


def _benjamini_hochberg(p: FloatArray) -> FloatArray:
    from scipy.stats import false_discovery_control  # late: scipy.stats is slow to import

    return np.asarray(false_discovery_control(p, method="bh"))


def _holm(p: FloatArray) -> FloatArray:
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out
