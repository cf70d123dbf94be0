"""What the tick-box for body-worn video says beside the footage found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.measures.shares import plain_shares, rows_by
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
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

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
    notes = np.broadcast_to(states.notes[..., None], found.shape)[keep]
    apart = np.nonzero(keep)[-1] > 1
    return plain_shares(
        (*states.axes, Axis(LINK, "", tuple(_FOUND))), keep, found, whole, confidence,
        measure="video_disagreement", unit=f"share of {tally.unit} with that tick",
        flag=[join_flags(APART if out else AGAINST, note) for out, note in zip(apart, notes)],
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
    both = agree + yes[..., 1] + no[..., 0]
    keep = np.asarray(both > 0)
    return plain_shares(
        states.axes[:-1], keep, agree, both, confidence,
        measure="video_agreement_share", unit=f"share of {tally.unit}", n_unknown=found.sum(axis=(-1, -2)) - both,
        flag=[join_flags(AGAINST, note) for note in _all_notes(states)[keep]],
    )  # fmt: skip


def _said_and_found(tally: Tally, by: Sequence[str] | None, retention: Retention | None, as_of: str | None) -> States:
    """Counts by the axes of the rows, the tick-box, and what was found."""
    names = refuse_people(rows_by(tally, by, ("video_recorded", LINK)))
    names = [name for name in names if name not in ("video_recorded", LINK)]
    refuse_trend(tally, names, retention)
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
