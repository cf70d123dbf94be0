"""Counting keys that come in no order: kept in blocks as they come, sorted and counted once, slice by slice.

A key is the number of a cell: its upper bits are its slice (a force and month), its lower `ROOM` bits its place in it.
A block of keys is ordered by their upper halves, so that the lower half alone is kept of each: four bytes, and one for
how often it occurs. At the end the pieces of one slice after another are gathered from all blocks, which the nearest
caches hold, sorted and counted. Every key is thus moved a few times, whatever the number of blocks; nothing is merged
pair by pair. When very many keys wait, the blocks are counted into one, so that memory goes by distinct keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from disprop.kernels._jit import cores, inner, kernel
from disprop.kernels.keyed import DIGIT, FEWEST_KEYS, Counted, sort

ROOM = 38
"""Bits of a key below its slice."""
HALF = 32
CHUNK = 1 << 20
"""Keys of a block."""
STRETCH = 1 << 24
"""Keys for which memory is asked for at a time."""
LOOSE = 1 << 26
"""Keys that wait in blocks before these are counted into one."""
MOST = 255
"""What a byte holds; a key that occurs more often stands several times in a block."""
STEPS = 16
"""Steps in which slices are counted, so that little room is touched in vain."""


@dataclass(frozen=True)
class Block:
    """Keys in order of their upper halves: piece i has the upper half `upper[i]`, and ends where the next starts.

    upper, start: int64; `start` has an entry more. low: uint32, the lower halves; times: uint8, how often each occurs.
    """

    upper: np.ndarray
    start: np.ndarray
    low: np.ndarray
    times: np.ndarray

    def keys(self) -> np.ndarray:
        """The keys as they came, int64, in the order of the block."""
        return np.repeat(self.upper << HALF, np.diff(self.start)) + self.low

    def places(self, size: int) -> np.ndarray:
        """The place of each key in its slice, of places that have so many cells."""
        if size >> HALF == 0 and not (self.upper & ((1 << (ROOM - HALF)) - 1)).any():
            return self.low // np.uint32(size)
        return (self.keys() & ((1 << ROOM) - 1)) // size


def block_of(keys: np.ndarray, times: np.ndarray | None = None, low: np.ndarray | None = None) -> Block:
    """A block of int64 keys, none negative, in any order; each once where `times` does not say. `low`: room to take.

    >>> block_of(np.array([7, (1 << 32) + 1, 2])).upper
    array([0, 1])
    """
    upper = keys >> HALF
    if (upper[1:] < upper[:-1]).any():
        order = np.argsort(upper, kind="stable")
        keys, upper, times = keys[order], upper[order], None if times is None else times[order]
    start = np.flatnonzero(np.concatenate([[True], upper[1:] != upper[:-1]])) if keys.size else np.zeros(0, np.int64)
    times = _ones(keys.size) if times is None else times
    low = np.empty(keys.size, dtype=np.uint32) if low is None else low
    np.copyto(low, keys, casting="unsafe")
    return Block(upper[start], np.append(start, keys.size), low, times)


@lru_cache(maxsize=1)
def _ones_held(size: int) -> np.ndarray:
    return np.ones(size, dtype=np.uint8)


def _ones(size: int) -> np.ndarray:
    """So many ones, of which all blocks have the same."""
    return _ones_held(max(size, 2 * CHUNK))[:size]


@dataclass
class KeyCounts:
    """Keys that come batch by batch, until they are counted."""

    blocks: list[Block] = field(default_factory=list)
    waiting: list[np.ndarray] = field(default_factory=list)
    held: int = 0
    free: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint32), repr=False)

    def add(self, keys: np.ndarray) -> None:
        """Counts every key once more.

        >>> counts = KeyCounts()
        >>> counts.add(np.array([3, 1]))
        >>> counts.add(np.array([3]))
        >>> counts.result()
        (array([1, 3]), array([1, 2]))
        """
        self.waiting.append(keys)
        self.held += keys.size
        if self.held >= CHUNK:
            self._put_away()

    def take(self, blocks: Iterable[Block]) -> None:
        """Takes what is in blocks already."""
        self._put_away()
        self.blocks += blocks

    def _put_away(self) -> None:
        if self.held:
            keys, self.waiting, self.held = np.concatenate(self.waiting), [], 0
            if keys.size >= FEWEST_KEYS:
                _by_upper(keys, np.empty_like(keys), np.zeros(1 << DIGIT, dtype=np.int64))
            self.blocks.append(block_of(keys, low=self._room(keys.size)))
            settled, *loose = [block.low.size for block in self.blocks]
            if sum(loose) >= max(LOOSE, settled):
                self.compact()

    def _room(self, size: int) -> np.ndarray:
        """Room for lower halves, out of a stretch so large that it goes back to the system once nobody holds it."""
        if self.free.size < size:
            self.free = np.empty(max(size, STRETCH if size >= FEWEST_KEYS else 0), dtype=np.uint32)
        room, self.free = self.free[:size], self.free[size:]
        return room

    def compact(self) -> Block:
        """Counts all blocks into one, in which keys are in order; it is what is held from then on."""
        self._put_away()
        self.blocks = [block_of(*gather(self.blocks, as_they_are(self.slices())))]
        return self.blocks[0]

    def slices(self) -> np.ndarray:
        """The slices that have a key, in order."""
        self._put_away()
        several = [block.upper >> (ROOM - HALF) for block in self.blocks]
        return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *several]))

    def result(self) -> Counted:
        """The distinct keys in order, and how often each occurs."""
        return self.cells(as_they_are(self.slices()))

    def cells(self, cells: Cells) -> Counted:
        """The cells that keys stand for, in order, and how many fall into each; nothing is held afterwards."""
        self._put_away()
        blocks, self.blocks, self.free = self.blocks, [], self.free[:0].copy()
        at, times = gather(blocks, cells)
        del blocks  # before the counts take their room
        return _added_up(at, times)


@dataclass(frozen=True)
class Cells:
    """Where keys go: slice `slices[i]` (in order) to the cells from `first[i]` on, which ascend as slices do.

    Within a slice a key is `place * size + rest`. Its cell is `((rest // inside) * length + position[place]) * inside +
    rest % inside`: the position of its place (int64) on an axis of that length, which has `inside` cells behind it.
    """

    slices: np.ndarray
    first: np.ndarray
    position: np.ndarray
    length: int
    size: int
    inside: int


def as_they_are(slices: np.ndarray) -> Cells:
    """Every key stays what it is."""
    return Cells(slices, slices << ROOM, np.zeros(1, dtype=np.int64), length=1, size=1 << ROOM, inside=1 << ROOM)


def gather(blocks: Sequence[Block], cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """The cells of all keys, in order, and how often each occurs, as a byte: of more than 255, a cell stands again.

    The same for any number of threads and any order of blocks, but for how a cell of more than 255 is cut up.
    """
    pieces = _pieces(blocks, cells)
    rows = int((pieces[:, 3] - pieces[:, 2]).sum())
    if rows < FEWEST_KEYS:
        return _gather_numpy(blocks, pieces, cells)
    threads = max(1, min(cores(), rows // CHUNK))
    at, times = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.uint8)  # what stays empty takes no memory
    cuts = _cuts(pieces, STEPS * threads)
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        for step in range(0, len(cuts) - 1, threads):
            runs = list(zip(cuts[step : step + threads], cuts[step + 1 : step + 1 + threads]))
            done = _gather_runs(pool, blocks, pieces, cells, runs, at, times, done)
    at.resize(done, refcheck=False)
    times.resize(done, refcheck=False)
    return at, times


def _pieces(blocks: Sequence[Block], cells: Cells) -> np.ndarray:
    """Of every piece of a block: first cell of its slice, block, start, stop, upper bits in the slice; by slice."""
    found = [np.zeros((0, 5), dtype=np.int64)]
    for b, block in enumerate(blocks):
        first = cells.first[np.searchsorted(cells.slices, block.upper >> (ROOM - HALF))]
        above = (block.upper & ((1 << (ROOM - HALF)) - 1)) << HALF
        found.append(np.stack([first, np.full_like(first, b), block.start[:-1], block.start[1:], above], axis=1))
    pieces = np.concatenate(found)
    return pieces[np.argsort(pieces[:, 0], kind="stable")]


def _cuts(pieces: np.ndarray, runs: int) -> list[int]:
    """Where to cut the pieces into runs of about as many keys, no slice in two of them."""
    new = _new_slices(pieces)
    before = np.concatenate([[0], np.cumsum(pieces[:, 3] - pieces[:, 2])])
    wanted = np.searchsorted(before[new], before[-1] * np.arange(1, runs) // runs)
    return [0, *np.append(new, len(pieces))[wanted].tolist(), len(pieces)]


def _gather_runs(
    pool: ThreadPoolExecutor, blocks: Sequence[Block], pieces: np.ndarray, cells: Cells,
    runs: Sequence[tuple[int, int]], at: np.ndarray, times: np.ndarray, done: int,
) -> int:  # fmt: skip
    """Each run by a thread, into room of its own behind what is done; then put together. Returns where they end."""
    sizes = [int((pieces[a:b, 3] - pieces[a:b, 2]).sum()) for a, b in runs]
    starts = [done + sum(sizes[:i]) for i in range(len(runs))]

    def gathered(i: int) -> int:
        here = slice(starts[i], starts[i] + sizes[i])
        return _gather_run(blocks, pieces[runs[i][0] : runs[i][1]], cells, at[here], times[here])

    for start, found in zip(starts, pool.map(gathered, range(len(runs)))):
        if start != done:
            at[done : done + found] = at[start : start + found]
            times[done : done + found] = times[start : start + found]
        done += found
    return done


def _gather_run(blocks: Sequence[Block], pieces: np.ndarray, cells: Cells, at: np.ndarray, times: np.ndarray) -> int:
    """The cells of some pieces, written to `at` and `times`; returns how many."""
    longest = (
        int(np.add.reduceat(pieces[:, 3] - pieces[:, 2], _new_slices(pieces)).max(initial=0)) if len(pieces) else 0
    )
    keys, spare, digits = (np.empty(n, dtype=np.int64) for n in (longest, longest, 1 << DIGIT))
    lows, often = [block.low for block in blocks], [block.times for block in blocks]
    return int(
        _gather(
            lows, often, pieces, cells.position, cells.length, cells.size, cells.inside, keys, spare, digits, at, times
        )
    )


def _new_slices(pieces: np.ndarray) -> np.ndarray:
    """Where the pieces of a slice begin."""
    return np.flatnonzero(np.concatenate([[True], pieces[1:, 0] != pieces[:-1, 0]]))


def _gather_numpy(blocks: Sequence[Block], pieces: np.ndarray, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """The same, for few keys, without loading a kernel."""
    found, often = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for first, b, start, stop, above in pieces.tolist():
        place, rest = np.divmod(above + blocks[b].low[start:stop].astype(np.int64), cells.size)
        ahead, behind = np.divmod(rest, cells.inside)
        found.append(first + (ahead * cells.length + cells.position[place]) * cells.inside + behind)
        often.append(blocks[b].times[start:stop].astype(np.int64))
    at, where = np.unique(np.concatenate(found), return_inverse=True)
    n = np.zeros(at.size, dtype=np.int64)
    np.add.at(n, where, np.concatenate(often))
    copies = -(-n // MOST)
    last = np.cumsum(copies) - 1
    times = np.full(int(copies.sum()), MOST, dtype=np.uint8)
    times[last] = n - (copies - 1) * MOST
    return np.repeat(at, copies), times


def _added_up(at: np.ndarray, times: np.ndarray) -> Counted:
    """Cells in order of which some stand several times, each once."""
    if (at[1:] == at[:-1]).any():
        start = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]]))
        return at[start], np.add.reduceat(times, start, dtype=np.int64)
    return at, times.astype(np.int64)


def make_keys(columns: Sequence[np.ndarray], tables: Sequence[np.ndarray]) -> np.ndarray:
    """The cell of every row that is counted: the sum over columns j of `tables[j][columns[j][i]]`, none if negative.

    columns: k arrays, int32, shape (n,): an index into the column's table for every row.
    tables: k arrays, int64: what each index adds to the cell, strides folded in, or LEFT_OUT.

    Raises ValueError when an index has no entry in its table.

    >>> from disprop.kernels.keyed import LEFT_OUT
    >>> make_keys([np.array([0, 1, 1], dtype=np.int32)], [np.array([LEFT_OUT, 40])])
    array([40, 40])
    """
    for column, table in zip(columns, tables, strict=True):
        if column.size and column.view(np.uint32).max() >= table.size:
            raise ValueError(f"indices {column.min()} to {column.max()} for a table of {table.size} entries")
    rows = columns[0].size
    if rows >= FEWEST_KEYS:
        keys = np.empty(rows, dtype=np.int64)
        return keys[: int(_make_keys(columns, tables, len(columns), rows, keys))]
    keys = np.zeros(rows, dtype=np.int64)
    for column, table in zip(columns, tables):
        keys += table[column]
    return keys[keys >= 0]


# Compiled ------------------------------------------------------------------------------------------------------------


@kernel("int64(int32[::1]*, int64[::1]*, int64, int64, int64[::1])")
def _make_keys(columns, tables, k, rows, out_keys):
    """Column by column over a block of rows that stays in the nearest cache; returns how many rows are counted."""
    kept = 0
    for start in range(0, rows, 2048):
        n = min(2048, rows - start)
        keys = out_keys[start : start + n]
        column, table = columns[0], tables[0]
        for i in range(n):
            keys[i] = table[column[start + i]]
        for j in range(1, k):
            column, table = columns[j], tables[j]
            for i in range(n):
                keys[i] += table[column[start + i]]
        for i in range(n):
            key = keys[i]
            out_keys[kept] = key
            kept += key >= 0
    return kept


@kernel("void(int64[::1], int64[::1], int64[::1])")
def _by_upper(out_keys, out_spare, out_digits):
    sort(out_keys, out_spare, out_digits, out_keys.size, 32)


@kernel(
    "int64(uint32[::1]*, uint8[::1]*, int64[:,::1], int64[::1], int64, int64, int64, int64[::1], int64[::1],"
    " int64[::1], int64[::1], uint8[::1])"
)
def _gather(lows, times, pieces, position, length, size, inside, out_keys, out_spare, out_digits, out_at, out_times):
    """The pieces of one slice after another: gathered, sorted, counted; returns how many cells were written."""
    found = 0
    p = 0
    while p < pieces.shape[0]:
        first = pieces[p, 0]
        n = 0
        while p < pieces.shape[0] and pieces[p, 0] == first:
            low, often, above = lows[pieces[p, 1]], times[pieces[p, 1]], pieces[p, 4]
            for i in range(pieces[p, 2], pieces[p, 3]):
                key = above + np.int64(low[i])
                place = key // size
                cell = key - place * size
                if inside == size:
                    cell += position[place] * size
                else:
                    ahead = cell // inside
                    cell += (ahead * (length - 1) + position[place]) * inside
                out_keys[n] = cell * 256 + np.int64(often[i])
                n += 1
            p += 1
        sort(out_keys, out_spare, out_digits, n, 0)
        found = _emit(out_keys, n, first, out_at, out_times, found)
    return found


@inner
def _emit(keys, n, first, at, times, found):
    """Each cell of the n sorted keys once, and how often it occurs; once more for every 255 above that."""
    i = 0
    while i < n:
        cell = keys[i] >> 8
        total = 0
        while i < n and keys[i] >> 8 == cell:
            total += keys[i] & 255
            i += 1
        while total > 0:
            here = min(total, 255)
            at[found] = first + cell
            times[found] = here
            total -= here
            found += 1
    return found
