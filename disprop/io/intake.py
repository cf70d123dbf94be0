"""One file -> record batches, with an account of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import force_code
from disprop.errors import BalanceError, UsageError
from disprop.io.archive import Member, Stream
from disprop.io.columns import (
    BLANK_WORDS,
    FLAG_WORDS,
    FLAGS,
    LABELS,
    PLACE,
    Binding,
    bind,
    canonical,
    is_header_again,
    labels,
    place,
)
from disprop.io.csv_rows import CsvRows
from disprop.io.dates import instants
from disprop.io.json_rows import JsonRows
from disprop.io.names import Claim
from disprop.io.quarantine import Quarantine, QuarantinedRow
from disprop.io.rules import (
    COLUMNS_DISAGREE,
    DATE_BLANK,
    DATE_FROM_FILE,
    EMPTY_ROW,
    FORCE_DIFFERS,
    FORCE_GIVEN,
    FORCE_MISSING,
    FORCE_UNKNOWN,
    LONDON_MONTH,
    NO_FORCE,
    NO_HEADER,
    NO_LINE_END,
    NO_ROW_READABLE,
    NOT_CSV,
    NOTHING_OBSERVED,
    OTHER_KIND,
    REPEATED_HEADER,
    REQUIRED_COLUMN,
    RULES,
    TRUNCATED,
    refuse,
)
from disprop.io.sniff import HEAD, is_json_list, kind_of
from disprop.io.text_rows import Block, Rows, decoded
from disprop.months import london_month, month_label
from disprop.records import PART_MONTH, SEARCH

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_TO_REFUSE = 10


@dataclass(frozen=True)
class Settings:
    """What holds for a whole read."""

    columns: frozenset[str]
    force: str | None
    time_zone: str
    quarantine: Quarantine


@dataclass
class FileAccount:
    """One file or archive member, and what became of its rows: read = yielded + excluded + quarantined.

    `force` and `month` (a month number) are those of its path, or None; `slots` counts its rows by the force-month
    that they feed; `other_months` counts rows whose UK local month is not the file's, by that month.
    """

    name: str
    force: str | None
    month: int | None
    sha256: str = ""
    bytes: int = 0
    read: int = 0
    yielded: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    slots: Counter[tuple[str, int]] = field(default_factory=Counter)
    other_months: Counter[int] = field(default_factory=Counter)


def read_file(
    member: Member,
    claim: Claim,
    settings: Settings,
    account: FileAccount,
    progress: Callable[[int], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Record batches of one member; `account` is complete, and balances, once they are exhausted.

    Raises InputRefused where the file cannot be read safely, BalanceError where a row was lost inside.
    """
    with Stream(member, progress) as stream:
        rows = _open_rows(member.name, stream, account.notes)
        reader = _FileReader(member.name, claim, rows, settings, account)
        for block in rows.blocks():
            batch = reader.batch(block)
            if batch.num_rows:
                account.yielded += batch.num_rows
                yield batch
    account.sha256, account.bytes, account.read = stream.sha256, stream.bytes, rows.count
    account.notes.update(claim.notes)
    check_balance(account)
    _refuse_unreadable(account, settings.quarantine)
    observe(account, reader.codes)


def _open_rows(name: str, stream: Stream, notes: Counter[str]) -> Rows:
    chunks = stream.chunks()
    first = next(chunks, b"")
    kind = kind_of(first[:HEAD])
    if kind is not None:
        refuse(NOT_CSV, name, f"it is {kind[0]}; {kind[1]}")
    texts = decoded(first[:HEAD], chain([first], chunks), notes)
    return JsonRows(name, texts, notes) if is_json_list(first[:HEAD]) else CsvRows(name, texts, notes)


def check_balance(account: FileAccount) -> None:
    """Raises BalanceError unless every row that came is accounted for."""
    accounted = account.yielded + account.excluded.total() + account.quarantined.total()
    if account.read != accounted:
        raise BalanceError(
            f"{account.name}: {account.read:,} rows came, {accounted:,} are accounted for; "
            "this is a defect of disprop: nothing was counted, please report it with the file"
        )


def _refuse_unreadable(account: FileAccount, quarantine: Quarantine) -> None:
    aside = account.quarantined.total()
    if account.yielded == 0 and aside >= FEWEST_TO_REFUSE:
        first = next((row for row in quarantine.examples if row.file == account.name), None)
        where = f"line {first.line}: {first.reason}, {first.value or first.row[:60]!r}" if first else "see its reasons"
        refuse(NO_ROW_READABLE, account.name, f"{aside:,} of {account.read:,} put aside; {where}; repair the file")


class _FileReader:
    """Judges and codes the rows of one file, block by block."""

    def __init__(self, name: str, claim: Claim, rows: Rows, settings: Settings, account: FileAccount) -> None:
        self.name, self.claim, self.settings, self.account = name, claim, settings, account
        self.header = rows.header
        self.binding = _bound(name, rows)
        account.notes.update(self.binding.notes)
        self.force = claim.force or settings.force
        self.codes: list[str] = [self.force] if self.force else []
        self._note_force()

    def _note_force(self) -> None:
        if "force" in self.binding.at or self.claim.force:
            return
        if self.force is None:
            refuse(NO_FORCE, self.name, "neither its name nor its rows name one; give --force ID (or force=)")
        note_given_force(self.account, self.claim)

    def batch(self, block: Block) -> pa.RecordBatch:
        """The rows of a block that are records; the others are excluded or put aside, each under its rule."""
        for bad in block.bad:
            self._put_aside(bad.line, bad.reason, "", "", bad.raw)
        columns = self._columns(block.rows)
        found = instants(columns[self.binding.at["event_time"]], time_zone=self.settings.time_zone)
        forces, faults = self._forces(columns)
        undated = self._faulty_dates(block.rows, found.refused, faults)
        self._faulty_twins(block.rows, faults)
        self._faulty_end(block, faults)
        for row, (rule, column) in sorted(faults.items()):
            self._leave_out(block, row, rule, column)
        self.account.notes.update(found.notes)
        dated = np.ones(len(block.rows), dtype=bool)
        dated[undated] = False
        kept = np.ones(len(block.rows), dtype=bool)
        kept[list(faults)] = False
        if faults:
            columns = self._columns([row for i, row in enumerate(block.rows) if i not in faults])
        return self._encoded(columns, found.seconds[kept], dated[kept], forces[kept])

    def _columns(self, rows: Sequence[list[str]]) -> Sequence[Sequence[str]]:
        return list(zip(*rows)) if rows else [()] * len(self.header)

    def _forces(self, columns: Sequence[Sequence[str]]) -> tuple[np.ndarray, dict[int, tuple[str, str]]]:
        """Each row's position in `codes`, and the rows whose force is at fault."""
        faults: dict[int, tuple[str, str]] = {}
        if "force" not in self.binding.at:
            return np.zeros(len(columns[0]), dtype=np.int32), faults
        texts = columns[self.binding.at["force"]]
        known = {text: self._force(text) for text in set(texts)}
        for i, text in enumerate(texts):
            if known[text] in RULES:
                faults[i] = (known[text], "force")
        self.codes += sorted({code for code in known.values() if code not in RULES} - set(self.codes))
        position = {code: i for i, code in enumerate(self.codes)}
        return np.array([position.get(known[text], 0) for text in texts], dtype=np.int32), faults

    def _force(self, text: str) -> str:
        """The code of a row's force, or the rule that it breaks."""
        if text.strip().casefold() in BLANK_WORDS:
            return self.force or FORCE_MISSING
        try:
            code = force_code(text)
        except UsageError:
            return FORCE_UNKNOWN
        return code if self.claim.force in (None, code) else FORCE_DIFFERS

    def _faulty_dates(
        self, rows: Sequence[list[str]], refused: Mapping[int, str], faults: dict[int, tuple[str, str]]
    ) -> list[int]:
        """Adds rows without a readable date to the faults; returns those that the file's month dates."""
        undated = []
        for i, reason in refused.items():
            if is_header_again(rows[i], self.binding):
                faults[i] = (REPEATED_HEADER, "")
            elif not any(map(str.strip, rows[i])):
                faults[i] = (EMPTY_ROW, "")
            elif reason == DATE_BLANK and self.claim.month is not None:
                undated.append(i)
            else:
                faults.setdefault(i, (reason, "event_time"))
        if undated:
            self.account.notes[DATE_FROM_FILE] += len(undated)
        return undated

    def _faulty_twins(self, rows: Sequence[list[str]], faults: dict[int, tuple[str, str]]) -> None:
        for name, others in self.binding.twins.items():
            first = self.binding.at[name]
            for i, row in enumerate(rows):
                if any(row[other] != row[first] for other in others):
                    faults.setdefault(i, (COLUMNS_DISAGREE, name))

    def _faulty_end(self, block: Block, faults: dict[int, tuple[str, str]]) -> None:
        if not block.open_end or not block.rows or len(block.rows) - 1 in faults:
            return
        last = block.rows[-1][-1].strip().casefold()
        if canonical(self.header[-1]) in FLAGS and last not in FLAG_WORDS | BLANK_WORDS:
            faults[len(block.rows) - 1] = (TRUNCATED, canonical(self.header[-1]) or "")
        else:
            self.account.notes[NO_LINE_END] += 1

    def _leave_out(self, block: Block, row: int, rule: str, column: str) -> None:
        if RULES[rule].kind == "excluded":
            self.account.excluded[rule] += 1
            return
        at = self.binding.at.get(column)
        header = self.header[at] if at is not None else ""
        value = block.rows[row][at] if at is not None else ""
        self._put_aside(block.lines[row], rule, header, value, block.raw(row))

    def _put_aside(self, line: int, reason: str, column: str, value: str, raw: str) -> None:
        found = QuarantinedRow(self.name, line, reason, column, value, raw)
        self.settings.quarantine.add(found, self.account.quarantined)

    def _encoded(
        self, texts: Sequence[Sequence[str]], seconds: np.ndarray, dated: np.ndarray, forces: np.ndarray
    ) -> pa.RecordBatch:
        import pyarrow as pa

        months = london_month(seconds)
        if self.claim.month is not None:
            months[~dated] = self.claim.month
        count_months(self.account, self.codes, forces, months)
        own = self.claim.month
        columns: dict[str, pa.Array] = {
            "force": pa.DictionaryArray.from_arrays(pa.array(forces), pa.array(self.codes, pa.string())),
            "month": pa.array(months.astype(np.int32)),
        }
        if PART_MONTH in self.settings.columns:
            slots = months if own is None else np.full_like(months, own)
            columns[PART_MONTH] = pa.array(slots.astype(np.int32))
        if "event_time" in self.settings.columns:
            columns["event_time"] = pa.array(seconds, mask=~dated).cast(pa.timestamp("s", "UTC"))
        columns |= self._places(texts)
        for name in self.settings.columns.intersection(LABELS):
            columns[name] = self._labels(texts, name)
        order = [name for name in (*(spec.name for spec in SEARCH), PART_MONTH) if name in columns]
        return pa.RecordBatch.from_arrays([columns[name] for name in order], names=order)

    def _labels(self, texts: Sequence[Sequence[str]], name: str) -> pa.DictionaryArray:
        import pyarrow as pa

        if name in self.binding.at:
            return labels(name, texts[self.binding.at[name]], self.account.notes)
        return pa.DictionaryArray.from_arrays(pa.nulls(len(texts[0]), pa.int32()), pa.array([], pa.string()))

    def _places(self, texts: Sequence[Sequence[str]]) -> dict[str, pa.Array]:
        import pyarrow as pa

        if not self.settings.columns.intersection(PLACE):
            return {}
        blank = [""] * len(texts[0])
        came = {name: texts[self.binding.at[name]] if name in self.binding.at else blank for name in PLACE}
        north, east = place(came["latitude"], came["longitude"], self.account.notes)
        found = {"latitude": pa.array(north, from_pandas=True), "longitude": pa.array(east, from_pandas=True)}
        return {name: found[name] for name in PLACE if name in self.settings.columns}


def note_given_force(account: FileAccount, claim: Claim) -> None:
    """Notes that the caller named the force of a file that names none."""
    if claim.force is None:
        account.notes[FORCE_GIVEN] += 1


def count_months(account: FileAccount, codes: Sequence[str], forces: np.ndarray, months: np.ndarray) -> None:
    """Counts rows by force-month: the file's month where it names one, else each row's own.

    `forces[i]` is the position of row i's force in `codes`.
    """
    own = account.month
    slots = months if own is None else np.full_like(months, own)
    for (code, month), n in _pairs(forces, slots).items():
        account.slots[codes[code], month] += n
    if own is not None:
        for (code, month), n in _pairs(forces, months).items():
            if month != own:
                account.other_months[month] += n
                which = f"{codes[code]} {month_label(own)} -> {month_label(month)}"
                account.notes[f"{LONDON_MONTH}: {which}"] += n


def observe(account: FileAccount, codes: Sequence[str]) -> None:
    """Closes the count: a file of one force-month fills its slot with every row that came, be it none."""
    if account.month is not None and account.force is not None and set(codes) == {account.force}:
        account.slots[account.force, account.month] = account.read - account.excluded.total()
    elif not account.slots:
        account.notes[NOTHING_OBSERVED] += 1


def _pairs(one: np.ndarray, other: np.ndarray) -> dict[tuple[int, int], int]:
    """How often each pair of values occurs."""
    if not len(one):
        return {}
    if (one == one[0]).all() and (other == other[0]).all():
        return {(int(one[0]), int(other[0])): len(one)}
    key = one.astype(np.int64) << 32 | other.astype(np.int64)
    values, counts = np.unique(key, return_counts=True)
    return {(int(value) >> 32, int(value) & 0xFFFFFFFF): int(n) for value, n in zip(values, counts)}


def _bound(name: str, rows: Rows) -> Binding:
    """The header's columns, or the refusal that fits best."""
    binding = bind(rows.header, spelling=rows.spelling)
    if not binding.missing:
        return binding
    came = ", ".join(text.strip()[:40] for text in rows.header[:8]) or "nothing"
    if any(text.strip().casefold() == "crime id" for text in rows.header):
        refuse(OTHER_KIND, name, "it holds crimes, not searches; give the -stop-and-search.csv file")
    if binding.at:
        refuse(
            REQUIRED_COLUMN, name, f"wanted {' and '.join(binding.missing)}, the header has: {came}; add or rename it"
        )
    if any("search" in text.casefold() for text in rows.header) and len(rows.header) > 1:
        refuse(NO_HEADER, name, f"the first line is {came}; put the police.uk column names above it")
    refuse(NOT_CSV, name, f"the first line is {came}; give a police.uk stop and search CSV, JSON or zip")
