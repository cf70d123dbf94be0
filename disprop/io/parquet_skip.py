"""Row groups that cannot hold what was asked for, told from their statistics."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from disprop.codelists import force_code
from disprop.errors import UsageError

if TYPE_CHECKING:
    from disprop.io.parquet_files import Foreign

MONTHS_BEFORE = 12
"""Months before the period that are read all the same: a partial month is judged by them."""
OTHER_FORCE, OTHER_MONTH = 0, 1


class Asked(NamedTuple):
    """Forces and period asked for, None where all are; and the force of rows that name none."""

    forces: tuple[str, ...] | None
    period: tuple[int, int] | None
    given: str | None


def rule_that_skips(file: Foreign, group: int, asked: Asked) -> int | None:
    """OTHER_FORCE or OTHER_MONTH when no row of a row group can be of what is asked for; None when one may be."""
    if asked.forces is not None:
        force = _only_force(file, group, asked.given)
        if force is not None and force not in asked.forces:
            return OTHER_FORCE
    if asked.period is not None:
        months = _months(file, group)
        if months and (months[1] < asked.period[0] - MONTHS_BEFORE or months[0] > asked.period[1]):
            return OTHER_MONTH
    return None


def _only_force(file: Foreign, group: int, given: str | None) -> str | None:
    """The one force of a row group, where its statistics show that there is only one."""
    if "force" not in file.binding.at:
        return given
    least, most = _span(file, group, "force")
    if not isinstance(least, str) or least != most:
        return None
    try:
        return force_code(least)
    except UsageError:
        return None


def _months(file: Foreign, group: int) -> tuple[int, int] | None:
    """First and last month that a row of a row group can have, a month more on both sides for the time zone."""
    name = "event_time" if "event_time" in file.binding.at else "month"
    least, most = (_month(value, counted=name == "month") for value in _span(file, group, name))
    if least is None or most is None:
        return None
    return (least, most) if name == "month" else (least - 1, most + 1)


def _month(value: Any, *, counted: bool) -> int | None:
    if isinstance(value, datetime):
        value = value.astimezone(UTC) if value.tzinfo else value
        return (value.year - 1970) * 12 + value.month - 1
    if counted and isinstance(value, int) and not isinstance(value, (bool, date)):
        return value
    return None


def _span(file: Foreign, group: int, name: str) -> tuple[Any, Any]:
    """Least and most of a column in a row group; None where the statistics do not say, or where there is a null."""
    place = _column_place(file, name)
    found = file.footer.row_group(group).column(place).statistics if place is not None else None
    if found is None or not found.has_min_max or not found.has_null_count or found.null_count:
        return None, None
    try:
        return found.min, found.max
    except (ValueError, OverflowError, UnicodeDecodeError):
        return None, None


def _column_place(file: Foreign, name: str) -> int | None:
    """Where a canonical column stands among the columns as stored, which nested ones shift."""
    header = file.schema.names[file.binding.at[name]]
    row = file.footer.schema
    places = [i for i in range(len(row.names)) if row.column(i).path == header]
    return places[0] if places else None
