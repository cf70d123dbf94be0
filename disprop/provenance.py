"""Where counts come from: slots, parts and the intake account.

A *slot* is (dataset, kind, force, month): the place that one monthly submission fills. A *part* is one version of a
slot's records, named by what it was made from. Adding is not idempotent, so tallies carry their parts: the same slot
on both sides of a sum is refused, by name.

Each part also keeps its force, month and number of rows read, because that is what coverage (which months were
submitted, empty, missing or suspected partial) is made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from disprop.errors import OverlapError, RevisionError
from disprop.months import month_label

READER_VERSION = "1"

PART = np.dtype(
    [
        ("slot", "S32"),
        ("part", "S32"),
        ("dataset", "U24"),
        ("kind", "U16"),
        ("force", "U24"),
        ("month", "i4"),
        ("rows", "i8"),
    ]
)


def digest(*fields: str) -> str:
    """First 16 bytes, in hex, of the SHA-256 of the fields joined by NUL."""
    return hashlib.sha256("\0".join(fields).encode()).hexdigest()[:32]


def part_row(
    *,
    dataset: str,
    kind: str,
    force: str,
    month: int,
    files: Iterable[str],
    rows: int,
    mapping: str = "",
    key_id: str = "",
) -> tuple[str, str, str, str, str, int, int]:
    """One row for `parts`: `files` are the SHA-256 digests of every source file that feeds the slot."""
    slot = digest("disprop-slot-1", dataset, kind, force, month_label(month))
    part = digest("disprop-part-1", slot, *sorted(files), mapping, READER_VERSION, key_id)
    return (slot, part, dataset, kind, force, month, rows)


def parts(rows: Iterable[tuple[str, str, str, str, str, int, int]] = ()) -> np.ndarray:
    """A sorted array of parts, dtype PART; raises RevisionError or OverlapError when a slot stands in it twice."""
    table = np.sort(np.array(list(rows), dtype=PART), order="slot")
    same = np.flatnonzero(table["slot"][1:] == table["slot"][:-1])
    if same.size:
        _refuse(table[same[0]], table[same[0] + 1])
    return table


def union(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Parts of both sides; refuses shared slots by name."""
    shared, here, there = np.intersect1d(one["slot"], other["slot"], assume_unique=True, return_indices=True)
    if shared.size:
        _refuse(one[here[0]], other[there[0]])
    return np.sort(np.concatenate([one, other]), order="slot")


def _refuse(one: np.void, other: np.void) -> None:
    name = f"{one['dataset']} {one['kind']} {one['force']} {month_label(int(one['month']))}"
    if one["part"] == other["part"]:
        raise OverlapError(f"{name} is on both sides: adding would count it twice; leave one out")
    raise RevisionError(f"two versions of {name} ({_short(one)} and {_short(other)}); keep the one that replaces")


def _short(row: np.void) -> str:
    return bytes(row["part"]).decode()[:8]


def merge_counts(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Sum of two name -> count maps, in name order."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}


@dataclass(frozen=True)
class Account:
    """What became of every row read: tallied, excluded by a named rule, or quarantined for a reason.

    `notes` counts what was done to read a row or file safely (repeated header skipped, 1.0 read as yes); `unmapped`
    counts labels that no codelist knows, as "column: label".
    """

    read: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    unmapped: Mapping[str, int] = field(default_factory=dict)

    @property
    def counted(self) -> int:
        """Rows that must stand in the cells: read less excluded less quarantined."""
        return self.read - sum(self.excluded.values()) - sum(self.quarantined.values())

    def __add__(self, other: Account) -> Account:
        return Account(
            self.read + other.read,
            merge_counts(self.excluded, other.excluded),
            merge_counts(self.quarantined, other.quarantined),
            merge_counts(self.notes, other.notes),
            merge_counts(self.unmapped, other.unmapped),
        )

    def exclude(self, rule: str, rows: int) -> Account:
        """The account after `rows` more rows were left out by `rule`."""
        return self + Account(excluded={rule: rows}) if rows else self
