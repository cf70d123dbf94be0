"""Many cells at once: each distinct cell is worked out once, the quick way, blocks of them by several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce

import numpy as np

from disprop.intervals.interval import FloatArray, Limits
from disprop.kernels._jit import cores

FEWEST_CELLS = 500  # measured: fewer go through scipy's quantiles one by one as quickly
BLOCK = 8_192  # elements that the nearest caches hold with all they need
_MOST_KEYS = 2.0**62
_TABLE = 1 << 22  # keys below this are told apart by a table, which is quicker than sorting them
_MOST_EVENTS = 1e10  # above, too few digits of the density are left for the quick way


def on_distinct(limits: Callable[..., Limits], *columns: FloatArray) -> Limits:
    """`limits(*columns)`, each distinct row of the columns worked out once."""
    shape = columns[0].shape
    if columns[0].size < FEWEST_CELLS:
        return limits(*columns)
    keys = _keys(columns)
    if keys is None:
        low, high = limits(*(column.reshape(-1) for column in columns))
        return low.reshape(shape), high.reshape(shape)
    first, at = _places(keys)
    low, high = limits(*(_taken(column, first) for column in columns))
    return low[at].reshape(shape), high[at].reshape(shape)


def _taken(column: FloatArray, rows: np.ndarray) -> FloatArray:
    """Those rows of a column; one number, broadcast, stays so."""
    if _broadcast(column):
        return np.broadcast_to(column.flat[0], rows.shape)
    return column.reshape(-1)[rows]


def _broadcast(column: FloatArray) -> bool:
    return column.size > 0 and column.strides == (0,) * column.ndim


def _places(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A row of each distinct key, keys in order, and the position of each row's key among them."""
    room = int(keys.max()) + 1
    if room > _TABLE:
        return np.unique(keys, return_index=True, return_inverse=True)[1:]
    row = np.full(room, -1, dtype=np.int32)
    row[keys] = np.arange(keys.size, dtype=np.int32)
    distinct = np.flatnonzero(row >= 0)
    first, row[distinct] = row[distinct], np.arange(distinct.size, dtype=np.int32)
    return first, row[keys]


def _keys(columns: tuple[FloatArray, ...]) -> np.ndarray | None:
    """One whole number a row, the same for the same row; None where the numbers are not whole, or too large."""
    key, room = np.zeros(columns[0].size, dtype=np.int64), 1.0
    for column in columns:
        if _broadcast(column):
            continue
        values = column.reshape(-1)
        least, most = values.min(), values.max()
        if not np.isfinite(least) or not np.isfinite(most) or room * (most + 1) > _MOST_KEYS:
            return None
        whole = values.astype(np.int64)
        if (whole != values).any():
            return None
        key, room = key * (int(most) + 1) + whole, room * (most + 1)
    return key


def quick_or_slow(
    quick: Callable[..., FloatArray], slow: Callable[..., FloatArray], *columns: FloatArray
) -> FloatArray:
    """`slow(*columns)`; for many cells `quick`, which leaves NaN where it cannot tell, and `slow` for those alone."""
    if columns[0].size < FEWEST_CELLS:
        return slow(*columns)
    flat = [column.reshape(-1) for column in columns]
    out = in_blocks(quick, *flat)
    largest = reduce(np.maximum, flat)  # NaN where something is missing
    left = (np.isnan(out) & ~np.isnan(largest)) | (largest > _MOST_EVENTS)
    if left.any():
        out[left] = slow(*(column[left] for column in flat))
    return out.reshape(columns[0].shape)


def in_blocks(function: Callable[..., FloatArray], *columns: FloatArray) -> FloatArray:
    """`function(*columns)`, element by element, a block at a time, blocks shared out among threads."""
    out = np.empty(columns[0].shape)
    starts = range(0, out.size, BLOCK)

    def work(start: int) -> None:
        part = slice(start, start + BLOCK)
        with np.errstate(all="ignore"):
            out[part] = function(*(column[part] for column in columns))

    workers = min(cores(), len(starts))
    if workers < 2:
        for start in starts:
            work(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, starts))
    return out
