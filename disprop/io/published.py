"""Official published tables, read to check figures against: their own counts, populations, rates and ratios.

Validation: green; the 11,424 rates and 989 ratios that the two tables allow to be recomputed are (tests/io).
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from disprop.io.rules import BAD_CELL, MISSING_FILE, NO_PERMISSION, REQUIRED_COLUMN, WIDTH_TABLE, refuse

if TYPE_CHECKING:
    import pandas as pd

ETHNICITY_FACTS = {
    "year": "Time",
    "ethnicity": "Ethnicity",
    "ethnicity_type": "Ethnicity_type",
    "area": "Geography",
    "events": "Number of stop and searches",
    "population": "Population by ethnicity",
    "rate": "Rate per 1,000 population by ethnicity",
}
LOCAL_AUTHORITY_RATIOS = {
    "year": "date",
    "area": "la",
    "area_code": "la_code",
    "force": "force",
    "events": "Black_stopped",
    "trials": "Black_population",
    "reference_events": "White_stopped",
    "reference_trials": "White_population",
    "risk_ratio": "rr",
    "low": "rr_ci_low",
    "high": "rr_ci_upp",
}

_TEXT = {"year", "ethnicity", "ethnicity_type", "area", "area_code", "force"}
_BLANK = {"", "-", "N/A", "NA"}
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class PublishedTable:
    """A published table as read.

    `rows` has one row for each of the table's, a blank number as NaN; `blanks` counts blank numbers by column and by
    what stood there (`-`, `N/A`): a sign for "not given" is never a zero. `sha256` names the file's bytes.
    """

    rows: pd.DataFrame
    blanks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sha256: str = ""


def read_ethnicity_facts(path: str | os.PathLike[str]) -> PublishedTable:
    """The official table of searches by force, ethnicity and financial year, 2006/07 to 2017/18.

    Headers are padded, thousands have commas, `-` and `N/A` stand for numbers not given. Columns: year, ethnicity,
    ethnicity_type, area, events, population, rate (searches per 1,000 residents, as published, to 2 decimals).

    Raises InputRefused, naming line and column, for a cell that is neither a number nor a sign for none.
    """
    return _read(Path(path), ETHNICITY_FACTS)


def read_local_authority_ratios(path: str | os.PathLike[str]) -> PublishedTable:
    """The table of Black and White searches by local authority, 2019 to 2021, with risk ratios and 95% limits.

    Columns: year, area, area_code, force, events and trials (Black), reference_events and reference_trials (White),
    risk_ratio, low, high (as published). Its "Black" includes the two Mixed White-and-Black groups.

    Raises InputRefused, naming line and column, for a cell that is neither a number nor a sign for none.
    """
    return _read(Path(path), LOCAL_AUTHORITY_RATIOS)


def _read(path: Path, columns: Mapping[str, str]) -> PublishedTable:
    import pandas as pd

    content = _content(path)
    table = list(csv.reader(content.decode("utf-8-sig").splitlines(keepends=True)))
    at = _places(path, table[0] if table else [], columns)
    for line, row in enumerate(table[1:], start=2):
        if len(row) != len(table[0]):
            refuse(WIDTH_TABLE, f"{path}, line {line}", f"{len(row)} fields came, {len(table[0])} were wanted")
    blanks = Counter[tuple[str, str]]()
    rows = {name: [row[i].strip() for row in table[1:]] for name, i in at.items()}
    found = {
        name: texts if name in _TEXT else _numbers(path, columns[name], name, texts, blanks)
        for name, texts in rows.items()
    }
    return PublishedTable(pd.DataFrame(found), dict(blanks), sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        refuse(MISSING_FILE, str(path), "check the path")
    except OSError as why:
        refuse(NO_PERMISSION, str(path), f"{why.strerror}; check its permissions")


def _places(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Where each column stands; padding around headers does not count."""
    came = {text.strip(): i for i, text in enumerate(header)}
    missing = [title for title in columns.values() if title not in came]
    if missing:
        refuse(REQUIRED_COLUMN, str(path), f"wanted {', '.join(missing)}; is this the published table, unchanged?")
    return {name: came[title] for name, title in columns.items()}


def _numbers(path: Path, title: str, name: str, texts: Sequence[str], blanks: Counter[tuple[str, str]]) -> list[float]:
    return [_number(f"{path}, line {i}", title, name, text, blanks) for i, text in enumerate(texts, start=2)]


def _number(where: str, title: str, name: str, text: str, blanks: Counter[tuple[str, str]]) -> float:
    if text in _BLANK:
        blanks[name, text] += 1
        return float("nan")
    if not _NUMBER.fullmatch(text):
        refuse(BAD_CELL, where, f"{text!r} in {title!r}; wanted a number, -, NA or N/A")
    return float(text.replace(",", ""))
