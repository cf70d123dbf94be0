"""Months and UK local time. A month is an integer: months since January 1970, so that arithmetic is plain.

The *analysis month* of a record is the month of its instant by UK local time; a *part month* is the month that the
source file claims. They differ for a few records and both are kept.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from disprop.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1972, 2100
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def month_number(label: str) -> int:
    """Months since January 1970 of `YYYY-MM`; raises UsageError for anything else.

    >>> month_number("2019-04")
    591
    """
    match = _MONTH.fullmatch(label.strip())
    if match is None:
        raise UsageError(f"{label!r} is not a month; write it as YYYY-MM, for instance 2019-04")
    return (int(match[1]) - 1970) * 12 + int(match[2]) - 1


def month_label(month: int) -> str:
    """`YYYY-MM` of a month number.

    >>> month_label(591)
    '2019-04'
    """
    return f"{1970 + month // 12:04d}-{month % 12 + 1:02d}"


@cache
def _transitions() -> tuple[np.ndarray, np.ndarray]:
    """UTC seconds at which the London offset changes, and the offset (seconds) that holds from there on."""
    london = ZoneInfo("Europe/London")

    def offset(instant: int) -> int:
        delta = datetime.fromtimestamp(instant, UTC).astimezone(london).utcoffset()
        return int(delta.total_seconds()) if delta is not None else 0

    probes = [
        int(datetime(year, month, 1, tzinfo=UTC).timestamp())
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for month in range(1, 13)
    ]
    instants, offsets = [probes[0]], [offset(probes[0])]
    for low, high in zip(probes, probes[1:]):
        if offset(high) == offsets[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
        instants.append(high)
        offsets.append(offset(high))
    return np.array(instants, dtype=np.int64), np.array(offsets, dtype=np.int64)


def london_seconds(utc_seconds: np.ndarray) -> np.ndarray:
    """UK local clock (seconds since 1970 as shown on the wall) of instants in UTC seconds.

    Summer time comes from the time-zone database, not from a rule written here. Valid from 1972 to 2100.

    >>> int(london_seconds(np.array([1_554_073_200]))[0]) - 1_554_073_200  # 31 March 2019, 23:00 UTC
    3600
    """
    instants, offsets = _transitions()
    return utc_seconds + offsets[np.searchsorted(instants, utc_seconds, side="right") - 1]


def london_month(utc_seconds: np.ndarray) -> np.ndarray:
    """Analysis month of each instant: its UK local month, as a month number.

    >>> month_label(int(london_month(np.array([1_554_073_200]))[0]))
    '2019-04'
    """
    return london_seconds(utc_seconds).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
