"""What each row of a record batch stands for: its label, its code of an open list, its hour, its items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import BLANK, item_codes
from disprop.months import london_seconds
from disprop.records import AxisSpec, split_items

if TYPE_CHECKING:
    import pyarrow as pa


def labels_of(batch: pa.RecordBatch, column: str) -> tuple[list[str | None], np.ndarray]:
    """Vocabulary of a label column and each row's index in it, -1 for null; a column that is absent is all null."""
    if column not in batch.schema.names:
        return [], np.full(batch.num_rows, -1, dtype=np.int32)
    values = batch[column]
    return values.dictionary.to_pylist(), numbers_of(values.indices, null=-1).astype(np.int32, copy=False)


def numbers_of(column: pa.Array, *, null: int = 0) -> np.ndarray:
    """The whole numbers of an array, `null` where there is none.

    From its buffers: pyarrow's own way imports pandas first, which counting does not need.

    >>> import pyarrow as pa
    >>> numbers_of(pa.array([7, None, 5, 3], pa.int16())[1:], null=-1)
    array([-1,  5,  3], dtype=int16)
    """
    validity, values = column.buffers()
    if values is None:
        return np.full(len(column), null, dtype=str(column.type))
    numbers = np.frombuffer(values, dtype=str(column.type))[column.offset : column.offset + len(column)]
    if column.null_count == 0:
        return numbers
    known = np.unpackbits(np.frombuffer(validity, np.uint8), count=column.offset + len(column), bitorder="little")
    return np.where(known[column.offset :], numbers, numbers.dtype.type(null))


def rows_where(batch: pa.RecordBatch, wanted: np.ndarray) -> pa.RecordBatch:
    """The rows of a batch of which `wanted` is true."""
    import pyarrow as pa

    bits = pa.py_buffer(np.packbits(wanted, bitorder="little"))  # `pa.array` imports pandas
    return batch.filter(pa.Array.from_buffers(pa.bool_(), len(wanted), [None, bits]))


def open_codes(batch: pa.RecordBatch, spec: AxisSpec) -> tuple[list[str], np.ndarray]:
    """The codes of an open list in a batch, `blank` first, and each row's position among them."""
    if spec.column in batch.schema.names and not hasattr(batch[spec.column], "dictionary"):
        return key_codes(batch[spec.column].fill_null(0).to_numpy(zero_copy_only=False))
    vocabulary, indices = labels_of(batch, spec.column)
    codes = [(label or "").strip() or BLANK for label in vocabulary]
    at = {code: i for i, code in enumerate(dict.fromkeys([BLANK, *codes]))}
    return list(at), np.array([0, *(at[code] for code in codes)], dtype=np.int32)[indices + 1]


def key_codes(keys: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Pseudonyms as codes: 16 hexadecimal digits, `blank` for none."""
    distinct, at = np.unique(keys, return_inverse=True)
    return [f"{key:016x}" if key else BLANK for key in distinct.tolist()], at.astype(np.int32)


def hours_of(batch: pa.RecordBatch) -> tuple[list[str], np.ndarray]:
    """Hours of the day by the UK local clock, and each row's among them; -1 where the time is not known."""
    import pyarrow as pa

    hours = [f"{hour:02d}" for hour in range(24)]
    if "event_time" not in batch.schema.names:
        return hours, np.full(batch.num_rows, -1, dtype=np.int32)
    times = batch["event_time"]
    seconds = times.cast(pa.timestamp("s", times.type.tz)).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    known = times.is_valid().to_numpy(zero_copy_only=False)
    return hours, np.where(known, london_seconds(seconds) // 3600 % 24, -1).astype(np.int32)


def each_item(
    spec: AxisSpec, scheme: str, vocabulary: Sequence[str | None], indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each row as often as it has items, and once more: the number of its row, and the item or `any` or `none`."""
    several = [item_codes(spec.codelist, scheme, split_items(label)) for label in [None, *vocabulary]]
    size = np.array([len(codes) for codes in several], dtype=np.int64)
    flat = np.array([code for codes in several for code in codes], dtype=np.int32)
    at = indices + 1
    rows = np.repeat(np.arange(len(at)), size[at])
    start = np.cumsum(size) - size
    ends = np.cumsum(size[at])
    within = np.arange(len(rows)) - np.repeat(ends - size[at], size[at])
    return rows, flat[np.repeat(start[at], size[at]) + within]
