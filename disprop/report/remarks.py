"""Remarks that travel with result rows (`flag`), in a panel member's words."""

from __future__ import annotations

import re
from collections.abc import Callable

from disprop.measures.exposed import CITY, PERCEIVED
from disprop.report.figures import months_named

_MONTH_LIST = r"(\d{4}-\d{2}(?:, \d{4}-\d{2})*)"
_HOW_TO_COVER = re.compile(r" \(ask for the covered months[^)]*\)")
_PREFIX = "not computable: "

QUIET = re.compile(
    r"linked find with a recorded outcome|flag alone, whatever the outcome|by tick-box|ages \S+|of searches for drugs"
)
"""Notes that say which figure a row is; the page says so in its headings."""

SHOULD_ANSWER = "records that should answer this"
"""Stands in each remark on records that leave an answer blank."""

PARTLY = "on the months there are"
"""Of a share: not every month of the period was submitted."""

_EXACT = {
    CITY: "many more people are in the City of London by day than live there, so rates and ratios on residents mislead",
    PERCEIVED: "ethnicity as officers perceived it, against ethnicity as residents describe it",
    "denominator unavailable": "there is no count of residents to compare with",
    "no residents": "the Census counts no residents of this group here",
    "officers rarely record Mixed": "officers rarely record Mixed ethnicity",
}


def _left_blank(blank: str, asked: str) -> str:
    if blank == asked:
        return f"none of the {asked} {SHOULD_ANSWER} does"
    return f"{blank} of the {asked} {SHOULD_ANSWER} leave it blank"


def _months(before: str, after: str = "") -> Callable[[re.Match[str]], str]:
    return lambda match: f"{before}{months_named(match[1].split(', '))}{after}"


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (rf"(?:\S+ )?missing {_MONTH_LIST}", _months("no records were submitted for ")),
    (
        rf"(?:\S+ )?suspected partial {_MONTH_LIST}",
        _months("far fewer records than in the months before, so probably not all of them, for "),
    ),
    (r"on (\d+) of (\d+) months, per year", lambda m: f"counted on {m[1]} of {m[2]} months, given per year"),
    (
        r"(\S+) has months below 60% of the months before",
        lambda m: "some months have fewer than 60% of the records of the months before",
    ),
    (
        rf"labels of \S+ lack (.+) in {_MONTH_LIST}",
        lambda m: f"no record carries a label of the group {m[1]} in {months_named(m[2].split(', '))}",
    ),
    (
        r"no label of (.+) occurs in any month of \S+: its vocabulary may lack the group",
        lambda m: f"no record of the force carries any label of the group {m[1]}: its list of labels may lack it",
    ),
    (
        r"(?:refused: )?no label of (.+) occurs in any month of \S+: its list of outcomes may lack it",
        lambda m: f'no record of the force carries the outcome "{m[1]}": its list of outcomes may lack it',
    ),
    (r"without (.+) \(force without residents\)", lambda m: f"without {m[1]}, which has no residents"),
    (r"(refused|bounds only): 0 of .+", lambda m: f"{m[1]}, as for all groups of the force together"),
    (
        r"([\d,]+) of ([\d,]+) searches have no place",
        lambda m: f"{m[1]} of the {m[2]} searches have no place in the records, too many to compare area by area",
    ),
    (
        r"within areas: of ([\d,]+) searches of the two groups ([\d,]+) have no place and "
        r"([\d,]+) lie in areas of other forces",
        lambda m: (
            f"within areas, {m[2]} of the {m[1]} searches of the two groups are left out because they have no place, "
            f"and {m[3]} because they were made in areas of other forces"
        ),
    ),
    (
        r"places are the publisher's anonymous points, (\S+) of those read within 50 m of another area",
        lambda m: (
            "the publisher moves the place of each search to a nearby anonymous point; "
            f"{m[1]} of those read are within 50 metres of another area, so that some may stand in the wrong one"
        ),
    ),
    (
        r"refused: ([\d,]+) of ([\d,]+) records that should say carry no answer",
        lambda m: _left_blank(m[1], m[2]),
    ),
    (
        r"bounds only: ([\d,]+) of ([\d,]+) are unknown \((\d+%)\)",
        lambda m: f"bounds only: not known for {m[1]} of {m[2]} searches ({m[3]})",
    ),
)


def remarks(flag: str | None) -> list[str]:
    """The parts of a flag in plain words; a part that no rule knows is given as it is.

    >>> remarks("not computable: missing 2019-08 (ask for the covered months, --covered)")
    ['no records were submitted for August 2019']
    """
    text = _HOW_TO_COVER.sub("", flag or "").removeprefix(_PREFIX).removeprefix("no month covered: ")
    parts = [part.strip() for part in text.split("; ")]
    return list(dict.fromkeys(_plain(part) for part in parts if part and not QUIET.fullmatch(part)))


def _plain(part: str) -> str:
    if part in _EXACT:
        return _EXACT[part]
    for pattern, plain in _PATTERNS:
        match = re.fullmatch(pattern, part)
        if match:
            return plain(match)
    return part


def remark(flag: str | None) -> str:
    """All parts of a flag as one text, empty when there are none."""
    return "; ".join(remarks(flag))
