"""Sparse tallies (35,672 small areas x month x 19 groups) beside Polars and DuckDB, from the store and from Parquet."""

import os

import pytest

from benchmarks.keyed import PARQUET_JOBS, STORE_JOBS, check, make

ROUNDS = 5


@pytest.fixture(scope="module")
def made(request, tmp_path_factory):
    """20 million invented records (DISPROP_BENCH_ROWS says another number) when timing, else a few."""
    config = request.config
    timed = config.getoption("--benchmark-enable") or config.getoption("--benchmark-only")
    rows = int(float(os.environ.get("DISPROP_BENCH_ROWS", "2e7"))) if timed else 20_000
    return make(tmp_path_factory.mktemp("keyed"), rows=rows, months=120 if timed else 12)


@pytest.mark.parametrize("name", STORE_JOBS)
def test_sparse_tally_from_the_store(benchmark, made, name):
    """Small area x month x ethnicity; opening included."""
    check(made, {"disprop": STORE_JOBS["disprop"], name: STORE_JOBS[name]})
    benchmark.group = "sparse tally from the store (force x month x small area x ethnicity, 19 groups)"
    benchmark.pedantic(STORE_JOBS[name], args=(made,), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", PARQUET_JOBS)
def test_sparse_tally_from_parquet(benchmark, made, name):
    """The same from somebody else's Parquet: text, instants, rows in no order."""
    check(made, {"disprop": PARQUET_JOBS["disprop"], name: PARQUET_JOBS[name]})
    benchmark.group = "sparse tally from somebody else's Parquet"
    benchmark.pedantic(PARQUET_JOBS[name], args=(made,), rounds=ROUNDS, warmup_rounds=1)
