"""Sentences. The verdict is there before any sentence is chosen, and the sentence follows the verdict.

What may be said under each verdict, and which words are never used, is governed by `docs/writing.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from disprop.measures.pairs import COMBINED, EVERYONE, EVERYONE_ELSE
from disprop.measures.shares import MUCH_UNKNOWN
from disprop.measures.verdicts import (
    BAND,
    DEPENDS,
    FEWEST,
    HIGHER,
    HIGHER_UNCERTAIN,
    HOLDS,
    LOWER,
    LOWER_UNCERTAIN,
    NO_CLEAR_DIFFERENCE,
    NOT_COMPUTABLE,
    TOO_FEW,
    WITHIN,
)
from disprop.report.figures import (
    count,
    counted,
    in_period,
    interval_name,
    listed,
    percent,
    rate,
    ratio,
    sentence,
    span,
)
from disprop.report.inputs import Row
from disprop.report.remarks import PARTLY, SHOULD_ANSWER, remark, remarks

UNKNOWN_GROUPS = {
    "not stated": "Ethnicity not stated",
    "blank": "Ethnicity left blank",
    "unmapped": "Ethnicity label not known",
}

_PEOPLE = {
    "White": "White people",
    "Black": "Black people",
    "Asian": "Asian people",
    "Mixed": "people of Mixed ethnicity",
    "Other": "people of Other ethnic groups",
    COMBINED: "people of ethnic minorities combined",
    EVERYONE: "everyone",
    EVERYONE_ELSE: "everyone else",
    "not stated": "people whose ethnicity is not stated",
    "blank": "people whose ethnicity was left blank",
    "unmapped": "people whose ethnicity carries a label not known",
}

CHIPS = {
    HIGHER: ("▲", "Higher"),
    LOWER: ("▼", "Lower"),
    WITHIN: ("=", "Alike, within 0.8 to 1.25"),
    HIGHER_UNCERTAIN: ("▲", "Higher, size uncertain"),
    LOWER_UNCERTAIN: ("▼", "Lower, size uncertain"),
    NO_CLEAR_DIFFERENCE: ("○", "No clear difference"),
    TOO_FEW: ("…", "Too few to say"),
    NOT_COMPUTABLE: ("×", "Cannot be given"),
}
"""Sign and words that stand for each verdict; never a colour alone."""

RATIO_SAID = (HIGHER, LOWER, WITHIN, HIGHER_UNCERTAIN, LOWER_UNCERTAIN, NO_CLEAR_DIFFERENCE)
"""Verdicts under which figures of the ratio may stand in a sentence."""


@dataclass(frozen=True)
class Answer:
    """The answer for one group, or for several that share it."""

    heading: str
    sign: str
    verdict: str
    depends: bool
    text: str


def people(group: str) -> str:
    """A group as people.

    >>> people("Black"), people("Roma")
    ('Black people', 'people recorded as Roma')
    """
    return _PEOPLE.get(group, f"people recorded as {group}")


def group_label(group: str) -> str:
    """A group as a short label of a row."""
    return UNKNOWN_GROUPS.get(group, group)


def too_few(row: Row) -> bool:
    """Whether a share rests on fewer searches than a ratio would need to be spoken of."""
    return row["denominator"] is not None and row["denominator"] < FEWEST


def few_searches(row: Row, verdict: str | None = None) -> bool:
    """Whether a rate rests on too few searches: fewer than 10, unless its comparison says that they are enough."""
    return row["estimate"] is not None and row["numerator"] < FEWEST and verdict in (None, TOO_FEW, NOT_COMPUTABLE)


# Comparisons -------------------------------------------------------------------------------------------------------


def answers(ratios: Sequence[Row], rates: Sequence[Row]) -> list[Answer]:
    """One answer a comparison; comparisons that cannot be given for the same reason share one."""
    reasons = {remark(row["flag"]) for row in ratios}
    if len(ratios) > 1 and len(reasons) == 1 and all(row["verdict"] == NOT_COMPUTABLE for row in ratios):
        return [_answer(ratios, _cannot(listed([people(row["group"]) for row in ratios]), ratios[0]))]
    return [_answer([row], comparison(row, rates)) for row in ratios]


def _answer(rows: Sequence[Row], text: str) -> Answer:
    sign, verdict = CHIPS[rows[0]["verdict"]]
    heading = sentence(listed([people(row["group"]) for row in rows])).rstrip(".")
    return Answer(heading, sign, verdict, _depends(rows[0]), text)


def comparison(row: Row, rates: Sequence[Row]) -> str:
    """What a verdict allows to be said of one ratio, and whether it holds whatever the unknowns are."""
    said = _SAID[row["verdict"]](row, _reference_searches(row, rates))
    return " ".join(text for text in (sentence(said), _holds(row)) if text)


def _reference_searches(row: Row, rates: Sequence[Row]) -> float | None:
    """Searches of the reference group, from its own row of the rates."""
    return next((rate_row["numerator"] for rate_row in rates if rate_row["group"] == row["reference"]), None)


def _counts(row: Row, reference: float | None) -> str:
    """The count on each side."""
    side = f"{counted(row['numerator'], 'search')} of {people(row['group'])}"
    return side if reference is None else f"{side}, {count(reference)} of {people(row['reference'])}"


def _limits(row: Row) -> str:
    return f"{interval_name(row['confidence'])} {span(row['low'], row['high'], ratio)}"


def _at_times_the_rate(row: Row, reference: float | None) -> str:
    if row["estimate"] == 0:
        return (
            f"no search of {people(row['group'])} was recorded, where about {count(row['denominator'])} would be "
            f"expected at the rate of {people(row['reference'])} ({_limits(row)} times that rate)"
        )
    return (
        f"{people(row['group'])} were searched at about {_times(row)} of {people(row['reference'])}, for their "
        f"numbers among residents ({_limits(row)}; {_counts(row, reference)})"
    )


def _times(row: Row) -> str:
    return f"{ratio(row['estimate'])} times the rate"


def _within(row: Row, reference: float | None) -> str:
    return (
        f"the rates are alike to within the band 0.8 to 1.25: {people(row['group'])} were searched at about "
        f"{_times(row)} of {people(row['reference'])} ({_limits(row)}; {_counts(row, reference)})"
    )


def _uncertain(word: str) -> Callable[[Row, float | None], str]:
    def said(row: Row, reference: float | None) -> str:
        return (
            f"{people(row['group'])} were searched at a {word} rate than {people(row['reference'])}, for their numbers "
            f"among residents; how much {word} is not known well ({_limits(row)} times the rate; "
            f"{_counts(row, reference)})"
        )

    return said


def _no_clear_difference(row: Row, reference: float | None) -> str:
    return (
        f"no clear difference was found between {people(row['group'])} and {people(row['reference'])}; this does not "
        f"show there is none ({_limits(row)} times the rate; {_counts(row, reference)})"
    )


def _too_few(row: Row, reference: float | None) -> str:
    return f"{_counts(row, reference)}: too few to say"


def _cannot(who: str, row: Row) -> str:
    return sentence(f"the comparison of {who} with {people(row['reference'])} cannot be given: {remark(row['flag'])}")


_SAID: dict[str, Callable[[Row, float | None], str]] = {
    HIGHER: _at_times_the_rate,
    LOWER: _at_times_the_rate,
    WITHIN: _within,
    HIGHER_UNCERTAIN: _uncertain("higher"),
    LOWER_UNCERTAIN: _uncertain("lower"),
    NO_CLEAR_DIFFERENCE: _no_clear_difference,
    TOO_FEW: _too_few,
    NOT_COMPUTABLE: lambda row, reference: _cannot(people(row["group"]), row),
}


def _holds(row: Row) -> str:
    """Whether the verdict holds whatever the unknown records are."""
    unknown = counted(row["n_unknown"] or 0, "search")
    if row["verdict_holds"] is None:
        return ""
    if not row["n_unknown"]:
        return "Ethnicity is known for every search."
    if row["verdict_holds"] == HOLDS:
        return f"This holds whatever the ethnicity of the people in the {unknown} where it is not known."
    if row["verdict"] == TOO_FEW:
        return f"Whether more could be said depends on the {unknown} where ethnicity is not known."
    return (
        f"This depends on the {unknown} where ethnicity is not known: were all of them of "
        f"{people(row['reference'])}, it would be {ratio(row['bound_low'])} times the rate; were all of them of "
        f"{people(row['group'])}, {ratio(row['bound_high'])} times.{_why_it_depends(row)}"
    )


def _why_it_depends(row: Row) -> str:
    """Why a verdict depends although the ratio is beyond the band at both bounds: an interval is not."""
    if row["verdict"] == HIGHER and row["bound_low"] > BAND[1]:
        return f" At {ratio(row['bound_low'])} times, its interval would reach below {BAND[1]}."
    if row["verdict"] == LOWER and row["bound_high"] < BAND[0]:
        return f" At {ratio(row['bound_high'])} times, its interval would reach above {BAND[0]}."
    return ""


# Counts and rates --------------------------------------------------------------------------------------------------


def lead(row: Row | None, force_name: str, period: str) -> str:
    """The first sentence: how many searches, and how often."""
    if row is None:
        return f"{force_name}, {period}."
    recorded = f"{force_name} recorded {counted(row['numerator'], 'search')} of people {in_period(period)}"
    if row["estimate"] is None:
        return f"{recorded}. A rate for its residents cannot be given: {remark(row['flag'])}."
    said = f"{recorded}: {rate(row['estimate'])} for every 1,000 residents a year ({row['population_vintage']})."
    aside = remark(row["flag"])
    return f"{said} {sentence(aside)}" if aside else said


# Shares ------------------------------------------------------------------------------------------------------------


def share_sentence(row: Row | None, of: str, what: str, asked: str = "") -> str:
    """One share over the whole force: of what ("searches"), that did what ("led to an arrest").

    asked: which records should say, where it is not all of them.
    """
    if row is None:
        return ""
    if row["estimate"] is not None:
        limits = f"{interval_name(row['confidence'])} {span(row['low'], row['high'], percent)}"
        said = f"{_amount(row['estimate'], of)} {what} ({_counts_of_share(row)}; {limits})."
        return f"{said}{_reserve(row)}{_much_unknown(row)}{_partly(row)}"
    if row["bound_low"] is not None:
        between = f"Between {percent(row['bound_low'])} and {percent(row['bound_high'])} of {of} {what}."
        unknown = f"for {count(row['n_unknown'])} of {count(row['denominator'])} it is not known"
        return f"{between} It cannot be said more closely, because {unknown}.{_partly(row)}"
    return f"What share of {of} {what} cannot be said: {reason(row, asked)}."


def _amount(share: float, of: str) -> str:
    """A share of things as a sentence begins with it; none and all are words."""
    exact = {0.0: "None of the", 1.0: "All of the"}
    return f"{exact[share]} {of}" if share in exact else f"About {percent(share)} of {of}"


def _counts_of_share(row: Row) -> str:
    """The count on each side; records of which the answer is not known are on neither."""
    counts = f"{count(row['numerator'])} of {count(row['denominator'])}"
    return f"{counts} where it is known" if row["n_unknown"] else counts


def reason(row: Row, asked: str = "") -> str:
    """Why a share is refused; `asked` names the records that should answer, where it is not all of them."""
    why = "; ".join(text for text in remarks(row["flag"]) if text != PARTLY)
    return f"{why} ({asked})" if asked and SHOULD_ANSWER in why else why


def _reserve(row: Row) -> str:
    """What stands against a share that is given: an outcome that never occurs may be one that cannot be recorded."""
    against = [text for text in remarks(row["flag"]) if text not in (PARTLY, MUCH_UNKNOWN)]
    return f" But {'; '.join(against)}." if against else ""


def _partly(row: Row) -> str:
    """That not all months are there."""
    return " This is counted on the months whose records are there." if PARTLY in remarks(row["flag"]) else ""


def _much_unknown(row: Row) -> str:
    """That a share of the known does not stand alone where much is unknown."""
    if MUCH_UNKNOWN not in row["flag"]:
        return ""
    between = span(row["bound_low"], row["bound_high"], percent)
    return f" For {count(row['n_unknown'])} more it is not known: counting these, it lies anywhere from {between}."


def two_rules(default: Row | None, flag_alone: Row | None) -> str:
    """What the two ways of counting linked finds give, and why they differ."""
    if default is None or flag_alone is None:
        return ""
    if (default["numerator"], default["n_unknown"]) == (flag_alone["numerator"], flag_alone["n_unknown"]):
        return "Counted by the flag alone, whatever the outcome, the figure is the same."
    if default["bound_low"] is None and flag_alone["bound_low"] is None:
        return "Counted by the flag alone, whatever the outcome, the figure is refused too, for the same reason."
    said = f"Counted by the flag alone, whatever the outcome, {_rule_figure(flag_alone)}; here {_rule_figure(default)}."
    return f"The two ways of counting differ. {said} {_why_rules_differ(default, flag_alone)}"


def _rule_figure(row: Row) -> str:
    if row["estimate"] is not None:
        of = counted(row["denominator"], "search")
        return f"it is {percent(row['estimate'])} ({count(row['numerator'])} of {of})"
    if row["bound_low"] is not None:
        within = span(row["bound_low"], row["bound_high"], percent)
        return f"only bounds can be given, {within} ({counted(row['n_unknown'], 'search')} not known)"
    return "it is refused"


def _why_rules_differ(default: Row, flag_alone: Row) -> str:
    why = []
    if _more(flag_alone, default, "numerator"):
        why.append(
            "Some searches are flagged as linked although nothing further was done, or no outcome is recorded; some "
            "forces set the flag on nearly every search. They count under the flag alone, and not here."
        )
    if _more(flag_alone, default, "n_unknown"):
        why.append(
            "Where nothing further was done the flag is often left blank. Under the flag alone each of those searches "
            "is not known; here, where nothing further was done counts as no linked find."
        )
    return " ".join(why)


def _more(one: Row, other: Row, column: str) -> bool:
    return one[column] is not None and other[column] is not None and one[column] > other[column]


# Titles of charts: the message -------------------------------------------------------------------------------------


def rates_title(rows: Sequence[Row]) -> str:
    given = [row for row in rows if row["estimate"] is not None and not few_searches(row)]
    given.sort(key=lambda row: row["estimate"])
    if len(given) < 2:
        return "Searches per 1,000 residents a year"
    low, high = given[0], given[-1]
    return (
        f"From {rate(low['estimate'])} searches a year per 1,000 {people(low['group'])} "
        f"to {rate(high['estimate'])} per 1,000 {people(high['group'])}"
    )


def ratios_title(rows: Sequence[Row]) -> str:
    """Which groups were searched at a higher or a lower rate, whatever the unknown are, and for which it depends."""
    reference = people(rows[0]["reference"])
    parts = []
    for word, verdicts in (("higher", (HIGHER, HIGHER_UNCERTAIN)), ("lower", (LOWER, LOWER_UNCERTAIN))):
        groups = [people(row["group"]) for row in rows if row["verdict"] in verdicts and row["verdict_holds"] == HOLDS]
        if groups:
            parts.append(f"{listed(groups)} were searched at a {word} rate than {reference}")
    open_to_doubt = [people(row["group"]) for row in rows if row["verdict"] in RATIO_SAID and _depends(row)]
    if open_to_doubt:
        parts.append(f"for {listed(open_to_doubt)} the answer depends on what is not known")
    return sentence("; ".join(parts) or f"no clear difference from the rate of {reference} could be shown").rstrip(".")


def _depends(row: Row) -> bool:
    return bool(row["verdict_holds"] == DEPENDS)


def shares_title(rows: Sequence[Row], whole: Row | None, of: str, what: str) -> str:
    """The share over the whole force; without it, its range over the ethnic groups.

    Groups whose ethnicity is not known, or with too few searches, take no part in a range.
    """
    groups = [row for row in rows if row["group"] not in UNKNOWN_GROUPS and not too_few(row)]
    shown = groups if whole is None else [whole]
    given = sorted(row["estimate"] for row in shown if row["estimate"] is not None)
    known = ", where it is known" if any(beyond_interval(row) for row in shown) else ""
    if whole is not None and whole["estimate"] is not None and _reserve(whole):
        return f"Share of {of} that {what}"
    if given and len(given) == len(shown):
        amount = _in_each_group(given, of) if whole is None else _amount(given[0], of)
        return f"{amount} {what}{known}"
    if any(row["bound_low"] is not None and row["estimate"] is None for row in shown):
        some = "for some groups, " if given else ""
        return sentence(f"{some}only bounds can be given for the share of {of} that {what}").rstrip(".")
    return f"Share of {of} that {what}"


def _in_each_group(given: Sequence[float], of: str) -> str:
    least, most = percent(given[0]), percent(given[-1])
    amount = f"About {least}" if least == most else f"Between {least} and {most}"
    return f"{amount} of {of} in each ethnic group"


def beyond_interval(row: Row) -> bool:
    """Whether what is not known could move a share further than its interval reaches."""
    return row["estimate"] is not None and (row["bound_low"] < row["low"] or row["bound_high"] > row["high"])
