"""Stop and search records in somebody else's Parquet: one file, a folder or a glob, whoever wrote them.

Validation: green for files of pyarrow, pandas, Polars and DuckDB with canonical columns or police.uk headers (every
tally against the same table through `read_frame`), amber for other writers.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import SCHEMES, force_code, nearest
from disprop.errors import InputRefused, UsageError
from disprop.io.dates import check_time_zone
from disprop.io.frames import KIND, TableRead
from disprop.io.intake import FEWEST_TO_REFUSE
from disprop.io.parquet_files import (
    DATES,
    WEAK,
    Foreign,
    content_digest,
    find_files,
    open_foreign,
    refuse_other_schema,
    refusing,
)
from disprop.io.parquet_rows import plain_rows, plain_types
from disprop.io.parquet_scan import Found, Scan, Slots, counted, named, numbers_of
from disprop.io.parquet_skip import Asked, rule_that_skips
from disprop.io.quarantine import Quarantine, QuarantinedRow
from disprop.io.rules import (
    NO_ROW_READABLE,
    OTHER_FILE,
    SAME_CONTENT,
    SKIPPED_GROUP,
    UNKNOWN_COLUMN,
    WEAK_DIGEST,
    refuse,
)
from disprop.kernels._jit import cores
from disprop.partial import Cells, Partial, Wanted
from disprop.provenance import Account, part_row, parts
from disprop.records import SEARCH

if TYPE_CHECKING:
    import pyarrow as pa

DATASET = "parquet"
DIGESTS = ("weak", "full")
BATCH = 1 << 18
FEWEST_ROWS = 1_000_000
"""Fewer rows than this go through the careful reader, which needs no compiled kernel."""


def read_parquet(
    *paths: str | os.PathLike[str],
    force: str | None = None,
    scheme: str = "police.uk",
    digest: str = "weak",
    quarantine: str | os.PathLike[str] | None = None,
    time_zone: str = "UTC",
) -> Parquet:
    """Searches in Parquet files that somebody else wrote, as a source to tally.

    Columns go by their canonical names (`disprop.records.SEARCH`) or by the headers of police.uk; others are ignored
    and named in the account. Needed are `force` (or the argument `force`) and `event_time` or `month`, as for
    `read_frame`, whose rules these are. Text may be plain, large, a view or a dictionary; times in seconds to
    nanoseconds, with a zone or without; flags booleans, numbers or text. Only the columns that a tally needs are
    decoded, and row groups whose statistics show that none of their rows can be of the forces and months asked for are
    skipped, their rows counted as left out by that rule; those of the 12 months before the period are read, because
    a partial month is judged by them. Files of one read must have the same canonical columns, of like types.

    paths: files, folders (searched to the bottom) and globs.
    force: force of rows that name none. scheme: the code scheme of the labels, one of `codelists.SCHEMES`.
    digest: what names a file's content: `weak`, a digest of its footer, size and time, noted in the account; `full`,
        the SHA-256 of all its bytes. time_zone: `UTC` or `Europe/London`, for times without a zone.
    quarantine: a CSV file to write for the rows put aside.

    Raises InputRefused for a file that is no such Parquet, is damaged or changes while it is read, by its name;
    UsageError for an unknown force, scheme, digest or time zone.

    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "searches.parquet"
    >>> pd.DataFrame({"month": ["2019-04", "April"], "gender": ["Male", None]}).to_parquet(file)
    >>> source = read_parquet(file, force="kent")
    >>> [batch.num_rows for batch in source.batches()], dict(source.account.quarantined)
    ([1], {'month not understood': 1})
    """
    if not paths:
        raise UsageError("no path; give files, folders or globs of Parquet")
    if scheme not in SCHEMES:
        raise UsageError(f"no code scheme {scheme!r}{nearest(scheme, SCHEMES)}")
    if digest not in DIGESTS:
        raise UsageError(f"digest {digest!r} is not one of {', '.join(DIGESTS)}")
    check_time_zone(time_zone)
    code = None if force is None else force_code(force)
    names, others = find_files(paths)
    files = [open_foreign(name, digest=digest, force=code) for name in names]
    files, twins = _each_content_once(files)
    refuse_other_schema(files)
    notes = {OTHER_FILE: others, SAME_CONTENT: twins}
    return Parquet(
        dict(enumerate(files)), code, scheme, time_zone, quarantine, {name: n for name, n in notes.items() if n}
    )


def _each_content_once(files: list[Foreign]) -> tuple[list[Foreign], int]:
    """The files without those whose bytes came before under another name; bytes are compared where footers agree."""
    size = [(file.stamp[0], file.footer.num_rows, file.footer.serialized_size) for file in files]
    alike = Counter(size)
    contents = [content_digest(file.path) if alike[one] > 1 else file.path for file, one in zip(files, size)]
    kept = dict(zip(reversed(contents), reversed(files)))
    return [file for file in files if file in kept.values()], len(files) - len(kept)


@dataclass(frozen=True)
class Piece:
    """A row group of a file: what one thread takes at a time."""

    file: int
    group: int
    rows: int


@dataclass
class _Reading:
    """One pass: what was found in each file, and the batches that are left to the careful reader."""

    found: dict[int, Found] = field(default_factory=dict)
    careful: list[tuple[Piece, int]] = field(default_factory=list)
    examples: list[QuarantinedRow] = field(default_factory=list)

    def of(self, file: int) -> Found:
        return self.found.setdefault(file, Found())

    def add(self, other: _Reading) -> None:
        for file, found in other.found.items():
            self.of(file).add(found)
        self.careful += other.careful


class Parquet:
    """Searches from Parquet files; a `records.Source`. `parts` and `account` speak of the last complete read."""

    kind = KIND
    unit = "searches"
    dataset = DATASET
    client: Any = None

    def __init__(
        self,
        files: Mapping[int, Foreign],
        force: str | None,
        scheme: str,
        time_zone: str,
        quarantine: str | os.PathLike[str] | None,
        notes: Mapping[str, int],
        pieces: Sequence[Piece] | None = None,
        threads: int | None = None,
    ) -> None:
        self.scheme = scheme
        self._files, self._force, self._time_zone = dict(files), force, time_zone
        self._quarantine, self._notes = quarantine, dict(notes)
        self._whole, self._threads = pieces is None, threads
        self._pieces = list(_all_pieces(self._files) if pieces is None else pieces)
        self._last: dict[int, Found] | None = None
        self._parts: np.ndarray | None = None
        self._examples: list[QuarantinedRow] = []

    # Reading, batch by batch

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of at most 262,144 rows; `columns` names those wanted (`force` and `month` always come)."""
        reading = _Reading()
        wanted = {spec.name for spec in SEARCH} if columns is None else columns
        yield from self._read_carefully([(piece, -1) for piece in self._pieces], wanted, reading)
        self._finish(reading)

    def _read_carefully(
        self, places: Sequence[tuple[Piece, int]], wanted: set[str], reading: _Reading
    ) -> Iterator[pa.RecordBatch]:
        """Batches of row groups, or single batches of them, under every rule of a table in memory."""
        quarantine = Quarantine(self._quarantine)
        try:
            for number, of_file in _by_file(places).items():
                yield from self._read_file(number, of_file, wanted, quarantine, reading.of(number))
        finally:
            quarantine.close()
        reading.examples = quarantine.examples

    def _read_file(
        self, number: int, places: Mapping[int, set[int]], wanted: set[str], quarantine: Quarantine, found: Found
    ) -> Iterator[pa.RecordBatch]:
        file = self._files[number]
        columns = wanted | {*DATES}
        read = TableRead(file.bound(columns), self._force, self._time_zone, quarantine, file.path)
        read.notes.clear()  # those of the header are said once a file, in `account`
        before = np.cumsum([0, *(file.footer.row_group(g).num_rows for g in range(file.footer.num_row_groups))])
        for group, chosen in places.items():
            for n, batch in enumerate(_decoded(file, group, columns)):
                if -1 in chosen or n in chosen:
                    read.seen = int(before[group]) + n * BATCH
                    with refusing(file.path):
                        coded = read.batch(batch, wanted)
                    found.read += batch.num_rows
                    yield coded
        file.check_unchanged()
        found.add(Found(0, Slots(read.slots), read.notes, read.quarantined))

    # Counting without decoding text

    def count(self, wanted: Wanted, *, threads: int | None = None) -> Iterator[Partial | pa.RecordBatch]:
        """Counts of the plain rows, and record batches of what was left to the careful reader.

        threads: 1 to many; none changes a count. Without it, as many as there are processors.
        """
        reading, skipped = _Reading(), Counter[str]()
        pieces = self._skip(wanted, reading, skipped)
        plain = [piece for piece in pieces if self._may_be_plain(piece.file)]
        if threads is None and sum(piece.rows for piece in plain) < FEWEST_ROWS:
            plain = []
        columns = wanted.columns | {*DATES}
        chosen = set(plain)
        reading.careful = [(piece, -1) for piece in pieces if piece not in chosen]
        yield self._count_plain(plain, wanted, columns, reading, threads or self._threads or cores())
        yield Partial([Cells() for _ in wanted.tallies], skipped)
        reading.careful.sort(key=lambda place: (place[0].file, place[0].group, place[1]))
        yield from self._read_carefully(reading.careful, columns, reading)
        self._finish(reading)

    def describe(self, wanted: Wanted) -> dict[str, str]:
        """How `count` would count, in words, as `--explain` prints it."""
        pieces = self._skip(wanted, _Reading(), Counter())
        plain = [piece for piece in pieces if self._may_be_plain(piece.file)]
        rows, fast = sum(piece.rows for piece in pieces), sum(piece.rows for piece in plain)
        skipped = sum(piece.rows for piece in self._pieces) - rows
        threads = max(1, min(self._threads or cores(), len(plain)))
        if fast < FEWEST_ROWS:
            kernel, threads = "one batch at a time (few rows, or none plain)", 1
        else:
            kernel = "dictionary indices and instants straight to cells; batches that are not plain one at a time"
        return {
            "source": f"Parquet, files: {len(self._files):,}, of {self.kind} records",
            "row groups": f"{len(pieces):,} read, {len(self._pieces) - len(pieces):,} skipped by their statistics",
            "records": f"{rows:,} in row groups read, {skipped:,} in those skipped",
            "kernel": kernel,
            "threads": str(threads),
        }

    def _may_be_plain(self, file: int) -> bool:
        at = self._files[file].binding.at
        return plain_types(self._files[file].schema, at, time_zone=self._time_zone)

    def _skip(self, wanted: Wanted, reading: _Reading, skipped: Counter[str]) -> list[Piece]:
        """The pieces to read; rows of the others are counted as left out."""
        asked = Asked(wanted.forces, wanted.period, self._force)
        kept = []
        for piece in self._pieces:
            rule = rule_that_skips(self._files[piece.file], piece.group, asked)
            if rule is None:
                kept.append(piece)
                continue
            skipped[wanted.rules[rule]] += piece.rows
            reading.of(piece.file).add(Found(piece.rows, notes=Counter({SKIPPED_GROUP: 1})))
        return kept

    def _count_plain(
        self, pieces: Sequence[Piece], wanted: Wanted, columns: set[str], reading: _Reading, threads: int
    ) -> Partial:
        """Each thread takes the next row group until there is none; one accumulator a thread."""
        queue, lock, stop = iter(pieces), threading.Lock(), threading.Event()

        def take() -> Piece | None:
            with lock:
                return None if stop.is_set() else next(queue, None)

        shared = numbers_of(wanted)

        def work(_: int) -> tuple[Scan, _Reading]:
            scan, mine = Scan(wanted, scheme=self.scheme, shared=shared), _Reading()
            try:
                while (piece := take()) is not None:
                    self._count_piece(piece, scan, columns, mine)
                return scan, mine
            except BaseException:
                stop.set()
                raise

        workers = max(1, min(threads, len(pieces)))
        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(work, range(workers)))
        for _, mine in done:
            reading.add(mine)
        if shared:
            _give_back()
        return counted([scan for scan, _ in done], wanted)

    def _count_piece(self, piece: Piece, scan: Scan, columns: set[str], mine: _Reading) -> None:
        file = self._files[piece.file]
        at = file.bound(columns).at
        for n, batch in enumerate(_decoded(file, piece.group, columns)):
            with refusing(file.path):
                rows = plain_rows(batch, at, scan.columns, self._force, scan.met)
                if rows is None or not scan.add(rows, mine.of(piece.file)):
                    mine.careful.append((piece, n))
        file.check_unchanged()

    # What was found

    def _finish(self, reading: _Reading) -> None:
        if self._whole:
            self._check(reading.found)
        self._last, self._examples = reading.found, reading.examples
        self._parts = None

    def _check(self, found: Mapping[int, Found]) -> None:
        """Every row that the footers promise came, and not all of a file was put aside."""
        for number, file in self._files.items():
            one = found.get(number, Found())
            if one.read != file.footer.num_rows:
                raise InputRefused(
                    f"{file.path}: its footer promises {file.footer.num_rows:,} rows and {one.read:,} came; "
                    "nothing was counted, copy or write it again"
                )
            if FEWEST_TO_REFUSE <= one.quarantined.total() == one.read:
                reasons = ", ".join(f"{reason}: {n:,}" for reason, n in sorted(one.quarantined.items()))
                refuse(NO_ROW_READABLE, file.path, f"{reasons}; repair the file")

    def _read(self) -> dict[int, Found]:
        if self._last is None:
            for _ in self.batches({*DATES}):
                pass
        assert self._last is not None
        return self._last

    @property
    def parts(self) -> np.ndarray:
        """One part a force-month that has rows, named by the digests of the files that hold them."""
        self._read()
        if self._parts is None:
            self._parts = self._made_parts()
        return self._parts

    def _made_parts(self) -> np.ndarray:
        read = self._read()
        numbers = sorted(read, key=lambda number: self._files[number].digest)
        held = [read[number].slots.arrays() for number in numbers]
        slots, rows = (np.concatenate([np.zeros(0, np.int64), *several]) for several in zip(*held, strict=True))
        digests = np.array([self._files[number].digest for number in numbers], dtype=object)
        digests = np.repeat(digests, [len(slots) for slots, _ in held])
        order = np.argsort(slots, kind="stable")  # digests stay in order within a slot
        names, starts = digests[order].tolist(), np.flatnonzero(np.diff(slots[order], prepend=-1))
        ends = [*starts[1:].tolist(), len(names)]
        totals = np.add.reduceat(rows[order], starts) if len(starts) else rows
        return parts(
            part_row(dataset=DATASET, kind=KIND, force=force, month=month, files=names[start:end], rows=n)
            for (force, month), start, end, n in zip(
                named(slots[order][starts]), starts.tolist(), ends, totals.tolist()
            )
        )

    @property
    def account(self) -> Account:
        """Every row of every file, with what was noted."""
        notes, quarantined, read = Counter(self._notes), Counter[str](), 0
        for number, found in self._read().items():
            read += found.read
            quarantined.update(found.quarantined)
            notes.update(found.notes)
            notes.update({n: k for n, k in self._files[number].binding.notes.items() if n.startswith(UNKNOWN_COLUMN)})
            notes[WEAK_DIGEST] += self._files[number].digest.startswith(WEAK)
        return Account(read, {}, dict(quarantined), {name: n for name, n in notes.items() if n})

    @property
    def quarantined(self) -> list[QuarantinedRow]:
        """The first quarantined rows (at most 20); all of them are in the quarantine file."""
        self._read()
        return self._examples

    # Tasks for a cluster

    def split(self, tasks: int) -> list[Parquet]:
        """The same records as at most so many sources that can be sent to another process, each row group in one."""
        if self._quarantine is not None:
            raise UsageError("a quarantine file cannot be written from a cluster; leave out the one or the other")
        total, before = sum(piece.rows for piece in self._pieces), 0
        several: list[list[Piece]] = [[] for _ in range(tasks)]
        for piece in self._pieces:
            several[min((2 * before + piece.rows) * tasks // max(2 * total, 1), tasks - 1)].append(piece)
            before += piece.rows
        return [self._only(pieces) for pieces in several if pieces]

    def _only(self, pieces: Sequence[Piece]) -> Parquet:
        """Some pieces, counted by one thread: a cluster has its own threads."""
        files = {piece.file: self._files[piece.file] for piece in pieces}
        return Parquet(files, self._force, self.scheme, self._time_zone, None, {}, pieces, threads=1)

    def found(self) -> dict[int, Found]:
        """What the last read found out about each file; small, and no record is in it."""
        return self._read()

    def gather(self, several: Iterable[Mapping[int, Found]]) -> None:
        """Takes what the tasks found, as if all had been read here."""
        reading = _Reading()
        for found in several:
            for number, one in found.items():
                reading.of(number).add(one)
        self._finish(reading)


def _give_back() -> None:
    """Gives back to the system what decoding took, before counts take as much."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _all_pieces(files: Mapping[int, Foreign]) -> Iterator[Piece]:
    for number, file in files.items():
        for group in range(file.footer.num_row_groups):
            yield Piece(number, group, file.footer.row_group(group).num_rows)


def _by_file(places: Iterable[tuple[Piece, int]]) -> dict[int, dict[int, set[int]]]:
    """File -> row group -> numbers of batches (-1 for all)."""
    found: dict[int, dict[int, set[int]]] = {}
    for piece, n in places:
        found.setdefault(piece.file, {}).setdefault(piece.group, set()).add(n)
    return found


def _decoded(file: Foreign, group: int, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Batches of one row group, the canonical columns named alone; anything wrong with it is refused by name."""
    with refusing(file.path):
        several = file.reader().iter_batches(
            batch_size=BATCH, row_groups=[group], columns=file.headers(columns), use_threads=False
        )
    while True:
        with refusing(file.path):
            batch = next(several, None)
        if batch is None:
            return
        yield batch
