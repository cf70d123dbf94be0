"""Where in a series of months the level changed, if it did."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disprop.errors import Refused, UsageError

FEWEST = 3
"""Months on either side of a change point: less is a spike, not a change of level."""
DRAWS = 1_999


class ChangePoint(NamedTuple):
    """The likeliest change of level: `at` is the first month after it (a position), rates before and after.

    `statistic` is twice the gain in log likelihood over no change; `p` its chance if months came in any order.
    """

    at: int
    before: float
    after: float
    statistic: float
    p: float


def change_point(
    *, events: ArrayLike, exposure: ArrayLike, of_trials: bool = False, seed: int = 1, draws: int = DRAWS
) -> ChangePoint:
    """The month from which the rate (or share) was another, and how often chance orders the months like that.

    Corner cases first. Months without exposure, or missing (NaN), are left out, but keep their position. Fewer than 6
    usable months, 3 a side, are refused. No events at all, or all trials events: no change, statistic 0, p 1. One
    change is sought; a series with two shows the larger.

    For every month with at least 3 usable months on either side: twice the log likelihood of two levels less that of
    one, the counts Poisson over their exposure, or binomial where `of_trials`. The largest is the statistic. p = (1 +
    number of shuffled series with a statistic as large) / (1 + draws): shuffling whole months needs no model of
    how they vary, so that months more uneven than chance do not make changes. It does suppose that months without a
    change could have come in any order: a season can pass for a change, so give whole years.

    events, exposure: shape (months,), in time order. seed: the same seed gives the same p.
    Raises Refused as above; UsageError for negative counts, or events above trials.

    Sources: Worsley (1983) Biometrika 70:455 (likelihood-ratio scan); Pettitt (1979) Applied Statistics 28:126 and
    Phipson and Smyth (2010) Stat Appl Genet Mol Biol 9:39 (the shuffle and its p).

    >>> found = change_point(events=[20, 24, 19, 22, 21, 18, 33, 35, 30, 36, 31, 34], exposure=[1] * 12)
    >>> found.at, round(found.before, 2), round(found.after, 2), found.p
    (6, 20.67, 33.17, 0.0035)
    """
    x, n = np.asarray(events, dtype=float), np.asarray(exposure, dtype=float)
    if x.ndim != 1 or x.shape != n.shape or (x < 0).any() or (n < 0).any() or (of_trials and (x > n).any()):
        raise UsageError("give one row of counts, 0 or more, and as many exposures (trials: no fewer than events)")
    used = np.flatnonzero(~np.isnan(x) & (n > 0))
    if len(used) < 2 * FEWEST:
        raise Refused(f"a change point needs {2 * FEWEST} months with exposure; {len(used)} have it")
    x, n = x[used], n[used]
    gain = _gain(x[None], n[None], of_trials)[0]
    at = int(gain.argmax())
    largest = float(max(gain[at], 0.0))
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(x)), (draws, 1)), axis=1)
    shuffled = _gain(x[order], n[order], of_trials).max(axis=1)
    p = (1 + int((shuffled >= largest - 1e-9).sum())) / (1 + draws)
    split = at + FEWEST
    before, after = x[:split].sum() / n[:split].sum(), x[split:].sum() / n[split:].sum()
    return ChangePoint(int(used[split]), float(before), float(after), largest, p)


def _gain(x: NDArray[np.float64], n: NDArray[np.float64], of_trials: bool) -> NDArray[np.float64]:
    """Twice the log-likelihood gain of a split, one row a series, one column a split (FEWEST months a side)."""
    inner = slice(FEWEST - 1, x.shape[1] - FEWEST)
    x0, n0 = x.cumsum(axis=1)[:, inner], n.cumsum(axis=1)[:, inner]
    x_all, n_all = x.sum(axis=1, keepdims=True), n.sum(axis=1, keepdims=True)
    parts = [(x0, n0), (x_all - x0, n_all - n0)]
    gain = sum(_log_likelihood(*part, of_trials) for part in parts) - _log_likelihood(x_all, n_all, of_trials)
    return np.asarray(2 * gain)


def _log_likelihood(x: NDArray[np.float64], n: NDArray[np.float64], of_trials: bool) -> NDArray[np.float64]:
    """At its maximum, terms that no split changes left out."""
    from scipy.special import xlogy

    success = xlogy(x, x / n)
    return np.asarray(success + xlogy(n - x, 1 - x / n) if of_trials else success)
