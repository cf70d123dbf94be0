"""A night killed after any fsync or rename, or at any instant, and run again gives what an undisturbed one gives.

Compared are the records of the store as read, what stands beside them, and every byte of what `current` leads to. At
every kill `current` leads to a whole folder, the old one or the new, and the store is sound.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nightly import encounters
from tests.nightly.night import content, night, published, revise, world

CHECKOUT = Path(__file__).parent.parent.parent
SHARE = 0.1
ONE_TABLE = '[[tables]]\nmeasure = "find_rate"\nby = ["force"]\n'
EVERY_KIND = "search,force_report,footage,custody"


def searches(home: Path) -> str:
    """Of two months that were published, one comes again with few records and the other is gone; a third comes."""
    night(world(home, share=SHARE, tables=ONE_TABLE))
    shutil.rmtree(home / "searches" / "2023-04")
    revise(home, share=SHARE / 3)
    revise(home, "2023-06", share=SHARE)
    return "search"


def every_kind(home: Path) -> str:
    """A month of footage is exported again."""
    night(encounters.world(home, months=("2023-04",), share=SHARE))
    encounters.revise(home, "footage", "2023-04")
    return EVERY_KIND


def nothing_yet(home: Path) -> str:
    """The first night of all."""
    encounters.world(home, months=("2023-04",), share=SHARE)
    return EVERY_KIND


def killed(mode: str, home: Path, folder: Path, kinds: str, *more: str) -> list[dict]:
    run = [sys.executable, "-m", "tests.nightly.killed", mode, str(home), str(folder), kinds, *more]
    done = subprocess.run(run, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in files]


def check(told: list[dict], home: Path, kinds: str) -> None:
    """Every run-again equals the night that nobody disturbed, which is run here, last."""
    out = home / "out" / "current"
    old = out.readlink().name if out.is_symlink() else None
    night(home / "nightly.toml")
    files = {name: one.hex() for name, one in published(home).items()}
    assert "index.html" in files
    records = repr([content(home, kind) for kind in kinds.split(",")])
    new = out.readlink().name
    for one in told:
        assert one["before"]["faults"] == [], one["last"]
        assert one["before"]["run"] in (old, new), one["last"]
        assert one["before"]["whole"] is not False, one["last"]
        assert one["content"] == records, one["last"]
        assert one["published"] == files, one["last"]
        assert one["after"] == {"run": new, "whole": True, "faults": [], "left": []}, one["last"]


@pytest.mark.parametrize("before", [searches, every_kind])
def test_killed_after_every_fsync_and_rename(before, tmp_path):
    home = tmp_path / "home"
    kinds = before(home)
    told = killed("steps", home, tmp_path / "copies", kinds)
    steps = [one["last"] for one in told]
    assert steps[-1] is None
    assert len(steps) > 28
    named = {step.split("/")[0] for step in steps[:-1]}
    assert {"fsync segments", "rename ledger", "rename extracts", "rename tally", "rename out"} <= named
    assert steps.count("rename store/CURRENT") == len(kinds.split(",")) // 3 + 1, "records, and links"
    assert "rename out/current" in steps
    assert any(one["before"]["left"] for one in told), "some kill leaves a folder aside, or nothing is tested"
    check(told, home, kinds)
    warnings = json.loads(published(home)["manifest.json"])["warnings"]
    assert len(warnings) == (2 if before is searches else 0), "what became less is published, whenever it was killed"


@pytest.mark.parametrize("before", [nothing_yet, every_kind])
def test_killed_at_random_instants(before, tmp_path):
    home = tmp_path / "home"
    kinds = before(home)
    told = killed("instants", home, tmp_path / "copies", kinds, "20231", "20")
    assert len(told) == 20
    assert len({one["last"] for one in told}) > 3, "the instants lie all over the night"
    check(told, home, kinds)
