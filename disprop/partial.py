"""Counts on the way to a tally: what one task has counted, as bare arrays, before anybody may call it a tally.

Threads, batches and cluster tasks each count some of the records. Their counts are added here, each task once; a tally
with parts and an account exists only when every task is in.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from disprop import numbered
from disprop.codelists import codelist
from disprop.errors import BalanceError
from disprop.numbered import Numbered
from disprop.provenance import merge_counts
from disprop.records import AxisSpec

Key = tuple[str, int, str]
"""Force, analysis month (number), and area where the tally is by area (else "")."""


@dataclass(frozen=True)
class Wanted:
    """What a source that counts by itself is asked for: the axes of each tally beside force and month, and the rules.

    `forces` and `period` (first and last month) are None where all are wanted. `rules` are the names of the three
    rules, the first that fits leaving a row out: another force, another month, a vehicle-only search.
    """

    tallies: tuple[tuple[AxisSpec, ...], ...]
    forces: tuple[str, ...] | None
    period: tuple[int, int] | None
    vehicle_only: bool
    rules: tuple[str, str, str]

    @property
    def axes(self) -> tuple[AxisSpec, ...]:
        """Every axis of any tally, once."""
        return tuple(dict.fromkeys(spec for specs in self.tallies for spec in specs))

    @property
    def columns(self) -> set[str]:
        """Columns that say a row's codes, and whether it is of a vehicle only."""
        return {*(spec.column for spec in self.axes), "search_type"}

    def keeps_force(self, code: str | None) -> bool:
        return bool(code) and (self.forces is None or code in self.forces)


LARGEST_BLOCK = 1 << 20
"""Most cells of the coded axes for which a force and month has a block of its own."""


def is_numbered(specs: Sequence[AxisSpec]) -> bool:
    """Whether a tally is counted by the number of the cell: its axes are open, or too large for blocks."""
    size = math.prod(len(codelist(spec.codelist)) for spec in specs if not spec.is_open)
    return size > LARGEST_BLOCK or any(spec.is_open for spec in specs)


@dataclass
class Cells:
    """Counts of one tally: an array over its coded axes for each key, and labels that no codelist knows.

    Where cells are too many for that, or codes not known before all is read, they are counted by `number` instead.
    """

    counts: dict[Key, np.ndarray] = field(default_factory=dict)
    unmapped: dict[str, int] = field(default_factory=dict)
    number: Numbered | None = None

    def add(self, other: Cells) -> None:
        """Takes the counts of others, whose arrays are its own from now on."""
        if self.number is None:
            self.number = other.number
        elif other.number is not None:
            self.number.take(other.number)
        for key, counts in other.counts.items():
            if key in self.counts:
                self.counts[key] += counts
            else:
                self.counts[key] = counts
        self.unmapped = merge_counts(self.unmapped, other.unmapped)


@dataclass
class Partial:
    """What some tasks counted of several tallies.

    `rules` counts rows left out, by rule. `found` is what each task found out about the files that it read, by the
    number of the task; the source that gave out the tasks knows what it means.
    """

    tallies: list[Cells]
    rules: dict[str, int] = field(default_factory=dict)
    found: dict[int, Any] = field(default_factory=dict)

    def add(self, other: Partial) -> None:
        """Takes what other tasks counted; raises BalanceError when a task is on both sides."""
        twice = self.found.keys() & other.found.keys()
        if twice:
            raise BalanceError(f"task {min(twice)} was counted twice; this is a defect of disprop, please report it")
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.add(theirs)
        self.rules = merge_counts(self.rules, other.rules)
        self.found |= other.found

    def check(self, tasks: Collection[int]) -> None:
        """Raises BalanceError unless exactly these tasks are in."""
        if self.found.keys() != set(tasks):
            raise BalanceError(
                f"{len(self.found)} of {len(tasks)} tasks were counted; this is a defect of disprop, please report it"
            )


def of_cube(counts: np.ndarray, *, forces: Sequence[str], months: Sequence[int]) -> Cells:
    """Cells of a tally from an array over months, forces and its coded axes."""
    held = counts.reshape(len(months), len(forces), -1).any(axis=-1)
    return Cells({(forces[f], months[m], ""): counts[m, f] for m, f in np.argwhere(held).tolist()})


# Packed to be sent. Most cells of a task are 0 and most others are small.


def pack(partial: Partial) -> dict[str, Any]:
    """The same as a few arrays: where the cells are that are not 0, and their counts in as few bytes as hold them."""
    return {"tallies": [_packed(cells) for cells in partial.tallies], "rules": partial.rules, "found": partial.found}


def unpack(packed: Mapping[str, Any]) -> Partial:
    """What `pack` packed.

    >>> here = Partial([Cells({("kent", 591, ""): np.array([0, 300, 2])})], {"a rule": 1}, {0: None})
    >>> unpack(pack(here)).tallies[0].counts
    {('kent', 591, ''): array([  0, 300,   2])}
    """
    return Partial([_unpacked(cells) for cells in packed["tallies"]], dict(packed["rules"]), dict(packed["found"]))


def merged(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Packed counts of several tasks, or groups of tasks, as one; raises BalanceError when a task is in two of them."""
    margins = _margins(several)
    tallies = [_merged_cells(cells) for cells in zip(*(one["tallies"] for one in several), strict=True)]
    return {"tallies": tallies, "rules": margins.rules, "found": margins.found}


def unpacked(several: Sequence[Mapping[str, Any]]) -> Partial:
    """What `unpack(merged(several))` is."""
    margins = _margins(several)
    margins.tallies = [_summed_cells(cells) for cells in zip(*(one["tallies"] for one in several), strict=True)]
    return margins


def _margins(several: Sequence[Mapping[str, Any]]) -> Partial:
    """Rules and tasks of packed counts, without their tallies."""
    margins = Partial([])
    for one in several:
        margins.add(Partial([], dict(one["rules"]), dict(one["found"])))
    return margins


def _merged_cells(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Packed counts of one tally added up without a block of cells for each key of each task."""
    if any("number" in one for one in several):
        return _packed(_added([_unpacked(one) for one in several]))
    return _packed_cells(*_added_blocks(several))


def _summed_cells(several: Sequence[Mapping[str, Any]]) -> Cells:
    """Packed counts of one tally, added up."""
    if any("number" in one for one in several):
        return _added([_unpacked(one) for one in several])
    keys, shape, every, unmapped = _added_blocks(several)
    blocks = every.reshape(len(keys), *shape)
    return Cells({key: blocks[i] for i, key in enumerate(keys)}, unmapped)


def _added_blocks(
    several: Sequence[Mapping[str, Any]],
) -> tuple[list[Key], tuple[int, ...], np.ndarray, dict[str, int]]:
    """Keys, shape of a block, all blocks one after another, and labels that no codelist knows."""
    keys: list[Key] = list(dict.fromkeys(tuple(key) for one in several for key in one["keys"]))
    shape = next((tuple(one["shape"]) for one in several if one["keys"]), ())
    size, place = int(np.prod(shape, dtype=np.int64)), {key: i for i, key in enumerate(keys)}
    every = np.zeros(len(keys) * size, dtype=np.int64)
    unmapped: dict[str, int] = {}
    for one in several:
        at = np.cumsum(one["steps"], dtype=np.int64)
        runs = np.array([place[tuple(key)] for key in one["keys"]], dtype=np.int64)
        if not np.array_equal(runs, np.arange(len(runs))):
            at += (runs - np.arange(len(runs)))[at // size] * size
        every[at] += one["counts"].astype(np.int64, copy=False)  # no position comes twice in one task
        unmapped = merge_counts(unmapped, one["unmapped"])
    return keys, shape, every, unmapped


def _added(several: Sequence[Cells]) -> Cells:
    into = Cells()
    for cells in several:
        into.add(cells)
    return into


def _packed(cells: Cells) -> dict[str, Any]:
    if cells.number is not None:
        return {"number": numbered.pack(cells.number), "unmapped": dict(cells.unmapped)}
    keys = list(cells.counts)
    shape = cells.counts[keys[0]].shape if keys else ()
    every = np.concatenate([cells.counts[key].reshape(-1) for key in keys]) if keys else np.zeros(0, dtype=np.int64)
    return _packed_cells(keys, shape, every, cells.unmapped)


def _packed_cells(
    keys: Sequence[Key], shape: tuple[int, ...], every: np.ndarray, unmapped: Mapping[str, int]
) -> dict[str, Any]:
    at = np.flatnonzero(every)
    return {
        "keys": list(keys),
        "shape": shape,
        "steps": _small(np.diff(at, prepend=0)),
        "counts": _small(every[at]),
        "unmapped": dict(unmapped),
    }


def _unpacked(packed: Mapping[str, Any]) -> Cells:
    if "number" in packed:
        return Cells(unmapped=dict(packed["unmapped"]), number=numbered.unpack(packed["number"]))
    keys, shape = packed["keys"], packed["shape"]
    size = int(np.prod(shape, dtype=np.int64))
    every = np.zeros(len(keys) * size, dtype=np.int64)
    every[np.cumsum(packed["steps"], dtype=np.int64)] = packed["counts"]
    blocks = every.reshape(len(keys), *shape)
    return Cells({tuple(key): blocks[i] for i, key in enumerate(keys)}, dict(packed["unmapped"]))


def _small(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers, none negative, in the narrowest type that holds them all."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
