"""Rows whose file is of another month than they are: what a source with part months yields."""

import pyarrow as pa

from disprop.months import month_number
from disprop.provenance import part_row, parts
from tests.sources import Rows


class Filed(Rows):
    """Rows with a `file_month` beside their `month`; `version` names the bytes that they came from."""

    version = "1"

    def batches(self, columns=None):
        for batch, start in zip(super().batches(columns), range(0, len(self.rows), self.batch_rows)):
            own = self.rows[start : start + self.batch_rows]
            months = [month_number(row.get("file_month", row["month"])) for row in own]
            yield batch.append_column("part_month", pa.array(months, pa.int32()))

    @property
    def parts(self):
        slots = [(row["force"], row.get("file_month", row["month"])) for row in self.rows]
        return parts(
            part_row(
                dataset=self.dataset, kind=self.kind, force=force, month=month_number(month),
                files=[f"{force} {month} {self.version}"], rows=slots.count((force, month)),
            )
            for force, month in sorted({*slots, *self.empty})
        )  # fmt: skip


def filed(rows, version="1", **about):
    source = Filed(rows, **about)
    source.version = version
    return source
