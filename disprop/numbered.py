"""Counts by the number of their cell, on the way to a tally: where cells are too many for a block a force and month.

What codes an open list (areas, officers) has is known when all is read. Until then each code has a *place*, in the
order in which codes come, and a cell's number is made of force, month, place and the cell of the other axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from disprop.codelists import codelist
from disprop.errors import UsageError
from disprop.kernels.keyed import KeyCounts, make_keys

ROOM = 38
"""Bits of a number for place and cell; 6 more are the force, 12 the month (since 1970)."""
MONTHS = 1 << 12


@dataclass
class Numbered:
    """Counts of one tally by number; `size` is how many cells its other axes have for each place."""

    size: int
    places: dict[str, int] = field(default_factory=dict)
    keys: KeyCounts = field(default_factory=KeyCounts)

    def __post_init__(self) -> None:
        if self.size >= 1 << ROOM:
            raise UsageError(f"the axes have {self.size:,} cells a month; tally by fewer axes at a time")

    def places_of(self, codes: Sequence[str]) -> np.ndarray:
        """The place of each code of an open list; one that is new gets the next."""
        found = np.array([self.places.setdefault(code, len(self.places)) for code in codes], dtype=np.int64)
        if len(self.places) * self.size >= 1 << ROOM:
            raise UsageError(f"{len(self.places):,} codes by {self.size:,} cells are too many; tally by fewer axes")
        return found

    def add(self, columns: Sequence[np.ndarray], tables: Sequence[np.ndarray]) -> int:
        """Count rows, see `kernels.keyed.make_keys`; returns how many were left out."""
        keys = make_keys(columns, tables)
        self.keys.add(keys)
        return int(columns[0].size - keys.size)

    def take(self, other: Numbered) -> None:
        """Takes the counts of others, whose places may be others."""
        at, n = other.keys.result()
        lookup = self.places_of(list(other.places))
        if not np.array_equal(lookup, np.arange(len(lookup))):
            rest, cell = np.divmod(at & ((1 << ROOM) - 1), self.size)
            at = (at >> ROOM << ROOM) + lookup[rest] * self.size + cell
            order = np.argsort(at)
            at, n = at[order], n[order]
        self.keys.take((at, n))

    def found(self) -> Found:
        """Every cell that is not 0."""
        at, n = self.keys.result()
        place, cell = np.divmod(at & ((1 << ROOM) - 1), self.size)
        slices = at >> ROOM
        return Found(slices // MONTHS, slices % MONTHS, place, cell, n)


@dataclass(frozen=True)
class Found:
    """Cells that are not 0: of each the force (position in its codelist), month, place and cell, and the count."""

    force: np.ndarray
    month: np.ndarray
    place: np.ndarray
    cell: np.ndarray
    n: np.ndarray


def force_entries(codes: Sequence[str]) -> np.ndarray:
    """What each force adds to the number."""
    return np.array([codelist("force").index(code) * MONTHS << ROOM for code in codes], dtype=np.int64)


def month_entries(months: np.ndarray) -> np.ndarray:
    """What each month adds to the number."""
    return months.astype(np.int64) << ROOM


def pack(numbered: Numbered) -> dict[str, Any]:
    """The same as a few arrays in as few bytes as hold them, to be sent."""
    at, n = numbered.keys.result()
    return {
        "size": numbered.size,
        "places": list(numbered.places),
        "steps": _small(np.diff(at, prepend=0)),
        "counts": _small(n),
    }


def unpack(packed: Mapping[str, Any]) -> Numbered:
    """What `pack` packed.

    >>> one = Numbered(2)
    >>> _ = one.places_of(["E01000001"]), one.add([np.zeros(3, dtype=np.int32)], [month_entries(np.array([591]))])
    >>> unpack(pack(one)).found().n
    array([3])
    """
    numbered = Numbered(packed["size"], {code: i for i, code in enumerate(packed["places"])})
    numbered.keys.take((np.cumsum(packed["steps"], dtype=np.int64), packed["counts"].astype(np.int64)))
    return numbered


def _small(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
