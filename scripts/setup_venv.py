"""Make or renew the local virtual environment: disprop (editable) with the extras named as arguments.

Called by `make` with any Python 3.11 or newer; standard library only. A stamp inside `.venv`, emptied first and
written last, tells what the environment is:

- a stamp that equals what is wanted: nothing to do;
- an empty or unreadable stamp, or an environment that cannot import disprop: a set-up was cut short or something was
  removed, so the environment is made anew;
- made by another Python, or before the checkout moved: made anew (its paths would be wrong);
- `pyproject.toml` changed, or an extra is missing: installed again in place;
- no stamp: somebody's own environment. If it is the one running this script it is kept and installed into.

Pip's settings are the user's: no index is named here. The reasons are in docs/decisions/0001-one-local-environment.md.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
STAMP = "disprop-setup.json"
LOG = "disprop-setup.log"

State = dict[str, Any]


def identity(*, checkout: Path) -> State:
    """What the environment depends on, extras apart."""
    return {
        "checkout": str(checkout),
        "python": f"{sys.version} in {sys.base_prefix}",
        "pyproject": hashlib.sha256((checkout / "pyproject.toml").read_bytes()).hexdigest(),
    }


def read_stamp(folder: Path) -> State | None:
    """The stamp; `{}` when a set-up was cut short; None when there is no stamp."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_sound(folder: Path) -> bool:
    """True when the environment's Python still runs and finds disprop."""
    try:
        run = subprocess.run([folder / "bin" / "python", "-c", "import disprop"], capture_output=True)
    except OSError:
        return False
    return run.returncode == 0 and (folder / "bin" / "disprop").exists()


def write_stamp(folder: Path, stamp: State) -> None:
    (folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def running_inside(folder: Path) -> bool:
    """True when this very Python is the environment's own and has pip to install with."""
    return Path(sys.prefix).resolve() == folder.resolve() and importlib.util.find_spec("pip") is not None


def must_start_over(stamp: State | None, *, wanted: State, inside: bool) -> bool:
    """True when what is there cannot be installed into."""
    if stamp is None:
        return not inside
    return any(stamp.get(key) != wanted[key] for key in ("checkout", "python"))


def is_ready(stamp: State | None, *, wanted: State, extras: Iterable[str]) -> bool:
    if not stamp:
        return False
    same = all(stamp.get(key) == value for key, value in wanted.items())
    return same and set(extras) <= set(stamp.get("extras", []))


def start_over(folder: Path) -> None:
    """A fresh environment, marked as unfinished before anything is in it."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_stamp(folder, {})
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)


def install(folder: Path, *, extras: list[str]) -> None:
    """Pip-install the checkout, showing each package's name as it comes when a person is watching."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--editable", f".[{','.join(extras)}]"]
    environment = os.environ | {"PIP_USER": "0", "PIP_QUIET": "0"}
    with (
        open(folder / LOG, "w", encoding="utf-8") as log,
        subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            log.write(line)
            show_progress(line)
    show_progress("")
    if pip.returncode:
        tail = (folder / LOG).read_text(encoding="utf-8").splitlines()[-12:]
        sys.exit("\n".join([*tail, f"disprop: pip failed as above (all of it: {folder / LOG}); run make again"]))


def show_progress(line: str) -> None:
    """One line that changes, on a terminal only; the empty line clears it."""
    words = line.split()
    if sys.stdout.isatty() and (not words or words[0] in ("Collecting", "Downloading", "Installing")):
        print("\r\033[K" + " ".join(words)[:70], end="", flush=True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two makes in one checkout wait for each other; the lock goes with the process that holds it."""
    with open(CHECKOUT / "pyproject.toml") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(extras: list[str], *, folder: Path = VENV, checkout: Path = CHECKOUT) -> None:
    """Bring the environment to what is wanted, doing no more than is needed."""
    wanted = identity(checkout=checkout)
    stamp = read_stamp(folder)
    if stamp and not is_sound(folder):
        stamp = {}
    if is_ready(stamp, wanted=wanted, extras=extras):
        return
    began = time.monotonic()
    print(f"Setting up {folder.name} with {', '.join(extras)} (a minute or two, once) ...", flush=True)
    kept: set[str] = set()
    if must_start_over(stamp, wanted=wanted, inside=running_inside(folder)):
        start_over(folder)
    elif stamp:
        kept = set(stamp["extras"])
    write_stamp(folder, {})
    every = sorted(kept | set(extras))
    install(folder, extras=every)
    write_stamp(folder, wanted | {"extras": every})
    print(f"{folder.name} is ready ({time.monotonic() - began:.0f} s).", flush=True)


def main(extras: list[str]) -> None:
    try:
        with one_at_a_time():
            set_up(extras)
    except subprocess.CalledProcessError as error:
        sys.exit(f"disprop: {sys.executable} made no virtual environment ({error}); try another: make PYTHON=...")
    except KeyboardInterrupt:
        sys.exit("\ndisprop: set-up stopped; the next make starts it over")


if __name__ == "__main__":
    main(sys.argv[1:])
