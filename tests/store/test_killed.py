"""A writer killed after any fsync or rename leaves the old store or the new one, sound, and the next writer goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

import disprop as dp
from disprop.io.store import add, compact, open_store, verify
from disprop.io.store.manifest import current
from tests.store.killed import OPERATIONS, rows
from tests.store.slots import filed

STEPS = {"add": 15, "compact": 12, "purge": 12, "sidecar": 12}
"""At least: fsync, rename and fsync of the folder for each segment, the ledger, the manifest and CURRENT."""


def content(path):
    """What a reader sees: the tally by every axis asked for, and the sidecars."""
    store = open_store(path)
    tally = dp.tally(store, by=["ethnicity_self", "gender", "linked"])
    return tally, sorted(one["key"] for one in store.manifest.sidecars())


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old"
    add(path, filed(rows(1)))
    add(path, filed(rows(4, "2019-06")))
    return path


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_store_is_always_the_old_one_or_the_new_one(operation, old, tmp_path):
    run = [sys.executable, "-m", "tests.store.killed", operation, str(old), str(tmp_path / "copies")]
    done = subprocess.run(run, capture_output=True, text=True, cwd=Path(__file__).parent.parent.parent, check=True)
    steps = done.stdout.split("\n")[:-1]
    assert len(steps) >= STEPS[operation]
    before = content(old)
    after = content(tmp_path / "copies" / str(len(steps) + 1))
    for k, step in enumerate(steps, start=1):
        path = tmp_path / "copies" / str(k)
        assert verify(path) == [], step
        committed = current(path)["number"] > current(old)["number"]
        assert content(path) == (after if committed else before), step
        assert committed == (k >= len(steps) - 1), step


@pytest.mark.parametrize("operation", ["add"])
def test_the_next_writer_finishes_what_was_stopped_and_clears_up(operation, old, tmp_path):
    run = [sys.executable, "-m", "tests.store.killed", operation, str(old), str(tmp_path / "copies")]
    subprocess.run(run, capture_output=True, cwd=Path(__file__).parent.parent.parent, check=True)
    copies = sorted((tmp_path / "copies").iterdir(), key=lambda path: int(path.name))
    OPERATIONS[operation](copies[-1])
    for path in copies[:-1:4]:
        OPERATIONS[operation](path)
        compact(path, grace_days=0)
        assert content(path) == content(copies[-1])
        assert verify(path) == []
        names = {one.name for one in (path / "segments").iterdir()}
        assert names == {name for name, _ in open_store(path).manifest.segments}
