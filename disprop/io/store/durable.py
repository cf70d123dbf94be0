"""Files that are there whole or not at all: written aside, forced to disk, renamed into place."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from disprop.errors import InputRefused

if sys.platform == "win32":  # it has no such locks: two writers at once are not kept apart
    fcntl = None
else:
    import fcntl

ASIDE = ".aside-"
"""Start of the name of a file that is not in place yet."""


def _nothing(step: str) -> None:
    """What happens after a step outside the tests."""


after_step: Callable[[str], None] = _nothing
"""Called after every fsync and every rename with what was done. Tests end the process here."""


def publish(path: Path, write: Callable[[IO[bytes]], Any]) -> str:
    """Write a file aside, force it to disk and rename it to `path`; returns the SHA-256 of its bytes."""
    aside = path.parent / f"{ASIDE}{uuid.uuid4().hex}"
    try:
        digest = write_through(aside, write)
        rename(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return digest


def write_through(path: Path, write: Callable[[IO[bytes]], Any]) -> str:
    """Write a file and force it to disk; returns the SHA-256 of its bytes. A full disk is InputRefused."""
    try:
        with path.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as why:
        raise InputRefused(f"{path.parent} cannot be written: {why}; what was there before still is") from why
    after_step(f"fsync {path.parent.name}")
    return file_digest(path)


def rename(old: Path, new: Path) -> None:
    """Rename within one folder, and force the folder to disk."""
    old.replace(new)
    after_step(f"rename {new.parent.name}/{new.suffix or new.name}")
    sync_folder(new.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    after_step(f"fsync folder {folder.name}")


def file_digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def locked(folder: Path) -> Generator[None, None, None]:
    """The right to change a store; raises InputRefused when another process has it. A reader never asks."""
    with (folder / "LOCK").open("ab") as handle:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputRefused(f"{folder}: another process is changing this store; wait for it to end") from None
        yield


def left_aside(folder: Path) -> Iterator[Path]:
    """Files that a writer which was stopped left behind."""
    yield from folder.rglob(f"{ASIDE}*")
