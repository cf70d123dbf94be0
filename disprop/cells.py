"""The counts of a tally: an array of every cell, or the cells that are not 0 by their numbers. One meaning, two shapes.

An array costs 8 bytes a cell, keyed cells 16 bytes a cell that is not 0. Small areas by month by ethnic group are some
thousand million cells of which some million are not 0; such a tally is kept keyed. Everything here gives the same
answer for both; `settled` decides which of the two a result is, so that nobody else has to.

The array of a scan of fewer than 2^31 rows may be of int32, in which no sum of its cells can be too large. All that is
made of it or handed out is int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disprop.errors import UsageError

KEYED_FROM = 1 << 25
"""Up to so many cells (256 MiB) are always an array: sums and slices of it are then quicker than looking cells up."""
FULL = 4
"""Above that, cells are keyed unless one in so many may be other than 0."""
LARGEST = 1 << 28
"""Most cells that are ever made an array: 2 GiB."""
CHUNK = 1 << 20
"""Keyed cells moved at a time, so that the numbers of their codes take little memory."""


@dataclass(frozen=True, eq=False)
class Keyed:
    """Cells that are not 0: `at`, their numbers in order (the last axis counts fastest), and `n`, their counts."""

    shape: tuple[int, ...]
    at: np.ndarray
    n: np.ndarray


Counts = np.ndarray | Keyed


def is_keyed(cells: int, rows: int) -> bool:
    """Whether a tally of so many cells, into which so many rows fall at most, is kept keyed."""
    return cells > LARGEST or (cells > KEYED_FROM and rows * FULL < cells)


def size(shape: Sequence[int]) -> int:
    """How many cells a shape has."""
    product = 1
    for length in shape:
        product *= int(length)
    return product


def total(counts: Counts) -> int:
    """Sum over every cell."""
    values = counts.n if isinstance(counts, Keyed) else counts
    if values.dtype == np.int32 and values.flags.c_contiguous and values.size % 2 == 0:
        pairs = int(values.reshape(-1).view(np.uint64).sum())  # two sums at once: neither reaches 2^32
        return (pairs >> 32) + (pairs & 0xFFFFFFFF)
    return int(values.sum(dtype=np.int64))


def dense(counts: Counts) -> np.ndarray:
    """Every cell, as an array; raises UsageError when that would take more than 2 GiB.

    >>> dense(Keyed((2, 2), np.array([1, 2]), np.array([5, 7])))
    array([[0, 5],
           [7, 0]])
    """
    if not isinstance(counts, Keyed):
        return counts.astype(np.int64, copy=False)
    if size(counts.shape) > LARGEST:
        raise UsageError(
            f"this tally has {size(counts.shape):,} cells, an array of which would take "
            f"{size(counts.shape) * 8 / 2**30:,.0f} GiB; project it to fewer axes, select some codes, or take "
            f"`frame()`, which has a row for each of the {counts.at.size:,} cells that are not 0"
        )
    out = np.zeros(size(counts.shape), dtype=np.int64)
    out[counts.at] = counts.n
    return out.reshape(counts.shape)


def nonzero(counts: Counts) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Of every cell that is not 0: its position on each axis, and its count; in the order of cells.

    >>> nonzero(np.array([[0, 5], [7, 0]]))
    ((array([0, 1]), array([1, 0])), array([5, 7]))
    """
    if not isinstance(counts, Keyed):
        counts = keyed(counts)
    return positions(counts.at, counts.shape), counts.n


def every(counts: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Of every cell its position on each axis, and its count."""
    return positions(np.arange(counts.size), counts.shape), counts.reshape(-1)


def placed(shape: Sequence[int], where: Sequence[np.ndarray], n: np.ndarray) -> Counts:
    """Cells from the position of each on every axis, and its count: what `nonzero` took apart.

    >>> placed((2, 2), [np.array([0, 1]), np.array([1, 0])], np.array([5, 7]))
    array([[0, 5],
           [7, 0]])
    """
    at = np.zeros(n.size, dtype=np.int64)
    for position, length in zip(where, shape):
        at = at * length + position
    if is_keyed(size(shape), n.size):
        return summed(tuple(shape), [(at, n)])
    out = np.zeros(size(shape), dtype=np.int64)
    np.add.at(out, at, n)
    return out.reshape(shape)


def positions(at: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Of each cell, by its number, its position on each axis; also where the cells are too many for an array."""
    found = []
    for length in reversed(shape):
        rest = at // length
        found.append(at - rest * length)
        at = rest
    return tuple(reversed(found))


def keyed(counts: Counts) -> Keyed:
    """The same cells by their numbers."""
    if isinstance(counts, Keyed):
        return counts
    at = np.flatnonzero(counts)
    return Keyed(counts.shape, at, counts.reshape(-1)[at].astype(np.int64, copy=False))


def settled(counts: Counts) -> Counts:
    """The same cells in the shape that suits them: keyed when many and mostly 0."""
    held = counts.at.size if isinstance(counts, Keyed) else size(counts.shape)
    if is_keyed(size(counts.shape), held):
        return keyed(counts)
    return dense(counts)


# Reshaping. All of it moves a cell on each axis and adds up what meets; an array has numpy's own ways to do so. ------


def project(counts: Counts, order: Sequence[int]) -> Counts:
    """Sum over the axes that are not in `order`; the others stand in that order.

    >>> project(np.array([[1, 2], [3, 4]]), [1])
    array([4, 6])
    """
    if isinstance(counts, Keyed):
        return _moved(counts, [None] * len(counts.shape), order, [counts.shape[i] for i in order])
    rest = tuple(i for i in range(counts.ndim) if i not in order)
    by = sorted(order)
    summed = np.asarray(counts.sum(axis=rest, dtype=np.int64))
    return summed.transpose([by.index(i) for i in order]).copy()


def take(counts: Counts, keep: Sequence[int], axis: int) -> Counts:
    """Keep some positions of an axis, in order."""
    if not isinstance(counts, Keyed):
        return counts.take(keep, axis=axis)
    place = np.full(counts.shape[axis], -1, dtype=np.int64)
    place[list(keep)] = np.arange(len(keep))
    return _on_axis(counts, axis, place, len(keep))


def regroup(counts: Counts, axis: int, lookup: np.ndarray, length: int) -> Counts:
    """Sum positions of an axis into `length` others, position i going to lookup[i]."""
    if isinstance(counts, Keyed):
        return _on_axis(counts, axis, lookup, length)
    moved = np.moveaxis(counts, axis, 0)
    out = np.zeros((length, *moved.shape[1:]), dtype=np.int64)
    np.add.at(out, lookup, moved)
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))


def spread(counts: Counts, places: Sequence[Sequence[int]], shape: Sequence[int]) -> Counts:
    """Place cells into zeros of another shape, position i of axis k going to places[k][i]."""
    if isinstance(counts, Keyed) or size(shape) > KEYED_FROM:
        lookups = [np.asarray(place, dtype=np.int64) for place in places]
        return _moved(keyed(counts), lookups, range(len(shape)), shape)
    out = np.zeros(shape, dtype=np.int64)
    out[np.ix_(*places)] = counts
    return out


def reshape(counts: Counts, shape: tuple[int, ...]) -> Counts:
    """The same cells in the same order under other axes."""
    return Keyed(shape, counts.at, counts.n) if isinstance(counts, Keyed) else counts.reshape(shape)


def add(one: Counts, other: Counts) -> Counts:
    """Cell by cell, of one shape."""
    if not isinstance(one, Keyed) and not isinstance(other, Keyed):
        return np.asarray(np.add(one, other, dtype=np.int64))
    from disprop.kernels.keyed import merge

    a, b = keyed(one), keyed(other)
    at, n = merge((a.at, a.n), (b.at, b.n))
    return settled(Keyed(a.shape, at, n))


def unlike(one: Counts, other: Counts) -> tuple[int, tuple[int, ...], int, int] | None:
    """How many cells differ, the first of them and both its counts; None when all are equal."""
    if not isinstance(one, Keyed) and not isinstance(other, Keyed):
        found = np.flatnonzero(one != other)
        if found.size == 0:
            return None
        first = found[:1]
        values = int(one.reshape(-1)[first[0]]), int(other.reshape(-1)[first[0]])
        return found.size, tuple(int(i[0]) for i in positions(first, one.shape)), *values
    a, b = keyed(one), keyed(other)
    if np.array_equal(a.at, b.at) and np.array_equal(a.n, b.n):
        return None
    every = np.union1d(a.at, b.at)
    mine, theirs = _counts_at(a, every), _counts_at(b, every)
    found = np.flatnonzero(mine != theirs)
    first = found[0]
    cell = tuple(int(i[0]) for i in positions(every[first : first + 1], a.shape))
    return found.size, cell, int(mine[first]), int(theirs[first])


def _counts_at(counts: Keyed, every: np.ndarray) -> np.ndarray:
    out = np.zeros(every.size, dtype=np.int64)
    out[np.searchsorted(every, counts.at)] = counts.n
    return out


def _on_axis(counts: Keyed, axis: int, place: np.ndarray, length: int) -> Counts:
    lookups: list[np.ndarray | None] = [None] * len(counts.shape)
    lookups[axis] = place
    shape = (*counts.shape[:axis], length, *counts.shape[axis + 1 :])
    return _moved(counts, lookups, range(len(shape)), shape)


def _moved(counts: Keyed, lookups: Sequence[np.ndarray | None], order: Sequence[int], shape: Sequence[int]) -> Counts:
    """Cells put elsewhere: on each axis named in `order` by its look-up (None: as they are; below 0: left out)."""
    shape = tuple(int(length) for length in shape)
    into = None if is_keyed(size(shape), counts.at.size) else np.zeros(size(shape), dtype=np.int64)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, counts.at.size, CHUNK):
        at, n = counts.at[start : start + CHUNK], counts.n[start : start + CHUNK]
        cell, kept = _moved_cells(at, counts.shape, lookups, order, shape)
        cell, n = (cell, n) if kept is None else (cell[kept], n[kept])
        if into is None:
            found.append((cell, n))
        else:
            np.add.at(into, cell, n)
    return into.reshape(shape) if into is not None else summed(shape, found)


def _moved_cells(
    at: np.ndarray, shape: Sequence[int], lookups: Sequence[np.ndarray | None], order: Sequence[int],
    to: Sequence[int],
) -> tuple[np.ndarray, np.ndarray | None]:  # fmt: skip
    """The new number of each cell, and which cells are kept (None: all of them)."""
    where = positions(at, shape)
    cell, kept = np.zeros(at.size, dtype=np.int64), None
    for axis, length in zip(order, to):
        place = where[axis] if (lookup := lookups[axis]) is None else lookup[where[axis]]
        if lookup is not None and lookup.size and lookup.min() < 0:
            kept = (place >= 0) if kept is None else kept & (place >= 0)
        cell = cell * length + place
    return cell, kept


def summed(shape: tuple[int, ...], several: Sequence[tuple[np.ndarray, np.ndarray]]) -> Keyed:
    """Keyed cells from numbers in any order, of which some may come more than once, and their counts."""
    at = np.concatenate([np.zeros(0, dtype=np.int64), *(cells for cells, _ in several)])
    n = np.concatenate([np.zeros(0, dtype=np.int64), *(counts for _, counts in several)])
    if at.size and not (at[1:] > at[:-1]).all():
        order = np.argsort(at, kind="stable")
        at, n = at[order], n[order]
        starts = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]]))
        at, n = at[starts], np.add.reduceat(n, starts)
    return Keyed(shape, at, n)
