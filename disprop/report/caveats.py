"""What a report cannot tell, and what a panel may ask next: each said where it applies, and nowhere else.

The caveats are those that `docs/writing.md` ties to figures, and the pitfalls of the method that bear on a report.
"""

from __future__ import annotations

from collections.abc import Callable

from disprop.coverage import MISSING, PARTIAL, STATES
from disprop.measures.ratios import PERSONS
from disprop.measures.verdicts import HIGHER, HIGHER_UNCERTAIN, TOO_FEW
from disprop.report.figures import counted, listed, months_named
from disprop.report.inputs import ReportInputs, Row
from disprop.report.words import people

Applies = Callable[[ReportInputs], bool]
POLICE_UK = "police.uk"
"""Name of the dataset of the public monthly files."""


def caveats(inputs: ReportInputs) -> tuple[tuple[str, str], ...]:
    """The caveats that bear on what this report prints, in order: a name for each, and its text."""
    return tuple((name, text) for applies, name, text in _CAVEATS if applies(inputs))


def questions(inputs: ReportInputs) -> tuple[tuple[str, str], ...]:
    """Questions that these figures raise and cannot answer, without names."""
    return tuple(("", text) for ask in _QUESTIONS if (text := ask(inputs)))


def _has(*names: str) -> Applies:
    return lambda inputs: any(len(inputs.rows(name)) > 0 for name in names)


def _given(*names: str) -> Applies:
    """Whether a figure of a frame is given: a limit alone is one too, a refusal is none."""
    return lambda inputs: any(row["low"] is not None for name in names for row in inputs.rows(name))


def _any_row(name: str, test: Callable[[Row], bool]) -> Applies:
    return lambda inputs: any(test(row) for row in inputs.rows(name))


def _unknown_ethnicity(inputs: ReportInputs) -> int:
    return max((row["n_unknown"] or 0 for row in inputs.rows("search_rate")), default=0)


def holes(inputs: ReportInputs) -> list[str]:
    """Months of the period that are missing or suspected partial."""
    states = (STATES[MISSING], STATES[PARTIAL])
    frame = inputs.coverage
    return [month for month, state in zip(frame["month"].tolist(), frame["state"].tolist()) if state in states]


_RATES = ("search_rate", "search_rate_all")
_SHARES = (
    "linked_find",
    "positive_outcome",
    "arrest",
    "possession_only",
    "more_thorough",
    "more_thorough_children",
    "share_on_video",
)

_CAVEATS: tuple[tuple[Applies, str, str], ...] = (
    (
        _given(*_RATES, "rate_ratio"),
        "Residents",
        "Residents are not the people who were there to be searched: visitors, workers, students and the night-time "
        "public differ from them.",
    ),
    (
        lambda inputs: inputs.force == "city-of-london",
        "The City by day",
        "Far more people are in the City of London by day than live there. Rates on its residents do not describe the "
        "people who are there.",
    ),
    (
        _has(*_RATES, "rate_ratio"),
        "Events, not people",
        "Searches are events, not people; one person may be searched many times. A rate above 1,000 per 1,000 is "
        "possible.",
    ),
    (
        _given("rate_ratio"),
        "Not why",
        "A ratio describes groups in an area. It does not say why the rates differ, nor what holds for a person or a "
        "street. Figures of this kind cannot tell whether a search was fair.",
    ),
    (
        _given("rate_ratio"),
        "Places within the force",
        "A ratio for a whole force mixes differences between its areas with differences within them: where many "
        "searches are made in a place where many people of one group live, the ratio shows it.",
    ),
    (
        _given("rate_ratio"),
        "Age and sex",
        "Groups differ in age and sex, and younger people and men are searched more. These ratios do not allow for "
        "that.",
    ),
    (
        _given(*_RATES, "rate_ratio"),
        "Residents counted once",
        "The residents were counted once, and places change: a period before or after that day rests on residents of "
        "another time. A change of Census breaks a series.",
    ),
    (
        _has(*_RATES, "rate_ratio"),
        "Self-described",
        "Ethnicity is as the person describes it. As officers perceive it the figures would differ; the two are never "
        "merged, and the Census has no match for the second.",
    ),
    (
        lambda inputs: _unknown_ethnicity(inputs) > 0,
        "Ethnicity not known",
        "Searches whose ethnicity is not known are counted in totals and left out of the rates of groups. They are "
        "not a group of their own, are not Other, and need not resemble the rest; what they could change is shown as "
        "bounds.",
    ),
    (
        _has(*_RATES, "rate_ratio"),
        "No suspicion needed",
        "Searches under section 60, which needs no suspicion, are counted with the others.",
    ),
    (
        lambda inputs: bool(holes(inputs)),
        "Missing months",
        "A month for which nothing was submitted is not a month without searches. Rates are given over the months "
        "there are, or not at all.",
    ),
    (
        _has("linked_find", "any_find", "positive_outcome", "arrest"),
        "Finds and fairness",
        "Equal find rates, or shares with an outcome, do not show fairness, and unequal ones do not show bias: they "
        "mix who is searched with what is looked for.",
    ),
    (
        _has("linked_find"),
        "Lower than all finds",
        "A linked find with a recorded outcome is a lower figure than all linked finds: where the item was found and "
        "nothing further was done, it does not count.",
    ),
    (
        _has(*_SHARES),
        "Overlapping intervals",
        "Whether two groups differ is not told by whether their intervals overlap. Differences of find rates often "
        "need thousands of searches in each group before they can be told from chance.",
    ),
    (
        _has(*_RATES, *_SHARES),
        "Only what was recorded",
        "Only what was recorded can be counted, and what is recorded may itself depend on who was searched.",
    ),
    (
        _any_row("rate_ratio", lambda row: row["verdict"] == TOO_FEW),
        "Too few",
        "Where there were too few searches to say, that is the finding: the figures do not lean either way.",
    ),
    (
        _any_row("rate_ratio", lambda row: "dispersion" in (row["method"] or "")),
        "Month to month",
        "Searches vary from month to month by more than chance alone would have it. The intervals of the comparisons "
        "have been widened for that.",
    ),
    (
        _any_row("rate_ratio", lambda row: PERSONS in (row["method"] or "")),
        "Searched again",
        "Some people were searched again and again, so that counts vary by more than chance alone would have it. The "
        "intervals of the ratios for the whole force have been widened for that; those of rates, of shares, of "
        "differences from the expected count and of ratios within areas have not.",
    ),
    (
        _given("rate_ratio"),
        "Chance only",
        "An interval covers chance only. It does not cover wrong labels, records that were never made, or a Census "
        "that has aged. Of many comparisons where there is no difference, up to one in twenty may seem to show one.",
    ),
    (
        _any_row("search_rate", lambda row: "label" in (row["flag"] or "")),
        "Missing labels",
        "A group that the labels of a force could not record has no rate there. It does not have a low one.",
    ),
    (
        _any_row("rate_ratio", lambda row: row["estimate"] is None and row["low"] is not None),
        "Nothing to compare with",
        "Where there was no search of the group compared with, no ratio can be formed: only a lower limit is given.",
    ),
    (
        lambda inputs: inputs.dataset == POLICE_UK,
        "Records that are alike",
        "Records that are alike in every column are kept: the public files carry no record number to tell a record "
        "sent twice from two searches.",
    ),
)


# Questions ---------------------------------------------------------------------------------------------------------


def _ask_higher(inputs: ReportInputs) -> str:
    rows = [row for row in inputs.rows("rate_ratio") if row["verdict"] in (HIGHER, HIGHER_UNCERTAIN)]
    if not rows:
        return ""
    who = listed([people(row["group"]) for row in rows])
    possession = "" if inputs.rows("possession_only") else " How many searches were for the possession of drugs alone?"
    return (
        f"For what reasons and under which powers were {who} searched, and are they the same as for "
        f"{people(rows[0]['reference'])}?{possession}"
    )


def _ask_where(inputs: ReportInputs) -> str:
    if not _given("rate_ratio")(inputs):
        return ""
    inside = "" if _given("rate_ratio_within_areas")(inputs) else "inside each area, and "
    return f"Where are searches made? Does the difference hold {inside}among people of the same age and sex?"


def _ask_unknown(inputs: ReportInputs) -> str:
    unknown = _unknown_ethnicity(inputs)
    said = counted(unknown, "search")
    return f"Why is ethnicity not known for {said}, and what is done about it?" if unknown else ""


def _ask_finds(inputs: ReportInputs) -> str:
    row = inputs.one("linked_find_all")
    if row is None:
        return ""
    if row["estimate"] is None:
        return (
            f"Whether the item searched for was found is not known for {counted(row['n_unknown'], 'search')}. When "
            "will it be recorded for every search, also where nothing further was done?"
        )
    return "Do find rates differ by what is searched for, and does that explain how they differ between groups?"


def _ask_flag(inputs: ReportInputs) -> str:
    default, alone = inputs.one("linked_find_all"), inputs.one("linked_find_rule_linked_all")
    if default is None or alone is None or None in (default["numerator"], alone["numerator"]):
        return ""
    if default["numerator"] == alone["numerator"]:
        return ""
    return "What does the force mean by a linked outcome where nothing further was done?"


def _ask_grounds(inputs: ReportInputs) -> str:
    return "Has a sample of records been read for reasonable grounds? How was it drawn, and what did it find?"


def _ask_children(inputs: ReportInputs) -> str:
    if not inputs.rows("more_thorough_children"):
        return ""
    return (
        "For each search of a child that removed more than outer clothing: who authorised it, why, and was an "
        "appropriate adult there?"
    )


def _ask_video(inputs: ReportInputs) -> str:
    rows = inputs.rows("share_on_video")
    if not rows or any(row["estimate"] is not None for row in rows):
        return ""
    return "How many searches were recorded on body-worn video from start to end, and who looks at the footage?"


def _ask_holes(inputs: ReportInputs) -> str:
    months = holes(inputs)
    return f"What happened to the records of {months_named(months)}?" if months else ""


def _ask_quarantined(inputs: ReportInputs) -> str:
    if not inputs.account.quarantined and not inputs.account.unmapped:
        return ""
    return "Can the force put right the rows and labels that could not be read?"


_QUESTIONS = (
    _ask_higher,
    _ask_where,
    _ask_unknown,
    _ask_finds,
    _ask_flag,
    _ask_grounds,
    _ask_children,
    _ask_video,
    _ask_holes,
    _ask_quarantined,
)
