"""Lines at one standard deviation from the mean: the inspectorate's rule, kept as a replica."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disprop.errors import Refused, UsageError

NORMAL = 0.05
"""Shapiro-Wilk p from which the rule takes values to be normal."""
FEWEST, MOST = 3, 5_000
TYPICAL = "lines at one standard deviation typically leave 32% of forces outside, whatever they do"

Scale = Literal["raw", "log"]


class Lines(NamedTuple):
    """Lower and upper line and the centre between them, in the unit of the values; which scale they were drawn on.

    `w_raw`, `p_raw`, `w_log` and `p_log` are the Shapiro-Wilk statistics (NaN on logs where a value is 0 or below).
    `side` is 1 above the upper line, -1 below the lower one, 0 between them or missing.
    """

    low: float
    high: float
    centre: float
    scale: Scale
    w_raw: float
    p_raw: float
    w_log: float
    p_log: float
    side: NDArray[np.int8]


def sd_lines(*, values: ArrayLike, more_normal: bool = False) -> Lines:
    """Lines at one standard deviation either side of the unweighted mean, on raw values or on their logarithms.

    Corner cases first. Missing values (NaN) are left out and have side 0. A value of 0 or below has no logarithm: the
    lines are raw. A value exactly on a line is not outside it. Fewer than 3 values, or values all alike, have no lines
    and are refused; so are more than 5,000, for which Shapiro and Wilk's p is not known.

    The source's rule reads: raw values where Shapiro-Wilk's p on them is 0.05 or more; else logarithms where p on them
    is; else, both having failed, raw values. `more_normal=True` is the other reading of the same words: logarithms
    where their W is the larger. A replica: it flags about a third of any set of forces, and weighs a force of 1,000
    searches like one of 100,000. `funnel_limits` is what it should stand beside.

    Lines: mean -+ s, with s the standard deviation on n - 1; on logarithms exp(mean -+ s), the centre exp(mean).

    values: shape (n,). Raises Refused as above, UsageError for values that are not numbers or are infinite.

    Sources: Shapiro and Wilk (1965) Biometrika 52:591; Royston (1995) Applied Statistics 44:547 for p.

    Seven forces' rates, of which one is far out:

    >>> lines = sd_lines(values=[4.1, 5.2, 5.9, 6.4, 7.0, 8.3, 31.0])
    >>> lines.scale, round(lines.p_raw, 4), round(lines.p_log, 4), lines.side.tolist()
    ('raw', 0.0002, 0.0256, [0, 0, 0, 0, 0, 0, 1])
    >>> sd_lines(values=[4.1, 5.2, 5.9, 6.4, 7.0, 8.3, 31.0], more_normal=True).scale
    'log'
    """
    x = _checked(values)
    w_raw, p_raw = _shapiro(x)
    w_log, p_log = _shapiro(np.log(x)) if (x > 0).all() else (np.nan, np.nan)
    logs = w_log > w_raw if more_normal else p_raw < NORMAL <= p_log
    low, centre, high = _drawn(np.log(x), np.exp) if logs else _drawn(x, float)
    given = np.asarray(values, dtype=float)
    side = (given > high).astype(np.int8) - (given < low).astype(np.int8)
    return Lines(low, high, centre, "log" if logs else "raw", w_raw, p_raw, w_log, p_log, side)


def _drawn(x: NDArray[np.float64], back: type[float] | np.ufunc) -> tuple[float, float, float]:
    mean, sd = x.mean(), x.std(ddof=1)
    return float(back(mean - sd)), float(back(mean)), float(back(mean + sd))


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or np.isinf(x).any():
        raise UsageError("values must be one row of finite numbers (NaN where one is missing)")
    x = x[~np.isnan(x)]
    if not FEWEST <= len(x) <= MOST:
        raise Refused(f"lines need {FEWEST} to {MOST:,} values; {len(x):,} were given")
    if np.ptp(x) == 0:
        raise Refused("every value is the same: there is no spread to draw lines by")
    return x


def _shapiro(x: NDArray[np.float64]) -> tuple[float, float]:
    from scipy.stats import shapiro  # late: scipy.stats is slow to import

    found = shapiro(x)
    return float(found.statistic), float(found.pvalue)
