"""A source of records made of plain Python rows, so that tests of the engine need no reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from disprop.months import month_number
from disprop.provenance import Account, part_row, parts

COLUMNS = (
    "force",
    "search_type",
    "area",
    "gender",
    "age_band",
    "ethnicity_self",
    "ethnicity_officer",
    "legislation",
    "object",
    "outcome",
    "linked",
    "more_thorough",
    "operation",
    "video_recorded",
)

LATER = (
    "tactics",
    "reasons",
    "possession_only",
    "command_unit",
    "officer",
    "video_link",
    "video_from_start",
    "force_used",
)
LATER += ("officer_injury", "person_injury")
"""Columns that stand in a batch only where the first row names them."""


@dataclass
class Rows:
    """Rows are dicts of column -> label; `month` is "YYYY-MM". `empty` lists (force, month) submitted without rows."""

    rows: list[dict]
    empty: list[tuple[str, str]] = field(default_factory=list)
    batch_rows: int = 50
    kind: str = "search"
    unit: str = "searches"
    dataset: str = "police.uk"
    scheme: str = "police.uk"

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(self.rows), self.batch_rows):
            yield batch_of(self.rows[start : start + self.batch_rows])

    @property
    def parts(self) -> np.ndarray:
        keys = [(row["force"], row["month"]) for row in self.rows]
        return parts(
            part_row(
                dataset=self.dataset,
                kind=self.kind,
                force=force,
                month=month_number(month),
                files=[f"{force} {month}"],
                rows=keys.count((force, month)),
            )
            for force, month in sorted({*keys, *self.empty})
        )

    @property
    def account(self) -> Account:
        return Account(read=len(self.rows))


def batch_of(rows: list[dict]) -> pa.RecordBatch:
    names = dict.fromkeys([*COLUMNS, *(name for name in LATER if name in rows[0])]) if rows else COLUMNS
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()).dictionary_encode() for name in names}
    columns["month"] = pa.array([month_number(row["month"]) for row in rows], pa.int32())
    return pa.record_batch(columns)


def by_part(rows: list[dict]) -> list[list[dict]]:
    """The rows of each (force, month) apart."""
    keys = sorted({(row["force"], row["month"]) for row in rows})
    return [[row for row in rows if (row["force"], row["month"]) == key] for key in keys]
