"""The full tally from a store, in a process of its own: prints rows, parts, seconds and the memory it took.

    python -m benchmarks.store_at_scale STORE ROUNDS

Memory is what the process holds of its own, apart from the pages of mapped files: the most of it while counting, less
what it held before the first count.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from statistics import median

import disprop as dp
from benchmarks.store import FULL
from disprop.io.store import open_store

EVERY = 0.002  # seconds between two looks at the memory


def own_mib() -> float:
    """Memory that the process holds now, without the pages of mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


class Most:
    """Looks at the memory while something runs; the kernels leave the interpreter free meanwhile."""

    def __init__(self) -> None:
        self.mib, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(EVERY):
            self.mib = max(self.mib, own_mib())

    def __enter__(self) -> Most:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.mib = max(self.mib, own_mib())


def main(store: Path, rounds: int) -> None:
    opened = open_store(store)
    before = own_mib()
    with Most() as most:
        dp.scan(opened, FULL)  # kernels are loaded, and pages read, before the time counts
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        dp.scan(open_store(store), FULL)
        seconds.append(time.perf_counter() - begun)
    rows = opened.account.read
    print(
        json.dumps(
            {
                "rows": rows,
                "parts": len(opened.parts),
                "seconds": round(median(seconds), 4),
                "nanoseconds_a_row": round(1e9 * median(seconds) / rows, 3),
                "own_mib": round(most.mib - before),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
