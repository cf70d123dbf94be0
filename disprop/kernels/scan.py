"""Several tallies in one pass over the label codes of mapped parts.

For a block of rows at a time, the codes of several columns are packed into one number by mixed radix, which vector
instructions do at the speed of reading; then each tally looks up one entry a row, which says the cell, and adds one
to it. So every byte comes from memory once, and what is left costs one look-up and one increment a row and tally.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

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
FAR, NEAR, WITH_NEXT, WITH_LAST = range(4)
"""Ways to count a tally: straight into its place; near; near with the next by one look-up, or with the last. Only codes
that stand as one number are looked up for two; packed ones are counted a tally at a time."""
MOST_ROWS = (1 << 31) - 1
"""Most rows counted into one array, which int32 holds: counts then take half the memory to clear and to fill."""
CARRY = 15
"""Near counts are carried after so many blocks at the latest: 61,440 rows, which uint16 holds."""

# Measured on 2 cores (EPYC, 541 parts, 4 tallies): numpy takes about 100 ns a row, the kernel 1 to 3 ns a row; loading
# it takes 0.05 s once a process, which numpy needs for about 600,000 rows.
ROWS_BEFORE_LOADING = 600_000
ROWS_A_THREAD = 200_000

_rows_by_numpy = 0  # so far in this process; only speed depends on it


def kernel_pays(rows: int) -> bool:
    """Whether to count so many rows by the kernel: numpy does until it has cost as much as loading the kernel would."""
    return rows + _rows_by_numpy >= ROWS_BEFORE_LOADING


def spent_by_numpy(rows: int) -> None:
    """So many rows more were counted by numpy."""
    global _rows_by_numpy
    _rows_by_numpy += rows


@dataclass(frozen=True)
class Scan:
    """What to count, as arrays only. There are P parts, C columns in G groups, T tallies.

    parts: int64 (P, 3): position of the file, rows, slice (force by month) that the part's rows go to; slice -1 where
        the rows differ in their month.
    columns: int64 (P, C + 1, 2): offset in the file and width (0: absent, all blank) of each column; codes of two bytes
        begin at even places. The last is the analysis month, needed where the slice is -1.
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
    the counts are the same for any number of threads. Counts are int32, or int64 where there are too many rows for it.
    """
    if int(scan.parts[:, 1].sum()) > MOST_ROWS:
        return _scan_in_two(scan)
    threads = len(cuts) - 1
    counts = [np.zeros((scan.n_slices, int(cells)), dtype=np.int32) for cells in scan.cells]
    left = np.zeros((threads, 2), dtype=np.int64)
    used = [(t, g) for t, row in enumerate(scan.tables) for g, table in enumerate(row) if table is not None]
    tables = [table for row in scan.tables for table in row if table is not None]
    use_start = np.searchsorted([t for t, _ in used], np.arange(len(scan.tables) + 1)).astype(np.int64)
    use_group = np.array([g for _, g in used], dtype=np.int64)

    ways = _ways(scan, use_start, use_group)
    near_tables = [_near_table(table) if ways[t] else _NO_TABLE for (t, _), table in zip(used, tables)]
    both = [_both(near_tables, use_start[t]) if way == WITH_NEXT else _NEITHER for t, way in enumerate(ways)]
    words = [file[: file.size // 2 * 2].view(np.uint16) for file in scan.files]
    as_they_stand = _stand_as_one(scan, ways)

    def count(thread: int) -> int:
        start, stop = int(cuts[thread]), int(cuts[thread + 1])
        packed = [np.empty(BLOCK, dtype=np.uint16) for _ in range(len(scan.group_start))]
        near = [np.zeros(4 * (1 + min(int(cells), MOST_NEAR)), dtype=np.uint16) for cells in scan.cells]
        outs = [one.reshape(-1) for one in counts]
        if as_they_stand:
            found = _count_standing(
                words, scan.parts, scan.columns, scan.sizes, near_tables, both, scan.cells, ways, near, outs,
                left[thread], start, stop,
            )  # fmt: skip
        else:
            found = _count(
                scan.files, words, scan.parts, scan.columns, scan.slices, scan.slice_row, scan.first_month,
                scan.group_start, scan.sizes, near_tables, tables, use_start, use_group, scan.cells, ways, packed,
                near, outs, left[thread], start, stop,
            )  # fmt: skip
        return int(found)

    if threads == 1:
        damaged = count(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            damaged = sum(pool.map(count, range(threads)))
    return Counted(counts, int(left[:, 1].sum()), int(left[:, 0].sum()), damaged, "compiled", threads)


def _scan_in_two(scan: Scan) -> Counted:
    """The counts of more rows than int32 holds: of each half of the parts, added up."""
    middle = len(scan.parts) // 2
    if middle == 0:
        raise ValueError(f"a part has {int(scan.parts[0, 1]):,} rows; {MOST_ROWS:,} are the most that one may have")
    one, other = (_scan_some(scan, half) for half in (slice(None, middle), slice(middle, None)))
    counts = [np.add(a, b, dtype=np.int64) for a, b in zip(one.counts, other.counts)]
    outside, left_out = one.outside + other.outside, one.left_out + other.left_out
    return Counted(counts, outside, left_out, one.damaged + other.damaged, one.kernel, 1)


def _scan_some(scan: Scan, some: slice) -> Counted:
    parts = scan.parts[some]
    fewer = replace(scan, parts=parts, columns=scan.columns[some], slice_row=scan.slice_row[some])
    return scan_parts(fewer, np.array([0, len(parts)]))


_NO_TABLE, _NEITHER = np.zeros(1, dtype=np.uint16), np.zeros(1, dtype=np.uint32)


def _ways(scan: Scan, use_start: np.ndarray, use_group: np.ndarray) -> np.ndarray:
    """How each tally is counted. Near: those of few cells that need one packed number. By one look-up: neighbours of
    the same number, unless they are so small that copies serve them better."""
    ways = np.where((scan.cells <= MOST_NEAR) & (np.diff(use_start) == 1), NEAR, FAR).astype(np.int64)
    for t in range(len(ways) - 1):
        one, other = use_start[t], use_start[t + 1]
        alike = ways[t] == ways[t + 1] == NEAR and use_group[one] == use_group[other]
        if alike and min(scan.cells[t], scan.cells[t + 1]) > FOURFOLD:
            ways[t : t + 2] = WITH_NEXT, WITH_LAST
    return ways


def _both(near_tables: Sequence[np.ndarray], first: int) -> np.ndarray:
    """The tables of two near tallies as one, of 32 bits."""
    return near_tables[first] | near_tables[first + 1].astype(np.uint32) << np.uint32(16)


def _stand_as_one(scan: Scan, ways: np.ndarray) -> bool:
    """Whether one column of two bytes is all that is counted by, every row near: then it is read where it stands."""
    alone = len(scan.group_start) == 3 and scan.group_start[1] == 1
    near = bool((ways != FAR).all() and (scan.parts[:, 2] >= 0).all())
    return bool(alone and near and (scan.columns[:, 0, 1] == 2).all())


def _near_table(table: np.ndarray) -> np.ndarray:
    """The table of a near tally: 0 for rows left out, else the cell and 1; half as wide, so that it stays near too."""
    return np.maximum(table + 1, 0).astype(np.uint16)


@inner
def _pack(file, words, column, size, n, at, packed):
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
    start = offset // 2 + at
    for i in range(n):
        packed[i] = packed[i] * size + np.int64(words[start + i])
    return _damaged(words, start, n, size)


@inner
def _damaged(code, base, n, size):
    """1 if any of n codes is not below size."""
    largest = np.uint16(0)
    for i in range(base, base + n):
        largest = max(largest, code[i])
    return np.int64(np.int64(largest) >= size)


@kernel(
    "int64(uint8[::1]*, uint16[::1]*, int64[:,::1], int64[:,:,::1], int64[:,::1], int64[::1], int64, int64[::1],"
    " int64[::1], uint16[::1]*, int32[::1]*, int64[::1], int64[::1], int64[::1], int64[::1], uint16[::1]*,"
    " uint16[::1]*, int32[::1]*, int64[::1], int64, int64)"
)
def _count(
    files, words, parts, columns, slices, slice_row, first_month, group_start, sizes,
    near_tables, tables, use_start, use_group, cells, ways, out_packed, out_near, out_counts, out_left, start, stop,
):  # fmt: skip
    """Count the parts from start to stop; returns how many columns of a block are damaged: such blocks are left."""
    damaged = 0
    for p in range(start, stop):
        file, word, rows, which = files[parts[p, 0]], words[parts[p, 0]], parts[p, 1], parts[p, 2]
        groups = group_start.size - (2 if which >= 0 else 1)  # the last is the month
        for at in range(0, rows, BLOCK):
            n = min(BLOCK, rows - at)
            bad = 0
            for g in range(groups):
                for i in range(n):
                    out_packed[g][i] = 0
                for c in range(group_start[g], group_start[g + 1]):
                    bad += _pack(file, word, columns[p, c], sizes[c], n, at, out_packed[g])
            damaged += bad
            carry = at + BLOCK >= rows or at // BLOCK % CARRY == CARRY - 1
            for t in range(cells.size):
                first, last = use_start[t], use_start[t + 1]
                if bad == 0 and which >= 0 and ways[t] != FAR:
                    _near(n, near_tables[first], out_packed[use_group[first]], 0, cells[t], out_near[t])
                    if carry:
                        _carry(out_near[t], out_counts[t], which * cells[t], cells[t], out_left, t)
                elif bad == 0:
                    month = out_packed[group_start.size - 2]
                    _far(which, slices[slice_row[p]], first_month, month, n, tables, first, last, use_group, cells[t],
                         out_packed, out_counts[t], out_left, t)  # fmt: skip
    return damaged


@kernel(
    "int64(uint16[::1]*, int64[:,::1], int64[:,:,::1], int64[::1], uint16[::1]*, uint32[::1]*, int64[::1],"
    " int64[::1], uint16[::1]*, int32[::1]*, int64[::1], int64, int64)"
)
def _count_standing(
    words, parts, columns, sizes, near_tables, both, cells, ways, out_near, out_counts, out_left, start, stop
):
    """The same where the column of two bytes that all tallies are counted by is there already: nothing is packed."""
    damaged = 0
    for p in range(start, stop):
        code, rows, which = words[parts[p, 0]], parts[p, 1], parts[p, 2]
        for at in range(0, rows, BLOCK):
            n, base = min(BLOCK, rows - at), columns[p, 0, 0] // 2 + at
            bad = _damaged(code, base, n, sizes[0])
            damaged += bad
            carry = at + BLOCK >= rows or at // BLOCK % CARRY == CARRY - 1
            for t in range(cells.size if bad == 0 else 0):
                if ways[t] == NEAR:
                    _near(n, near_tables[t], code, base, cells[t], out_near[t])
                elif ways[t] == WITH_NEXT:
                    _near_two(n, both[t], code, base, out_near[t], out_near[t + 1])
                if carry:
                    _carry(out_near[t], out_counts[t], which * cells[t], cells[t], out_left, t)
    return damaged


@inner
def _near_two(n, table, code, base, near, other):
    """Count rows of one slice into the few cells of two tallies, both entries from one look-up."""
    for i in range(n):
        entry = table[code[base + i]]
        near[np.uint64(entry & np.uint32(0xFFFF))] += np.uint16(1)
        other[np.uint64(entry >> np.uint32(16))] += np.uint16(1)


@inner
def _near(n, table, code, base, cells, near):
    """Count rows of one slice into its own few cells, in four copies where they are very few.

    Those left out go to the first cell.
    """
    whole = n // 4 * 4
    copy = np.uint64(cells + 1 if cells <= FOURFOLD else 0)
    for i in range(base, base + whole, 4):
        near[np.uint64(table[code[i]])] += np.uint16(1)
        near[np.uint64(table[code[i + 1]]) + copy] += np.uint16(1)
        near[np.uint64(table[code[i + 2]]) + copy + copy] += np.uint16(1)
        near[np.uint64(table[code[i + 3]]) + copy + copy + copy] += np.uint16(1)
    for i in range(base + whole, base + n):
        near[np.uint64(table[code[i]])] += np.uint16(1)


@inner
def _carry(near, out, base, cells, left, t):
    """Add the counts of one slice to the others, and empty them."""
    for copy in range(4 if cells <= FOURFOLD else 1):
        start = copy * (cells + 1)
        if t == 0:
            left[0] += np.int64(near[start])
        near[start] = 0
        for i in range(cells):
            out[base + i] += np.int32(near[start + 1 + i])
            near[start + 1 + i] = 0


@inner
def _far(which, own, first_month, month, n, tables, first, stop, use_group, cells, packed, out, left, t):
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
            out[here * cells + entry] += np.int32(1)
        elif t == 0:
            left[np.int64(here < 0)] += 1


def scan_numpy(scan: Scan) -> Counted:
    """The same counts by numpy, all parts at once: for few rows, without loading a kernel. Damaged rows are left."""
    columns = [_column_numpy(scan, c) for c in range(len(scan.sizes))]
    bad = np.zeros(int(scan.parts[:, 1].sum()), dtype=bool)
    for codes, size in zip(columns[:-1], scan.sizes):
        bad |= codes >= size
    slices = _slices_numpy(scan, columns[-1])
    packed = [_packed_numpy(scan, columns, g, bad) for g in range(len(scan.group_start) - 2)]
    within, left_out, counts = (slices >= 0) & ~bad, 0, []
    for t, (tables, cells) in enumerate(zip(scan.tables, scan.cells.tolist())):
        entry = np.zeros(len(bad), dtype=np.int64)
        for table, number in zip(tables, packed):
            entry += 0 if table is None else table[number]
        kept = within & (entry >= 0)
        left_out = int(within.sum() - kept.sum()) if t == 0 else left_out
        found = np.bincount(slices[kept] * cells + entry[kept], minlength=scan.n_slices * cells)
        counts.append(found.astype(np.int64, copy=False).reshape(scan.n_slices, cells))
    return Counted(counts, int(((slices < 0) & ~bad).sum()), left_out, int(bad.sum()), "numpy", 1)


def _column_numpy(scan: Scan, c: int) -> np.ndarray:
    """The codes of a column, of all parts one after another."""
    pieces = [np.zeros(0, dtype=np.int64)]
    for (at, rows, _), (offset, width) in zip(scan.parts.tolist(), scan.columns[:, c].tolist()):
        whole = scan.files[at]
        codes = whole[offset : offset + rows * width]
        pieces.append(codes.view(f"<u{width}") if width else np.zeros(rows, np.uint8))
    return np.concatenate(pieces)


def _slices_numpy(scan: Scan, months: np.ndarray) -> np.ndarray:
    """The slice of each row, or -1 outside the period."""
    slices, row = (np.repeat(values, scan.parts[:, 1]) for values in (scan.parts[:, 2], scan.slice_row))
    mixed = slices < 0
    slices[mixed] = scan.slices[row[mixed], months[mixed] - scan.first_month]
    return slices


def _packed_numpy(scan: Scan, columns: Sequence[np.ndarray], g: int, bad: np.ndarray) -> np.ndarray:
    """The packed number of each row in a group, 0 where a code is damaged."""
    number = np.zeros(len(bad), dtype=np.int64)
    for c in range(scan.group_start[g], scan.group_start[g + 1]):
        number = number * scan.sizes[c] + columns[c]
    return np.where(bad, 0, number)
