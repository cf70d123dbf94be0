"""Of the searches: how many found what they were for, led to something, went further, were on video.

Every share is of a three-state answer: yes, no, unknown. Blank is not no. What is unknown is counted, bounds what the
share can be, and past stated cut-offs takes the figure's place or has it refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from disprop.coverage import covered_only, month_coverage
from disprop.errors import UsageError
from disprop.intervals import proportion_interval
from disprop.measures.exposed import default_by, month_counts
from disprop.measures.outcome_labels import never_recorded
from disprop.results import groups_of, join_flags, result_frame, text_where
from disprop.tallies import Axis, Tally, coded_axis

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["linked_positive", "linked"]
RULE_NOTES: dict[str, str] = {
    "linked_positive": "linked find with a recorded outcome",
    "linked": "flag alone, whatever the outcome",
}
"""What a linked find is under each rule, as every row says."""

REFUSE_BLANK_SHARE = 0.95
"""Refused when this share of the positive-outcome records has no answer: almost nothing is known."""
BOUNDS_UNKNOWN_SHARE = 0.05
"""Bounds only when more than this share of all records is unknown."""
BLANK_GAP = 0.05
"""`where known` is refused when blanks differ by more than this between no-action and positive outcomes."""

BLANKS_DIFFER = (
    "refused: the flag is blank more often for one kind of outcome than the other, so records with a flag are not like "
    "the rest"
)
NOTHING_TO_COMPARE = (
    "refused: without records of both kinds, with a positive outcome and with none, nothing tells whether records with "
    "a flag are like the rest"
)

PARTLY = "on the months there are"
MUCH_UNKNOWN = f"more than {BOUNDS_UNKNOWN_SHARE:.0%} of outcomes are not known: see the bounds"


@dataclass(frozen=True)
class Answers:
    """Yes, no and unknown counts over `axes`, and how many positive outcomes there are, and lack the answer."""

    axes: tuple[Axis, ...]
    yes: np.ndarray
    no: np.ndarray
    unknown: np.ndarray
    asked: np.ndarray
    blank: np.ndarray
    covered: np.ndarray
    period: np.ndarray

    @property
    def all(self) -> np.ndarray:
        return self.yes + self.no + self.unknown


def find_rate(
    tally: Tally,
    *,
    find: Literal["linked_find", "any_find"] = "linked_find",
    rule: Rule = "linked_positive",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Share of searches in which something was found.

    `linked_find`: the item searched for. On data.police.uk this is a proxy, always called "linked find with a recorded
    outcome": rule `linked_positive` (default) says yes where the flag is true and the outcome positive; a no-action
    record is a known no whatever its flag, because some forces set the flag on every one. Rule `linked` takes the flag
    alone, over all records. The two are offered side by side because they differ where forces record differently.

    `any_find`: anything at all. A positive outcome is not a find; only older labels say ("Nothing found ...",
    "Article found ..."), so the figure is refused on newer data.

    Records of a month that is missing or suspected partial are left out, as the rates leave them out; a period that
    has such a month is flagged "on the months there are", and every row says how many force-months are behind it.

    Three states. Bounds: yes / all and (yes + unknown) / all. Refused when 95% or more of the positive-outcome records
    have no answer; else bounds only when unknown / all > 5%; else given: yes / (all - unknown). A group is never given
    a figure where all groups of its slice together are refused one. Limits: Wilson 1927.

    tally: axes `outcome` (and `linked` for linked finds). by: axes of the rows; default every other axis but month.
    Returns one row a cell, columns as in `disprop.results.COLUMNS`, unit "share of searches".
    Raises AxisMismatch when the tally lacks an axis, UsageError for an unknown choice.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["outcome", "linked"])
    >>> find_rate(searches)[["estimate", "low", "high", "bound_low", "bound_high"]].round(3)
       estimate    low   high  bound_low  bound_high
    0     0.203  0.197  0.208      0.199       0.218
    """
    if find == "any_find":
        answers = _any_find(tally, rows_by(tally, by, ("outcome", "linked")))
        return share_frame(tally, answers, "any_find", confidence, note="")
    if find != "linked_find":
        raise UsageError(f"find={find!r} is not a choice; give 'linked_find' or 'any_find'")
    answers = linked_answers(tally, rows_by(tally, by, ("outcome", "linked")), rule)
    return share_frame(tally, answers, "linked_find", confidence, note=RULE_NOTES[rule])


def linked_find_where_known(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Linked finds among the records that carry a flag: another figure than `find_rate`, and seldom safe.

    Refused where the share of blank flags differs by more than 5 points between no-action and positive outcomes: then
    the records with a flag are not like the others. Refused too where either kind has no records: then nothing tells.
    Numerator as under `linked_positive`; limits Wilson.

    Arguments, columns and errors as `find_rate`; measure "linked_find_where_known".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["outcome", "linked"])
    >>> linked_find_where_known(searches)[["estimate", "numerator", "denominator"]].round(3)
       estimate  numerator  denominator
    0       NaN     4016.0      15425.0
    """
    names = rows_by(tally, by, ("outcome", "linked"))
    turned = of_covered_months(tally).recode("outcome", "outcome_class").project([*names, "outcome", "linked"])
    yes = _count(turned, _pairs(turned, _linked_positive) == "yes")
    known = _count(turned, _pairs(turned, _linked_alone) != "unknown")
    (blank_positive, positive), (blank_none, none) = (_blank_flags(turned, kind) for kind in ("positive", "no_action"))
    every = turned.counts.sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.abs(blank_positive / positive - blank_none / none)
    refused = ~(gap <= BLANK_GAP)
    flags = np.select([np.isnan(gap), refused], [NOTHING_TO_COMPARE, BLANKS_DIFFER], "among records with a flag only")
    interval = proportion_interval(
        events=np.where(refused, 0, yes), trials=np.where(refused, 0, known), confidence=confidence
    )
    keep = np.asarray(every > 0)
    covered, period = months_behind(tally, turned.axes[:-2])

    def shown(values: np.ndarray) -> np.ndarray:
        return np.where(refused, np.nan, values)[keep]

    return result_frame(
        groups_of(turned.axes[:-2], keep),
        {
            "measure": "linked_find_where_known",
            "numerator": yes[keep],
            "denominator": known[keep],
            "estimate": shown(interval.estimate),
            "low": shown(interval.low),
            "high": shown(interval.high),
            "confidence": confidence,
            "method": text_where(~refused, "wilson")[keep],
            "unit": f"share of {tally.unit} with a flag",
            "n_unknown": (every - known)[keep],
            "covered_months": covered[keep],
            "period_months": period[keep],
            "flag": flags[keep],
        },
    )


def positive_outcome_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of searches with any outcome but no further action, among those whose outcome is known.

    A positive outcome is not a find: an arrest may be for something else. Bounds count every unknown outcome as no,
    then as yes; where more than 5% are unknown the flag says so, because the limits do not. A force that never records
    an outcome (or never its opposite), of which 10 or more would be expected by the share of the other forces in the
    tally, is refused: its labels lack it. Without other forces the flag only says that it never occurs. Limits: Wilson.
    Tally axis: `outcome`. Columns and errors as `find_rate`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["outcome"])
    >>> positive_outcome_share(searches)[["estimate", "low", "high", "bound_low", "bound_high"]].round(3)
       estimate    low   high  bound_low  bound_high
    0     0.253  0.247  0.259      0.251       0.259
    """
    return _outcome_share(tally, "positive_outcome", "outcome_class", "positive", "no_action", by, confidence)


def arrest_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of searches that led to an arrest, among those whose outcome is known; see `positive_outcome_share`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["outcome"])
    >>> arrest_share(searches)[["estimate", "low", "high", "bound_low", "bound_high"]].round(3)
       estimate    low  high  bound_low  bound_high
    0     0.125  0.121  0.13      0.124       0.132
    """
    return _outcome_share(tally, "arrest", "arrest", "yes", "no", by, confidence)


def more_thorough_search_share(
    tally: Tally, *, by: Sequence[str] | None = None, age_band: str | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Share of searches that removed more than outer clothing; three-state: blank is not no.

    Refused when 95% or more of the records are blank, bounds only above 5%, else given. `age_band="10-17"` keeps the
    searches of children only. Tally axis: `more_thorough` (and `age_band`). Columns and errors as `find_rate`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["age_band", "more_thorough"])
    >>> children = more_thorough_search_share(searches, by=[], age_band="10-17")
    >>> children[["numerator", "denominator", "bound_low"]].round(3)
       numerator  denominator  bound_low
    0       82.0       3778.0      0.022
    """
    kept = tally if age_band is None else tally.select(age_band=age_band)
    note = "" if age_band is None else f"ages {age_band}"
    return _flag_share(kept, "more_thorough_search_share", "more_thorough", by, confidence, note)


def share_on_video(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of searches recorded on body-worn video, by the officer's tick-box; three-state.

    The tick-box says that a camera ran, not that footage exists. Refused when 95% or more of the records are blank,
    bounds only above 5%, else given. Tally axis: `video_recorded`. Columns and errors as `find_rate`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["video_recorded"])
    >>> share_on_video(searches)[["estimate", "low", "high", "bound_low", "bound_high"]].round(3)
       estimate   low   high  bound_low  bound_high
    0     0.963  0.96  0.965      0.933       0.964
    """
    return _flag_share(tally, "share_on_video", "video_recorded", by, confidence, "by tick-box")


def rows_by(tally: Tally, by: Sequence[str] | None, used: Sequence[str]) -> list[str]:
    return default_by(tally, without=used) if by is None else list(by)


def _count(turned: Tally, chosen: np.ndarray) -> np.ndarray:
    """Counts, over all axes but the last two, of the pairs of last codes that are chosen (bool, code x code)."""
    return np.asarray((turned.counts * chosen).sum(axis=(-1, -2)))


def _pairs(turned: Tally, answer: Callable[[str, str], str]) -> np.ndarray:
    """What each pair of the last two axes' codes says, code x code."""
    one, two = turned.axes[-2:]
    return np.array([[answer(a, b) for b in two.codes] for a in one.codes], dtype=object)


def yes_no_unknown(turned: Tally, yes: str = "yes", no: str = "no") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of the last axis that say yes, that say no, and that say neither."""
    flag = turned.axes[-1]
    n_yes, n_no = (turned.counts[..., flag.index(code)] for code in (yes, no))
    return n_yes, n_no, turned.counts.sum(axis=-1) - n_yes - n_no


def _blank_flags(turned: Tally, outcome_class: str) -> tuple[np.ndarray, np.ndarray]:
    """Records of one outcome class without a flag, and all of that class."""
    of_class = _pairs(turned, lambda outcome, linked: outcome) == outcome_class
    without = _pairs(turned, lambda outcome, linked: _linked_alone(outcome, linked)) == "unknown"
    return _count(turned, of_class & without), _count(turned, of_class)


def linked_answers(tally: Tally, names: list[str], rule: Rule) -> Answers:
    if rule not in _LINKED_RULES:
        raise UsageError(f"rule={rule!r} is not a choice; give 'linked_positive' or 'linked'")
    turned = of_covered_months(tally).recode("outcome", "outcome_class").project([*names, "outcome", "linked"])
    said = _pairs(turned, _LINKED_RULES[rule])
    yes, no, unknown = (_count(turned, said == state) for state in ("yes", "no", "unknown"))
    blank, asked = _blank_flags(turned, "positive")
    return Answers(turned.axes[:-2], yes, no, unknown, asked, blank, *months_behind(tally, turned.axes[:-2]))


def _linked_positive(outcome: str, linked: str) -> str:
    if outcome == "no_action" or linked == "no":
        return "no"
    return "yes" if outcome == "positive" and linked == "yes" else "unknown"


def _linked_alone(outcome: str, linked: str) -> str:
    return linked if linked in ("yes", "no") else "unknown"


_LINKED_RULES: dict[str, Callable[[str, str], str]] = {"linked_positive": _linked_positive, "linked": _linked_alone}


def _any_find(tally: Tally, names: list[str]) -> Answers:
    into = coded_axis("any_find", "any_find")
    both = of_covered_months(tally).recode("outcome", "any_find", rename="any_find").project([*names, "any_find"])
    yes, no, unknown = (both.counts[..., into.index(code)] for code in ("yes", "no", "unknown"))
    return Answers(both.axes[:-1], yes, no, unknown, yes + no + unknown, unknown, *months_behind(tally, both.axes[:-1]))


def _outcome_share(
    tally: Tally, measure: str, to: str, yes: str, no: str, by: Sequence[str] | None, confidence: float
) -> pd.DataFrame:
    names = rows_by(tally, by, ("outcome", "linked"))
    counted = of_covered_months(tally).recode("outcome", to)
    turned = counted.project([*names, "outcome"])
    states = yes_no_unknown(turned, yes, no)
    zero = np.zeros_like(states[0])
    answers = Answers(turned.axes[:-1], *states, zero, zero, *months_behind(tally, turned.axes[:-1]))
    return share_frame(tally, answers, measure, confidence, note="", lacking=never_recorded(counted, yes, no))


def _flag_share(
    tally: Tally, measure: str, axis: str, by: Sequence[str] | None, confidence: float, note: str
) -> pd.DataFrame:
    names = rows_by(tally, by, (axis,))
    turned = of_covered_months(tally).project([*names, axis])
    yes, no, unknown = yes_no_unknown(turned)
    every = turned.counts.sum(axis=-1)
    answers = Answers(turned.axes[:-1], yes, no, unknown, every, unknown, *months_behind(tally, turned.axes[:-1]))
    return share_frame(tally, answers, measure, confidence, note=note)


def months_behind(tally: Tally, axes: Sequence[Axis]) -> tuple[np.ndarray, np.ndarray]:
    """Covered force-months, and force-months of the period, behind each cell."""
    shape = [len(axis) for axis in axes]
    covered, period = month_counts(month_coverage(tally), axes)
    return np.broadcast_to(covered, shape), np.broadcast_to(period, shape)


def of_covered_months(tally: Tally) -> Tally:
    """The records that the rates count too: none of a month that is missing or suspected partial."""
    return covered_only(tally, month_coverage(tally))


def _partly(answers: Answers, keep: np.ndarray) -> list[str]:
    """What to say of each cell kept whose period has months that are not covered."""
    return np.where(answers.covered < answers.period, PARTLY, "")[keep].reshape(-1).tolist()


def _state(yes: np.ndarray, unknown: np.ndarray, every: np.ndarray, asked: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """0 given, 1 bounds only, 2 refused."""
    with np.errstate(divide="ignore", invalid="ignore"):
        refused = (asked > 0) & (blank / asked >= REFUSE_BLANK_SHARE)
        bounded = unknown / every > BOUNDS_UNKNOWN_SHARE
    return np.where(refused, 2, np.where(bounded, 1, 0))


def _together(answers: Answers) -> Answers:
    """The same answers for all groups of each cell's slice (its force and month) together."""
    over = tuple(i for i, axis in enumerate(answers.axes) if axis.name not in ("force", "month"))

    def spread(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.sum(axis=over, keepdims=True), values.shape)

    return replace(
        answers,
        yes=spread(answers.yes),
        no=spread(answers.no),
        unknown=spread(answers.unknown),
        asked=spread(answers.asked),
        blank=spread(answers.blank),
    )


def _told(answers: Answers, keep: np.ndarray) -> list[tuple[int, str]]:
    """State of each cell kept, and why, in words."""
    states = _state(answers.yes, answers.unknown, answers.all, answers.asked, answers.blank)
    cells = zip(*(np.atleast_1d(v[keep]) for v in (states, answers.unknown, answers.all, answers.blank, answers.asked)))
    return [(int(cell[0]), _why(*cell)) for cell in cells]


def _reasons(answers: Answers, keep: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """State and reason of each cell kept: its own, or those of all groups together where these are worse."""
    both = list(zip(_told(answers, keep), _told(_together(answers), keep)))
    worse = [own if own[0] >= slice_[0] else (slice_[0], f"{slice_[1]}, all groups together") for own, slice_ in both]
    return np.array([state for state, _ in worse], dtype=int), [why for _, why in worse]


def _given_unless_lacking(
    unknown: np.ndarray, every: np.ndarray, forces: list[str] | None, lacking: dict[str, tuple[bool, str]]
) -> tuple[np.ndarray, list[str]]:
    """A share of the known is given whatever is unknown; past the cut-off its limits say too little, and that is said.

    Limits are about chance alone: a force that leaves the outcome of its arrests blank has no arrests among the known,
    and one whose labels lack them none at all. That is refused where other forces show how many to expect; forces
    together only say which of them lack it.
    """
    much = np.where(np.atleast_1d(unknown / every > BOUNDS_UNKNOWN_SHARE), MUCH_UNKNOWN, "").tolist()
    if forces is None:
        together = join_flags(*(words for _, words in lacking.values()))
        return np.zeros(len(much), dtype=int), [join_flags(together, one) for one in much]
    found = [lacking.get(force, (False, "")) for force in forces]
    why = [f"refused: {said}" if withheld else join_flags(said, one) for (withheld, said), one in zip(found, much)]
    return np.array([2 if withheld else 0 for withheld, _ in found], dtype=int), why


def share_frame(
    tally: Tally,
    answers: Answers,
    measure: str,
    confidence: float,
    *,
    note: str,
    lacking: dict[str, tuple[bool, str]] | None = None,
) -> pd.DataFrame:
    """Result rows of shares: given, bounds only or refused; with `lacking` (`never_recorded`), given but for those."""
    keep = np.asarray(answers.all > 0)
    groups = groups_of(answers.axes, keep)
    yes, known, every = answers.yes[keep], (answers.yes + answers.no)[keep], answers.all[keep]
    unknown = answers.unknown[keep]
    if lacking is None:
        state, why = _reasons(answers, keep)
    else:
        state, why = _given_unless_lacking(unknown, every, groups.get("force"), lacking)
    given = (state == 0) & (known > 0)
    interval = proportion_interval(
        events=np.where(given, yes, 0), trials=np.where(given, known, 0), confidence=confidence
    )
    refused = state == 2
    return result_frame(
        groups,
        {
            "measure": measure,
            "numerator": np.where(refused, np.nan, yes),
            "denominator": np.where(state == 0, known, every),
            "estimate": np.where(given, interval.estimate, np.nan),
            "low": np.where(given, interval.low, np.nan),
            "high": np.where(given, interval.high, np.nan),
            "confidence": confidence,
            "method": text_where(given, "wilson"),
            "unit": f"share of {tally.unit}",
            "bound_low": np.where(refused, np.nan, yes / every),
            "bound_high": np.where(refused, np.nan, (yes + unknown) / every),
            "n_unknown": unknown,
            "covered_months": answers.covered[keep],
            "period_months": answers.period[keep],
            "flag": [join_flags(reason, note, partly) for reason, partly in zip(why, _partly(answers, keep))],
        },
    )


def plain_shares(
    axes: Sequence[Axis], keep: np.ndarray, n: np.ndarray, of: np.ndarray, confidence: float, **values: Any
) -> pd.DataFrame:
    """Result rows of n out of `of` in the cells kept: nothing unknown, nothing refused. Limits: Wilson.

    values: more result columns; an array has one value a cell, anything else stands as it is.
    """
    share = proportion_interval(events=n[keep], trials=of[keep], confidence=confidence)
    said = {name: value[keep] if isinstance(value, np.ndarray) else value for name, value in values.items()}
    return result_frame(
        groups_of(axes, keep),
        {
            "numerator": n[keep],
            "denominator": of[keep],
            **share._asdict(),
            "confidence": confidence,
            "method": "wilson",
            **said,
        },
    )


def _why(state: int, unknown: int, every: int, blank: int, asked: int) -> str:
    if state == 2:
        return f"refused: {blank:,} of {asked:,} records that should say carry no answer"
    if state == 1:
        return f"bounds only: {unknown:,} of {every:,} are unknown ({unknown / every:.0%})"
    return ""
