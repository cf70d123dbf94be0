"""Tallies from the record store, beside other engines that give the same answer from the best format of their own.

    python -m benchmarks.store --rows 2e7 --out DIR

prints interleaved medians, wall and processor time; `make bench` runs the same jobs.

The rivals get less to do: their codes are the canonical ones already (ours are label codes, bound while counting),
they count no parts and no account. They have the same rows in the same order, one byte a code, and two threads.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
import numpy as np

import disprop as dp
from disprop.codelists import code_lookup, codelist
from disprop.fused import plan_fused
from disprop.fused.arrays import scan_arrays
from disprop.io.store import add, compact, open_store, sources
from disprop.records import VEHICLE_ONLY, axis_spec
from disprop.tallies import Scope

if TYPE_CHECKING:
    import polars as pl

FULL = (("ethnicity_self", "age_band", "gender", "linked"), ("ethnicity_self", "age_band", "gender", "video_recorded"))
SMALL = (("ethnicity_self", "linked"),)
COLUMNS = ("ethnicity_self", "age_band", "gender", "linked", "video_recorded", "search_type")
YES, NO = codelist("flag").index("yes"), codelist("flag").index("no")
VEHICLE = codelist("search_type").index(VEHICLE_ONLY)

Answer = dict[str, np.ndarray]


@dataclass(frozen=True)
class Made:
    """The same records as a store and as the rivals' files."""

    store: Path
    ipc: Path
    parquet: Path
    duckdb: Path
    forces: tuple[str, ...]
    first_month: int
    months: int


def make(folder: Path, *, rows: int, months: int = 120, rivals: bool = True) -> Made:
    """Invent records and write them in every format; a folder that holds them already is used as it is."""
    made = Made(folder / "store", folder / "r.arrow", folder / "r.parquet", folder / "r.duckdb", (), 0, months)
    make_store(folder, rows=rows, months=months)
    if rivals and not made.duckdb.exists():
        _write_rivals(made)
    parts = open_store(made.store).parts
    forces = tuple(code for code in codelist("force").codes if code in set(parts["force"].tolist()))
    return Made(*list(vars(made).values())[:4], forces, int(parts["month"].min()), months)


def make_store(folder: Path, *, rows: int, months: int) -> Path:
    """A compacted store of invented records, unless the folder has one already."""
    from benchmarks.make_records import make_plan, write_sorted

    store, done = folder / "store", folder / "store is made"
    if not done.exists():
        shutil.rmtree(store, ignore_errors=True)
        write_sorted(make_plan(rows=rows, n_months=months), folder / "made", csv=False, workers=2)
        add(store, *sources([folder / "made" / "parquet"]))
        shutil.rmtree(folder / "made")
        compact(store, grace_days=0)
        done.touch()
    return store


def _write_rivals(made: Made) -> None:
    import duckdb
    import polars as pl

    frame = pl.DataFrame(_canonical(made.store))
    frame.write_ipc(made.ipc, compression="uncompressed")
    frame.write_parquet(made.parquet)
    with duckdb.connect(str(made.duckdb)) as connection:
        connection.execute(f"create table searches as select * from read_parquet('{made.parquet}')")


def _canonical(path: Path) -> dict[str, np.ndarray]:
    """Canonical codes of every record, by force and month: one byte each, months two."""
    store = open_store(path)
    specs = [axis_spec(name) for name in COLUMNS]
    tables = {
        spec.column: code_lookup(spec.codelist, store.scheme, store.labels(spec.column)).astype(np.uint8)
        for spec in specs
    }
    out = {name: np.empty(store.account.read, np.uint8) for name in ("force", *COLUMNS)}
    out["month"] = np.empty(store.account.read, np.uint16)
    at = 0
    for row in store.rows():
        codes = store.codes(row, {"month": "month", **dict.fromkeys(COLUMNS, "label")})
        here = slice(at, at + row["records"])
        out["force"][here] = codelist("force").index(row["force"])
        out["month"][here] = codes["month"]
        for name in COLUMNS:
            out[name][here] = tables[name][codes[name]]
        at += row["records"]
    return out


# The full tally ------------------------------------------------------------------------------------------------------


def disprop_full(made: Made) -> list[dp.Tally]:
    """Open the store, scan, build both tallies."""
    return dp.scan(open_store(made.store), FULL)


_FULL_SQL = f"""
    select force, month, ethnicity_self, age_band, gender, count(*) n,
      count(*) filter (linked = {YES}) linked_yes, count(*) filter (linked = {NO}) linked_no,
      count(*) filter (video_recorded = {YES}) video_yes, count(*) filter (video_recorded = {NO}) video_no
    from {{0}} where search_type <> {VEHICLE} group by all"""


def duckdb_full(made: Made) -> Answer:
    """DuckDB on its own file."""
    return _duckdb(made, _FULL_SQL.format("searches"))


def duckdb_parquet_full(made: Made) -> Answer:
    """DuckDB on Parquet."""
    return _duckdb(made, _FULL_SQL.format(f"read_parquet('{made.parquet}')"))


def _duckdb(made: Made, sql: str) -> Answer:
    import duckdb

    with duckdb.connect(str(made.duckdb), read_only=True) as connection:
        connection.execute("set threads = 2")
        return dict(connection.execute(sql).fetchnumpy())


def polars_full(made: Made) -> Answer:
    """Polars on an uncompressed Arrow IPC file, mapped."""
    import polars as pl

    return _polars_full(pl.scan_ipc(made.ipc))


def polars_parquet_full(made: Made) -> Answer:
    """Polars on Parquet."""
    import polars as pl

    return _polars_full(pl.scan_parquet(made.parquet))


def _polars_full(lazy: pl.LazyFrame) -> Answer:
    import polars as pl

    linked, video = pl.col("linked"), pl.col("video_recorded")
    counts = (
        lazy.filter(pl.col("search_type") != VEHICLE)
        .group_by("force", "month", "ethnicity_self", "age_band", "gender")
        .agg(
            n=pl.len(),
            linked_yes=(linked == YES).sum(),
            linked_no=(linked == NO).sum(),
            video_yes=(video == YES).sum(),
            video_no=(video == NO).sum(),
        )
    )
    return {name: column.to_numpy() for name, column in counts.collect().to_dict().items()}


def agree_full(made: Made, ours: list[dp.Tally], other: Answer) -> None:
    """Raise AssertionError unless every cell of both answers is equal."""
    linked, video = (tally.counts for tally in ours)
    for name, counts in {
        "n": linked.sum(axis=-1),
        "linked_yes": linked[..., YES],
        "linked_no": linked[..., NO],
        "video_yes": video[..., YES],
        "video_no": video[..., NO],
    }.items():
        at = _positions(made, other, ("ethnicity_self", "age_band", "gender"))
        dense = np.zeros(counts.shape, dtype=np.int64)
        dense[at] = other[name]
        np.testing.assert_array_equal(dense, counts, err_msg=name)


def _positions(made: Made, other: Answer, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    place = {codelist("force").index(code): i for i, code in enumerate(made.forces)}
    force = np.array([place[int(code)] for code in other["force"]])
    return (
        force,
        other["month"].astype(np.int64) - made.first_month,
        *(other[name].astype(np.int64) for name in names),
    )


# The small tally -----------------------------------------------------------------------------------------------------


def disprop_small(made: Made) -> list[dp.Tally]:
    """Force and month by ethnicity and find."""
    return dp.scan(open_store(made.store), SMALL)


def duckdb_small(made: Made) -> Answer:
    """Force by ethnicity and find, DuckDB on its own file."""
    where = f"where search_type <> {VEHICLE}"
    return _duckdb(made, f"select force, ethnicity_self, linked, count(*) n from searches {where} group by all")


def polars_small(made: Made) -> Answer:
    """Force by ethnicity and find, Polars on mapped Arrow IPC."""
    import polars as pl

    people = pl.scan_ipc(made.ipc).filter(pl.col("search_type") != VEHICLE)
    counts = people.group_by("force", "ethnicity_self", "linked").agg(n=pl.len()).collect()
    return {name: column.to_numpy() for name, column in counts.to_dict().items()}


def agree_small(made: Made, ours: list[dp.Tally], other: Answer) -> None:
    """Raise AssertionError unless every cell of both answers is equal."""
    counts = ours[0].counts.sum(axis=1)
    other = {**other, "month": np.full(len(other["n"]), made.first_month)}
    force, _, ethnicity, linked = _positions(made, other, ("ethnicity_self", "linked"))
    dense = np.zeros(counts.shape, dtype=np.int64)
    dense[force, ethnicity, linked] = other["n"]
    np.testing.assert_array_equal(dense, counts)


# The floor -----------------------------------------------------------------------------------------------------------


def floor_full(made: Made) -> int:
    """Two threads that only add up the bytes that the full tally needs, as 8-byte numbers, through a fresh mapping."""
    return _floor(made, FULL)


def floor_small(made: Made) -> int:
    """The same for the small tally."""
    return _floor(made, SMALL)


def _floor(made: Made, wanted: tuple[tuple[str, ...], ...]) -> int:
    specs = [tuple(axis_spec(name) for name in by) for by in wanted]
    plan = plan_fused(open_store(made.store), specs, Scope(), vehicle_only=False)
    assert plan is not None
    scan = scan_arrays(plan)
    runs = []
    for c in range(len(plan.read_columns)):
        start, width = scan.columns[:, c, 0], scan.columns[:, c, 1]
        order = np.lexsort((start, scan.parts[:, 0]))
        stop = (start + width * scan.parts[:, 1])[order]
        fresh = np.flatnonzero(np.append(True, start[order][1:] != stop[:-1]))  # where no part stands just before
        for first, last in zip(fresh, [*fresh[1:] - 1, len(order) - 1]):
            file = scan.files[scan.parts[order[first], 0]]
            runs.append(file[start[order[first]] // 8 * 8 : stop[last] // 8 * 8].view(np.uint64))
    with ThreadPoolExecutor(2) as pool:
        return int(sum(pool.map(lambda run: int(run.sum()), runs)))


Job = Callable[[Made], Any]
FULL_JOBS: dict[str, Job] = {
    "disprop": disprop_full,
    "polars ipc": polars_full,
    "polars parquet": polars_parquet_full,
    "duckdb": duckdb_full,
    "duckdb parquet": duckdb_parquet_full,
    "floor": floor_full,
}
SMALL_JOBS: dict[str, Job] = {
    "disprop": disprop_small, "polars ipc": polars_small, "duckdb": duckdb_small, "floor": floor_small,
}  # fmt: skip


def check(made: Made, jobs: dict[str, Job], *, full: bool) -> None:
    """Every rival's answer against ours, cell by cell."""
    agree = agree_full if full else agree_small
    ours = jobs["disprop"](made)
    for name, job in jobs.items():
        if name not in ("disprop", "floor"):
            agree(made, ours, job(made))


@click.command(help=__doc__)
@click.option("--rows", type=float, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; what it holds is used again.")
@click.option("--rounds", default=7, show_default=True)
def main(rows: float, out: Path, rounds: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    made = make(out, rows=int(rows))
    for title, jobs in (("full", FULL_JOBS), ("small", SMALL_JOBS)):
        check(made, jobs, full=title == "full")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
        for _ in range(rounds):
            for name, job in jobs.items():
                wall, cpu = time.perf_counter(), time.process_time()
                job(made)
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        ours = [median(one) for one in zip(*times["disprop"])]
        for name, several in times.items():
            wall, cpu = (median(one) for one in zip(*several))
            least = min(one for one, _ in several), min(one for _, one in several)
            click.echo(
                f"{title:6}{name:16} wall {wall:.3f} s ({wall / ours[0]:.2f} x ours), processor {cpu:.3f} s "
                f"({cpu / ours[1]:.2f} x ours), least {least[0]:.3f} and {least[1]:.3f} s"
            )


if __name__ == "__main__":
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    main()
