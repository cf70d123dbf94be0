"""Invented records as an Arrow table of canonical columns, and as files exactly as data.police.uk lays them out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from disprop.months import month_label, month_number
from disprop.records import SEARCH
from disprop.synthetic.draw import (
    POSSESSION,
    Chances,
    chances,
    describe,
    instants,
    month_kinds,
    places,
    possession,
    stream,
)
from disprop.synthetic.expected import implied
from disprop.synthetic.truth import Truth, default_truth

DATASET = "synthetic"
NOTICE = "SYNTHETIC: invented records of an invented force. They say nothing about any real force, place or person."
YEAR = tuple(month_label(m) for m in range(month_number("2023-04"), month_number("2023-04") + 12))

TYPES = {"label": pa.dictionary(pa.int32(), pa.string()), "month": pa.int32(), "degrees": pa.float64()}
SCHEMA = pa.schema(
    [(column.name, TYPES.get(column.dtype, pa.timestamp("s", tz="UTC"))) for column in SEARCH],
    metadata={"dataset": DATASET, "notice": NOTICE},
)
PUBLISHED = sorted((c for c in SEARCH if c.police_uk), key=lambda column: column.name != "search_type")
"""The 15 public columns in their order: that of the canonical ones, with the type first."""
HEADER = ",".join(column.police_uk for column in PUBLISHED) + "\n"


def make_records(truth: Truth | None = None, *, months: Sequence[str] = YEAR, seed: int = 1) -> pa.Table:
    """Invented searches of one force, in the canonical columns, month by month and in time order within each.

    A month's records depend on the truth, the seed, the force and that month alone. The schema's metadata say
    `dataset: synthetic`. `video_recorded` and `possession_only`, which no public file has, are filled.

    truth: what to draw from (default: `default_truth()`). months: `YYYY-MM`, UK local.

    Raises UsageError for a month that is not one, or for shares that do not add to 1.

    >>> table = make_records(months=["2023-06"])
    >>> table.schema.metadata[b"dataset"], table.column_names[:3]
    (b'synthetic', ['force', 'month', 'event_time'])
    """
    truth = truth or default_truth()
    ready = chances(truth)
    batches = [month_records(truth, ready, month_number(month), seed=seed) for month in months]
    return pa.Table.from_batches(batches, schema=SCHEMA)


def month_records(truth: Truth, ready: Chances, month: int, *, seed: int) -> pa.RecordBatch:
    """The records of one force and month; `ready` is `chances(truth)`."""
    columns, times = month_choices(truth, ready, month, seed=seed)
    months = np.full(len(times), month, dtype=np.int32)
    force = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(times), np.int32)), [truth.force])
    return record_batch(ready, columns, force=force, month=months, times=times, coordinates=places(truth.force))


def month_choices(truth: Truth, ready: Chances, month: int, *, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Choices and instants of one force and month, in time order; `kind` is the position of the true group."""
    rng = stream(seed, truth.force, month)
    kind = month_kinds(rng, truth, month)
    columns = describe(rng, ready, kind) | {"kind": kind}
    apart = stream(seed, truth.force, month, "possession")
    columns["possession_only"] = possession(apart, ready, columns["object"])
    times = instants(rng, ready, np.full(len(kind), month, dtype=np.int32))
    order = np.argsort(times, kind="stable")
    return {name: choices[order] for name, choices in columns.items()}, times[order]


def record_batch(
    ready: Chances,
    columns: Mapping[str, np.ndarray],
    *,
    force: pa.Array,
    month: np.ndarray,
    times: np.ndarray,
    coordinates: np.ndarray,
) -> pa.RecordBatch:
    """Canonical columns of drawn choices; `coordinates[place]` is the place of each choice of `place`."""
    somewhere = np.vstack([coordinates, [np.nan, np.nan]])[columns["place"]]
    arrays: dict[str, pa.Array] = {
        "force": force,
        "month": pa.array(month),
        "event_time": pa.array(times).cast(pa.timestamp("s", tz="UTC")),
        "operation_name": pa.nulls(len(month), TYPES["label"]),
        "area": pa.nulls(len(month), TYPES["label"]),
        "possession_only": _labelled(columns.get("possession_only", np.full(len(month), len(POSSESSION))), POSSESSION),
        "latitude": pa.array(somewhere[:, 0], from_pandas=True),
        "longitude": pa.array(somewhere[:, 1], from_pandas=True),
    }
    arrays |= {name: _labelled(columns[name], labels) for name, labels in ready.labels.items()}
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _labelled(choices: np.ndarray, labels: Sequence[str]) -> pa.DictionaryArray:
    """Choices as labels; the choice after the last label is blank (null)."""
    indices = pa.array(choices.astype(np.int32), mask=choices == len(labels))
    return pa.DictionaryArray.from_arrays(indices, pa.array(labels, pa.string()))


def write_police_uk(
    folder: str | PathLike[str],
    truths: Sequence[Truth] | None = None,
    *,
    months: Sequence[str] = YEAR,
    seed: int = 1,
) -> list[Path]:
    """Write `YYYY-MM/YYYY-MM-<force>-stop-and-search.csv` for each force and month; return these paths, in order.

    The files have the 15 public columns and nothing else: times in UTC with offset, so that a summer month begins
    with rows of the previous day. Beside them stand `truth.json` (every probability, and what the records must show)
    and `SYNTHETIC.txt`. The same arguments give the same bytes. Files in the way are replaced.

    Raises as `make_records`, and OSError where the folder cannot be written.
    """
    folder, truths = Path(folder), tuple(truths or [default_truth()])
    written = []
    for truth in truths:
        ready = chances(truth)
        for month in months:
            records = month_records(truth, ready, month_number(month), seed=seed)
            path = folder / month / f"{month}-{truth.force}-stop-and-search.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(police_uk_csv(records))
            written.append(path)
    (folder / "SYNTHETIC.txt").write_text(f"{NOTICE}\n", encoding="utf-8", newline="\n")
    (folder / "truth.json").write_text(truth_json(truths, months, seed), encoding="utf-8", newline="\n")
    return written


def police_uk_csv(records: pa.RecordBatch) -> bytes:
    """The bytes of a public monthly file with these records."""
    table = pa.table({column.name: _published(records[column.name]) for column in PUBLISHED})
    out = BytesIO(HEADER.encode())
    out.seek(0, 2)
    csv.write_csv(table, out, csv.WriteOptions(include_header=False, quoting_style="none"))
    return out.getvalue()


def _published(values: pa.Array) -> pa.Array:
    """A column as the public files write it: six decimals, ISO times with offset, empty for blank."""
    if pa.types.is_dictionary(values.type):
        return values.cast(pa.string())
    known = values.dictionary_encode()
    each = known.dictionary.to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        words = [f"{degrees:.6f}" for degrees in each.tolist()]
    else:
        words = [f"{time}+00:00" for time in np.datetime_as_string(each, unit="s").tolist()]
    return pa.DictionaryArray.from_arrays(known.indices, pa.array(words, pa.string())).cast(pa.string())


def truth_json(truths: Sequence[Truth], months: Sequence[str], seed: int) -> str:
    """The truth in full: seed, months, every force's probabilities, and what its records must show (`implied`)."""
    forces = [asdict(truth) | {"implied": implied(truth)} for truth in truths]
    return json.dumps({"notice": NOTICE, "seed": seed, "months": list(months), "forces": forces}, indent=1) + "\n"
