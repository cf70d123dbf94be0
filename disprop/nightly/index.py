"""The page that leads to the others: what was published, of which months, force by force, and what to look at.

It is written without any library, so that a night that draws no reports has it too, and it reads no clock. It says how
many records there are, never a rate: it sets no force against another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.resources import files as resources
from typing import Any

from disprop.codelists import codelist
from disprop.coverage import EMPTY, MISSING, PARTIAL, Coverage, month_coverage
from disprop.months import month_label
from disprop.nightly.figures import MANIFEST, SEARCH, Made
from disprop.records import KINDS
from disprop.report.caveats import POLICE_UK
from disprop.report.figures import count, counted, listed, month_name, months_named, period_name, sentence
from disprop.report.page import css_quoted
from disprop.report.tables import SYNTHETIC_MARK

INDEX = "index.html"
TITLE = "Police records: what was published"
SHOWN = (SEARCH, "force_report")
"""Kinds of record that have columns, where there are figures of them."""


@dataclass(frozen=True)
class Told:
    """All that the page is made from: the material of the figures, what it was made from, warnings, names of files."""

    made: Made
    run: str
    made_from: Mapping[str, Any]
    warnings: Sequence[str]
    files: Sequence[str]

    @cached_property
    def covers(self) -> dict[str, Coverage]:
        """Coverage by kind, of the kinds that are shown."""
        tallies = {kind: self.made.tallies[kind] for kind in SHOWN if kind in self.made.tallies}
        return {kind: month_coverage(next(iter(lists.values()))) for kind, lists in tallies.items() if lists}

    @cached_property
    def months(self) -> list[int]:
        """Months of the period: from the first of any kind to the last."""
        every = [month for cover in self.covers.values() for month in cover.months]
        return list(range(min(every), max(every) + 1)) if every else []

    @property
    def period(self) -> str:
        return period_name(month_label(self.months[0]), month_label(self.months[-1])) if self.months else ""

    @property
    def forces(self) -> list[str]:
        """By name: no other order."""
        codes = {force for cover in self.covers.values() for force in cover.forces}
        return sorted(codes, key=codelist("force").label)

    def states(self, kind: str, force: str) -> dict[int, int]:
        """The state of each month of the period; one outside the span of the kind's records was not submitted."""
        cover = self.covers[kind]
        if force not in cover.forces:
            return dict.fromkeys(self.months, MISSING)
        found = dict(zip(cover.months, cover.state[cover.forces.index(force)].tolist()))
        return {month: found.get(month, MISSING) for month in self.months}

    def records(self, kind: str, force: str) -> int:
        """How many records of a force are counted, each once."""
        tally = next(iter(self.made.tallies[kind].values()))
        return tally.select(force=force).total if force in self.covers[kind].forces else 0


def index_page(told: Told) -> bytes:
    """The page, whole, in UTF-8. The same material gives the same bytes."""
    return (_head(told) + _main(told) + _foot(told)).encode()


# Parts of the page ---------------------------------------------------------------------------------------------------


def _head(told: Told) -> str:
    mark = "SYNTHETIC: " if told.made.invented else ""
    title = f"{mark}{TITLE}{', ' if told.period else ''}{told.period}"
    css = resources("disprop.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    css = css.replace("{{ running | css_string }}", css_quoted(title))
    banner = (
        f'<aside class="banner" aria-label="Invented records"><strong>{SYNTHETIC_MARK}.</strong> These pages show what '
        "a publication looks like. They say nothing about any real force, place or person.</aside>\n"
    )
    return f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{css}</style>
</head>
<body>
<a class="skip" href="#forces">Skip to the forces</a>
{banner if told.made.invented else ""}<header>
<div class="inside">
<p class="kicker">Where to begin</p>
<h1>{TITLE}</h1>
<p class="period">{told.period or "No month"}</p>
</div>
</header>
"""


def _main(told: Told) -> str:
    sections = (
        ("about", "What this is", _about(told)),
        ("forces", "Force by force", _forces(told)),
        ("look", "What to look at", _to_look_at(told)),
        ("made", "How this was made", _how(told)),
        ("files", "Tables and other files", _files(told)),
    )
    return "<main>\n" + "".join(_section(*one) for one in sections) + "</main>\n"


def _section(name: str, title: str, content: str) -> str:
    start = f'<section id="{name}" aria-labelledby="{name}-title">\n<h2 id="{name}-title">{title}</h2>\n'
    return f"{start}{content}</section>\n"


def _about(told: Told) -> str:
    what = listed([KINDS[kind].unit for kind in told.covers]) or "none that this page counts"
    report = "The table below leads to a page on the searches of each force. " if told.made.config.report else ""
    return _paragraph(
        f"Figures made from police records ({what}) of {counted(len(told.forces), 'force')}. {report}"
        f"{'The period is ' + told.period + '.' if told.period else ''}",
        kind="lead",
    ) + _paragraph(
        "This page says what there is and what is missing. It does not compare forces and puts them in no order but "
        "that of their names. A force with more searches may be larger, or its records more complete: whether forces "
        "differ by more than their size and chance explain is another question, which these pages do not answer."
    )


def _forces(told: Told) -> str:
    if not told.forces:
        return _paragraph("No month of any force is in this publication.")
    heads = [head for kind in told.covers for head in (f"Months with {KINDS[kind].unit}", _capital(KINDS[kind].unit))]
    caption = f"{'SYNTHETIC: ' if told.made.invented else ''}Records of each force, {told.period}"
    rows = "".join(_row(told, force) for force in told.forces)
    head = "".join(
        f'<th scope="col"{_words(name in ("Force", MISSED))}>{name}</th>\n' for name in ("Force", *heads, MISSED)
    )
    return (
        f'<div class="table" id="forces-table">\n<div class="scroll" role="region" aria-label="{escape(caption)}" '
        f'tabindex="0">\n<table>\n<caption><span>{escape(caption)}</span></caption>\n<thead>\n<tr>\n{head}</tr>\n'
        f"</thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        f'<div class="notes">\n<p class="hint">The table goes on to the right: swipe it, or scroll it sideways.</p>\n'
        f"<p>{_COUNTED}</p>\n</div>\n</div>\n"
    )  # fmt: skip


MISSED = "What is missing"
_COUNTED = (
    "A month counts as there where its records were submitted and do not seem incomplete, even where they hold no row. "
    "The numbers are of all records counted, those of months that seem incomplete too; searches of a vehicle alone are "
    "not counted."
)


def _row(told: Told, force: str) -> str:
    cells = [cell for kind in told.covers for cell in _counts(told, kind, force)]
    missing = [line for kind in told.covers for line in _missing(told, kind, force)]
    said = " ".join(sentence(line) for line in missing) or "Nothing"
    figures = "".join(f"<td>{escape(cell)}</td>\n" for cell in cells)
    return f'<tr>\n<th scope="row">{_link(told, force)}</th>\n{figures}<td class="words">{escape(said)}</td>\n</tr>\n'


def _link(told: Told, force: str) -> str:
    """The force's name, leading to its page where it has one."""
    name, page = escape(codelist("force").label(force)), f"report/{force}/report.html"
    return f'<a href="{escape(page)}">{name}</a>' if page in told.files else name


def _counts(told: Told, kind: str, force: str) -> tuple[str, str]:
    covered = sum(state >= EMPTY for state in told.states(kind, force).values())
    return f"{covered} of {len(told.months)}", count(told.records(kind, force))


def _missing(told: Told, kind: str, force: str) -> list[str]:
    """The months of a force that are not there, or may not be whole, in words."""
    unit, states = KINDS[kind].unit, told.states(kind, force)
    absent, partial = (
        [month_label(month) for month, state in states.items() if state == wanted] for wanted in (MISSING, PARTIAL)
    )
    if len(absent) == len(told.months):
        return [f"no {unit} were submitted"]
    said = {
        "were not submitted for": absent,
        "seem incomplete for": partial,
        "are fewer than 60% of those of the months before in": _low(told, kind, force),
    }
    return [f"{unit} {how} {months_named(months)}" for how, months in said.items() if months]


def _low(told: Told, kind: str, force: str) -> list[str]:
    """Months with less than 60% of the records of the months before."""
    cover = told.covers[kind]
    if force not in cover.forces:
        return []
    low = cover.low[cover.forces.index(force)].tolist()
    return [month_label(month) for month, warned in zip(cover.months, low) if warned]


def _to_look_at(told: Told) -> str:
    said = [plain_warning(text) for text in told.warnings]
    if told.made.config.link is not None and not told.made_from["sidecars"]:
        said.append("No record is linked to footage: no footage has come.")
    if not said:
        return _paragraph("Nothing else came up while the records were read and counted.")
    points = "".join(f"<li>{escape(text)}</li>\n" for text in said)
    intro = "This came up while the records were read and counted. It is about the records, not about anybody's work."
    return _paragraph(intro) + f'<ul class="points">\n{points}</ul>\n'


def _how(told: Told) -> str:
    last = f"The last month of records is {month_name(month_label(told.months[-1]))}. " if told.months else ""
    return _paragraph(
        f"{last}No day of making stands on this page: the same records and settings give the same pages, whenever they "
        f"are made. They were made by disprop {told.made_from['versions']['disprop']}. The name of this publication "
        "stands at the foot; another name means that something that decides a figure is different."
    )


def _files(told: Told) -> str:
    about = {f"{table.file}.csv": "a table of figures" for table in told.made.config.tables}
    about |= {f"coverage_{kind}.csv": f"which months of {KINDS[kind].unit} came" for kind in told.made.tallies}
    about |= {
        "extracts.csv": "each file read, and what became of its rows",
        MANIFEST: "versions, settings, warnings, and digests of all files",
    }
    lines = "".join(
        f'<li><a class="file" href="{escape(name)}">{escape(name)}</a>: {what}</li>\n' for name, what in about.items()
    )
    return (
        _paragraph("For those who compute. Beside each table lies the same as Parquet.")
        + f'<ul class="points">\n{lines}</ul>\n'
    )


def _foot(told: Told) -> str:
    source = told.made.sources.get(SEARCH)
    said = ""
    if told.made.invented:
        said = f"<p><strong>{SYNTHETIC_MARK}.</strong> They say nothing about any real force, place or person.</p>\n"
    elif source is not None and source.dataset == POLICE_UK:
        said = _LICENCE
    return f'<footer>\n<div class="inside">\n{said}<p>Publication {told.run}</p>\n</div>\n</footer>\n</body>\n</html>\n'


_LICENCE = (
    '<p>Contains public sector information licensed under the <a href="https://www.nationalarchives.gov.uk/doc/'
    'open-government-licence/version/3/">Open Government Licence v3.0</a>. Records of searches: '
    '<a href="https://data.police.uk/">data.police.uk</a>. Residents: Office for National Statistics.</p>\n'
)


def _paragraph(text: str, *, kind: str = "") -> str:
    return f"<p{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{escape(text.strip())}</p>\n"


def _words(yes: bool) -> str:
    return ' class="words"' if yes else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# Warnings in words ---------------------------------------------------------------------------------------------------

_MONTH = r"\d{4}-\d{2}"
_SHRUNK = re.compile(rf"(\w+) (\S+) ({_MONTH}) came again with ([\d,]+) records, it had ([\d,]+)")
_UNFED = re.compile(r"(.+?) of (.+?)( and [\d,]+ more)? come from no file that is there; their records stay")
_UNREAD = re.compile(r"([\d,]+) rows could not be read: (.+)")


def plain_warning(text: str) -> str:
    """A warning of the night as a sentence, with the names of forces and months.

    >>> plain_warning("search kent 2023-04 came again with 5 records, it had 30")
    'The searches of Kent in April 2023 came again with 5 records; the version before had 30.'
    >>> plain_warning("searches of kent 2023-04 come from no file that is there; their records stay")
    'The searches of these months come from no file that is there any more; they are kept: Kent April 2023.'
    >>> plain_warning("1 rows could not be read: date not understood")
    '1 row could not be read: date not understood.'
    """
    if found := _SHRUNK.fullmatch(text):
        kind, force, month, now, before = found.groups()
        where = f"The {KINDS[kind].unit} of {_force(force)} in {month_name(month)}"
        return f"{where} came again with {counted(_number(now), 'record')}; the version before had {before}."
    if found := _UNFED.fullmatch(text):
        unit, where, more = found.groups()
        named = [
            f"{_force(force)} {month_name(month)}" for force, month in (one.split(" ") for one in where.split(", "))
        ]
        shown = f"{', '.join(named)}{more}" if more else listed(named)
        return f"The {unit} of these months come from no file that is there any more; they are kept: {shown}."
    if found := _UNREAD.fullmatch(text):
        return sentence(f"{counted(_number(found[1]), 'row')} could not be read: {found[2]}")
    return sentence(text)


def _force(code: str) -> str:
    return codelist("force").label(code)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
