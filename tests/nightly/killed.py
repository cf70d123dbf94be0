"""Runs a night in children that are killed, each in a copy of one folder, and runs it again in each copy.

python -m tests.nightly.killed steps HOME FOLDER KINDS: killed after its k-th fsync or
rename, for k = 1, 2, ... until it ends.
python -m tests.nightly.killed instants HOME FOLDER KINDS SEED NUMBER: killed at that many random instants.

The copies are FOLDER/1, FOLDER/2 ...; beside each stands its number with `.json`: what the killed night had done last,
and what was seen of the copy before and after it was run again.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from itertools import count
from pathlib import Path

from disprop.io.store import durable, verify
from tests.nightly.night import content, is_whole, night, published


def seen(home: Path) -> dict:
    """What a reader sees of the folder."""
    current = home / "out" / "current"
    return {
        "run": current.readlink().name if current.is_symlink() else None,
        "whole": is_whole(current) if current.is_dir() else None,
        "faults": verify(home / "store") if (home / "store" / "FORMAT").exists() else [],
        "left": sorted(one.name for one in (home / "out").rglob(f"{durable.ASIDE}*")),
    }


def killed(home: Path, *, after: int | None = None, delay: float = 0.0) -> str | None:
    """What a night did last that was killed after so many steps, or after so long; None when it ended before."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        done = []

        def after_step(step):
            done.append(step)
            os.write(write, f"{step}\n".encode())
            if len(done) == after:
                os.kill(os.getpid(), signal.SIGKILL)

        durable.after_step = after_step
        night(home / "nightly.toml")
        os._exit(0)
    os.close(write)
    if after is None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read) as steps:
        last = steps.read().split("\n")[:-1]
    _, status = os.waitpid(child, 0)
    return None if not os.WIFSIGNALED(status) else last[-1] if last else "(nothing)"


def again(home: Path, last: str | None, kinds: list[str]) -> dict:
    """The night run again, and what came of it."""
    before = seen(home)
    night(home / "nightly.toml")
    files = published(home)
    return {
        "last": last, "before": before, "after": seen(home), "content": repr([content(home, kind) for kind in kinds]),
        "published": {name: one.hex() for name, one in files.items()},
    }  # fmt: skip


def copies(home: Path, folder: Path):
    for number in count(1):
        copy = folder / str(number)
        shutil.copytree(home, copy, symlinks=True)
        yield copy


def main(mode: str, home: str, folder: str, kinds: str, seed: str = "0", number: str = "0") -> None:
    undisturbed = next(copies(Path(home), Path(folder, "undisturbed")))
    night(undisturbed / "nightly.toml")  # everything that is loaded late is loaded before any child is timed
    start = time.perf_counter()
    undisturbed = next(copies(Path(home), Path(folder, "timed")))
    if killed(undisturbed, after=0) is not None:
        raise RuntimeError("an undisturbed night was killed")
    whole, rng = time.perf_counter() - start, random.Random(int(seed))
    for i, copy in enumerate(copies(Path(home), Path(folder)), start=1):
        last = killed(copy, after=i) if mode == "steps" else killed(copy, delay=rng.uniform(0, whole))
        told = again(copy, last, kinds.split(","))
        copy.with_suffix(".json").write_text(json.dumps(told))
        shutil.rmtree(copy)
        if last is None if mode == "steps" else i == int(number):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
