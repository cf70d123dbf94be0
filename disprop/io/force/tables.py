"""Home Office published tables of police use of force: uses of tactics, and reports, of a financial year.

Validation: green for the year to March 2019 (the spreadsheet and two table files made from it give the same counts,
and every printed total is the sum of its rows); amber for later years, read by the same rules from their lists alone.

One number of these tables counts *uses of tactics*, another *reports* (which the older text calls incidents). They are
read into tallies of two units, which refuse to be added to or divided by each other unawares. A year is no month: these
tallies have no `month`; their scope says which year.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disprop.codelists import NOT_STATED, UNMAPPED, code_lookup, codelist, known_force, normalise
from disprop.errors import InputRefused, UsageError
from disprop.months import month_number
from disprop.provenance import Account, part_row, parts
from disprop.records import axis_spec
from disprop.tallies import Axis, Scope, Tally, coded_axis

SCHEME, DATASET, KIND = "home-office", "home-office", "force_report"
GROUPED = ("ethnicity_officer", "age_band", "gender", "health")
COMMUNICATION = "tactical communication is not force"
NO_TACTIC = "no tactic reported"
UNITS = {"reason": "reasons", "impact_factor": "impact factors", "force_outcome": "outcomes"}
APART = {"Tactical communication": COMMUNICATION, NOT_STATED: NO_TACTIC}

_TOTAL = "number of times tactic reported"
_OF_WHICH = re.compile(r"(.*),\s*of which")
_YEAR = re.compile(r"april\s*(\d{4})\D{1,12}?march\s*(\d{4})", re.IGNORECASE)
_ASKED = re.compile(r"(\d{4})/(\d\d)")

Grid = list[list[Any]]


class Use(NamedTuple):
    """One number of a table: uses of a tactic, by one force, on one group."""

    line: int
    force: str
    kind: str
    tactic: str
    group: str
    n: int


@dataclass(frozen=True)
class ForceTables:
    """What a published table counts, its units apart.

    `tactics`: uses of tactics by force, tactic and group, in the six classes. `apart`: reports with tactical
    communication, which is not force, and reports without any tactic. `year` as "2018/19"; `sha256` of the file.
    """

    tactics: Tally
    apart: Tally
    year: str
    sha256: str


def read_force_tables(
    path: str | os.PathLike[str], *, by: str = "ethnicity_officer", year: str | None = None
) -> ForceTables:
    """Uses of tactics by force from a published table: ODS or XLSX as published, or CSV of the same rows.

    Rows that start with `Total`, or end with `of which`, sum up others and are not counted again; where a class has no
    other row (`Total Firearms`), its total is its count. Every printed total is checked against its rows. In 2018/19
    one row gives all uses of a CED: it is `CED not stated`; Chinese is Asian; `Don't know` is not stated.

    by: the group that the uses are by, one of `GROUPED`, in the collection's own bands. year: such as "2018/19", where
    neither the file nor its name says. Tallies: axes force, tactic and `by`; units tactics, force reports.

    Raises InputRefused for a table that is none of these, a cell that is no number, or totals that do not fit;
    UsageError for another `by` or year.

    >>> from pathlib import Path
    >>> _ = Path("april2018-march2019.csv").write_text('''Police Force,Type of force,Tactic,White,Chinese,Not reported
    ... Kent,Restraint,*Total Restraint,7,2,0
    ... Kent,Restraint,"Handcuffing, of which",7,2,0
    ... Kent,Restraint,Compliant handcuffing,5,2,0
    ... Kent,Restraint,Not stated handcuffing,2,0,0
    ... Kent,Firearms,*Total Firearms,1,0,1
    ... Kent,Tactical communication,Tactical communication,3,0,0
    ... ''')
    >>> tables = read_force_tables("april2018-march2019.csv")
    >>> tables.tactics
    <Tally of 11 tactics: force (1) x tactic (33) x ethnicity_officer (8); 1 parts>
    >>> tables.year, tables.tactics[{"tactic": "Firearm not stated"}], tables.apart.total
    ('2018/19', 2, 3)
    """
    if by not in GROUPED:
        raise UsageError(f"published tables are by {', '.join(GROUPED)}, not by {by!r}")
    content, sheets = _sheets(Path(path))
    first, last = _year(path, sheets, year)
    uses = _uses_by(path, sheets, by)
    _check(path, uses)
    leaves = [use for use in _leaves(uses) if not _is_everywhere(use.force)]
    return ForceTables(
        *_tallies(leaves, by, (first, last), sha256(content).hexdigest()),
        year=f"{1970 + first // 12}/{(1971 + first // 12) % 100:02d}",
        sha256=sha256(content).hexdigest(),
    )


def read_force_reports(path: str | os.PathLike[str], *, by: str = "force", year: str | None = None) -> Tally:
    """Reports (in the table's words: incidents) of a year from the published spreadsheet.

    By force; or, for England and Wales as a whole, by a group in `GROUPED`, or by `reason`, `impact_factor` or
    `force_outcome`. A report may have several reasons: what the table counts then is reasons, and that is the unit.
    Which reports gave no reason at all, the table does not say.

    Arguments and errors as `read_force_tables`. Returns a tally with one axis, unit force reports (or reasons, impact
    factors, outcomes).

    >>> from pathlib import Path
    >>> _ = Path("april2018-march2019.csv").write_text("Region,Police force,Total\\nSouth East,Kent,12745\\n")
    >>> read_force_reports("april2018-march2019.csv")
    <Tally of 12,745 force reports: force (1); 1 parts>
    """
    content, sheets = _sheets(Path(path))
    first, last = _year(path, sheets, year)
    found = _reports_by_force(sheets) if by == "force" else _reports_by_group(sheets, by)
    if not found:
        raise InputRefused(f"{Path(path).name}: no table of reports by {by}; is this the published spreadsheet?")
    axis = _axis(by, found)
    counts = np.array([found.get(code, 0) for code in axis.codes], dtype=np.int64)
    digest, total = sha256(content).hexdigest(), int(counts.sum())
    slots = found if by == "force" else {"unknown": total}
    rows = (
        part_row(dataset=DATASET, kind=KIND, force=force, month=first, files=[digest], rows=n)
        for force, n in slots.items()
    )
    scope = Scope(first, last)
    return Tally(
        (axis,), counts, UNITS.get(by, "force reports"), KIND, parts(rows), Account(total), scope, vintage="published"
    )


# Files -----------------------------------------------------------------------------------------------------------


def _sheets(path: Path) -> tuple[bytes, dict[str, Grid]]:
    """The file's bytes, and its sheets as rows of cells; a CSV is one sheet."""
    try:
        content = path.read_bytes()
    except OSError as why:
        raise InputRefused(f"{path} cannot be read: {why.strerror or why}; check the path") from why
    if content[:2] == b"PK":
        return content, _spreadsheet(path.name, content)
    text = content.decode("utf-8-sig", errors="replace")
    return content, {path.name: list(csv.reader(io.StringIO(text, newline="")))}


def _spreadsheet(name: str, content: bytes) -> dict[str, Grid]:
    try:
        import python_calamine
    except ImportError as why:
        raise InputRefused(f"{name}: spreadsheets need the extra disprop[spreadsheet]; or save it as CSV") from why
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        return {sheet: book.get_sheet_by_name(sheet).to_python() for sheet in book.sheet_names}
    except Exception as why:  # the reader's errors have no common class
        raise InputRefused(f"{name} is not a whole spreadsheet: {why}") from why


def _year(path: str | os.PathLike[str], sheets: dict[str, Grid], asked: str | None) -> tuple[int, int]:
    """First and last month of the financial year: as asked, else by the name of the file or its first sheets."""
    if asked is not None:
        given = _ASKED.fullmatch(asked.strip())
        if not given or (int(given[1]) + 1) % 100 != int(given[2]):
            raise UsageError(f"year {asked!r} is not a financial year; write it as 2018/19")
        start = int(given[1])
    else:
        start = _year_named(path, sheets)
    return month_number(f"{start}-04"), month_number(f"{start + 1}-03")


def _year_named(path: str | os.PathLike[str], sheets: dict[str, Grid]) -> int:
    titles = [Path(path).name]
    titles += [str(row[0]) for rows in list(sheets.values())[:2] for row in rows[:2] if row]
    for title in titles:
        told = _YEAR.search(title.replace("31 March", "March"))
        if told and int(told[2]) == int(told[1]) + 1:
            return int(told[1])
    raise UsageError(f"{Path(path).name} does not say which year it is of; give year='2018/19'")


# Uses of tactics ---------------------------------------------------------------------------------------------------


def _uses_by(path: str | os.PathLike[str], sheets: dict[str, Grid], by: str) -> list[Use]:
    """The numbers of the one sheet that is by force and by the groups asked for."""
    seen = []
    for rows in sheets.values():
        at = next((i for i, row in enumerate(rows) if {"police force", "tactic"} <= {*_words(row)}), None)
        if at is None:
            continue
        groups, uses = _long(rows, at) if "count" in _words(rows[at]) else _wide(rows, at, by)
        if groups and _known(by, groups):
            return [_read(path, use) for use in uses]
        seen.append(", ".join(groups[:3]))
    raise InputRefused(
        f"{Path(path).name}: no table of uses of tactics by force and {by}; "
        + (f"tables there are by {'; '.join(seen)}" if seen else "columns Police force and Tactic are wanted")
    )


def _words(row: Sequence[Any]) -> list[str]:
    return [normalise(str(cell)) for cell in row]


def _kind_column(words: Sequence[str]) -> int:
    return words.index("type of force" if "type of force" in words else "force type - output")


def _wide(rows: Grid, at: int, by: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Groups as columns: their labels, and every number."""
    words = _words(rows[at])
    force, kind, tactic = words.index("police force"), _kind_column(words), words.index("tactic")
    places = [i for i, word in enumerate(words) if i > tactic and word and word != _TOTAL and "output" not in word]
    labels = [" ".join(str(rows[at][i]).split()) for i in places]
    total = words.index(_TOTAL) if _TOTAL in words else None
    wanted = [*zip(places, labels), *([(total, _TOTAL)] if total is not None else [])]

    def uses() -> Iterator[tuple[Any, ...]]:
        for line, row in enumerate(rows[at + 1 :], start=at + 2):
            if len(row) > tactic and str(row[tactic]).strip():
                for place, label in wanted:
                    yield line, row[force], row[kind], row[tactic], label, row[place]

    return labels, uses()


def _long(rows: Grid, at: int) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """One number a row, its group in a column of its own."""
    words = _words(rows[at])
    force, kind, tactic, n = (
        words.index("police force"),
        _kind_column(words),
        words.index("tactic"),
        words.index("count"),
    )
    group = next(i for i, word in enumerate(words) if i not in (force, kind, tactic, n) and "output" not in word)
    labels = list(dict.fromkeys(str(row[group]) for row in rows[at + 1 :] if len(row) > group))
    return labels, (
        (line, row[force], row[kind], row[tactic], row[group], row[n])
        for line, row in enumerate(rows[at + 1 :], start=at + 2)
        if len(row) == len(words)
    )


def _known(by: str, labels: Sequence[str]) -> bool:
    """Whether the axis knows every one of the labels."""
    name = axis_spec(by, KIND).codelist
    return codelist(name).index(UNMAPPED) not in code_lookup(name, SCHEME, labels)


def _read(path: str | os.PathLike[str], cells: tuple[Any, ...]) -> Use:
    """One number, as typed; a sign for "not given" is never a zero."""
    line, force, kind, tactic, group, n = cells
    where = f"{Path(path).name}, line {line}"
    if not _is_everywhere(str(force)) and known_force(str(force)) is None:
        raise InputRefused(f"{where}: {force!r} is no police force")
    return Use(line, " ".join(str(force).split()), str(kind).strip(), _plain(tactic), str(group), _count(where, n))


def _plain(tactic: Any) -> str:
    return " ".join(str(tactic).replace("*", " ").split())


def _count(where: str, n: Any) -> int:
    try:
        value = float(str(n).replace(",", ""))
    except ValueError:
        value = -1.0
    if value < 0 or value != int(value):
        raise InputRefused(f"{where}: {n!r} is not a count; a sign for 'not given' cannot be added up")
    return int(value)


def _is_everywhere(force: str) -> bool:
    return normalise(force).startswith("total ")


def _is_sum(tactic: str) -> bool:
    """Whether a row sums up others."""
    return normalise(tactic).startswith("total") or _OF_WHICH.fullmatch(tactic) is not None


def _leaves(uses: Sequence[Use]) -> Iterator[Use]:
    """The numbers that sum up no others, each under the full name of its tactic."""
    detailed = {(use.force, use.kind) for use in uses if not _is_sum(use.tactic)}
    part_of: dict[tuple[str, str, str], str] = {}
    for use in uses:
        column, head = (use.force, use.kind, use.group), _OF_WHICH.fullmatch(use.tactic)
        if head:
            part_of[column] = head[1]
        elif use.group == _TOTAL or normalise(use.kind).startswith("total"):
            continue
        elif not _is_sum(use.tactic):
            yield use._replace(tactic=_full_name(use.tactic, part_of.get(column)))
        elif (use.force, use.kind) not in detailed:
            yield use


def _full_name(tactic: str, part_of: str | None) -> str:
    """The name of a row that stands under another: `Drawn` under `CED, of which` is `CED Drawn`."""
    if part_of is None or _code(tactic) not in (UNMAPPED, NOT_STATED):
        return tactic
    whole = f"{part_of.replace(' use', '')} {tactic}"
    return tactic if _code(whole) == UNMAPPED else whole


# Checks ------------------------------------------------------------------------------------------------------------


def _check(path: str | os.PathLike[str], uses: Sequence[Use]) -> None:
    """Refuses a table whose printed totals are not the sums of its rows."""
    leaves = list(_leaves(uses))
    by_class, by_force, by_row, everywhere = (defaultdict[Any, int](int) for _ in range(4))
    for use in leaves:
        by_class[use.force, use.group, use.kind] += use.n
        everywhere[use.group, _is_everywhere(use.force)] += use.n
        if _code(use.tactic) not in APART:
            by_force[use.force, use.group] += use.n
    for use in uses:
        if use.group != _TOTAL:
            by_row[use.line] += use.n
    for use in uses:
        _check_one(path, use, by_class, by_force, by_row)
    for group in {use.group for use in leaves}:
        if (group, True) in everywhere and everywhere[group, True] != everywhere[group, False]:
            raise InputRefused(
                f"{Path(path).name}: {group}: the forces come to {everywhere[group, False]:,}, "
                f"England and Wales to {everywhere[group, True]:,}; is the table whole?"
            )


def _check_one(path: str | os.PathLike[str], use: Use, by_class: Any, by_force: Any, by_row: Any) -> None:
    if use.group == _TOTAL:
        wanted = by_row[use.line]
    elif not normalise(use.tactic).startswith("total"):
        return
    elif normalise(use.kind).startswith("total"):
        wanted = by_force[use.force, use.group]
    else:
        wanted = by_class[use.force, use.group, use.kind]
    if use.n != wanted:
        raise InputRefused(
            f"{Path(path).name}, line {use.line}: {use.tactic}, {use.group}: {use.n:,} is printed, "
            f"its rows come to {wanted:,}; is the table whole?"
        )


def _code(tactic: str) -> str:
    return codelist("tactic").codes[code_lookup("tactic", SCHEME, [tactic])[0]]


# Tallies -----------------------------------------------------------------------------------------------------------


def _tallies(leaves: Sequence[Use], by: str, year: tuple[int, int], digest: str) -> tuple[Tally, Tally]:
    """Uses of tactics; and reports of what stands apart."""
    tactics = [use for use in leaves if _code(use.tactic) not in APART]
    apart = [use for use in leaves if _code(use.tactic) in APART]
    left_out = defaultdict[str, int](int)
    for use in apart:
        left_out[APART[_code(use.tactic)]] += use.n
    this = codelist("tactic")
    held = coded_axis("tactic", "tactic", (*this.groups, UNMAPPED)), coded_axis("tactic", "tactic", APART)
    return (
        _tally(tactics, held[0], by, "tactics", year, digest, dict(left_out)),
        _tally(apart, held[1], by, "force reports", year, digest, {}),
    )


def _tally(
    uses: Sequence[Use], tactic: Axis, by: str, unit: str, year: tuple[int, int], digest: str, left_out: dict[str, int]
) -> Tally:
    spec = axis_spec(by, KIND)
    forces = [known_force(use.force) or "" for use in uses]
    axes = (coded_axis("force", "force", set(forces)), tactic, coded_axis(by, spec.codelist))
    counts = np.zeros([len(axis) for axis in axes], dtype=np.int64)
    groups = code_lookup(spec.codelist, SCHEME, [use.group for use in uses]).tolist()
    unmapped = defaultdict[str, int](int)
    for use, force, group in zip(uses, forces, groups):
        code = _code(use.tactic)
        counts[axes[0].index(force), axes[1].index(code), group] += use.n
        if code == UNMAPPED:
            unmapped[f"tactic: {use.tactic}"] += use.n
    rows = zip(axes[0].codes, counts.sum(axis=(1, 2)).tolist())
    slots = [
        part_row(dataset=DATASET, kind=KIND, force=force, month=year[0], files=[digest], rows=n) for force, n in rows
    ]
    account = Account(int(counts.sum()) + sum(left_out.values()), left_out, unmapped=dict(unmapped))
    return Tally(axes, counts, unit, KIND, parts(slots), account, Scope(*year), vintage="published")


# Reports -----------------------------------------------------------------------------------------------------------


def _reports_by_force(sheets: dict[str, Grid]) -> dict[str, int]:
    """Force -> reports, from the sheet with the columns Region, Police force and Total."""
    for rows in sheets.values():
        at = next((i for i, row in enumerate(rows) if _words(row)[:3] == ["region", "police force", "total"]), None)
        if at is not None and not any("financial year" in _words(row) for row in rows):
            named = [(known_force(str(row[1])), row[2], i) for i, row in enumerate(rows[at + 1 :], at + 2)]
            return {force: _count(f"line {i}", n) for force, n, i in named if force is not None}
    return {}


def _reports_by_group(sheets: dict[str, Grid], by: str) -> dict[str, int]:
    """Code -> reports of England and Wales, from the line under the groups of the sheet that has all of them."""
    name = axis_spec(by, KIND).codelist
    this = codelist(name)
    for rows in sheets.values():
        for above, line in zip(rows, rows[1:]):
            places = [i for i, cell in enumerate(above) if str(cell).strip() and i > 1]
            labels = [" ".join(str(above[i]).replace("/\n", "/").split()) for i in places]
            if len(labels) < 3 or not _known(by, labels) or str(line[0]).strip():
                continue
            found = defaultdict[str, int](int)
            for at, place in zip(code_lookup(name, SCHEME, labels).tolist(), places):
                found[this.codes[at]] += _count(by, line[place])
            return found
    return {}


def _axis(by: str, found: dict[str, int]) -> Axis:
    name = axis_spec(by, KIND).codelist
    return coded_axis(by, name, set(found) if by == "force" else codelist(name).items)
