"""Stop and search records as data.police.uk publishes them: folders, globs, CSV files, archive zips, JSON answers.

Validation: green for the public CSV (541 real monthly files, row for row against Python's csv module), green for the
JSON interface (three real answers), amber for other people's copies (one real file, many made ones).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import force_code, nearest
from disprop.errors import UsageError
from disprop.io.archive import Found, Progress, find_members, refuse_changed
from disprop.io.choice import Chosen, choose, refuse_two_files
from disprop.io.csv_scan import read_members
from disprop.io.dates import check_time_zone
from disprop.io.intake import FileAccount, Settings
from disprop.io.quarantine import Quarantine, QuarantinedRow
from disprop.io.rules import FORCE_NOT_USED, TWO_MONTHS, refuse
from disprop.months import month_label
from disprop.provenance import Account, part_row, parts
from disprop.records import KINDS, PART_MONTH, SEARCH

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DATASET = "police.uk"
KIND = "search"


def read_police_uk(
    *paths: str | os.PathLike[str],
    force: str | None = None,
    quarantine: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    time_zone: str = "UTC",
) -> PoliceUk:
    """Stop and search records from files, folders, globs and archive zips, as a source to tally.

    Nothing is read until the batches are. Files are streamed, archives are not unpacked to disk, and memory does not
    grow with their size. A file's force and month come from its path (`2019-04-west-midlands-stop-and-search.csv`); a
    file that names no force needs `force`, and one that names no month takes its months from its rows. Everything
    that is not plain is read by a named rule, put aside as a quarantined row with its reason, or refused: see
    `docs/reading.md`.

    force: code, name or alias for files that name none, or `unknown`.
    quarantine: a CSV file to write for the rows put aside.
    progress: called as `progress(bytes done, bytes in all, file name)`.
    time_zone: `UTC` or `Europe/London`, for dates written without an offset.

    Raises InputRefused where a path cannot be read safely; UsageError for an unknown force or time zone.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "2019-04-kent-stop-and-search.csv"
    >>> _ = file.write_text("Type,Date\\nPerson search,2019-04-30T23:30:00+00:00\\nPerson search,30/04/2019\\n")
    >>> source = read_police_uk(file)
    >>> [batch.num_rows for batch in source.batches()]
    [1]
    >>> source.account.quarantined
    {'date not understood': 1}
    >>> [note for note in source.account.notes if "London" in note]
    ['in another London month than its file: kent 2019-04 -> 2019-05']
    """
    if not paths:
        raise UsageError("no path; give files, folders, globs or zip archives")
    check_time_zone(time_zone)
    code = None if force is None else force_code(force)
    found = find_members(paths)
    return PoliceUk(found, choose(found, force=code), code, quarantine, progress, time_zone)


@dataclass
class _Intake:
    """What one read has found so far."""

    files: list[FileAccount] = field(default_factory=list)
    slots: dict[tuple[str, int], FileAccount] = field(default_factory=dict)
    contents: dict[str, FileAccount] = field(default_factory=dict)
    examples: list[QuarantinedRow] = field(default_factory=list)

    def add(self, file: FileAccount) -> None:
        """Takes a finished file; refuses content or force-months that another file brought."""
        twin = self.contents.setdefault(file.sha256, file)
        if twin is not file and file.read:
            refuse(TWO_MONTHS, file.name, f"{twin.name} has the same bytes; leave out the one that is wrong")
        for slot in file.slots:
            other = self.slots.setdefault(slot, file)
            if other is not file:
                refuse_two_files(f"{slot[0]} {month_label(slot[1])}", other.name, file.name)
        self.files.append(file)


class PoliceUk:
    """Searches from data.police.uk; a `records.Source`.

    `batches` may be called again and reads again from the start. `parts`, `account`, `files`, `skipped` and
    `quarantined` speak of the last complete read; asked for before any, they read once.
    """

    kind = KIND
    unit = "searches"
    dataset = DATASET
    scheme = "police.uk"
    client: Any = None

    def __init__(
        self,
        found: Found,
        chosen: list[Chosen],
        force: str | None,
        quarantine: str | os.PathLike[str] | None,
        progress: Progress | None,
        time_zone: str,
    ) -> None:
        self._found, self._chosen, self._force = found, chosen, force
        self._quarantine, self._progress, self._time_zone = quarantine, progress, time_zone
        self._last: _Intake | None = None

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of at most one 4 MiB block of a file, or of several small files each, files in order.

        `columns` names those wanted, to spare coding the rest (`force` and `month` always come); every row is judged
        all the same, but notes on values are made for the columns wanted only.
        """
        intake, quarantine = _Intake(), Quarantine(self._quarantine)
        settings = Settings(_wanted(columns), self._force, self._time_zone, quarantine)
        try:
            with closing(read_members(self._chosen, settings, self._progress)) as members:
                for batch, finished in members:
                    for account in finished:
                        self._refuse_changed(len(intake.files), account)
                        intake.add(account)
                    if batch is not None and batch.num_rows:
                        yield batch
        finally:
            quarantine.close()
            self._found.close()
        intake.examples = quarantine.examples
        self._last = intake

    def _refuse_changed(self, place: int, account: FileAccount) -> None:
        """Two reads of one source must see the same bytes."""
        if self._last is not None and self._last.files[place].sha256 != account.sha256:
            refuse_changed(account.name)

    def _read(self) -> _Intake:
        if self._last is None:
            for _ in self.batches():
                pass
        assert self._last is not None
        return self._last

    def split(self, tasks: int) -> list[PoliceUk]:
        """The same records as about so many sources that can be sent to another process, each file in one."""
        if self._quarantine is not None:
            raise UsageError("a quarantine file cannot be written from a cluster; leave out the one or the other")
        share = -(-sum(one.member.size for one in self._chosen) // tasks)
        several: list[list[Chosen]] = [[]]
        for one in self._chosen:
            if several[-1] and sum(other.member.size for other in several[-1]) + one.member.size > share:
                several.append([])
            several[-1].append(one)
        self._found.close()
        return [self._only(chosen) for chosen in several]

    def _only(self, chosen: list[Chosen]) -> PoliceUk:
        found = Found([one.member for one in chosen])
        return PoliceUk(found, chosen, self._force, None, None, self._time_zone)

    def found(self) -> list[FileAccount]:
        """What the last read found out about each file; small, and no record is in it."""
        return self.files

    def gather(self, several: Iterable[list[FileAccount]]) -> None:
        """Takes what the tasks found, in their order, as if all had been read here."""
        intake = _Intake()
        for files in several:
            for account in files:
                self._refuse_changed(len(intake.files), account)
                intake.add(account)
        self._last = intake

    @property
    def files(self) -> list[FileAccount]:
        """An account of each file or archive member."""
        return self._read().files

    @property
    def skipped(self) -> Mapping[str, list[str]]:
        """Names of the files left aside, by rule."""
        return self._found.skipped

    @property
    def quarantined(self) -> list[QuarantinedRow]:
        """The first quarantined rows (at most 20); all of them are in the quarantine file."""
        return self._read().examples

    @property
    def parts(self) -> np.ndarray:
        """One part a force-month; a file with a header alone gives a part of 0 rows, an observed empty month."""
        return parts(
            part_row(dataset=DATASET, kind=KIND, force=force, month=month, files=[file.sha256], rows=rows)
            for file in self.files
            for (force, month), rows in file.slots.items()
        )

    @property
    def account(self) -> Account:
        """Every row read, of all files, with what was noted; files left aside are counted in the notes."""
        total = Account(notes={**self._found.notes, **{rule: len(names) for rule, names in self.skipped.items()}})
        if self._force and not any(force == self._force for file in self.files for force, _ in file.slots):
            total = total + Account(notes={FORCE_NOT_USED: len(self.files)})
        for file in self.files:
            total = total + Account(file.read, file.excluded, file.quarantined, file.notes)
        return total

    def intake_table(self) -> pd.DataFrame:
        """One row a file: name, force, month, digest, bytes, rows read = yielded + excluded + quarantined, notes."""
        import pandas as pd

        return pd.DataFrame([_row(file) for file in self.files], columns=list(_row(FileAccount("", None, None))))


def _row(file: FileAccount) -> dict[str, object]:
    return {
        "file": file.name,
        "force": file.force or ", ".join(sorted({force for force, _ in file.slots})),
        "month": month_label(file.month) if file.month is not None else _span(file),
        "sha256": file.sha256,
        "bytes": file.bytes,
        "read": file.read,
        "yielded": file.yielded,
        "excluded": file.excluded.total(),
        "quarantined": file.quarantined.total(),
        "other_month": file.other_months.total(),
        "reasons": _listed(file.excluded + file.quarantined),
        "notes": _listed(file.notes),
    }


def _span(file: FileAccount) -> str:
    months = sorted({month for _, month in file.slots})
    return " to ".join(dict.fromkeys(month_label(month) for month in months[:1] + months[-1:]))


def _listed(counts: Counter[str]) -> str:
    return "; ".join(f"{name}: {n:,}" for name, n in sorted(counts.items()))


def _wanted(columns: set[str] | None) -> frozenset[str]:
    """Columns to code: all those that police.uk publishes, or those asked for by canonical name."""
    names = [*(spec.name for spec in KINDS[KIND].columns), PART_MONTH]
    if columns is None:
        return frozenset(spec.name for spec in SEARCH if spec.police_uk or spec.name in ("force", "month"))
    for column in columns:
        if column not in names:
            raise UsageError(f"no column {column!r}{nearest(column, names)}")
    return frozenset(columns)
