"""Removing records for good: whole parts are written again without them, and the ledger says how many and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from disprop.errors import UsageError
from disprop.io.store.durable import locked
from disprop.io.store.maintenance import rewrite
from disprop.io.store.manifest import Draft, check_format, commit, read_manifest
from disprop.io.store.segment import column_of, open_segment
from disprop.io.store.sidecars import move_sidecars
from disprop.io.store.writer import line, now
from disprop.months import month_number
from disprop.provenance import digest

PERSON = "person"
"""Column of the key of the person whom a record is about."""


@dataclass(frozen=True)
class Purged:
    """What `purge` removed: records, from how many parts, and how many parts went altogether."""

    records: int
    parts: int
    emptied: int


def purge(
    path: str | PathLike[str],
    *,
    reason: str,
    before: str | None = None,
    rows: Mapping[str, Sequence[int]] | None = None,
    persons: Collection[int] = (),
) -> Purged:
    """Remove records: those of analysis months before `before` ("YYYY-MM"), the `rows` of parts named by part id, and
    those of `persons` (keyed hashes), of every kind.

    A part that loses records becomes another version of its slot, with a part id of its own; one that loses all of
    them goes, and its month counts as never submitted, not as empty. Sidecars of changed parts go too, and so do those
    that were made from them, by being stale. Every part and sidecar that shares a file with a removed record is written
    again, so that `compact` can delete the old file after its grace period: until then the bytes are on disk, and
    `compact(grace_days=0)` ends that at once. Reading the same source again would bring the records back: its part id
    differs from the purged one. Tallies already made stay: they hold nobody's key. The ledger says how many records
    went and why, never whose.

    Raises UsageError without a reason, for a part that is not there, or for a row that it does not have.
    """
    if not reason.strip():
        raise UsageError("a purge needs a reason; it is kept in the ledger")
    folder = Path(path)
    check_format(folder)
    with locked(folder):
        draft = Draft.of(read_manifest(folder))
        doomed = _doomed(draft, month_number(before) if before else None, rows or {}, _rows_of(folder, draft, persons))
        changed = _rewrite_segments(folder, draft, doomed)
        if not changed:
            return Purged(0, 0, 0)
        gone = {row["part"].decode() for row, _ in changed}
        lines = [_remove(draft, row, lost, reason) for row, lost in changed]
        move_sidecars(folder, draft, gone=gone)
        total = sum(lost for _, lost in changed)
        head = {"at": now(), "action": "purge", "reason": reason, "removed": total}
        commit(folder, draft, iter([head, *lines]))
        return Purged(total, len(changed), sum(row["records"] == 0 for row, _ in changed))


@dataclass(frozen=True)
class _Doomed:
    before: int | None
    rows: dict[bytes, np.ndarray]

    def touches(self, row: Mapping[str, Any]) -> bool:
        return row["part"] in self.rows or (self.before is not None and row["first"] < self.before)

    def keep(self, row: dict[str, Any], part: dict[str, np.ndarray]) -> np.ndarray | None:
        if not self.touches(row):
            return None
        mask = np.ones(row["records"], dtype=bool)
        if self.before is not None:
            mask &= part["month"] >= self.before
        mask[self.rows.get(row["part"], np.empty(0, dtype=np.int64))] = False
        return mask


def _rows_of(folder: Path, draft: Draft, persons: Collection[int]) -> dict[bytes, np.ndarray]:
    """The rows of each part that are about some persons."""
    wanted = np.array([key for key in persons if key], dtype=np.uint64)
    if draft.columns.get(PERSON) != "key" or not len(wanted):
        return {}
    found = {}
    for row in draft.rows.values():
        if row["records"] and row[f"{PERSON}:width"]:
            whole = open_segment(folder / "segments" / row["segment"], draft.segments[row["segment"]])
            found[row["part"]] = np.flatnonzero(np.isin(column_of(whole, row, PERSON, "key"), wanted))
    return {part: at for part, at in found.items() if len(at)}


def _doomed(
    draft: Draft, before: int | None, rows: Mapping[str, Sequence[int]], of_persons: dict[bytes, np.ndarray]
) -> _Doomed:
    live = {row["part"].decode(): row["records"] for row in draft.rows.values()}
    for part, which in rows.items():
        if part not in live:
            raise UsageError(f"the store has no part {part!r}; `disprop store list` shows those that it has")
        if len(which) and not 0 <= min(which) <= max(which) < live[part]:
            raise UsageError(f"part {part} has rows 0 to {live[part] - 1}; {min(which)} to {max(which)} were named")
    named = {part.encode(): np.array(which, dtype=np.int64) for part, which in rows.items()}
    for one, found in of_persons.items():
        named[one] = np.concatenate([named.get(one, found[:0]), found])
    return _Doomed(before, named)


def _rewrite_segments(folder: Path, draft: Draft, doomed: _Doomed) -> list[tuple[dict[str, Any], int]]:
    """Write every file that holds a doomed record again; returns the parts that lost any, with how many."""
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in draft.rows.values():
        held[row["segment"]].append(row)
    changed = []
    for rows in held.values():
        if any(row["records"] and doomed.touches(row) for row in rows):
            rows.sort(key=lambda row: (row["month"], row["force"]))
            changed += [(row, lost) for row, lost in rewrite(folder, draft, rows, doomed.keep) if lost]
    return changed


def _remove(draft: Draft, row: dict[str, Any], lost: int, reason: str) -> dict[str, Any]:
    """Give the part a new id, or drop it when nothing is left; returns its line of the ledger."""
    was = row["part"].decode()
    row["part"] = digest("disprop-purged-1", was, str(lost), reason).encode()
    row["rows"] -= lost
    if row["records"] == 0:
        del draft.rows[row["slot"]]
    change = "purged" if row["records"] else "removed"
    return line(row, change=change, was=was, removed=lost, reason=reason)
