"""Sparse tallies (35,672 small areas x month x 19 groups) beside Polars and DuckDB, from the store and from Parquet."""

import os

import pytest

from benchmarks.keyed import BY, PARQUET_JOBS, STORE_JOBS, check, make, peak_mib

ROUNDS = 5


@pytest.fixture(scope="module")
def timed(request):
    return request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")


@pytest.fixture(scope="module")
def made(timed, tmp_path_factory):
    """20 million invented records (DISPROP_BENCH_ROWS says another number) when timing, else a few."""
    rows = int(float(os.environ.get("DISPROP_BENCH_ROWS", "2e7").split()[0])) if timed else 20_000
    return make(tmp_path_factory.mktemp("keyed"), rows=rows, months=120 if timed else 12)


@pytest.mark.parametrize("name", STORE_JOBS)
def test_sparse_tally_from_the_store(benchmark, made, name):
    """Small area x month x ethnicity; opening included."""
    check(made, {"disprop": STORE_JOBS["disprop"], name: STORE_JOBS[name]})
    benchmark.group = "sparse tally from the store (force x month x small area x ethnicity, 19 groups)"
    benchmark.pedantic(STORE_JOBS[name], args=(made,), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", PARQUET_JOBS)
def test_sparse_tally_from_parquet(benchmark, made, name, timed):
    """The same from somebody else's Parquet: text, instants, rows in no order."""
    check(made, {"disprop": PARQUET_JOBS["disprop"], name: PARQUET_JOBS[name]})
    benchmark.group = "sparse tally from somebody else's Parquet"
    benchmark.pedantic(PARQUET_JOBS[name], args=(made,), rounds=ROUNDS, warmup_rounds=1)
    if timed and name == "disprop":
        benchmark.extra_info["peak_mib"] = peak_mib(made.shuffled, [BY])
