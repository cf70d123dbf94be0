"""Tallies from the record store, beside DuckDB and Polars on files of their own, and beside reading the bytes."""

import os

import pytest

from benchmarks.store import FULL_JOBS, SMALL_JOBS, check, make

ROUNDS = 7


SIZES = os.environ.get("DISPROP_BENCH_ROWS", "2e7").split()
"""Numbers of invented records, apart by spaces: from "1e6 1e7 1e8" it shows whether time grows as they do."""


@pytest.fixture(scope="module", params=SIZES)
def made(request, tmp_path_factory):
    """Invented records of ten years when timing, else a few of one year."""
    config = request.config
    timed = config.getoption("--benchmark-enable") or config.getoption("--benchmark-only")
    rows = int(float(request.param)) if timed else 20_000
    return rows, make(tmp_path_factory.mktemp("store"), rows=rows, months=120 if timed else 12)


@pytest.mark.parametrize("name", FULL_JOBS)
def test_full_tally_from_the_store(benchmark, made, name):
    """Force x month x ethnicity x age x gender with linked and video counted; opening included."""
    rows, files = made
    check(files, {"disprop": FULL_JOBS["disprop"], name: FULL_JOBS[name]}, full=True)
    benchmark.group = f"full tally from the store, {rows:,} rows (force, month, ethnicity, age, gender; linked, video)"
    benchmark.pedantic(FULL_JOBS[name], args=(files,), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", SMALL_JOBS)
def test_small_tally_from_the_store(benchmark, made, name):
    """Force x ethnicity x find."""
    rows, files = made
    check(files, {"disprop": SMALL_JOBS["disprop"], name: SMALL_JOBS[name]}, full=False)
    benchmark.group = f"small tally from the store, {rows:,} rows (force x ethnicity x find)"
    benchmark.pedantic(SMALL_JOBS[name], args=(files,), rounds=ROUNDS, warmup_rounds=1)
