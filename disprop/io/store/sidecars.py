"""Sidecars: derived columns aligned to the rows of a part, kept beside it, so that records are never rewritten.

A sidecar is keyed by the part, the other parts that it was made from, and a digest of the settings. When any of these
changes it is stale: it is not found any more, and goes with its part. One that says which parts it was made from by a
rule (`Reach`) is judged by what the store holds now, so that a part that came later makes it stale as well.

Many sidecars share a file. What a reader needs of each stands in the manifest: file, and for every column its physical
kind, byte offset and width. Labels have a vocabulary of their own, `sidecar <name>`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disprop.errors import UsageError
from disprop.io.store.durable import locked
from disprop.io.store.encode import Vocabulary, decode
from disprop.io.store.manifest import Draft, Manifest, check_format, commit, read_manifest
from disprop.io.store.segment import DTYPES, column_of, open_segment, rows_of, write_segment
from disprop.io.store.writer import line, now
from disprop.provenance import digest

MOST_ROWS = 1 << 22
"""Sidecars are held until they have so many rows, then written as one file: what bounds the memory of a writer."""

Columns = Mapping[str, np.ndarray | pa.DictionaryArray]
_KINDS = {"float64": "degrees", "uint64": "key"}
"""Physical kind of a type that is not called by its own name."""


@dataclass(frozen=True)
class Reach:
    """Which other parts a sidecar is made from: those of one kind of record, of the same force, that have records of
    the months `first` to `last` (month numbers, both included)."""

    kind: str
    first: int
    last: int


@dataclass(frozen=True)
class Sidecar:
    """Derived columns of a part, one value a record: numbers, or labels as a dictionary array.

    inputs: ids of the parts in reach that it was made from. note: what the ledger says of it.
    """

    part: str
    columns: Columns
    settings: str
    inputs: Sequence[str] = ()
    reach: Reach | None = None
    note: Mapping[str, Any] = field(default_factory=dict)


def sidecar_key(part: str, *, settings: str, inputs: Sequence[str] = ()) -> str:
    """The key of a sidecar: part id, ids of the other parts in reach (in any order), digest of the settings."""
    return digest("disprop-sidecar-1", part, settings, *sorted(inputs))


# Writing -------------------------------------------------------------------------------------------------------------


def add_sidecar(
    path: str | PathLike[str],
    part: str,
    columns: Columns,
    *,
    name: str,
    settings: str,
    inputs: Sequence[str] = (),
) -> str:
    """Keep derived columns of a part, one value a record; an older sidecar of that name and part is replaced.

    name: what the columns are. settings, inputs: see `sidecar_key`. Returns the key.

    Raises UsageError for a part that is not live, or columns of another length than the part.
    """
    return add_sidecars(path, [Sidecar(part, columns, settings, inputs)], name=name)[0]


def add_sidecars(path: str | PathLike[str], sidecars: Iterable[Sidecar], *, name: str) -> list[str]:
    """Keep derived columns of many parts in one transaction: all of them or, after any error, none.

    They are taken as they come, so that an iterator may make each when its turn comes; without any, nothing changes.
    Returns their keys. Raises as `add_sidecar`; InputRefused when another process is changing the store.
    """
    folder = Path(path)
    check_format(folder)
    with locked(folder):
        draft = Draft.of(read_manifest(folder))
        live = {row["part"].decode(): row for row in draft.rows.values()}
        lines: list[dict[str, Any]] = []
        for some in _runs(sidecars):
            for one in some:
                _refuse_misfit(live, one)
            entries = _write(folder, draft, name, some)
            _enter(draft, entries)
            lines += [
                line(live[one.part], change="sidecar", name=name, key=entry["key"], **one.note)
                for one, entry in zip(some, entries)
            ]
        if lines:
            commit(folder, draft, iter([{"at": now(), "action": "sidecar"}, *lines]))
        return [one["key"] for one in lines]


def _runs(sidecars: Iterable[Sidecar]) -> Iterator[list[Sidecar]]:
    """Sidecars of the same columns, as many as one file takes."""
    held: list[Sidecar] = []
    rows = 0
    for one in sidecars:
        n = rows_of(one.columns)
        if held and (rows + n > MOST_ROWS or set(one.columns) != set(held[0].columns)):
            yield held
            held, rows = [], 0
        held.append(one)
        rows += n
    if held:
        yield held


def _refuse_misfit(live: Mapping[str, Mapping[str, Any]], one: Sidecar) -> None:
    if one.part not in live:
        raise UsageError(f"the store has no part {one.part!r}; `disprop store list` shows those that it has")
    records = live[one.part]["records"]
    lengths = {column: len(values) for column, values in one.columns.items()}
    if set(lengths.values()) != {records}:
        raise UsageError(f"the part has {records:,} records; the columns have {lengths}: align them")


def _write(folder: Path, draft: Draft, name: str, sidecars: Sequence[Sidecar]) -> list[dict[str, Any]]:
    """Write one file; returns the entries of the manifest."""
    kinds = {column: _kind(values) for column, values in sidecars[0].columns.items()}
    pieces = [_encoded(draft, name, one.columns) for one in sidecars]
    labels = {column: draft.vocabularies[_scheme(name), column] for column, kind in kinds.items() if kind == "label"}
    segment, size, where = write_segment(folder, pieces, kinds, labels)
    return [
        {
            "part": one.part,
            "name": name,
            "key": sidecar_key(one.part, settings=one.settings, inputs=one.inputs),
            "settings": one.settings,
            "reach": asdict(one.reach) if one.reach else None,
            "segment": segment,
            "bytes": size,
            "columns": {column: [kind, *_place(place, column)] for column, kind in kinds.items()},
        }
        for one, place in zip(sidecars, where)
    ]


def _kind(values: np.ndarray | pa.DictionaryArray) -> str:
    return "label" if isinstance(values, pa.DictionaryArray) else _KINDS.get(str(values.dtype), str(values.dtype))


def _encoded(draft: Draft, name: str, columns: Columns) -> dict[str, np.ndarray]:
    return {column: _codes(draft, name, column, values) for column, values in columns.items()}


def _codes(draft: Draft, name: str, column: str, values: np.ndarray | pa.DictionaryArray) -> np.ndarray:
    if not isinstance(values, pa.DictionaryArray):
        return values
    vocabulary = Vocabulary(draft.vocabularies.get((_scheme(name), column), [""]))
    codes = vocabulary.encode(values)
    draft.vocabularies[_scheme(name), column] = vocabulary.labels
    return codes


def _scheme(name: str) -> str:
    """Under which scheme the manifest keeps the vocabularies of a sidecar."""
    return f"sidecar {name}"


def _place(place: Mapping[str, int], column: str) -> tuple[int, int]:
    return place[f"{column}:offset"], place[f"{column}:width"]


def _enter(draft: Draft, entries: Sequence[dict[str, Any]]) -> None:
    fresh = {(one["part"], one["name"]) for one in entries}
    draft.sidecars = [one for one in draft.sidecars if (one["part"], one["name"]) not in fresh] + [*entries]


def move_sidecars(folder: Path, draft: Draft, *, gone: set[str]) -> None:
    """Drop the sidecars of parts that are gone, and write those that shared a file with one of them into another file.

    So no file that the store leads to holds anything about a removed record.
    """
    touched = {one["segment"] for one in draft.sidecars if one["part"] in gone}
    kept = [one for one in draft.sidecars if one["part"] not in gone]
    draft.sidecars = [one for one in kept if one["segment"] not in touched]
    moved: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in kept:
        if one["segment"] in touched:
            moved[one["segment"], one["name"]].append(one)
    records = {row["part"].decode(): row["records"] for row in draft.rows.values()}
    for entries in moved.values():
        draft.sidecars += _moved(folder, draft, [one for one in entries if one["part"] in records], records)


def gather_sidecars(folder: Path, draft: Draft) -> bool:
    """Write sidecars of one name, kind and year that stand in several files into one; returns whether any were."""
    rows = {row["part"].decode(): row for row in draft.rows.values()}
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in draft.sidecars:
        row = rows[one["part"]]
        groups[one["name"], row["kind"], row["month"] // 12, *one["columns"]].append(one)
    scattered = {key: some for key, some in groups.items() if len({one["segment"] for one in some}) > 1}
    records = {part: row["records"] for part, row in rows.items()}
    draft.sidecars = [one for key, some in groups.items() if key not in scattered for one in some]
    for some in scattered.values():
        draft.sidecars += _moved(folder, draft, some, records)
    return bool(scattered)


def _moved(
    folder: Path, draft: Draft, entries: Sequence[dict[str, Any]], records: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The entries, their columns written into a new file."""
    if not entries:
        return []
    kinds = {column: place[0] for column, place in entries[0]["columns"].items()}
    labels = {column: draft.vocabularies.get((_scheme(entries[0]["name"]), column), [""]) for column in kinds}
    pieces = (stored_columns(folder, one, records[one["part"]]) for one in entries)
    segment, size, where = write_segment(folder, pieces, kinds, labels)
    return [
        {
            **one,
            "segment": segment,
            "bytes": size,
            "columns": {column: [kind, *_place(place, column)] for column, kind in kinds.items()},
        }
        for one, place in zip(entries, where)
    ]


# Reading -------------------------------------------------------------------------------------------------------------


def read_sidecar(path: str | PathLike[str], part: str, *, name: str, key: str) -> pa.RecordBatch | None:
    """The sidecar of a live part, or None when there is none of this key: it was never made, or is stale."""
    folder = Path(path)
    manifest = read_manifest(folder)
    for one in manifest.sidecars():
        if (one["part"], one["name"], one["key"]) == (part, name, key):
            row = manifest.parts["part"] == part.encode()
            codes = stored_columns(folder, one, int(manifest.numbers("records")[row][0]))
            return pa.record_batch({column: decoded(manifest, one, column, codes[column]) for column in codes})
    return None


def stored_columns(folder: Path, entry: Mapping[str, Any], records: int) -> dict[str, np.ndarray]:
    """The columns of a sidecar as they are stored, over the mapped bytes of its file."""
    whole = open_segment(folder / "segments" / entry["segment"], entry["bytes"])
    return {column: stored_column(whole, entry, column, records) for column in entry["columns"]}


def stored_column(whole: np.ndarray, entry: Mapping[str, Any], column: str, records: int) -> np.ndarray:
    """One column of a sidecar over the mapped bytes of its file."""
    kind, offset, width = entry["columns"][column]
    return column_of(whole, {"records": records, f"{column}:offset": offset, f"{column}:width": width}, column, kind)


def decoded(manifest: Manifest, entry: Mapping[str, Any], column: str, codes: np.ndarray) -> pa.Array:
    """A stored column as a record column; numbers are as they were given."""
    kind = entry["columns"][column][0]
    if kind != "label":
        return pa.array(codes)
    return decode(column, kind, codes, {}, pa.array(vocabulary(manifest, entry["name"], column)[1:], pa.string()))


def vocabulary(manifest: Manifest, name: str, column: str) -> list[str]:
    """The labels of a sidecar's column in the order of their codes, code 0 being blank."""
    return manifest.labels(_scheme(name), column)


@lru_cache(maxsize=4)
def current_sidecars(manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """Part id -> entries of its sidecars that are not stale: what they were made from is what the store holds now."""
    entries = manifest.sidecars()
    if not entries:
        return {}
    near = Neighbours(manifest)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in entries:
        reach = Reach(**one["reach"]) if one["reach"] else None
        inputs = near.parts(near.force_of[one["part"]], reach) if reach else []
        if one["key"] == sidecar_key(one["part"], settings=one["settings"], inputs=inputs):
            found[one["part"]].append(one)
    return found


@lru_cache(maxsize=4)
def _by_part(manifest: Manifest) -> dict[bytes, list[dict[str, Any]]]:
    """Part id -> entries of its sidecars, stale ones too."""
    found: dict[bytes, list[dict[str, Any]]] = defaultdict(list)
    for one in manifest.sidecars():
        found[one["part"].encode()].append(one)
    return dict(found)


class Neighbours:
    """Which live parts lie in a reach."""

    def __init__(self, manifest: Manifest) -> None:
        (forces, force), (kinds, kind) = manifest.words("force"), manifest.words("kind")
        ids = [part.decode() for part in manifest.parts["part"].tolist()]
        self.force_of = {part: forces[at] for part, at in zip(ids, force)}
        self._of: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
        spans = zip(force, kind, manifest.numbers("first").tolist(), manifest.numbers("last").tolist(), ids)
        for a, b, first, last, part in spans:
            self._of[forces[a], kinds[b]].append((first, last, part))

    def parts(self, force: str, reach: Reach) -> list[str]:
        """Ids of the parts of a force in a reach, sorted."""
        near = self._of.get((force, reach.kind), [])
        return sorted(part for first, last, part in near if first <= reach.last and last >= reach.first)


class Beside:
    """The sidecars of some parts as columns of their records; where one is missing or stale, its columns are blank."""

    def __init__(self, folder: Path, manifest: Manifest, parts: Iterable[bytes]) -> None:
        self._folder, self._manifest = folder, manifest
        kept = _by_part(manifest)
        every = [one for part in parts for one in kept.get(part, [])] if kept else []
        self._homes = {column: (one["name"], place[0]) for one in every for column, place in one["columns"].items()}
        self._opened: dict[str, np.ndarray] = {}

    @property
    def columns(self) -> dict[str, str]:
        """Column -> physical kind, whether or not every part has it."""
        return {column: kind for column, (_, kind) in self._homes.items()}

    @cached_property
    def _current(self) -> dict[str, list[dict[str, Any]]]:
        return current_sidecars(self._manifest)

    def column(self, part: str, column: str, records: int) -> pa.Array:
        """One column of the records of a part; null where it is not known."""
        entry = next((one for one in self._current.get(part, []) if column in one["columns"]), None)
        if entry is None:
            return pa.nulls(records, self._type(column))
        codes = stored_column(self._file(entry), entry, column, records)
        return decoded(self._manifest, entry, column, codes)

    def _type(self, column: str) -> pa.DataType:
        _, kind = self._homes[column]
        return pa.dictionary(pa.int32(), pa.string()) if kind == "label" else pa.from_numpy_dtype(DTYPES[kind])

    def _file(self, entry: Mapping[str, Any]) -> np.ndarray:
        name = entry["segment"]
        if name not in self._opened:
            self._opened[name] = open_segment(self._folder / "segments" / name, entry["bytes"])
        return self._opened[name]
