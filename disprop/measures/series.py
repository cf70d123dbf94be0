"""Month by month: control charts that keep a budget of false alarms, and the month from which the level was another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.errors import Refused
from disprop.measures.change import Break
from disprop.measures.exposed import Holes
from disprop.measures.measured import Measured, residents_for
from disprop.measures.pairs import pair_up, refuse_everyone
from disprop.measures.rates import PER, search_rate
from disprop.measures.shares import find_rate
from disprop.months import month_label, month_number
from disprop.results import group_names, join_flags, not_computable, result_frame, text_where
from disprop.screening import adjusted_p, change_point, false_alarm_level, rate_alarm, share_alarm
from disprop.screening.alarms import BUDGET
from disprop.screening.breaks import DRAWS
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

BEFORE = 24
"""Months before a look that it is judged by, at most: two of each season."""
FEWEST = 6


@dataclass(frozen=True)
class _Series:
    """Counts of each cell by month: `events` of `base` (resident-years, or trials); NaN where there is no figure.

    `scale` turns a rate, or the odds of a share, into the figure's unit.
    """

    cells: dict[str, list[str]]
    months: list[int]
    events: np.ndarray
    base: np.ndarray
    scale: np.ndarray
    measure: Measured
    unit: str
    flags: np.ndarray

    @property
    def of_trials(self) -> bool:
        return self.measure != "search_rate"

    def figure(self, level: np.ndarray) -> np.ndarray:
        """Rates, or shares, in the figure's unit: per 1,000 a year, ratio, share."""
        if self.measure != "rate_ratio":
            return level * self.scale
        with np.errstate(divide="ignore", invalid="ignore"):
            return level / (1 - level) * self.scale

    def starts(self, breaks: Sequence[Break]) -> np.ndarray:
        """Cell x month: position of the month from which figures compare with this one."""
        starts = np.zeros(self.events.shape, dtype=np.int64)
        for one in breaks:
            at = int(np.searchsorted(self.months, month_number(one.month)))
            starts[_cells_of(self.cells, one), at:] = np.maximum(starts[_cells_of(self.cells, one), at:], at)
        return starts


def control_chart(
    tally: Tally,
    population: Tally | None = None,
    *,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = ("force",),
    looks_a_year: float = 12,
    cells: int | None = None,
    budget: float = BUDGET,
    breaks: Sequence[Break] = (),
) -> pd.DataFrame:
    """Each month against the months before it, so that a recipient expects one false alarm a year, or fewer.

    A month is judged by up to 24 months with a figure before it and after the last declared break; with fewer than 6
    it is not assessed. Holes are neither looked at nor looked back on. `above` and `below` say that a month was
    unlike those before; an alarm is a question, and it stays in the months that later ones are judged by.

    Limits: `rate_alarm` for rates, `share_alarm` for finds and for ratios, where the group's share of (group +
    reference) is watched, so that a month of more searches of everybody does not ring; limits are shown as ratios.
    Level of each look = budget / (cells x looks a year). Counts are divided by the dispersion of the months before,
    max(1, X^2 / (k - 1)), and the limits allow for that being an estimate on k - 1 degrees of freedom.

    measure, of, reference: as in `disprop.measures.forces.funnel`. by: axes of the cells. cells: how many the
    recipient watches; default all in this chart. breaks: from `disprop.measures.change.declared_breaks`.

    Returns result rows, one a cell and month: `estimate` the month's figure, `denominator` the count expected, `low`
    and `high` the control limits, `confidence` 1 - level. Raises what the measure raises.

    >>> import disprop as dp
    >>> months = [f"{year}-{month:02d}" for year in (2018, 2019) for month in range(1, 13)]
    >>> searches = dp.tally(dp.synthetic.make_records(months=months), by=["ethnicity_self"])
    >>> found = control_chart(searches, dp.synthetic.population())
    >>> found = found[found.ethnicity_self == "Black"]
    >>> found[["month", "numerator", "denominator", "low", "estimate", "high"]].tail(2).round(2)
          month  numerator  denominator   low  estimate  high
    70  2019-11      151.0       164.71  1.95      2.74  4.35
    71  2019-12      153.0       148.34  1.90      3.13  4.38
    >>> sorted(set(found.flag.fillna("")))
    ['', 'not assessed: fewer than 6 months before']
    """
    series = _series(tally, population, measure, of, reference, by)
    level = false_alarm_level(cells=cells or max(1, len(series.events)), looks_a_year=looks_a_year, budget=budget)
    past, past_base, phi, k = _before(series, series.starts(breaks))
    watch = share_alarm if series.of_trials else rate_alarm
    names = ("events", "trials", "base_events", "base_trials")
    names = names if series.of_trials else ("events", "exposure", "base_events", "base_exposure")
    sides = dict(zip(names, (series.events, series.base, past, past_base)))
    alarm = watch(**sides, level=level, dispersion=phi, degrees=np.maximum(k - 1, 1))
    return _chart_rows(series, alarm, phi, k, level, breaks)


def change_points(
    tally: Tally,
    population: Tally | None = None,
    *,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = ("force",),
    breaks: Sequence[Break] = (),
    seed: int = 1,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """The likeliest month of a change of level in each cell, how large it was, and how often chance looks like that.

    Every series gets a row, whether or not it changed; the flag gives the chance that months in another order show as
    large a change, adjusted for the number of series (Benjamini and Hochberg). Series are not read across a declared
    break: each stretch between breaks has its own row. A stretch of fewer than 6 months with a figure says so. No
    limits: limits around a month that was chosen for being extreme would be too narrow.

    See `disprop.screening.change_point`. Arguments as `control_chart`; seed: the same seed gives the same chances.
    Returns result rows with the column `month`, the first of the new level; `estimate` the figure after over before.

    >>> import disprop as dp
    >>> months = [f"{year}-{month:02d}" for year in (2018, 2019) for month in range(1, 13)]
    >>> searches = dp.tally(dp.synthetic.make_records(months=months), by=["ethnicity_self"])
    >>> found = change_points(searches, dp.synthetic.population())
    >>> found[["ethnicity_self", "month", "estimate"]].round(2)
      ethnicity_self    month  estimate
    0          Mixed  2018-07      0.88
    1          Asian  2018-05      0.95
    2          Black  2019-07      0.84
    3          Other  2019-08      1.19
    >>> found.flag[2]
    'chance of as large a change 0.3 if months came in any order'
    """
    series = _series(tally, population, measure, of, reference, by)
    starts = series.starts(breaks)
    stretches = [(cell, at) for cell, row in enumerate(starts) for at in _stretches(row)]
    found = [_change(series, cell, at, seed, draws) for cell, at in stretches]
    p = adjusted_p(p_values=[one["p"] for one in found]) if found else np.empty(0)
    return result_frame(
        {
            **{name: [codes[cell] for cell, _ in stretches] for name, codes in series.cells.items()},
            "month": [one["month"] for one in found],
        },
        {
            "measure": f"change_points, {measure}",
            "estimate": [one["estimate"] for one in found],
            "method": f"likelihood-ratio scan, {draws:,} shuffles",
            "unit": "ratio",
            "reference": "the level before",
            "flag": [
                one["flag"] or f"chance of as large a change {q:.2g} if months came in any order"
                for one, q in zip(found, p)
            ],
        },
    )


# The series ----------------------------------------------------------------------------------------------------------


def _series(
    tally: Tally, population: Tally | None, measure: Measured, of: str, reference: str, by: Sequence[str]
) -> _Series:
    rest = [name for name in by if name not in ("month", of if measure == "rate_ratio" else "")]
    if measure == "find_rate":
        return _laid(find_rate(tally, by=[*rest, "month"]), measure)
    residents = residents_for(measure, population)
    if measure == "search_rate":
        return _laid(search_rate(tally, residents, by=[*rest, "month"], holes=_COVERED), measure)
    return _ratio_series(tally, residents, of, reference, rest)


_COVERED: Holes = "covered"


def _laid(rows: pd.DataFrame, measure: Measured) -> _Series:
    """Result rows by month as series."""
    names = [name for name in group_names(rows) if name != "month"]
    known = rows["estimate"].notna().to_numpy()
    events, base = (np.where(known, rows[name].to_numpy(), np.nan) for name in ("numerator", "denominator"))
    scale = np.full(len(rows), float(PER) if measure == "search_rate" else 1.0)
    groups = {name: rows[name].tolist() for name in names}
    unit = rows["unit"].iloc[0] if len(rows) else ""
    return _placed(groups, rows["month"].tolist(), events, base, scale, rows["flag"].fillna(""), measure, unit)


def _ratio_series(tally: Tally, population: Tally, of: str, reference: str, rest: Sequence[str]) -> _Series:
    refuse_everyone(reference)
    pairs = pair_up(tally, population, of, reference, [*rest, "month"], _COVERED, False)
    known = pairs.reason == ""
    events, base = (np.where(known, side, np.nan) for side in (pairs.a, pairs.a + pairs.c))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = pairs.n0 / pairs.n1
    groups = {name: codes for name, codes in pairs.groups.items() if name != "month"}
    flags = [join_flags(not_computable(why), flag) for why, flag in zip(pairs.reason, pairs.flag)]
    return _placed(groups, pairs.groups["month"], events, base, scale, flags, "rate_ratio", "ratio")


def _placed(
    groups: dict[str, list[str]],
    months: Sequence[str],
    events: np.ndarray,
    base: np.ndarray,
    scale: np.ndarray,
    flags: Any,
    measure: Measured,
    unit: str,
) -> _Series:
    """Flat rows as cell x month; a month without a row has no figure."""
    keys = list(zip(*groups.values())) if groups else [()] * len(months)
    cells = list(dict.fromkeys(keys))
    numbers = [month_number(month) for month in months]
    every = list(range(min(numbers), max(numbers) + 1)) if numbers else []
    at = np.array([cells.index(key) for key in keys], dtype=int), np.array([n - every[0] for n in numbers], dtype=int)
    laid = [np.full((len(cells), len(every)), np.nan) for _ in range(3)]
    for grid, values in zip(laid, (events, base, scale)):
        grid[at] = values
    remarks = np.full((len(cells), len(every)), "", dtype=object)
    remarks[at] = list(flags)
    named = {name: [key[i] for key in cells] for i, name in enumerate(groups)}
    counted, of, factor = laid
    return _Series(named, every, counted, of, factor, measure, unit, remarks)


def _cells_of(cells: dict[str, list[str]], one: Break) -> np.ndarray:
    """Which cells a break concerns: those of its force, or all."""
    count = len(next(iter(cells.values()), [""]))
    if one.force is None or "force" not in cells:
        return np.ones(count, dtype=bool)
    return np.array([force == one.force for force in cells["force"]])


# Charts --------------------------------------------------------------------------------------------------------------


def _before(series: _Series, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Events, base, dispersion and number of the months that each month is judged by; NaN where they are too few."""
    past, base, phi, k = (np.full(series.events.shape, value) for value in (np.nan, np.nan, 1.0, 0.0))
    usable = ~np.isnan(series.events) & (series.base > 0)
    for cell, month in np.argwhere(usable):
        earlier = np.flatnonzero(usable[cell, starts[cell, month] : month])[-BEFORE:] + starts[cell, month]
        if len(earlier) < FEWEST:
            continue
        x, n = series.events[cell, earlier], series.base[cell, earlier]
        past[cell, month], base[cell, month], k[cell, month] = x.sum(), n.sum(), len(earlier)
        phi[cell, month] = _dispersion(x, n, series.of_trials)
    return past, base, phi, k


def _dispersion(x: np.ndarray, n: np.ndarray, of_trials: bool) -> float:
    """max(1, X^2 / (k - 1)) of counts about their common rate or share."""
    level = x.sum() / n.sum()
    expected = n * level * ((1 - level) if of_trials else 1.0)
    if not (expected > 0).all():
        return 1.0
    return max(1.0, float(((x - n * level) ** 2 / expected).sum() / (len(x) - 1)))


def _chart_rows(
    series: _Series, alarm: Any, phi: np.ndarray, k: np.ndarray, level: float, breaks: Sequence[Break]
) -> pd.DataFrame:
    shape = series.events.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = series.events / series.base
        low, high, figure = alarm.low, alarm.high, series.figure(rate)
        expected = alarm.expected
        if series.of_trials:
            expected = expected * series.base
        else:
            low, high = low / series.base, high / series.base
    month = np.broadcast_to([month_label(m) for m in series.months], shape)
    assessed = ~np.isnan(np.asarray(low, dtype=float))
    flags = _chart_flags(series, alarm.signal, assessed, breaks)
    method = [f"exact, dispersion {one:.2f} on {n - 1:.0f} df" for one, n in zip(phi.reshape(-1), k.reshape(-1))]
    cells = {name: np.repeat(codes, shape[1]).tolist() for name, codes in series.cells.items()}
    return result_frame(
        {**cells, "month": month.reshape(-1).tolist()},
        {
            "measure": f"control_chart, {series.measure}",
            "numerator": series.events.reshape(-1),
            "denominator": np.asarray(expected).reshape(-1),
            "estimate": figure.reshape(-1),
            "low": series.figure(np.asarray(low)).reshape(-1),
            "high": series.figure(np.asarray(high)).reshape(-1),
            "confidence": 1 - level,
            "method": text_where(assessed.reshape(-1), method),
            "unit": series.unit,
            "reference": "the months before",
            "flag": flags,
        },
    )


def _chart_flags(series: _Series, signal: np.ndarray, assessed: np.ndarray, breaks: Sequence[Break]) -> list[str]:
    words = np.select([signal > 0, signal < 0], ["above the control limits", "below the control limits"], "")
    few = np.where(~assessed & ~np.isnan(series.events), f"not assessed: fewer than {FEWEST} months before", "")
    drawn = np.full(words.shape, "", dtype=object)
    for one in breaks:
        if month_number(one.month) in series.months:
            at = series.months.index(month_number(one.month))
            drawn[_cells_of(series.cells, one), at] = f"a break declared here: {one.note}"
    every = zip(*(grid.reshape(-1) for grid in (words, few, drawn, series.flags)))
    return [join_flags(*texts) for texts in every]


# Change points -------------------------------------------------------------------------------------------------------


def _stretches(starts: np.ndarray) -> list[np.ndarray]:
    """Positions of the months between breaks."""
    return [np.flatnonzero(starts == start) for start in np.unique(starts)]


def _change(series: _Series, cell: int, at: np.ndarray, seed: int, draws: int) -> dict[str, Any]:
    events, base = series.events[cell, at], np.nan_to_num(series.base[cell, at])
    try:
        found = change_point(events=events, exposure=base, of_trials=series.of_trials, seed=seed, draws=draws)
    except Refused as why:
        return {"month": None, "estimate": np.nan, "p": np.nan, "flag": f"not assessed: {why}"}
    levels = np.array([found.before, found.after])
    if series.measure == "rate_ratio":
        levels = levels / (1 - levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = levels[1] / levels[0]
    return {"month": month_label(series.months[at[found.at]]), "estimate": change, "p": found.p, "flag": ""}
