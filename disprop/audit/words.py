"""Sentences about plans, draws and estimates, from figures that are already there. Pure; nothing is computed twice."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from disprop.audit.commitment import Proof
from disprop.audit.comparison import (
    DEPENDS,
    EVERYONE_ELSE,
    HIGHER,
    LOWER,
    NO_CLEAR_DIFFERENCE,
    NOT_COMPUTABLE,
    TOO_FEW,
)
from disprop.audit.planning import FEWEST_FOR_A_STATEMENT, GroupPrecision, Plan
from disprop.audit.questions import Question
from disprop.audit.verification import Verification

Row = Mapping[str, Any]

WIDE = 0.10  # a half-width above this is called wide
MUCH_UNKNOWN = 0.05
POOR_AGREEMENT = 0.90


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; never rounded to none or all.

    >>> percent(84 / 97), percent(0.0002), percent(0.99995), percent(1.0)
    ('86.6%', 'under 0.1%', 'over 99.9%', '100%')
    """
    if share is None or share != share:
        return "not known"
    text = f"{100 * share:.1f}"
    if text == "0.0" and share > 0:
        return "under 0.1%"
    if text == "100.0" and share < 1:
        return "over 99.9%"
    return f"{text.removesuffix('.0') if share in (0, 1) else text}%"


def points(difference: float) -> str:
    """A difference in percentage points.

    >>> points(0.0683)
    '6.8 points'
    """
    return f"{100 * abs(difference):.1f} points"


def count(number: float) -> str:
    """A whole number with thousands marked."""
    return f"{number:,.0f}"


def records(number: float) -> str:
    """
    >>> records(1), records(2)
    ('1 record', '2 records')
    """
    return f"{count(number)} record{'' if number == 1 else 's'}"


def day(date: datetime.date) -> str:
    """
    >>> day(datetime.date(2024, 4, 6))
    '6 April 2024'
    """
    return f"{date.day} {date:%B} {date.year}"


def right_times(confidence: float) -> str:
    """
    >>> right_times(0.95), right_times(0.998)
    ('the method is right 95 times in 100', 'the method is right 99.8 times in 100')
    """
    return f"the method is right {100 * confidence:g} times in 100"


def plan_words(plan: Plan) -> list[str]:
    """What the plan draws, what that can show, and what it cannot."""
    lines = [
        f"Period {plan.period}: {records(plan.sample)} of {count(plan.records)} will be drawn, "
        f"allocation {plan.allocation}, from {len(plan.sizes)} {'strata' if len(plan.sizes) > 1 else 'stratum'}.",
        f"Overall the estimate will be right to about plus or minus {points(plan.half_width)} "
        f"({right_times(plan.confidence)}), if the share is {percent(plan.expected_share)}; "
        + ("that is the widest case." if plan.expected_share == 0.5 else "nearer to 50% it is wider."),
    ]
    if plan.hours is not None:
        twice = f", {percent(plan.second_review_share)} of them twice" if plan.second_review_share else ""
        lines.append(f"Reviewing them{twice} takes about {plan.hours:,.1f} hours.")
    whole = [size for size in plan.sizes if size.sample == size.records]
    if whole and len(plan.sizes) > 1:
        lines.append(f"{len(whole)} {'stratum is' if len(whole) == 1 else 'strata are'} drawn whole.")
    return lines + [_precision_words(row) for row in plan.precision[1:]]


def _precision_words(row: GroupPrecision) -> str:
    head = f"{row.domain}, {row.group or 'blank'}: about {records(row.expected_sample)} of {count(row.records)}"
    if row.expected_sample < FEWEST_FOR_A_STATEMENT:
        return f"{head}: too few for any statement about this group."
    reach = f"{head}, plus or minus {points(row.half_width or 0.0)}"
    if row.smallest_difference is None:
        return f"{reach}; no difference from everyone else would be noticed reliably."
    return f"{reach}; a difference from everyone else below {points(row.smallest_difference)} will often go unnoticed."


def verification_words(found: Verification) -> list[str]:
    """One line for each check, what fails first."""
    order = {"fails": 0, "irregular": 1, "note": 2, "holds": 3}
    ranked = sorted(found.checks, key=lambda check: order[check.result])
    return [f"{check.result.upper()}: {_whose(check.number)}{check.words}" for check in ranked]


def _whose(number: int) -> str:
    return f"commitment {number}: " if number else ""


def drawn_words(plan: Plan, proof: Proof) -> str:
    """How the records were chosen. That nobody could choose is said only when the announced value was the one used."""
    chosen = "so nobody could choose"
    if proof.missed_dates:
        missed = ", ".join(map(day, proof.missed_dates))
        chosen = f"but that of {missed}, announced first, was not used: ask why"
    return (
        f"Of {records(plan.records)} in the period, {count(plan.sample)} were drawn at random. "
        f"The records and the plan were lodged before the public value that decided the draw ({proof.beacon_value}, of "
        f"{day(proof.beacon_date)}) was known, {chosen}."
    )


def finding(row: Row, statement: str) -> str:
    """The counted thing, then the estimate for all records of the period and how sure it is."""
    if not row["denominator"] or row["estimate"] != row["estimate"]:
        return f"Nothing can be said about whether {statement}: no such record was reviewed."
    return f"In {count(row['numerator'])} of {records(row['denominator'])} reviewed, {statement}. {estimate_words(row)}"


def estimate_words(row: Row) -> str:
    """The estimate with its limits, said for these records or for the process behind them."""
    limits = f"{percent(row['low'])} to {percent(row['high'])}"
    if row["low"] == row["high"]:
        return f"Every record was reviewed, so {percent(row['estimate'])} is exact."
    of = "all records of the period" if row["target"] == "these_records" else "the way such records come about"
    return f"For {of} that gives {percent(row['estimate'])}, somewhere from {limits}: {right_times(row['confidence'])}."


def bounds_words(row: Row) -> str:
    """What the unknown answers could do; blank when there are none. Where nothing is known, that is all there is."""
    if not row["n_unknown"]:
        return ""
    unknown = f"For {records(row['n_unknown'])} the answer is not known."
    if not row["denominator"]:
        return unknown
    return (
        f"{unknown} If none of these counted the estimate would be {percent(row['bound_low'])}; if all did, "
        f"{percent(row['bound_high'])}."
    )


def group_sentence(row: Row, *, every: bool = False) -> str:
    """One group against the reference, following the verdict. every: whether every record of the group was reviewed.

    >>> row = {"domain": "ethnicity", "group": "Black", "reference": "White", "numerator": 35, "denominator": 41,
    ...        "estimate": -0.02, "low": -0.18, "high": 0.12, "smallest_difference": 0.25, "verdict": "too few to say",
    ...        "verdict_holds": "holds", "reference_share": 0.875}
    >>> group_sentence(row)
    'Black: 35 of 41: too few to say whether it differs from White.'
    """
    name = group_name(row)
    if row["verdict"] == NOT_COMPUTABLE:
        return f"{name}: cannot be given: no record of it, or of {row['reference']}, was reviewed."
    head = f"{name}: {count(row['numerator'])} of {count(row['denominator'])}"
    head += " (every record of this group was reviewed)" if every else ""
    against = row["reference"] if row["reference"] != EVERYONE_ELSE else "everyone else"
    limits = f"{_signed(row['low'])} to {_signed(row['high'])} points"
    endings = {
        TOO_FEW: f": too few to say whether it differs from {against}.",
        NO_CLEAR_DIFFERENCE: f": no clear difference from {against} ({limits}); this does not show there is none.",
        HIGHER: f": higher than {against} by {points(row['estimate'])} ({limits}).",
        LOWER: f": lower than {against} by {points(row['estimate'])} ({limits}).",
    }
    unsure = " The answers not known could change that." if row["verdict_holds"] == DEPENDS else ""
    return head + endings[row["verdict"]] + unsure


def group_name(row: Row) -> str:
    """The group; a blank one with the column in which it is blank.

    >>> group_name({"domain": "ethnicity", "group": ""})
    'blank (ethnicity)'
    """
    return row["group"] or f"blank ({row['domain']})"


def _signed(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "−")


def agreement_sentence(found: Sequence[Any]) -> str:
    """Raw agreement first; a coefficient beside it."""
    raw = found[0]
    if not raw.items:
        return ""
    chance = next((each for each in found if each.coefficient == "Gwet AC1" and each.estimate == each.estimate), None)
    beside = f" Allowing for chance, agreement (Gwet AC1) is {chance.estimate:.2f}." if chance else ""
    return f"{records(raw.items)} were reviewed twice; the answers agreed in {percent(raw.estimate)} of them.{beside}"


def corrected_sentence(corrected: Mapping[str, Any], trusted: str) -> str:
    """The estimate if the trusted reviewer is right."""
    return (
        f"Taking {trusted}'s second review as right, the estimate moves from {percent(corrected['raw'])} to "
        f"{percent(corrected['estimate'])} (from {percent(corrected['low'])} to {percent(corrected['high'])}), on "
        f"{records(corrected['reviewed_twice'])} reviewed twice."
    )


def panel_questions(
    main: Row,
    others: Sequence[tuple[Question, Row]],
    groups: Sequence[Row],
    raw_agreement: float | None,
    irregular: int,
) -> list[str]:
    """Questions that the panel should ask next, each prompted by a figure of this audit."""
    lines = [*_about_main(main), *_about_groups(groups), *_about_reviewers(raw_agreement)]
    lines += [line for question, row in others for line in _about_question(question, row)]
    if irregular:
        lines.append("The ledger shows missed beacons or abandoned commitments: what is the reason for each?")
    return lines


def _about_main(row: Row) -> Iterator[str]:
    unmet = row["denominator"] - row["numerator"]
    if unmet:
        yield f"What was recorded in the {records(unmet)} that fell short, and what was done about each?"
    total = row["n_unknown"] + row["denominator"]
    if row["n_unknown"] > MUCH_UNKNOWN * total:
        yield f"Why is the answer not known for {count(row['n_unknown'])} of {records(total)}?"
    if row["high"] - row["low"] > 2 * WIDE:
        yield "The estimate is wide: will the next audits be pooled with this one, or be larger?"


def _about_groups(groups: Sequence[Row]) -> Iterator[str]:
    few = [group_name(row) for row in groups if row["verdict"] in (TOO_FEW, NOT_COMPUTABLE)]
    if few:
        yield f"Too few to compare: {', '.join(few)}. Will more of these records be drawn next time?"
    for row in groups:
        if row["verdict"] in (HIGHER, LOWER):
            yield f"What explains the difference between {group_name(row)} and {row['reference']}?"


def _about_reviewers(raw_agreement: float | None) -> Iterator[str]:
    if raw_agreement is None:
        yield "Nothing was reviewed twice: who checks the reviewers?"
    elif raw_agreement < POOR_AGREEMENT:
        yield f"The reviewers agreed in {percent(raw_agreement)} of the records: what did they read differently?"


def _about_question(question: Question, row: Row) -> Iterator[str]:
    if question.key == "cannabis_smell_alone" and row["numerator"]:
        yield f"Is the smell of cannabis enough on its own? It was the only ground in {records(row['numerator'])}."
    elif question.key == "video_complete" and row["numerator"] < row["denominator"]:
        yield f"Why does video not show the whole search in {records(row['denominator'] - row['numerator'])}?"
