"""Whole processes: starting, the first answer of a fresh installation, a measure beside a Polars script."""

import csv
import io
import json
import os
import subprocess
import sys
from statistics import median

import pytest

from disprop.codelists import code_lookup, codelist

ROUNDS = 7
START = {
    "python alone": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "import disprop": ["-c", "import disprop"],
    "disprop --help": ["-m", "disprop", "--help"],
}
IMPORTS = """
import disprop.commands.options, disprop.plan, disprop.io.police_uk, disprop.io.census, disprop.measures.ratios, pandas
"""
PHASES = """
import time
seconds, last = {}, time.perf_counter()
def done(phase):
    global last
    seconds[phase], last = round(time.perf_counter() - last, 3), time.perf_counter()
import json, sys, disprop.cli
disprop.cli._start_short_process()
import disprop.commands.options, disprop.plan, disprop.io.police_uk, disprop.measures.ratios, pandas, pyarrow.parquet
done("import")
from disprop.kernels import csv as scanner, counts
scanner.scan._load(), counts._count._load()
done("kernels loaded, or compiled")
source = disprop.io.police_uk.read_police_uk(*sys.argv[2:])
batches = list(source.batches({"force", "month", "search_type", "ethnicity_self"}))
done("read")
class Read:
    def __getattr__(self, name):
        return getattr(source, name)
    def batches(self, columns=None):
        return iter(batches)
counted = disprop.plan.tally(Read(), by=["ethnicity_self"])
done("count")
from disprop.tallies import load
disprop.measures.ratios.rate_ratio(counted, load(sys.argv[1])).to_csv()
done("ratios, limits, verdicts, rows")
print(json.dumps(seconds))
"""
POLARS = """
import sys, polars as pl
name = pl.col("path").str.extract(r"([^/]+)-stop-and-search\\.csv$")
scanned = pl.scan_csv([f"{folder}/*.csv" for folder in sys.argv[1:]], infer_schema=False, include_file_paths="path")
people = scanned.filter(pl.col("Type") != "Vehicle search")
named = people.with_columns(force=name.str.slice(8), month=name.str.slice(0, 7))
print(named.group_by("force", "month", "Self-defined ethnicity").agg(n=pl.len()).collect().write_csv())
"""


def run(arguments, **environment):
    """What a process prints. Our modules are kept compiled to bytecode, as those of an installed package are."""
    command = [sys.executable, *map(str, arguments)]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, capture_output=True, env=inherited | environment, text=True).stdout


@pytest.fixture(scope="module")
def folders(files):
    return sorted({str(path.parent) for path in files[0]})


@pytest.fixture(scope="module")
def residents(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("population") / "residents.parquet"
    files[1].save(path)
    return path


def measure(folders, residents):
    return [
        "-m", "disprop", "measure", "rate_ratio", *folders, "--by", "force,ethnicity_self",
        "--population", residents, "--format", "csv",
    ]  # fmt: skip


@pytest.mark.parametrize("name", START)
def test_starting(benchmark, name):
    """From nothing to the end of the process."""
    benchmark.group = "starting a process"
    benchmark.pedantic(run, args=(START[name],), rounds=3 * ROUNDS, warmup_rounds=2)


def test_polars_counts_the_same(folders):
    """Every cell by force and ethnic group, over all months, of what the processes below count."""
    ours, theirs = {}, {}
    for row in table(run(["-m", "disprop", "tally", *folders, "--by", "ethnicity_self", "--format", "csv"])):
        key = row["force"], row["ethnicity_self"]
        ours[key] = ours.get(key, 0) + int(row["n"])
    this = codelist("ethnicity_5")
    for row in table(run(["-c", POLARS, *folders])):
        label = row["Self-defined ethnicity"]
        key = row["force"], this.codes[code_lookup("ethnicity_5", "police.uk", [label])[0]]
        theirs[key] = theirs.get(key, 0) + int(row["n"])
    assert ours == theirs


def table(text):
    return [row for row in csv.DictReader(io.StringIO(text)) if any(row.values())]


@pytest.mark.parametrize("name", ["disprop", "disprop, its imports alone", "polars, counts alone"])
def test_measure(benchmark, folders, residents, name):
    """`disprop measure rate_ratio` over every file: start, imports, reading, accounts, ratios with limits, verdicts."""
    jobs = {
        "disprop": measure(folders, residents),
        "disprop, its imports alone": ["-c", IMPORTS],
        "polars, counts alone": ["-c", POLARS, *folders],
    }
    benchmark.group = "measure rate_ratio over all files, whole process"
    benchmark.pedantic(run, args=(jobs[name],), rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", ["kernels loaded", "kernels compiled"])
def test_where_the_time_goes(benchmark, folders, residents, tmp_path_factory, name):
    """Import, kernels, reading, counting and ratios apart, in seconds, one after the other in one process."""
    benchmark.group = "measure rate_ratio, its steps one after the other"
    steps = []

    def once():
        kept = {} if name == "kernels loaded" else {"DISPROP_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
        steps.append(json.loads(run(["-c", PHASES, residents, *folders], **kept)))

    benchmark.pedantic(once, rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {phase: median(step[phase] for step in steps) for phase in steps[0]}


@pytest.mark.parametrize("name", ["disprop, compiled before", "fresh installation: kernels compiled"])
def test_first_answer(benchmark, folders, residents, tmp_path_factory, name):
    """The same command with its kernels in the cache, and with an empty cache."""
    benchmark.group = "first answer, whole process"

    def fresh():
        kept = {} if name.startswith("disprop") else {"DISPROP_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
        return (measure(folders, residents),), kept

    benchmark.pedantic(run, setup=fresh, rounds=5)
