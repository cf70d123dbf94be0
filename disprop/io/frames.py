"""Tables already in memory (pandas, Arrow, anything with the Arrow stream protocol) as a source of records.

Validation: green for canonical columns and for police.uk headers (the real files, read by pandas, give the same
tallies), amber for columns typed otherwise.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import SCHEMES, force_code, nearest
from disprop.errors import BalanceError, UsageError
from disprop.io.columns import PLACE, Binding, bind, blanked, placed
from disprop.io.dates import Instants, check_time_zone
from disprop.io.frame_columns import (
    BAD_MONTH,
    NO_MONTH,
    NUMBERS,
    as_text,
    check_typed,
    coded,
    column_degrees,
    column_instants,
    instants_or_null,
    item_sets,
    months,
    texts,
)
from disprop.io.intake import FEWEST_TO_REFUSE
from disprop.io.parquet_files import DATES
from disprop.io.parquet_rows import plain_rows, plain_types
from disprop.io.parquet_scan import Found, Scan, counted
from disprop.io.quarantine import Quarantine, QuarantinedRow
from disprop.io.rules import (
    BAD_TABLE,
    DATE_BLANK,
    FORCE_MISSING,
    FORCE_UNKNOWN,
    LONDON_MONTH,
    MONTH_UNREADABLE,
    NO_ROW_READABLE,
    UNKNOWN_COLUMN,
    refuse,
)
from disprop.months import london_month
from disprop.partial import Partial, Wanted
from disprop.provenance import Account, part_row, parts
from disprop.records import KINDS, PART_MONTH, SEARCH, Kind, kind_of

if TYPE_CHECKING:
    import pyarrow as pa

DATASET = "frame"
KIND = "search"
BATCH = 65_536
FEWEST_ROWS = 1_000_000
"""Tables of fewer rows are coded batch by batch, which needs no compiled kernel."""
NAME = "the table"


def read_frame(
    table: Any,
    *,
    kind: str = KIND,
    force: str | None = None,
    scheme: str = "police.uk",
    quarantine: str | os.PathLike[str] | None = None,
    time_zone: str = "UTC",
) -> Frame:
    """Records in a pandas DataFrame, an Arrow table or anything that gives an Arrow stream, as a source to tally.

    Columns go by their canonical names (`disprop.records.KINDS`), those of searches by the headers of police.uk too;
    others are ignored and named in the account. Keys (officer, person, reference ...) are numbers, keyed hashes, and
    text is refused there; several items (tactics, reasons ...) are lists, or text with ` | ` between them. Needed
    are `force` (or the argument `force`) and `event_time` or `month`; where both are
    there, records are counted in the London month of `event_time` and the part is that of `month`. Rows without a
    readable date or force are quarantined by reason. Nothing needs a file: the part's name is a digest of the content.

    kind: what the records are, a name of `records.KINDS`. force: force of rows that name none. scheme: the code
    scheme of the labels, one of `codelists.SCHEMES`.
    quarantine: a CSV file to write for the rows put aside. time_zone: for times without an offset.

    Raises InputRefused for a table without the needed columns, UsageError for an unknown kind, force, scheme or time
    zone.

    >>> import pandas as pd
    >>> searches = pd.DataFrame({"month": ["2019-04", "April"], "gender": ["Male", None]})
    >>> source = read_frame(searches, force="kent")
    >>> [batch.num_rows for batch in source.batches()], dict(source.account.quarantined)
    ([1], {'month not understood': 1})
    """
    if scheme not in SCHEMES:
        raise UsageError(f"no code scheme {scheme!r}{nearest(scheme, SCHEMES)}")
    check_time_zone(time_zone)
    what = kind_of(kind)
    code = None if force is None else force_code(force)
    came = _table(table)
    return Frame(came, _bound(came, code, what), code, scheme, quarantine, time_zone, what)


def _table(thing: Any) -> pa.Table:
    """An Arrow table; a pandas column that Arrow cannot type is taken as text."""
    import pyarrow as pa

    if hasattr(thing, "iloc"):
        if not thing.columns.is_unique:
            refuse(BAD_TABLE, NAME, "two columns have one name; rename or drop one")
        return pa.table({str(name): _column(thing[name]) for name in thing.columns})
    try:
        return pa.table(thing)
    except (TypeError, ValueError, pa.ArrowException) as why:
        refuse(BAD_TABLE, NAME, f"{type(thing).__name__} gives no Arrow table ({why}); give a DataFrame or Arrow table")


def _column(series: Any) -> pa.Array:
    import pyarrow as pa

    if not str(series.dtype).startswith("period"):
        try:
            return pa.array(series, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError):
            pass
    return pa.array([None if gone else str(value) for value, gone in zip(series, series.isna())], pa.string())


def _bound(table: pa.Table, force: str | None, kind: Kind) -> Binding:
    """The columns of a table, each once, the needed ones among them."""
    binding = bind(table.column_names, spelling="name", ignore=(), kind=kind.name)
    if binding.twins:
        refuse(BAD_TABLE, NAME, f"two columns mean {', '.join(binding.twins)}; rename or drop one")
    if not {"event_time", "month"} & set(binding.at):
        refuse(
            BAD_TABLE, NAME, f"it has neither `event_time` nor `month`; rename the column that dates the {kind.unit}"
        )
    if "force" not in binding.at and force is None:
        refuse(BAD_TABLE, NAME, "it has no `force`; add the column, or give force=")
    check_typed(table, binding.at, kind)
    return binding


class Frame:
    """Records from a table in memory; a `records.Source`. `parts` and `account` speak of the last complete read."""

    dataset = DATASET

    def __init__(
        self,
        table: pa.Table,
        binding: Binding,
        force: str | None,
        scheme: str,
        quarantine: str | os.PathLike[str] | None,
        time_zone: str,
        kind: Kind,
    ) -> None:
        self.scheme, self.kind, self.unit = scheme, kind.name, kind.unit
        self._table, self._binding, self._force = table, binding, force
        self._quarantine, self._time_zone = quarantine, time_zone
        self._last: TableRead | None = None

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of at most 65,536 rows; `columns` names those wanted (`force` and `month` always come)."""
        found = TableRead(self._binding, self._force, self._time_zone, Quarantine(self._quarantine), kind=self.kind)
        wanted = {spec.name for spec in SEARCH} | set(self._binding.at) if columns is None else columns
        try:
            for batch in self._table.to_batches(max_chunksize=BATCH):
                coded = found.batch(batch, wanted)
                if coded.num_rows:
                    yield coded
        finally:
            found.quarantine.close()
        found.check(self._table.num_rows)
        self._last = found

    def count(self, wanted: Wanted) -> Iterator[Partial | pa.RecordBatch]:
        """Counts of the rows of plain batches, whose text is not decoded, and record batches of the others."""
        found, counts = Found(), Scan(wanted, scheme=self.scheme)
        read = TableRead(self._binding, self._force, self._time_zone, Quarantine(self._quarantine), kind=self.kind)
        at, table = self._binding.at, self._table
        plain = table.num_rows >= FEWEST_ROWS and plain_types(table.schema, at, time_zone=self._time_zone)
        try:
            for batch in table.to_batches(max_chunksize=BATCH):
                rows = plain_rows(batch, at, wanted.columns, self._force, counts.met) if plain else None
                if rows is not None and counts.add(rows, found):
                    read.seen += batch.num_rows
                else:
                    yield read.batch(batch, wanted.columns | {*DATES})
        finally:
            read.quarantine.close()
        read.take(found)
        read.check(table.num_rows)
        self._last = read
        yield counted([counts], wanted)

    def _read(self) -> TableRead:
        if self._last is None:
            for _ in self.batches():
                pass
        assert self._last is not None
        return self._last

    @property
    def parts(self) -> np.ndarray:
        """One part a force-month that has rows."""
        slots = self._read().slots
        return parts(
            part_row(dataset=DATASET, kind=self.kind, force=force, month=month, files=[self.sha256], rows=rows)
            for (force, month), rows in slots.items()
        )

    @property
    def account(self) -> Account:
        found = self._read()
        return Account(self._table.num_rows, {}, found.quarantined, found.notes)

    @property
    def quarantined(self) -> list[QuarantinedRow]:
        """The first quarantined rows (at most 20); all of them are in the quarantine file."""
        return self._read().quarantine.examples

    @cached_property
    def sha256(self) -> str:
        """Digest of the content: column names, types and values, whatever the chunks."""
        import pyarrow as pa

        digest, table = sha256(), self._table
        for start in range(0, max(table.num_rows, 1), BATCH):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table.slice(start, BATCH).combine_chunks())
            digest.update(sink.getvalue())
        return digest.hexdigest()


class TableRead:
    """One pass over a table: judges and codes its batches, and counts what became of the rows."""

    def __init__(
        self,
        binding: Binding,
        force: str | None,
        time_zone: str,
        quarantine: Quarantine,
        name: str = NAME,
        *,
        kind: str = KIND,
    ) -> None:
        self.specs = {spec.name: spec for spec in KINDS[kind].columns}
        self.at, self.force, self.time_zone, self.quarantine, self.name = (
            binding.at, force, time_zone, quarantine, name,
        )  # fmt: skip
        self.quarantined, self.slots = Counter[str](), Counter[tuple[str, int]]()
        self.notes = Counter({note: n for note, n in binding.notes.items() if note.startswith(UNKNOWN_COLUMN)})
        self.yielded = self.seen = 0

    def take(self, found: Found) -> None:
        """Adds rows that were counted without being coded."""
        self.yielded += found.read
        self.slots.update(dict(found.slots.items()))
        self.notes.update(found.notes)

    def check(self, rows: int) -> None:
        accounted = self.yielded + self.quarantined.total()
        if rows != accounted:
            raise BalanceError(
                f"{self.name}: {rows:,} rows came, {accounted:,} are accounted for; "
                "this is a defect of disprop: nothing was counted, please report it"
            )
        if self.yielded == 0 and accounted >= FEWEST_TO_REFUSE:
            first = self.quarantine.examples[0]
            refuse(NO_ROW_READABLE, self.name, f"row {first.line}: {first.reason}, {first.value!r}; repair the table")

    def batch(self, batch: pa.RecordBatch, wanted: set[str]) -> pa.RecordBatch:
        """The rows that are records, coded; the others are put aside, each under its rule."""
        import pyarrow as pa

        faults: dict[int, tuple[str, str]] = {}
        codes, force = self._forces(batch, faults)
        dates = self._dates(batch, faults)
        for row, (reason, column) in sorted(faults.items()):
            self._put_aside(batch, row, reason, column)
        self.seen += batch.num_rows
        kept = np.ones(batch.num_rows, dtype=bool)
        kept[list(faults)] = False
        if faults:
            batch, force, dates = batch.filter(pa.array(kept)), force[kept], dates.kept(kept)
        self._count(codes, force, dates)
        columns = {
            "force": pa.DictionaryArray.from_arrays(pa.array(force), pa.array(codes, pa.string())),
            "month": pa.array(dates.month.astype(np.int32)),
        }
        if PART_MONTH in wanted:
            columns[PART_MONTH] = pa.array(dates.slot.astype(np.int32))
        if "event_time" in wanted and "event_time" in self.at:
            columns["event_time"] = pa.array(dates.seconds, mask=~dates.dated).cast(pa.timestamp("s", "UTC"))
        columns |= self._places(batch, wanted) | self._labels(batch, wanted) | self._others(batch, wanted)
        names = [name for name in (*self.specs, PART_MONTH) if name in columns]
        return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)

    def _came(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        return batch.column(self.at[name])

    def _put_aside(self, batch: pa.RecordBatch, row: int, reason: str, column: str) -> None:
        value = texts(self._came(batch, column).slice(row, 1))[0] if column in self.at else ""
        raw = str(batch.slice(row, 1).to_pylist()[0])
        self.quarantine.add(
            QuarantinedRow(self.name, self.seen + row + 1, reason, column, value, raw), self.quarantined
        )

    def _forces(self, batch: pa.RecordBatch, faults: dict[int, tuple[str, str]]) -> tuple[list[str], np.ndarray]:
        """Codes of the forces in a batch, and each row's position among them."""
        if "force" not in self.at:
            return [str(self.force)], np.zeros(batch.num_rows, dtype=np.int32)
        words, at = coded(self._came(batch, "force"))
        known = [_force(text, self.force) for text in words]
        codes = sorted({known[i] for i in np.unique(at)} - {FORCE_UNKNOWN, FORCE_MISSING})
        position = np.array([codes.index(code) if code in codes else -1 for code in known], dtype=np.int32)[at]
        faults |= {row: (known[at[row]], "force") for row in np.flatnonzero(position < 0).tolist()}
        return codes, position

    def _dates(self, batch: pa.RecordBatch, faults: dict[int, tuple[str, str]]) -> _Dates:
        """Instants and months of the rows; those that neither column dates are faults."""
        n = batch.num_rows
        given = months(self._came(batch, "month")) if "month" in self.at else np.full(n, NO_MONTH)
        found = Instants(np.zeros(n, dtype=np.int64), dict.fromkeys(range(n), DATE_BLANK))
        if "event_time" in self.at:
            found = column_instants(self._came(batch, "event_time"), time_zone=self.time_zone)
            self.notes.update(found.notes)
        dated = np.ones(n, dtype=bool)
        dated[list(found.refused)] = False
        for row in np.flatnonzero(given == BAD_MONTH).tolist():
            faults.setdefault(row, (MONTH_UNREADABLE, "month"))
        for row, reason in found.refused.items():
            if reason != DATE_BLANK or given[row] == NO_MONTH:
                faults.setdefault(row, (reason, "event_time"))
        own = np.where(dated, london_month(found.seconds), given)
        return _Dates(own, np.where(given == NO_MONTH, own, given), found.seconds, dated)

    def _count(self, codes: list[str], force: np.ndarray, dates: _Dates) -> None:
        self.yielded += len(force)
        pairs, counts = np.unique(np.stack([force, dates.slot]), axis=1, return_counts=True)
        for (code, month), n in zip(pairs.T.tolist(), counts.tolist()):
            self.slots[codes[code], month] += n
        elsewhere = int((dates.month != dates.slot).sum())
        if elsewhere:
            self.notes[LONDON_MONTH] += elsewhere

    def _labels(self, batch: pa.RecordBatch, wanted: set[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        absent = pa.DictionaryArray.from_arrays(pa.nulls(batch.num_rows, pa.int32()), pa.array([], pa.string()))
        names = [name for name in wanted if name in self.specs and name != "force"]
        found = {}
        for name in names:
            if self.specs[name].dtype == "label":
                came = as_text(self._came(batch, name)).dictionary_encode() if name in self.at else absent
                found[name] = blanked(name, came, self.notes) if name in self.at else came
            elif self.specs[name].dtype == "items":
                found[name] = item_sets(self._came(batch, name)) if name in self.at else absent
        return found

    def _others(self, batch: pa.RecordBatch, wanted: set[str]) -> dict[str, pa.Array]:
        """Keys and numbers as they came, and further times."""
        found = {}
        for name in wanted.intersection(self.at, self.specs) - {"event_time"}:
            came, dtype = self._came(batch, name), self.specs[name].dtype
            if dtype == "time":
                found[name] = instants_or_null(came, self.time_zone)
            elif dtype in NUMBERS:
                found[name] = came.cast(NUMBERS[dtype])
        return found

    def _places(self, batch: pa.RecordBatch, wanted: set[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        if not (wanted.intersection(PLACE) and set(PLACE) <= set(self.at)):
            return {}
        north, east = (column_degrees(self._came(batch, name), self.notes) for name in PLACE)
        north, east = placed(north, east, self.notes)
        found = {"latitude": pa.array(north, from_pandas=True), "longitude": pa.array(east, from_pandas=True)}
        return {name: found[name] for name in PLACE if name in wanted}


@dataclass(frozen=True)
class _Dates:
    """Of each row: analysis month, part month, UTC seconds, and whether it has an instant."""

    month: np.ndarray
    slot: np.ndarray
    seconds: np.ndarray
    dated: np.ndarray

    def kept(self, rows: np.ndarray) -> _Dates:
        return _Dates(self.month[rows], self.slot[rows], self.seconds[rows], self.dated[rows])


def _force(text: str, given: str | None) -> str:
    """The code of a row's force, or the rule that it breaks."""
    if not text.strip():
        return given or FORCE_MISSING
    try:
        return force_code(text)
    except UsageError:
        return FORCE_UNKNOWN
