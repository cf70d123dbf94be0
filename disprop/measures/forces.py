"""Forces side by side: the funnel, the inspectorate's lines as a replica, and ranges of ranks. Never a league table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from disprop.coverage import covered_only, month_coverage
from disprop.errors import Refused
from disprop.measures.dispersion import month_dispersion
from disprop.measures.exposed import Holes
from disprop.measures.measured import Measured, residents_for
from disprop.measures.pairs import pair_frame, pair_up, refuse_everyone
from disprop.measures.rates import PER, search_rate
from disprop.measures.shares import find_rate
from disprop.results import group_names, join_flags, restated, text_where
from disprop.screening import (
    FunnelLimits,
    Points,
    funnel_limits,
    natural,
    proportion_points,
    rank_interval,
    rate_points,
    rate_ratio_points,
    sd_lines,
)
from disprop.screening.funnel import LEVELS, Method
from disprop.screening.lines import TYPICAL
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

REPLICA = "replica of the inspectorate's rule"


@dataclass(frozen=True)
class _Figures:
    """One figure a force, in slices that are judged together.

    `rows` are result rows of the measure; `slices` positions in it. `points` takes positions and gives points on the
    funnel's scale, in units of which 1 is `per` of the figure's. `own` are estimates and errors nearly normal, each
    force's own: month dispersion included, the spread between forces not.
    """

    rows: pd.DataFrame
    slices: list[np.ndarray]
    points: Callable[[np.ndarray], Points]
    own: tuple[np.ndarray, np.ndarray]
    per: float = 1.0


def funnel(
    tally: Tally,
    population: Tally | None = None,
    *,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = (),
    method: Method = "additive",
    confidence: Sequence[float] = LEVELS,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Whether each force's figure is further from the others than its size and the usual spread between forces explain.

    A force without a figure (a hole, no residents, no search of the group or of the reference) takes no part and says
    why. Fewer than 3 forces with a figure: no limits, and the flag says so. `outside` means worth asking about; it
    says nothing about why, and within the limits does not mean within reason.

    Limits: `disprop.screening.funnel_limits` on logarithms of ratios, square roots of rates or arcsines of shares.
    `additive` (default): DerSimonian and Laird's variance between forces about the random-effects mean;
    `multiplicative`: winsorised dispersion; `naive`: chance alone, which nearly every large force lies outside.

    measure: what is compared; "search_rate" of everyone or by the groups in `by`, "find_rate" (axes `outcome` and
    `linked`). of, reference: for ratios, as in `rate_ratio`. by: further axes, each of their cells a funnel of its own.
    confidence: one row a level and force. Forces stand in their usual order, not by figure.

    Returns result rows: `estimate` the force's figure, `low` and `high` the funnel's limits for a force of its size.
    Raises UsageError for a reference that contains the group, and what the measure raises.

    Invented counts of four forces, on their residents:

    >>> import disprop as dp, pandas as pd
    >>> counts = {"essex": (60, 280), "kent": (40, 300), "surrey": (200, 250), "sussex": (45, 310)}
    >>> rows = [(f, g) for f, both in counts.items() for g, n in zip(("Black", "White"), both) for _ in range(n)]
    >>> records = pd.DataFrame(rows, columns=["force", "ethnicity_self"]).assign(month="2019-04")
    >>> searches = dp.tally(records, by=["ethnicity_self"])
    >>> found = funnel(searches, dp.census(2021), method="naive", confidence=[0.998])
    >>> found[found.ethnicity_self == "Black"][["force", "estimate", "low", "high", "flag"]].round(2)
         force  estimate    low   high                    flag
    8    essex      5.58   9.54  22.98  below the 99.8% limits
    9     kent      3.86   8.80  24.91  below the 99.8% limits
    10  surrey     39.50  11.05  19.85  above the 99.8% limits
    11  sussex     10.54   9.05  24.24
    """
    figures = _figures(tally, population, measure, of, reference, by, holes)
    return _each(figures, [partial(_funnel, method=method, level=float(level)) for level in confidence])


def outlier_lines(
    tally: Tally,
    population: Tally | None = None,
    *,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = (),
    more_normal: bool = False,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """The inspectorate's outlier lines: which forces lie more than one standard deviation from the unweighted mean.

    A replica, marked as such in every row: the rule leaves about 32% of forces outside whatever they do, and gives a
    small force's chance the weight of a large one's record. `funnel` is what should stand beside it.

    A force without a figure takes no part. Fewer than 3 forces, or figures all alike: no lines, and the flag says so.

    z = (x - mean) / SD on n - 1; raw values where Shapiro-Wilk's p is 0.05 or more, else logarithms where theirs is,
    else raw, as the source says; `more_normal=True`: logarithms where their W is larger. `method` prints which, with p.

    Arguments as `funnel`. Returns result rows: `low` and `high` the lines, in the unit of the figure.

    Invented counts of four forces, on their residents:

    >>> import disprop as dp, pandas as pd
    >>> counts = {"essex": (60, 280), "kent": (40, 300), "surrey": (200, 250), "sussex": (45, 310)}
    >>> rows = [(f, g) for f, both in counts.items() for g, n in zip(("Black", "White"), both) for _ in range(n)]
    >>> records = pd.DataFrame(rows, columns=["force", "ethnicity_self"]).assign(month="2019-04")
    >>> searches = dp.tally(records, by=["ethnicity_self"])
    >>> found = outlier_lines(searches, dp.census(2021))
    >>> found = found[found.ethnicity_self == "Black"]
    >>> found.method.iloc[0]
    'mean -+ 1 SD of raw values, as the source says: Shapiro-Wilk p 0.05785 raw, 0.5743 log'
    >>> found[["force", "estimate", "high"]].round(1)
         force  estimate  high
    8    essex       5.6  31.5
    9     kent       3.9  31.5
    10  surrey      39.5  31.5
    11  sussex      10.5  31.5
    """
    figures = _figures(tally, population, measure, of, reference, by, holes)
    return _each(figures, [partial(_lines, more_normal=more_normal)])


def rank_range(
    tally: Tally,
    population: Tally | None = None,
    *,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = (),
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """The places that each force may hold among the others: a range, never a rank. 1 is the highest figure.

    A force without a figure has no place, and the others are placed without it. All ranges hold together at the
    confidence stated. Errors are each force's own, month dispersion included: for ratios that of `rate_ratio`, for
    rates X^2 / (k - 1) of the monthly share of the force among all forces of its slice.

    See `disprop.screening.rank_interval`. Arguments as `funnel`. Returns result rows: `low` and `high` the places,
    `estimate` null, because one place would be a league table; forces in their usual order.

    Invented counts of four forces, on their residents:

    >>> import disprop as dp, pandas as pd
    >>> counts = {"essex": (60, 280), "kent": (40, 300), "surrey": (200, 250), "sussex": (45, 310)}
    >>> rows = [(f, g) for f, both in counts.items() for g, n in zip(("Black", "White"), both) for _ in range(n)]
    >>> records = pd.DataFrame(rows, columns=["force", "ethnicity_self"]).assign(month="2019-04")
    >>> searches = dp.tally(records, by=["ethnicity_self"])
    >>> found = rank_range(searches, dp.census(2021))
    >>> found[found.ethnicity_self == "Black"][["force", "low", "high", "unit"]]
         force  low  high           unit
    8    essex  3.0   4.0  place among 4
    9     kent  3.0   4.0  place among 4
    10  surrey  1.0   1.0  place among 4
    11  sussex  2.0   2.0  place among 4
    """
    figures = _figures(tally, population, measure, of, reference, by, holes)
    return _each(figures, [partial(_ranks, confidence=confidence)])


# The figures -------------------------------------------------------------------------------------------------------


def _figures(
    tally: Tally,
    population: Tally | None,
    measure: Measured,
    of: str,
    reference: str,
    by: Sequence[str],
    holes: Holes,
) -> _Figures:
    rest = [name for name in by if name != "force"]
    if measure == "find_rate":
        return _finds(tally, rest)
    residents = residents_for(measure, population)
    if measure == "search_rate":
        return _rates(tally, residents, rest, holes)
    return _ratios(tally, residents, of, reference, [name for name in rest if name != of], holes)


def _ratios(tally: Tally, population: Tally, of: str, reference: str, rest: Sequence[str], holes: Holes) -> _Figures:
    refuse_everyone(reference)
    pairs = pair_up(tally, population, of, reference, ["force", *rest], holes, False)
    known = pairs.reason == ""
    a, n1, c, n0 = (np.where(known, side, np.nan) for side in (pairs.a, pairs.n1, pairs.c, pairs.n0))

    def points(at: np.ndarray) -> Points:
        return rate_ratio_points(events=a[at], exposure=n1[at], reference_events=c[at], reference_exposure=n0[at])

    every = points(np.arange(len(a)))
    rows = pair_frame(pairs, {"estimate": np.exp(every.estimate), "unit": "ratio", "measure": "rate_ratio"})
    return _Figures(rows, _slices(rows), points, (every.estimate, every.error * np.sqrt(pairs.phi)))


def _rates(tally: Tally, population: Tally, rest: Sequence[str], holes: Holes) -> _Figures:
    rows = search_rate(tally, population, by=["force", *rest], holes=holes)
    known = rows["estimate"].notna().to_numpy()
    n, years = (np.where(known, rows[name].to_numpy(), np.nan) for name in ("numerator", "denominator"))
    slices = _slices(rows)
    phi = _months_apart(tally, rows, slices)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.log(n / years), np.where(n > 0, np.sqrt(phi / n), np.nan)
    return _Figures(rows, slices, lambda at: rate_points(events=n[at], exposure=years[at]), own, PER)


def _finds(tally: Tally, rest: Sequence[str]) -> _Figures:
    rows = find_rate(tally, by=["force", *rest])
    known = rows["estimate"].notna().to_numpy()
    yes, asked = (np.where(known, rows[name].to_numpy(), np.nan) for name in ("numerator", "denominator"))
    every = proportion_points(events=yes, trials=asked)
    return _Figures(
        rows,
        _slices(rows),
        lambda at: proportion_points(events=yes[at], trials=asked[at]),
        (every.estimate, every.error),
    )


def _months_apart(tally: Tally, rows: pd.DataFrame, slices: list[np.ndarray]) -> np.ndarray:
    """Dispersion of each force's monthly share among all forces of its slice, over the months it covers."""
    cover = month_coverage(tally)
    names = group_names(rows)
    cells = covered_only(tally, cover).project([*names, "month"])
    months = cells.counts[tuple([cells.axis(name).index(code) for code in rows[name]] for name in names)]
    phi = np.ones(len(rows))
    for at in slices:
        for i in at:
            used = cover.covered[cover.forces.index(rows["force"].iloc[i])]
            phi[i] = month_dispersion(months[i], months[at].sum(axis=0) - months[i], used)
    return phi


def _slices(rows: pd.DataFrame) -> list[np.ndarray]:
    """Positions of the rows that are judged together: alike in everything but the force."""
    names = [name for name in group_names(rows) if name != "force"]
    if not names:
        return [np.arange(len(rows))]
    return [np.sort(at) for at in rows.groupby(names, sort=False).indices.values()]


# What is said of them ------------------------------------------------------------------------------------------------


def _each(figures: _Figures, sayings: Sequence[Callable[[_Figures, np.ndarray], dict[str, Any]]]) -> pd.DataFrame:
    """The rows of every slice, restated by each of the sayings."""
    import pandas as pd

    frames = [_restated(figures, at, say) for at in figures.slices for say in sayings]
    return pd.concat(frames, ignore_index=True) if frames else figures.rows


def _restated(figures: _Figures, at: np.ndarray, say: Callable[[_Figures, np.ndarray], dict[str, Any]]) -> pd.DataFrame:
    rows = figures.rows.iloc[at]
    said = {"low": None, "high": None, "confidence": None, "method": None, **say(figures, at)}
    said["measure"] = f"{said['measure']}, {rows['measure'].iloc[0]}"
    said["flag"] = [join_flags(old, new) for old, new in zip(rows["flag"], said["flag"])]
    return restated(rows, said)


def _funnel(figures: _Figures, at: np.ndarray, *, method: Method, level: float) -> dict[str, Any]:
    points = figures.points(at)
    try:
        limits = funnel_limits(estimate=points.estimate, error=points.error, method=method, confidence=level)
    except Refused as why:
        return {"measure": "funnel", "flag": [f"no limits: {why}"] * len(at)}
    low, high, centre = (
        natural(value, scale=points.scale, target=points.target) * figures.per
        for value in (limits.low[0], limits.high[0], limits.centre)
    )
    side = np.sign(limits.z) * (np.abs(limits.z) > -ndtri((1 - level) / 2))
    return {
        "measure": "funnel",
        "low": low,
        "high": high,
        "confidence": level,
        "method": text_where(~np.isnan(limits.z), f"{_spread(method, limits)}, about {float(centre):.4g}"),
        "flag": [_outside(s, f"the {level:.1%} limits") for s in side],
    }


def _spread(method: Method, limits: FunnelLimits) -> str:
    if method == "additive":
        return f"additive, variance between forces {limits.tau2:.4g}"
    return f"multiplicative, dispersion {max(1.0, limits.phi):.4g}" if method == "multiplicative" else method


def _outside(side: float, what: str) -> str:
    return {1: f"above {what}", -1: f"below {what}"}.get(0 if np.isnan(side) else int(side), "")


def _lines(figures: _Figures, at: np.ndarray, *, more_normal: bool) -> dict[str, Any]:
    values = figures.rows["estimate"].to_numpy()[at]
    try:
        lines = sd_lines(values=values, more_normal=more_normal)
    except Refused as why:
        return {"measure": "outlier_lines", "flag": [f"no lines: {why}; {REPLICA}"] * len(at)}
    scale = "logarithms" if lines.scale == "log" else "raw values"
    reading = "the more normal" if more_normal else "as the source says"
    tested = f"Shapiro-Wilk p {lines.p_raw:.4g} raw, {lines.p_log:.4g} log"
    return {
        "measure": "outlier_lines",
        "low": lines.low,
        "high": lines.high,
        "method": f"mean -+ 1 SD of {scale}, {reading}: {tested}",
        "flag": [join_flags(_outside(side, "the line"), REPLICA, TYPICAL) for side in lines.side],
    }


def _ranks(figures: _Figures, at: np.ndarray, *, confidence: float) -> dict[str, Any]:
    estimate, error = (values[at] for values in figures.own)
    ranks = rank_interval(estimate=estimate, error=error, confidence=confidence)
    placed = ~np.isnan(ranks.low)
    return {
        "measure": "rank_range",
        "estimate": None,
        "low": ranks.low,
        "high": ranks.high,
        "confidence": confidence,
        "method": "pairwise differences, Bonferroni",
        "unit": f"place among {int(placed.sum())}",
        "flag": ["" if one else "no place: no figure" for one in placed],
    }
