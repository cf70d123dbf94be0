"""The parts of a report that say what stands behind its results: months, rows, the unknown, limits, method, sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from disprop.codelists import codelist
from disprop.coverage import STATES
from disprop.measures.shares import BOUNDS_UNKNOWN_SHARE, REFUSE_BLANK_SHARE
from disprop.measures.verdicts import FEWEST
from disprop.report.blocks import Block, Facts, Heading, Month, Months, Notice, Paragraph, Points, Section, Table
from disprop.report.caveats import POLICE_UK, caveats, holes, questions
from disprop.report.figures import (
    LOW_RELIABILITY,
    bounds,
    count,
    counted,
    interval_name,
    listed,
    month_name,
    months_named,
    percent,
    ratio,
    times_in_100,
)
from disprop.report.inputs import ReportInputs, Row
from disprop.report.sections import (
    ANY_FIND,
    ARREST,
    CHILDREN,
    FLAG_ALONE,
    LINKED_FIND,
    MORE_THOROUGH,
    POSITIVE_OUTCOME,
    POSSESSION,
    VIDEO,
)
from disprop.report.tables import account_table, counts_table, files_table
from disprop.report.words import RATIO_SAID, group_label, people

SIGNS = dict(zip(STATES, ("×", "◐", "0", "✓")))
"""Sign of each state of a force-month, printed with the word for it."""
STATE_WORDS = dict(zip(STATES, ("not submitted", "seems incomplete", "submitted, no rows", "submitted")))
LONG = 8
"""Longer lists of provenance are folded."""


def foot_sections(inputs: ReportInputs) -> list[Section]:
    """Coverage, the unknown, limits, questions, method and provenance."""
    return [coverage_section(inputs), unknown(inputs), limits(inputs), to_ask(inputs), method(inputs)]


# Coverage and exclusions -------------------------------------------------------------------------------------------


def coverage_section(inputs: ReportInputs) -> Section:
    blocks: list[Block] = [
        Paragraph(
            "Each box is a month of the period: whether the force submitted its records, and how many rows were read. "
            "A month that was not submitted, or seems incomplete, is a hole: no rate is given over it as if it were "
            "whole."
        ),
        *_strips(inputs),
        Paragraph(
            "Nothing that was read is lost: every row is counted, left out by a rule, or set aside for a reason."
        ),
        account_table(inputs.account),
    ]
    own, others = _notes(inputs)
    if own:
        whole = f"Counted over all {counted(inputs.account.read, 'row')} read, those left out among them."
        table = counts_table("notes", "What was noted while reading", ("What", "Times"), own)
        blocks.append(replace(table, notes=(whole,)))
    if others:
        blocks.append(Paragraph("What was noted of other forces that were read beside this one is in account.csv."))
    return Section("coverage", "Which months and rows are in this report", "Months and rows", tuple(blocks))


_OTHER_MONTH = re.compile(r"in another London month than its file: (\S+) (\S+) -> (\S+)")


def _notes(inputs: ReportInputs) -> tuple[dict[str, int], bool]:
    """Notes that may concern this force, in words; and whether others are of another force alone."""
    own, others = {}, False
    for note, n in inputs.account.notes.items():
        match = _OTHER_MONTH.fullmatch(note)
        if match and match[1] != inputs.force:
            others = True
        else:
            own[_moved(*match.groups()[1:]) if match else note] = n
    return own, others


def _moved(file: str, month: str) -> str:
    return f"in the file of {month_name(file)}, but in {month_name(month)} by UK time: counted in {month_name(month)}"


def _strips(inputs: ReportInputs) -> list[Months]:
    strips: dict[str, list[Month]] = {}
    for row in inputs.coverage.to_dict("records"):
        month = Month(
            month_name(row["month"]), STATE_WORDS[row["state"]], SIGNS[row["state"]], _rows(row), row["warning"]
        )
        strips.setdefault(str(row["force"]), []).append(month)
    named = {inputs.force: inputs.force_name}
    return [Months(named.get(force, force), tuple(months)) for force, months in strips.items()]


def _rows(row: Mapping[Any, Any]) -> str:
    return "" if row["state"] == STATES[0] else counted(row["rows"], "row")


# The unknown -------------------------------------------------------------------------------------------------------


def unknown(inputs: ReportInputs) -> Section:
    rows = [*_unknown_ethnicity(inputs), *_unknown_find(inputs)]
    blocks: list[Block] = [
        Paragraph(
            "What is not known is counted, never spread over the groups and never taken for no. The last column says "
            "what a figure could be at most and at least, whatever the unknown records are."
        )
    ]
    if rows:
        head = ("What is not known", "Searches", "What the figures could be")
        blocks.append(Table("unknown", "What was not known, and what it could change", head, tuple(rows), words=(2,)))
    if inputs.account.unmapped:
        caption = "Labels in the records that no list of labels knows"
        blocks.append(counts_table("unmapped", caption, ("Column and label", "Searches"), inputs.account.unmapped))
    blocks.append(
        Paragraph(
            "Each table of shares above has a column Not known. A share is of the searches where the answer is known; "
            "bounds are of all of them."
        )
    )
    return Section("unknown", "What was not known", "Not known", tuple(blocks))


def _unknown_ethnicity(inputs: ReportInputs) -> list[tuple[str, str, str]]:
    rows = inputs.rows("rate_ratio")
    if not rows or not rows[0]["n_unknown"]:
        return []
    said = [
        f"{group_label(row['group'])} {bounds(row['bound_low'], row['bound_high'], ratio)} times"
        for row in rows
        if row["verdict"] in RATIO_SAID
    ]
    could = (
        f"Compared with the rate of {people(rows[0]['reference'])}: {'; '.join(said)}"
        if said
        else "No comparison is given"
    )
    return [("Self-defined ethnicity", count(rows[0]["n_unknown"]), could)]


def _unknown_find(inputs: ReportInputs) -> list[tuple[str, str, str]]:
    row = inputs.one("linked_find_all")
    if row is None or not row["n_unknown"]:
        return []
    given = row["bound_low"] is not None
    could = (
        f"{bounds(row['bound_low'], row['bound_high'], percent)} of all searches"
        if given
        else "Refused: no share is given"
    )
    return [("Whether the item searched for was found", count(row["n_unknown"]), could)]


# Limits and questions ----------------------------------------------------------------------------------------------


def limits(inputs: ReportInputs) -> Section:
    return Section("limits", "What this cannot tell you", "Limits", (Points(caveats(inputs)),))


def to_ask(inputs: ReportInputs) -> Section:
    intro = Paragraph("These figures raise questions that they cannot answer. A panel may put them to the force.")
    return Section("questions", "Questions to ask next", "Questions", (intro, Points(questions(inputs), numbered=True)))


# Method and provenance ---------------------------------------------------------------------------------------------

NAMES = {
    "search_rate": "Rates",
    "rate_ratio": "Comparisons",
    "rate_ratio_within_areas": "Comparisons within areas",
    "excess_searches": "Differences from the expected count",
    **{
        share.frame: share.thing
        for share in (LINKED_FIND, FLAG_ALONE, ANY_FIND, POSITIVE_OUTCOME, ARREST, POSSESSION, VIDEO)
    },
    MORE_THOROUGH.frame: "More thorough searches",
    CHILDREN.frame: "More thorough searches of children",
}
METHODS = {
    "exact": "exact Poisson (Garwood 1936)",
    "mid_p": "mid-P Poisson",
    "score": "score (Wilson 1927, on the share of both counts)",
    "wilson": "Wilson (1927)",
    "excess_searches score": "score (Miettinen and Nurminen 1985)",
}


def method(inputs: ReportInputs) -> Section:
    blocks: list[Block] = [
        Points(tuple(_definitions(inputs))),
        *_methods_table(inputs),
        Heading("Where the figures come from"),
        Paragraph(_source(inputs)),
        *_files(inputs),
        *_provenance(inputs.provenance),
    ]
    return Section("method", "Method and provenance", "Method", tuple(blocks))


def _files(inputs: ReportInputs) -> list[Block]:
    if inputs.files is None or not len(inputs.files):
        return []
    table, left_out = files_table(inputs.files, inputs.force)
    others = (
        [Paragraph("Files of other forces that were read beside these are listed in files.csv.")] if left_out else []
    )
    return [table, *others]


def _definitions(inputs: ReportInputs) -> list[tuple[str, str]]:
    vintages = sorted({row["population_vintage"] for row in inputs.rows("search_rate") if row["population_vintage"]})
    return [
        ("Groups", _groups()),
        (
            "Rate",
            "Searches divided by resident-years, for every 1,000. A resident-year is one resident for one year "
            f"({', '.join(vintages) or 'no population'}); over part of a year a resident counts for that part.",
        ),
        (
            "Comparison",
            "The rate of a group divided by the rate of the group compared with. Its interval is the widest of those "
            "available; the table below names it.",
        ),
        (
            "Too few to say",
            f"Fewer than {FEWEST} searches of the group compared with, or fewer than {FEWEST} of the group where fewer "
            f"than {FEWEST} would be expected. Shares of fewer than {FEWEST} searches are marked {LOW_RELIABILITY}.",
        ),
        (
            "Bounds and refusals",
            f"A share is refused where {REFUSE_BLANK_SHARE:.0%} or more of the records that should answer are blank "
            "(for linked finds: of those with a positive outcome), and given as bounds only where more than "
            f"{BOUNDS_UNKNOWN_SHARE:.0%} of all records are not known. Outcomes are given with bounds beside, unless "
            "the records of other forces show that this one has no word for them.",
        ),
        *(
            (interval_name(c), f"Made by a method that is right {times_in_100(c)}, where chance alone is at work.")
            for c in _confidences(inputs)
        ),
        (
            "Rounding",
            "Figures are computed in full precision and rounded once, for print: in sentences and charts rates and "
            "ratios to 1 decimal place (more where that would hide on which side of 0.8, 1 or 1.25 they lie), "
            "percentages whole, or to 1 place below 10; in tables ratios to 2 places and percentages to 1. The CSV "
            "files beside this page are in full precision.",
        ),
    ]


def _groups() -> str:
    """What the short names of the groups stand for, in the codelist's words and order."""
    known = codelist("ethnicity_5")
    named = [f"{code} ({known.label(code)})" if known.label(code) != code else code for code in known.groups]
    return f"The five groups of the Census: {listed(named)}. People recorded as Chinese are counted as Asian."


def _confidences(inputs: ReportInputs) -> list[float]:
    rows = [row for name in inputs.results for row in inputs.rows(name)]
    return sorted({row["confidence"] for row in rows if row["confidence"] is not None})


def _methods_table(inputs: ReportInputs) -> list[Table]:
    rows = [
        (label, how, groups)
        for name, label in NAMES.items()
        for how, groups in _by_method(name, inputs.rows(name)).items()
    ]
    head = ("Figure", "Method", "Groups")
    notes = (_WIDENED,) if any("(×" in groups for _, _, groups in rows) else ()
    table = Table("methods", "How the intervals were made", head, tuple(rows), words=(1, 2), notes=notes)
    return [table] if rows else []


_WIDENED = (
    "In brackets: how many times more the counts vary than chance alone would have it, from month to month, or because "
    "the same people were searched again. The interval was widened for it."
)


def _by_method(name: str, rows: list[Row]) -> dict[str, str]:
    """Methods in words, and the groups whose interval each made; rows without limits have none."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["method"] and row["low"] is not None:
            method, wider = _widened(row["method"])
            how = METHODS.get(f"{name} {method}") or METHODS.get(method, method)
            found.setdefault(how, []).append(group_label(row["group"]) + (f" ({wider})" if wider else ""))
    plain = [group_label(row["group"]) for row in rows]
    return {how: "all groups" if groups == plain else ", ".join(groups) for how, groups in found.items()}


def _widened(method: str) -> tuple[str, str]:
    """The method of the limits, and what widened them: the dispersion of months, or that of people by that name."""
    named, _, people = method.partition(", person-clustered ")
    named, _, months = named.partition(", month dispersion ")
    if people:
        return named, f"×{people}, people"
    return named, f"×{months}, months" if months else ""


INVENTED = "The records are invented, and so are the force and its residents. They say nothing about any real one."


def _source(inputs: ReportInputs) -> str:
    if inputs.synthetic:
        return INVENTED
    if inputs.dataset == POLICE_UK:
        return "Records: the stop and search files, one a force and month, of data.police.uk."
    return f"Records: {inputs.dataset}."


def _provenance(provenance: Mapping[str, Any]) -> list[Block]:
    """What is given, as it is given: single values together, each group of values by itself."""
    single = tuple((_key(name), str(value)) for name, value in provenance.items() if not _many(value))
    facts: list[Block] = [Facts("", single)] if single else []
    for name, value in provenance.items():
        if _many(value) and value:
            pairs = tuple(_pairs(value))
            facts.append(Facts(_key(name), pairs, folded=len(pairs) > LONG))
    return facts


def _many(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _pairs(value: Any, before: str = "") -> list[tuple[str, str]]:
    """Names and values of nested maps and lists, flattened."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value, start=1)
    pairs = []
    for name, inner in items:
        full = f"{before}{name}"
        pairs += _pairs(inner, f"{full} / ") if _many(inner) else [(full, str(inner))]
    return pairs


def _key(name: str) -> str:
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


def holes_notice(inputs: ReportInputs) -> Notice | None:
    """That months are missing, beside the answer."""
    months = holes(inputs)
    if not months:
        return None
    whole = inputs.one("search_rate_all")
    given = whole is not None and whole["estimate"] is not None
    said = (
        "Rates are given over the other months, as rates per year." if given else "So no rate is given for the period."
    )
    return Notice(
        "Some months are missing or incomplete",
        f"The records of {months_named(months)} are missing or seem incomplete. {said}",
    )
