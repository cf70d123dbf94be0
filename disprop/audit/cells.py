"""Cells of a filled-in sheet as text with their row numbers, from CSV, XLSX or ODS."""

from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path
from typing import Any

from disprop.errors import InputRefused

Row = tuple[int, list[str]]  # row number as the spreadsheet shows it, cells

SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")


def read_cells(path: str | Path, *, sheet_name: str) -> list[Row]:
    """Every row that is not wholly blank.

    A CSV may be UTF-8 or, as Excel often saves it, Windows-1252; its separator a comma, a semicolon or a tab.

    Raises: InputRefused when the file is not there, not one of these kinds, or broken.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as why:
        raise InputRefused(f"{path} cannot be read: {why}") from why
    kind = path.suffix.lower()
    if kind == ".csv":
        rows = _csv_rows(content)
    elif kind in SPREADSHEETS:
        rows = _spreadsheet_rows(content, path.name, sheet_name)
    else:
        raise InputRefused(f"{path.name} ends in {kind!r}; a filled-in sheet is .csv, {', '.join(SPREADSHEETS)}")
    return [(at, cells) for at, cells in enumerate(rows, 1) if any(cells)]


FORMULA_STARTS = ("=", "+", "-", "@")


def guarded(text: str) -> str:
    """A cell that a spreadsheet would take for a formula, with an apostrophe before it.

    >>> guarded("=1+1"), guarded("'=1+1"), guarded("seen at 12:00")
    ("'=1+1", "''=1+1", 'seen at 12:00')
    """
    return f"'{text}" if text.lstrip("' \t\r\n").startswith(FORMULA_STARTS) else text


def unguarded(text: str) -> str:
    """What `guarded` was given. Text that was never guarded comes back as it is.

    >>> unguarded("'=1+1"), unguarded("''=1+1"), unguarded("-1"), unguarded("'quoted'")
    ('=1+1', "'=1+1", '-1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and guarded(text) != text else text


def column_letter(at: int) -> str:
    """The spreadsheet's letter of a column, from 0.

    >>> [column_letter(at) for at in (0, 25, 26, 701, 702)]
    ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _csv_rows(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    return [
        [unguarded(cell.strip()).strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    ]


def _spreadsheet_rows(content: bytes, name: str, sheet_name: str) -> list[list[str]]:
    try:
        import python_calamine
    except ImportError as why:
        raise InputRefused(
            f"{name}: reading spreadsheets needs the extra disprop[spreadsheet]; or save it as CSV"
        ) from why
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        chosen = sheet_name if sheet_name in book.sheet_names else book.sheet_names[0]
        return [
            [_text(cell) for cell in row] for row in book.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
        ]
    except Exception as why:  # the reader's errors have no common class
        raise InputRefused(f"{name} is not a whole spreadsheet: {why}") from why


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    return str(cell).strip()
