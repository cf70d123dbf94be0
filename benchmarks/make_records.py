"""Make invented search records at any size: partitioned Parquet, and the monthly public CSV.

    python -m benchmarks.make_records --rows 1e8 --out DIR

Everything written is SYNTHETIC. The force codes are those of the 43 territorial forces, so that every code of the axis
is met; sizes, rates and all else are drawn (`disprop.synthetic.make_forces`) and say nothing about any of them. The
same arguments give the same rows, whatever the number of workers. Memory is bounded by what the workers hold at a time,
one force-month or one row group each.

Layouts. Sorted (default): `parquet/<year>/<year>-<force>.parquet`, months in order and times in order within each.
Shuffled: `parquet/part-00000.parquet` and so on, ROW_GROUP rows each, in no order at all, as other people's files are.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from disprop.codelists import forces
from disprop.errors import UsageError
from disprop.months import month_label, month_number
from disprop.synthetic import NOTICE, make_forces
from disprop.synthetic.draw import N_PLACES, Chances, chances, describe, expected_searches, instants, places, stream
from disprop.synthetic.records import police_uk_csv, record_batch, truth_json
from disprop.synthetic.truth import Truth

ROW_GROUP = 1 << 20
N_SMALL_AREAS = 35_672
PERSONS_FROM = 1 << 40
"""Added to the numbers of people, so that no officer has a person's key."""
REAL_CODES = "The force codes are those of real forces; the records are random and no force made them.\n"


@dataclass(frozen=True)
class Plan:
    """What to make, and what every record is drawn from.

    `weights[force, month, kind]` adds to 1. `pools` has an entry for each column wanted beside the canonical ones:
    where the members (areas, officers, people) of each force, or of each force and kind, start.
    """

    rows: int
    seed: int
    months: range
    truths: tuple[Truth, ...]
    ready: Chances
    coordinates: np.ndarray
    weights: np.ndarray
    pools: dict[str, np.ndarray]

    @property
    def force_codes(self) -> pa.Array:
        return pa.array([truth.force for truth in self.truths])


def make_plan(
    *, rows: int, seed: int = 1, first: str = "2015-04", n_months: int = 120, small_areas: bool = False,
    officers: int = 0, persons: int = 0,
) -> Plan:  # fmt: skip
    """The plan of one data set; raises UsageError when `first` is not a month, or for too few officers or persons."""
    codes = [code for code, force in forces().items() if force.pfa_code]
    truths = tuple(replace(t, force=code, name=f"{code} (invented)") for t, code in zip(make_forces(len(codes)), codes))
    months = range(month_number(first), month_number(first) + n_months)
    expected = np.array([[expected_searches(truth, month) for month in months] for truth in truths])
    spread = truths[0].month_dispersion
    expected *= stream(seed, "months").gamma(1 / spread, spread, expected.shape)
    weights = expected / expected.sum()
    wanted = {"small_area": N_SMALL_AREAS if small_areas else 0, "officer_key": officers, "person_key": persons}
    return Plan(
        rows=rows,
        seed=seed,
        months=months,
        truths=truths,
        ready=chances(truths[0]),
        coordinates=np.vstack([places(code) for code in codes]),
        weights=weights,
        pools={name: _pools(weights, total, by_kind=name == "person_key") for name, total in wanted.items() if total},
    )


def _pools(weights: np.ndarray, total: int, *, by_kind: bool) -> np.ndarray:
    """Where the members of each force (or each force and kind) start, and at the end where the last stop.

    Every pool has a member; nobody is in those of vehicle-only searches. Raises UsageError for fewer than pools.
    """
    shares = weights.sum(axis=1)
    shares[:, -1] = 0
    shares = (shares if by_kind else shares.sum(axis=1)).reshape(-1)
    if total < len(shares):
        raise UsageError(f"{total} officers, people or areas for {len(shares)} pools of them; ask for at least as many")
    sizes = np.where(shares > 0, np.maximum(np.rint(shares / shares.sum() * total), 1), 0).astype(np.int64)
    sizes[sizes.argmax()] += total - sizes.sum()
    return np.concatenate([[0], np.cumsum(sizes)])


# Records -------------------------------------------------------------------------------------------------------------


def records(
    plan: Plan, rng: np.random.Generator, *, force: np.ndarray, month: np.ndarray, kind: np.ndarray, in_order: bool
) -> pa.RecordBatch:
    """One record for each force (position), month (number) and kind, in order of time if asked."""
    columns = describe(rng, plan.ready, kind)
    times = instants(rng, plan.ready, month)
    extra = _extra(plan, rng, force, kind)
    if in_order:
        order = np.argsort(times, kind="stable")  # every record of the batch has the same force and month
        times, columns = times[order], {name: values[order] for name, values in columns.items()}
        extra = {name: values.take(pa.array(order)) for name, values in extra.items()}
    place = columns["place"].astype(np.int64)
    columns["place"] = np.where(place == N_PLACES, len(plan.coordinates), force * N_PLACES + place)
    labels = pa.DictionaryArray.from_arrays(pa.array(force.astype(np.int32)), plan.force_codes)
    batch = record_batch(plan.ready, columns, force=labels, month=month, times=times, coordinates=plan.coordinates)
    for name, values in extra.items():
        batch = batch.append_column(name, values)
    return batch


def _extra(plan: Plan, rng: np.random.Generator, force: np.ndarray, kind: np.ndarray) -> dict[str, pa.Array]:
    """The columns asked for beside the canonical ones; a vehicle-only search has no person."""
    extra: dict[str, pa.Array] = {}
    kinds = plan.weights.shape[2]
    if "small_area" in plan.pools:
        extra["small_area"] = _small_areas(_pick(rng, plan.pools["small_area"], force, skew=1.5))
    if "officer_key" in plan.pools:
        extra["officer_key"] = pa.array(_scramble(_pick(rng, plan.pools["officer_key"], force, skew=2)))
    if "person_key" in plan.pools:
        person = _pick(rng, plan.pools["person_key"], force * kinds + kind, skew=1)
        extra["person_key"] = pa.array(_scramble(person + PERSONS_FROM), mask=kind == kinds - 1)
    return extra


def _pick(rng: np.random.Generator, pools: np.ndarray, of: np.ndarray, *, skew: float) -> np.ndarray:
    """A member of each record's pool; with skew above 1 the first members are the busiest."""
    size = np.diff(pools)
    return pools[of] + (rng.random(len(of)) ** skew * size[of]).astype(np.int64)


def _scramble(numbers: np.ndarray) -> np.ndarray:
    """Distinct numbers to distinct 64-bit keys that look like hashes (the finisher of SplitMix64)."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _small_areas(area: np.ndarray) -> pa.DictionaryArray:
    """Labels SA00000 upwards, the dictionary cut to the range that occurs."""
    first, last = (int(area.min()), int(area.max())) if len(area) else (0, 0)
    labels = pa.array([f"SA{number:05d}" for number in range(first, last + 1)])
    return pa.DictionaryArray.from_arrays(pa.array((area - first).astype(np.int32)), labels)


# Files ---------------------------------------------------------------------------------------------------------------


def write_sorted(plan: Plan, folder: Path, *, csv: bool, workers: int) -> None:
    """One Parquet file a force and calendar year, and if asked one CSV a force and month."""
    shape = plan.weights.shape
    counts = stream(plan.seed, "cells").multinomial(plan.rows, plan.weights.reshape(-1)).reshape(shape)
    years = sorted({month_label(month)[:4] for month in plan.months})
    tasks = [
        partial(_write_force_year, plan, folder, counts[at], at, year, csv) for at in range(shape[0]) for year in years
    ]
    _run(tasks, workers)


def _write_force_year(plan: Plan, folder: Path, counts: np.ndarray, at: int, year: str, csv: bool) -> None:
    code = plan.truths[at].force
    months = [month for month in plan.months if month_label(month).startswith(year)]
    batches = (_force_month(plan, at, month, counts[month - plan.months[0]]) for month in months)
    path = folder / "parquet" / year / f"{year}-{code}.parquet"
    _write_parquet(path, _and_csv(months, batches, folder / "csv", code) if csv else batches)


def _force_month(plan: Plan, at: int, month: int, counts: np.ndarray) -> pa.RecordBatch:
    kind = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    force, months = np.full(len(kind), at, dtype=np.int64), np.full(len(kind), month, dtype=np.int32)
    rng = stream(plan.seed, plan.truths[at].force, month)
    return records(plan, rng, force=force, month=months, kind=kind, in_order=True)


def _and_csv(
    months: Sequence[int], batches: Iterator[pa.RecordBatch], folder: Path, code: str
) -> Iterator[pa.RecordBatch]:
    """The batches, each written as a public monthly file on the way; an empty month is a file with a header only."""
    for month, batch in zip(map(month_label, months), batches):
        path = folder / month / f"{month}-{code}-stop-and-search.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(police_uk_csv(batch))
        yield batch


def write_shuffled(plan: Plan, folder: Path, *, workers: int) -> None:
    """Files of ROW_GROUP rows (the last may have fewer), rows in no order."""
    sizes = [min(ROW_GROUP, plan.rows - start) for start in range(0, plan.rows, ROW_GROUP)]
    cells = np.cumsum(plan.weights.reshape(-1))
    _run([partial(_write_part, plan, folder, cells, i, n) for i, n in enumerate(sizes)], workers)


def _write_part(plan: Plan, folder: Path, cells: np.ndarray, i: int, rows: int) -> None:
    rng = stream(plan.seed, "part", i)
    cell = np.minimum(np.searchsorted(cells, rng.random(rows), side="right"), len(cells) - 1)
    force, month, kind = np.unravel_index(cell, plan.weights.shape)
    batch = records(
        plan,
        rng,
        force=force,
        month=(month + plan.months[0]).astype(np.int32),
        kind=kind.astype(np.uint8),
        in_order=False,
    )
    _write_parquet(folder / "parquet" / f"part-{i:05d}.parquet", iter([batch]))


def _write_parquet(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    """Batches as one file, in row groups of at least a quarter of ROW_GROUP rows where there are so many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = next(batches)
    with parquet.ParquetWriter(path, first.schema) as writer:
        held = [first]
        for batch in batches:
            held.append(batch)
            if sum(b.num_rows for b in held) >= ROW_GROUP // 4:
                writer.write_table(_joined(held))
                held = []
        if held:
            writer.write_table(_joined(held))


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """One table whose dictionaries are the same from start to end, as a row group wants them."""
    return pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()


def _run(tasks: Sequence[Callable[[], None]], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def _write_notes(plan: Plan, folder: Path) -> None:
    (folder / "SYNTHETIC.txt").write_text(f"{NOTICE}\n{REAL_CODES}", encoding="utf-8", newline="\n")
    months = [month_label(month) for month in plan.months]
    (folder / "truth.json").write_text(truth_json(plan.truths, months, plan.seed), encoding="utf-8", newline="\n")


# Command -------------------------------------------------------------------------------------------------------------


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--rows", type=float, required=True, help="How many records, for instance 1e8.")
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@click.option("--seed", default=1, show_default=True)
@click.option("--from", "first", default="2015-04", show_default=True, help="First month.")
@click.option("--months", "n_months", default=120, show_default=True, help="How many months.")
@click.option("--shuffled", is_flag=True, help="Rows in no order, in numbered files.")
@click.option("--csv", is_flag=True, help="Monthly public CSV too (about 240 bytes a row).")
@click.option("--small-areas", is_flag=True, help=f"Add small_area ({N_SMALL_AREAS:,} codes).")
@click.option("--officers", default=0, help="Add officer_key: this many officers, some far busier than others.")
@click.option("--persons", default=0, help="Add person_key: this many people, each of one force and group.")
@click.option("--workers", default=2, show_default=True, help="Threads.")
def main(
    rows: float, folder: Path, seed: int, first: str, n_months: int, shuffled: bool, csv: bool, small_areas: bool,
    officers: int, persons: int, workers: int,
) -> None:  # fmt: skip
    if csv and shuffled:
        raise click.UsageError("--csv and --shuffled contradict each other: monthly files are in order")
    if rows < 1 or rows != int(rows):
        raise click.UsageError(f"--rows {rows:g}: give a whole number of at least 1")
    start = time.perf_counter()
    try:
        plan = make_plan(
            rows=int(rows),
            seed=seed,
            first=first,
            n_months=n_months,
            small_areas=small_areas,
            officers=officers,
            persons=persons,
        )
    except UsageError as why:
        raise click.UsageError(str(why)) from None
    folder.mkdir(parents=True, exist_ok=True)
    _write_notes(plan, folder)
    if shuffled:
        write_shuffled(plan, folder, workers=workers)
    else:
        write_sorted(plan, folder, csv=csv, workers=workers)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(f"{plan.rows:,} rows, {size / 1e6:,.0f} MB, {time.perf_counter() - start:.1f} s, peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
