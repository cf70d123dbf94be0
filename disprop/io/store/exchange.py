"""Records to and from files that anybody reads: Parquet and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa

from disprop.codelists import nearest
from disprop.errors import InputRefused, UsageError
from disprop.io.frames import read_frame
from disprop.io.police_uk import read_police_uk
from disprop.io.store.durable import publish
from disprop.io.store.manifest import FOLDERS, read_manifest
from disprop.io.store.reader import Store
from disprop.records import KINDS, PART_MONTH, Kind, Source, kind_of

_TYPES = {"label": pa.string(), "month": pa.int32(), "degrees": pa.float64(), "key": pa.uint64()}
_TYPES |= {"uint8": pa.uint8(), "uint16": pa.uint16(), "uint32": pa.uint32()}

_READ = {"month": pa.int32(), "degrees": pa.float64(), "key": pa.uint64(), "time": pa.timestamp("s", "UTC")}
"""Types in which a CSV of canonical columns is read, by the type of the column; text otherwise."""


def export(store: Store, path: str | PathLike[str]) -> int:
    """Write every record as one Parquet or CSV file, by its ending; returns how many.

    Labels are the source's own, blank is null (CSV: nothing), times are UTC, `month` is the analysis month as months
    since January 1970, and `part_month` that of the file it came from. Columns of sidecars come too (what was found out
    about footage), columns of other kinds in the store do not. Parts stand by force and month, rows in the order of
    their source. What was exported can be added to a store again; columns of sidecars are then made again, not read.

    Raises UsageError for another ending.
    """
    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{path.name} ends neither in .parquet nor in .csv; choose one of them")
    schema = pa.schema(
        [(name, _TYPES.get(kind, pa.timestamp("s", "UTC"))) for name, kind in _own_columns(store).items()]
        + [(PART_MONTH, pa.int32())]
    )
    write = _parquet if path.suffix == ".parquet" else _csv
    publish(path, lambda file: write(file, schema, _plain(store, schema)))
    return store.account.read


def listed(path: str | PathLike[str], *, kind: str | None = None, dataset: str | None = None) -> list[dict[str, Any]]:
    """Rows of a store's manifest, one a part, of every kind and dataset unless one is named: by kind, force, month.

    Raises UsageError for a kind or a dataset that the store does not have.
    """
    rows = read_manifest(Path(path)).table.to_pylist()
    for name, wanted in (("kind", kind), ("dataset", dataset)):
        known = sorted({row[name] for row in rows})
        if wanted is not None and wanted not in known:
            raise UsageError(f"the store has no {name} {wanted!r}{nearest(wanted, known)}")
        rows = [row for row in rows if wanted in (None, row[name])]
    return sorted(rows, key=lambda row: (row["kind"], row["force"], row["month"], row["dataset"]))


def _own_columns(store: Store) -> dict[str, str]:
    """The columns that records of the store's kind can have, and those of their sidecars; not those of other kinds."""
    own = {spec.name for spec in KINDS[store.kind].columns} | store.beside.columns.keys()
    return {name: kind for name, kind in store.columns.items() if name in own}


def _plain(store: Store, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in store.batches({*schema.names}):
        yield batch.select(schema.names).cast(schema)


def _parquet(file: Any, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    from pyarrow import parquet

    with parquet.ParquetWriter(file, schema) as writer:
        for several in _runs(batches):
            writer.write_table(pa.Table.from_batches(several, schema))


def _runs(batches: Iterator[pa.RecordBatch], rows: int = 1 << 18) -> Iterator[list[pa.RecordBatch]]:
    """Batches held together until they make a row group."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= rows:
            yield held
            held = []
    if held:
        yield held


def _csv(file: Any, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    from pyarrow import csv

    with csv.CSVWriter(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def sources(paths: Sequence[str | PathLike[str]], *, force: str | None = None, kind: str = "search") -> list[Source]:
    """What paths hold, as sources to add: Parquet files and folders of them, and all that `read_police_uk` reads.

    kind: what the records are. Other kinds than searches come as Parquet or CSV of canonical columns, as `export`
    writes them (a force's own extracts need a mapping).

    Raises InputRefused for a file that cannot be read, UsageError for an unknown kind.
    """
    what = kind_of(kind)
    if kind != "search":
        return [_TableSource(file, force, what) for path in paths for file in _tables(Path(path))]
    parquet = [file for path in paths for file in _parquet_files(Path(path))]
    others = [path for path in paths if not _parquet_files(Path(path))]
    found: list[Source] = [_TableSource(file, force, what) for file in parquet]
    return [*found, *([read_police_uk(*others, force=force)] if others else [])]


def _tables(path: Path) -> list[Path]:
    """A file, or the Parquet and CSV files of a folder."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in (".parquet", ".csv"))
    if not found:
        raise InputRefused(f"{path} holds neither .parquet nor .csv; check the path")
    return found


def _parquet_files(path: Path) -> list[Path]:
    if path.is_dir() and not set(FOLDERS) <= {one.name for one in path.iterdir()}:
        return sorted(path.rglob("*.parquet"))
    return [path] if path.suffix == ".parquet" else []


class _TableSource:
    """One file of a table, read when its turn comes and let go afterwards."""

    dataset, scheme = "frame", "police.uk"

    def __init__(self, path: Path, force: str | None, kind: Kind) -> None:
        self.kind, self.unit = kind.name, kind.unit
        self._path, self._force = path, force
        self._known: tuple[Any, Any] | None = None

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        frame = read_frame(_without_month(_table(self._path, self.kind)), force=self._force, kind=self.kind)
        yield from frame.batches(columns)
        self._known = frame.parts, frame.account

    @property
    def parts(self) -> Any:
        assert self._known is not None, "read the batches first"
        return self._known[0]

    @property
    def account(self) -> Any:
        assert self._known is not None, "read the batches first"
        return self._known[1]


def _table(path: Path, kind: str) -> pa.Table:
    from pyarrow import csv, parquet

    types = {spec.name: _READ.get(spec.dtype, pa.string()) for spec in KINDS[kind].columns}
    try:
        if path.suffix == ".parquet":
            return parquet.read_table(path)
        options = csv.ConvertOptions(column_types=types | {PART_MONTH: pa.int32()}, strings_can_be_null=True)
        return csv.read_csv(path, convert_options=options)
    except (OSError, pa.ArrowException) as why:
        form = "Parquet" if path.suffix == ".parquet" else "CSV as a store exports it"
        raise InputRefused(f"{path} cannot be read as {form}: {why}; nothing was stored") from why


def _without_month(table: pa.Table) -> pa.Table:
    """An exported table's `part_month` is what `read_frame` calls `month`: the slot; its own months come from times."""
    if PART_MONTH not in table.column_names:
        return table
    return table.drop_columns(["month"]).rename_columns(
        ["month" if name == PART_MONTH else name for name in table.column_names if name != "month"]
    )
