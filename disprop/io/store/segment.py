"""Segments: record batches of label codes, written once, and read by where their columns stand.

Many parts share one record batch, one after another, so that each column of all of them is one run of bytes: a scan
then maps and reads the pages of the columns that it needs, and no others (docs/decisions/0010-store-layout.md).

Physical kinds of columns: `label` (codes, uint8, uint16 or uint32 by the size of the vocabulary, in the file as an
Arrow dictionary of the labels so far), `month` (uint16, months since January 1970), `hour` (uint8, UK local hour, 24 =
none), `seconds` (uint32, UTC), `precision` (uint8: 0 none, 1 second, 2 minute, 3 date only), `degrees` (float64, NaN =
none), `key` (uint64, 0 = none), `joint` (uint16, several columns of codes as one number); in sidecars also numbers as
they are, `uint8` to `uint32`. No column has nulls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from disprop.errors import InputRefused
from disprop.io.store.joint import joint_codes, joint_sizes, joint_word
from disprop.io.store.manifest import put_segment
from disprop.records import JOINT

DTYPES = {
    "label": np.uint32,
    "month": np.uint16,
    "hour": np.uint8,
    "seconds": np.uint32,
    "precision": np.uint8,
    "degrees": np.float64,
    "key": np.uint64,
    "joint": np.uint16,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
}

BATCH_ROWS = 1 << 22
"""Most rows of a record batch, unless a part has more: what bounds the memory of a writer."""

Piece = Mapping[str, np.ndarray]


def label_dtype(size: int) -> type:
    """The narrowest type for the codes of a vocabulary of `size` entries, blank included."""
    return np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.uint32


def write_segment(
    folder: Path, parts: Iterable[Piece], kinds: Mapping[str, str], labels: Mapping[str, Sequence[str]]
) -> tuple[str, int, list[dict[str, Any]]]:
    """Write parts as one file, with a joint number where their columns give one; returns its name, its size, and for
    each part where its columns stand, and what the joint number is made of.

    kinds: column -> physical kind. labels: vocabulary of each label column.
    """
    dictionaries = {name: pa.array(labels[name], pa.string()) for name, kind in kinds.items() if kind == "label"}
    joint = joint_sizes(kinds, labels)
    written = {**kinds, JOINT: "joint"} if joint else kinds
    schema = pa.schema([_field(name, kind, dictionaries) for name, kind in written.items()])
    at: list[tuple[int, int, int]] = []

    def write(file: IO[bytes]) -> None:
        at.clear()
        with pa.ipc.new_file(file, schema) as writer:
            for number, several in enumerate(_batches(parts)):
                writer.write_batch(_batch(several, schema, dictionaries, joint))
                start = 0
                for part in several:
                    at.append((number, start, rows_of(part)))
                    start += at[-1][2]

    name, size = put_segment(folder, write)
    batches = places(folder / "segments" / name)
    made_of = {JOINT: joint_word(joint)}
    return name, size, [_part_place(batches[number], number, start, rows) | made_of for number, start, rows in at]


def _batches(parts: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Parts in runs of at most BATCH_ROWS, or of one part."""
    held: list[Piece] = []
    rows = 0
    for part in parts:
        if held and rows + rows_of(part) > BATCH_ROWS:
            yield held
            held, rows = [], 0
        held.append(part)
        rows += rows_of(part)
    yield held


def rows_of(part: Piece) -> int:
    """Rows of a part: all its columns have as many."""
    return len(next(iter(part.values())))


def _part_place(batch: Mapping[str, int], number: int, start: int, rows: int) -> dict[str, Any]:
    """Where the columns of one part stand, given where those of its batch do."""
    found: dict[str, Any] = {"batch": number, "start": start}
    for name in (key.removesuffix(":width") for key in batch if key.endswith(":width")):
        width = batch[f"{name}:width"]
        found |= {
            f"{name}:offset": batch[f"{name}:offset"] + start * width if rows else 0,
            f"{name}:length": rows * width,
            f"{name}:width": width,
        }
    return found


def _field(name: str, kind: str, dictionaries: Mapping[str, pa.Array]) -> pa.Field:
    if kind == "label":
        codes = pa.from_numpy_dtype(label_dtype(len(dictionaries[name])))
        return pa.field(name, pa.dictionary(codes, pa.string()), nullable=False)
    return pa.field(name, pa.from_numpy_dtype(DTYPES[kind]), nullable=False, metadata={"kind": kind})


def _batch(
    parts: Sequence[Piece], schema: pa.Schema, dictionaries: Mapping[str, pa.Array], joint: Mapping[str, int]
) -> pa.RecordBatch:
    arrays = []
    for one in schema:
        made = [joint_codes(part, joint) if one.name == JOINT else part[one.name] for part in parts]
        values = np.concatenate(made)
        if one.name in dictionaries:
            codes = pa.array(values.astype(one.type.index_type.to_pandas_dtype()))
            arrays.append(pa.DictionaryArray.from_arrays(codes, dictionaries[one.name]))
        else:
            arrays.append(pa.array(values, one.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def places(path: Path) -> list[dict[str, int]]:
    """For each record batch of a file: `<column>:offset`, `:length` and `:width`, in bytes."""
    whole = pa.memory_map(str(path)).read_buffer()
    file = pa.ipc.open_file(pa.BufferReader(whole))
    return [_places(file.get_batch(i), whole) for i in range(file.num_record_batches)]


def _places(batch: pa.RecordBatch, whole: pa.Buffer) -> dict[str, int]:
    found = {}
    for name, column in zip(batch.schema.names, batch.columns):
        values = column.indices if isinstance(column, pa.DictionaryArray) else column
        width = values.type.bit_width // 8
        buffer = values.buffers()[1]
        found[f"{name}:offset"] = buffer.address - whole.address if batch.num_rows else 0
        found[f"{name}:length"] = batch.num_rows * width
        found[f"{name}:width"] = width
    return found


def open_segment(path: Path, size: int) -> np.ndarray:
    """The bytes of a segment, mapped; raises InputRefused where the file is gone or has another length."""
    import mmap

    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as why:
        raise InputRefused(f"{path} cannot be read ({why}); run `disprop store verify` on the store") from why
    if len(mapped) != size:
        raise InputRefused(
            f"{path} has {len(mapped):,} bytes, its manifest says {size:,}; restore it, or remove the store"
        )
    return np.frombuffer(mapped, dtype=np.uint8)


def column_of(whole: np.ndarray, row: Mapping[str, Any], name: str, kind: str) -> np.ndarray:
    """A column of a part over the mapped bytes of its segment; blank where the part lacks it."""
    width, records = int(row[f"{name}:width"]), int(row["records"])
    if width == 0:
        return empty(kind, records)
    dtype: Any = np.dtype(f"u{width}") if kind == "label" else np.dtype(DTYPES[kind])
    start = int(row[f"{name}:offset"])
    return whole[start : start + records * width].view(dtype)


def empty(kind: str, records: int) -> np.ndarray:
    """A column that says nothing."""
    value: Any = {"degrees": np.nan, "hour": 24}.get(kind, 0)
    return np.full(records, value, dtype=DTYPES[kind])
