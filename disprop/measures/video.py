"""How many records have body-worn-video footage, found by evidence; what the tick-box says beside it; how it began.

Evidence is the axis `video_link`: footage linked by an exact reference, by officer and time, or through another officer
who was present; or why none was found. The tick-box is the axis `video_recorded`. The two are never mixed: a figure is
made of one of them, and `video_disagreement` sets them side by side.

Footage is kept for so long and then deleted. A month whose footage may be gone says nothing about cameras, so that its
records are `expired`: out of the share, and shown apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from disprop.errors import Refused, UsageError
from disprop.intervals import proportion_interval
from disprop.measures.looks import restated
from disprop.measures.shares import Answers, months_behind, of_covered_months, rows_by, share_frame
from disprop.months import month_label, month_number
from disprop.records import PERSONAL
from disprop.results import join_flags, result_frame
from disprop.screening import shrunken_proportion_interval
from disprop.screening.shrinkage import FEWEST_TRIALS
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

LINK = "video_link"
LINKED = ("exact reference", "officer and time", "another officer")
"""Tiers: how footage was found."""
NOT_FOUND = ("no footage", "not linked", "not worn")
EXPIRED = "expired"
NOT_KNOWN = ("ambiguous", "blank", "unmapped")

ANY_TIER = "linked"
"""Stands, in the column `video_link` of a result, for the three tiers together."""
BY_EVIDENCE = "by evidence, not by tick-box"
FROM_EVIDENCE = "of records linked to video"

Retention = Sequence[tuple[str | None, int | None]]
"""How long footage was kept, in order: (month before which it was so, None or "" for still; days, or None for ever)."""


@dataclass(frozen=True)
class States:
    """Counts by code of `video_link` over `axes`: the last dimension of `counts` has the codes in their order."""

    axes: tuple[Axis, ...]
    codes: tuple[str, ...]
    counts: np.ndarray
    notes: np.ndarray

    def of(self, *codes: str) -> np.ndarray:
        """Records with any of these codes."""
        return np.asarray(self.counts[..., [self.codes.index(code) for code in codes]].sum(axis=-1))


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
    _refuse_trend(tally, names, retention)
    states = states_of(tally, names, retention, as_of)
    return _blocks(tally, states, "share_linked_to_video", confidence)


def refuse_people(names: list[str]) -> list[str]:
    """The names, unless one is an axis of people."""
    people = [name for name in names if name in PERSONAL]
    if people:
        raise UsageError(
            f"{', '.join(people)}: single officers and persons are not compared by raw shares, which are mostly "
            "chance; use shrunken_share_linked_to_video"
        )
    return names


def _refuse_trend(tally: Tally, names: Sequence[str], retention: Retention | None) -> None:
    if "month" in names and retention is None and len(tally.axis("month")) > 1:
        raise Refused(
            "by month, this share falls with the age of footage and breaks where retention changed; say how long it "
            'was kept, such as --retention "84 until 2024-12, 365" --as-of 2025-06-30; in Python '
            'retention=[("2024-12", 84), (None, 365)] with as_of="2025-06-30"'
        )


def states_of(tally: Tally, names: Sequence[str], retention: Retention | None, as_of: str | None) -> States:
    """Counts by `video_link`, records of expired months moved to `expired`, with what to say of each cell."""
    months = [name for name in ["month"] if name not in names]
    turned = of_covered_months(tally).project([*months, *names, LINK])
    kept = _kept(turned.axis("month"), retention, as_of)
    at = turned.names.index("month")
    counts = _expire(turned.counts, at, turned.axes[-1], np.array([days is None for days in kept]))
    living = np.moveaxis(counts, at, 0)[..., [c != EXPIRED for c in turned.axes[-1].codes]].sum(axis=-1)
    if months:
        notes = _pooled(living, kept)
        return States(turned.axes[1:-1], turned.axes[-1].codes, counts.sum(axis=0), notes)
    notes = np.moveaxis(np.broadcast_to(_apart(kept, living.ndim), living.shape), 0, at)
    return States(turned.axes[:-1], turned.axes[-1].codes, counts, notes)


def _kept(month: Axis, retention: Retention | None, as_of: str | None) -> list[str | None]:
    """Of each month, for how long its footage was kept, in words; None where it may be deleted at `as_of`."""
    if retention is None:
        return [""] * len(month)
    if as_of is None:
        raise UsageError('retention is judged on a day: give as_of="YYYY-MM-DD"')
    day = _day(as_of)
    return [_kept_of(code, retention, day) for code in month.codes]


def _day(text: str) -> np.datetime64:
    try:
        return np.datetime64(text, "D")
    except ValueError:
        raise UsageError(f"as_of is {text!r}; write a day as YYYY-MM-DD") from None


def _kept_of(month: str, retention: Retention, as_of: np.datetime64) -> str | None:
    for before, days in retention:
        if not before or month_number(month) < month_number(before):
            if days is None:
                return "footage is not deleted"
            first_day = np.datetime64(month_label(month_number(month)), "D")
            return f"footage kept for {days} days" if first_day + days >= as_of else None
    raise UsageError(f"retention says nothing of {month}; end it with (None, days)")


def _expire(counts: np.ndarray, at: int, link: Axis, expired: np.ndarray) -> np.ndarray:
    """Counts with all records of the expired months under the code `expired`."""
    moved = np.moveaxis(counts.copy(), at, 0)
    every = moved[expired].sum(axis=-1)
    moved[expired] = 0
    moved[expired, ..., link.index(EXPIRED)] = every
    return np.moveaxis(moved, 0, at)


def _pooled(living: np.ndarray, kept: Sequence[str | None]) -> np.ndarray:
    """What to say of each cell whose months are pooled: how long its footage was kept."""
    terms = [*dict.fromkeys(term for term in kept if term)]
    there = {term: np.asarray(living[[one == term for one in kept]].any(axis=0)) for term in terms}
    notes = np.empty(living.shape[1:], dtype=object)
    for cell in np.ndindex(notes.shape):
        notes[cell] = join_flags(*(term for term in terms if there[term][cell]))
    return notes


def _apart(kept: Sequence[str | None], ndim: int) -> np.ndarray:
    """What to say of each month: how long its footage was kept, and where that changes."""
    words, before = [], None
    for term in kept:
        broken = bool(before and term and term != before)
        words.append(join_flags(term, "break: not to be compared with earlier months" if broken else ""))
        before = term or before
    return np.array(words, dtype=object).reshape(-1, *[1] * (ndim - 1))


# Rows ----------------------------------------------------------------------------------------------------------------


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
    keep = np.asarray(n > 0)
    share = proportion_interval(events=n[keep], trials=every[keep], confidence=confidence)
    covered, period = months_behind(tally, states.axes)
    frame = result_frame(
        groups_of(states.axes, keep),
        {
            "measure": measure, "numerator": n[keep], "denominator": every[keep], "estimate": share.estimate,
            "low": share.low, "high": share.high, "confidence": confidence, "method": "wilson",
            "unit": f"share of {tally.unit}", "covered_months": covered[keep], "period_months": period[keep],
            "flag": "",
        },
    )  # fmt: skip
    return _named(frame, states, code, [f"share of all {tally.unit}; not part of the share linked"] * len(frame))


def groups_of(axes: Sequence[Axis], keep: np.ndarray) -> dict[str, list[str]]:
    """Codes of the cells kept, one a row."""
    where = np.nonzero(np.atleast_1d(keep))
    return {axis.name: np.array(axis.codes, dtype=object)[at].tolist() for axis, at in zip(axes, where)}


def _named(frame: pd.DataFrame, states: States, name: str, flags: Sequence[str]) -> pd.DataFrame:
    """The rows with the column `video_link` after those of the groups, and more to keep in mind."""
    both = [join_flags(old, new) for old, new in zip(frame["flag"], flags)]
    frame = frame.assign(flag=both)
    frame.insert(len(states.axes), LINK, name)
    return frame


# Tick-box and evidence -----------------------------------------------------------------------------------------------

AGAINST = "tick-box against evidence"
APART = "share of all with that tick; not part of the others"
_FOUND = {"linked": LINKED, "not found": NOT_FOUND, "expired": (EXPIRED,), "not known": NOT_KNOWN}


def video_disagreement(
    tally: Tally,
    *,
    by: Sequence[str] | None = None,
    retention: Retention | None = None,
    as_of: str | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """What the tick-box says against what was found: one row a pair, as a share of those that said the same.

    Column `video_recorded` is the tick-box (yes, no, blank), `video_link` what the evidence says: `linked`, `not
    found` and, out of the share, `expired` and `not known`. So the row yes, not found is the share of ticked records
    without footage, and no, linked that of unticked records with footage. Neither says who is right: footage may be
    hidden by a wrong clock or reference, and a tick-box may have been missed. By month it needs `retention`, as
    `share_linked_to_video` does.

    tally: axes `video_recorded` and `video_link`. by: axes of the rows; default every other axis but month; not
    officers. Limits: Wilson. Shares of `expired` and `not known` are of all that said the same.

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> inspected = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> sample = dp.tally(inspected, by=["video_recorded", "video_link"])
    >>> found = video_disagreement(sample, by=[])
    >>> found[["video_recorded", "video_link"]].drop_duplicates().head(2).to_numpy().tolist()
    [['yes', 'linked'], ['yes', 'not found']]
    """
    states = _said_and_found(tally, by, retention, as_of)
    found = _found(states)
    known = found[..., :2].sum(axis=-1, keepdims=True)
    whole = np.concatenate([known, known, *[found.sum(axis=-1, keepdims=True)] * 2], axis=-1)
    keep = found > 0
    share = proportion_interval(events=found[keep], trials=whole[keep], confidence=confidence)
    axes = (*states.axes, Axis(LINK, "", tuple(_FOUND)))
    notes = np.broadcast_to(states.notes[..., None], found.shape)[keep]
    apart = np.nonzero(keep)[-1] > 1
    return result_frame(
        groups_of(axes, keep),
        {
            "measure": "video_disagreement", "numerator": found[keep], "denominator": whole[keep],
            "estimate": share.estimate, "low": share.low, "high": share.high, "confidence": confidence,
            "method": "wilson", "unit": f"share of {tally.unit} with that tick",
            "flag": [join_flags(APART if out else AGAINST, note) for out, note in zip(apart, notes)],
        },
    )  # fmt: skip


def video_agreement_share(
    tally: Tally,
    *,
    by: Sequence[str] | None = None,
    retention: Retention | None = None,
    as_of: str | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Share of records on which tick-box and evidence agree, where both are known.

    Agreement by chance is high where nearly all records have video: read it with `video_disagreement`.

    Axes, arguments and errors as `video_disagreement`. Limits: Wilson. Unit: "share of searches".

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> inspected = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> sample = dp.tally(inspected, by=["video_recorded", "video_link"])
    >>> video_agreement_share(sample, by=[])[["numerator", "denominator", "estimate", "n_unknown"]].round(3)
       numerator  denominator  estimate  n_unknown
    0     9017.0       9252.0     0.975        288
    """
    states = _said_and_found(tally, by, retention, as_of)
    found, said = _found(states), states.axes[-1]
    yes, no = found[..., said.index("yes"), :], found[..., said.index("no"), :]
    agree = yes[..., 0] + no[..., 1]
    disagree = yes[..., 1] + no[..., 0]
    unknown = found.sum(axis=(-1, -2)) - agree - disagree
    keep = np.asarray(agree + disagree > 0)
    notes = _all_notes(states)[keep]
    share = proportion_interval(events=agree[keep], trials=(agree + disagree)[keep], confidence=confidence)
    return result_frame(
        groups_of(states.axes[:-1], keep),
        {
            "measure": "video_agreement_share", "numerator": agree[keep], "denominator": (agree + disagree)[keep],
            "estimate": share.estimate, "low": share.low, "high": share.high, "confidence": confidence,
            "method": "wilson", "unit": f"share of {tally.unit}", "n_unknown": unknown[keep],
            "flag": [join_flags(AGAINST, note) for note in notes],
        },
    )  # fmt: skip


def _said_and_found(tally: Tally, by: Sequence[str] | None, retention: Retention | None, as_of: str | None) -> States:
    """Counts by the axes of the rows, the tick-box, and what was found."""
    names = refuse_people(rows_by(tally, by, ("video_recorded", LINK)))
    names = [name for name in names if name not in ("video_recorded", LINK)]
    _refuse_trend(tally, names, retention)
    return states_of(tally, [*names, "video_recorded"], retention, as_of)


def _found(states: States) -> np.ndarray:
    """Counts gathered into linked, not found, expired, not known."""
    return np.stack([states.of(*codes) for codes in _FOUND.values()], axis=-1)


def _all_notes(states: States) -> np.ndarray:
    """What to say of each cell, its tick-boxes together."""
    notes = np.empty(states.notes.shape[:-1], dtype=object)
    for cell in np.ndindex(notes.shape):
        notes[cell] = join_flags(*dict.fromkeys("; ".join(states.notes[cell]).split("; ")))
    return notes


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
    flag = turned.axes[-1]
    yes, no = turned.counts[..., flag.index("yes")], turned.counts[..., flag.index("no")]
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
    _refuse_trend(tally, by, retention)
    states = states_of(tally, by, retention, as_of)
    rows = _state_rows(tally, states, "share_linked_to_video", ANY_TIER, LINKED, confidence).drop(columns=LINK)
    known = (rows["estimate"].notna() & _is_somebody(rows)).to_numpy()
    yes, asked = (np.where(known, rows[name], np.nan) for name in ("numerator", "denominator"))
    name, why = "shrunken_share_linked_to_video", f"fewer than {fewest:g} {tally.unit}"
    try:
        found = shrunken_proportion_interval(events=yes, trials=asked, confidence=confidence, fewest=fewest)
    except Refused as refusal:
        return restated(rows, None, name, known, str(refusal))
    return restated(rows, found, name, known, why)


def _is_somebody(rows: pd.DataFrame) -> pd.Series:
    """Rows of a named officer, where rows are of officers."""
    import pandas as pd

    return rows["officer"] != "blank" if "officer" in rows else pd.Series(True, index=rows.index)
