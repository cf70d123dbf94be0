"""Members of a read -> record batches: regular CSV files through one compiled pass, anything else the careful way.

Regular: UTF-8 with the very header of data.police.uk, and nothing that asks for judgement (see `kernels.csv`). Small
files are scanned several together into one batch, one group by a thread while another reads the next. What stands in
a batch depends on the files alone. A file that is not regular goes whole through `intake.read_file`, which is the
oracle of this one: same records, same account.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from disprop.errors import DispropError
from disprop.io.archive import CHUNK, Stream, refuse_changed
from disprop.io.choice import Chosen
from disprop.io.columns import LABELS, PLACE, PLACE_LIMITS, PUBLISHED, blanked
from disprop.io.dates import from_clock
from disprop.io.intake import FileAccount, Settings, check_balance, count_months, note_given_force, observe, read_file
from disprop.io.names import Claim
from disprop.kernels import csv as kernel
from disprop.kernels._jit import interpreted
from disprop.months import FIRST_YEAR, LAST_YEAR, month_number
from disprop.records import PART_MONTH, SEARCH

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int, int, str], None]

# Measured: the careful reader takes 28 ms a megabyte, the scanner 2; loading its kernel takes 60 ms.
FEWEST_BYTES = 4 << 20
GROUP = CHUNK
THREADS, AHEAD = 2, 3

_HEADERS = [",".join(spec.police_uk for spec in PUBLISHED).encode() + end for end in (b"\n", b"\r\n")]
_LONGEST_HEADER = max(map(len, _HEADERS))
_SHORTEST_LINE = len(PUBLISHED) + len("2019-04-30T23:30:00+00:00")
_FIRST_MONTH = month_number(f"{FIRST_YEAR}-01")
_COLUMNS = tuple(spec.name for spec in PUBLISHED if spec.name in LABELS)


def read_members(
    chosen: Sequence[Chosen], settings: Settings, progress: Progress | None = None
) -> Generator[tuple[pa.RecordBatch | None, list[FileAccount]], None, None]:
    """Record batches of all members, in order, each with the accounts of the files that end in it.

    Raises what `intake.read_file` raises.
    """
    total = sum(one.member.size for one in chosen)
    done = 0

    def report_on(one: Chosen) -> Callable[[int], None] | None:
        return None if progress is None else partial(_report, progress, done, total, one.member.name)

    for part in _scanned(chosen, settings, report_on) if _is_worth_it(total) else chosen:
        if isinstance(part, Chosen):
            report = report_on(part)
            account = _account(part, settings)
            for batch in read_file(part.member, part.claim, settings, account, report):
                yield batch, []
            done += account.bytes
            yield None, [account]
        else:
            batch, accounts = part
            for account in accounts:
                done += account.bytes
                if progress is not None:
                    progress(done, total, account.name)
            yield batch, accounts


def _is_worth_it(size: int) -> bool:
    return size >= FEWEST_BYTES and not interpreted()


def _report(progress: Progress, done: int, total: int, name: str, n: int) -> None:
    progress(done + n, total, name)


def _account(one: Chosen, settings: Settings) -> FileAccount:
    return FileAccount(one.member.name, one.claim.force or settings.force, one.claim.month)


# Groups of files: each is read, digested and scanned by one of two threads, while this one counts what came before.


_Part = Chosen | tuple["pa.RecordBatch | None", list[FileAccount]]
_Reports = Callable[[Chosen], Callable[[int], None] | None]
_T = TypeVar("_T")


def _scanned(chosen: Sequence[Chosen], settings: Settings, report_on: _Reports) -> Iterator[_Part]:
    """What became of the members, in order: batches of regular files, and the other members as they are."""
    with ThreadPoolExecutor(THREADS) as workers:
        for is_large, groups in groupby(_groups(chosen), _is_large):
            if is_large:
                for group in groups:
                    yield from _scanned_in_pieces(group[0], settings, workers, report_on(group[0]))
            else:
                for parts in _ahead(workers, (partial(_parts, group, settings) for group in groups)):
                    yield from parts


def _ahead(workers: ThreadPoolExecutor, tasks: Iterable[Callable[[], _T]]) -> Iterator[_T]:
    """What the tasks return, in order; a few are under way while one is looked at."""
    waiting: deque[Future[_T]] = deque()
    for task in tasks:
        waiting.append(workers.submit(task))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _parts(group: Sequence[Chosen], settings: Settings) -> list[_Part]:
    found = _scan(_read(group, settings), settings)
    return [one if isinstance(one, Chosen) else (one.batch(), one.accounts()) for one in found]


def _groups(chosen: Iterable[Chosen]) -> Iterator[list[Chosen]]:
    """Members in order, as many together as a group holds."""
    group: list[Chosen] = []
    size = 0
    for one in chosen:
        if group and size + one.member.size > GROUP:
            yield group
            group, size = [], 0
        group.append(one)
        size += one.member.size
    if group:
        yield group


def _is_large(group: Sequence[Chosen]) -> bool:
    """Whether a group is one file that is larger than a group."""
    return group[0].member.size > GROUP


@dataclass
class _File:
    """A member, or a piece of one, within a buffer: its lines are the bytes from `start` to `stop`.

    `is_plain`: it has the plain header, or follows a piece that has.
    """

    chosen: Chosen
    account: FileAccount
    words: np.ndarray
    start: int
    stop: int
    is_plain: bool


def _read(group: Sequence[Chosen], settings: Settings) -> list[_File]:
    """The files of a group, read into one buffer. What cannot be read is left to the careful reader, to say why."""
    size = sum(one.member.size for one in group)
    words = np.empty((size + kernel.PADDING) // 8 + 2, dtype=np.uint64)
    room = words.view(np.uint8).data
    files, at = [], 0
    for one in group:
        account, start = _account(one, settings), at
        if account.force is not None:
            at += _content(one, account, room[start : start + one.member.size + 1])
        header = _header(bytes(room[start : min(start + _LONGEST_HEADER, at)]))
        files.append(_File(one, account, words, start + header, at, header > 0))
    room[at:] = bytes(len(room) - at)
    return files


def _header(text: bytes) -> int:
    """Bytes of the plain header with which a file begins; 0 where it has another."""
    return next((len(header) for header in _HEADERS if text.startswith(header)), 0)


def _content(one: Chosen, account: FileAccount, room: memoryview) -> int:
    """Bytes read; 0 where it cannot be read."""
    try:
        with Stream(one.member) as stream:
            stream.read_into(room)
    except DispropError:
        return 0
    account.sha256, account.bytes = stream.sha256, stream.bytes
    return stream.bytes


def _scan(files: Sequence[_File], settings: Settings) -> list[_Scan | Chosen]:
    """Scans of regular files, as many together as stand together, and the other members between them."""
    found: list[_Scan | Chosen] = []
    while files:
        run = list(takewhile(lambda file: file.is_plain, files))
        scan = _Scan(run, settings)
        n = scan.regular
        if 0 < n < len(run):
            scan = _Scan(run[:n], settings)  # again, without the labels of a file that is not regular
        found += [scan] if n else []
        found += [file.chosen for file in files[n : n + 1]]
        files = files[n + 1 :]
    return found


class _Scan:
    """The rows of several files of one buffer as columns. The first `regular` of the files are regular."""

    def __init__(self, files: Sequence[_File], settings: Settings) -> None:
        self.files, self.settings = files, settings
        columns = len(_COLUMNS)
        bounds = np.array([(file.start, file.stop) for file in files], dtype=np.int64).reshape(-1, 2)
        rows = int((bounds[:, 1] - bounds[:, 0]).sum()) // _SHORTEST_LINE + 1
        self.labels = np.empty((columns, 2 * kernel.WORDS), dtype=np.int64)
        self.known = np.zeros(columns, dtype=np.int64)
        self.codes = np.empty((columns, rows), dtype=np.int32)
        self.times = np.empty((2, rows), dtype=np.int64)
        self.degrees = np.empty((2, rows), dtype=np.float64)
        self.found = np.zeros((len(files), 3), dtype=np.int64)
        self.text = files[0].words.view(np.uint8) if files else np.zeros(0, dtype=np.uint8)
        self.regular = self._run(bounds) if files and files[0].is_plain else 0

    def _run(self, bounds: np.ndarray) -> int:
        slots = np.zeros((len(_COLUMNS), kernel.SLOTS), dtype=np.int32)
        last = np.full((len(_COLUMNS), kernel.PLACES), -1, dtype=np.int64)
        regular = kernel.scan(
            self.text, bounds, _roles(self.settings.columns), PLACE_LIMITS, _month_starts(), _FIRST_MONTH, self.found,
            slots, self.labels, self.known, last, self.codes, self.times, self.degrees,
        )  # fmt: skip
        strange = np.flatnonzero(self.found[:regular, 2])
        return next((int(i) for i in strange if not _is_utf_8(self.text[bounds[i, 0] : bounds[i, 1]])), regular)

    @property
    def rows(self) -> int:
        return int(self.found[-1, 0])

    def _pieces(self) -> Iterator[tuple[_File, int, int]]:
        """Each file with its first row and the row after its last."""
        ends = [0, *self.found[:, 0].tolist()]
        return zip(self.files, ends, ends[1:])

    def accounts(self) -> list[FileAccount]:
        """The accounts of the files, complete."""
        self.count()
        return [_closed(file.account, file.chosen.claim) for file in self.files]

    def count(self) -> None:
        """Adds the rows to the accounts of their files."""
        for (file, first, stop), lines in zip(self._pieces(), self.found[:, 1].tolist()):
            file.account.read += lines
            file.account.yielded += stop - first
            months = self.times[1, first:stop]
            count_months(file.account, [file.account.force or ""], np.zeros(len(months), dtype=np.int32), months)

    def batch(self) -> pa.RecordBatch:
        import pyarrow as pa

        wanted, n = self.settings.columns, self.rows
        columns: dict[str, pa.Array] = {
            "force": self._forces(),
            "month": _numbers(pa.int32(), self.times[1, :n].astype(np.int32)),
        }
        if PART_MONTH in wanted:
            columns[PART_MONTH] = _numbers(pa.int32(), self._part_months())
        if "event_time" in wanted:
            columns["event_time"] = _numbers(pa.timestamp("s", "UTC"), self.times[0, :n])
        for axis, name in enumerate(PLACE):
            if name in wanted:
                degrees = self.degrees[axis, :n]
                columns[name] = _numbers(pa.float64(), degrees, known=degrees == degrees)
        for name in wanted.intersection(LABELS):
            columns[name] = self._label_column(name)
        order = [name for name in (*(spec.name for spec in SEARCH), PART_MONTH) if name in columns]
        return pa.RecordBatch.from_arrays([columns[name] for name in order], names=order)

    def _forces(self) -> pa.DictionaryArray:
        import pyarrow as pa

        forces = list(dict.fromkeys(file.account.force or "" for file in self.files))
        at = {force: i for i, force in enumerate(forces)}
        codes = np.array([at[file.account.force or ""] for file in self.files], dtype=np.int32)
        rows = np.diff(self.found[:, 0], prepend=0)
        indices = _numbers(pa.int32(), np.repeat(codes, rows))
        return pa.DictionaryArray.from_arrays(indices, _texts([force.encode() for force in forces]))

    def _part_months(self) -> np.ndarray:
        months = self.times[1, : self.rows].astype(np.int32)
        for file, first, stop in self._pieces():
            if file.account.month is not None:
                months[first:stop] = file.account.month
        return months

    def _label_column(self, name: str) -> pa.DictionaryArray:
        import pyarrow as pa

        if name not in _COLUMNS:
            return pa.DictionaryArray.from_arrays(pa.nulls(self.rows, pa.int32()), _texts([]))
        column = _COLUMNS.index(name)
        codes = self.codes[column, : self.rows]
        indices = _numbers(pa.int32(), codes, known=codes >= 0)
        encoded = pa.DictionaryArray.from_arrays(indices, _texts(self._words(column)))
        notes = Counter[str]()
        found = blanked(name, encoded, notes)
        if notes:  # to be written to the file that each came from
            for file, first, stop in self._pieces():
                own = Counter[str]()
                blanked(name, encoded.slice(first, stop - first), own)
                file.account.notes.update(+own)
        return found

    def _words(self, column: int) -> list[bytes]:
        at = self.labels[column, : 2 * self.known[column]].reshape(-1, 2).tolist()
        return [self.text[start : start + n].tobytes() for start, n in at]


def _numbers(kind: pa.DataType, values: np.ndarray, known: np.ndarray | None = None) -> pa.Array:
    """An array of such numbers over the memory of `values`; null where not `known`.

    Made from buffers, because `pa.array` imports pandas, which counting needs nowhere.
    """
    import pyarrow as pa

    is_known = None if known is None or known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [is_known, pa.py_buffer(values)])


def _texts(texts: Sequence[bytes]) -> pa.StringArray:
    """An array of texts in UTF-8."""
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


def _closed(account: FileAccount, claim: Claim) -> FileAccount:
    """The account of a file of which every row has been counted."""
    account.notes.update(claim.notes)
    note_given_force(account, claim)
    check_balance(account)
    observe(account, [account.force or ""])
    return account


# One large file: gone over twice, because whether it is regular shows at its end only.


def _scanned_in_pieces(
    one: Chosen, settings: Settings, workers: ThreadPoolExecutor, report: Callable[[int], None] | None
) -> Iterator[_Part]:
    """Batches of a large regular file; or the member as it is."""
    if not _is_regular(one, settings, workers):
        yield one
        return
    account = _account(one, settings)
    pieces = _cut(one, account, report)
    for scan in _ahead(workers, (partial(_Scan, [piece], settings) for piece in pieces)):
        if not scan.regular:
            refuse_changed(one.member.name)
        scan.count()
        if scan.rows:
            yield scan.batch(), []
    yield None, [_closed(account, one.claim)]


def _is_regular(one: Chosen, settings: Settings, workers: ThreadPoolExecutor) -> bool:
    account = _account(one, settings)
    if account.force is None:
        return False
    try:
        return all(_ahead(workers, (partial(_scans, piece, settings) for piece in _cut(one, account))))
    except DispropError:  # what cannot be read is left to the careful reader, to say why
        return False


def _scans(piece: _File, settings: Settings) -> bool:
    return _Scan([piece], settings).regular == 1


def _cut(one: Chosen, account: FileAccount, report: Callable[[int], None] | None = None) -> Iterator[_File]:
    """Pieces of a large file, each but the last ending at a line's end; the account's digest is known after them."""
    with Stream(one.member, report) as stream:
        rest, plain = b"", False
        for chunk in stream.chunks():
            text = rest + chunk
            start = 0 if plain else _header(text[:_LONGEST_HEADER])
            plain = plain or start > 0
            stop = text.rfind(b"\n") + 1
            rest = text[stop:]
            yield _piece(one, account, text[start:stop], plain and len(rest) <= kernel.LONGEST_LINE)
        if rest:
            yield _piece(one, account, rest, plain)
    account.sha256, account.bytes = stream.sha256, stream.bytes


def _piece(one: Chosen, account: FileAccount, text: bytes, is_plain: bool) -> _File:
    words = np.empty((len(text) + kernel.PADDING) // 8 + 2, dtype=np.uint64)
    room = words.view(np.uint8)
    room[: len(text)], room[len(text) :] = np.frombuffer(text, dtype=np.uint8), 0
    return _File(one, account, words, 0, len(text) if is_plain else 0, is_plain)


def _is_utf_8(text: np.ndarray) -> bool:
    try:
        text.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return True


@cache
def _roles(columns: frozenset[str]) -> np.ndarray:
    """What the kernel does with each field: dates always, labels and places where they are wanted."""
    places = {"latitude": kernel.LATITUDE, "longitude": kernel.LONGITUDE} if columns.intersection(PLACE) else {}
    roles = {"event_time": kernel.DATE, **places, **{name: i for i, name in enumerate(_COLUMNS) if name in columns}}
    return np.array([roles.get(spec.name, kernel.UNUSED) for spec in PUBLISHED], dtype=np.int64)


@cache
def _month_starts() -> np.ndarray:
    """UTC seconds at which each month begins in the United Kingdom, and the end of the last."""
    months = np.arange(_FIRST_MONTH, _FIRST_MONTH + 12 * (LAST_YEAR + 1 - FIRST_YEAR) + 1)
    clock = months.astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    return from_clock(clock, time_zone="Europe/London").seconds
