"""Funnels: is a force further from the rest than its own size, and the usual spread between forces, explain?

Figures are judged on a scale where they are nearly normal with a known error: square roots for rates, arcsines of
square roots for proportions, logarithms for ratios of rates. Each `..._points` function goes to its scale, `natural`
comes back.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from disprop.errors import Refused, UsageError
from disprop.intervals.interval import aligned, choose, refuse_more

FloatArray = NDArray[np.float64]
Method = Literal["naive", "multiplicative", "additive"]
Scale = Literal["square root", "arcsine", "log"]

FEWEST = 3
LEVELS = (0.95, 0.998)
WINSORISE = {"naive": 0.0, "multiplicative": 0.1, "additive": 0.0}
"""Share of the most extreme z, at each end, that is pulled in before the spread is measured."""


class Points(NamedTuple):
    """Figures on their scale, with their errors there. `target` is what they are rates or shares against."""

    estimate: FloatArray
    error: FloatArray
    scale: Scale
    target: float


class FunnelLimits(NamedTuple):
    """A funnel on the scale of its points.

    `centre` and its standard error; `q` = sum of squared (winsorised) z about the naive centre; `phi` = q / n;
    `tau2` = variance between forces, 0 unless additive; `z` = distance of each point from the centre in standard
    errors, over-dispersion included; `low` and `high` = limits, one row a confidence, one column a point.
    """

    centre: float
    centre_error: float
    q: float
    phi: float
    tau2: float
    z: FloatArray
    low: FloatArray
    high: FloatArray


def rate_points(*, events: ArrayLike, exposure: ArrayLike, target: float | None = None) -> Points:
    """Rates as square roots of observed over expected events, error 1 / (2 sqrt(expected)).

    No events is a point like any other, at 0. No exposure, or a missing count, gives no point (NaN). Expected events
    are the exposure x `target`, the rate of all forces together unless given; so events over expected events already
    worked out is the case `exposure=expected, target=1`.

    Source: Spiegelhalter (2005) Stat Med 24:1185.

    >>> points = rate_points(events=[120, 90, 0], exposure=[100, 100, 10], target=1)
    >>> points.estimate.round(3).tolist(), points.error.round(3).tolist()
    ([1.095, 0.949, 0.0], [0.05, 0.05, 0.158])
    """
    x, n = aligned(events=events, exposure=exposure, confidence=0.95)[:2]
    rate = _pooled(x, n) if target is None else float(target)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(n > 0, n * rate, np.nan)
        return Points(np.sqrt(x / expected), 1 / (2 * np.sqrt(expected)), "square root", rate)


def proportion_points(*, events: ArrayLike, trials: ArrayLike) -> Points:
    """Proportions as arcsines of their square roots, error 1 / (2 sqrt(trials)).

    None and all are points like any other. No trials, or a missing count, gives no point (NaN). `target` is the
    proportion of all forces together.

    Source: Spiegelhalter (2005) Stat Med 24:1185.

    >>> points = proportion_points(events=[25, 0], trials=[100, 100])
    >>> points.estimate.round(4).tolist(), points.error.tolist(), points.target
    ([0.5236, 0.0], [0.05, 0.05], 0.125)
    """
    x, n = aligned(events=events, trials=trials, confidence=0.95)[:2]
    refuse_more("events", x, "trials", n)
    with np.errstate(divide="ignore", invalid="ignore"):
        trials = np.where(n > 0, n, np.nan)
        return Points(np.arcsin(np.sqrt(x / trials)), 1 / (2 * np.sqrt(trials)), "arcsine", _pooled(x, n))


def rate_ratio_points(
    *, events: ArrayLike, exposure: ArrayLike, reference_events: ArrayLike, reference_exposure: ArrayLike
) -> Points:
    """Ratios of rates as logarithms, error sqrt(1 / a + 1 / c).

    No events on either side, or no exposure, gives no point (NaN): there is no logarithm, and the force cannot be
    judged by this funnel. `target` is 1.

    >>> points = rate_ratio_points(events=[30], exposure=[10], reference_events=[60], reference_exposure=[60])
    >>> round(float(points.estimate[0]), 4), round(float(points.error[0]), 4)
    (1.0986, 0.2236)
    """
    a, n1, c, n0 = aligned(
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
        confidence=0.95,
    )[:4]
    usable = (a > 0) & (c > 0) & (n1 > 0) & (n0 > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usable, (a / n1) / (c / n0), np.nan)
        return Points(np.log(ratio), np.where(usable, np.sqrt(1 / a + 1 / c), np.nan), "log", 1.0)


def natural(values: ArrayLike, *, scale: Scale, target: float) -> FloatArray:
    """Values of a scale in their natural unit again: rates, proportions, ratios. Below the scale's end is its end.

    >>> natural([-0.1, 1.0, 1.1], scale="square root", target=8.0).round(2).tolist()
    [0.0, 8.0, 9.68]
    """
    x = np.asarray(values, dtype=float)
    if scale == "log":
        return np.asarray(np.exp(x))
    if scale == "arcsine":
        return np.asarray(np.sin(np.clip(x, 0, np.pi / 2)) ** 2)
    return np.asarray(np.maximum(x, 0) ** 2 * target)


def funnel_limits(
    *,
    estimate: ArrayLike,
    error: ArrayLike,
    centre: float | None = None,
    method: Method = "additive",
    winsorise: float | None = None,
    confidence: ArrayLike = LEVELS,
) -> FunnelLimits:
    """Limits within which points of their size would lie if all forces shared one figure, or one spread of figures.

    Corner cases first. Points without estimate or error (NaN) take no part: their z and limits are NaN. Fewer than 3
    points cannot show a spread and are refused. Less spread than chance alone would give is taken as chance: tau2 = 0
    and no limit is narrower than the naive one. Between-force spread belongs here only; it never widens one force's
    own interval.

    With w = 1 / error^2, z about the inverse-variance mean (or the `centre` given), and z winsorised (the most extreme
    at each end set to the quantile there):

    - `naive`: centre -+ k x error. Chance only: with large forces nearly all lie outside.
    - `multiplicative`: centre -+ k x error x sqrt(max(1, phi)), phi = sum z^2 / n; winsorised at 10% by default.
    - `additive` (default): centre -+ k x sqrt(error^2 + tau2), tau2 = max(0, (sum z^2 - (n - 1)) / (sum w - sum w^2 /
      sum w)) (DerSimonian and Laird), not winsorised by default; its centre is the random-effects mean, weights
      1 / (error^2 + tau2), unless given.

    estimate, error: shape (n,), on a scale such as `rate_points` returns. confidence: one level or several, k its
    normal quantile; 95% and 99.8% by custom. Returns FunnelLimits; limits have shape (levels, n).

    Raises Refused for fewer than 3 points; UsageError for an unknown method, an error of 0 or below, `winsorise`
    outside 0 to below 0.5, a confidence outside 0 to 1.

    Sources: Spiegelhalter (2005) Stat Med 24:1185 and Qual Saf Health Care 14:347; DerSimonian and Laird (1986)
    Control Clin Trials 7:177.

    Five forces, one of them apart; chance alone would put four outside 95% limits, over-dispersed ones none:

    >>> points = dict(estimate=[0.2, 0.4, 0.6, 0.8, 1.6], error=[0.05, 0.05, 0.05, 0.05, 0.05])
    >>> naive = funnel_limits(**points, method="naive")
    >>> round(naive.centre, 2), int((abs(naive.z) > 1.96).sum())
    (0.72, 4)
    >>> wide = funnel_limits(**points)
    >>> round(wide.tau2, 4), wide.z.round(2).tolist()
    (0.2895, [-0.96, -0.59, -0.22, 0.15, 1.63])
    """
    spread = choose(method, _SPREAD, "funnel_limits")
    y, s = _points(estimate, error)
    pull = _share(WINSORISE[method] if winsorise is None else winsorise)
    level = np.atleast_1d(np.asarray(confidence, dtype=float))
    if not ((level > 0) & (level < 1)).all():
        raise UsageError(f"confidence must lie between 0 and 1, such as 0.95 or 0.998; got {level.tolist()}")
    used = ~np.isnan(y)
    naive, naive_error = _mean(y[used], s[used]) if centre is None else (float(centre), 0.0)
    z = winsorised((y[used] - naive) / s[used], pull)
    q = float((z**2).sum())
    total, tau2 = spread(s, q, used)
    middle, middle_error = (naive, naive_error) if centre is not None else _mean(y[used], total[used])
    if method != "additive":
        middle, middle_error = naive, naive_error
    half = -ndtri((1 - level) / 2)[:, None] * total
    return FunnelLimits(
        middle, middle_error, q, q / int(used.sum()), tau2, (y - middle) / total, middle - half, middle + half
    )


def _points(estimate: ArrayLike, error: ArrayLike) -> tuple[FloatArray, FloatArray]:
    y, s = np.broadcast_arrays(np.asarray(estimate, dtype=float), np.asarray(error, dtype=float))
    if y.ndim != 1 or (s <= 0).any():
        raise UsageError("estimate and error must be one row of points each, every error above 0 (NaN where missing)")
    gone = ~(np.isfinite(y) & np.isfinite(s))
    if len(y) - gone.sum() < FEWEST:
        raise Refused(f"a funnel needs at least {FEWEST} points; {len(y) - gone.sum()} of {len(y)} have a figure")
    return np.where(gone, np.nan, y), np.where(gone, np.nan, s)


def _share(winsorise: float) -> float:
    if not 0 <= winsorise < 0.5:
        raise UsageError(f"winsorise is {winsorise:g}: it must be 0 or more and below 0.5, such as 0.1")
    return winsorise


def _pooled(events: FloatArray, base: FloatArray) -> float:
    used = (base > 0) & ~np.isnan(events)
    return float(events[used].sum() / base[used].sum()) if used.any() else np.nan


def _mean(y: FloatArray, s: FloatArray) -> tuple[float, float]:
    """Inverse-variance mean and its standard error."""
    w = 1 / s**2
    return float((w * y).sum() / w.sum()), float(np.sqrt(1 / w.sum()))


def winsorised(z: FloatArray, share: float) -> FloatArray:
    return np.clip(z, *np.quantile(z, [share, 1 - share])) if share else z


def _naive(s: FloatArray, q: float, used: NDArray[np.bool_]) -> tuple[FloatArray, float]:
    return s, 0.0


def _multiplied(s: FloatArray, q: float, used: NDArray[np.bool_]) -> tuple[FloatArray, float]:
    return s * np.sqrt(max(1.0, q / int(used.sum()))), 0.0


def _added(s: FloatArray, q: float, used: NDArray[np.bool_]) -> tuple[FloatArray, float]:
    w = 1 / s[used] ** 2
    tau2 = max(0.0, float((q - (len(w) - 1)) / (w.sum() - (w**2).sum() / w.sum())))
    return np.sqrt(s**2 + tau2), tau2


_SPREAD = {"naive": _naive, "multiplicative": _multiplied, "additive": _added}
