"""The measures: pure functions from tallies to result rows, and the table that says what each of them needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import Any

from disprop.codelists import nearest
from disprop.errors import UsageError
from disprop.records import KINDS


@dataclass(frozen=True)
class Measure:
    """One measure as the command line and the planner see it.

    `name` is also that of its function, which is in `module`; `axes` what a tally must be counted by besides the axes
    of the rows; `population` whether it is divided by residents; `compares` whether it sets groups against a reference;
    `kind` what records it is of.
    """

    name: str
    module: str
    meaning: str
    axes: tuple[str, ...] = ()
    population: bool = False
    compares: bool = False
    kind: str = "search"

    @property
    def reads(self) -> str | None:
        """The kind of record that it must be given, or None where it makes sense of several (video of both).

        A figure of columns that only one kind has can be of that kind only.
        """
        if self.population or self.kind != "search":
            return self.kind
        able = [kind.name for kind in KINDS.values() if {*self.axes} <= {axis.name for axis in kind.axes}]
        return able[0] if len(able) == 1 else None

    @property
    def ethnicity(self) -> str:
        """The axis of ethnicity that its records have: of use of force, the officer's perception."""
        return "ethnicity_officer" if self.kind == "force_report" else "ethnicity_self"

    @property
    def compute(self) -> Callable[..., Any]:
        """The table function."""
        function: Callable[..., Any] = getattr(import_module(f"disprop.measures.{self.module}"), self.name)
        return function

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments that the table function takes."""
        return tuple(signature(self.compute).parameters)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.compute(*args, **options)


_OUTCOMES = ("outcome", "linked")
_DRUGS = ("object", "possession_only")
_BOTH = ("ethnicity_self", "ethnicity_officer")
_FORCE = "force_report"

MEASURES = {
    measure.name: measure
    for measure in (
        Measure("search_rate", "rates", "Searches per 1,000 residents a year.", population=True),
        Measure("rate_ratio", "ratios", "Rate over the rate of a reference.", population=True, compares=True),
        Measure("excess_searches", "ratios", "Searches beyond the reference rate.", population=True, compares=True),
        Measure("find_rate", "shares", "Share that found the item searched for.", _OUTCOMES),
        Measure("linked_find_where_known", "shares", "Linked finds among records with a flag; seldom safe.", _OUTCOMES),
        Measure("positive_outcome_share", "shares", "Share with any outcome but no further action.", ("outcome",)),
        Measure("arrest_share", "shares", "Share that led to an arrest.", ("outcome",)),
        Measure(
            "more_thorough_search_share",
            "shares",
            "Share that removed more than outer clothing.",
            ("more_thorough", "age_band"),
        ),
        Measure("share_on_video", "shares", "Share recorded on body-worn video, by tick-box.", ("video_recorded",)),
        Measure(
            "possession_only_share",
            "drugs",
            "Share of the searches for drugs, and of all, for possession alone.",
            _DRUGS,
        ),
        Measure(
            "drug_find_rate",
            "drugs",
            "Share of searches for drugs that found them: for possession alone, and for supply.",
            (*_DRUGS, *_OUTCOMES),
        ),
        Measure(
            "share_linked_to_video", "video.linked", "Share with body-worn-video footage, by evidence.", ("video_link",)
        ),
        Measure(
            "shrunken_share_linked_to_video",
            "video.linked",
            "Share with footage of small cells (officers), drawn towards the common share.",
            ("video_link",),
        ),
        Measure(
            "video_from_start_share",
            "video.linked",
            "Share of records with footage that it shows from the start.",
            ("video_from_start",),
        ),
        Measure(
            "video_disagreement",
            "video.tick_box",
            "Tick-box for video against the footage found.",
            ("video_recorded", "video_link"),
        ),
        Measure(
            "video_agreement_share",
            "video.tick_box",
            "Share on which tick-box and footage agree.",
            ("video_recorded", "video_link"),
        ),
        Measure(
            "linkage_bias", "video.unlinked", "How records without footage differ from those with it.", ("video_link",)
        ),
        Measure(
            "bounds_with_video",
            "video.unlinked",
            "Find rate of searches with footage, and what it could be over all.",
            (*_OUTCOMES, "video_link"),
        ),
        Measure(
            "find_rate_difference",
            "outcome_test",
            "Linked find rate less that of the reference.",
            (*_OUTCOMES, "legislation"),
            compares=True,
        ),
        Measure(
            "find_rate_ratio",
            "outcome_test",
            "Linked find rate over that of the reference.",
            (*_OUTCOMES, "legislation"),
            compares=True,
        ),
        Measure(
            "age_standardised_rate",
            "standardised",
            "Searches per 1,000 residents a year, had all groups the same ages.",
            ("age_band",),
            population=True,
        ),
        Measure(
            "age_standardised_ratio",
            "standardised",
            "Rate over the rate of a reference, their ages made equal.",
            ("age_band",),
            population=True,
            compares=True,
        ),
        Measure(
            "area_decomposition",
            "decomposed",
            "What a ratio is made of: between forces, between areas, within areas.",
            ("area", "ethnicity_officer"),
            population=True,
            compares=True,
        ),
        Measure(
            "tipping_share", "unknowns", "Share of the unknown that makes the ratio 1.", population=True, compares=True
        ),
        Measure(
            "rate_ratio_allocated",
            "unknowns",
            "Rate ratio with unknowns shared out like the stated of their stratum.",
            _BOTH,
            population=True,
            compares=True,
        ),
        Measure(
            "rate_ratio_imputed",
            "unknowns",
            "Rate ratio with unknowns imputed many times.",
            _BOTH,
            population=True,
            compares=True,
        ),
        Measure(
            "hmicfrs",
            "replicas",
            "The inspectorate's own figures, with ours beside.",
            ("ethnicity_self", *_OUTCOMES),
            population=True,
        ),
        Measure(
            "force_in_search_share",
            "force.shares",
            "Share of searches in which force was used, by reports joined to them.",
            ("force_used",),
        ),
        Measure("force_rate", "force.rates", "Force reports per 1,000 residents a year.", population=True, kind=_FORCE),
        Measure(
            "force_ratio",
            "force.rates",
            "Rate of force over the rate of a reference.",
            population=True,
            compares=True,
            kind=_FORCE,
        ),
        Measure(
            "compliant_handcuffing_share",
            "force.shares",
            "Share of force reports with compliant handcuffing.",
            ("tactic",),
            kind=_FORCE,
        ),
        Measure(
            "effect_search_share",
            "force.shares",
            "Share of force reports that were to effect a search.",
            ("reason",),
            kind=_FORCE,
        ),
        Measure(
            "officer_injury_share",
            "force.shares",
            "Share of force reports in which the officer was injured.",
            ("officer_injury",),
            kind=_FORCE,
        ),
        Measure(
            "person_injury_share",
            "force.shares",
            "Share of force reports in which the person was injured.",
            ("person_injury",),
            kind=_FORCE,
        ),
        Measure("agreement_matrix", "unknowns", "How officers recorded each group.", _BOTH),
        Measure("agreement_share", "unknowns", "Share on which both ethnicities agree.", _BOTH),
    )
}


def measure(name: str) -> Measure:
    """The measure of that name; raises UsageError with the nearest known name."""
    if name not in MEASURES:
        raise UsageError(f"no measure {name!r}{nearest(name, MEASURES)}")
    return MEASURES[name]
