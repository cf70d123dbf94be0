"""Dates as written -> instants in UTC seconds, each departure from the plain form by a named rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from disprop.errors import UsageError
from disprop.io.columns import BLANK_WORDS
from disprop.io.rules import (
    DATE_BLANK,
    DATE_ONLY,
    DATE_RANGE,
    DATE_UNREADABLE,
    FRACTION,
    LOCAL_TIME,
    MISSING_HOUR,
    NO_OFFSET,
    REPEATED_HOUR,
)
from disprop.months import FIRST_YEAR, LAST_YEAR, london_seconds

TIME_ZONES = ("UTC", "Europe/London")
HOUR = 3600

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_FIRST = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())


@dataclass
class Instants:
    """`seconds[i]` is the UTC instant of text i, valid where `i` is not in `refused` (index -> reason)."""

    seconds: np.ndarray
    refused: dict[int, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)


def check_time_zone(name: str) -> str:
    """The name, if it is UTC or Europe/London; raises UsageError otherwise."""
    if name not in TIME_ZONES:
        raise UsageError(f"time_zone {name!r} is not one of {', '.join(TIME_ZONES)}")
    return name


def instants(texts: Sequence[str], *, time_zone: str = "UTC") -> Instants:
    """Instants of ISO 8601 dates.

    `time_zone` holds for dates written without an offset: `UTC`, as police.uk writes them, or `Europe/London` for the
    UK clock. The plain form, with offset and whole seconds, is read at once; anything else one by one, each distinct
    text once.

    >>> found = instants(["2019-03-31T23:19:00+00:00", "2019-04-01", "01/04/2019"])
    >>> found.seconds[:2].tolist(), found.refused
    ([1554074340, 1554076800], {2: 'date not understood'})
    """
    import pyarrow as pa

    try:
        plain = pa.array(texts, pa.string()).cast(pa.timestamp("s", "UTC"))
    except pa.ArrowInvalid:
        return _one_by_one(texts, time_zone)
    return within_range(np.asarray(plain.cast(pa.int64())))


def within_range(seconds: np.ndarray) -> Instants:
    """Instants of whole seconds; years outside the time-zone table are refused."""
    outside = np.flatnonzero((seconds < _FIRST) | (seconds >= _LAST))
    return Instants(seconds, dict.fromkeys(outside.tolist(), DATE_RANGE))


def _one_by_one(texts: Sequence[str], time_zone: str) -> Instants:
    found = Instants(np.zeros(len(texts), dtype=np.int64))
    known: dict[str, tuple[int, list[str], str]] = {}
    for i, text in enumerate(texts):
        if text not in known:
            known[text] = _instant(text.strip(), time_zone)
        seconds, notes, reason = known[text]
        found.seconds[i] = seconds
        if reason:
            found.refused[i] = reason
        else:
            found.notes.update(notes)
    return found


def _instant(text: str, time_zone: str) -> tuple[int, list[str], str]:
    """UTC seconds, notes, and the reason when it cannot be read."""
    if text.casefold() in BLANK_WORDS:
        return 0, [], DATE_BLANK
    match = _FORM.fullmatch(text)
    if match is None:
        return 0, [], DATE_UNREADABLE
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not FIRST_YEAR - 1 <= year <= LAST_YEAR + 1:
        return 0, [], DATE_RANGE
    try:
        clock = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
        seconds, notes = _placed(clock, match[8], time_zone, dated_only=match[4] is None)
    except ValueError:
        return 0, [], DATE_UNREADABLE
    if not _FIRST <= seconds < _LAST:
        return 0, [], DATE_RANGE
    return seconds, notes + [FRACTION] * bool(match[7] and match[7].strip("0")), ""


def _placed(clock: int, offset: str | None, time_zone: str, *, dated_only: bool) -> tuple[int, list[str]]:
    """UTC seconds of a clock reading, with the notes on how its zone was found."""
    if offset:
        return clock - _offset(offset), []
    found = from_clock(np.array([clock]), time_zone=time_zone)
    return int(found.seconds[0]), [DATE_ONLY] if dated_only else list(found.notes)


def from_clock(clock: np.ndarray, *, time_zone: str) -> Instants:
    """Instants of clock readings without an offset (seconds since 1970 as the clock shows them).

    Where the UK clock shows a time twice, the first is taken; a time that it skips is read by the hour before, so
    01:30 on the last Sunday of March is the instant that the clock shows as 02:30.

    >>> from_clock(np.array([1_553_995_800]), time_zone="Europe/London").notes  # 31 March 2019, 01:30
    Counter({'date without offset read as UK local time': 1, 'missing clock hour, read an hour on': 1})
    """
    if time_zone == "UTC":
        found = within_range(clock)
        found.notes[NO_OFFSET] = len(clock)
        return found
    summer, winter = clock - HOUR, clock
    fits_summer, fits_winter = london_seconds(summer) == clock, london_seconds(winter) == clock
    found = within_range(np.where(fits_summer, summer, winter))
    repeated, missing = int((fits_summer & fits_winter).sum()), int((~fits_summer & ~fits_winter).sum())
    found.notes.update({LOCAL_TIME: len(clock), REPEATED_HOUR: repeated, MISSING_HOUR: missing})
    found.notes = +found.notes
    return found


def _offset(text: str) -> int:
    """Seconds east of UTC."""
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if minutes > 59 or hours > 23:
        raise ValueError(text)
    return (hours * HOUR + minutes * 60) * (-1 if text[0] == "-" else 1)
