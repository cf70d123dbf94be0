"""Sentinels: what is wrong with the months that came, said before any figure is made of them.

A sentinel never changes a count. Missing and suspected partial months are holes, which the measures themselves refuse;
everything else here is a question to the force that sent the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from disprop.codelists import BLANK
from disprop.coverage import (
    FEWEST,
    MISSING,
    PARTIAL,
    SUBMITTED,
    TRAILING,
    WARNING_SHARE,
    Coverage,
    covered_only,
    lacks_support,
    month_coverage,
)
from disprop.months import month_label
from disprop.results import result_frame
from disprop.screening import false_alarm_level, share_alarm
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

SPIKE = 1 / WARNING_SHARE
"""Times the median of the months before: as far above it as the warning of a low month is below."""
SPIKE_ERRORS = 4.0
SAME_CHANCE = 0.001
"""Equal totals are flagged when chance would give so many of them less often than this."""
SAME_FEWEST = 3
JUMP = 0.05
GONE, ONCE = 0.95, 0.50
"""Gone blank: at least this share blank, of a column that was blank no more often than the other in months before."""
DETAILED = ("ethnicity_self_19",)
DETAILED_FEWEST = 3
"""Detailed labels are flagged only when so many vanish together."""
ETHNICITY = ("ethnicity_self", "ethnicity_self_19", "ethnicity_officer")


class _Found(NamedTuple):
    """One thing noticed: what, where, the counts behind it, and the sentence."""

    sentinel: str
    force: str
    month: str | None
    numerator: float
    denominator: float
    text: str


def sentinels(tally: Tally) -> pd.DataFrame:
    """What is odd about the force-months of a tally, one row each; no row where nothing is.

    - `missing_month`: no file. `partial_month`: rows below 20% of the median of up to 12 submitted months before (at
      least 6, else not assessed), treated as a hole. `low_month`: below 60%, a warning.
    - `spike`: rows above 1 / 60% of that median, and by more than 4 of its Poisson errors.
    - `identical_totals`: the same number of rows month after month, so often that chance would do it less than once in
      1,000 times: a truncated file, or one sent twice. The chance is bounded by comb(k, r) q^(r - 1) for r equal totals
      in k months, q = 1 / sqrt(2 pi median) the most likely a single total can be.
    - `unknown_jump`: the share of unknown ethnicity moved by more than 5 points from the months before, and beyond
      control limits that allow one false alarm a year over the forces watched.
    - `label_support`: a group that the labels of a month lack (see `disprop.coverage.lacks_support`); detailed labels
      when at least 3 vanish together.
    - `gone_blank`: a column 95% blank or more that was at most 50% blank in the months before (at least 6).

    A sentinel that needs an axis looks where the tally has it: tally by `ethnicity_self`, `linked`, and whatever else
    is to be watched. Midnight, clocks and duplicates need the records: `record_marks`.

    Returns result rows, `measure` the sentinel, `numerator` of `denominator` (rows of the usual, blanks of all),
    `flag` the sentence. A month that is null: the whole span.

    >>> import disprop as dp
    >>> months = [f"2019-{month:02d}" for month in range(1, 13)]
    >>> searches = dp.tally(dp.synthetic.make_records(months=months), by=["ethnicity_self", "linked"])
    >>> sentinels(searches).empty
    True
    >>> sentinels(searches.between("2019-01", "2020-01"))[["measure", "month", "flag"]].values.tolist()
    [['missing_month', '2020-01', 'no file; a month that is missing is not a month without searches']]
    """
    cover = month_coverage(tally)
    found = [*_states(cover), *_spikes(cover), *_same(cover)]
    for axis in tally.names:
        if axis not in ("force", "month"):
            found += [*_jumps(tally, cover, axis), *_vanished(tally, cover, axis), *_blanks(tally, cover, axis)]
    return _rows(found)


def _rows(found: list[_Found]) -> pd.DataFrame:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(
            np.array([one.numerator for one in found], dtype=float),
            np.array([one.denominator for one in found], dtype=float),
        )
    months: list[Any] = [one.month for one in found]
    return result_frame(
        {"force": [one.force for one in found], "month": months},
        {
            "measure": [one.sentinel for one in found],
            "numerator": [one.numerator for one in found],
            "denominator": [one.denominator for one in found],
            "estimate": ratio,
            "flag": [one.text for one in found],
        },
    )


# Rows of the files ---------------------------------------------------------------------------------------------------


def _usual(cover: Coverage, force: int, month: int) -> float:
    """Median rows of up to 12 submitted months before; NaN with fewer than 6."""
    earlier = np.flatnonzero(cover.state[force, :month] == SUBMITTED)[-TRAILING:]
    return float(np.median(cover.rows[force, earlier])) if len(earlier) >= FEWEST else np.nan


def _states(cover: Coverage) -> Iterator[_Found]:
    for force, month in np.ndindex(cover.state.shape):
        where = cover.forces[force], month_label(cover.months[month])
        rows, usual = float(cover.rows[force, month]), _usual(cover, force, month)
        if cover.state[force, month] == MISSING:
            text = "no file; a month that is missing is not a month without searches"
            yield _Found("missing_month", *where, 0.0, usual, text)
        elif cover.state[force, month] == PARTIAL:
            text = f"{rows:,.0f} rows where {usual:,.0f} are usual: suspected partial, treated as a hole"
            yield _Found("partial_month", *where, rows, usual, text)
        elif cover.low[force, month]:
            yield _Found("low_month", *where, rows, usual, f"{rows:,.0f} rows where {usual:,.0f} are usual")


def _spikes(cover: Coverage) -> Iterator[_Found]:
    for force, month in np.argwhere(cover.state == SUBMITTED):
        rows, usual = float(cover.rows[force, month]), _usual(cover, force, month)
        if rows > max(SPIKE * usual, usual + SPIKE_ERRORS * np.sqrt(usual)):
            where = cover.forces[force], month_label(cover.months[month])
            yield _Found("spike", *where, rows, usual, f"{rows:,.0f} rows where {usual:,.0f} are usual")


def _same(cover: Coverage) -> Iterator[_Found]:
    for force, name in enumerate(cover.forces):
        rows = cover.rows[force, cover.state[force] == SUBMITTED]
        totals, times = np.unique(rows, return_counts=True)
        for total, r in zip(totals.tolist(), times.tolist()):
            if r >= SAME_FEWEST and same_chance(r, len(rows), float(np.median(rows))) < SAME_CHANCE:
                text = f"exactly {total:,} rows in {r} of {len(rows)} months: a truncated file, or one sent again?"
                yield _Found("identical_totals", name, None, r, len(rows), text)


def same_chance(r: int, k: int, median: float) -> float:
    """Bound on the chance that r of k Poisson totals about the median are equal; more uneven ones are so less often."""
    likeliest = min(1.0, 1 / np.sqrt(2 * np.pi * max(median, 0.1)))
    return float(comb(k, r) * likeliest ** (r - 1))


# Labels --------------------------------------------------------------------------------------------------------------


def _jumps(tally: Tally, cover: Coverage, axis: str) -> Iterator[_Found]:
    """Months whose unknown share left the months before."""
    if axis not in ETHNICITY:
        return
    counts = covered_only(tally, cover).project(["force", "month", axis])
    unknown = counts.counts[..., np.isin(counts.axes[-1].codes, counts.axes[-1].unknowns)].sum(axis=-1)
    total = counts.counts.sum(axis=-1)
    level = false_alarm_level(cells=max(1, len(cover.forces)), looks_a_year=12)
    for force, month in np.argwhere(total > 0):
        past, past_total, phi, k = _past(unknown[force], total[force], month)
        if k < FEWEST:
            continue
        alarm = share_alarm(
            events=unknown[force, month],
            trials=total[force, month],
            base_events=past,
            base_trials=past_total,
            level=level,
            dispersion=phi,
            degrees=k - 1,
        )
        share = unknown[force, month] / total[force, month]
        if alarm.signal and abs(share - alarm.expected) > JUMP:
            where = cover.forces[force], month_label(cover.months[month])
            text = f"{axis} unknown in {share:.0%} of records; {alarm.expected:.0%} in the months before"
            yield _Found("unknown_jump", *where, float(unknown[force, month]), float(total[force, month]), text)


def _past(events: np.ndarray, total: np.ndarray, month: int) -> tuple[float, float, float, int]:
    """Sums over up to 12 months before, their dispersion, and how many they are."""
    earlier = np.flatnonzero(total[:month] > 0)[-TRAILING:]
    x, n = events[earlier].astype(float), total[earlier].astype(float)
    share = x.sum() / n.sum() if len(n) else 0.0
    if len(n) < 2 or share in (0.0, 1.0):
        return x.sum(), n.sum(), 1.0, len(n)
    spread = ((x - n * share) ** 2 / (n * share * (1 - share))).sum() / (len(n) - 1)
    return x.sum(), n.sum(), max(1.0, float(spread)), len(n)


def _vanished(tally: Tally, cover: Coverage, axis: str) -> Iterator[_Found]:
    """Force-months whose labels lack groups."""
    if axis not in ETHNICITY:
        return
    cut = covered_only(tally, cover)
    lacking = lacks_support(cut, axis)
    codes = np.array(cut.axis(axis).codes, dtype=object)
    total = cut.project(["force", "month"]).counts
    for force, month in np.argwhere(lacking.sum(axis=2) >= (DETAILED_FEWEST if axis in DETAILED else 1)):
        groups = codes[lacking[force, month]]
        where = cover.forces[force], month_label(cover.months[month])
        text = f"no label of {', '.join(groups)} in {axis}: these groups have no rate here, not a low one"
        yield _Found("label_support", *where, 0.0, float(total[force, month]), text)


def _blanks(tally: Tally, cover: Coverage, axis: str) -> Iterator[_Found]:
    """Columns that went blank."""
    counts = covered_only(tally, cover).project(["force", "month", axis])
    if BLANK not in counts.axes[-1].codes:
        return
    blank, total = counts.counts[..., counts.axes[-1].index(BLANK)], counts.counts.sum(axis=-1)
    for force, month in np.argwhere((total > 0) & (blank >= GONE * total)):
        past, past_total, _, k = _past(blank[force], total[force], month)
        if k >= FEWEST and past <= ONCE * past_total:
            where = cover.forces[force], month_label(cover.months[month])
            text = f"{axis} blank in {blank[force, month]:,} of {total[force, month]:,}; {past / past_total:.0%} before"
            yield _Found("gone_blank", *where, float(blank[force, month]), float(total[force, month]), text)
