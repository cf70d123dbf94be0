"""What changed: from one period to another, against the rest of the country, over rolling years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from disprop.codelists import force_code
from disprop.errors import UsageError
from disprop.intervals import Interval, rate_ratio_interval
from disprop.measures import measure as named_measure
from disprop.measures.dispersion import judged_dispersion, month_dispersion
from disprop.measures.exposed import Exposed, Holes, default_by, expose
from disprop.measures.pairs import Pairs, pair_frame, pair_up, refuse_everyone
from disprop.measures.ratios import CAUTIOUS
from disprop.measures.verdicts import verdict
from disprop.months import month_label, month_number
from disprop.results import group_names, join_flags, not_computable, result_frame, text_where
from disprop.screening import ratio_change_interval
from disprop.tallies import Tally, period

if TYPE_CHECKING:
    import pandas as pd

Period = tuple[str, str]

UNKNOWN_SHIFT = 0.05
"""A change of the unknown share by more than this is said beside a change of the ratio: it may be the recording."""


class Break(NamedTuple):
    """A break that the user declares: figures from `month` on do not compare with earlier ones; None: all forces."""

    month: str
    note: str
    force: str | None = None


def declared_breaks(breaks: Sequence[Break | Sequence[str]]) -> tuple[Break, ...]:
    """Breaks, checked: each a month `YYYY-MM`, a note, and a force (or none, for all).

    Raises UsageError for what is no month, an unknown force, or a break without a note.

    >>> declared_breaks([("2019-10", "new recording system", "Kent")])
    (Break(month='2019-10', note='new recording system', force='kent'),)
    """
    found = []
    for one in breaks:
        month, note, *rest = one
        if not note:
            raise UsageError(f"the break of {month} has no note; say what changed")
        force = rest[0] if rest and rest[0] else None
        found.append(Break(month_label(month_number(str(month))), str(note), force and force_code(force)))
    return tuple(found)


def rate_change(
    tally: Tally,
    population: Tally,
    *,
    before: Period,
    after: Period,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Search rate of one period over that of an earlier one: how much more, or less, was searched.

    Periods are of equal length and share no month. A rate that cannot be had in either period withholds the change,
    with the reason. No searches before: no estimate, a lower limit. Periods that are not the same calendar months say
    that the season is part of the change.

    change = (x2 / t2) / (x1 / t1); score limits with the dispersion of the months: phi = max(1, X^2 / (k - 1)) of the
    later month's share of each pair of months, first with first, so that the season is not counted as unevenness.

    before, after: first and last month, `YYYY-MM`. by: axes of the rows; default every axis of the tally but month.
    Returns result rows, unit "ratio", `denominator` the searches expected at the earlier rate.
    Raises UsageError for periods of different length or that overlap, and what `search_rate` raises.

    >>> import disprop as dp
    >>> months = [f"{year}-{month:02d}" for year in (2018, 2019) for month in range(1, 7)]
    >>> searches = dp.tally(dp.synthetic.make_records(months=months), by=["ethnicity_self"])
    >>> found = rate_change(searches, dp.synthetic.population(), before=("2018-01", "2018-06"),
    ...                     after=("2019-01", "2019-06"), by=[])
    >>> found[["numerator", "estimate", "low", "high", "method"]].round(2)
       numerator  estimate   low  high                        method
    0    10060.0       1.0  0.95  1.06  score, month dispersion 4.48
    """
    _periods(before, after)
    rest = default_by(tally) if by is None else list(by)
    then, now = (expose(tally.between(*months), population, rest, holes=holes) for months in (before, after))
    keep = now.rows()

    def cut(values: Any) -> np.ndarray:
        return np.atleast_1d(np.asarray(values)[keep])

    reason = [join_flags(*why) for why in zip(cut(_named(then.reason, "before")), cut(_named(now.reason, "after")))]
    open_to = np.array([not why for why in reason]) & (cut(then.years) > 0) & (cut(now.years) > 0)
    phi = cut(_paired_dispersion(now, then, holes))
    sides: dict[str, Any] = {
        "events": cut(now.n),
        "exposure": np.where(open_to, cut(now.years), np.nan),
        "reference_events": cut(then.n),
        "reference_exposure": np.where(open_to, cut(then.years), np.nan),
    }
    change = rate_ratio_interval(**sides, confidence=confidence, dispersion=phi)
    flags = [join_flags(*texts) for texts in zip(cut(then.flag), cut(now.flag))]
    return result_frame(
        now.groups(keep),
        {
            "measure": "rate_change",
            "numerator": sides["events"],
            "denominator": sides["exposure"] * sides["reference_events"] / sides["reference_exposure"],
            **change._asdict(),
            "confidence": confidence,
            "method": text_where(open_to, [f"score, month dispersion {one:.2f}" for one in phi]),
            "unit": "ratio",
            "reference": _span(before),
            "n_unknown": cut(now.unknown() + then.unknown()),
            "covered_months": cut(now.covered + then.covered),
            "period_months": cut(now.period + then.period),
            "population_vintage": now.vintage,
            "flag": [join_flags(not_computable(why), flag, _season(before, after)) for why, flag in zip(reason, flags)],
        },
    )


def rate_ratio_change(
    tally: Tally,
    population: Tally,
    *,
    before: Period,
    after: Period,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Rate ratio of one period over that of an earlier one: whether a disparity grew or shrank.

    Periods are of equal length and share no month. A ratio that cannot be had in either period withholds the change.
    Rows are of what occurs in the later period. A count of 0 among the four gives no limits. Where the unknown share
    moved by more than 5 points the flag says so: then the change may be in the recording. A change of population
    vintage is a break, so both periods stand on one.

    change = RR2 / RR1, SE^2 of its log the sum of 1 / counts, each period's times its month dispersion. The verdict
    reads the change as any ratio, dispersion allowed for as an estimate; "too few to say" where a count in either
    period is below 10.

    of, reference, by: as in `rate_ratio`, but not "everyone". Returns result rows, unit "ratio of ratios".
    Raises UsageError as `rate_change` does, and what `rate_ratio` raises.

    >>> import disprop as dp
    >>> months = [f"{year}-{month:02d}" for year in (2018, 2019) for month in range(1, 7)]
    >>> searches = dp.tally(dp.synthetic.make_records(months=months), by=["ethnicity_self"])
    >>> found = rate_ratio_change(searches, dp.synthetic.population(), before=("2018-01", "2018-06"),
    ...                           after=("2019-01", "2019-06"), by=[])
    >>> found[["ethnicity_self", "estimate", "low", "high", "verdict"]].round(2)
      ethnicity_self  estimate   low  high              verdict
    0          Mixed      0.86  0.70  1.04  no clear difference
    1          Asian      0.98  0.89  1.08      within the band
    2          Black      1.10  0.95  1.27  no clear difference
    3          Other      0.79  0.49  1.28  no clear difference
    """
    _periods(before, after)
    refuse_everyone(reference)
    then, now = (
        pair_up(tally.between(*months), population, of, reference, by, holes, False) for months in (before, after)
    )
    then = _matched(then, now)
    reason = [join_flags(*why) for why in zip(_named(then.reason, "before"), _named(now.reason, "after"))]
    flags = [
        join_flags(*texts, moved, _season(before, after))
        for *texts, moved in zip(then.flag, now.flag, _unknown_moved(then, now))
    ]
    return _compared(now, then, "rate_ratio_change", reason, flags, _span(before), confidence)


def ratio_against_rest(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = (),
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Rate ratio of each force over that of the rest of the country, the force itself left out.

    The rest is every other force of the tally that has the ratio's counts; a force with a hole is left out of the
    rest, and the flag says how many were. The rest's ratio is the pooled crude one: it mixes what sets forces
    apart with what sets groups apart, so read it beside `similar_group_average` and the funnel.

    ratio of ratios and its limits as `rate_ratio_change`, the rest's counts with the dispersion of its own months.

    of, reference: as in `rate_ratio`, but not "everyone". by: further axes. Returns result rows, one a force and
    comparison. Raises what `rate_ratio` raises, UsageError for fewer than two forces.

    >>> import disprop as dp, pandas as pd
    >>> counts = {"essex": (60, 280), "kent": (40, 300), "sussex": (45, 310)}
    >>> rows = [(f, g) for f, both in counts.items() for g, n in zip(("Black", "White"), both) for _ in range(n)]
    >>> records = pd.DataFrame(rows, columns=["force", "ethnicity_self"]).assign(month="2019-04")
    >>> found = ratio_against_rest(dp.tally(records, by=["ethnicity_self"]), dp.census(2021))
    >>> found[found.ethnicity_self == "Black"][["force", "estimate", "low", "high"]].round(2)
         force  estimate   low  high
    2    essex      0.98  0.68  1.40
    6     kent      0.57  0.39  0.85
    10  sussex      2.23  1.53  3.25
    """
    refuse_everyone(reference)
    if len(tally.axis("force")) < 2:
        raise UsageError("the rest of the country needs at least one other force; tally more than one")
    rest = [name for name in by if name not in ("force", of)]
    pairs = pair_up(tally, population, of, reference, ["force", *rest], holes, False)
    others, left_out = _others(pairs)
    flags = [
        join_flags(flag, f"the rest is without {n} of the forces" if n else "") for flag, n in zip(pairs.flag, left_out)
    ]
    reason = list(pairs.reason)
    return _compared(pairs, others, "ratio_against_rest", reason, flags, "the rest of the country", confidence)


def rolling(
    measure: str,
    tally: Tally,
    population: Tally | None = None,
    *,
    months: int = 12,
    breaks: Sequence[Break] = (),
    **options: Any,
) -> pd.DataFrame:
    """A measure over rolling periods: one set of rows for each month that ends a whole one.

    Twelve months by default, so that every season is in each. A window with a hole is withheld with the reason, or cut
    to the months there are, as the measure does (`holes`). A window that a declared break falls into is not given: no
    figure goes across a break. Windows overlap: two neighbours share eleven months, and are no two findings.

    measure: a name of `disprop.measures.MEASURES`. options: arguments of the measure. breaks: from `declared_breaks`.
    Returns the measure's rows with a column `month`, the last month of the window, after the groups.
    Raises UsageError where the tally is shorter than one window, or for fewer than 1 month.

    >>> import disprop as dp
    >>> months = [f"2018-{month:02d}" for month in range(1, 13)] + ["2019-01", "2019-02"]
    >>> searches = dp.tally(dp.synthetic.make_records(months=months), by=["ethnicity_self"])
    >>> found = rolling("search_rate", searches, dp.synthetic.population(), by=[],
    ...                 breaks=declared_breaks([("2018-02", "new form")]))
    >>> found[["month", "estimate", "flag"]].round(2)
         month  estimate                                              flag
    0  2018-12       NaN  not given: a break declared at 2018-02: new form
    1  2019-01      9.53
    2  2019-02      9.61
    """
    import pandas as pd

    compute = named_measure(measure)
    inputs = [population] if compute.population else []
    frames = []
    for first, last in _windows(tally, months):
        rows = compute(tally.between(month_label(first), month_label(last)), *inputs, **options)
        frames.append(_ending(_across(rows, first, last, breaks), month_label(last)))
    return pd.concat(frames, ignore_index=True)


# Periods -------------------------------------------------------------------------------------------------------------


def _periods(before: Period, after: Period) -> None:
    (first, last), (start, end) = period(*before), period(*after)
    if last - first != end - start:
        raise UsageError(
            f"{_span(before)} is {last - first + 1} months, {_span(after)} {end - start + 1}: compare periods of equal "
            "length, the same calendar months where there is a season"
        )
    if start <= last:
        raise UsageError(f"{_span(after)} must begin after {_span(before)} ends: the two may share no record")


def _span(months: Period) -> str:
    return f"{months[0]} to {months[1]}"


def _season(before: Period, after: Period) -> str:
    apart = month_number(after[0]) - month_number(before[0])
    return "" if apart % 12 == 0 else "not the same calendar months: the season is part of the change"


def _windows(tally: Tally, months: int) -> list[tuple[int, int]]:
    if months < 1:
        raise UsageError(f"a window of {months} months is none; give 1 or more, 12 by custom")
    held = [month_number(code) for code in tally.axis("month").codes] + tally.parts["month"].tolist()
    scope = tally.scope
    first = scope.first if scope.first is not None else min(held, default=0)
    last = scope.last if scope.last is not None else max(held, default=-1)
    windows = [(end - months + 1, end) for end in range(first + months - 1, last + 1)]
    if not windows:
        raise UsageError(f"the tally holds {last - first + 1} months; a window of {months} does not fit")
    return windows


def _across(rows: pd.DataFrame, first: int, last: int, breaks: Sequence[Break]) -> pd.DataFrame:
    """The rows, without figures where a break falls inside the window."""
    for one in breaks:
        if first < month_number(one.month) <= last:
            rows = _broken(rows, one)
    return rows


def _broken(rows: pd.DataFrame, one: Break) -> pd.DataFrame:
    where = np.ones(len(rows), bool) if one.force is None or "force" not in rows else (rows["force"] == one.force)
    numbers = ("numerator", "denominator", "estimate", "low", "high", "bound_low", "bound_high")
    said = ("verdict", "verdict_holds", "point_against_band", "method")
    rows = rows.copy()
    rows.loc[where, [*numbers, *said]] = np.nan
    text = f"not given: a break declared at {one.month}: {one.note}"
    rows["flag"] = [join_flags(text, flag) if here else flag for here, flag in zip(where, rows["flag"])]
    return rows


def _ending(rows: pd.DataFrame, month: str) -> pd.DataFrame:
    import pandas as pd

    rows = rows.copy()
    rows.insert(len(group_names(rows)), "month", pd.Series([month] * len(rows), dtype="str"))
    return rows


# Two ratios ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Base:
    """What a ratio is compared with: its counts, resident-years and monthly counts, one a comparison."""

    a: np.ndarray
    n1: np.ndarray
    c: np.ndarray
    n0: np.ndarray
    a_month: np.ndarray
    c_month: np.ndarray
    month_used: np.ndarray


def _compared(
    pairs: Pairs,
    base: Pairs | _Base,
    measure: str,
    reason: list[str],
    flags: list[str],
    reference: str,
    confidence: float,
) -> pd.DataFrame:
    given = np.array([not why for why in reason])
    months = [(one.a_month, one.c_month, one.month_used) for one in (pairs, base)]
    phi, base_phi = (month_dispersion(*one) for one in months)
    judged, base_judged = (
        judged_dispersion(one, *counts, confidence=confidence) for one, counts in zip((phi, base_phi), months)
    )
    change = _change(pairs, base, given, phi, base_phi, confidence)
    wider = _change(pairs, base, given, judged, base_judged, confidence)
    fewest = np.minimum(np.minimum(pairs.a, pairs.c), np.minimum(base.a, base.c))
    counts: dict[str, Any] = {"count": fewest, "reference_count": fewest, "expected": fewest, "computable": given}
    words, printed = (verdict(low=one.low, high=one.high, **counts) for one in (wider, change))
    cautious = [f"{CAUTIOUS} ({low:.2f} to {high:.2f})" for low, high in zip(wider.low, wider.high)]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = base.a / base.n1 / (base.c / base.n0) * pairs.expected
    method = [f"log limits, month dispersion {one:.2f} and {other:.2f}" for one, other in zip(phi, base_phi)]
    return pair_frame(
        pairs,
        {
            "measure": measure,
            "denominator": np.where(given, expected, np.nan),
            **change._asdict(),
            "confidence": confidence,
            "method": text_where(given, method),
            "unit": "ratio of ratios",
            "reference": f"{pairs.reference}; {reference}",
            "verdict": words,
            "flag": [
                join_flags(not_computable(why), flag, remark)
                for why, flag, remark in zip(reason, flags, np.where(words == printed, "", cautious))
            ],
        },
    )


def _change(
    pairs: Pairs, base: Pairs | _Base, given: np.ndarray, phi: np.ndarray, base_phi: np.ndarray, confidence: float
) -> Interval:
    return ratio_change_interval(
        events=pairs.a,
        exposure=np.where(given, pairs.n1, np.nan),
        reference_events=pairs.c,
        reference_exposure=pairs.n0,
        base_events=base.a,
        base_exposure=base.n1,
        base_reference_events=base.c,
        base_reference_exposure=base.n0,
        dispersion=phi,
        base_dispersion=base_phi,
        confidence=confidence,
    )


def _others(pairs: Pairs) -> tuple[_Base, list[int]]:
    """For every comparison the sums over the same comparison of all other forces, and how many could not be used."""
    usable = pairs.reason == ""
    names = [name for name in pairs.groups if name != "force"]
    cells = list(zip(*(pairs.groups[name] for name in names)))
    same = np.array([[one == other for other in cells] for one in cells]) & ~np.eye(len(cells), dtype=bool)
    used = (same & usable).astype(float)
    sums = [used @ side for side in (pairs.a, pairs.n1, pairs.c, pairs.n0, pairs.a_month, pairs.c_month)]
    a, n1, c, n0, a_month, c_month = sums
    return _Base(a, n1, c, n0, a_month, c_month, pairs.month_used), (same & ~usable).sum(axis=1).tolist()


def _matched(then: Pairs, now: Pairs) -> Pairs:
    """The earlier comparisons in the order of the later ones; one that did not occur earlier says so."""
    keys = [list(zip(*pairs.groups.values())) for pairs in (then, now)]
    at = np.array([keys[0].index(key) if key in keys[0] else -1 for key in keys[1]])
    if not len(keys[0]):
        raise UsageError("nothing was counted in the earlier period")
    columns = ("a", "n1", "c", "n0", "a_month", "c_month", "unknown", "flag", "covered", "period")
    reason = np.where(at < 0, "none recorded", then.reason[at])
    return replace(then, groups=now.groups, reason=reason, **{name: getattr(then, name)[at] for name in columns})


def _paired_dispersion(now: Exposed, then: Exposed, holes: Holes) -> np.ndarray:
    """phi of the later month's share of each pair of months; on covered months, of the pairs that have both."""
    both = (now.by_month > 0) & (then.by_month > 0) if holes == "covered" else True
    later, earlier = (np.where(both, side.by_month, 0) for side in (now, then))
    return month_dispersion(later, earlier, now.month_used & then.month_used)


def _named(reason: np.ndarray, when: str) -> np.ndarray:
    text = np.frompyfunc(lambda why: f"{when}: {why}" if why else "", 1, 1)
    return np.asarray(text(reason), dtype=object)


def _unknown_moved(then: Pairs, now: Pairs) -> list[str]:
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [pairs.unknown / (pairs.unknown + pairs.a + pairs.c) for pairs in (then, now)]
    return [
        f"unknown went from {one:.0%} to {other:.0%} of these: the change may be in the recording"
        if abs(one - other) > UNKNOWN_SHIFT
        else ""
        for one, other in zip(*shares)
    ]
