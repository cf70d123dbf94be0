"""What a path claims about its rows: which force, which month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from disprop.codelists import known_force
from disprop.io.rules import FOLDER_DIFFERS
from disprop.months import month_number

_MONTH = r"(\d{4}-(?:0[1-9]|1[0-2]))"
_OFFICIAL = re.compile(rf"{_MONTH}-(.+?)-stop-and-search", re.ASCII)
_SHORT = re.compile(rf"{_MONTH}(?:-(.+))?", re.ASCII)
_FORCE_ONLY = re.compile(r"(.+?)(?:-stop-and-search)?")
_OTHER_POLICE_UK = re.compile(r"\d{4}-\d{2}-.+-(street|outcomes|neighbourhood)\b.*\.csv", re.IGNORECASE)


@dataclass(frozen=True)
class Claim:
    """Force and month (a month number) that a path names; None where it names none.

    `strange` is the force part of an official name that is no known force.
    """

    force: str | None = None
    month: int | None = None
    strange: str = ""
    notes: tuple[str, ...] = ()


def claim(path: str) -> Claim:
    """Force and month from a file's name, else from its folder's.

    The official name is `2019-04-west-midlands-stop-and-search.csv`. Shorter ones count when nothing else stands in
    them: `2019-04.json`, `2019-04-kent.csv`, `kent.csv`. A name such as `export-2020-03.csv` names no month: that may
    be the day of the export. Where folder and file differ, the file's own name is taken, and that is noted.

    >>> claim("2019-04/2019-04-west-midlands-stop-and-search.csv")
    Claim(force='west-midlands', month=591, strange='', notes=())
    >>> claim("kent/export-2020-03.csv").force, claim("export-2020-03.csv").month
    ('kent', None)
    """
    parts = PurePosixPath(path.replace("\\", "/"))
    force, month, strange = _from_name(parts.stem)
    folder = parts.parent.name
    folder_month, folder_force = _month(folder), known_force(folder)
    differs = (month not in (None, folder_month) and folder_month is not None) or (
        force not in (None, folder_force) and folder_force is not None
    )
    return Claim(
        force=force or (None if strange else folder_force),
        month=folder_month if month is None else month,
        strange=strange,
        notes=(FOLDER_DIFFERS,) if differs else (),
    )


def is_other_police_uk(path: str) -> bool:
    """Whether the name is that of a street-level crime or outcomes file."""
    return _OTHER_POLICE_UK.fullmatch(PurePosixPath(path.replace("\\", "/")).name) is not None


def is_named_stop_and_search(path: str) -> bool:
    return "stop-and-search" in PurePosixPath(path.replace("\\", "/")).name.lower()


def _from_name(stem: str) -> tuple[str | None, int | None, str]:
    """Force, month, and the force part when it is not known."""
    official = _OFFICIAL.match(stem)
    if official:
        force = known_force(official[2])
        return force, month_number(official[1]), "" if force else official[2]
    short = _SHORT.fullmatch(stem)
    if short and (short[2] is None or known_force(short[2])):
        return known_force(short[2] or ""), month_number(short[1]), ""
    alone = _FORCE_ONLY.fullmatch(stem)
    return (known_force(alone[1]) if alone else None), None, ""


def _month(text: str) -> int | None:
    match = re.fullmatch(_MONTH, text, re.ASCII)
    return month_number(text) if match else None
