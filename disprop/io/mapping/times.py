"""Times as an extract writes them -> instants: declared formats, two columns, a duration; nothing guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from disprop.io.columns import BLANK_WORDS
from disprop.io.dates import Instants, from_clock, instants, within_range
from disprop.io.rules import DATE_BLANK, DATE_ONLY, DATE_UNREADABLE, FRACTION, NO_OFFSET

if TYPE_CHECKING:
    import pyarrow as pa

ISO = "iso"
DAY = 86_400
BLANK, INSTANT, CLOCK, DATED, UNREADABLE = range(5)
"""What a text turned out to be: nothing, an instant with its offset, a clock reading, a date alone, none of these."""

_EPOCH = date(1970, 1, 1).toordinal()
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARTS = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%b": r"(?P<b>[A-Za-z]{3,9})",
    "%H": r"(?P<H>\d{1,2})",
    "%I": r"(?P<I>\d{1,2})",
    "%M": r"(?P<M>\d{2})",
    "%S": r"(?P<S>\d{2})(?:[.,]\d{1,9})?",
    "%p": r"(?P<p>[AaPp])\.?[Mm]\.?",
}
FORMATS = 'write "iso", or the parts as ' + ", ".join(_PARTS) + ' with what stands between them: "%d/%m/%Y %H:%M"'

_PLAIN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d{1,6})?", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d", re.ASCII)
_OF_DAY = re.compile(
    r"(?:\S+[T ])?(?P<H>\d{1,2})[:.](?P<M>\d\d)(?:[:.](?P<S>\d\d)(?:[.,]\d{1,9})?)?\s?(?:(?P<p>[AaPp])\.?[Mm]\.?)?"
    r"|(?P<h>\d\d)(?P<m>\d\d)",
    re.ASCII,
)
_LENGTH = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,7})(?:[.,]\d+)?", re.ASCII)


def check_formats(formats: Sequence[str]) -> str:
    """What is wrong with the declared formats, or nothing.

    >>> check_formats(["%d/%m/%Y %H:%M", "iso"]), check_formats(["%d/%m/%Y", "%m/%d/%Y"])
    ('', 'day before month and month before day cannot both be read')
    """
    orders = set()
    for text in formats:
        if text == ISO:
            continue
        parts = re.findall(r"%.?", text)
        strange = [part for part in parts if part not in _PARTS]
        if strange:
            return f"{text!r} has {strange[0]!r}, which is not understood"
        named = [part for part in parts if part in ("%d", "%m", "%b")]
        if len(named) != 2 or "%d" not in named or not {"%Y", "%y"} & set(parts) or len(set(parts)) != len(parts):
            return f"{text!r} does not name day, month and year once each"
        if "%b" not in named:
            orders.add(named[0])
    return "day before month and month before day cannot both be read" if len(orders) > 1 else ""


@dataclass
class Readings:
    """Texts read: `seconds` (UTC for an INSTANT, else as the clock shows them) and what each turned out to be."""

    seconds: np.ndarray
    what: np.ndarray
    broken: np.ndarray

    def at(self, rows: np.ndarray) -> Readings:
        return Readings(self.seconds[rows], self.what[rows], self.broken[rows])


def distinct(column: pa.Array) -> tuple[list[str], np.ndarray]:
    """The distinct texts of a column (null as blank, the last) and each row's position among them."""
    encoded = column.dictionary_encode()
    return [*encoded.dictionary.to_pylist(), ""], encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def read_times(column: pa.Array, formats: Sequence[str]) -> Readings:
    """Each text of a column by the first of the formats that fits it, ISO 8601 last.

    >>> import pyarrow as pa
    >>> found = read_times(pa.array(["01/04/2019 23:15", "31/02/2019 10:00", None]), ["%d/%m/%Y %H:%M"])
    >>> found.what.tolist(), int(found.seconds[0])
    ([2, 4, 0], 1554160500)
    """
    words, at = distinct(column)
    return _read(words, formats).at(at)


def read_dates_and_times(dates: pa.Array, times: pa.Array, formats: Sequence[str]) -> Readings:
    """Dates of one column with times of day of another; a blank time leaves a date alone.

    >>> import pyarrow as pa
    >>> found = read_dates_and_times(pa.array(["2019-04-01"] * 2), pa.array(["23:15", ""]), ["iso"])
    >>> found.what.tolist()
    [2, 3]
    """
    found = read_times(dates, formats)
    words, at = distinct(times)
    of_day = np.array([_seconds_of_day(word) for word in words], dtype=np.int64)[at]
    day = found.seconds // DAY * DAY
    dated = np.isin(found.what, (INSTANT, CLOCK, DATED))
    what = np.where(dated, np.where(of_day >= 0, CLOCK, np.where(of_day == -1, DATED, UNREADABLE)), found.what)
    return Readings(day + np.maximum(of_day, 0), what, np.zeros(len(what), dtype=bool))


def read_durations(column: pa.Array) -> np.ndarray:
    """Whole seconds of durations written as seconds, `m:ss` or `h:mm:ss`; -1 where blank, -2 where not understood.

    >>> import pyarrow as pa
    >>> read_durations(pa.array(["312", "5:12", "0:05:12.5", "", "long"])).tolist()
    [312, 312, 312, -1, -2]
    """
    words, at = distinct(column)
    return np.array([_duration(word) for word in words], dtype=np.int64)[at]


def placed(readings: Readings, time_zone: str | None) -> Instants:
    """Instants of readings: a clock reading by `time_zone`, a date alone as the midnight that begins it in the UK.

    Where no time zone was declared, clock readings are refused under NO_OFFSET: the caller must not go on.
    """
    found = Instants(readings.seconds.copy())
    for what, zone in ((CLOCK, time_zone), (DATED, "Europe/London")):
        rows = np.flatnonzero(readings.what == what)
        if zone is None:
            found.refused |= dict.fromkeys(rows.tolist(), NO_OFFSET)
        elif len(rows):
            read = from_clock(readings.seconds[rows], time_zone=zone)
            found.seconds[rows] = read.seconds
            found.notes.update(read.notes if what == CLOCK else Counter({DATE_ONLY: len(rows)}))
    known = np.isin(readings.what, (INSTANT, CLOCK, DATED))
    outside = within_range(np.where(known, found.seconds, 0)).refused
    found.refused |= outside
    found.refused |= dict.fromkeys(np.flatnonzero(readings.what == BLANK).tolist(), DATE_BLANK)
    found.refused |= dict.fromkeys(np.flatnonzero(readings.what == UNREADABLE).tolist(), DATE_UNREADABLE)
    found.notes[FRACTION] += int(readings.broken.sum())
    found.notes = +found.notes
    return found


def _read(words: Sequence[str], formats: Sequence[str]) -> Readings:
    found = Readings(
        np.zeros(len(words), dtype=np.int64), np.full(len(words), UNREADABLE), np.zeros(len(words), dtype=bool)
    )
    left = []
    for i, word in enumerate(words):
        if word.strip().casefold() in BLANK_WORDS:
            found.what[i] = BLANK
        else:
            left.append(i)
    for text in formats:
        if text != ISO:
            read = _reader(text)
            for i in left:
                found.seconds[i], found.what[i] = read(words[i].strip())
            left = [i for i in left if found.what[i] == UNREADABLE]
    _read_iso(words, left, found)
    return found


def _read_iso(words: Sequence[str], left: list[int], found: Readings) -> None:
    """Reads what is ISO 8601, which no other format can be taken for."""
    plain = [i for i in left if _PLAIN.fullmatch(words[i].strip())]
    if plain and not _read_plain(words, plain, found):
        plain = []
    for i in sorted(set(left) - set(plain)):
        if not _ISO.match(words[i].strip()):
            continue
        one = instants([words[i].strip()], time_zone="UTC")
        if not one.refused:
            found.seconds[i] = one.seconds[0]
            found.what[i] = DATED if DATE_ONLY in one.notes else CLOCK if NO_OFFSET in one.notes else INSTANT
            found.broken[i] = FRACTION in one.notes


def _read_plain(words: Sequence[str], plain: list[int], found: Readings) -> bool:
    """Reads many clock readings at once; False where one of them is no date at all."""
    import pyarrow as pa

    texts = pa.array([words[i].strip() for i in plain], pa.string())
    try:
        exact = texts.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return False
    found.seconds[plain], found.what[plain], found.broken[plain] = exact // 1_000_000, CLOCK, exact % 1_000_000 != 0
    return True


def _reader(text: str) -> Callable[[str], tuple[int, int]]:
    """A function that reads one text by a declared format."""
    pieces = re.split(r"(%.)", text)
    pattern = re.compile("".join(_PARTS.get(piece) or _between(piece) for piece in pieces), re.ASCII)
    what = CLOCK if {"%H", "%I"} & set(pieces) else DATED

    def read(word: str) -> tuple[int, int]:
        match = pattern.fullmatch(word)
        seconds = None if match is None else _clock(match.groupdict())
        return (0, UNREADABLE) if seconds is None else (seconds, what)

    return read


def _between(text: str) -> str:
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def _clock(parts: dict[str, str | None]) -> int | None:
    """Seconds since 1970 as a clock shows them, of the named parts of a date; None where there is no such time."""
    year = int(parts["Y"] or 0) if "Y" in parts else 2000 + int(parts.get("y") or 0)
    month = int(parts["m"] or 0) if "m" in parts else _month(parts.get("b") or "")
    hour = _hour(parts.get("H") or parts.get("I") or "0", parts.get("p"))
    if hour is None:
        return None
    minute, second, day = int(parts.get("M") or 0), int(parts.get("S") or 0), _day(year, month, int(parts["d"] or 0))
    if day is None or hour > 23 or minute > 59 or second > 59:
        return None
    return day * DAY + hour * 3600 + minute * 60 + second


@cache
def _day(year: int, month: int, day: int) -> int | None:
    """Days since 1970 of a date, None where there is no such day."""
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


def _month(name: str) -> int:
    """The month of an English name or its first three letters; 0 for none."""
    short = name[:3].casefold()
    return _MONTH_NAMES.index(short) + 1 if short in _MONTH_NAMES else 0


def _hour(text: str | None, half: str | None) -> int | None:
    """The hour of a day, by 24 or by twice 12."""
    hour = int(text or 0)
    if not half:
        return hour
    return hour % 12 + (12 if half in "pP" else 0) if 1 <= hour <= 12 else None


def _seconds_of_day(text: str) -> int:
    """Seconds since midnight; -1 where blank, -2 where not understood."""
    text = text.strip()
    if text.casefold() in BLANK_WORDS:
        return -1
    match = _OF_DAY.fullmatch(text)
    if match is None:
        return -2
    hour = _hour(match["H"] or match["h"], match["p"])
    minute, second = int(match["M"] or match["m"]), int(match["S"] or 0)
    if hour is None or hour > 23 or minute > 59 or second > 59:
        return -2
    return hour * 3600 + minute * 60 + second


def _duration(text: str) -> int:
    text = text.strip()
    if text.casefold() in BLANK_WORDS:
        return -1
    match = _LENGTH.fullmatch(text)
    if match is None:
        return -2
    return sum(int(part or 0) * size for part, size in zip(match.groups(), (3600, 60, 1)))
