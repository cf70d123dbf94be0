"""Several tallies in one pass over the label codes of mapped parts.

For a block of rows at a time, the codes of several columns are packed into one number by mixed radix, which vector
instructions do at the speed of reading; then each tally looks up one entry a row, which says the cell, and adds one
to it. So every byte comes from memory once, and what is left costs one look-up and one increment a row and tally.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from disprop.kernels._jit import cores, inner, kernel

BLOCK = 4096
"""Rows packed at a time: the packed numbers of several groups stay in the nearest cache."""
LARGEST_GROUP = 1 << 15
"""Most packed numbers of a group: a table of them stays in the second cache, and uint16 holds them."""
LEFT_OUT = -(1 << 28)
"""Table entry of a row that a rule leaves out; larger than any cell, and a few of them still fit in int32."""
MOST_NEAR = 1 << 13
"""Most cells a slice that are counted near, in the first cache, and carried to their place once a part."""
FOURFOLD = 1 << 9
"""Up to so many cells are counted in four copies, since rows that follow each other often meet in one cell, and each
increment would wait for the one before."""

# Measured on 2 cores (EPYC, 6 columns): numpy takes about 30 ns a row, the kernel 1 to 2 ns a row; loading it takes
# 0.05 s once a process, which numpy needs for about 1.5 million rows.
ROWS_BEFORE_LOADING = 1_500_000
ROWS_A_THREAD = 200_000


@dataclass(frozen=True)
class Scan:
    """What to count, as arrays only. There are P parts, C columns in G groups, T tallies.

    parts: int64 (P, 3): position of the file, rows, slice (force by month) that the part's rows go to; slice -1 where
        the rows differ in their month.
    columns: int64 (P, C + 1, 2): offset in the file and width (0: absent, all blank) of each column; the last is the
        analysis month, needed where the slice is -1.
    slices: int64 (P, M): for those parts, slice of each month counted from `first_month`, or -1 outside the period.
        Others share row 0, so it is (1, 0) where no part needs it. `slice_row` says which row a part has.
    group_start: int64 (G + 2): the columns of group g are group_start[g] to group_start[g + 1]; the last is the month.
    sizes: int64 (C + 1): number of codes of each column; a larger code is damage. For months, from `first_month`.
    tables: T x G arrays, int32, in order: entry of each packed number; None where a tally needs no column of a group.
    cells: int64 (T): cells a slice.
    """

    files: Sequence[np.ndarray]
    parts: np.ndarray
    columns: np.ndarray
    slices: np.ndarray
    slice_row: np.ndarray
    first_month: int
    group_start: np.ndarray
    sizes: np.ndarray
    tables: Sequence[Sequence[np.ndarray | None]]
    cells: np.ndarray
    n_slices: int


@dataclass(frozen=True)
class Counted:
    """For each tally its counts (slices x cells), and how many rows lay outside the period or were left out by rule."""

    counts: list[np.ndarray]
    outside: int
    left_out: int
    damaged: int
    kernel: str
    threads: int


def workers(rows: int, chunks: int) -> int:
    """Threads that pay for so many rows in so many independent chunks of parts."""
    return max(1, min(cores(), rows // ROWS_A_THREAD, chunks))


def cut(rows: np.ndarray, breaks: np.ndarray, threads: int) -> np.ndarray:
    """Where to divide parts among threads: at breaks, as near to equal rows as those allow; `threads` + 1 positions.

    breaks: for each part, whether no part before it fills a slice that it, or one after it, fills.
    """
    before = np.concatenate([[0], np.cumsum(rows)])
    allowed = np.append(np.flatnonzero(breaks), len(rows))
    wanted = before[-1] * np.arange(1, threads) / threads
    inside = allowed[np.abs(before[allowed][:, None] - wanted).argmin(axis=0)]
    return np.concatenate([[0], np.sort(inside), [len(rows)]]).astype(np.int64)


def scan_parts(scan: Scan, cuts: np.ndarray) -> Counted:
    """Count every row of every part; thread i takes the parts from cuts[i] to cuts[i + 1].

    No two threads may meet in a slice (see `cut`), so that they share one array of counts and nothing is merged:
    the counts are the same for any number of threads. Counts are int64.
    """
    threads = len(cuts) - 1
    counts = [np.zeros((scan.n_slices, int(cells)), dtype=np.int64) for cells in scan.cells]
    left = np.zeros((threads, 2), dtype=np.int64)
    used = [(t, g) for t, row in enumerate(scan.tables) for g, table in enumerate(row) if table is not None]
    tables = [table for row in scan.tables for table in row if table is not None]
    use_start = np.searchsorted([t for t, _ in used], np.arange(len(scan.tables) + 1)).astype(np.int64)
    use_group = np.array([g for _, g in used], dtype=np.int64)

    def count(thread: int) -> int:
        packed = [np.empty(BLOCK, dtype=np.uint16) for _ in range(len(scan.group_start))]
        near = [np.zeros(4 * (1 + min(int(cells), MOST_NEAR)), dtype=np.int64) for cells in scan.cells]
        outs = [one.reshape(-1) for one in counts]
        return int(
            _count(
                scan.files, scan.parts, scan.columns, scan.slices, scan.slice_row, scan.first_month, scan.group_start,
                scan.sizes, tables, use_start, use_group, scan.cells, packed, near, outs, left[thread],
                int(cuts[thread]), int(cuts[thread + 1]),
            )
        )  # fmt: skip

    if threads == 1:
        damaged = count(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            damaged = sum(pool.map(count, range(threads)))
    return Counted(counts, int(left[:, 1].sum()), int(left[:, 0].sum()), damaged, "compiled", threads)


@inner
def _pack(file, column, size, n, at, packed):  # type: ignore[no-untyped-def]
    """packed = packed x size + code, for n rows from `at`; returns 1 if a code is damaged, that is not below size."""
    offset, width = column[0], column[1]
    if width == 0:
        for i in range(n):
            packed[i] = packed[i] * size
        return 0
    if width == 1:
        start, narrow = offset + at, np.uint8(0)
        for i in range(n):
            code = file[start + i]
            packed[i] = packed[i] * size + np.int64(code)
            narrow = max(narrow, code)
        return np.int64(np.int64(narrow) >= size)
    start, wide = offset + 2 * at, np.uint16(0)
    for i in range(n):
        both = np.uint16(np.int64(file[start + 2 * i]) + 256 * np.int64(file[start + 2 * i + 1]))
        packed[i] = packed[i] * size + np.int64(both)
        wide = max(wide, both)
    return np.int64(np.int64(wide) >= size)


@kernel(
    "int64(uint8[::1]*, int64[:,::1], int64[:,:,::1], int64[:,::1], int64[::1], int64, int64[::1], int64[::1],"
    " int32[::1]*, int64[::1], int64[::1], int64[::1], uint16[::1]*, int64[::1]*, int64[::1]*, int64[::1],"
    " int64, int64)"
)
def _count(  # type: ignore[no-untyped-def]
    files, parts, columns, slices, slice_row, first_month, group_start, sizes,
    tables, use_start, use_group, cells, out_packed, out_near, out_counts, out_left, start, stop,
):  # fmt: skip
    """Count the parts from start to stop; returns how many columns of a block are damaged: such blocks do not count."""
    damaged = 0
    for p in range(start, stop):
        file, rows, which = files[parts[p, 0]], parts[p, 1], parts[p, 2]
        groups = group_start.size - (2 if which >= 0 else 1)  # the last is the month
        for at in range(0, rows, 4096):
            n = min(4096, rows - at)
            bad = 0
            for g in range(groups):
                packed = out_packed[g]
                for i in range(n):
                    packed[i] = 0
                for c in range(group_start[g], group_start[g + 1]):
                    bad += _pack(file, columns[p, c], sizes[c], n, at, packed)
            damaged += bad
            if bad > 0:
                continue
            for t in range(cells.size):
                first, last = use_start[t], use_start[t + 1]
                if which >= 0 and cells[t] <= 8192 and last - first == 1:
                    _near(n, tables[first], out_packed[use_group[first]], cells[t], out_near[t])
                else:
                    month = out_packed[group_start.size - 2]
                    _far(which, slices[slice_row[p]], first_month, month, n, tables, first, last, use_group, cells[t],
                         out_packed, out_counts[t], out_left, t)  # fmt: skip
        if which >= 0:
            for t in range(cells.size):
                if cells[t] <= 8192 and use_start[t + 1] - use_start[t] == 1:
                    _carry(out_near[t], out_counts[t], which * cells[t], cells[t], out_left, t)
    return damaged


@inner
def _near(n, table, code, cells, near):  # type: ignore[no-untyped-def]
    """Count rows of one slice into its own few cells, in four copies where they are very few.

    Those left out go to the first cell.
    """
    whole = n // 4 * 4 if cells <= 512 else 0
    copy = cells + 1
    for i in range(0, whole, 4):
        near[max(np.int64(table[np.int64(code[i])]), -1) + 1] += 1
        near[max(np.int64(table[np.int64(code[i + 1])]), -1) + 1 + copy] += 1
        near[max(np.int64(table[np.int64(code[i + 2])]), -1) + 1 + 2 * copy] += 1
        near[max(np.int64(table[np.int64(code[i + 3])]), -1) + 1 + 3 * copy] += 1
    for i in range(whole, n):
        near[max(np.int64(table[np.int64(code[i])]), -1) + 1] += 1


@inner
def _carry(near, out, base, cells, left, t):  # type: ignore[no-untyped-def]
    """Add the counts of one slice to the others, and empty them."""
    for copy in range(4 if cells <= 512 else 1):
        start = copy * (cells + 1)
        if t == 0:
            left[0] += near[start]
        near[start] = 0
        for i in range(cells):
            out[base + i] += near[start + 1 + i]
            near[start + 1 + i] = 0


@inner
def _far(  # type: ignore[no-untyped-def]
    which, own, first_month, month, n, tables, first, stop, use_group, cells, packed, out, left, t
):
    """Count rows straight into their place: of several months, of many cells, or of several packed numbers."""
    for i in range(n):
        entry = 0
        for u in range(first, stop):
            entry += np.int64(tables[u][np.int64(packed[use_group[u]][i])])
        here = which
        if which < 0:
            at = np.int64(month[i]) - first_month
            here = own[at] if at >= 0 else -1
        if here >= 0 and entry >= 0:
            out[here * cells + entry] += 1
        elif t == 0:
            left[np.int64(here < 0)] += 1


def scan_numpy(scan: Scan) -> Counted:
    """The same counts by numpy, part after part: for few rows, without loading a kernel."""
    counts = [np.zeros((scan.n_slices, int(cells)), dtype=np.int64) for cells in scan.cells]
    outside = left_out = damaged = 0
    for p, (at, rows, which) in enumerate(scan.parts.tolist()):
        packed, bad = _packed_numpy(scan, p, scan.files[at], rows)
        damaged += bad
        if bad:
            continue
        slices = np.full(rows, which) if which >= 0 else _slices_numpy(scan, p, scan.files[at], rows)
        within = slices >= 0
        outside += int(rows - within.sum())
        for t, (tables, out) in enumerate(zip(scan.tables, counts)):
            entry = np.zeros(rows, dtype=np.int64)
            for table, code in zip(tables, packed):
                entry += 0 if table is None else table[code]
            kept = within & (entry >= 0)
            left_out += int(within.sum() - kept.sum()) if t == 0 else 0
            cells = slices[kept] * out.shape[1] + entry[kept]
            first = int(slices[kept].min(initial=scan.n_slices))
            if kept.any():
                last = int(slices[kept].max()) + 1
                found = np.bincount(cells - first * out.shape[1], minlength=(last - first) * out.shape[1])
                out[first:last] += found.reshape(last - first, -1)
    return Counted(counts, outside, left_out, damaged, "numpy", 1)


def _column_numpy(file: np.ndarray, place: np.ndarray, rows: int) -> np.ndarray:
    offset, width = place.tolist()
    if width == 0:
        return np.zeros(rows, dtype=np.int64)
    return file[offset : offset + rows * width].view(f"<u{width}").astype(np.int64)


def _packed_numpy(scan: Scan, p: int, file: np.ndarray, rows: int) -> tuple[list[np.ndarray], int]:
    """The packed number of every row in each group, and how many codes are damaged."""
    packed, bad = [], 0
    for first, last in zip(scan.group_start[:-1], scan.group_start[1:-1]):
        number = np.zeros(rows, dtype=np.int64)
        for c in range(first, last):
            codes = _column_numpy(file, scan.columns[p, c], rows)
            bad += int((codes >= scan.sizes[c]).sum())
            number = number * scan.sizes[c] + codes
        packed.append(number)
    return packed, bad


def _slices_numpy(scan: Scan, p: int, file: np.ndarray, rows: int) -> np.ndarray:
    months = _column_numpy(file, scan.columns[p, -1], rows) - scan.first_month
    return scan.slices[scan.slice_row[p]][months]
