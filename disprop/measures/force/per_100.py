"""Force beside searches or arrests: two tallies divided, which must define their groups alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from disprop.coverage import Coverage, covered_only, month_coverage
from disprop.errors import CodelistMismatch, Refused
from disprop.measures.exposed import Holes, month_counts
from disprop.measures.force.items import ITEMS, check_unit, each_item
from disprop.measures.ratios import widest_limits
from disprop.records import OPEN_LISTS
from disprop.results import groups_of, join_flags, not_computable, result_frame, text_where
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

PER = 100
HOLE = (
    "a month of the period is not covered on both sides "
    "(ask for the covered months, --covered, to have the figure on the months there are)"
)
PARTLY = "on the months that both cover"
NOT_JOINED = "reports beside {unit}, not joined to them: a report need not be of one of them"


@dataclass(frozen=True)
class _Sides:
    """Counts of both sides over the axes of the rows, on the force-months that both cover."""

    groups: dict[str, list[str]]
    n: np.ndarray
    of: np.ndarray
    n_unknown: np.ndarray
    of_unknown: np.ndarray
    covered: np.ndarray
    period: np.ndarray
    withheld: np.ndarray
    left_out: str


def force_per_100_searches(
    tally: Tally,
    searches: Tally,
    *,
    by: Sequence[str] = ("force", "ethnicity_officer"),
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Force reports (or uses of tactics) per 100 searches, by groups that both sides define alike.

    Officer-defined ethnicity is divided by officer-defined ethnicity, never by what people say of themselves. Above 100
    is possible: three officers may use force in one search, and force is used without any. Only force-months that both
    sides cover count; over a named period with a hole on either side the figure is withheld (`holes="covered"` gives it
    on the months there are), and over a published year always. No searches: no figure.

    rate = reports / searches x 100; limits those of a ratio of two Poisson counts (score; mid-P below 50), without a
    spread between months. Bounds: unknown groups of the searches all in the group, then those of the reports.

    tally: unit force reports or tactics; searches: unit searches; by: axes of both, and an axis of items of the tally.
    Returns one row a cell, columns as in `disprop.results.COLUMNS`; by officer also `n`, the smaller of the two counts,
    which says whether the row may be shown (`disprop.disclosure`). Raises Refused where ethnicity is not defined
    alike, CodelistMismatch for other lists (the age bands differ), UnitMismatch for other units.

    >>> import disprop as dp
    >>> made = dp.synthetic.make_encounters(months=["2023-04", "2023-05"])
    >>> kinds = ("force_report", "search")
    >>> reports, searches = (dp.tally(made.source(kind), by=["ethnicity_officer"]) for kind in kinds)
    >>> per = force_per_100_searches(reports, searches, by=["ethnicity_officer"])
    >>> per[["ethnicity_officer", "numerator", "denominator", "estimate", "low", "high"]].round(1)
      ethnicity_officer  numerator  denominator  estimate   low   high
    0             White     1007.0       2063.0      48.8  45.3   52.6
    1             Mixed        5.0          6.0      83.3  23.4  285.7
    2             Asian      316.0        637.0      49.6  43.4   56.8
    3             Black      259.0        466.0      55.6  47.8   64.7
    4             Other       47.0         70.0      67.1  46.2   97.0
    """
    return _per(tally, searches, "searches", by, confidence, holes)


def force_per_100_arrests(
    tally: Tally,
    arrests: Tally,
    *,
    by: Sequence[str] = ("force", "ethnicity_officer"),
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Force reports (or uses of tactics) per 100 arrests; otherwise as `force_per_100_searches`.

    Custody records often have self-defined ethnicity alone, force reports the officer's: then it is refused.

    >>> import disprop as dp
    >>> made = dp.synthetic.make_encounters(months=["2023-04", "2023-05"])
    >>> reports, arrests = (dp.tally(made.source(kind), by=["gender"]) for kind in ("force_report", "custody"))
    >>> per = force_per_100_arrests(reports, arrests, by=["gender"])
    >>> per[["gender", "numerator", "denominator", "estimate"]].round(1)
       gender  numerator  denominator  estimate
    0    Male     1472.0       1756.0      83.8
    1  Female      175.0        216.0      81.0
    2   Other        6.0          5.0     120.0
    """
    return _per(tally, arrests, "arrests", by, confidence, holes)


def _per(tally: Tally, other: Tally, unit: str, by: Sequence[str], confidence: float, holes: Holes) -> pd.DataFrame:
    check_unit(other, unit)
    _check_alike(tally, other, by, unit)
    yearly = "month" not in tally.names

    def rows(one: Tally, names: list[str]) -> pd.DataFrame:
        found = _sides(one, other, names, strict=yearly or holes == "whole")
        return _frame(found, f"{tally.unit} per 100 {unit}", NOT_JOINED.format(unit=unit), confidence)

    return each_item(tally, by, rows, measure=f"force_per_100_{unit}")


def _check_alike(tally: Tally, other: Tally, by: Sequence[str], unit: str) -> None:
    """Refuses groups that the two sides define otherwise."""
    for name in by:
        if name in ITEMS:
            continue
        here, there = (side.axis(name) if name in side.names else None for side in (tally, other))
        if name.startswith("ethnicity") and (here is None or there is None):
            has = [one for one in (other if there is None else tally).names if one.startswith("ethnicity")]
            raise Refused(
                f"{name} is on one side only (the other has {', '.join(has) or 'no ethnicity'}): what the officer "
                "perceives cannot be divided by what people say of themselves; tally both by ethnicity_officer"
            )
        if other.axis(name).codelist != tally.axis(name).codelist:
            raise CodelistMismatch(
                f"{name}: force is counted in {tally.axis(name).codelist}, {unit} in {other.axis(name).codelist}; "
                "numerator and denominator must define groups alike"
            )


def _sides(tally: Tally, other: Tally, names: list[str], *, strict: bool) -> _Sides:
    """Both sides over `names`, on the force-months that both cover."""
    first, second = month_coverage(tally), month_coverage(other)
    cover = _joint(first, second)
    for name in set(names) & set(OPEN_LISTS):
        codes = {*tally.axis(name).codes, *other.axis(name).codes}
        tally, other = tally.widen(name, codes), other.widen(name, codes)
    n, of = (covered_only(side, cover).project(names) for side in (tally, other))
    keep, shape = _kept(n.axes, n.counts + of.counts), n.counts.shape
    covered, period = (np.broadcast_to(values, shape)[keep] for values in month_counts(cover, n.axes))
    left_out = sorted({*first.forces, *second.forces} - {*cover.forces})
    return _Sides(
        groups=groups_of(n.axes, keep),
        n=n.counts[keep],
        of=of.counts[keep],
        n_unknown=_unknown(n)[keep],
        of_unknown=_unknown(of)[keep],
        covered=covered,
        period=period,
        withheld=(covered < period) & (strict and cover.named),
        left_out=f"without {', '.join(left_out)}: not on both sides" if left_out else "",
    )


def _joint(one: Coverage, other: Coverage) -> Coverage:
    """Coverage of both: a force-month is as well covered as on its worse side; months are those of the named period."""
    forces = [force for force in one.forces if force in other.forces]
    spans = [cover.months for cover in (one, other) if cover.named] or [one.months, other.months]
    months = [month for month in spans[0] if all(month in span for span in spans)]
    state, low, rows = (
        how(*(_placed(getattr(cover, name), cover, forces, months) for cover in (one, other)))
        for name, how in (("state", np.minimum), ("low", np.maximum), ("rows", np.minimum))
    )
    return Coverage(tuple(forces), tuple(months), state, low, rows, one.named or other.named)


def _placed(values: np.ndarray, cover: Coverage, forces: Sequence[str], months: Sequence[int]) -> np.ndarray:
    """Values of these forces and months; 0 (missing, no rows) where the coverage has no such month."""
    out = np.zeros((len(forces), len(months)), dtype=values.dtype)
    at = [cover.months.index(month) for month in months if month in cover.months]
    to = [i for i, month in enumerate(months) if month in cover.months]
    out[:, to] = values[np.ix_([cover.forces.index(force) for force in forces], at)]
    return out


def _kept(axes: Sequence[Axis], occurs: np.ndarray) -> np.ndarray:
    """Cells that get a row: known groups of people, and of everything else what occurs."""
    keep = np.ones(occurs.shape, dtype=bool)
    for at, axis in enumerate(axes):
        over = tuple(i for i in range(occurs.ndim) if i != at)
        known = axis.name in ("force", "month") or np.isin(axis.codes, axis.groups) & (occurs.sum(axis=over) > 0)
        keep &= np.broadcast_to(known, len(axis)).reshape([-1 if i == at else 1 for i in range(occurs.ndim)])
    return keep


def _unknown(side: Tally) -> np.ndarray:
    """Records of each cell's force and month whose group is unknown on some axis."""
    known = side.counts
    over = tuple(i for i, axis in enumerate(side.axes) if axis.name not in ("force", "month"))
    for at in over:
        axis = side.axes[at]
        shape = [-1 if i == at else 1 for i in range(known.ndim)]
        known = known * np.isin(axis.codes, axis.groups).reshape(shape)
    return np.broadcast_to((side.counts - known).sum(axis=over, keepdims=True), side.counts.shape)


def _per_100(found: _Sides) -> list[np.ndarray]:
    """The figure; the least that it can be, if every unknown were below the line; and the most, if above."""
    pairs = [
        (found.n, found.of),
        (found.n, found.of + found.of_unknown),
        (found.n + found.n_unknown, found.of),
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        return [top / bottom * PER for top, bottom in pairs]


def _frame(found: _Sides, unit: str, note: str, confidence: float) -> pd.DataFrame:
    given = (found.of > 0) & ~found.withheld
    one = np.ones(len(found.n))
    low, high, method = widest_limits(
        events=found.n,
        exposure=one,
        reference_events=found.of,
        reference_exposure=one,
        dispersion=one,
        confidence=confidence,
    )
    estimate, least, most = _per_100(found)
    why = np.where(found.withheld, HOLE, np.where(found.of == 0, "nothing to divide by", "")).tolist()
    partly = np.where(found.covered < found.period, PARTLY, "").tolist()
    rows = result_frame(
        found.groups,
        {
            "measure": "force_per_100",
            "numerator": found.n,
            "denominator": found.of,
            "estimate": np.where(given, estimate, np.nan),
            "low": np.where(given, low * PER, np.nan),
            "high": np.where(given, high * PER, np.nan),
            "confidence": confidence,
            "method": text_where(given, method),
            "unit": unit,
            "bound_low": np.where(given, least, np.nan),
            "bound_high": np.where(given, most, np.nan),
            "n_unknown": found.n_unknown,
            "covered_months": found.covered,
            "period_months": found.period,
            "flag": [
                join_flags(not_computable(reason), also, found.left_out, note) for reason, also in zip(why, partly)
            ],
        },
    )
    # Ten reports over three searches tell of three searches: either count may give somebody away.
    return rows.assign(n=np.minimum(found.n, found.of)) if "officer" in found.groups else rows
