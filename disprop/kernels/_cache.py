"""A cache folder that cannot lie: one folder a key, made elsewhere, renamed into place, never written again.

A key names everything that its content depends on, so a folder in place is right for as long as it exists. It is
made under a lock in a folder of another name, and a rename puts it in place whole or not at all. What is read back
is checked against its SHA-256, because a damaged piece of machine code would end the process. Where no folder can be
made (read-only or absent home, full disk), the content is made afresh each time and everything still works.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# Windows has no such locks: the rename alone keeps the cache right, the lock only saves making it twice.
if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

PATIENCE = 30.0  # seconds to wait for another process that is filling the cache


def cache_root() -> Path | None:
    """DISPROP_CACHE_DIR, else disprop in XDG_CACHE_HOME, else ~/.cache/disprop; None where there is no home."""
    if chosen := os.environ.get("DISPROP_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the XDG rule: a relative path is ignored
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "disprop") if os.path.isabs(base) else None


def fetch(folder: Path | None, make: Callable[[], bytes], about: str) -> tuple[bytes, str]:
    """The content of `folder`, made and kept when it is not there yet, with how it was got.

    about: what the key was made of, kept beside the content for people.

    Returns the content and "loaded" (read from the cache), "made and kept" or "made, not kept".
    """
    if folder is None:
        return make(), "made, not kept"
    if (content := _read(folder)) is not None:
        return content, "loaded"
    with _turn(folder.parent) as allowed:
        if (content := _read(folder)) is not None:
            return content, "loaded"
        content = make()
        return content, "made and kept" if allowed and _keep(folder, content, about) else "made, not kept"


def _read(folder: Path) -> bytes | None:
    try:
        stored = (folder / "content").read_bytes()
    except OSError:
        return None
    digest, content = stored[:32], stored[32:]
    return content if hashlib.sha256(content).digest() == digest else None


def _keep(folder: Path, content: bytes, about: str) -> bool:
    making = folder.parent / f".making-{uuid.uuid4().hex}"
    try:
        making.mkdir()
        _write(making / "about.json", about.encode())
        _write(making / "content", hashlib.sha256(content).digest() + content)
        making.rename(folder)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _turn(root: Path) -> Generator[bool, None, None]:
    """Wait until no other process fills the cache; False where it cannot be written or the wait is too long."""
    handle = _open_lock(root)
    if handle is None:
        yield False
        return
    with handle:
        yield _lock(handle)


def _open_lock(root: Path) -> IO[bytes] | None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return (root / "lock").open("ab")
    except OSError:
        return None


def _lock(handle: IO[bytes]) -> bool:
    if fcntl is None:
        return True
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return False
