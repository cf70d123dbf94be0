"""Counting rows whose cells are far more than the rows: keys are sorted and runs of equal ones counted.

A key is the number of a cell. Nothing is kept for a cell that no row falls into, so that memory goes by distinct cells
and never by the size of the cube. The keys of a part of the record store are sorted digit by digit over those bits in
which they differ, which takes two passes; the parts follow each other. Keys in no order go to `blocks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from disprop.kernels._jit import inner, kernel

LEFT_OUT = -(1 << 59)
"""Table entry of a row that is not counted; larger than any cell, and fifteen of them still fit in int64."""
BLOCK = 4096
DIGIT = 10
"""Bits sorted a pass: the places of 1,024 digits stay in the nearest cache."""
CHUNK = 1 << 20
"""Keys sorted at a time, and most rows of several parts that are counted in one call."""
FEWEST_KEYS = 200_000
"""Below so many keys in a call numpy sorts (about 60 ns a key), which costs less than loading a kernel."""

Counted = tuple[np.ndarray, np.ndarray]
"""Cells in order, each once, and their counts: two int64 arrays of one length."""


def merge(one: Counted, other: Counted) -> Counted:
    """Two counts as one: every cell of either once, in order.

    >>> merge((np.array([2, 7]), np.array([1, 2])), (np.array([7, 9]), np.array([5, 1])))
    (array([2, 7, 9]), array([1, 7, 1]))
    """
    if not one[0].size or not other[0].size:
        return one if other[0].size == 0 else other
    if one[0][-1] < other[0][0]:
        return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    size = one[0].size + other[0].size
    if size < FEWEST_KEYS:
        cells, at = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
        n = np.zeros(cells.size, dtype=np.int64)
        np.add.at(n, at, np.concatenate([one[1], other[1]]))
        return cells, n
    cells, n = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    found = int(_merge(*one, *other, cells, n))
    return cells[:found].copy(), n[:found].copy()


def merge_all(several: Sequence[Counted]) -> Counted:
    """Any number of counts as one; those that follow each other without overlap are only put together."""
    held = sorted((one for one in several if one[0].size), key=lambda one: int(one[0][0]))
    if not held:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if all(a[0][-1] < b[0][0] for a, b in zip(held, held[1:])):
        return (
            held[0] if len(held) == 1 else (np.concatenate([a for a, _ in held]), np.concatenate([n for _, n in held]))
        )
    while len(held) > 1:
        odd = held[len(held) // 2 * 2 :]
        held = [merge(a, b) for a, b in zip(held[::2], held[1::2])] + odd
    return held[0]


@dataclass(frozen=True)
class KeyScan:
    """Parts of which every row gives a key, as arrays only: P parts, C columns.

    parts: int64 (P, 3): position of the file, rows, first key of the part's slice; -1 where rows differ in their month.
    columns: int64 (P, C + 1, 2): offset in the file and width of each column; the last is the analysis month.
    slices: int64 (P, M): for parts of several months, first key of each month counted from `first_month`, or LEFT_OUT.
    `slice_row` says which row of it a part has.
    tables: C arrays, int64: what each code adds to the key, or LEFT_OUT. A larger code is damage.
    """

    files: Sequence[np.ndarray]
    parts: np.ndarray
    columns: np.ndarray
    slices: np.ndarray
    slice_row: np.ndarray
    first_month: int
    tables: Sequence[np.ndarray]


def scan_keys(scan: KeyScan, cuts: np.ndarray) -> tuple[Counted, int, int, int]:
    """Counts of every key; rows left out, rows outside the period, damaged codes. Thread i takes cuts[i] to cuts[i+1].

    The same for any number of threads and any order of parts, since cells come out in order, each once.
    """
    with ThreadPoolExecutor(len(cuts) - 1) as pool:
        done = list(pool.map(lambda i: _scan_run(scan, int(cuts[i]), int(cuts[i + 1])), range(len(cuts) - 1)))
    left = np.sum([left for _, left in done], axis=0)
    return merge_all([run for runs, _ in done for run in runs]), int(left[0]), int(left[1]), int(left[2])


def scan_keys_numpy(scan: KeyScan) -> tuple[Counted, int, int, int]:
    """The same by numpy, all parts at once: for few rows, without loading a kernel."""
    keys = np.repeat(scan.parts[:, 2], scan.parts[:, 1])
    mixed = keys < 0
    if mixed.any():
        month = _column_numpy(scan, len(scan.tables))[mixed] - scan.first_month
        row = np.repeat(scan.slice_row, scan.parts[:, 1])[mixed]
        keys[mixed] = scan.slices[row, month]
    outside, damaged = keys < 0, 0
    for c, table in enumerate(scan.tables):
        codes = _column_numpy(scan, c)
        damaged += int((codes >= table.size).sum())
        keys += table[np.minimum(codes, table.size - 1)]
    left_out = int((keys < 0).sum() - outside.sum())
    cells, n = np.unique(keys[keys >= 0], return_counts=True)
    return (cells, n.astype(np.int64, copy=False)), left_out, int(outside.sum()), damaged


def _column_numpy(scan: KeyScan, c: int) -> np.ndarray:
    """The codes of a column, of all parts one after another."""
    pieces = [np.zeros(0, dtype=np.int64)]
    for (at, rows, _), (offset, width) in zip(scan.parts.tolist(), scan.columns[:, c].tolist()):
        codes = scan.files[at][offset : offset + rows * width]
        pieces.append(codes.view(f"<u{width}") if width else np.zeros(rows, np.uint8))
    return np.concatenate(pieces)


def _scan_run(scan: KeyScan, start: int, stop: int) -> tuple[list[Counted], np.ndarray]:
    """One thread's parts, several at a time; each call sorts within each part."""
    runs, left = [], np.zeros(3, dtype=np.int64)
    rows = scan.parts[:, 1]
    longest = int(rows[start:stop].max(initial=0))
    spare, digits = np.empty(longest, dtype=np.int64), np.zeros(1 << DIGIT, dtype=np.int64)
    keys = np.empty(longest, dtype=np.int64)
    before = np.cumsum(rows[start:stop]) - rows[start:stop]
    first = start
    while start < stop:
        many = max(1, int(np.searchsorted(before, before[start - first] + CHUNK)) - (start - first))
        room = int(rows[start : start + many].sum())
        cells, n = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)  # what stays empty takes no memory
        found = int(
            _part_keys(
                scan.files, scan.parts, scan.columns, scan.slices, scan.slice_row, scan.first_month, scan.tables,
                _sizes(scan.tables), start, start + many, keys, spare, digits, cells, n, left,
            )
        )  # fmt: skip
        runs += _ascending(cells[:found], n[:found])
        start += many
    return runs, left


def _sizes(tables: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([table.size for table in tables], dtype=np.int64)


def _ascending(cells: np.ndarray, n: np.ndarray) -> list[Counted]:
    """What several parts gave, cut where one part's cells do not follow those before."""
    breaks = np.flatnonzero(cells[1:] <= cells[:-1]) + 1
    return list(zip(np.split(cells, breaks), np.split(n, breaks)))


# Compiled ------------------------------------------------------------------------------------------------------------


@inner
def sort(keys, spare, digits, n, above):
    """Sort the first n keys, digit by digit over the bits in which they differ, those from bit `above` on alone."""
    differ = 0
    for i in range(n):
        differ |= keys[i] ^ keys[0]
    there = 0
    shift = above
    while shift < 63 and (differ >> shift) != 0:
        if (differ >> shift) & 1 == 0:
            shift += 1
            continue
        digits[:] = 0
        source, target = (spare, keys) if there else (keys, spare)
        for i in range(n):
            digits[(source[i] >> shift) & 1023] += 1
        before = 0
        for d in range(1024):
            here = digits[d]
            digits[d] = before
            before += here
        for i in range(n):
            d = (source[i] >> shift) & 1023
            target[digits[d]] = source[i]
            digits[d] += 1
        there = 1 - there
        shift += 10
    if there:
        for i in range(n):
            keys[i] = spare[i]


@inner
def _runs(keys, n, cells, counts, at):
    """Write each distinct key of n sorted ones, and how often it occurs, from position `at`; returns where they end."""
    i = 0
    while i < n:
        first = i
        key = keys[i]
        while i < n and keys[i] == key:
            i += 1
        cells[at] = key
        counts[at] = i - first
        at += 1
    return at


@kernel("int64(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def _merge(cells, counts, more_cells, more_counts, out_cells, out_n):
    i = j = at = 0
    while i < cells.size or j < more_cells.size:
        if j == more_cells.size or (i < cells.size and cells[i] < more_cells[j]):
            out_cells[at] = cells[i]
            out_n[at] = counts[i]
            i += 1
        elif i == cells.size or more_cells[j] < cells[i]:
            out_cells[at] = more_cells[j]
            out_n[at] = more_counts[j]
            j += 1
        else:
            out_cells[at] = cells[i]
            out_n[at] = counts[i] + more_counts[j]
            i += 1
            j += 1
        at += 1
    return at


@kernel(
    "int64(uint8[::1]*, int64[:,::1], int64[:,:,::1], int64[:,::1], int64[::1], int64, int64[::1]*, int64[::1],"
    " int64, int64, int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])"
)
def _part_keys(
    files, parts, columns, slices, slice_row, first_month, tables, sizes, start, stop,
    out_keys, out_spare, out_digits, out_cells, out_n, out_left,
):  # fmt: skip
    """Count the keys of parts start to stop, part by part; `out_left`: rows left out, outside the period, damaged."""
    found = 0
    for p in range(start, stop):
        file, rows, base = files[parts[p, 0]], parts[p, 1], parts[p, 2]
        kept = 0
        for at in range(0, rows, 4096):
            n = min(4096, rows - at)
            keys = out_keys[kept : kept + n]
            outside = 0
            if base < 0:
                month = columns[p, sizes.size, 0] + 2 * at
                outside = _by_month(file, month, slices[slice_row[p]], first_month, n, keys)
            else:
                for i in range(n):
                    keys[i] = base
            bad = 0
            for c in range(sizes.size):
                width = columns[p, c, 1]
                bad += _add(file, columns[p, c, 0] + at * width, width, tables[c], sizes[c], n, keys)
            negative = 0
            end = kept
            for i in range(n):
                key = keys[i]
                negative += key < 0
                out_keys[end] = key
                end += key >= 0
            out_left[0] += negative - outside
            out_left[1] += outside
            out_left[2] += bad
            kept = end
        sort(out_keys, out_spare, out_digits, kept, 0)
        found = _runs(out_keys, kept, out_cells, out_n, found)
    return found


@inner
def _by_month(file, start, own, first_month, n, keys):
    """The first key of each row by its month; returns how many rows are of none that is counted."""
    outside = 0
    for i in range(n):
        month = np.int64(file[start + 2 * i]) + 256 * np.int64(file[start + 2 * i + 1]) - first_month
        keys[i] = own[month] if 0 <= month < own.size else LEFT_OUT
        outside += keys[i] < 0
    return outside


@inner
def _add(file, start, width, table, size, n, keys):
    """Add what the codes of a column stand for to n keys; returns how many codes are damaged."""
    bad = 0
    high = np.int64(width == 2)  # the second byte counts, where there is one
    for i in range(n):
        at = start + i * width
        code = np.int64(file[at]) + 256 * high * np.int64(file[at + high]) if width > 0 else 0
        damaged = code >= size
        bad += damaged
        keys[i] += table[0 if damaged else code]
    return bad
