"""Runs one change of a store in a child that is killed after its k-th fsync or rename, for k = 1, 2, ... until it ends.

python -m tests.store.killed OPERATION STORE FOLDER: the copies of STORE, each as it was left, are FOLDER/1, FOLDER/2
and so on; prints what was done last in each.
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

import numpy as np

from disprop.io import store
from disprop.io.store import durable
from tests.invent import many
from tests.store.slots import filed


def rows(seed, month="2019-04"):
    return many(30, seed, force="kent", month=month)


OPERATIONS = {
    "add": lambda path: store.add(path, filed(rows(2), "2"), filed(rows(3, "2020-01"))),
    "compact": lambda path: store.compact(path, grace_days=0),
    "purge": lambda path: store.purge(path, before="2019-05", reason="age"),
    "sidecar": lambda path: store.add_sidecar(
        path, store.open_store(path).rows()[0]["part"].decode(), {"tier": np.zeros(30)},
        name="video", settings="x",
    ),
}  # fmt: skip


def killed_after(steps, operation, path):
    """Whether a child was killed at that step; None when it ended before."""
    child = os.fork()
    if child == 0:
        done = []

        def after_step(step):
            done.append(step)
            if len(done) == steps:
                sys.stdout.write(f"{step}\n")
                sys.stdout.flush()
                os.kill(os.getpid(), signal.SIGKILL)

        durable.after_step = after_step
        OPERATIONS[operation](path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def main(operation, path, folder):
    for steps in count(1):
        copy = Path(folder, str(steps))
        shutil.copytree(path, copy)
        if not killed_after(steps, operation, copy):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
