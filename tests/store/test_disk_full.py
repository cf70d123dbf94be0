"""A disk that is full while records are added: the store stays the old one, and one clear error names where."""

import subprocess
import sys
from pathlib import Path

import pytest

import disprop as dp
from disprop.io.store import add, open_store, verify
from tests.store.killed import rows
from tests.store.slots import filed

pytest.importorskip("resource", reason="no limit on the size of files here")

ADD = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
from disprop.errors import InputRefused
from disprop.io.store import add
from tests.invent import many
from tests.store.slots import filed
source = filed(many(6000, 9, force="kent"))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    add(sys.argv[1], source)
except InputRefused as why:
    print("refused:", why)
"""


@pytest.mark.parametrize("room", [100, 3_000, 40_000, 90_000])
def test_a_full_disk_leaves_the_old_store_and_is_told_in_one_line(room, tmp_path):
    path = tmp_path / "store"
    add(path, filed(rows(1)))
    before = dp.tally(open_store(path), by=["gender"])
    files = sorted(file.name for file in path.rglob("*") if file.is_file())
    checkout = Path(__file__).parent.parent.parent
    run = [sys.executable, "-c", ADD, str(path), str(room)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=checkout)
    assert not done.stderr, done.stderr
    assert done.stdout.startswith("refused: "), done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    assert str(path) in done.stdout
    assert verify(path) == []
    assert dp.tally(open_store(path), by=["gender"]) == before
    assert {file.name for file in path.rglob("*") if file.is_file()} - {"LOCK"} == set(files) - {"LOCK"}
