"""Searches to footage: tier, clips, seconds covered and covered from the start, by either officer or by reference.

A year of invented rows in no order: nine searches in ten lie near a clip of one of their officers, a quarter share its
reference, clips last ten minutes on average. In the skewed case one officer has 5% of all rows. Rivals take the same
arrays with two threads. DuckDB's answer is compared with ours, record by record, before the time counts; it gives no
reasons, ours does. Polars' `join_asof` gives the nearest start alone, so it is timed for less than the full answer.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from disprop.linkage import Clips, Events, Links, LinkSettings, link

ROUNDS = 5
THREADS = 2
YEAR = 365 * 86_400
BEGINS = 1_546_300_800
ODD = np.uint64(0x9E3779B97F4A7C15)
SETTINGS = LinkSettings()
SKEWS = {"even": 0.0, "one officer on 5% of rows": 0.05}


class Rows(NamedTuple):
    """What is linked."""

    events: Events
    clips: Clips


def make(n: int, m: int, *, officers: int, skew: float = 0.0, seed: int = 1, span: int = YEAR) -> Rows:
    """n searches and m clips of a year, or of `span` seconds."""
    rng = np.random.default_rng(seed)

    def keys(size: int) -> np.ndarray:
        drawn = rng.integers(1, officers + 1, size)
        return np.where(rng.random(size) < skew, 1, drawn).astype(np.uint64) * ODD

    def references(size: int, share: float) -> np.ndarray:
        return np.where(rng.random(size) < share, rng.integers(1, 1 << 62, size), 0).astype(np.uint64)

    none = np.zeros(m, dtype=np.int64)
    start = BEGINS + rng.integers(0, span, m)
    end = start + rng.exponential(600, m).astype(np.int64)
    clips = Clips(start, end, keys(m), references(m, 0.5), rng.integers(0, 4, m).astype(np.int16), none)
    source = rng.integers(0, m, n)
    near, own, second, same = (rng.random(n) < share for share in (0.9, 0.85, 0.5, 0.6))
    time = np.where(near, start[source] + rng.integers(-600, 1200, n), BEGINS + rng.integers(0, span, n))
    officer = np.where(near & own, clips.officer[source], keys(n))
    other = np.where(second, np.where(own, keys(n), clips.officer[source]), 0).astype(np.uint64)
    reference = np.where(near & same, clips.reference[source], references(n, 0.8))
    return Rows(Events(time, officer, other, reference, rng.integers(-1, 2, n).astype(np.int8)), clips)


@pytest.fixture(scope="module", params=SKEWS)
def rows(request):
    """2 million searches and 8 million clips of 100,000 officers when timing; a few otherwise, made the same way."""
    timed = request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")
    n, m, officers = (2_000_000, 8_000_000, 100_000) if timed else (4_000, 16_000, 200)
    return request.param, make(n, m, officers=officers, skew=SKEWS[request.param])


# Answers


def by_disprop(rows: Rows) -> Links:
    return link(rows.events, rows.clips, SETTINGS, threads=THREADS)


DUCKDB = """
with near as (
    select r.row, c.clip, 2 as tier, c.start_at, c.end_at, r.time from records r join clips c
      on r.officer = c.officer and c.start_at <= r.time + {before} and c.end_at >= r.time - {after}
    union all
    select r.row, c.clip, 3, c.start_at, c.end_at, r.time from records r join clips c
      on r.other_officer = c.officer
        and c.start_at <= r.time + {another_before} and c.end_at >= r.time - {another_after}
      where r.other_officer <> r.officer
    union all
    select r.row, c.clip, 1, c.start_at, c.end_at, r.time from records r join clips c on r.reference = c.reference
      where (c.officer = r.officer or c.officer = r.other_officer)
        and c.start_at <= r.time + {within} and c.end_at >= r.time - {within}
), linked as (
    select row, clip, min(tier) as tier, any_value(start_at) as start_at, any_value(end_at) as end_at,
      any_value(time) as time from near group by row, clip
), reached as (
    select row, tier, start_at <= time and time < end_at as running, greatest(start_at, time - {after}) as low,
      least(end_at, time + {before}) as high,
      max(least(end_at, time + {before})) over
        (partition by row order by start_at, clip rows between unbounded preceding and 1 preceding) as covered
    from linked
)
select row, min(tier)::utinyint as tier, count(*)::usmallint as clips,
  sum(greatest(high - greatest(low, coalesce(covered, low)), 0))::uinteger as seconds, bool_or(running) as from_start
from reached group by row
"""


def duckdb_with(rows: Rows) -> duckdb.DuckDBPyConnection:
    """A connection that has the rows as tables of its own; keys of 0 are null."""
    connection = duckdb.connect(config={"threads": THREADS})
    events, clips = rows

    def key(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=values == 0)

    given = {
        "records": {
            "row": np.arange(len(events)),
            "time": events.time,
            "officer": key(events.officer),
            "other_officer": key(events.other_officer),
            "reference": key(events.reference),
        },
        "clips": {
            "clip": np.arange(len(clips)),
            "start_at": clips.start,
            "end_at": clips.end,
            "officer": key(clips.officer),
            "reference": key(clips.reference),
        },
    }
    for name, columns in given.items():
        connection.register("given", pa.table(columns))
        connection.execute(f"create table {name} as select * from given")
    return connection


def by_duckdb(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    limits = {
        "before": SETTINGS.before,
        "after": SETTINGS.after,
        "another_before": SETTINGS.another_before,
        "another_after": SETTINGS.another_after,
        "within": SETTINGS.reference_within,
    }
    return connection.sql(DUCKDB.format(**limits)).to_arrow_table()


def check(links: Links, table: pa.Table) -> None:
    """Every record has the same answer."""
    row = table["row"].to_numpy()
    assert np.array_equal(np.sort(row), np.flatnonzero(links.tier))
    for name in ("tier", "clips", "seconds", "from_start"):
        assert np.array_equal(table[name].to_numpy().astype(np.int64), getattr(links, name)[row].astype(np.int64)), name


def polars_with(rows: Rows) -> tuple[pl.DataFrame, pl.DataFrame]:
    events, clips = rows
    return (
        pl.DataFrame({"officer": events.officer, "time": events.time}),
        pl.DataFrame({"officer": clips.officer, "start": clips.start, "clip": np.arange(len(clips))}),
    )


def by_polars(frames: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    """The nearest start to each record, of its officer. Sorting is part of the work: `join_asof` asks for it."""
    records, clips = (frame.sort(time) for frame, time in zip(frames, ("time", "start")))
    return records.join_asof(
        clips, left_on="time", right_on="start", by="officer", strategy="nearest", check_sortedness=False
    )


@pytest.fixture(scope="module")
def answer(rows):
    return by_disprop(rows[1])


def timed(benchmark, rows, name: str, work: Callable, *arguments: object, rounds: int = ROUNDS) -> object:
    benchmark.group = f"searches to footage, {rows[0]}"
    benchmark.extra_info["run"] = name
    return benchmark.pedantic(work, args=arguments, rounds=rounds, warmup_rounds=rounds > 1)


def test_disprop(benchmark, rows):
    timed(benchmark, rows, "disprop", by_disprop, rows[1])


def test_duckdb_range_join(benchmark, rows, answer):
    connection = duckdb_with(rows[1])
    check(answer, by_duckdb(connection))
    once = 1 if SKEWS[rows[0]] else ROUNDS  # a skewed range join takes it more than a minute
    timed(benchmark, rows, "duckdb", by_duckdb, connection, rounds=once)


def test_polars_join_asof(benchmark, rows, answer):
    frames = polars_with(rows[1])
    assert by_polars(frames).height == len(answer)
    timed(benchmark, rows, "polars", by_polars, frames)


# More than fits


@pytest.mark.parametrize("million", [2.5, 5, 10])
def test_partitioned(benchmark, request, tmp_path, million):
    """So many million searches and four times as many clips, by chunks of a million clips, in a process of its own.

    Less than 2 GiB at its peak; microseconds a record should differ by less than 15% between sizes.
    """
    timed = request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")
    chunks = round(4 * million) if timed else 3
    per_chunk = "250000" if timed else "500"

    def run() -> dict[str, float]:
        command = [sys.executable, "-m", "benchmarks.linkage_at_scale", str(chunks), per_chunk, str(tmp_path)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    benchmark.group = "searches to footage, more than fits"
    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(found)
    assert found["peak_mib"] < 2048
