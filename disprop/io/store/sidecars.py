"""Sidecars: derived columns aligned to the rows of a part, kept beside it, so that records are never rewritten.

A sidecar is keyed by the part, the other parts that it was made from, and a digest of the settings. When any of these
changes it is stale: it is not found any more, and goes with its part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from disprop.errors import InputRefused, UsageError
from disprop.io.store.durable import locked
from disprop.io.store.manifest import Draft, check_format, commit, put_segment, read_manifest
from disprop.io.store.segment import open_segment
from disprop.io.store.writer import line, now
from disprop.provenance import digest


def sidecar_key(part: str, *, settings: str, inputs: Sequence[str] = ()) -> str:
    """The key of a sidecar: part id, ids of the other parts in reach (in any order), digest of the settings."""
    return digest("disprop-sidecar-1", part, settings, *sorted(inputs))


def add_sidecar(
    path: str | PathLike[str],
    part: str,
    columns: Mapping[str, np.ndarray],
    *,
    name: str,
    settings: str,
    inputs: Sequence[str] = (),
) -> str:
    """Keep derived columns of a part, one value a record; an older sidecar of that name and part is replaced.

    name: what the columns are. settings, inputs: see `sidecar_key`. Returns the key.

    Raises UsageError for a part that is not live, or columns of another length than the part.
    """
    folder = Path(path)
    check_format(folder)
    with locked(folder):
        draft = Draft.of(read_manifest(folder))
        row = next((row for row in draft.rows.values() if row["part"].decode() == part), None)
        if row is None:
            raise UsageError(f"the store has no part {part!r}; `disprop store list` shows those that it has")
        lengths = {column: len(values) for column, values in columns.items()}
        if set(lengths.values()) != {row["records"]}:
            raise UsageError(f"the part has {row['records']:,} records; the columns have {lengths}: align them")
        key = sidecar_key(part, settings=settings, inputs=inputs)
        segment, size = put_segment(folder, lambda file: _write(file, columns, key))
        entry = {"part": part, "name": name, "key": key, "segment": segment, "bytes": size}
        draft.sidecars = [one for one in draft.sidecars if (one["part"], one["name"]) != (part, name)] + [entry]
        change = line(row, change="sidecar", name=name, key=key)
        commit(folder, draft, iter([{"at": now(), "action": "sidecar"}, change]))
        return key


def _write(file: IO[bytes], columns: Mapping[str, np.ndarray], key: str) -> None:
    batch = pa.record_batch({column: pa.array(values) for column, values in columns.items()})
    with pa.ipc.new_file(file, batch.schema.with_metadata({"key": key})) as writer:
        writer.write_batch(batch)


def read_sidecar(path: str | PathLike[str], part: str, *, name: str, key: str) -> pa.RecordBatch | None:
    """The sidecar of a live part, or None when there is none of this key: it was never made, or is stale."""
    folder = Path(path)
    for one in read_manifest(folder).sidecars():
        if (one["part"], one["name"], one["key"]) == (part, name, key):
            whole = open_segment(folder / "segments" / one["segment"], one["bytes"])
            try:
                return pa.ipc.open_file(pa.py_buffer(whole)).get_batch(0)
            except pa.ArrowInvalid as why:
                raise InputRefused(f"sidecar {one['segment']} cannot be read: {why}; make it again") from why
    return None
