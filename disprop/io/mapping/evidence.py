"""What a column's name and values say about what it holds; a sample of rows is looked at, and nothing of it is kept."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, cached_property
from pathlib import Path

from disprop.codelists import BLANK, SCHEMES, UNMAPPED, labels, normalise
from disprop.io.columns import BLANK_WORDS, FLAG_WORDS
from disprop.io.mapping.columns import NEUTRAL
from disprop.io.mapping.times import CLOCK, DATED, INSTANT, read_durations, read_times

FOLDER = Path(__file__).parents[2] / "_data"
ETHNIC_SCHEMES = ("pace2023", "16+1", "hmpps")
BIRTH = {"birth", "dob", "born"}
MOST = 0.95
"""Share of the values that must fit: an extract has its bad rows."""

_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%b %d, %Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", "T%H:%M:%S")
_SHORT = {
    "no": "number", "num": "number", "nos": "number", "ref": "reference", "dt": "date", "datetime": "date time",
    "eth": "ethnicity", "off": "officer", "bwv": "body worn video", "org": "organisation", "veh": "vehicle",
    "def": "defined", "dob": "dob", "obj": "object", "uof": "use of force", "id": "id", "ids": "id",
}  # fmt: skip
_FILLER = {"the", "a", "an", "of", "and", "or", "for", "to", "was", "utc", "gmt", "local", "bst"}


@cache
def known_names() -> tuple[tuple[str, str, str], ...]:
    """Kind (`*`: any), target and a name that systems give it, from the table in the package."""
    return tuple((row["kind"], row["column"], row["name"]) for row in _table("mapping_names"))


@cache
def known_values() -> dict[str, dict[str, str]]:
    """Codelist -> usual spelling, normalised -> label that the codelist understands."""
    found: dict[str, dict[str, str]] = {}
    for row in _table("mapping_values"):
        found.setdefault(row["codelist"], {})[normalise(row["value"])] = row["label"]
    return found


def _table(name: str) -> Iterable[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def tokens(text: str) -> frozenset[str]:
    """The words of a name, short forms spelt out, filler left out.

    >>> sorted(tokens("CollarNo")), sorted(tokens("Date/Time of Search (UTC)"))
    (['collar', 'number'], ['date', 'search', 'time'])
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\[\d+\]$", "", text))
    words = re.sub(r"[^\w+]|_", " ", apart).casefold().split()
    spelt = " ".join(_SHORT.get(word, word) for word in words).split()
    return frozenset(spelt) - _FILLER or frozenset(spelt)


@cache
def likeness(header: str, name: str) -> float:
    """How alike two names are, 0 to 1: 1 for the same words in any order.

    >>> likeness("Search Date Time", "date_time of search"), likeness("Remarks", "Officer")
    (1.0, 0.0)
    """
    one, other = tokens(header), tokens(name)
    shared = len(one & other) / len(one | other)
    if shared == 1:
        return 1.0
    spelt = SequenceMatcher(None, " ".join(sorted(one)), " ".join(sorted(other)))
    near = spelt.ratio() if spelt.real_quick_ratio() > 0.8 and spelt.quick_ratio() > 0.8 else 0.0
    return 0.9 * max(shared, near if near > 0.8 else 0.0)


@dataclass(frozen=True)
class Seen:
    """One column of a sample: its header, its distinct values with how often, rows looked at."""

    header: str
    counts: Counter[str]
    rows: int

    @cached_property
    def words(self) -> list[str]:
        """Distinct values that are not blank."""
        return [word for word in self.counts if word.casefold() not in BLANK_WORDS]

    @property
    def filled(self) -> int:
        return sum(self.counts[word] for word in self.words)

    @property
    def is_birth(self) -> bool:
        """Whether the name says that it is a date of birth, which nothing here may read."""
        return bool(tokens(self.header) & BIRTH)

    @cached_property
    def is_flag(self) -> bool:
        usual = known_values().get("flag", {})
        return bool(self.words) and all(
            normalise(word) in FLAG_WORDS or normalise(word) in usual for word in self.words
        )

    @cached_property
    def formats(self) -> list[list[str]]:
        """The ways to read all values as dates: one list of formats a way, [] for ISO 8601; none when there is none."""
        if not self.words or self.is_flag:
            return []
        words = self.words[:2000]
        if _share_read(words, []) >= MOST:
            return [[]]
        ways = (_covering(words, order) for order in (_DAY_FIRST, _MONTH_FIRST))
        return [way for way in ways if way]

    @cached_property
    def is_time(self) -> bool:
        return bool(self.formats)

    @cached_property
    def has_clock(self) -> bool:
        """Whether the dates come with a time of day."""
        return self.is_time and bool(self._what & {CLOCK, INSTANT})

    @cached_property
    def needs_zone(self) -> bool:
        """Whether some time has neither an offset nor stands without a time of day."""
        return self.is_time and CLOCK in self._what

    @cached_property
    def _what(self) -> set[int]:
        import pyarrow as pa

        return set(read_times(pa.array(self.words[:2000]), self.formats[0]).what.tolist())

    @cached_property
    def is_of_day(self) -> bool:
        """Whether the values are times of day: 23:15, 2315."""
        form = re.compile(r"\d{1,2}[:.]\d\d([:.]\d\d)?(\s?[AaPp][Mm])?|([01]\d|2[0-3])[0-5]\d")
        return bool(self.words) and sum(bool(form.fullmatch(word)) for word in self.words) >= MOST * len(self.words)

    @cached_property
    def is_age(self) -> bool:
        numbers = [int(word) for word in self.words if re.fullmatch(r"\d{1,3}", word)]
        return bool(self.words) and len(numbers) >= 0.95 * len(self.words) and max(numbers) <= 120

    @cached_property
    def is_duration(self) -> bool:
        import pyarrow as pa

        return bool(self.words) and bool((read_durations(pa.array(self.words[:2000])) >= 0).all())

    @cached_property
    def is_number(self) -> bool:
        return bool(self.words) and all(re.fullmatch(r"[+-]?\d+([.,]\d+)?", word) for word in self.words)

    @cached_property
    def is_identifier(self) -> bool:
        """Whether the values could be numbers of officers, persons or records: short, of one word, with a digit."""
        fitting = [word for word in self.words if re.fullmatch(r"[\w/\\-]{1,40}", word) and re.search(r"\d", word)]
        return bool(self.words) and len(fitting) >= 0.9 * len(self.words)

    def understood(self, name: str, *, separator: str = "") -> float:
        """Share of the distinct values that a codelist knows under some scheme, or in a usual spelling."""
        words = self.items(separator) if separator else self.words
        if not words or len(words) > 2000:
            return 0.0
        usual, known = known_values().get(name, {}), _any_labels(name)
        return sum(normalise(word) in known or normalise(word) in usual for word in words) / len(words)

    def items(self, separator: str) -> list[str]:
        """Distinct items of the cells."""
        found = {item.strip() for word in self.words[:2000] for item in word.split(separator)}
        return sorted(item for item in found if item.casefold() not in BLANK_WORDS)


@cache
def _any_labels(name: str) -> frozenset[str]:
    silent = {normalise(code) for code in (BLANK, UNMAPPED)}
    return frozenset(label for scheme in SCHEMES for label in labels(name, scheme)) - silent


def coded(words: Iterable[str], lists: Sequence[str]) -> list[str]:
    """Values that mean something under a declared code scheme only, such as W1 or IC3."""
    neutral = {label for name in lists for label in labels(name, NEUTRAL)}
    known = {label for name in lists for label in _any_labels(name)}
    return [word for word in words if normalise(word) in known - neutral]


def schemes_that_know(words: Sequence[str], lists: Sequence[str]) -> list[str]:
    """The code schemes under which all the values mean something."""
    return [
        scheme
        for scheme in SCHEMES
        if all(any(normalise(word) in labels(name, scheme) for name in lists) for word in words)
    ]


def usual_label(name: str, word: str) -> str | None:
    """The label for a usual spelling; None where the table has none, "" for blank."""
    return known_values().get(name, {}).get(normalise(word))


def _share_read(words: Sequence[str], formats: Sequence[str]) -> float:
    import pyarrow as pa

    what = read_times(pa.array(words, pa.string()), formats).what
    return float(sum(int((what == one).sum()) for one in (INSTANT, CLOCK, DATED)) / len(words))


def _covering(words: Sequence[str], dates: Sequence[str]) -> list[str]:
    """The fewest formats of one order that read all the values, tried one by one; [] when they do not."""
    found, left = [], list(words)
    for text in (date + clock for date in dates for clock in _CLOCKS):
        still = _unread(left, text)
        if len(still) < len(left):
            found.append(text)
            left = still
    return found if len(left) <= (1 - MOST) * len(words) else []


def _unread(words: Sequence[str], text: str) -> list[str]:
    """Words that neither the format nor ISO 8601 reads."""
    import pyarrow as pa

    what = read_times(pa.array(words, pa.string()), [text]).what
    return [word for word, one in zip(words, what.tolist()) if one not in (INSTANT, CLOCK, DATED)]
