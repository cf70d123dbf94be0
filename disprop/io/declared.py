"""What only the user knows, from small CSV files: most similar groups with their date, and breaks in a series.

Validation: green; both layouts are our own, every line is checked, and a fault names its line (tests/forces).
"""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path

from disprop.errors import InputRefused

GROUP_COLUMNS = ("force", "member", "dated")
BREAK_COLUMNS = ("month", "note", "force")


def read_similar_groups(path: str | PathLike[str]) -> tuple[dict[str, list[str]], str]:
    """Most similar groups from CSV: columns `force`, `member`, `dated`, one member a line; the force among its members.

    Give the two values to `disprop.similar_groups(members, dated=dated)`, which checks the groups themselves.

    Raises InputRefused for a file that cannot be read, other columns, a blank cell, or lines of more than one date.

    >>> from pathlib import Path
    >>> text = "force,member,dated\\nkent,kent,2019-11\\nkent,essex,2019-11\\n"
    >>> _ = Path("groups.csv").write_text(text, encoding="utf-8")
    >>> read_similar_groups("groups.csv")
    ({'kent': ['kent', 'essex']}, '2019-11')
    """
    members: dict[str, list[str]] = {}
    dates: dict[str, int] = {}
    for line, (force, member, dated) in _lines(path, GROUP_COLUMNS, needed=GROUP_COLUMNS):
        members.setdefault(force, []).append(member)
        dates.setdefault(dated, line)
    if len(dates) != 1:
        lines = ", ".join(f"{dated} (line {line})" for dated, line in dates.items()) or "no line"
        raise InputRefused(f"{Path(path).name} must hold the groups of one date; it holds {lines}")
    return members, next(iter(dates))


def read_breaks(path: str | PathLike[str]) -> list[tuple[str, str, str]]:
    """Breaks from CSV: columns `month`, `note`, `force`; no force: all forces.

    Give the list to `disprop.declared_breaks`, which checks months and forces.

    Raises InputRefused for a file that cannot be read, other columns, or a line without a month or a note.

    >>> from pathlib import Path
    >>> _ = Path("breaks.csv").write_text("month,note,force\\n2019-10,new system,kent\\n", encoding="utf-8")
    >>> read_breaks("breaks.csv")
    [('2019-10', 'new system', 'kent')]
    """
    return [(month, note, force) for _, (month, note, force) in _lines(path, BREAK_COLUMNS, needed=("month", "note"))]


def _lines(
    path: str | PathLike[str], columns: tuple[str, ...], needed: tuple[str, ...]
) -> list[tuple[int, tuple[str, ...]]]:
    """Line number and trimmed cells of every line that says something."""
    name = Path(path).name
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(enumerate(csv.reader(file), start=1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputRefused(f"{name} cannot be read: {error}") from error
    head = tuple(cell.strip().casefold() for cell in rows[0][1]) if rows else ()
    if head != columns:
        raise InputRefused(f"{name} has the columns {', '.join(head) or '(none)'}; {', '.join(columns)} are wanted")
    found = []
    for line, cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        trimmed = tuple(cell.strip() for cell in cells)
        blank = [column for column, cell in zip(columns, trimmed) if column in needed and not cell]
        if len(trimmed) != len(columns) or blank:
            wrong = f"no {blank[0]}" if blank else f"{len(trimmed)} cells, not {len(columns)}"
            raise InputRefused(f"{name}, line {line}: {wrong}")
        found.append((line, trimmed))
    return found
