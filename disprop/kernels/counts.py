"""Counting records into the cells of a cube."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from disprop.kernels._jit import cores, kernel

# Measured on 2 cores (EPYC, 4 columns, medians of 9 calls, kernel cached): numpy takes 15 to 25 ns a row, the kernel
# 3 ns a row and 20 us a call, so a loaded kernel wins from about 1,500 rows. Loading it takes 0.05 s once a process,
# which numpy needs for about 3 million rows; compiling it takes 1.5 s once an installation.
FEWEST_ROWS = 1_500
ROWS_BEFORE_LOADING = 3_000_000
ROWS_A_THREAD = 500_000

_counted_by_numpy = 0  # rows so far in this process; only speed depends on it


def count_cells(columns: Sequence[np.ndarray], tables: Sequence[np.ndarray], out: np.ndarray) -> None:
    """Count every row into its cell: `out[cell] += 1`.

    No rows, or one column, or eight, all work. A null has its own entry in every table, so no row is ever left out.
    Counts are whole numbers in int64: no cell overflows below 2^63. `out` keeps what it held (counts are added to
    it). Threads and chunks cannot change the answer, since whole numbers add up alike in any order. After an error,
    throw `out` away: it may hold some of the rows.

    Formula: the cell of row i is the sum over columns j of `tables[j][columns[j][i] + 1]`.

    columns: k arrays, int32, shape (n,): the dictionary index of every row, -1 for null.
    tables: k arrays, int64: entry 0 is the offset of null, entry 1 + d that of dictionary entry d, both with the
        stride of the axis already multiplied in.
    out: int64, one entry a cell, C-contiguous.

    Raises ValueError when an index has no entry in its table or a cell lies outside `out`; TypeError for arrays of
    another type.

    >>> import numpy as np
    >>> sex = np.array([0, 1, 0, -1], dtype=np.int32)      # dictionary: male, female
    >>> found = np.array([1, 1, 0, 1], dtype=np.int32)     # dictionary: no, yes
    >>> out = np.zeros(9, dtype=np.int64)                  # 3 by 3 cells, unknown first on both axes
    >>> count_cells([sex, found], [np.array([0, 3, 6]), np.array([0, 1, 2])], out)
    >>> out.reshape(3, 3)
    array([[0, 0, 1],
           [0, 1, 1],
           [0, 0, 1]])
    """
    columns, tables = _checked(columns, tables, out)
    if _kernel_is_worth_it(columns[0].size):
        _count_compiled(columns, tables, out, workers=_workers(columns[0].size, out.size))
    else:
        _count_numpy(columns, tables, out)


def _checked(
    columns: Sequence[np.ndarray], tables: Sequence[np.ndarray], out: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    if not columns or len(columns) != len(tables) or len({column.shape for column in columns}) != 1:
        shapes = [column.shape for column in columns]
        raise ValueError(f"columns of shapes {shapes} and {len(tables)} tables; want one table a column, equal lengths")
    if any(column.dtype != np.int32 or column.ndim != 1 for column in columns):
        raise TypeError(f"columns are {[str(column.dtype) for column in columns]}; want one-dimensional int32")
    if out.dtype != np.int64 or out.ndim != 1 or not out.flags.c_contiguous:
        raise TypeError(f"out is {out.dtype} of shape {out.shape}; want one-dimensional contiguous int64")
    return [np.ascontiguousarray(column) for column in columns], [np.ascontiguousarray(t, np.int64) for t in tables]


def _kernel_is_worth_it(rows: int) -> bool:
    """Numpy until it has cost as much as loading the kernel would have: never more than twice the best choice."""
    global _counted_by_numpy
    if rows >= FEWEST_ROWS and _counted_by_numpy + rows >= ROWS_BEFORE_LOADING:
        return True
    _counted_by_numpy += rows
    return False


def _workers(rows: int, cells: int) -> int:
    """Threads that pay: each has its own accumulator to fill with zeros and to merge."""
    return max(1, min(cores(), rows // max(ROWS_A_THREAD, cells)))


def _count_compiled(
    columns: Sequence[np.ndarray], tables: Sequence[np.ndarray], out: np.ndarray, *, workers: int
) -> None:
    sizes = np.array([table.size for table in tables], dtype=np.int64)
    bounds = [columns[0].size * worker // workers for worker in range(workers + 1)]
    counts = out[None] if workers == 1 else np.zeros((workers, out.size), dtype=np.int64)

    def count(worker: int) -> int:
        return _count(columns, tables, sizes, bounds[worker], bounds[worker + 1], counts[worker])

    if workers == 1:
        lost = count(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            lost = sum(pool.map(count, range(workers)))
        out += counts.sum(axis=0)
    if lost:
        _count_numpy(columns, tables, out)  # raises, and says which


@kernel("int64(int32[::1]*, int64[::1]*, int64[::1], int64, int64, int64[::1])")
def _count(columns, tables, sizes, start, stop, out):
    """Count rows `start` to `stop`; returns how many have no entry in a table or no cell, and were not counted."""
    lost = 0
    for i in range(start, stop):
        cell = 0
        for j in range(sizes.size):
            entry = np.int64(columns[j][i]) + 1
            if entry < 0 or entry >= sizes[j]:
                cell = -1
                break
            cell += tables[j][entry]
        if 0 <= cell < out.size:
            out[cell] += 1
        else:
            lost += 1
    return lost


def _count_numpy(columns: Sequence[np.ndarray], tables: Sequence[np.ndarray], out: np.ndarray) -> None:
    for column, table in zip(columns, tables, strict=True):
        if column.size and (column.min() < -1 or column.max() >= table.size - 1):
            found = f"indices from {column.min()} to {column.max()}"
            raise ValueError(f"{found} for a table of {table.size} entries; want -1 to {table.size - 2}")
    cell = sum(table[column + 1] for column, table in zip(columns, tables))
    if cell.size and (cell.min() < 0 or cell.max() >= out.size):
        raise ValueError(f"rows lie in cells {cell.min()} to {cell.max()}; there are {out.size} cells, from 0")
    out += np.bincount(cell, minlength=out.size)
