"""The manifest: one row a live part, with where each of its columns stands; vocabularies in the metadata.

As a file it is Arrow IPC: the columns of ROW, then `<column>:offset` (bytes into the segment), `<column>:length`
(bytes) and `<column>:width` (bytes a row; 0 where the part lacks the column) for every column of the store. The
metadata hold `segments` (name and size of every file), `columns` (column -> physical kind), `sidecars`, and one entry
`labels <scheme> <column>` a vocabulary: the labels in the order of their codes, code 0 being blank.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from disprop.errors import InputRefused
from disprop.io.store.durable import ASIDE, publish, rename, write_through
from disprop.provenance import PART
from disprop.records import JOINT

FORMAT = "disprop-store-1"
FOLDERS = ("segments", "manifests", "ledger")

ROW = {
    "slot": pa.binary(32),
    "part": pa.binary(32),
    "dataset": pa.dictionary(pa.uint16(), pa.string()),
    "kind": pa.dictionary(pa.uint16(), pa.string()),
    "scheme": pa.dictionary(pa.uint16(), pa.string()),
    "unit": pa.dictionary(pa.uint16(), pa.string()),
    "force": pa.dictionary(pa.uint16(), pa.string()),
    "month": pa.int32(),
    "rows": pa.int64(),
    "records": pa.int64(),
    "first": pa.int32(),
    "last": pa.int32(),
    "transaction": pa.int64(),
    "segment": pa.uint32(),
    "batch": pa.uint32(),
    "start": pa.int64(),
    "key_id": pa.dictionary(pa.uint16(), pa.string()),
    JOINT: pa.dictionary(pa.uint16(), pa.string()),
}
"""`rows` is what the source read for the part, `records` what was kept of it; `first` and `last` are the earliest and
latest analysis month of its records; `segment`, `batch` and `start` say where it begins: file, batch, row; `key_id`
says whose key its pseudonyms are of, `joint` what its joint number is made of; both are blank where a part has none
(and in manifests written before they were kept)."""

PLACE = {"offset": pa.int64(), "length": pa.int64(), "width": pa.uint8()}


@dataclass(frozen=True, eq=False)
class Manifest:
    """One snapshot of a store."""

    number: int
    table: pa.Table
    segments: list[tuple[str, int]]
    columns: dict[str, str]
    raw: Mapping[bytes, bytes] = field(repr=False)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def numbers(self, name: str) -> np.ndarray:
        """A column of whole numbers."""
        column = self.table[name]
        return column.chunk(0).to_numpy() if column.num_chunks else np.empty(0, column.type.to_pandas_dtype())

    def words(self, name: str) -> tuple[list[str], np.ndarray]:
        """A column of words: the words, and each row's position among them."""
        if name not in self.table.column_names:
            return [""], np.zeros(len(self), np.uint16)
        column = self.table[name]
        if not column.num_chunks:
            return [], np.empty(0, np.uint16)
        values = column.chunk(0)
        return values.dictionary.to_pylist(), values.indices.to_numpy()

    def labels(self, scheme: str, column: str) -> list[str]:
        """The vocabulary of a column under a scheme, entry 0 being blank."""
        return list(json.loads(self.raw.get(_labels_key(scheme, column), b'[""]')))

    def vocabularies(self) -> dict[tuple[str, str], list[str]]:
        """Every vocabulary, by scheme and column."""
        keys = (key.decode().split(" ", 2) for key in self.raw if key.startswith(b"labels "))
        return {(scheme, column): self.labels(scheme, column) for _, column, scheme in keys}

    def sidecars(self) -> list[dict[str, Any]]:
        return list(self._sidecars)

    @cached_property
    def _sidecars(self) -> list[dict[str, Any]]:
        return list(json.loads(self.raw.get(b"sidecars", b"[]")))

    @cached_property
    def parts(self) -> np.ndarray:
        """The parts as a tally carries them, in the order of the rows: that of their slots."""
        out = np.zeros(len(self), dtype=PART)
        for name in ("slot", "part"):
            column = self.table[name]
            out[name] = np.frombuffer(column.chunk(0).buffers()[1], "S32")[: len(self)] if len(self) else b""
        for name in ("dataset", "kind", "force"):
            words, at = self.words(name)
            out[name] = np.array(words, dtype=PART[name])[at] if words else ""
        out["month"], out["rows"] = self.numbers("month"), self.numbers("rows")
        return out

    def rows(self) -> list[dict[str, Any]]:
        """Every row as a dict, for those who change the store."""
        return list(self.table.to_pylist())


def _labels_key(scheme: str, column: str) -> bytes:
    return f"labels {column} {scheme}".encode()


@dataclass
class Draft:
    """The next manifest, while a transaction makes it: slots and what fills them."""

    rows: dict[bytes, dict[str, Any]]
    segments: dict[str, int]
    columns: dict[str, str]
    vocabularies: dict[tuple[str, str], list[str]]
    sidecars: list[dict[str, Any]]

    @classmethod
    def of(cls, manifest: Manifest) -> Draft:
        rows = {row["slot"]: row | {"segment": manifest.segments[row["segment"]][0]} for row in manifest.rows()}
        segments = dict(manifest.segments)
        return cls(rows, segments, dict(manifest.columns), manifest.vocabularies(), manifest.sidecars())

    def table(self) -> pa.Table:
        """Rows in the order of their slots, and only the files that they use; sidecars only of live parts."""
        rows = [self.rows[slot] for slot in sorted(self.rows)]
        live = {row["part"].decode() for row in rows}
        sidecars = [one for one in self.sidecars if one["part"] in live]
        used = sorted({row["segment"] for row in rows})
        at = {name: i for i, name in enumerate(used)}
        arrays = {
            name: pa.array([row.get(name, "") for row in rows], kind) for name, kind in ROW.items() if name != "segment"
        }
        arrays["segment"] = pa.array([at[row["segment"]] for row in rows], pa.uint32())
        columns = self.columns | ({JOINT: "joint"} if any(row.get(JOINT) for row in rows) else {})
        for column in columns:
            for place, kind in PLACE.items():
                arrays[f"{column}:{place}"] = pa.array([row.get(f"{column}:{place}", 0) or 0 for row in rows], kind)
        metadata = {
            b"format": FORMAT.encode(),
            b"segments": json.dumps([[name, self.segments[name]] for name in used]).encode(),
            b"columns": json.dumps(columns).encode(),
            b"sidecars": json.dumps(sidecars).encode(),
        }
        for (scheme, column), labels in sorted(self.vocabularies.items()):
            metadata[_labels_key(scheme, column)] = json.dumps(labels).encode()
        return pa.table(arrays).replace_schema_metadata(metadata)


# Reading


def check_format(folder: Path) -> None:
    """Raises InputRefused where there is no store, or one of a version that this disprop does not know."""
    try:
        found = (folder / "FORMAT").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise InputRefused(
            f"{folder} is no record store: it has no FORMAT file; make one with `disprop store add`"
        ) from None
    if found != FORMAT:
        raise InputRefused(f"{folder} is a store of format {found!r}; this disprop reads {FORMAT!r}: use a newer one")


def current(folder: Path) -> dict[str, Any]:
    """What CURRENT says: the number of the transaction, and the digests of its manifest and ledger."""
    check_format(folder)
    try:
        return dict(json.loads((folder / "CURRENT").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {"number": 0, "manifest": "", "ledger": ""}
    except (OSError, ValueError) as why:
        raise InputRefused(f"{folder / 'CURRENT'} cannot be read ({why}); restore the store from a copy") from why


def manifest_path(folder: Path, number: int) -> Path:
    return folder / "manifests" / f"{number:08d}.arrow"


def ledger_path(folder: Path, number: int) -> Path:
    return folder / "ledger" / f"{number:08d}.jsonl"


def read_manifest(folder: Path) -> Manifest:
    """The manifest that counts now."""
    now = current(folder)
    if now["number"] == 0:
        return Manifest(0, pa.table({name: pa.array([], kind) for name, kind in ROW.items()}), [], {}, {})
    path = manifest_path(folder, now["number"])
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowInvalid) as why:
        raise InputRefused(f"{path} cannot be read ({why}); run `disprop store verify {folder}`") from why
    raw = table.schema.metadata or {}
    segments = [(name, size) for name, size in json.loads(raw[b"segments"])]
    return Manifest(now["number"], table, segments, json.loads(raw[b"columns"]), raw)


# Changing


def make_store(folder: Path) -> None:
    """An empty store, unless there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "FORMAT").exists():
        return
    if any(path.name != "LOCK" and path.name not in FOLDERS and path.suffix for path in folder.iterdir()):
        raise InputRefused(f"{folder} holds other files; name a new folder for the store")
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    publish(folder / "FORMAT", lambda file: file.write(f"{FORMAT}\n".encode()))


def put_segment(folder: Path, write: Any) -> tuple[str, int]:
    """Write a segment; returns its name and size."""
    aside = folder / "segments" / f"{ASIDE}{uuid.uuid4().hex}"
    try:
        digest = write_through(aside, write)
        path = folder / "segments" / f"{digest}.arrow"
        rename(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return path.name, path.stat().st_size


def commit(folder: Path, draft: Draft, lines: Iterator[dict[str, Any]]) -> int:
    """Make a transaction count: ledger, manifest, and CURRENT last. Returns its number."""
    before = current(folder)
    number = before["number"] + 1
    head, *changes = lines
    head = {"transaction": number, "previous": before["ledger"], **head}
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [head, *changes])
    ledger = publish(ledger_path(folder, number), lambda file: file.write(text.encode()))
    table = draft.table()
    manifest = publish(manifest_path(folder, number), lambda file: _write_table(file, table))
    now = {"number": number, "manifest": manifest, "ledger": ledger}
    publish(folder / "CURRENT", lambda file: file.write(json.dumps(now).encode()))
    return int(number)


def _write_table(file: IO[bytes], table: pa.Table) -> None:
    with pa.ipc.new_file(file, table.schema) as writer:
        for batch in table.combine_chunks().to_batches():
            writer.write_batch(batch)
