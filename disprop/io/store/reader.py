"""Reading a store: a source of records that also shows its bytes to the fused scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disprop.codelists import nearest
from disprop.errors import UsageError
from disprop.io.store.encode import DERIVED, decode
from disprop.io.store.joint import joint_from_word
from disprop.io.store.manifest import Manifest, read_manifest
from disprop.io.store.segment import column_of, empty, open_segment
from disprop.io.store.sidecars import Beside
from disprop.months import month_label
from disprop.provenance import Account
from disprop.records import JOINT, PART_MONTH, Mapped


def is_store(path: str | PathLike[str]) -> bool:
    """Whether a path is the folder of a record store."""
    return (Path(path) / "FORMAT").is_file()


def open_store(path: str | PathLike[str], *, kind: str | None = None, dataset: str | None = None) -> Store:
    """The records of one kind in a store, as a source to tally; what is written to it later is not seen.

    Needs no lock and keeps no file open but those that it has read. kind: needed where the store has several.
    dataset: keep one only; needed where two datasets fill one month of a force, because counting both would count
    searches twice.

    Raises InputRefused for a folder that is no store, UsageError where kind or dataset must be named.

    >>> import tempfile
    >>> import disprop as dp
    >>> from disprop.io.store import add
    >>> folder = tempfile.mkdtemp() + "/store"
    >>> _ = add(folder, dp.read_frame(dp.synthetic.make_records(months=("2023-04", "2023-05"))))
    >>> dp.tally(open_store(folder), by=["gender"])
    <Tally of 3,336 searches: force (1) x month (2) x gender (5); 2 parts>
    """
    manifest = read_manifest(Path(path))
    chosen = _chosen(manifest, kind, dataset)
    return Store(Path(path), manifest, chosen)


def _chosen(manifest: Manifest, kind: str | None, dataset: str | None) -> np.ndarray:
    """Positions of the manifest rows of one kind and, where one is named, one dataset."""
    keep = np.ones(len(manifest), dtype=bool)
    for name, wanted in (("kind", kind), ("dataset", dataset)):
        words, at = manifest.words(name)
        if wanted is not None and wanted not in words:
            raise UsageError(f"the store has no {name} {wanted!r}{nearest(wanted, words)}")
        if wanted is not None:
            keep &= at == words.index(wanted)
    chosen = np.flatnonzero(keep)
    for name in ("kind", "scheme"):
        words, at = manifest.words(name)
        found = sorted(words[i] for i in np.unique(at[chosen]))
        if len(found) > 1:
            raise UsageError(f"the store has the {name}s {', '.join(found)}; name one {_option(name)}")
    _refuse_two_datasets(manifest, chosen)
    return chosen


def _option(name: str) -> str:
    return "with kind= (--kind)" if name == "kind" else "of their datasets with dataset="


def _refuse_two_datasets(manifest: Manifest, chosen: np.ndarray) -> None:
    words, dataset = manifest.words("dataset")
    if len(np.unique(dataset[chosen])) < 2:
        return
    forces, force = manifest.words("force")
    place = force[chosen].astype(np.int64) << 32 | manifest.numbers("month")[chosen]
    order = np.argsort(place, kind="stable")
    twice = np.flatnonzero(place[order][1:] == place[order][:-1])
    if twice.size:
        one, two = chosen[order[twice[0]]], chosen[order[twice[0] + 1]]
        where = f"{forces[force[one]]} {month_label(int(manifest.numbers('month')[one]))}"
        both = f"{words[dataset[one]]} and {words[dataset[two]]}"
        raise UsageError(f"{where} is filled by {both}: counting both would count twice; name one with dataset=")


@dataclass(frozen=True, eq=False)
class Store:
    """Records of one kind in a store, as one manifest lists them; a `records.Source`, and `mapped` for fused scans.

    Columns of sidecars (`beside`) are columns of the records, blank where a sidecar is missing or stale.
    """

    folder: Path
    manifest: Manifest
    chosen: np.ndarray

    @cached_property
    def parts(self) -> np.ndarray:
        parts = self.manifest.parts
        return parts if len(self.chosen) == len(parts) else parts[self.chosen]

    @cached_property
    def account(self) -> Account:
        return Account(read=int(self.manifest.numbers("records")[self.chosen].sum()))

    @cached_property
    def kind(self) -> str:
        return self._one("kind", "search")

    @cached_property
    def unit(self) -> str:
        return self._one("unit", "searches")

    @cached_property
    def dataset(self) -> str:
        return self._one("dataset", "")

    @cached_property
    def scheme(self) -> str:
        return self._one("scheme", "police.uk")

    @cached_property
    def key_id(self) -> str:
        """Which key the pseudonyms were made with; blank where there are none."""
        return self._one("key_id", "").removeprefix(" + ")

    def _one(self, name: str, otherwise: str) -> str:
        words, at = self.manifest.words(name)
        return " + ".join(words[i] for i in np.unique(at[self.chosen])) or otherwise

    def labels(self, column: str) -> list[str]:
        """The labels of a column in the order of their codes; code 0 is blank."""
        return self.manifest.labels(self.scheme, column)

    @cached_property
    def beside(self) -> Beside:
        """The sidecars of the parts."""
        return Beside(self.folder, self.manifest, self.parts["part"].tolist())

    @property
    def _own(self) -> dict[str, str]:
        """Columns of the records and their physical kinds, without what was made from them."""
        return {name: kind for name, kind in self.manifest.columns.items() if name not in {*DERIVED, JOINT}}

    @property
    def columns(self) -> dict[str, str]:
        """Column -> physical kind, of the records and of the sidecars beside them."""
        own = self._own
        return self.beside.columns | own

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """One record batch a part that has records, by force and month; rows in the order of their source."""
        kinds = self._own
        wanted = set(kinds) if columns is None else {"force", "month", *columns}
        words = {name: pa.array(self.labels(name)[1:], pa.string()) for name, kind in kinds.items() if kind == "label"}
        for row in self.rows():
            if row["records"]:
                whole = self._file(row["segment"])
                yield self._batch(whole, row, {name: kinds[name] for name in kinds if name in wanted}, words, columns)

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the manifest, by force and month."""
        rows = self.manifest.table.take(pa.array(self.chosen)).to_pylist()
        return sorted(rows, key=lambda row: (row["force"], row["month"], row["dataset"]))

    def _batch(
        self, whole: np.ndarray, row: dict[str, Any], kinds: dict[str, str], words: dict[str, pa.Array],
        columns: set[str] | None,
    ) -> pa.RecordBatch:  # fmt: skip
        stored = {name: column_of(whole, row, name, kind) for name, kind in kinds.items()}
        if "event_time" in kinds:
            stored["time_precision"] = column_of(whole, row, "time_precision", "precision")
        arrays = {name: decode(name, kind, stored[name], stored, words.get(name)) for name, kind in kinds.items()}
        for name in self._wanted_beside(columns):
            arrays[name] = self.beside.column(row["part"].decode(), name, row["records"])
        if columns is not None and PART_MONTH in columns:
            arrays[PART_MONTH] = pa.array(np.full(row["records"], row["month"], dtype=np.int32))
        return pa.record_batch(arrays)

    def codes(self, row: dict[str, Any], kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
        """Columns of a part as they are stored, over the mapped file; blank where the store lacks one.

        row: one of `rows`. kinds: column -> the physical kind that it has where it is blank.
        """
        whole, known = self._file(row["segment"]), self.manifest.columns
        return {
            name: column_of(whole, row, name, known[name]) if name in known else empty(kind, row["records"])
            for name, kind in kinds.items()
        }

    def _wanted_beside(self, columns: set[str] | None) -> list[str]:
        """Columns of sidecars that are asked for: a column of the records' own is theirs."""
        if columns is not None and columns <= self.manifest.columns.keys() | {PART_MONTH}:
            return []
        found = [name for name in self.beside.columns if name not in self.manifest.columns]
        return [name for name in found if columns is None or name in columns]

    @cached_property
    def _opened(self) -> dict[int, np.ndarray]:
        return {}

    def _file(self, segment: int) -> np.ndarray:
        if segment not in self._opened:
            name, size = self.manifest.segments[segment]
            self._opened[segment] = open_segment(self.folder / "segments" / name, size)
        return self._opened[segment]

    def mapped(self) -> Mapped:
        """Where every column of label codes, and the month, of every part stands."""
        manifest, chosen = self.manifest, self.chosen
        forces, force = manifest.words("force")
        columns = [name for name, kind in manifest.columns.items() if kind in ("label", "month", "hour", "joint")]
        everything = len(chosen) == len(manifest)

        def numbers(name: str) -> np.ndarray:
            values = manifest.numbers(name)
            return values if everything else values[chosen]

        return Mapped(
            forces=tuple(forces),
            force=force if everything else force[chosen],
            records=numbers("records"),
            first=numbers("first"),
            last=numbers("last"),
            segment=numbers("segment"),
            offset=_Late(columns, lambda name: numbers(f"{name}:offset")),
            width=_Late(columns, lambda name: numbers(f"{name}:width")),
            labels=self.labels,
            joint=self._joint,
            files=self._files,
        )

    def _joint(self, parts: np.ndarray) -> dict[str, int]:
        """Columns and radices of the joint number of some parts, by their positions; {} where they have not all one."""
        words, at = self.manifest.words(JOINT)
        found = np.unique(at[self.chosen[parts]])
        return joint_from_word(words[found[0]]) if len(found) == 1 else {}

    def _files(self, segments: np.ndarray) -> list[np.ndarray]:
        return [self._file(int(segment)) for segment in segments]


class _Late(dict[str, np.ndarray]):
    """Arrays fetched when they are asked for."""

    def __init__(self, names: list[str], fetch: Any) -> None:
        super().__init__()
        self._names, self._fetch = set(names), fetch

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __missing__(self, name: str) -> np.ndarray:
        return self.setdefault(name, self._fetch(name))
