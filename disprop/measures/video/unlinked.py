"""What missing footage does to a figure: how records without footage differ, and how far they could move an estimate.

A panel that watches footage sees the records that have it. Replacing the others by records with footage does not help:
it hides them. So the records without are described, and every estimate made from the rest is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from disprop.errors import UsageError
from disprop.intervals import proportion_difference_interval
from disprop.measures.shares import RULE_NOTES, Answers, Rule, linked_answers, of_covered_months, rows_by, share_frame
from disprop.measures.video.states import EXPIRED, LINK, LINKED, NOT_FOUND, refuse_people
from disprop.results import join_flags, result_frame
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

UNLINKED = (*NOT_FOUND, EXPIRED, "ambiguous")
"""Records that were looked at and have no footage to watch, whatever the reason."""
NEVER_LINKED = ("blank", "unmapped")


def linkage_bias(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """How records without footage differ from those with it: one row a category of each axis.

    The share of a category among the unlinked, less its share among the linked: 0.12 for Black people says that they
    are 12 points more of the unlinked than of the linked. All axes are looked at one by one, unknown categories too.
    Records that were never linked are left out, and counted as unknown. Without any record on one side there is no
    figure.

    Many looks: among so many categories some stand out by chance. Those of which an interval at the level 1 - (1 -
    confidence) / looks leaves out 0 are "on the list"; the chance that it holds anything false is 1 - confidence, at
    most (Bonferroni). `low` and `high` are for one look. Limits: Newcombe 1998.

    tally: axis `video_link`. by: axes to look at; default every other axis but the force. Months are among them.
    Officers and persons are not: one of them is no group, and most have a handful of records.
    Returns rows with the columns `axis` and `category`; `numerator` of `denominator` unlinked records are of the
    category. Unit: "difference of shares". Raises UsageError without an axis to look at, or for officers and persons.

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> sample = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> found = linkage_bias(dp.tally(sample, by=["ethnicity_officer", "video_link"]), by=["ethnicity_officer"])
    >>> found[["category", "numerator", "denominator", "estimate"]].round(3).head(4)
      category  numerator  denominator  estimate
    0    White      157.0        277.0    -0.061
    1    Mixed        1.0        277.0     0.001
    2    Asian       41.0        277.0    -0.028
    3    Black       69.0        277.0     0.110
    >>> found.flag[3]
    'on the list of 6 looks (all true but 5%)'
    """
    turned = of_covered_months(tally)
    names = [name for name in turned.names if name not in ("force", LINK)] if by is None else list(by)
    if LINK in names or not names:
        raise UsageError(f"linkage_bias looks at axes other than {LINK}; tally by one at least")
    refuse_people(names)
    looked = [_by_category(turned, name) for name in names]
    axes = [name for name, (codes, *_) in zip(names, looked) for _ in codes]
    codes = [code for codes, *_ in looked for code in codes]
    x1, x0, n1, n0 = (np.concatenate([one[at] for one in looked]) for at in range(1, 5))
    never = int(_of(turned.project([LINK]), NEVER_LINKED))
    return _bias_rows(axes, codes, (x1, x0, n1, n0), never, confidence)


def _by_category(turned: Tally, name: str) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Categories that occur; unlinked and linked records of each; all unlinked and all linked, once a category."""
    two = turned.project([name, LINK])
    x1, x0 = _of(two, UNLINKED), _of(two, LINKED)
    keep = x1 + x0 > 0
    codes = np.array(two.axes[0].codes, dtype=object)[keep].tolist()
    n = int(keep.sum())
    return codes, x1[keep], x0[keep], np.full(n, x1.sum()), np.full(n, x0.sum())


def _of(turned: Tally, codes: Sequence[str]) -> np.ndarray:
    link = turned.axes[-1]
    return np.asarray(turned.counts[..., [link.index(code) for code in codes]].sum(axis=-1))


def _bias_rows(
    axes: list[str], codes: list[str], counts: tuple[np.ndarray, ...], never: int, confidence: float
) -> pd.DataFrame:
    x1, x0, n1, n0 = counts
    looks = int(((n1 > 0) & (n0 > 0)).sum())
    one, many = (
        proportion_difference_interval(
            events=x1, trials=n1, reference_events=x0, reference_trials=n0, confidence=1 - (1 - confidence) / shared
        )
        for shared in (1, max(looks, 1))
    )
    given = (n1 > 0) & (n0 > 0)
    listed = given & ((many.low > 0) | (many.high < 0))
    text = f"on the list of {looks:,} looks (all true but {1 - confidence:.0%})"
    flags = [
        join_flags(text if on else "", "" if can else "not computable: no records on one side", left_out(never))
        for on, can in zip(listed, given)
    ]
    return result_frame(
        {"axis": axes, "category": codes},
        {
            "measure": "linkage_bias", "numerator": x1, "denominator": n1,
            "estimate": np.where(given, one.estimate, np.nan), "low": np.where(given, one.low, np.nan),
            "high": np.where(given, one.high, np.nan), "confidence": confidence, "method": "newcombe",
            "unit": "difference of shares", "reference": "records with footage", "n_unknown": never, "flag": flags,
        },
    )  # fmt: skip


def left_out(never: int) -> str:
    """That some records were never linked."""
    return f"{never:,} records that were never linked are left out" if never else ""


class WithoutVideo(NamedTuple):
    """What an estimate made from records with video can be over all records."""

    bound_low: np.ndarray
    bound_high: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bounds_without_video(
    *, estimate: ArrayLike, low: ArrayLike, high: ArrayLike, with_video: ArrayLike, without_video: ArrayLike
) -> WithoutVideo:
    """Bounds of a share over all records, when it is known only of those with video.

    Every record without video is taken as no, then as yes: w p and w p + 1 - w, with w the share that has video. The
    limits of p go the same way, so that `low` and `high` take in chance as well as what is not known. Nothing is
    assumed of the missing. No records at all: no bounds (NaN). Shapes broadcast.

    Raises UsageError for shares outside 0 to 1, or negative counts.

    Grounds of 86.6% (78.4 to 92.0) among searches with video, which 9,263 of 9,540 have:

    >>> found = bounds_without_video(estimate=0.866, low=0.784, high=0.92, with_video=9263, without_video=277)
    >>> [round(float(figure), 3) for figure in found]
    [0.841, 0.87, 0.761, 0.922]
    """
    p, down, up, n, missing = np.broadcast_arrays(
        *(np.asarray(values, dtype=float) for values in (estimate, low, high, with_video, without_video))
    )
    if np.any([((share < 0) | (share > 1)).any() for share in (p, down, up)]) or (n < 0).any() or (missing < 0).any():
        raise UsageError("shares lie between 0 and 1, and counts are not negative")
    with np.errstate(invalid="ignore"):
        w = np.where(n + missing > 0, n / np.where(n + missing > 0, n + missing, 1), np.nan)
    return WithoutVideo(w * p, w * p + 1 - w, w * down, w * up + 1 - w)


def bounds_with_video(
    tally: Tally, *, by: Sequence[str] | None = None, rule: Rule = "linked_positive", confidence: float = 0.95
) -> pd.DataFrame:
    """Linked find rate of the searches with footage, and what it could be over all searches.

    The figure and its limits are those of `find_rate` among the searches linked to footage: what somebody sees who
    watches. The bounds count every search without footage (and every unknown answer) as no find, then as a find. For
    an estimate that needs watching, such as reasonable grounds, see `bounds_without_video`.

    tally: axes `outcome`, `linked` and `video_link`. by: axes of the rows; default every other axis but month. A group
    none of whose searches has footage has no row: nothing is known of it. Searches never linked count as without.

    >>> import disprop as dp
    >>> from disprop.synthetic.sources import TableSource
    >>> sample = TableSource("search", dp.synthetic.make_inspected(), dp.synthetic.YEAR[:6])
    >>> searches = dp.tally(sample, by=["outcome", "linked", "video_link"])
    >>> bounds_with_video(searches, by=[])[["estimate", "bound_low", "bound_high", "n_unknown"]].round(3)
       estimate  bound_low  bound_high  n_unknown
    0     0.211      0.201       0.249        455
    """
    names = [name for name in rows_by(tally, by, ("outcome", "linked", LINK)) if name != LINK]
    every = linked_answers(tally, [*names, LINK], rule)
    seen = _seen(every)
    keep = seen.all > 0
    missing = (every.all.sum(axis=-1) - seen.all)[keep].reshape(-1)
    rows = share_frame(tally, seen, "bounds_with_video", confidence, note=RULE_NOTES[rule])
    w = seen.all[keep].reshape(-1) / (seen.all[keep].reshape(-1) + missing)
    answered = rows["bound_low"].notna().to_numpy()
    low, high = (np.where(answered, rows[name], other) for name, other in (("bound_low", 0.0), ("bound_high", 1.0)))
    flags = [join_flags(flag, f"{lost:,} without footage" if lost else "") for flag, lost in zip(rows["flag"], missing)]
    return rows.assign(
        unit=f"share of {tally.unit} linked to video",
        bound_low=w * low,
        bound_high=w * high + 1 - w,
        n_unknown=rows["n_unknown"] + missing,
        flag=flags,
    )


def _seen(every: Answers) -> Answers:
    """The answers of the records with footage: the last axis, `video_link`, summed over its tiers."""
    at = [every.axes[-1].index(code) for code in LINKED]
    summed = {name: getattr(every, name)[..., at].sum(axis=-1) for name in ("yes", "no", "unknown", "asked", "blank")}
    months = {name: getattr(every, name)[..., 0] for name in ("covered", "period")}
    return Answers(axes=every.axes[:-1], **summed, **months)
