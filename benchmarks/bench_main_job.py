"""The main job: monthly CSV to every measure of the report, beside scripts that give part of the same answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.main_job import SCRIPTS, agree

ROUNDS = 5


@pytest.fixture(scope="module")
def answers(files):
    return {name: script(*files) for name, script in SCRIPTS.items()}


@pytest.mark.parametrize("name", SCRIPTS)
def test_main_job_in_process(benchmark, files, answers, name):
    """Files in the page cache, imports done. Each answer is checked against ours before its time counts."""
    agree(answers["disprop"], answers[name])
    benchmark.group = f"main job, in process, {len(files[0])} files"
    benchmark.pedantic(SCRIPTS[name], args=files, rounds=ROUNDS, warmup_rounds=1)


def test_whole_report(benchmark, files, tmp_path):
    """The report on one force as a whole process."""
    paths, population = files
    population.save(tmp_path / "residents.parquet")
    force = Path(paths[len(paths) // 2]).name[8:].removesuffix("-stop-and-search.csv")
    command = [sys.executable, "-m", "disprop", "report", *sorted({str(p.parent) for p in paths}), "--force", force]
    command += ["--population", str(tmp_path / "residents.parquet"), "--out", str(tmp_path / "report")]
    benchmark.group = f"report on one force, whole process, {len(paths)} files"
    done = benchmark.pedantic(
        subprocess.run, args=(command,), kwargs={"check": True, "capture_output": True}, rounds=ROUNDS, warmup_rounds=1
    )
    assert b"The report is at" in done.stdout
