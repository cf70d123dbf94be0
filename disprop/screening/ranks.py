"""Where a force may stand among others: a range of ranks, never one rank."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from disprop.errors import UsageError


class Ranks(NamedTuple):
    """Highest and lowest place that each figure may have; 1 is the largest figure. NaN where there is none."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def rank_interval(*, estimate: ArrayLike, error: ArrayLike, confidence: float = 0.95) -> Ranks:
    """Range of ranks of every figure, such that all ranges are right together, at least 95 times in 100.

    Corner cases first. A figure or error that is missing (NaN) has no rank, and the others are ranked without it.
    One figure alone has rank 1. Figures that cannot be told apart share their range; equal true figures may take any
    of the ranks they share.

    A figure stands certainly below another where their difference over its error sqrt(e_i^2 + e_j^2) is beyond the
    normal quantile of error (1 - confidence) / m, m = n (n - 1) / 2 pairs (Bonferroni). low = 1 + the number
    certainly above, high = n - the number certainly below. Nothing is simulated, so that a run repeats. The ranges
    are wide because they have to be: percentiles of simulated ranks are narrower and are known not to hold the true
    rank as often as they say.

    estimate, error: shape (n,), on a scale where figures are nearly normal (logarithms of ratios or rates). Errors
    are each force's own; the spread between forces plays no part.

    Raises UsageError for an error of 0 or below, or a confidence outside 0 to 1.

    Source: Al Mohamad, Goeman and van Zwet (2022) Biometrics 78:238, with Bonferroni's quantile for Tukey's because
    errors differ; there also the coverage of simulated ranks.

    >>> ranks = rank_interval(estimate=[0.1, 1.0, 1.1, 3.0], error=[0.1, 0.1, 0.1, 0.1])
    >>> list(zip(ranks.low.tolist(), ranks.high.tolist()))
    [(4.0, 4.0), (2.0, 3.0), (2.0, 3.0), (1.0, 1.0)]
    """
    y, s = (np.asarray(one, dtype=float) for one in (estimate, error))
    if y.ndim != 1 or y.shape != s.shape or (s <= 0).any() or not 0 < confidence < 1:
        raise UsageError("give one row of figures, as many errors above 0, and a confidence such as 0.95")
    used = np.isfinite(y) & np.isfinite(s)
    n = int(used.sum())
    apart = -ndtri((1 - confidence) / max(1, n * (n - 1)))
    with np.errstate(invalid="ignore"):
        above = (y[None, :] - y[:, None]) / np.hypot(s[None, :], s[:, None]) > apart
    low, high = 1.0 + above.sum(axis=1), n - above.sum(axis=0).astype(float)
    return Ranks(np.where(used, low, np.nan), np.where(used, high, np.nan))
