"""Tables of invented encounters as sources of records, as a reader would give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np
import pyarrow as pa

from disprop.months import month_number
from disprop.provenance import Account, part_row, parts
from disprop.records import KINDS, PART_MONTH
from disprop.synthetic.records import DATASET

BATCH = 65_536


class TableSource:
    """Canonical columns of one kind as a `disprop.records.Source`; one part a month that was made.

    Records whose recorded month was not made (late forms of its last night) belong to the part nearest to it.
    """

    dataset = DATASET
    scheme = "police.uk"
    key_id = "synthetic"

    def __init__(self, kind: str, table: pa.Table, months: Sequence[str]) -> None:
        self.kind, self.unit = kind, KINDS[kind].unit
        self._table, self._months = table, sorted({month_number(month) for month in months})

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of at most 65,536 rows; `columns` names those wanted (`force` and `month` always come)."""
        names = [name for name in self._table.column_names if columns is None or name in columns | {"force", "month"}]
        table = self._table.select(names)
        if columns is not None and PART_MONTH in columns:
            table = table.append_column(PART_MONTH, pa.array(self._part_months.astype(np.int32)))
        yield from table.combine_chunks().to_batches(max_chunksize=BATCH)

    @property
    def columns(self) -> set[str]:
        """Canonical columns that the records have."""
        return {*self._table.column_names}

    @cached_property
    def _part_months(self) -> np.ndarray:
        months = np.array(self._months)
        return months[np.abs(self._table["month"].to_numpy()[:, None] - months).argmin(axis=1)]

    @cached_property
    def parts(self) -> np.ndarray:
        nearest = self._part_months
        force = self._table["force"].combine_chunks().dictionary[0].as_py()
        return parts(
            part_row(
                dataset=self.dataset,
                kind=self.kind,
                force=force,
                month=one,
                files=[_digest(self._table.filter(pa.array(nearest == one)))],
                rows=int((nearest == one).sum()),
            )
            for one in self._months
        )

    @property
    def account(self) -> Account:
        return Account(read=self._table.num_rows)


def _digest(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sha256(sink.getvalue()).hexdigest()
