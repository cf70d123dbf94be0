"""Sparse tallies (small area x month x ethnicity) beside other engines that give the same answer.

    python -m benchmarks.keyed --rows 2e7 --out DIR

prints interleaved medians, wall and processor time. From the store the rivals get canonical codes of one or two bytes
in the same order, as in `benchmarks.store`; from Parquet every engine reads the same files: text, instants, no order.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import pyarrow as pa
from pyarrow import parquet

import disprop as dp
from benchmarks.make_records import make_plan, write_shuffled, write_sorted
from benchmarks.store import VEHICLE, Answer
from disprop.cells import nonzero
from disprop.codelists import code_lookup, codelist, labels, normalise
from disprop.io.store import add, compact, open_store, sources

BY = ["area", "ethnicity_self_19"]
KEYS = ["force", "month", "area", "ethnicity_self"]


@dataclass(frozen=True)
class Made:
    """The same records as a store, as Parquet in no order, and as the rivals' own files."""

    store: Path
    shuffled: Path
    ipc: Path
    duckdb: Path


def make(folder: Path, *, rows: int, months: int = 120) -> Made:
    """Invent records with 35,672 small areas; a folder that holds them already is used as it is."""
    made = Made(folder / "store", folder / "shuffled" / "parquet", folder / "r.arrow", folder / "r.duckdb")
    if not made.duckdb.exists():
        plan = make_plan(rows=rows, n_months=months, small_areas=True)
        write_sorted(plan, folder / "made", csv=False, workers=2)
        write_shuffled(plan, folder / "shuffled", workers=2)
        for file in [*(folder / "made").rglob("*.parquet"), *(folder / "shuffled").rglob("*.parquet")]:
            _rename(file)
        add(made.store, *sources([folder / "made" / "parquet"]))
        compact(made.store, grace_days=0)
        _write_rivals(made)
    return made


def _rename(file: Path) -> None:
    """Calls the small areas `area`, which is what the axis reads."""
    read = parquet.ParquetFile(file)
    if "small_area" not in read.schema_arrow.names:
        return
    groups = [read.read_row_group(group).drop_columns(["area"]) for group in range(read.num_row_groups)]
    names = ["area" if name == "small_area" else name for name in groups[0].schema.names]
    with parquet.ParquetWriter(file, groups[0].rename_columns(names).schema) as writer:
        for group in groups:
            writer.write_table(group.rename_columns(names))


def _write_rivals(made: Made) -> None:
    import duckdb
    import polars as pl

    frame = pl.DataFrame(_canonical(made.store))
    frame.write_ipc(made.ipc, compression="uncompressed")
    with duckdb.connect(str(made.duckdb)) as connection:
        connection.execute("create table searches as select * from frame")


def _canonical(path: Path) -> dict[str, np.ndarray]:
    """Canonical codes of every record; areas by the position of their code."""
    store = open_store(path)
    tables = {
        "area": np.array([int(label[2:] or 0) if label else 0xFFFF for label in store.labels("area")], np.uint16),
        "ethnicity_self": code_lookup("ethnicity_19", store.scheme, store.labels("ethnicity_self")).astype(np.uint8),
        "search_type": code_lookup("search_type", store.scheme, store.labels("search_type")).astype(np.uint8),
    }
    pieces: dict[str, list[np.ndarray]] = {name: [] for name in ("force", "month", *tables)}
    for row in store.rows():
        codes = store.codes(row, {"month": "month", **dict.fromkeys(tables, "label")})
        pieces["force"].append(np.full(row["records"], codelist("force").index(row["force"]), np.uint8))
        pieces["month"].append(codes["month"].astype(np.uint16))
        for name, table in tables.items():
            pieces[name].append(table[codes[name]])
    return {name: np.concatenate(several) for name, several in pieces.items()}


# From the store ------------------------------------------------------------------------------------------------------


def disprop_store(made: Made) -> dp.Tally:
    """Open the store, scan, build the tally."""
    return dp.tally(open_store(made.store), by=BY)


def polars_store(made: Made) -> Answer:
    """Polars on an uncompressed Arrow IPC file, mapped."""
    import polars as pl

    people = pl.scan_ipc(made.ipc).filter(pl.col("search_type") != VEHICLE)
    counts = people.group_by(KEYS).agg(n=pl.len()).collect()
    return {name: column.to_numpy() for name, column in counts.to_dict().items()}


def duckdb_store(made: Made) -> Answer:
    """DuckDB on its own file."""
    import duckdb

    with duckdb.connect(str(made.duckdb), read_only=True) as connection:
        connection.execute("set threads = 2")
        sql = f"select {', '.join(KEYS)}, count(*) n from searches where search_type <> {VEHICLE} group by all"
        return dict(connection.execute(sql).fetchnumpy())


# From Parquet --------------------------------------------------------------------------------------------------------


def disprop_parquet(made: Made) -> dp.Tally:
    """From paths to the tally."""
    return dp.tally(made.shuffled, by=BY)


def polars_parquet(made: Made) -> pa.Table:
    """Polars, streaming, by the file's own labels and the UK clock."""
    import polars as pl

    local = pl.col("event_time").dt.convert_time_zone("Europe/London")
    people = pl.scan_parquet(made.shuffled / "*.parquet").filter(pl.col("search_type") != "Vehicle search")
    month = (local.dt.year().cast(pl.Int32) - 1970) * 12 + local.dt.month() - 1
    counts = people.with_columns(month=month).group_by(KEYS).agg(n=pl.len()).collect(engine="streaming")
    return counts.to_arrow()


def duckdb_parquet(made: Made) -> pa.Table:
    """DuckDB, the same."""
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    local = "timezone('Europe/London', event_time)"
    found = connection.sql(
        f"select force, (year({local}) - 1970) * 12 + month({local}) - 1 as month, area, ethnicity_self,"
        f" count(*) as n from read_parquet('{made.shuffled}/*.parquet') where search_type <> 'Vehicle search'"
        " group by all"
    )
    return found.to_arrow_table()


# Every cell ----------------------------------------------------------------------------------------------------------


def agree(ours: dp.Tally, other: Answer | pa.Table) -> None:
    """Raise AssertionError unless every cell of both answers is equal; a table holds a rival's labels as they came."""
    coded = _from_labels(other) if isinstance(other, pa.Table) else other
    mine = _keys(ours)
    theirs = np.stack([coded[name].astype(np.int64) for name in (*KEYS, "n")])
    theirs = theirs[:, np.lexsort(theirs[3::-1])]
    same = np.flatnonzero(np.any(theirs[:4, 1:] != theirs[:4, :-1], axis=0)) + 1
    starts = np.concatenate([[0], same])
    n = np.add.reduceat(theirs[4], starts)
    np.testing.assert_array_equal(mine[:4], theirs[:4, starts])
    np.testing.assert_array_equal(mine[4], n)


def _keys(ours: dp.Tally) -> np.ndarray:
    """Force, month, area, ethnicity and count of each cell that is not empty, as the rivals number them, in order."""
    at, n = nonzero(ours.cells)
    force = np.array([codelist("force").index(code) for code in ours.axis("force").codes])[at[0]]
    month = np.array([(int(code[:4]) - 1970) * 12 + int(code[5:]) - 1 for code in ours.axis("month").codes])[at[1]]
    area = np.array([int(code[2:]) if code.startswith("SA") else 0xFFFF for code in ours.axis("area").codes])[at[2]]
    found = np.stack([force, month, area, at[3], n])
    return found[:, np.lexsort(found[3::-1])]


def _from_labels(table: pa.Table) -> Answer:
    frame = table.to_pandas()
    known = labels("ethnicity_19", "police.uk")
    codes = codelist("ethnicity_19").codes
    ethnicity = {
        text: codes.index(known[normalise(text)]) if isinstance(text, str) else codes.index("blank")
        for text in frame["ethnicity_self"].unique()
    }
    force = {text: codelist("force").index(text) for text in frame["force"].unique()}
    return {
        "force": frame["force"].astype(object).map(force).to_numpy(),
        "month": frame["month"].to_numpy(),
        "area": frame["area"].astype(object).str[2:].astype(np.int64).to_numpy(),
        "ethnicity_self": np.array([ethnicity[text] for text in frame["ethnicity_self"].astype(object)]),
        "n": frame["n"].to_numpy(),
    }


def peak_mib(folder: Path, wanted: Sequence[Sequence[str]]) -> int:
    """Most memory that a process of its own holds which makes these tallies and nothing else."""
    code = f"import sys, disprop; disprop.scan(sys.argv[1], {wanted!r}); print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True).stdout
    return int(told.partition("VmHWM:")[2].split()[0]) // 1024


Job = Callable[[Made], Any]
STORE_JOBS: dict[str, Job] = {"disprop": disprop_store, "polars ipc": polars_store, "duckdb": duckdb_store}
PARQUET_JOBS: dict[str, Job] = {
    "disprop": disprop_parquet, "polars parquet": polars_parquet, "duckdb parquet": duckdb_parquet,
}  # fmt: skip


def check(made: Made, jobs: dict[str, Job]) -> None:
    """Every rival's answer against ours, cell by cell."""
    ours = jobs["disprop"](made)
    for name, job in jobs.items():
        if name != "disprop":
            agree(ours, job(made))


@click.command(help=__doc__)
@click.option("--rows", type=float, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; what it holds is used again.")
@click.option("--rounds", default=5, show_default=True)
def main(rows: float, out: Path, rounds: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    made = make(out, rows=int(rows))
    for title, jobs in (("store", STORE_JOBS), ("parquet", PARQUET_JOBS)):
        check(made, jobs)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
        for _ in range(rounds):
            for name, job in jobs.items():
                wall, cpu = time.perf_counter(), time.process_time()
                job(made)
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        ours = [median(one) for one in zip(*times["disprop"])]
        for name, several in times.items():
            wall, cpu = (median(one) for one in zip(*several))
            click.echo(
                f"{title:8}{name:16} wall {wall:.3f} s ({wall / ours[0]:.2f} x ours), processor {cpu:.3f} s "
                f"({cpu / ours[1]:.2f} x ours)"
            )


if __name__ == "__main__":
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    main()
