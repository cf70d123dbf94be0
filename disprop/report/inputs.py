"""What a report is made from: result rows, coverage, the account, and where everything came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from disprop.results import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from disprop.provenance import Account

Row = dict[str, Any]
"""One result row: every result column by name, null as None, and the code of its group under `group`."""

_RESULT_COLUMNS = frozenset(column.name for column in COLUMNS)


@dataclass(frozen=True)
class ReportInputs:
    """Everything a report says, already computed.

    `force` is its code, `force_name` its name; `first` and `last` the period, "YYYY-MM". `results` holds result frames
    by name (see `disprop.report.sections`); a name that is absent was not asked for. `coverage` is
    `Coverage.frame()`. `files` has one row a file read. `provenance` may nest: versions, digests, parameters, the
    command. `synthetic` marks invented records; everything written then says so.
    """

    force: str
    force_name: str
    first: str
    last: str
    results: Mapping[str, pd.DataFrame]
    coverage: pd.DataFrame
    account: Account
    files: pd.DataFrame | None
    provenance: Mapping[str, Any]
    synthetic: bool
    dataset: str

    def rows(self, name: str) -> list[Row]:
        """The rows of one result frame that are about this force, in order; none when it was not asked for."""
        frame = self.results.get(name)
        if frame is None:
            return []
        rows = [_plain(row) for row in frame.to_dict("records")]
        return [row for row in rows if row.get("force", self.force) == self.force]

    def one(self, name: str) -> Row | None:
        """The row of a frame that has one row for the force, or None."""
        return next(iter(self.rows(name)), None)


def _plain(row: Mapping[Any, Any]) -> Row:
    plain = {str(name): None if _null(value) else value for name, value in row.items()}
    groups = [value for name, value in plain.items() if name not in _RESULT_COLUMNS and name != "force"]
    return {**plain, "group": groups[0] if groups else ""}


def _null(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
