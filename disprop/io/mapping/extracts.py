"""Extracts of a force's own systems, read by a mapping: searches, force reports, footage, arrests.

Validation: amber; made-up extracts with shuffled and renamed columns give the counts they were made with
(tests/mapping). No real extract has been read with it yet.

Identifiers of officers, persons and incidents become keyed hashes here, at the door. No raw identifier and no free text
reaches a batch, a message or the quarantine file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import force_code, nearest
from disprop.errors import UsageError
from disprop.io.archive import Member, Progress, refuse_changed
from disprop.io.intake import FEWEST_TO_REFUSE, FileAccount, check_balance
from disprop.io.mapping.batches import Bound, MappedRows
from disprop.io.mapping.columns import NEUTRAL, ColumnMapping, header_key, read_mapping
from disprop.io.mapping.files import Extract, find_extracts, open_extract
from disprop.io.quarantine import Quarantine, QuarantinedRow
from disprop.io.rules import (
    FORCE_GIVEN,
    FORCE_NOT_USED,
    NO_FORCE,
    NO_ROW_READABLE,
    NO_SUCH_COLUMN,
    NOTHING_OBSERVED,
    SAME_CONTENT,
    TWO_FILES,
    UNMAPPED_COLUMN,
    refuse,
)
from disprop.keys import KeyedHash, read_key
from disprop.months import month_label
from disprop.provenance import Account, part_row, parts
from disprop.records import PART_MONTH

if TYPE_CHECKING:
    import pyarrow as pa


def read_mapped(
    *paths: str | os.PathLike[str],
    mapping: str | os.PathLike[str] | ColumnMapping,
    key: str | os.PathLike[str] | KeyedHash | None = None,
    force: str | None = None,
    quarantine: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Extracts:
    """Records of a force's own extracts, as the mapping says, as a source to tally or to store.

    A row without a readable date or force is put aside, by reason; a value that no codelist knows stays as it is and is
    counted as unmapped. Officers, persons and incidents become keyed hashes. Records of many months fill one part a
    month; a month in two files is refused, unless the mapping says `months = "several"`. What an extract has and the
    mapping does not name is left out, and noted.

    paths: CSV or Parquet files, folders and globs. mapping: a TOML file, see docs/mapping.md. key: file with the
    secret; without one, the environment's DISPROP_KEY; needed where the mapping has key columns. force: force of rows
    that name none, where the mapping names none either. quarantine: a CSV file to write for the rows put aside;
    identifiers are hashed there too. progress: called as `progress(bytes done, bytes in all, file name)`.

    Raises InputRefused where a file cannot be read safely or the key is missing, UsageError for an unknown force.

    >>> from pathlib import Path
    >>> _ = Path("extract.csv").write_text("Collar,When,Eth\\n4412,01/04/2019 23:15,W1\\n97,soon,B1\\n")
    >>> _ = Path("kent.toml").write_text('''
    ... name = "kent-searches"
    ... kind = "search"
    ... force = "kent"
    ... scheme = "pace2023"
    ... time_zone = "Europe/London"
    ... date_formats = ["%d/%m/%Y %H:%M"]
    ... [columns]
    ... Collar = "officer"
    ... When = "event_time"
    ... Eth = "ethnicity_self"
    ... ''')
    >>> source = read_mapped("extract.csv", mapping="kent.toml", key=KeyedHash(b"an example, not a secret"))
    >>> [batch["ethnicity_self"].to_pylist() for batch in source.batches()], source.account.quarantined
    ([['W1']], {'date not understood': 1})
    """
    if not paths:
        raise UsageError("no path; give CSV or Parquet files, folders or globs")
    how = mapping if isinstance(mapping, ColumnMapping) else read_mapping(mapping)
    members, again = find_extracts(paths)
    given = None if force is None else force_code(force)
    return Extracts(how, members, again, _key(how, key), given, quarantine, progress)


def _key(mapping: ColumnMapping, key: str | os.PathLike[str] | KeyedHash | None) -> KeyedHash | None:
    """The key where the mapping needs one; one that is given is read, and so checked, in any case."""
    if isinstance(key, KeyedHash):
        return key
    return read_key(key) if key is not None or mapping.key_columns else None


@dataclass
class _Intake:
    """What one read has found so far."""

    files: list[FileAccount] = field(default_factory=list)
    feeding: dict[tuple[str, int], list[FileAccount]] = field(default_factory=dict)
    examples: list[QuarantinedRow] = field(default_factory=list)

    def add(self, file: FileAccount, *, several: bool) -> None:
        """Takes a finished file; refuses force-months that another file brought, unless several may."""
        for slot in file.slots:
            feeding = self.feeding.setdefault(slot, [])
            if feeding and not several:
                _refuse_two_files(slot, feeding[0].name, file.name)
            feeding.append(file)
        self.files.append(file)


def _refuse_two_files(slot: tuple[str, int], first: str, second: str) -> None:
    """Two editions, unless the mapping says the wrong clock, which moves rows near midnight to the next month."""
    refuse(
        TWO_FILES,
        f"{slot[0]} {month_label(slot[1])}",
        f"it is in {first} and in {second}; if they are two editions, give one of them; if their times are in UTC, or "
        "by the clock on the wall, check time_zone in the mapping; if a month may stand in several files, declare "
        'months = "several"',
    )


class Extracts:
    """Records of extracts by one mapping; a `records.Source`.

    `batches` may be called again and reads again from the start. `parts`, `account`, `files` and `quarantined` speak of
    the last complete read; asked for before any, they read once.
    """

    client = None

    def __init__(
        self,
        mapping: ColumnMapping,
        members: list[Member],
        again: list[str],
        key: KeyedHash | None,
        force: str | None,
        quarantine: str | os.PathLike[str] | None,
        progress: Progress | None,
    ) -> None:
        self.mapping, self.key = mapping, key
        self._members, self._again, self._given = members, again, force
        self._quarantine, self._progress = quarantine, progress
        self._last: _Intake | None = None

    @property
    def kind(self) -> str:
        return self.mapping.kind

    @property
    def unit(self) -> str:
        return self.mapping.of_kind.unit

    @property
    def dataset(self) -> str:
        return self.mapping.name

    @property
    def scheme(self) -> str:
        return self.mapping.scheme or NEUTRAL

    @property
    def key_id(self) -> str:
        """Which key the pseudonyms were made with; blank where the mapping has no key column."""
        return self.key.key_id if self.key is not None and self.mapping.key_columns else ""

    @property
    def force(self) -> str | None:
        """The force of rows that name none."""
        return force_code(self.mapping.force) if self.mapping.force else self._given

    @property
    def columns(self) -> set[str]:
        """Canonical columns that the mapping fills."""
        return {*self.mapping.columns.values()}

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches, files in order; `columns` names those wanted (`force` and `month` always come)."""
        self._check_wanted(columns)
        intake, quarantine = _Intake(), Quarantine(self._quarantine)
        total, done = sum(member.size for member in self._members), 0
        try:
            for member in self._members:
                account = FileAccount(member.name, self.force, None)
                for batch in self._batches(member, columns, account, quarantine):
                    if batch.num_rows:
                        yield batch
                self._refuse_changed(len(intake.files), account)
                intake.add(account, several=self.mapping.months == "several")
                done += member.size
                if self._progress:
                    self._progress(done, total, member.name)
        finally:
            quarantine.close()
        intake.examples = quarantine.examples
        self._last = intake

    def _check_wanted(self, columns: set[str] | None) -> None:
        known = [spec.name for spec in self.mapping.of_kind.columns] + [PART_MONTH]
        for column in columns or ():
            if column not in known and column != "search_type":
                raise UsageError(f"no column {column!r} of {self.unit}{nearest(column, known)}")

    def _batches(
        self, member: Member, columns: set[str] | None, account: FileAccount, quarantine: Quarantine
    ) -> Iterator[pa.RecordBatch]:
        """Batches of one file; its account is complete, and balances, once they are exhausted."""
        with closing(self._open(member, account.notes)) as extract:
            bound = bind_mapping(self.mapping, extract, account)
            self._note_force(bound, account)
            rows = MappedRows(self.mapping, bound, self.key, self.force, account, quarantine)
            for piece in extract.pieces(bound.headers):
                batch = rows.batch(piece, columns)
                account.yielded += batch.num_rows
                yield batch
            account.sha256, account.bytes, account.read = extract.sha256, member.size, extract.count
        check_balance(account)
        _refuse_unreadable(account, quarantine)
        if not account.slots:
            account.notes[NOTHING_OBSERVED] += 1

    def _open(self, member: Member, notes: Counter[str]) -> Extract:
        return open_extract(member, self.mapping, notes)

    def _note_force(self, bound: Bound, account: FileAccount) -> None:
        if "force" not in bound.at and self.force is None:
            refuse(NO_FORCE, account.name, "name it in the mapping, map a column, or give --force ID (force=)")
        if self._given is not None:
            account.notes[FORCE_GIVEN if self.force == self._given and not self.mapping.force else FORCE_NOT_USED] += 1

    def _refuse_changed(self, place: int, account: FileAccount) -> None:
        """Two reads of one source must see the same bytes."""
        if self._last is not None and self._last.files[place].sha256 != account.sha256:
            refuse_changed(account.name)

    def _read(self) -> _Intake:
        if self._last is None:
            for _ in self.batches({"force"}):
                pass
        assert self._last is not None
        return self._last

    @property
    def files(self) -> list[FileAccount]:
        """An account of each file."""
        return self._read().files

    @property
    def quarantined(self) -> list[QuarantinedRow]:
        """The first quarantined rows (at most 20), without raw identifiers; all of them are in the quarantine file."""
        return self._read().examples

    @property
    def parts(self) -> np.ndarray:
        """One part a force-month, named by the digests of the files that feed it, of the mapping, and by the key id."""
        return parts(
            part_row(
                dataset=self.dataset, kind=self.kind, force=force, month=month,
                files=[file.sha256 for file in feeding], rows=sum(file.slots[force, month] for file in feeding),
                mapping=self.mapping.digest, key_id=self.key_id,
            )
            for (force, month), feeding in self._read().feeding.items()
        )  # fmt: skip

    @property
    def account(self) -> Account:
        """Every row read, of all files, with what was noted."""
        total = Account(notes={SAME_CONTENT: len(self._again)} if self._again else {})
        for file in self.files:
            total = total + Account(file.read, file.excluded, file.quarantined, file.notes)
        return total


def bind_mapping(mapping: ColumnMapping, extract: Extract, account: FileAccount) -> Bound:
    """Where the mapping's columns stand in a file; refuses one that is missing, notes those that are left out."""
    known = {header_key(header): header for header in extract.header}
    at: dict[str, tuple[str, ...]] = {}
    for header, target in mapping.columns.items():
        at[target] = (*at.get(target, ()), _header(header, known, account.name))
    flags = {
        column: tuple((_header(header, known, account.name), item) for header, item in items.items())
        for column, items in mapping.items.items()
    }
    bound = Bound(at, flags)
    named = {*bound.headers, *(known[header_key(one)] for one in mapping.ignore if header_key(one) in known)}
    for header in extract.header:
        if header not in named:
            account.notes[f"{UNMAPPED_COLUMN}: {header[:60]}"] += 1
    return bound


def _header(wanted: str, known: dict[str, str], name: str) -> str:
    if header_key(wanted) not in known:
        refuse(NO_SUCH_COLUMN, name, f"it has no column {wanted!r}{nearest(wanted, known.values())}")
    return known[header_key(wanted)]


def _refuse_unreadable(account: FileAccount, quarantine: Quarantine) -> None:
    aside = account.quarantined.total()
    if account.yielded == 0 and aside >= FEWEST_TO_REFUSE:
        first = next((row for row in quarantine.examples if row.file == account.name), None)
        where = f"line {first.line}: {first.reason}, {first.column!r} looks like {first.value!r}" if first else ""
        refuse(NO_ROW_READABLE, account.name, f"{aside:,} of {account.read:,} put aside; {where}; repair the mapping")
