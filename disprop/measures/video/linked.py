"""How many records have body-worn-video footage, found by evidence, and on how many it shows the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.errors import Refused, UsageError
from disprop.measures.looks import shrunk
from disprop.measures.shares import (
    Answers,
    months_behind,
    of_covered_months,
    plain_shares,
    rows_by,
    share_frame,
    yes_no_unknown,
)
from disprop.measures.video.states import (
    EXPIRED,
    LINK,
    LINKED,
    NOT_FOUND,
    NOT_KNOWN,
    Retention,
    States,
    refuse_people,
    refuse_trend,
    states_of,
)
from disprop.results import join_flags
from disprop.screening import shrunken_proportion_interval
from disprop.screening.shrinkage import FEWEST_TRIALS
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

ANY_TIER = "linked"
"""Stands, in the column `video_link` of a result, for the three tiers together."""
BY_EVIDENCE = "by evidence, not by tick-box"
FROM_EVIDENCE = "of records linked to video"


def share_linked_to_video(
    tally: Tally,
    *,
    by: Sequence[str] | None = None,
    retention: Retention | None = None,
    as_of: str | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Share of records for which footage was found, together and by tier, and what became of the others.

    Rows have a column `video_link`: `linked` (all three tiers), then each tier, then each reason. A share is of the
    records of which it is known whether they have footage: `expired` is left out, `ambiguous` and blank (never linked)
    are unknown. Refused, bounds only, or given as every share: see `find_rate`. The row `expired` is a share of all.

    Not linked is not "no camera": a wrong clock, reference or collar number hides footage that is there.

    retention: how long footage was kept, such as `[("2024-12", 84), (None, 365)]`: records before December 2024 84
    days, since then 365. A month of which any day is older than that at `as_of` ("YYYY-MM-DD") is expired as a whole:
    what is still found of it was kept for being evidence, so that its share would mislead. Each row says what was kept
    how long. A figure by month is refused without it: the share of a month falls with its age, not with practice.

    tally: axis `video_link`. by: axes of the rows; default every other axis but month; not officers, see
    `shrunken_share_linked_to_video`. Limits: Wilson. Columns as in `disprop.results.COLUMNS`.
    Raises Refused by month without retention, UsageError for officers, or retention without as_of.

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> inspected = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> sample = dp.tally(inspected, by=["video_link"])
    >>> share_linked_to_video(sample, by=[])[["video_link", "numerator", "denominator", "estimate"]].round(3).head(4)
             video_link  numerator  denominator  estimate
    0            linked     9263.0       9505.0     0.975
    1   exact reference     5170.0       9505.0     0.544
    2  officer and time     3348.0       9505.0     0.352
    3   another officer      745.0       9505.0     0.078
    """
    names = refuse_people(rows_by(tally, by, (LINK,)))
    refuse_trend(tally, names, retention)
    states = states_of(tally, names, retention, as_of)
    return _blocks(tally, states, "share_linked_to_video", confidence)


def _blocks(tally: Tally, states: States, measure: str, confidence: float) -> pd.DataFrame:
    """One block of rows for all tiers, each tier, each reason; groups in their usual order within each."""
    import pandas as pd

    frames = [_state_rows(tally, states, measure, ANY_TIER, LINKED, confidence)]
    frames += [_state_rows(tally, states, measure, code, (code,), confidence) for code in (*LINKED, *NOT_FOUND)]
    frames += [_apart_rows(tally, states, measure, code, confidence) for code in ("ambiguous", EXPIRED)]
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def _state_rows(
    tally: Tally, states: States, measure: str, name: str, codes: Sequence[str], confidence: float
) -> pd.DataFrame:
    yes, unknown, blank = states.of(*codes), states.of(*NOT_KNOWN), states.of("blank")
    known = states.of(*LINKED, *NOT_FOUND)
    every = known + unknown
    answers = Answers(states.axes, yes, known - yes, unknown, every, unknown, *months_behind(tally, states.axes))
    frame = share_frame(tally, answers, measure, confidence, note=BY_EVIDENCE)
    expired = states.of(EXPIRED)[every > 0].reshape(-1)
    notes = states.notes[every > 0].reshape(-1)
    left_out = [f"{n:,} expired are left out" if n else "" for n in expired]
    never = [_never_linked(int(n), int(of)) for n, of in zip(blank[every > 0], every[every > 0])]
    return _named(frame, states, name, [join_flags(*texts) for texts in zip(never, notes, left_out)])


def _never_linked(blank: int, every: int) -> str:
    """How many records of a cell were never linked, and what to do about it."""
    return f"{blank:,} of {every:,} were never linked: run `disprop link`, which says why any stay so" if blank else ""


def _apart_rows(tally: Tally, states: States, measure: str, code: str, confidence: float) -> pd.DataFrame:
    """A code that is out of the share, as a share of all records."""
    n, every = states.of(code), states.counts.sum(axis=-1)
    covered, period = months_behind(tally, states.axes)
    frame = plain_shares(
        states.axes, np.asarray(n > 0), n, every, confidence,
        measure=measure, unit=f"share of {tally.unit}", covered_months=covered, period_months=period, flag="",
    )  # fmt: skip
    return _named(frame, states, code, [f"share of all {tally.unit}; not part of the share linked"] * len(frame))


def _named(frame: pd.DataFrame, states: States, name: str, flags: Sequence[str]) -> pd.DataFrame:
    """The rows with the column `video_link` after those of the groups, and more to keep in mind."""
    both = [join_flags(old, new) for old, new in zip(frame["flag"], flags)]
    frame = frame.assign(flag=both)
    frame.insert(len(states.axes), LINK, name)
    return frame


# From the start, and officers ----------------------------------------------------------------------------------------


def video_from_start_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Of the records linked to video: the share of which a linked clip was already running at the recorded time.

    Forms are often filled in late, so that "from the start" is judged against the time on the form. Records without
    linked footage are out of the share, not unknown.

    tally: axis `video_from_start`. by: axes of the rows; default every other axis but month; not officers. Limits:
    Wilson.

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> inspected = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> sample = dp.tally(inspected, by=["video_from_start"])
    >>> video_from_start_share(sample, by=[])[["denominator", "estimate"]].round(2)
       denominator  estimate
    0       9263.0       0.9
    """
    names = refuse_people(rows_by(tally, by, ("video_from_start",)))
    turned = of_covered_months(tally).project([*names, "video_from_start"])
    yes, no, _ = yes_no_unknown(turned)
    zero = np.zeros_like(yes)
    answers = Answers(turned.axes[:-1], yes, no, zero, zero, zero, *months_behind(tally, turned.axes[:-1]))
    return share_frame(tally, answers, "video_from_start", confidence, note=FROM_EVIDENCE).assign(
        unit=f"share of {tally.unit} linked to video"
    )


def shrunken_share_linked_to_video(
    tally: Tally,
    *,
    by: Sequence[str] = ("officer",),
    retention: Retention | None = None,
    as_of: str | None = None,
    confidence: float = 0.95,
    fewest: float = FEWEST_TRIALS,
) -> pd.DataFrame:
    """Shares linked to video of many small cells, officers above all, each drawn towards the common share.

    One officer's share is mostly chance, and where and when they work: so each is given with limits, in the order of
    the pseudonyms, never ranked. A cell with fewer than `fewest` records is refused, with the reason; fewer than 10
    cells are refused as a whole. Records without an officer are no cell. Limits hold on average over the cells.

    See `disprop.screening.shrunken_proportion_interval` (beta-binomial, empirical Bayes). retention, as_of: as in
    `share_linked_to_video`. Raises UsageError when `fewest` is below 10 and `by` names officers.

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> inspected = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> sample = dp.tally(inspected, by=["command_unit", "video_link"])
    >>> shrunken_share_linked_to_video(sample, by=["command_unit"]).flag[0][:81]
    'not computable: shrinkage needs at least 10 cells; 4 have a count and an exposure'
    """
    if "officer" in by and fewest < FEWEST_TRIALS:
        raise UsageError(f"an officer is shown with {FEWEST_TRIALS:g} records or more; fewest is {fewest:g}")
    refuse_trend(tally, by, retention)
    states = states_of(tally, by, retention, as_of)
    rows = _state_rows(tally, states, "share_linked_to_video", ANY_TIER, LINKED, confidence).drop(columns=LINK)
    known = (rows["estimate"].notna() & _is_somebody(rows)).to_numpy()
    yes, asked = (np.where(known, rows[name], np.nan) for name in ("numerator", "denominator"))
    name, why = "shrunken_share_linked_to_video", f"fewer than {fewest:g} {tally.unit}"
    try:
        found = shrunken_proportion_interval(events=yes, trials=asked, confidence=confidence, fewest=fewest)
    except Refused as refusal:
        return shrunk(rows, None, name, known, str(refusal))
    return shrunk(rows, found, name, known, why)


def _is_somebody(rows: pd.DataFrame) -> pd.Series:
    """Rows of a named officer, where rows are of officers."""
    import pandas as pd

    return rows["officer"] != "blank" if "officer" in rows else pd.Series(True, index=rows.index)
