"""Tallies from the record store, beside DuckDB and Polars on files of their own, and beside reading the bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.store import FULL_JOBS, SMALL_JOBS, check, make, make_store

ROUNDS = 15

SIZES = os.environ.get("DISPROP_BENCH_ROWS", "2e7").split()
"""Numbers of invented records, apart by spaces; "1e8:480" has 480 months (20,640 parts), not 120 (5,160)."""
SCALES = os.environ.get("DISPROP_BENCH_SCALE", "2e6 5e6 2e7").split()
"""The same, to show how time grows as they do; no rival counts these."""
FOLDER = os.environ.get("DISPROP_BENCH_FOLDER")
"""Where records made for the benchmarks are kept for the next time; otherwise they are made anew."""


def size(request, text):
    """Rows and months that a size stands for; few when nothing is timed."""
    config = request.config
    timed = config.getoption("--benchmark-enable") or config.getoption("--benchmark-only")
    rows, _, months = text.partition(":")
    return (int(float(rows)), int(months or 120)) if timed else (20_000, 12)


def home(rows, months, tmp_path_factory):
    if FOLDER is None:
        return tmp_path_factory.mktemp("store")
    folder = Path(FOLDER) / f"{rows}-{months}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module", params=SIZES)
def made(request, tmp_path_factory):
    """Invented records of ten years when timing, else a few of one year."""
    rows, months = size(request, request.param)
    files = make(home(rows, months, tmp_path_factory), rows=rows, months=months)
    return f"{rows:,} rows in {43 * months:,} parts", files


@pytest.mark.parametrize("name", FULL_JOBS)
def test_full_tally_from_the_store(benchmark, made, name):
    """Force x month x ethnicity x age x gender with linked and video counted; opening included."""
    what, files = made
    check(files, {"disprop": FULL_JOBS["disprop"], name: FULL_JOBS[name]}, full=True)
    benchmark.group = f"full tally from the store, {what} (force, month, ethnicity, age, gender; linked, video)"
    benchmark.extra_info["run"] = name
    benchmark.pedantic(FULL_JOBS[name], args=(files,), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", SMALL_JOBS)
def test_small_tally_from_the_store(benchmark, made, name):
    """Force x ethnicity x find."""
    what, files = made
    check(files, {"disprop": SMALL_JOBS["disprop"], name: SMALL_JOBS[name]}, full=False)
    benchmark.group = f"small tally from the store, {what} (force x ethnicity x find)"
    benchmark.extra_info["run"] = name
    benchmark.pedantic(SMALL_JOBS[name], args=(files,), rounds=ROUNDS, warmup_rounds=1)


def test_rows_to_time(benchmark, request, tmp_path_factory):
    """The full tally, each size in a process of its own, whose memory beyond mapped pages stays under 1 GiB."""
    stores = {}
    for scale in SCALES:
        rows, months = size(request, scale)
        stores[scale] = make_store(home(rows, months, tmp_path_factory), rows=rows, months=months)

    def run():
        return {scale: alone(store) for scale, store in stores.items()}

    benchmark.group = "full tally from the store, rows to time (processes of their own)"
    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(run=f"{SCALES[0]} to {SCALES[-1]}", **{k: told(v) for k, v in found.items()})
    benchmark.extra_info["line"] = told(line([(one["rows"], one["seconds"]) for one in found.values()]))
    for one in found.values():
        assert one["own_mib"] < 1024


def alone(store):
    command = [sys.executable, "-m", "benchmarks.store_at_scale", str(store), str(ROUNDS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def told(figures):
    return "; ".join(f"{what} {value:,}" for what, value in figures.items())


def line(points):
    """Seconds = fixed + rows x each, by least squares of relative errors; and how far the farthest size is from it."""
    rows, seconds = np.array(points, dtype=float).T
    weights = 1 / seconds
    (fixed, each), *_ = np.linalg.lstsq(np.stack([weights, rows * weights], axis=1), np.ones(len(rows)), rcond=None)
    away = float(np.abs((fixed + rows * each) / seconds - 1).max())
    return {
        "fixed_ms": round(1e3 * float(fixed), 1),
        "ns_a_row": round(1e9 * float(each), 3),
        "farthest_percent": round(100 * away, 1),
    }
