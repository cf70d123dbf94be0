"""Adding records: every source is read once, its rows staged by slot, written as segments, and counted at once."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from disprop import provenance
from disprop.errors import BalanceError, InputRefused, UsageError
from disprop.io.store.durable import ASIDE, locked
from disprop.io.store.encode import Vocabulary, by_slot, encode, kinds_of, stacked
from disprop.io.store.manifest import Draft, commit, make_store, read_manifest
from disprop.io.store.segment import empty, write_segment
from disprop.months import month_label
from disprop.provenance import Account
from disprop.records import PART_MONTH, VIDEO_COLUMNS, Source


@dataclass(frozen=True)
class Changed:
    """What one transaction did: parts added, replaced, and left as they were because nothing about them changed."""

    transaction: int
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    records: int = 0
    account: Account = field(default_factory=Account)


def add(path: str | PathLike[str], *sources: Source) -> Changed:
    """Put records into a store, making it when there is none: all of them or, after any error, none.

    A part that stands in the store already is left as it is; another version of a slot's records replaces the one
    there, and the ledger says so; so a run that is repeated, or a month that a force publishes again, never counts
    twice. Rows keep the order of the source. Memory does not grow with the records: they are staged on disk.

    Raises InputRefused when a source cannot be read safely, when a force's pseudonyms would be of two keys, when
    another process is changing the store, or when the disk is full; RevisionError when two sources bring one slot.

    >>> import tempfile
    >>> import disprop as dp
    >>> folder = tempfile.mkdtemp() + "/store"
    >>> april = dp.read_frame(dp.synthetic.make_records(months=("2023-04",)))
    >>> add(folder, april).added, add(folder, april).unchanged
    (1, 1)
    """
    if not sources:
        raise UsageError("no source; give at least one")
    folder = Path(path)
    make_store(folder)
    with locked(folder), _staging(folder) as stage:
        manifest = read_manifest(folder)
        draft = Draft.of(manifest)
        staged = [stage.read(source, draft) for source in sources]
        table = provenance.parts(row for one in staged for row in one.parts.tolist())
        fresh = [row for row in table if draft.rows.get(row["slot"], {}).get("part") != bytes(row["part"])]
        changed = Changed(
            manifest.number,
            replaced=sum(bytes(row["slot"]) in draft.rows for row in fresh),
            unchanged=len(table) - len(fresh),
            account=sum((one.account for one in staged), Account()),
        )
        if not fresh:
            return changed
        lines = _write(folder, draft, stage, staged, fresh, manifest.number + 1)
        _refuse_two_keys(draft)
        head = {"at": now(), "action": "add", "account": vars(changed.account)}
        number = commit(folder, draft, iter([head, *lines]))
        records = sum(line["records"] for line in lines)
        return Changed(
            number, len(fresh) - changed.replaced, changed.replaced, changed.unchanged, records, changed.account
        )


def now() -> str:
    """The time for the ledger, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# Staging -------------------------------------------------------------------------------------------------------------


@dataclass
class Staged:
    """What one source brought: its parts, and of each slot the places of its pieces in the staging file."""

    source: Source
    kinds: dict[str, str]
    pieces: dict[tuple[str, int], list[dict[str, Any]]]
    parts: np.ndarray
    account: Account


class Stage:
    """A file beside the store that holds columns of codes until the segments are written."""

    def __init__(self, file: Any, folder: Path) -> None:
        self.file, self.folder = file, folder

    def read(self, source: Source, draft: Draft) -> Staged:
        """Code and stage every row of a source; raises BalanceError where one would be lost."""
        kinds: dict[str, str] = {}
        pieces: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        words = _Words(draft, source.scheme)
        total = 0
        for batch in source.batches(_every_column(source)):
            batch = batch.select([name for name in batch.schema.names if name not in VIDEO_COLUMNS])
            _agree(kinds, kinds_of(batch.schema))
            _agree(draft.columns, kinds)
            columns = encode(batch, words)
            total += batch.num_rows
            for force, month, rows in by_slot(batch):
                pieces[force, month].append(self._put(columns, rows))
        staged = Staged(source, kinds, dict(pieces), source.parts, source.account)
        words.keep()
        _check(staged, total)
        return staged

    def _put(self, columns: Mapping[str, np.ndarray], rows: np.ndarray | None) -> dict[str, Any]:
        placed = {}
        for name, values in columns.items():
            chosen = np.ascontiguousarray(values if rows is None else values[rows])
            placed[name] = (self.file.tell(), len(chosen), chosen.dtype)
            with self._refusing():
                self.file.write(chosen.data)  # `tofile` would not tell that the last bytes found no room
        return placed

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """A full disk is InputRefused."""
        try:
            yield
        except OSError as why:
            raise InputRefused(f"{self.folder} cannot be written: {why}; what was there before still is") from why

    def part(self, staged: Staged, slot: tuple[str, int], kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
        """The columns of one part, its pieces in the order in which they came."""
        with self._refusing():
            self.file.flush()
        pieces = [{name: self._get(*place) for name, place in piece.items()} for piece in staged.pieces.get(slot, [])]
        return stacked(pieces, kinds, empty) if pieces else {name: empty(kind, 0) for name, kind in kinds.items()}

    def _get(self, start: int, n: int, dtype: np.dtype) -> np.ndarray:
        self.file.seek(start)
        return np.fromfile(self.file, dtype=dtype, count=n)


@contextmanager
def _staging(folder: Path) -> Iterator[Stage]:
    file = tempfile.TemporaryFile(dir=folder, prefix=ASIDE)  # noqa: SIM115  `with` would raise again on a full disk
    try:
        yield Stage(file, folder)
    finally:
        with suppress(OSError):  # what found no room is not wanted any more
            file.close()


class _Words(dict[str, Vocabulary]):
    """The vocabularies of one scheme, made as columns turn up."""

    def __init__(self, draft: Draft, scheme: str) -> None:
        super().__init__()
        self.draft, self.scheme = draft, scheme

    def __missing__(self, column: str) -> Vocabulary:
        known = self.draft.vocabularies.get((self.scheme, column), [""])
        return self.setdefault(column, Vocabulary(known))

    def keep(self) -> None:
        for column, vocabulary in self.items():
            self.draft.vocabularies[self.scheme, column] = vocabulary.labels


def _every_column(source: Source) -> set[str] | None:
    """All the columns that a source has, and the month that says which slot a row is of. What was found out about
    footage is no record: it stands beside them, and is made here."""
    from disprop.records import KINDS

    if source.kind not in KINDS:
        return None
    return {PART_MONTH, *(spec.name for spec in KINDS[source.kind].columns)} - {*VIDEO_COLUMNS}


def _agree(known: dict[str, str], kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        if known.setdefault(name, kind) != kind:
            raise InputRefused(f"column {name} is {kind} here and {known[name]} elsewhere in the store; rename one")


def _check(staged: Staged, total: int) -> None:
    """Every row stands in a part that the source names, and every row that it counts has come."""
    counted = staged.account.counted
    known = {(row["force"].item(), int(row["month"])) for row in staged.parts}
    strange = [f"{force} {month_label(month)}" for force, month in staged.pieces if (force, month) not in known]
    if total != counted or strange:
        raise BalanceError(
            f"{total:,} rows came and {counted:,} should have; of no part: {', '.join(strange[:3]) or 'none'}; "
            "nothing was stored; this is a defect of disprop, please report it"
        )


def _refuse_two_keys(draft: Draft) -> None:
    """Pseudonyms of one force under two keys would make two people of everybody."""
    keys: dict[str, str] = {}
    for row in draft.rows.values():
        key = row.get("key_id", "")
        if key and keys.setdefault(row["force"], key) != key:
            raise InputRefused(
                f"pseudonyms of {row['force']} would be of two keys ({keys[row['force']]} and {key}), which nobody can "
                "join; add all its extracts again with one key, or use another store"
            )


# Segments ------------------------------------------------------------------------------------------------------------


def _write(
    folder: Path, draft: Draft, stage: Stage, staged: Sequence[Staged], fresh: Sequence[np.void], number: int
) -> list[dict[str, Any]]:
    """Write the new parts, one segment a kind, scheme, force and year; returns the lines of the ledger."""
    home = {one_row["slot"].item(): one for one in staged for one_row in one.parts}
    groups: dict[tuple[Any, ...], list[np.void]] = defaultdict(list)
    for row in fresh:
        source = home[row["slot"].item()].source
        groups[source.kind, source.scheme, row["force"].item(), int(row["month"]) // 12].append(row)
    lines: list[dict[str, Any]] = []
    for key in sorted(groups):
        rows = sorted(groups[key], key=lambda row: (int(row["month"]), row["dataset"].item()))
        lines += _write_group(folder, draft, stage, home, rows, number)
    return lines


def _write_group(
    folder: Path, draft: Draft, stage: Stage, home: Mapping[bytes, Staged], rows: Sequence[np.void], number: int
) -> list[dict[str, Any]]:
    owners = [home[row["slot"].item()] for row in rows]
    scheme = owners[0].source.scheme
    kinds = {name: kind for one in owners for name, kind in one.kinds.items()} or {"month": "month"}
    labels = {name: draft.vocabularies.get((scheme, name), [""]) for name in kinds}
    first_last: list[tuple[int, int, int]] = []

    def columns() -> Iterator[dict[str, np.ndarray]]:
        first_last.clear()
        for row, owner in zip(rows, owners):
            part = stage.part(owner, (row["force"].item(), int(row["month"])), kinds)
            first_last.append(span(part["month"], int(row["month"])))
            yield part

    name, size, where = write_segment(folder, columns(), kinds, labels)
    draft.segments[name] = size
    return [
        _enter(draft, row, owner, name, found, place, number)
        for row, owner, found, place in zip(rows, owners, first_last, where)
    ]


def span(month: np.ndarray, otherwise: int) -> tuple[int, int, int]:
    """Number of records, and their first and last analysis month."""
    return (len(month), int(month.min()), int(month.max())) if len(month) else (0, otherwise, otherwise)


def _enter(
    draft: Draft, row: np.void, owner: Staged, segment: str, found: tuple[int, int, int],
    places: Mapping[str, int], number: int,
) -> dict[str, Any]:  # fmt: skip
    """Put a part into the draft; returns its line of the ledger."""
    slot, part = row["slot"].item(), row["part"].item()
    was = draft.rows.get(slot)
    draft.rows[slot] = {
        "slot": slot,
        "part": part,
        **{name: row[name].item() for name in ("dataset", "kind", "force", "month", "rows")},
        "scheme": owner.source.scheme,
        "unit": owner.source.unit,
        "key_id": getattr(owner.source, "key_id", ""),
        **dict(zip(("records", "first", "last"), found)),
        "transaction": number,
        "segment": segment,
        **places,
    }
    return line(draft.rows[slot], change="replaced" if was else "added", was=was["part"].decode() if was else None)


def line(row: Mapping[str, Any], *, change: str, **more: Any) -> dict[str, Any]:
    """A line of the ledger about one slot."""
    return {
        "change": change,
        "dataset": row["dataset"],
        "kind": row["kind"],
        "force": row["force"],
        "month": month_label(row["month"]),
        "slot": row["slot"].decode(),
        "part": row["part"].decode(),
        "records": row["records"],
        **more,
    }
