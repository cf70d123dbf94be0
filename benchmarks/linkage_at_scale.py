"""Link chunks of invented rows some days at a time; prints seconds (making the rows left out), peak memory and links.

    python -m benchmarks.linkage_at_scale CHUNKS RECORDS_A_CHUNK FOLDER

Every chunk has four times as many clips as records, spread over the whole period, which grows with the number of chunks
(a year for 8 chunks of 250,000), so that a record has as many clips near it however many there are.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench_linkage import THREADS, YEAR, Rows, make
from disprop.linkage import link, link_partitioned

CHUNKS_A_YEAR = 8


class Chunks:
    """The records, or the clips, chunk by chunk; counts the seconds that making them takes."""

    def __init__(self, chunks: int, records: int) -> None:
        self.chunks, self.records = chunks, records
        self.seconds = self.used = 0.0

    def __call__(self, name: str) -> Iterator:
        for seed in range(self.chunks):
            begun, used = time.perf_counter(), time.process_time()
            rows = self._make(seed)
            self.seconds += time.perf_counter() - begun
            self.used += time.process_time() - used
            yield getattr(rows, name)

    def _make(self, seed: int) -> Rows:
        span = YEAR * self.chunks // CHUNKS_A_YEAR
        officers = max(10, 100_000 * self.records // 250_000)
        return make(self.records, 4 * self.records, officers=officers, seed=seed, span=span)


def peak_mib() -> int:
    """Most memory this process has held; not getrusage's figure, which a process has from the one that began it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main(chunks: int, records: int, folder: str) -> None:
    made = Chunks(chunks, records)
    link(*make(100, 400, officers=5))  # kernels are loaded, or compiled once an installation, before the time counts
    begun, used = time.perf_counter(), time.process_time()
    found = link_partitioned(made("events"), made("clips"), folder=folder, threads=THREADS)
    seconds = time.perf_counter() - begun - made.seconds
    print(
        json.dumps(
            {
                "records": len(found),
                "linked": int((found.tier > 0).sum()),
                "seconds": round(seconds, 3),
                "processor_seconds": round(time.process_time() - used - made.used, 3),
                "microseconds_a_record": round(1e6 * seconds / len(found), 3),
                "peak_mib": peak_mib(),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
