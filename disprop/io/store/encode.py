"""Record batches to columns of codes, part by part, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from disprop.errors import InputRefused
from disprop.months import london_seconds
from disprop.records import PART_MONTH

DERIVED = {"time_precision": "precision", "hour": "hour"}
"""Columns made from `event_time`; they stand in the store and are not given back as record columns."""

NO_HOUR = 24
LATEST = 2**32 - 1


class Vocabulary:
    """The labels of one column under one scheme, in the order in which they came; it only grows. Code 0 is blank."""

    def __init__(self, labels: Sequence[str] = ("",)) -> None:
        self.labels = list(labels)
        self._code = {label: code for code, label in enumerate(self.labels)}

    def code(self, label: str | None) -> int:
        code = self._code.setdefault(label or "", len(self.labels))
        if code == len(self.labels):
            self.labels.append(label or "")
        return code

    def encode(self, values: pa.DictionaryArray) -> np.ndarray:
        """Codes of a dictionary column; null and "" are blank."""
        at = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        words = values.dictionary
        used = np.zeros(len(words), dtype=bool)
        used[at[at >= 0]] = True
        table = np.zeros(len(words) + 1, dtype=np.uint32)
        for i in np.flatnonzero(used).tolist():
            table[i] = self.code(words[i].as_py())
        return table[at]  # -1 takes the last entry, which is blank


def kinds_of(schema: pa.Schema) -> dict[str, str]:
    """Physical kind of every column that a batch brings; raises InputRefused for a type that no store keeps."""
    found: dict[str, str] = {}
    for one in schema:
        if one.name == PART_MONTH:
            continue
        found[one.name] = _kind(one)
        if one.name == "event_time":
            found |= DERIVED
    return found


def _kind(one: pa.Field) -> str:
    if pa.types.is_dictionary(one.type):
        return "label"
    if one.name == "month":
        return "month"
    if pa.types.is_timestamp(one.type):
        return "seconds"
    if pa.types.is_float64(one.type):
        return "degrees"
    if pa.types.is_uint64(one.type):
        return "key"
    raise InputRefused(f"column {one.name} is {one.type}; a store keeps labels, months, times, degrees and 64-bit keys")


def encode(batch: pa.RecordBatch, vocabularies: Mapping[str, Vocabulary]) -> dict[str, np.ndarray]:
    """Columns of codes of one batch."""
    columns: dict[str, np.ndarray] = {}
    for name, kind in kinds_of(batch.schema).items():
        if name in DERIVED:
            continue
        values = batch.column(name)
        if kind == "label":
            columns[name] = vocabularies[name].encode(values)
        elif kind == "month":
            columns[name] = values.to_numpy(zero_copy_only=False).astype(np.uint16)
        elif kind == "seconds":
            columns |= _time(name, values)
        elif kind == "degrees":
            columns[name] = values.to_numpy(zero_copy_only=False)
        else:
            columns[name] = values.fill_null(0).to_numpy(zero_copy_only=False)
    return columns


def _time(name: str, values: pa.Array) -> dict[str, np.ndarray]:
    known = values.is_valid().to_numpy(zero_copy_only=False)
    seconds = values.cast(pa.timestamp("s", values.type.tz)).cast(pa.int64()).fill_null(0)
    seconds = seconds.to_numpy(zero_copy_only=False)
    if seconds.size and (seconds.min() < 0 or seconds.max() > LATEST):
        raise InputRefused(f"{name} holds instants before 1970 or after 2105; a store keeps the years between")
    if name != "event_time":
        return {name: seconds.astype(np.uint32)}
    hours = np.where(known, london_seconds(seconds) // 3600 % 24, NO_HOUR)
    return {
        name: seconds.astype(np.uint32),
        "time_precision": known.astype(np.uint8),
        "hour": hours.astype(np.uint8),
    }


def by_slot(batch: pa.RecordBatch) -> Iterator[tuple[str, int, np.ndarray | None]]:
    """The slots in a batch: force, part month and the rows (None: all of them), in the order of the rows."""
    forces = batch.column("force")
    month = batch.column(PART_MONTH if PART_MONTH in batch.schema.names else "month")
    key = forces.indices.to_numpy().astype(np.int64) << 32 | month.to_numpy().astype(np.int64)
    values, first = np.unique(key, return_index=True)
    for value in values[np.argsort(first)].tolist():
        force, rows = forces.dictionary[value >> 32].as_py(), None if len(values) == 1 else np.flatnonzero(key == value)
        yield force, value & 0xFFFFFFFF, rows


def decode(
    name: str, kind: str, codes: np.ndarray, columns: Mapping[str, np.ndarray], words: pa.Array | None
) -> pa.Array:
    """A record column again; `words` are the labels of its vocabulary without blank."""
    if kind == "label":
        at = pa.array(codes.astype(np.int32) - 1, mask=codes == 0)
        return pa.DictionaryArray.from_arrays(at, words)
    if kind == "month":
        return pa.array(codes.astype(np.int32))
    if kind == "seconds":
        gone = columns["time_precision"] == 0 if name == "event_time" else codes == 0
        return pa.array(codes.astype(np.int64), mask=gone).cast(pa.timestamp("s", "UTC"))
    if kind == "degrees":
        return pa.array(codes, from_pandas=True)
    return pa.array(codes, mask=codes == 0)


def stacked(pieces: Sequence[Mapping[str, np.ndarray]], kinds: Mapping[str, str], fill: Any) -> dict[str, np.ndarray]:
    """Pieces of one part, one after another; a column that a piece lacks is blank there."""
    rows = [len(piece["month"]) for piece in pieces]
    return {
        name: np.concatenate([piece.get(name, fill(kind, n)) for piece, n in zip(pieces, rows)])
        for name, kind in kinds.items()
    }
