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

    `module` and `function` say where it is; `axes` what a tally must be counted by besides the axes of the rows;
    `population` whether it is divided by residents; `compares` whether it sets groups against a reference; `kind` what
    records it is of.
    """

    name: str
    module: str
    function: str
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
        function: Callable[..., Any] = getattr(import_module(f"disprop.measures.{self.module}"), self.function)
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
        Measure("search_rate", "rates", "search_rate", "Searches per 1,000 residents a year.", (), True),
        Measure("rate_ratio", "ratios", "rate_ratio", "Rate over the rate of a reference.", (), True, True),
        Measure("excess_searches", "ratios", "excess_searches", "Searches beyond the reference rate.", (), True, True),
        Measure("find_rate", "shares", "find_rate", "Share that found the item searched for.", _OUTCOMES),
        Measure(
            "linked_find_where_known",
            "shares",
            "linked_find_where_known",
            "Linked finds among records with a flag; seldom safe.",
            _OUTCOMES,
        ),
        Measure(
            "positive_outcome_share",
            "shares",
            "positive_outcome_share",
            "Share with any outcome but no further action.",
            ("outcome",),
        ),
        Measure("arrest_share", "shares", "arrest_share", "Share that led to an arrest.", ("outcome",)),
        Measure(
            "more_thorough_search_share",
            "shares",
            "more_thorough_search_share",
            "Share that removed more than outer clothing.",
            ("more_thorough", "age_band"),
        ),
        Measure(
            "share_on_video",
            "shares",
            "share_on_video",
            "Share recorded on body-worn video, by tick-box.",
            ("video_recorded",),
        ),
        Measure(
            "possession_only_share",
            "drugs",
            "possession_only_share",
            "Share of the searches for drugs, and of all, for possession alone.",
            _DRUGS,
        ),
        Measure(
            "drug_find_rate",
            "drugs",
            "drug_find_rate",
            "Share of searches for drugs that found them: for possession alone, and for supply.",
            (*_DRUGS, *_OUTCOMES),
        ),
        Measure(
            "share_linked_to_video",
            "video",
            "share_linked_to_video",
            "Share with body-worn-video footage, by evidence.",
            ("video_link",),
        ),
        Measure(
            "shrunken_share_linked_to_video",
            "video",
            "shrunken_share_linked_to_video",
            "Share with footage of small cells (officers), drawn towards the common share.",
            ("video_link",),
        ),
        Measure(
            "video_from_start_share",
            "video",
            "video_from_start_share",
            "Share of records with footage that it shows from the start.",
            ("video_from_start",),
        ),
        Measure(
            "video_disagreement",
            "video",
            "video_disagreement",
            "Tick-box for video against the footage found.",
            ("video_recorded", "video_link"),
        ),
        Measure(
            "video_agreement_share",
            "video",
            "video_agreement_share",
            "Share on which tick-box and footage agree.",
            ("video_recorded", "video_link"),
        ),
        Measure(
            "linkage_bias",
            "unlinked",
            "linkage_bias",
            "How records without footage differ from those with it.",
            ("video_link",),
        ),
        Measure(
            "bounds_with_video",
            "unlinked",
            "bounds_with_video",
            "Find rate of searches with footage, and what it could be over all.",
            (*_OUTCOMES, "video_link"),
        ),
        Measure(
            "find_rate_difference",
            "outcome_test",
            "find_rate_difference",
            "Linked find rate less that of the reference.",
            (*_OUTCOMES, "legislation"),
            compares=True,
        ),
        Measure(
            "find_rate_ratio",
            "outcome_test",
            "find_rate_ratio",
            "Linked find rate over that of the reference.",
            (*_OUTCOMES, "legislation"),
            compares=True,
        ),
        Measure(
            "age_standardised_rate",
            "standardised",
            "age_standardised_rate",
            "Searches per 1,000 residents a year, had all groups the same ages.",
            ("age_band",),
            True,
        ),
        Measure(
            "age_standardised_ratio",
            "standardised",
            "age_standardised_ratio",
            "Rate over the rate of a reference, their ages made equal.",
            ("age_band",),
            True,
            True,
        ),
        Measure(
            "area_decomposition",
            "decomposed",
            "area_decomposition",
            "What a ratio is made of: between forces, between areas, within areas.",
            ("area", "ethnicity_officer"),
            True,
            True,
        ),
        Measure(
            "tipping_share", "unknowns", "tipping_share", "Share of the unknown that makes the ratio 1.", (), True, True
        ),
        Measure(
            "rate_ratio_allocated",
            "unknowns",
            "rate_ratio_allocated",
            "Rate ratio with unknowns shared out like the stated of their stratum.",
            _BOTH,
            True,
            True,
        ),
        Measure(
            "rate_ratio_imputed",
            "unknowns",
            "rate_ratio_imputed",
            "Rate ratio with unknowns imputed many times.",
            _BOTH,
            True,
            True,
        ),
        Measure(
            "hmicfrs",
            "replicas",
            "hmicfrs",
            "The inspectorate's own figures, with ours beside.",
            ("ethnicity_self", *_OUTCOMES),
            True,
        ),
        Measure(
            "force_in_search_share",
            "force_shares",
            "force_in_search_share",
            "Share of searches in which force was used, by reports joined to them.",
            ("force_used",),
        ),
        Measure(
            "force_rate", "force", "force_rate", "Force reports per 1,000 residents a year.", (), True, kind=_FORCE
        ),
        Measure(
            "force_ratio",
            "force",
            "force_ratio",
            "Rate of force over the rate of a reference.",
            (),
            True,
            True,
            _FORCE,
        ),
        Measure(
            "compliant_handcuffing_share",
            "force_shares",
            "compliant_handcuffing_share",
            "Share of force reports with compliant handcuffing.",
            ("tactic",),
            kind=_FORCE,
        ),
        Measure(
            "effect_search_share",
            "force_shares",
            "effect_search_share",
            "Share of force reports that were to effect a search.",
            ("reason",),
            kind=_FORCE,
        ),
        Measure(
            "officer_injury_share",
            "force_shares",
            "officer_injury_share",
            "Share of force reports in which the officer was injured.",
            ("officer_injury",),
            kind=_FORCE,
        ),
        Measure(
            "person_injury_share",
            "force_shares",
            "person_injury_share",
            "Share of force reports in which the person was injured.",
            ("person_injury",),
            kind=_FORCE,
        ),
        Measure("agreement_matrix", "unknowns", "agreement_matrix", "How officers recorded each group.", _BOTH),
        Measure("agreement_share", "unknowns", "agreement_share", "Share on which both ethnicities agree.", _BOTH),
    )
}


def measure(name: str) -> Measure:
    """The measure of that name; raises UsageError with the nearest known name."""
    if name not in MEASURES:
        raise UsageError(f"no measure {name!r}{nearest(name, MEASURES)}")
    return MEASURES[name]
