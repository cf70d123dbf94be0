"""Tallies from the record store, beside DuckDB and Polars on files of their own, and beside reading the bytes."""

import os

import pytest

from benchmarks.store import FULL_JOBS, SMALL_JOBS, check, make

ROUNDS = 7


@pytest.fixture(scope="module")
def made(request, tmp_path_factory):
    """20 million invented records (DISPROP_BENCH_ROWS says another number) when timing, else a few."""
    config = request.config
    timed = config.getoption("--benchmark-enable") or config.getoption("--benchmark-only")
    rows = int(float(os.environ.get("DISPROP_BENCH_ROWS", "2e7"))) if timed else 20_000
    return make(tmp_path_factory.mktemp("store"), rows=rows, months=120 if timed else 12)


@pytest.mark.parametrize("name", FULL_JOBS)
def test_full_tally_from_the_store(benchmark, made, name):
    """Force x month x ethnicity x age x gender with linked and video counted; opening included."""
    check(made, {"disprop": FULL_JOBS["disprop"], name: FULL_JOBS[name]}, full=True)
    benchmark.group = "full tally from the store (force x month x ethnicity x age x gender; linked, video)"
    benchmark.pedantic(FULL_JOBS[name], args=(made,), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", SMALL_JOBS)
def test_small_tally_from_the_store(benchmark, made, name):
    """Force x ethnicity x find."""
    check(made, {"disprop": SMALL_JOBS["disprop"], name: SMALL_JOBS[name]}, full=False)
    benchmark.group = "small tally from the store (force x ethnicity x find)"
    benchmark.pedantic(SMALL_JOBS[name], args=(made,), rounds=ROUNDS, warmup_rounds=1)
