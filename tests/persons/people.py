"""Invented rows with persons, and a source that yields them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from tests.invent import many
from tests.sources import Rows


@dataclass
class PersonRows(Rows):
    """Rows with `person`: a whole number, or None."""

    key_id: str = "one"

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in super().batches(columns):
            keys = [row.get("person") for row in self.rows[start : start + batch.num_rows]]
            start += batch.num_rows
            yield batch.append_column("person", pa.array(keys, pa.uint64()))


def people(n: int, *, persons: int, seed: int = 1, unnamed: float = 0.1, **fixed: object) -> list[dict]:
    """Rows on `persons` people who are met unevenly; some rows name nobody."""
    rng = random.Random(seed)
    rows = many(n, seed, **fixed)
    for row in rows:
        person = 1 + int(persons * rng.random() ** 3)
        row["person"] = None if rng.random() < unnamed else person * 0x9E3779B97F4A7C15 % 2**64
    return rows
