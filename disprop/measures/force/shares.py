"""Of the force reports: how many have compliant handcuffing, led to an injury, or were to effect a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import ANY, NONE, UNMAPPED
from disprop.errors import UsageError
from disprop.measures.force.items import REPORTS, check_unit, having, without_items
from disprop.measures.shares import Answers, months_behind, of_covered_months, rows_by, share_frame
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

COMPLIANT, NOT_SAID = "Compliant handcuffing", "Handcuffing not stated"
EFFECT_SEARCH = "Effect search"
SEVERITIES = {
    "any": (("Minor", "Severe", "Death", "Severity not stated"), ("None",)),
    "severe or fatal": (("Severe", "Death"), ("None", "Minor")),
}
"""Degree -> codes that say yes, codes that say no; the others are unknown."""


def compliant_handcuffing_share(
    tally: Tally, *, by: Sequence[str] | None = None, alone: Tally | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Share of the reports with any force that have compliant handcuffing.

    Forces under-record it, and a force that begins to record it has many more reports of force the next month: compare
    shares and rates only between forces and months that record it alike (`handcuffing_recording` finds the jumps).
    Unknown are reports with handcuffing of which the kind is not stated, and those with a tactic that is not
    understood; reports without force are left out. Refused, bounded or given as `find_rate` is; limits Wilson. Forms
    that often leave the kind out (over 5% of the reports) give bounds only: any of these may have been compliant.

    alone: a tally of the reports whose only force it is (`only_tactic`), for rows of a second measure,
    `compliant_handcuffing_alone_share`. tally: unit force reports, axis `tactic`. by: axes of the rows; default every
    other axis but month. Columns and errors as `find_rate`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> share = compliant_handcuffing_share(dp.tally(reports, by=["tactic"]))
    >>> share[["numerator", "denominator", "estimate", "bound_low", "bound_high"]].round(2)
       numerator  denominator  estimate  bound_low  bound_high
    0      298.0        809.0       NaN       0.37        0.46
    """
    import pandas as pd

    check_unit(tally, REPORTS)
    names = rows_by(tally, by, ("tactic",))
    every, yes, silent, strange = (
        _reports(tally, "tactic", code, names) for code in (ANY, COMPLIANT, NOT_SAID, UNMAPPED)
    )
    unknown = np.minimum(every - yes, silent + strange)
    axes = _rows_axes(tally, names)
    rows = share_frame(
        tally, _answers(tally, axes, yes, every - yes - unknown, unknown), "compliant_handcuffing_share", confidence,
        note="of reports with any force",
    )  # fmt: skip
    if alone is None:
        return rows
    only = _only(alone, tally, names)
    answers = _answers(tally, axes, only, every - only - unknown, unknown)
    more = share_frame(
        tally, answers, "compliant_handcuffing_alone_share", confidence, note="of reports with any force"
    )
    return pd.concat([rows, more], ignore_index=True)


def effect_search_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of force reports whose reasons include effecting a search, among those that give a reason.

    A reason belongs to the report, not to one of its tactics. Whether there was a search, and which, the report does
    not say: `force_per_100_searches` sets it beside the searches, `with_force_used` finds the search.

    tally: unit force reports, axis `reason`. Arguments, columns and errors as `compliant_handcuffing_share`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> effect_search_share(dp.tally(reports, by=["reason"]))[["numerator", "denominator", "estimate"]].round(2)
       numerator  denominator  estimate
    0      322.0        809.0       0.4
    """
    check_unit(tally, REPORTS)
    names = rows_by(tally, by, ("reason",))
    every, yes, none = (_reports(tally, "reason", code, names) for code in (ANY, EFFECT_SEARCH, NONE))
    return share_frame(
        tally,
        _answers(tally, _rows_axes(tally, names), yes, every - yes, none),
        "effect_search_share",
        confidence,
        note="",
    )


def officer_injury_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of force reports in which the officer was injured, and in which severely.

    Column `injury` says which: "any", or "severe or fatal", of which an injury without its severity is unknown. Three
    states: blank is not unhurt. One injured officer is one report; refused, bounded or given as `find_rate` is.

    tally: unit force reports, axis `officer_injury`. Arguments, columns and errors as `compliant_handcuffing_share`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> injured = officer_injury_share(dp.tally(reports, by=["officer_injury"]))
    >>> injured[["injury", "numerator", "denominator", "estimate"]].round(3)
                injury  numerator  denominator  estimate
    0              any       49.0        809.0     0.061
    1  severe or fatal        1.0        809.0     0.001
    """
    return _injury_share(tally, "officer_injury", by, confidence)


def person_injury_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of force reports in which the person was injured, and in which severely or fatally.

    A share of reports, not of people: several officers may report the injury of one person.
    Otherwise as `officer_injury_share`; tally axis `person_injury`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> injured = person_injury_share(dp.tally(reports, by=["person_injury"]))
    >>> injured[["injury", "numerator", "denominator", "estimate"]].round(3)
                injury  numerator  denominator  estimate
    0              any       78.0        809.0     0.096
    1  severe or fatal        7.0        809.0     0.009
    """
    return _injury_share(tally, "person_injury", by, confidence)


def force_in_search_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of searches in which force was used to effect the search, by reports joined to them.

    No report found is no force only as far as every use of force is reported and its officer or reference recorded:
    an under-count, whatever the limits. Unknown are searches without anything to join by, and those near a report that
    is of one of several.

    tally: unit searches, axis `force_used` (see `with_force_used`). Columns and errors as `find_rate`.

    >>> import disprop as dp
    >>> made = dp.synthetic.make_encounters(months=["2023-04"])
    >>> joined = dp.with_force_used(made.source("search"), made.source("force_report"))
    >>> force_in_search_share(dp.tally(joined, by=["force_used"]))[["numerator", "denominator", "estimate"]].round(3)
       numerator  denominator  estimate
    0      260.0       1594.0     0.163
    """
    check_unit(tally, "searches")
    names = rows_by(tally, by, ("force_used",))
    turned = of_covered_months(tally).project([*names, "force_used"])
    axis = turned.axes[-1]
    yes, no = (
        turned.counts[..., [axis.index(one) for one in codes]].sum(axis=-1) for codes in (_JOINED, ("no report",))
    )
    unknown = turned.counts.sum(axis=-1) - yes - no
    answers = _answers(tally, turned.axes[:-1], yes, no, unknown)
    return share_frame(tally, answers, "force_in_search_share", confidence, note="by reports joined to searches")


_JOINED = ("by reference", "by officer and time")


def _injury_share(tally: Tally, axis: str, by: Sequence[str] | None, confidence: float) -> pd.DataFrame:
    import pandas as pd

    check_unit(tally, REPORTS)
    names = rows_by(tally, by, (axis,))
    turned = of_covered_months(tally).project([*names, axis])
    at, found = turned.axes[-1], []
    for degree, states in SEVERITIES.items():
        yes, no = (turned.counts[..., [at.index(code) for code in codes]].sum(axis=-1) for codes in states)
        answers = _answers(tally, turned.axes[:-1], yes, no, turned.counts.sum(axis=-1) - yes - no)
        rows = share_frame(tally, answers, f"{axis}_share", confidence, note="")
        rows.insert(len(names), "injury", degree)
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def _reports(tally: Tally, axis: str, code: str, names: Sequence[str]) -> np.ndarray:
    """Reports of the covered months that have an item, over the axes of the rows."""
    return of_covered_months(having(tally, axis, code)).project(names).counts


def _only(alone: Tally, tally: Tally, names: Sequence[str]) -> np.ndarray:
    """Reports whose only force it is, over the same force-months and axes."""
    if {*alone.axis("force").codes} - {*tally.axis("force").codes} or alone.total > tally.total:
        raise UsageError("alone= counts other reports than the tally; tally only_tactic(...) of the same records")
    return of_covered_months(alone).project(names).counts


def _answers(tally: Tally, axes: Sequence[Axis], yes: np.ndarray, no: np.ndarray, unknown: np.ndarray) -> Answers:
    return Answers(tuple(axes), yes, no, unknown, yes + no + unknown, unknown, *months_behind(tally, axes))


def _rows_axes(tally: Tally, names: Sequence[str]) -> tuple[Axis, ...]:
    """Axes of the rows, over the force-months of the period."""
    return of_covered_months(without_items(tally)).project(names).axes
