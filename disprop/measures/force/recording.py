"""A sentinel for use of force: did a force begin, or cease, to record compliant handcuffing?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from disprop.codelists import ANY
from disprop.coverage import covered_only, month_coverage
from disprop.measures.force.items import REPORTS, check_unit, having
from disprop.measures.force.shares import COMPLIANT
from disprop.months import month_label
from disprop.results import result_frame
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

SIDE = 3
"""Months compared on each side of a month: a quarter."""
TIMES = 1.5
"""The odds must change by this factor, up or down."""
ERRORS = 4.0
"""And by more than this many standard errors: chance alone does so once in 16,000 looks."""


@dataclass(frozen=True)
class _Change:
    """Compliant handcuffing among reports with force, in the quarters before and after the start of a month."""

    month: int
    yes: tuple[float, float]
    every: tuple[float, float]
    dispersion: float

    @property
    def odds(self) -> float:
        (a, b), (n, m) = self.yes, self.every
        return float(np.log(b + 0.5) - np.log(m - b + 0.5) - np.log(a + 0.5) + np.log(n - a + 0.5))

    @property
    def error(self) -> float:
        cells = (*self.yes, *(n - a for a, n in zip(self.yes, self.every)))
        return float(np.sqrt(self.dispersion * sum(1 / (cell + 0.5) for cell in cells)))

    @property
    def size(self) -> float:
        """Standard errors from no change."""
        return abs(self.odds) / self.error

    @property
    def is_jump(self) -> bool:
        return abs(self.odds) > np.log(TIMES) and self.size > ERRORS

    @property
    def text(self) -> str:
        before, after = (a / n for a, n in zip(self.yes, self.every))
        reports = self.every[1] / self.every[0] - 1
        return (
            f"compliant handcuffing is in {after:.0%} of reports in the quarter from {month_label(self.month)}, "
            f"{before:.0%} in the one before, and all reports with force changed by {reports:+.1%}: if recording "
            "changed, declare a break and compare neither rates nor shares across it"
        )


def handcuffing_recording(tally: Tally, *, confidence: float = 0.95) -> pd.DataFrame:
    """Months at which a force's share of compliant handcuffing jumps: a change of recording before one of policing.

    In the third quarter of 2024/25 Kent's use of force rose by 71.5% after missing compliant handcuffing had been
    recovered. A jump never changes a count: it is a question to the force, and a place for a declared break.

    Each month with 3 covered months before it and 3 from it on is looked at. Flagged: the odds of compliant handcuffing
    among reports with any force change by a factor of 1.5 or more, and by more than 4 standard errors of their
    logarithm (1/2 added to each count), allowing for the spread of the months around their quarter. Of months next to
    each other that are flagged, the one with the largest change in standard errors is named.

    tally: unit force reports, axis `tactic`, by month. Returns one row a jump, no row where there is none: numerator
    and denominator of the quarter from that month; estimate, low, high: ratio of the odds.

    >>> import disprop as dp, pandas as pd
    >>> months = [f"2024-{month:02d}" for month in range(1, 13)]
    >>> rows = [(month, "Shield") for month in months for _ in range(100)]
    >>> rows += [(month, "Compliant handcuffing") for month in months for _ in range(110 if month < "2024-10" else 250)]
    >>> table = pd.DataFrame(rows, columns=["month", "tactics"])
    >>> reports = dp.tally(dp.read_frame(table, force="kent", kind="force_report"), by=["tactic"])
    >>> handcuffing_recording(reports)[["force", "month", "numerator", "denominator", "estimate"]].round(2)
      force    month  numerator  denominator  estimate
    0  kent  2024-10      750.0       1050.0      2.27
    """
    check_unit(tally, REPORTS)
    cover = month_coverage(tally)
    yes, every = (
        covered_only(having(tally, "tactic", code), cover).project(["force", "month"]).counts
        for code in (COMPLIANT, ANY)
    )
    found = [
        (force, jump)
        for i, force in enumerate(cover.forces)
        for jump in _jumps(list(_changes(cover.months, cover.covered[i], yes[i], every[i])))
    ]
    jumps, half = [jump for _, jump in found], ndtri(0.5 + confidence / 2)
    odds, error = (np.array([getattr(jump, name) for jump in jumps]) for name in ("odds", "error"))
    return result_frame(
        {"force": [force for force, _ in found], "month": [month_label(jump.month) for jump in jumps]},
        {
            "measure": "handcuffing_recording",
            "numerator": [jump.yes[1] for jump in jumps],
            "denominator": [jump.every[1] for jump in jumps],
            "estimate": np.exp(odds),
            "low": np.exp(odds - half * error),
            "high": np.exp(odds + half * error),
            "confidence": confidence,
            "method": "log odds, month dispersion",
            "unit": "ratio of odds",
            "flag": [jump.text for jump in jumps],
        },
    )


def _changes(months: tuple[int, ...], covered: np.ndarray, yes: np.ndarray, every: np.ndarray) -> Iterator[_Change]:
    """The change at every month that has a covered quarter on each side, with reports in both."""
    for at in range(SIDE, len(months) - SIDE + 1):
        sides = slice(at - SIDE, at), slice(at, at + SIDE)
        if covered[at - SIDE : at + SIDE].all() and all(every[side].sum() for side in sides):
            a, n = ((float(values[sides[0]].sum()), float(values[sides[1]].sum())) for values in (yes, every))
            spread = sum(_spread(yes[side], every[side]) for side in sides) / (2 * (SIDE - 1))
            yield _Change(months[at], a, n, max(1.0, spread))


def _spread(yes: np.ndarray, every: np.ndarray) -> float:
    """X^2 of the months' shares around that of their quarter."""
    p = yes.sum() / every.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (yes - every * p) ** 2 / (every * p * (1 - p))
    return float(np.nansum(np.where(np.isfinite(terms), terms, 0.0)))


def _jumps(changes: list[_Change]) -> Iterator[_Change]:
    """Of each run of flagged months, the largest."""
    run: list[_Change] = []
    for change in changes:
        if run and not (change.is_jump and change.month == run[-1].month + 1):
            yield max(run, key=lambda one: one.size)
            run = []
        if change.is_jump:
            run.append(change)
    if run:
        yield max(run, key=lambda one: one.size)
