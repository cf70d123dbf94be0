"""Counting records into the cells of a cube."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def count_cells(columns: Sequence[np.ndarray], tables: Sequence[np.ndarray], out: np.ndarray) -> None:
    """Count every row into its cell: `out[cell] += 1`.

    No rows, or one column, or eight, all work. A null has its own entry in every table, so no row is ever left out.
    Rows are whole numbers in int64: no cell overflows below 2^63. `out` keeps what it held (counts are added to it),
    and is left as it was when an error is raised. Threads and chunks cannot change the answer, since whole numbers
    add up alike in any order.

    Formula: the cell of row i is the sum over columns j of `tables[j][columns[j][i] + 1]`.

    columns: k arrays, int32, shape (n,): the dictionary index of every row, -1 for null.
    tables: k arrays, int64: entry 0 is the offset of null, entry 1 + d that of dictionary entry d, both with the
        stride of the axis already multiplied in.
    out: int64, one entry a cell, C-contiguous.

    Raises ValueError when an index has no entry in its table or a cell lies outside `out`.

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
    out += _numpy_count(columns, tables, out.size)


def _numpy_count(columns: Sequence[np.ndarray], tables: Sequence[np.ndarray], cells: int) -> np.ndarray:
    for column, table in zip(columns, tables, strict=True):
        if column.size and not (-1 <= column.min() and column.max() < table.size - 1):
            raise ValueError(f"indices {column.min()} to {column.max()} for a table of {table.size} entries (null first)")
    cell = sum(table[column + 1] for column, table in zip(columns, tables))
    counts = np.bincount(np.asarray(cell, dtype=np.int64), minlength=cells)
    if counts.size > cells:
        raise ValueError(f"a row lies in cell {counts.size - 1}, but there are {cells} cells")
    return counts
