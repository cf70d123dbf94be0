"""Typed columns of a table in memory -> text, months and instants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from disprop.errors import UsageError
from disprop.io.columns import BLANK_WORDS, degrees
from disprop.io.dates import Instants, from_clock, instants, within_range
from disprop.io.rules import BAD_TABLE, DATE_BLANK, DATE_ONLY, FRACTION, refuse
from disprop.months import FIRST_YEAR, LAST_YEAR, month_number
from disprop.records import SEPARATOR, Kind, join_items

if TYPE_CHECKING:
    import pyarrow as pa

NO_MONTH, BAD_MONTH = -1, -2

_FIRST_MONTH, _LAST_MONTH = (FIRST_YEAR - 1970) * 12, (LAST_YEAR - 1970) * 12 + 11


NUMBERS = {"key": "uint64", "number": "uint32"}
"""Arrow type of the columns that come as numbers."""


def check_typed(table: pa.Table, at: Mapping[str, int], kind: Kind) -> None:
    """Refuses a key column that does not hold numbers: an identifier as text is nobody's pseudonym."""
    import pyarrow as pa

    for spec in kind.columns:
        if spec.dtype in NUMBERS and spec.name in at:
            came = table.schema.types[at[spec.name]]
            if not (pa.types.is_integer(came) or pa.types.is_null(came)):
                refuse(
                    BAD_TABLE,
                    f"column `{spec.name}`",
                    f"it holds {came}; whole numbers are wanted, of identifiers their keyed hashes "
                    "(disprop.keys.KeyedHash.hashes)",
                )


def item_sets(column: pa.Array) -> pa.DictionaryArray:
    """A column of several labels a record, lists or joined text, as one label column of sets; null for none.

    >>> import pyarrow as pa
    >>> item_sets(pa.array([["Shield", "Baton drawn", "Shield"], [], None])).to_pylist()
    ['Baton drawn | Shield', None, None]
    >>> item_sets(pa.array(["Shield | Baton drawn", " "])).to_pylist()
    ['Baton drawn | Shield', None]
    """
    import pyarrow as pa

    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        lists = (value or [] for value in column.to_pylist())
        return pa.array([_joined(map(str, value)) for value in lists], pa.string()).dictionary_encode()
    words, at = coded(column)
    sets = pa.array([_joined((word or "").split(SEPARATOR.strip())) for word in words], pa.string())
    return sets.take(pa.array(np.where(at < 0, len(words) - 1, at))).dictionary_encode()


def _joined(items: Iterable[str]) -> str | None:
    return join_items(item for item in items if item.strip().casefold() not in BLANK_WORDS)


def instants_or_null(column: pa.Array, time_zone: str) -> pa.Array:
    """A further time of the records, null where it cannot be read."""
    import pyarrow as pa

    found = column_instants(column, time_zone=time_zone)
    gone = np.zeros(len(column), dtype=bool)
    gone[list(found.refused)] = True
    return pa.array(found.seconds, mask=gone).cast(pa.timestamp("s", "UTC"))


def as_text(column: pa.Array) -> pa.Array:
    """A column as text, whatever its type; nulls stay null."""
    import pyarrow as pa

    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())


def texts(column: pa.Array) -> list[str]:
    """The values of a column as text, null as blank."""
    return ["" if text is None else text for text in as_text(column).to_pylist()]


def coded(column: pa.Array) -> tuple[list[str], np.ndarray]:
    """The distinct texts of a column, the blank one last, and the position of each row's."""
    encoded = as_text(column).dictionary_encode()
    at = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return [*encoded.dictionary.to_pylist(), ""], at


def column_degrees(column: pa.Array, notes: Counter[str]) -> np.ndarray:
    """Degrees of a coordinate column, numbers or text; NaN where blank or not a number."""
    import pyarrow as pa

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return degrees(texts(column), notes)
    found = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(found), found, np.nan)


def months(column: pa.Array) -> np.ndarray:
    """Month numbers of a `month` column: `2019-04`, a date, or a month number; NO_MONTH for null, BAD_MONTH else."""
    import pyarrow as pa

    counted, dated = pa.types.is_integer(column.type), pa.types.is_temporal(column.type)
    words, at = coded(column)
    return np.array([_month(text, counted=counted, dated=dated) for text in words], dtype=np.int64)[at]


def _month(text: str, *, counted: bool, dated: bool) -> int:
    if not text.strip():
        return NO_MONTH
    try:
        month = int(text) if counted else month_number(text[:7] if dated else text)
    except UsageError:
        return BAD_MONTH
    return month if _FIRST_MONTH <= month <= _LAST_MONTH else BAD_MONTH


def column_instants(column: pa.Array, *, time_zone: str) -> Instants:
    """Instants of a time column: timestamps with or without a zone, dates, or text; nulls are blank dates."""
    import pyarrow as pa

    if pa.types.is_date(column.type):
        found = _of_timestamps(column.cast(pa.timestamp("s")), time_zone)
        found.notes.clear()
        found.notes[DATE_ONLY] = len(column) - column.null_count
        return found
    if pa.types.is_timestamp(column.type):
        return _of_timestamps(column, time_zone)
    return instants(texts(column), time_zone=time_zone)


def _of_timestamps(column: pa.Array, time_zone: str) -> Instants:
    import pyarrow as pa
    import pyarrow.compute as pc

    given = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    whole = column.cast(pa.timestamp("s", column.type.tz), safe=False)
    clock = whole.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False)
    found = within_range(clock) if column.type.tz else from_clock(clock, time_zone=time_zone)
    broken = pc.sum(pc.not_equal(whole.cast(column.type), column)).as_py()
    if broken:
        found.notes[FRACTION] += broken
    return _spread(found, given, len(column))


def _spread(found: Instants, rows: np.ndarray, n: int) -> Instants:
    """Instants of some rows as those of all n: the others are blank dates."""
    seconds = np.zeros(n, dtype=np.int64)
    seconds[rows] = found.seconds
    blank = dict.fromkeys(np.setdiff1d(np.arange(n), rows).tolist(), DATE_BLANK)
    return Instants(seconds, blank | {int(rows[i]): why for i, why in found.refused.items()}, found.notes)
