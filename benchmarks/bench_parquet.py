"""Somebody else's Parquet to the full tally: force by London month by self-defined ethnicity, age and gender, each with
a count, the linked flag (yes, no, blank) and the body-worn video flag; dictionary strings, instants, rows in no order.

Rivals read the same files with two threads, keep the file's own labels and stop at their own result table; theirs is
mapped to codes, and every cell compared with ours, before the time counts. Ours is from paths to tallies with parts,
account and rules. The floor decodes the columns that the tally needs and does nothing else.
"""

import os
import threading

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from pyarrow import parquet

import disprop as dp
import disprop.io.parquet
from benchmarks.keyed import peak_mib
from benchmarks.make_records import make_plan, write_shuffled
from disprop.codelists import labels, normalise

ROUNDS = 5
AXES = ["ethnicity_self", "age_band", "gender"]
KEYS = ["force", "month", *AXES]
COUNTS = ["n", "linked_yes", "linked_no", "video_yes", "video_no"]
WANTED = [AXES, [*AXES, "linked"], [*AXES, "video_recorded"]]
TEXTS = ["force", "search_type", *AXES, "linked", "video_recorded"]
THREADS = 2
SIZES = os.environ.get("DISPROP_BENCH_ROWS", "2e7").split()
"""Numbers of invented records, apart by spaces."""


@pytest.fixture(scope="module")
def timed(request):
    return request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")


@pytest.fixture(scope="module", params=SIZES)
def rows(request, timed):
    """As many invented records as asked for when timing; a few otherwise, on the same road."""
    return int(float(request.param)) if timed else 30_000


@pytest.fixture(scope="module")
def folder(rows, timed, tmp_path_factory):
    home = tmp_path_factory.mktemp("parquet")
    write_shuffled(make_plan(rows=rows), home, workers=THREADS)
    with pytest.MonkeyPatch.context() as patch:
        if not timed:
            patch.setattr(disprop.io.parquet, "FEWEST_ROWS", 0)
        yield home / "parquet"


@pytest.fixture
def run(benchmark, rows):
    """Times a job and says what it is called on the page."""

    def timed_run(name, job, *arguments, warmup=1, **more):
        benchmark.group = f"full tally from somebody else's Parquet, {rows:,} rows"
        benchmark.extra_info["run"] = name
        benchmark.pedantic(job, args=arguments, kwargs=more, rounds=ROUNDS, warmup_rounds=warmup)

    return timed_run


# Answers


def by_disprop(folder):
    return dp.scan(folder, WANTED)


def by_polars(folder, *, engine="streaming", month=None):
    """Counts by the file's own labels; the month by the UK clock unless the file's own is taken."""
    local = pl.col("event_time").dt.convert_time_zone("Europe/London")
    found = pl.scan_parquet(folder / "*.parquet").filter(pl.col("search_type") != "Vehicle search")
    month = (local.dt.year().cast(pl.Int32) - 1970) * 12 + local.dt.month() - 1 if month is None else pl.col(month)
    return (
        found.with_columns(month=month)
        .group_by(KEYS)
        .agg(
            n=pl.len(),
            linked_yes=(pl.col("linked") == "True").sum(),
            linked_no=(pl.col("linked") == "False").sum(),
            video_yes=(pl.col("video_recorded") == "yes").sum(),
            video_no=(pl.col("video_recorded") == "no").sum(),
        )
        .collect(engine=engine)
    )


def by_duckdb(folder, *, month=None):
    """The same."""
    connection = duckdb.connect(config={"threads": THREADS})
    local = "timezone('Europe/London', event_time)"
    month = month or f"((year({local}) - 1970) * 12 + month({local}) - 1)"
    return connection.sql(
        f"select force, {month} as month, {', '.join(AXES)}, count(*) as n,"
        " count(*) filter (linked = 'True') as linked_yes, count(*) filter (linked = 'False') as linked_no,"
        " count(*) filter (video_recorded = 'yes') as video_yes, count(*) filter (video_recorded = 'no') as video_no"
        f" from read_parquet('{folder}/*.parquet') where search_type <> 'Vehicle search' group by all"
    ).to_arrow_table()


RIVALS = {
    "polars, streaming": by_polars,
    "polars, in memory": lambda folder: by_polars(folder, engine="in-memory"),
    "polars, month of the file": lambda folder: by_polars(folder, month="month"),
    "duckdb": by_duckdb,
    "duckdb, month of the file": lambda folder: by_duckdb(folder, month="month"),
}


def our_cells(tallies):
    """One row a cell that is not empty, with its five counts."""
    base, linked, video = (tally.frame() for tally in tallies)
    found = base.set_index(KEYS)
    for flag, frame in (("linked", linked), ("video", video)):
        column = "linked" if flag == "linked" else "video_recorded"
        for word in ("yes", "no"):
            found[f"{flag}_{word}"] = frame[frame[column] == word].set_index(KEYS)["n"]
    return found.fillna(0).astype(np.int64).sort_index()


def rival_cells(result):
    """A rival's table with codes for its labels, in the same form."""
    frame = result.to_pandas()
    frame["month"] = [f"{1970 + month // 12:04d}-{month % 12 + 1:02d}" for month in frame["month"].astype(int)]
    for axis, of in zip(["force", *AXES], ["force", "ethnicity_5", "age_band", "gender"]):
        known = labels(of, "police.uk")
        texts = frame[axis].astype(object).where(frame[axis].notna(), "")
        frame[axis] = texts.map({text: known[normalise(text)] for text in texts.unique()})
    return frame.groupby(KEYS)[COUNTS].sum().astype(np.int64).sort_index()


@pytest.fixture(scope="module")
def answer(folder):
    return our_cells(by_disprop(folder))


def test_ours(benchmark, run, folder, timed):
    """And the most memory that a process of its own holds."""
    run("disprop", by_disprop, folder)
    if timed:
        benchmark.extra_info["peak_mib"] = peak_mib(folder, WANTED)


@pytest.mark.parametrize("name", RIVALS)
def test_rivals(run, folder, answer, name):
    """Every cell of the answer is compared before the time counts."""
    pd.testing.assert_frame_equal(rival_cells(RIVALS[name](folder)), answer)
    run(name, RIVALS[name], folder, warmup=0)


def decode(folder):
    """Two threads over alternate row groups, dictionaries kept, nothing else."""
    files = sorted(folder.glob("*.parquet"))
    groups = [(file, group) for file in files for group in range(parquet.read_metadata(file).num_row_groups)]

    def work(mine):
        for file, group in mine:
            reader = parquet.ParquetFile(file, read_dictionary=TEXTS)
            for _ in reader.iter_batches(
                row_groups=[group], columns=[*TEXTS, "month", "event_time"], use_threads=False
            ):
                pass

    several = [threading.Thread(target=work, args=(groups[at::THREADS],)) for at in range(THREADS)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()


def test_floor(run, folder):
    run("floor: decoding alone", decode, folder)


# A cluster


@pytest.fixture(scope="module")
def client():
    from distributed import Client, LocalCluster

    settings = {"n_workers": THREADS, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster, set_as_default=False) as connected:
        yield connected


def test_on_a_cluster(run, folder, client):
    """Two workers of one thread, already up; the tallies are those made here, to the last cell and part."""
    for counted, here in zip(dp.scan(folder, WANTED, client=client), by_disprop(folder)):
        assert counted == here
    run("two workers of Dask", dp.scan, folder, WANTED, client=client)
