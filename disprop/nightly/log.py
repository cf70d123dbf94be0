"""What a night did: one JSON line a step, with counts and seconds; never a label or an identifier of a record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Say = Callable[[str], None]


class Log:
    """A file of JSON lines that only grows, and a person who may be watching.

    >>> log = Log(Path("nightly.jsonl"), say=print)
    >>> with log.step("tally") as counts:
    ...     counts["parts"] = 12
    tally: 12 parts
    >>> json.loads(Path("nightly.jsonl").read_text())["parts"]
    12
    """

    def __init__(self, path: Path, say: Say | None = None) -> None:
        self._path, self._say = path, say or _nothing

    @contextmanager
    def step(self, name: str) -> Generator[dict[str, Any], None, None]:
        """One step: what is put into the dict is written when it ends; an error is written by its class, and goes on.

        The text of an error is not written: it may quote a value of a record.
        """
        counts: dict[str, Any] = {}
        start = time.perf_counter()
        try:
            yield counts
        except BaseException as why:
            self._write(name, start, {**counts, "stopped": type(why).__name__})
            raise
        self._write(name, start, counts)
        self._say(f"{name}: " + ", ".join(_words(key, value) for key, value in counts.items()))

    def _write(self, name: str, start: float, counts: dict[str, Any]) -> None:
        line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "step": name, **counts}
        line["seconds"] = round(time.perf_counter() - start, 3)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _words(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"{key.replace('_', ' ')} {value}"
    return f"{value:,} {key.replace('_', ' ')}"


def _nothing(_: str) -> None:
    """What is said where nobody watches."""
