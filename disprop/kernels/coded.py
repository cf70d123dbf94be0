"""Counting rows that are dictionary codes already, and the London months and hours of instants.

A count is one byte. A cube of several million cells then stays in the caches, where it matters: cells are met in no
order, so that a cube of whole numbers costs a miss a row (docs/decisions/0014-parquet-scan.md has the figures). A
byte that passes 255 starts again at 0 and its cell goes on a list, which stands for 256 rows each time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disprop.kernels._jit import inner, kernel

LEFT_OUT = -(1 << 28)
"""Table entry of a row that is not counted; larger than any cell, and seven of them still fit in int32."""
LARGEST = 1 << 26
"""Most cells of a cube of bytes."""
BLOCK = 4096
FULL = 256

OUTSIDE = -1
"""Of an instant outside the table of hours."""


class ByteCube:
    """Counts of cells in one byte each, and the list of those that ran over."""

    def __init__(self, cells: int) -> None:
        self.bytes = np.zeros(cells, dtype=np.uint8)
        self.full: list[np.ndarray] = []
        self._cells = np.zeros(BLOCK, dtype=np.int32)

    def count(self, columns: Sequence[np.ndarray], tables: Sequence[np.ndarray]) -> int:
        """Count every row that is kept into its cell; returns how many rows were not.

        The cell of row i is the sum over columns j of `tables[j][columns[j][i]]`; a row is left out when an entry is
        LEFT_OUT. No rows, and any number of columns from 1, work. Nothing is written when an index is bad.

        columns: k arrays, int32, shape (n,): an index into the column's table for every row.
        tables: k arrays, int32: what each index adds to the cell, strides folded in.

        Raises ValueError when an index has no entry in its table.

        >>> cube = ByteCube(2)
        >>> cube.count([np.array([0, 1, 1, 2], dtype=np.int32)], [np.array([0, 1, LEFT_OUT], dtype=np.int32)])
        1
        >>> into = np.zeros(2, dtype=np.int64)
        >>> cube.add_to(into, np.array([0, 1], dtype=np.int32), 2)
        >>> into
        array([1, 2])
        """
        rows = columns[0].size
        if rows == 0:
            return 0
        for column, table in zip(columns, tables, strict=True):
            if column.view(np.uint32).max() >= table.size:
                raise ValueError(f"indices {column.min()} to {column.max()} for a table of {table.size} entries")
        full = np.empty(rows, dtype=np.int32)
        counts = np.zeros(2, dtype=np.int64)
        _count_bytes(columns, tables, len(columns), rows, self.bytes, full, self._cells, counts)
        if counts[1]:
            self.full.append(full[: counts[1]].copy())
        return int(counts[0])

    def add_to(self, out: np.ndarray, place: np.ndarray, width: int) -> None:
        """Add the counts to `out`: cell j of each run of `place.size` goes to cell `place[j]` of a run of `width`.

        place: int32; out: int64, contiguous, `width` cells for every run of the cube's.
        """
        flat = out.reshape(-1)
        _regroup(self.bytes, place, width, flat)
        if self.full:
            cells, times = np.unique(np.concatenate(self.full), return_counts=True)
            np.add.at(flat, cells // place.size * width + place[cells % place.size], FULL * times)


@kernel("void(int32[::1]*, int32[::1]*, int64, int64, uint8[::1], int32[::1], int32[::1], int64[::1])")
def _count_bytes(columns, tables, k, rows, out, out_full, out_cells, out_counts):
    """Column by column over a block of rows that stays in the nearest cache; `out_counts`: rows left out, overflows."""
    left_out = 0
    full = 0
    for start in range(0, rows, BLOCK):
        stop = min(BLOCK, rows - start)
        column, table = columns[0], tables[0]
        for i in range(stop):
            out_cells[i] = table[column[start + i]]
        for j in range(1, k):
            column, table = columns[j], tables[j]
            for i in range(stop):
                out_cells[i] += table[column[start + i]]
        for i in range(stop):
            cell = out_cells[i]
            if cell < 0 or cell >= out.size:
                left_out += 1
            elif out[cell] == 255:
                out[cell] = 0
                out_full[full] = cell
                full += 1
            else:
                out[cell] += np.uint8(1)
    out_counts[0] = left_out
    out_counts[1] = full


@kernel("void(uint8[::1], int32[::1], int64, int64[::1])")
def _regroup(cube, place, width, out):
    for run in range(cube.size // place.size):
        start = run * place.size
        to = run * width
        for j in range(place.size):
            if cube[start + j] != 0:
                out[to + place[j]] += np.int64(cube[start + j])


def told_by_hour(times: np.ndarray, per_second: int, begins: int, table: np.ndarray) -> tuple[np.ndarray, int]:
    """What a table of hours says of each instant, OUTSIDE where it does not reach; and how many have a fraction.

    times: int64, instants since 1970 in units of which `per_second` (1, 1000, 10^6 or 10^9) make a second.
    begins: the hour since 1970 of the first entry of `table` (int32), which has one for each hour.

    >>> told_by_hour(np.array([0, 3_600_001, 7_200_000]), 1000, 0, np.array([7, 8], dtype=np.int32))
    (array([ 7,  8, -1], dtype=int32), 1)
    """
    out = np.empty(times.size, dtype=np.int32)
    return out, int(_told_by_hour(times, per_second, begins, table, out))


@kernel("int64(int64[::1], int64, int64, int32[::1], int32[::1])")
def _told_by_hour(times, per_second, begins, table, out):
    """The four units are written out, because dividing by a constant is several times faster."""
    if per_second == 1:
        return _look_up(times, 1, begins, table, out)
    if per_second == 1000:
        return _look_up(times, 1000, begins, table, out)
    if per_second == 1_000_000:
        return _look_up(times, 1_000_000, begins, table, out)
    return _look_up(times, 1_000_000_000, begins, table, out)


@inner
def _look_up(times, unit, begins, table, out):
    broken = 0
    for i in range(times.size):
        second = times[i] // unit
        broken += times[i] != second * unit
        hour = second // 3600 - begins
        out[i] = table[hour] if 0 <= hour < table.size else -1
    return broken
