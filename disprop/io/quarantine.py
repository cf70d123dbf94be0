"""Rows that could not be read safely, kept with their reason in a CSV file of their own."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TextIO

from disprop.io.rules import NO_PERMISSION, refuse

RAW_LIMIT = 10_000
EXAMPLES = 20


@dataclass(frozen=True)
class QuarantinedRow:
    """Where a row stands, why it was put aside, the column and value at fault (empty when it is the whole row)."""

    file: str
    line: int
    reason: str
    column: str
    value: str
    row: str


class Quarantine:
    """Counts rows by reason, keeps the first few, and writes all of them to `path` when one is given.

    The file is written anew by every read: a header alone says that nothing was put aside.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.path = path
        self.examples: list[QuarantinedRow] = []
        self._file: TextIO | None = None
        if path is not None:
            with self._refusing():
                self._file = Path(path).open("w", encoding="utf-8", newline="")  # noqa: SIM115  open from row to row; `close` ends it
                csv.writer(self._file).writerow([field.name for field in fields(QuarantinedRow)])

    def add(self, found: QuarantinedRow, counts: Counter[str]) -> None:
        counts[found.reason] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(found)
        if self._file is not None:
            with self._refusing():
                csv.writer(self._file).writerow([_cut(str(value)) for value in astuple(found)])

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with self._refusing():
                file.close()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as why:
            refuse(NO_PERMISSION, str(self.path), f"the quarantine file: {why.strerror or why}; give another path")


def _cut(text: str) -> str:
    """A text short enough to keep: over-long rows are cut, and say so."""
    return text if len(text) <= RAW_LIMIT else f"{text[:RAW_LIMIT]} [cut: {len(text):,} characters or more]"
