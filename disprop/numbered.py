"""Counts by the number of their cell, on the way to a tally: where cells are too many for a block a force and month.

What codes an open list (areas, officers) has is known when all is read. Until then each code has a *place*, in the
order in which codes come, and a cell's number is made of force, month, place and the cell of the other axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from disprop.codelists import codelist
from disprop.errors import UsageError
from disprop.kernels.blocks import ROOM, Block, Cells, KeyCounts, block_of, make_keys

MONTHS = 1 << 12
"""Months (since 1970) of a force; 6 bits of a number are the force, 12 the month, `ROOM` more place and cell."""


@dataclass
class Numbered:
    """Counts of one tally by number; `size` is how many cells its other axes have for each place."""

    size: int
    places: dict[str, int] = field(default_factory=dict)
    keys: KeyCounts = field(default_factory=KeyCounts)
    lock: Any = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        if self.size >= 1 << ROOM:
            raise UsageError(f"the axes have {self.size:,} cells a month; tally by fewer axes at a time")

    def beside(self) -> Numbered:
        """No counts yet, of another thread, with the same places."""
        return Numbered(self.size, self.places, lock=self.lock)

    def places_of(self, codes: Sequence[str]) -> np.ndarray:
        """The place of each code of an open list; one that is new gets the next."""
        with self.lock:
            found = np.array([self.places.setdefault(code, len(self.places)) for code in codes], dtype=np.int64)
        if len(self.places) * self.size >= 1 << ROOM:
            raise UsageError(f"{len(self.places):,} codes by {self.size:,} cells are too many; tally by fewer axes")
        return found

    def add(self, columns: Sequence[np.ndarray], tables: Sequence[np.ndarray]) -> int:
        """Count rows, see `kernels.blocks.make_keys`; returns how many were left out."""
        keys = make_keys(columns, tables)
        self.keys.add(keys)
        return int(columns[0].size - keys.size)

    def take(self, other: Numbered) -> None:
        """Takes the counts of others, whose places may be others."""
        other.keys.slices()  # nothing waits any more
        if other.places is self.places:
            self.keys.take(other.keys.blocks)
            return
        place = self.places_of(list(other.places))
        if np.array_equal(place, np.arange(len(place))):
            self.keys.take(other.keys.blocks)
        else:
            self.keys.take(self._moved(block, place) for block in other.keys.blocks)

    def _moved(self, block: Block, place: np.ndarray) -> Block:
        """The same counts where place i is place[i]."""
        keys = block.keys()
        at, cell = np.divmod(keys & ((1 << ROOM) - 1), self.size)
        return block_of((keys >> ROOM << ROOM) + place[at] * self.size + cell, block.times)

    def slices(self) -> tuple[np.ndarray, np.ndarray]:
        """Force (position in its codelist) and month of every slice that has a count."""
        force, month = np.divmod(self.keys.slices(), MONTHS)
        return force, month

    def codes(self) -> list[str]:
        """The codes that have a count."""
        if self.keys.slices().size == 0 or not self.places:
            return []
        met = np.zeros(len(self.places), dtype=bool)
        for block in self.keys.blocks:
            met[block.places(self.size)] = True
        return [code for code, has in zip(self.places, met) if has]

    def cells(self, first: np.ndarray, codes: Sequence[str], inside: int) -> tuple[np.ndarray, np.ndarray]:
        """Number of every cell that is not 0 on the axes of a tally, in order, and its count; nothing is left here.

        first: where each slice starts, in the order of `slices`. codes: of the axis of places, [""] for none.
        inside: how many cells the axes after that one have.
        """
        at = {code: i for i, code in enumerate(codes)}
        position = np.array([at.get(code, 0) for code in self.places or [""]], dtype=np.int64)
        return self.keys.cells(Cells(self.keys.slices(), first, position, len(codes), self.size, inside))


def force_entries(codes: Sequence[str]) -> np.ndarray:
    """What each force adds to the number."""
    return np.array([codelist("force").index(code) * MONTHS << ROOM for code in codes], dtype=np.int64)


def month_entries(months: np.ndarray) -> np.ndarray:
    """What each month adds to the number."""
    return months.astype(np.int64) << ROOM


def pack(numbered: Numbered) -> dict[str, Any]:
    """The same as a few arrays in as few bytes as hold them, to be sent."""
    one = numbered.keys.compact()
    return {"size": numbered.size, "places": list(numbered.places), "block": (one.upper, one.start, one.low, one.times)}


def unpack(packed: Mapping[str, Any]) -> Numbered:
    """What `pack` packed.

    >>> one = Numbered(2)
    >>> _ = one.places_of(["E01000001"]), one.add([np.zeros(3, dtype=np.int32)], [month_entries(np.array([591]))])
    >>> unpack(pack(one)).keys.result()[1]
    array([3])
    """
    numbered = Numbered(packed["size"], {code: i for i, code in enumerate(packed["places"])})
    numbered.keys.take([Block(*packed["block"])])
    return numbered
