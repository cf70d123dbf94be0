"""Batches of somebody else's Parquet to plain rows: dictionary indices, months and hours, no text decoded.

Only what is plain becomes rows: forces that are known, instants or months that are all there and in range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from disprop.batches import key_codes
from disprop.codelists import BLANK, force_code
from disprop.errors import UsageError
from disprop.io.columns import blanked
from disprop.io.frame_columns import BAD_MONTH, NO_MONTH, as_text, months
from disprop.io.rules import FRACTION, LONDON_MONTH, NO_OFFSET
from disprop.kernels.coded import OUTSIDE, told_by_hour
from disprop.months import FIRST_YEAR, LAST_YEAR, london_month, london_seconds

if TYPE_CHECKING:
    import pyarrow as pa

FIRST, LAST = (FIRST_YEAR - 1970) * 12, (LAST_YEAR - 1970) * 12 + 11
HOURS = [f"{hour:02d}" for hour in range(24)]
KEYS = ("officer",)
"""Columns of pseudonyms that are axes."""
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True)
class Rows:
    """Plain rows: of each, its force (position in `forces`), analysis month, and labels by column.

    Labels are a vocabulary, None (blank) last, and the position of each row's in it. `part_months` is there only where
    it differs from `months` in some row.
    """

    forces: tuple[str, ...]
    force: np.ndarray
    months: np.ndarray
    part_months: np.ndarray | None
    labels: Mapping[str, tuple[list[str | None], np.ndarray]]
    notes: Counter[str]


@cache
def month_of_hour() -> tuple[int, np.ndarray]:
    """The first hour (since 1970) of the time-zone table, and the London month of it and every later one.

    Every London month begins on a whole hour UTC: the first of the month, or an hour before in summer time.
    """
    numbers = np.arange(FIRST, LAST + 2)
    utc = numbers.astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    hours = np.where(london_month(utc - 3600) == numbers, utc - 3600, utc) // 3600
    hours[0], hours[-1] = utc[0] // 3600, utc[-1] // 3600  # as far as instants are read at all
    return int(hours[0]), np.repeat(numbers[:-1].astype(np.int32), np.diff(hours))


@cache
def hour_of_hour() -> tuple[int, np.ndarray]:
    """The same hours, and what the UK clock shows in each; it is a number of whole hours from UTC."""
    begins, months = month_of_hour()
    seconds = (begins + np.arange(months.size)) * 3600
    return begins, (london_seconds(seconds) // 3600 % 24).astype(np.int32)


def plain_types(schema: pa.Schema, at: Mapping[str, int], *, time_zone: str) -> bool:
    """Whether the columns that date the rows are of types that may be plain."""
    import pyarrow as pa

    if "event_time" not in at:
        return pa.types.is_integer(schema.field(at["month"]).type) or pa.types.is_dictionary(
            schema.field(at["month"]).type
        )
    kind = schema.field(at["event_time"]).type
    return pa.types.is_timestamp(kind) and (kind.tz is not None or time_zone == "UTC")


class Vocabularies:
    """The dictionary met last in each column, and what its labels are: a row group brings the same one with each batch,
    and the next row group mostly the same again."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[pa.Array, list[str | None], bool]] = {}

    def of(self, name: str, column: pa.DictionaryArray) -> tuple[list[str | None], bool]:
        """Labels of a column's dictionary, None for blanks and once more at the end, the same list while the dictionary
        is the same; and whether something is to be noted of them."""
        if name not in self._last or not self._last[name][0].equals(column.dictionary):
            self._last[name] = (column.dictionary, *_words(name, column.dictionary))
        return self._last[name][1:]


def _words(name: str, dictionary: pa.Array) -> tuple[list[str | None], bool]:
    import pyarrow as pa

    place = np.arange(len(dictionary), dtype=np.int32)
    notes: Counter[str] = Counter()
    found = blanked(name, pa.DictionaryArray.from_arrays(pa.array(place), as_text(dictionary)), notes)
    words = np.array([*found.dictionary.to_pylist(), None], dtype=object)
    return [*words[_indices(found)].tolist(), None], bool(notes)


def plain_rows(
    batch: pa.RecordBatch, at: Mapping[str, int], columns: Iterable[str], given: str | None, met: Vocabularies
) -> Rows | None:
    """The rows of a batch, when every one is plain; None otherwise. The label of an instant is its hour."""
    notes: Counter[str] = Counter()
    forces = _forces(batch, at, given)
    if forces is None:
        return None
    dated = _months(batch, at, notes)
    if dated is None:
        return None
    labels = {name: _labels(name, batch.column(at[name]), notes, met) for name in columns if name in at}
    return Rows(*forces, *dated, labels, notes)


def encoded(column: pa.Array) -> pa.DictionaryArray:
    """A column of any type as a dictionary with int32 indices; what it holds is not decoded."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        indices, words = column.cast(pa.int8()).cast(pa.int32()), pa.array(["false", "true"])
        return pa.DictionaryArray.from_arrays(indices, words)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if pa.types.is_null(column.type):
        return as_text(column).dictionary_encode()
    indices = column.indices.cast(pa.int32())
    return pa.DictionaryArray.from_arrays(indices, column.dictionary, safe=False)  # checked when counted


def _indices(column: pa.DictionaryArray) -> np.ndarray:
    """Positions in the dictionary; of nulls, the position after its last."""
    found = column.indices
    if found.null_count:
        found = found.fill_null(len(column.dictionary))
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _labels(
    name: str, column: pa.Array, notes: Counter[str], met: Vocabularies
) -> tuple[list[str | None], np.ndarray]:  # fmt: skip
    if name == "event_time":
        return [*HOURS, None], told_by_hour(*_times(column), *hour_of_hour())[0]
    if name in KEYS:
        return _keys(column)
    found = encoded(column)
    words, noted = met.of(name, found)
    if noted:
        text = as_text(found.dictionary)
        blanked(name, type(found).from_arrays(found.indices, text, safe=False), notes)
    return words, _indices(found)


def _keys(column: pa.Array) -> tuple[list[str | None], np.ndarray]:
    """Pseudonyms, none of them (0 or null) blank."""
    import pyarrow as pa

    codes, at = key_codes(column.cast(pa.uint64()).fill_null(0).to_numpy(zero_copy_only=False))
    return [*(None if code == BLANK else code for code in codes), None], at


def _forces(
    batch: pa.RecordBatch, at: Mapping[str, int], given: str | None
) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Codes of the batch's forces and each row's; None when a row names none that is known."""
    if "force" not in at:
        return (given or "",), np.zeros(batch.num_rows, dtype=np.int32)
    column = encoded(batch.column(at["force"]))
    indices = _indices(column)
    codes = [_force(text, given) for text in [*as_text(column.dictionary).to_pylist(), None]]
    strange = [i for i, code in enumerate(codes) if code is None]
    if (strange != [len(codes) - 1] or column.indices.null_count) and np.isin(indices, strange).any():
        return None
    return tuple(code or "" for code in codes), indices


@cache
def _force(text: str | None, given: str | None) -> str | None:
    if not (text or "").strip():
        return given
    try:
        return force_code(str(text))
    except UsageError:
        return None


def _months(
    batch: pa.RecordBatch, at: Mapping[str, int], notes: Counter[str]
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Analysis months, and part months where they differ; None when some row is not plainly dated."""
    given = _given_months(batch.column(at["month"])) if "month" in at else None
    if "month" in at and given is None:
        return None
    if "event_time" not in at:
        assert given is not None
        return given, None
    own = _instants(batch.column(at["event_time"]), notes)
    if own is None or given is None:
        return None if own is None else (own, None)
    elsewhere = int(np.count_nonzero(own != given))
    if elsewhere:
        notes[LONDON_MONTH] += elsewhere
    return own, given if elsewhere else None


def _given_months(column: pa.Array) -> np.ndarray | None:
    import pyarrow as pa

    if column.null_count:
        return None
    if pa.types.is_dictionary(column.type):
        known = months(column.dictionary)
        if np.isin(known, (NO_MONTH, BAD_MONTH)).any():
            return None
        return known.astype(np.int32)[column.indices.to_numpy(zero_copy_only=False)]
    if not pa.types.is_integer(column.type):
        return None
    found = column.to_numpy(zero_copy_only=False)
    inside = found.size == 0 or (found.min() >= FIRST and found.max() <= LAST)
    return found.astype(np.int32, copy=False) if inside else None


def _times(column: pa.Array) -> tuple[np.ndarray, int]:
    """Instants as they are stored, and how many of their units make a second."""
    import pyarrow as pa

    times = column.view(pa.int64()).to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(times), PER_SECOND[column.type.unit]


def _instants(column: pa.Array, notes: Counter[str]) -> np.ndarray | None:
    if column.null_count:
        return None
    found, broken = told_by_hour(*_times(column), *month_of_hour())
    if found.size and found.min() == OUTSIDE:
        return None
    if column.type.tz is None:
        notes[NO_OFFSET] += len(column)
    if broken:
        notes[FRACTION] += broken
    return found
