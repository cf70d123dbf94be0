"""A new folder, whole, and then one switch of `current` to it: a reader sees the night before or this one."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from disprop.errors import InputRefused
from disprop.io.store.durable import ASIDE, rename, sync_folder, write_through

if sys.platform == "win32":  # it has no such locks: two nights at once are not kept apart
    fcntl = None
else:
    import fcntl

CURRENT = "current"
KEPT = ".nightly"
"""Folder, beside what is published, of what one night keeps for the next. It can be deleted: it is made again."""
KINDS_KEPT = ("extracts", "tallies")


@contextmanager
def only_one(out: Path) -> Iterator[bool]:
    """Whether this is the only night at work on a folder; the folder is made where there is none."""
    (out / KEPT).mkdir(parents=True, exist_ok=True)
    with (out / KEPT / "LOCK").open("ab") as handle:
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def prepare(out: Path) -> int:
    """Make the folders that a night needs, and delete what a stopped one left; returns how much.

    Raises InputRefused where `current` is no link, so that it could not be switched.
    """
    link = out / CURRENT
    if link.exists() and not link.is_symlink():
        raise InputRefused(f"{link} is no link, so that it cannot be switched; move it away, or name another out")
    for name in KINDS_KEPT:
        (out / KEPT / name).mkdir(exist_ok=True)
    left = [*out.glob(f"{ASIDE}*"), *(out / KEPT).rglob(f"{ASIDE}*")]
    for path in left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(left)


def is_current(out: Path, run: str) -> bool:
    """Whether `current` leads to this run."""
    link = out / CURRENT
    return link.is_symlink() and os.readlink(link) == run and link.is_dir()


def put(out: Path, run: str, files: Mapping[str, bytes]) -> None:
    """Write the files of a run into a folder of its own, which appears under its name when all of it is on disk."""
    aside = out / f"{ASIDE}{uuid.uuid4().hex}"
    aside.mkdir()
    for name, content in files.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_through(path, partial(_write, content))
    for folder in sorted({folder for name in files for folder in Path(name).parents}, reverse=True):
        sync_folder(aside / folder)
    rename(aside, out / run)


def _write(content: bytes, file: IO[bytes]) -> None:
    file.write(content)


def switch(out: Path, run: str) -> None:
    """Let `current` lead to a run; one rename, so that it leads to the old one or to this."""
    aside = out / f"{ASIDE}{uuid.uuid4().hex}"
    aside.symlink_to(run, target_is_directory=True)
    rename(aside, out / CURRENT)


def sha(content: bytes) -> dict[str, int | str]:
    """Length and SHA-256, as a manifest lists a file."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
