"""What changed between the frame that was lodged and the frame that today's records make, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from disprop.audit.commitment import Commitment, name_some, stratum_name
from disprop.audit.frame import GROUNDS_HASH, RECORD_ID, Frame


def frame_changes(lodged: Frame, now: Frame) -> list[str]:
    """One sentence for each kind of change, naming records; empty when the frames are the same bytes."""
    if lodged.content == now.content:
        return []
    if lodged.table.column_names != now.table.column_names:
        return [f"the columns were {', '.join(lodged.table.column_names)} and are {', '.join(now.table.column_names)}"]
    before, after = _by_id(lodged), _by_id(now)
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    changed = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    columns = [name for name in lodged.table.column_names if name != RECORD_ID]
    lines = [f"{_records(gone)} gone: {name_some(sorted(gone))}"] if gone else []
    lines += [f"{_records(new)} new: {name_some(sorted(new))}"] if new else []
    return lines + [
        line for at, name in enumerate(columns) if (line := _column_change(name, at, changed, before, after))
    ]


def altered_strata(commitment: Commitment, frame: Frame) -> list[str]:
    """The strata of a lodged frame whose lines are not those that were committed, by name."""
    committed = {part.stratum: part.sha256 for part in commitment.strata}
    found = frame.stratum_digests()
    differ = [key for key in committed.keys() | found.keys() if committed.get(key) != found.get(key)]
    return [stratum_name(key) for key in sorted(differ)]


def _by_id(frame: Frame) -> dict[str, tuple[Any, ...]]:
    names = [name for name in frame.table.column_names if name != RECORD_ID]
    columns = [frame.table.column(name).to_pylist() for name in names]
    ids = frame.table.column(RECORD_ID).to_pylist()
    return dict(zip(ids, zip(*columns))) if columns else dict.fromkeys(ids, ())


def _records(ids: set[str]) -> str:
    return "1 record is" if len(ids) == 1 else f"{len(ids)} records are"


def _column_change(
    name: str, at: int, changed: Sequence[str], before: dict[str, tuple[Any, ...]], after: dict[str, tuple[Any, ...]]
) -> str:
    ids = [key for key in changed if before[key][at] != after[key][at]]
    if not ids:
        return ""
    what = "grounds text" if name == GROUNDS_HASH else f"{name!r}"
    if len(ids) == 1 and name != GROUNDS_HASH:
        return f"{what} of record {ids[0]!r} was {before[ids[0]][at]!r} and is {after[ids[0]][at]!r}"
    hint = " (every record: is this the salt of the commitment?)" if len(ids) == len(before) > 1 else ""
    return f"{what} changed in {len(ids)} record{'s' if len(ids) > 1 else ''}{hint}: {name_some(ids)}"
