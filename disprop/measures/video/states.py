"""Footage found by evidence: counts of records by what was found, and months whose footage may be gone.

Evidence is the axis `video_link`: footage linked by an exact reference, by officer and time, or through another officer
who was present; or why none was found. The tick-box is the axis `video_recorded`. The two are never mixed: a figure is
made of one of them, and `video_disagreement` sets them side by side.

Footage is kept for so long and then deleted. A month whose footage may be gone says nothing about cameras, so that its
records are `expired`: out of the share, and shown apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disprop.errors import Refused, UsageError
from disprop.measures.shares import of_covered_months
from disprop.months import month_label, month_number
from disprop.records import PERSONAL
from disprop.results import join_flags
from disprop.tallies import Axis, Tally

LINK = "video_link"
LINKED = ("exact reference", "officer and time", "another officer")
"""Tiers: how footage was found."""
NOT_FOUND = ("no footage", "not linked", "not worn")
EXPIRED = "expired"
NOT_KNOWN = ("ambiguous", "blank", "unmapped")

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


def refuse_people(names: list[str]) -> list[str]:
    """The names, unless one is an axis of people."""
    people = [name for name in names if name in PERSONAL]
    if people:
        raise UsageError(
            f"{', '.join(people)}: single officers and persons are not compared by raw shares, which are mostly "
            "chance; use shrunken_share_linked_to_video"
        )
    return names


def refuse_trend(tally: Tally, names: Sequence[str], retention: Retention | None) -> None:
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
