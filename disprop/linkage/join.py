"""Records against clips that fit in memory: group the clips by officer, find what is in reach, say why nothing was."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from disprop.kernels import linkage as kernels
from disprop.kernels._jit import cores
from disprop.linkage.columns import (
    AMBIGUOUS,
    DAY,
    EXPIRED,
    NO_FOOTAGE,
    NO_TIME,
    NOT_LINKED,
    NOT_WORN,
    RECORDS,
    Clips,
    Events,
    Links,
    LinkSettings,
    Pairs,
    corrected_times,
)
from disprop.months import london_seconds

ROWS_A_THREAD = 100_000
_NOTHING = np.zeros(0, dtype=np.int32)


def link(events: Events, clips: Clips, settings: LinkSettings | None = None, *, threads: int | None = None) -> Links:
    """Links of every record, or the reason why it has none.

    No records, no clips, keys in any order, equal rows: all work, and the order of rows and the number of threads
    change nothing. What links, and the order of reasons, is defined in the text of `disprop.linkage`.

    Time is n log m for clips that rarely lie inside one another, plus the links themselves. Memory is about 45 bytes a
    clip; for more than fits, see `link_partitioned`.

    >>> import numpy as np
    >>> none = np.zeros(2, dtype=np.uint64)
    >>> officer, noon = np.array([7, 8], dtype=np.uint64), 1_700_000_000
    >>> searches = Events(np.array([noon, noon]), officer, none, none, np.array([1, 0]))
    >>> clip = Clips(*(np.array([value]) for value in (noon - 60, noon + 240)), officer[:1], none[:1],
    ...              np.array([0]), np.array([0]))
    >>> found = link(searches, clip)
    >>> found.tier, found.clips, found.seconds, found.from_start
    (array([2, 0], dtype=uint8), array([1, 0], dtype=uint16),
     array([300,   0], dtype=uint32), array([ 1, -1], dtype=int8))
    >>> found.reason                                        # the second record says: no video
    array([0, 3], dtype=uint8)
    """
    settings = settings or LinkSettings()
    workers = threads or cores()
    times = corrected_times(events.time, RECORDS, settings)
    kept, deleted = _kept_and_deleted(clips, settings)
    book = _book(events, times, kept, workers)
    swept = _sweep(book, times, settings, workers)
    reason = np.zeros(len(events), dtype=np.uint8)
    rest = np.flatnonzero(swept[:, 0] == 0)
    if rest.size:
        few = events.take(rest)
        gone = _book(few, times[rest], deleted, workers) if len(deleted) else None
        contradicted = swept[rest, 1] > 0
        reason[rest] = _reasons(few, times[rest], contradicted, book.of(rest), gone, settings, workers)
    running = np.where(swept[:, 0] > 0, swept[:, 4], -1)
    return Links(
        swept[:, 0].astype(np.uint8),
        reason,
        np.minimum(swept[:, 2], 65_535).astype(np.uint16),
        swept[:, 3].astype(np.uint32),
        running.astype(np.int8),
    )


def linked_pairs(
    events: Events, clips: Clips, settings: LinkSettings | None = None, *, threads: int | None = None
) -> Pairs:
    """Every link, in order of record and clip; `link` counts them. One clip may link to many records, and the reverse.

    >>> import numpy as np
    >>> one, none = np.ones(2, dtype=np.uint64), np.zeros(2, dtype=np.uint64)
    >>> searches = Events(np.array([1000, 5000]), one, none, none, np.array([1, 1]))
    >>> clips = Clips(np.array([900, 2000]), np.array([1000, 4000]), one, none, np.array([0, 0]), np.array([0, 0]))
    >>> linked_pairs(searches, clips)
    Pairs(event=array([0, 0, 1]), clip=array([0, 1, 1]), tier=array([2, 2, 2], dtype=uint8))
    """
    settings = settings or LinkSettings()
    workers = threads or cores()
    times = corrected_times(events.time, RECORDS, settings)
    kept, _ = _kept_and_deleted(clips, settings)
    book = _book(events, times, kept, workers, with_rows=True)
    counts = _sweep(book, times, settings, workers)[:, 2].astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])
    found = np.empty(max(1, first[-1]), dtype=np.int32)
    _sweep(book, times, settings, workers, pair_first=first, pairs=found)
    event = np.repeat(np.arange(len(events)), counts)
    clip = found[: first[-1]].astype(np.int64)
    clip = clip if kept.rows is None else kept.rows[clip]
    order = np.lexsort((clip, event))
    event, clip = event[order], clip[order]
    return Pairs(event, clip, _pair_tiers(events, clips, event, clip))


def _pair_tiers(events: Events, clips: Clips, event: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Equal references are an exact reference wherever the clip links, since nothing reaches farther than they do."""
    same = (events.reference[event] == clips.reference[clip]) & (events.reference[event] != 0)
    own = events.officer[event] == clips.officer[clip]
    return np.where(same, 1, np.where(own, 2, 3)).astype(np.uint8)


# Clips in their groups


@dataclass(frozen=True)
class _Placed:
    """Clips that have a start, by the right clock, and the rows of the caller's that they are; None: all, in order."""

    start: np.ndarray
    end: np.ndarray
    officer: np.ndarray
    reference: np.ndarray
    rows: np.ndarray | None

    def __len__(self) -> int:
        return self.start.size


def _kept_and_deleted(clips: Clips, settings: LinkSettings) -> tuple[_Placed, _Placed]:
    known = clips.start != NO_TIME
    gone = clips.deleted != 0
    if settings.as_of is not None:
        gone &= clips.deleted <= settings.as_of
    return _placed(clips, known & ~gone, settings), _placed(clips, known & gone, settings)


def _placed(clips: Clips, chosen: np.ndarray, settings: LinkSettings) -> _Placed:
    rows = None if chosen.all() else np.flatnonzero(chosen)
    if rows is not None:
        clips = clips.take(rows)
    start, end = (corrected_times(times, clips.system, settings) for times in (clips.start, clips.end))
    return _Placed(start, end, clips.officer, clips.reference, rows)


@dataclass(frozen=True)
class _Groups:
    """Clips by slot: slot g has first[g] to first[g + 1]; `spans` are starts and ends, `rows` (or none) whose."""

    first: np.ndarray
    spans: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class _Book:
    """Records and clips under the same slots. `who`: slots of a record's officer, second officer, reference."""

    who: np.ndarray
    by_officer: _Groups
    up: np.ndarray
    by_reference: _Groups
    reference_who: np.ndarray

    def of(self, rows: np.ndarray) -> _Book:
        """The same clips, for some of the records."""
        return _Book(self.who[rows], self.by_officer, self.up, self.by_reference, self.reference_who)


def _book(events: Events, times: np.ndarray, clips: _Placed, workers: int, *, with_rows: bool = False) -> _Book:
    officers = table_of([events.officer, events.other_officer])
    references = table_of([events.reference])
    who = np.empty((len(events), 3), dtype=np.int32)
    keys = ((events.officer, officers), (events.other_officer, officers), (events.reference, references))
    for column, (key, table) in enumerate(keys):
        who[:, column] = slots_of(key, table, workers)[0]
    who[times == NO_TIME] = kernels.NO_KEY
    slots, counts = slots_of(clips.officer, officers, workers, count=True)
    by_officer = _grouped(slots, counts, clips, workers, with_rows=with_rows)
    up = np.empty(len(by_officer.spans), dtype=np.int32)
    _in_parts(
        _cuts(by_officer.first, workers),
        lambda _, start, stop: kernels.order(by_officer.first, start, stop, by_officer.spans, by_officer.rows, up),
    )
    by_reference = _few_grouped(slots_of(clips.reference, references, workers)[0], references.size, clips)
    return _Book(who, by_officer, up, by_reference, slots[by_reference.rows])


def table_of(columns: list[np.ndarray]) -> np.ndarray:
    """A table of the keys in these columns, at most half full. It starts small: few keys may stand in many rows."""
    size = 1 << 10
    while True:
        table, held = np.zeros(size, dtype=np.uint64), 0
        for keys in columns:
            held = kernels.fill(keys, held, table) if held >= 0 else held
        if held >= 0:
            return table
        size *= 8


def slots_of(
    keys: np.ndarray, table: np.ndarray, workers: int, *, count: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Slot of each key; and, for each part of the rows that one thread takes, how many have each slot."""
    slots = np.empty(keys.size, dtype=np.int32)
    bounds = _even(keys.size, workers)
    counts = np.zeros((len(bounds) - 1, table.size if count else 0), dtype=np.int32)
    _in_parts(bounds, lambda part, start, stop: kernels.find(keys, table, start, stop, slots, counts[part]))
    return slots, counts


def _grouped(slots: np.ndarray, counts: np.ndarray, clips: _Placed, workers: int, *, with_rows: bool) -> _Groups:
    """A counting sort by slot: each thread knows where its rows of each slot begin."""
    ends = np.cumsum(counts.sum(axis=0, dtype=np.int64))
    first = np.concatenate([[0], ends])
    before = np.cumsum(counts, axis=0, dtype=np.int64) - counts + first[:-1]
    spans = np.empty((first[-1], 2), dtype=np.int64)
    rows = np.empty(first[-1] if with_rows else 0, dtype=np.int32)
    _in_parts(
        _even(slots.size, workers),
        lambda part, start, stop: kernels.group(slots, clips.start, clips.end, start, stop, before[part], spans, rows),
    )
    return _Groups(first, spans, rows)


def _few_grouped(slots: np.ndarray, size: int, clips: _Placed) -> _Groups:
    """The same where few clips have a slot, and their order in a group does not matter."""
    rows = np.flatnonzero(slots >= 0).astype(np.int32)
    rows = rows[np.argsort(slots[rows])]
    first = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(slots[rows], minlength=size), out=first[1:])
    start = clips.start[rows]
    return _Groups(first, np.column_stack([start, np.maximum(start, clips.end[rows])]), rows)


def _even(rows: int, workers: int) -> np.ndarray:
    parts = max(1, min(workers, rows // ROWS_A_THREAD))
    return np.arange(parts + 1) * rows // parts


def _cuts(first: np.ndarray, workers: int) -> np.ndarray:
    """Groups for each thread, with about as many clips."""
    inside = np.searchsorted(first, _even(int(first[-1]), workers)[1:-1])
    return np.concatenate([[0], inside, [first.size - 1]])


def _in_parts(bounds: np.ndarray, work: Callable[[int, int, int], None]) -> None:
    parts = [(part, int(bounds[part]), int(bounds[part + 1])) for part in range(len(bounds) - 1)]
    if len(parts) == 1:
        work(*parts[0])
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda part: work(*part), parts))


# What is in reach, and why nothing is


def _sweep(
    book: _Book,
    times: np.ndarray,
    settings: LinkSettings,
    workers: int,
    *,
    pair_first: np.ndarray | None = None,
    pairs: np.ndarray = _NOTHING,
) -> np.ndarray:
    """Of each record: tier, contradicted, clips, seconds, running from the start (int32). Officer by officer, so that
    the clips looked at are mostly near; rows with equal leading bits of the slot are near enough."""
    own = book.who[:, 0].astype(np.int64) + 2
    leading = (own >> max(0, int(own.max(initial=0)).bit_length() - 16)).astype(np.uint16)
    order = np.argsort(leading, kind="stable").astype(np.int32)
    out = np.zeros((times.size, 5), dtype=np.int32)
    first = np.zeros(1, dtype=np.int64) if pair_first is None else pair_first
    limits = settings.limits()

    def work(_: int, start: int, stop: int) -> None:
        pieces = np.empty(((settings.before + settings.after) // 2 + 2, 2), dtype=np.int64)
        kernels.sweep(
            order, start, stop, times, book.who,
            book.by_officer.first, book.by_officer.spans, book.up, book.by_officer.rows,
            book.by_reference.first, book.by_reference.spans, book.by_reference.rows, book.reference_who,
            limits, first, out, pieces, pairs,
        )  # fmt: skip

    _in_parts(_even(times.size, workers), work)
    return out


def _reasons(
    events: Events,
    times: np.ndarray,
    contradicted: np.ndarray,
    kept: _Book,
    gone: _Book | None,
    settings: LinkSettings,
    workers: int,
) -> np.ndarray:
    """Why these records, none of which is linked, are not: the first reason that holds."""
    known = times != NO_TIME
    aged = np.zeros(times.size, dtype=bool)
    if settings.retention_days is not None and settings.as_of is not None:
        aged = known & (times < settings.as_of - settings.retention_days * DAY)
    would = np.zeros(times.size, dtype=bool) if gone is None else _sweep(gone, times, settings, workers)[:, 0] > 0
    holds = [would, contradicted, events.said == 0, aged, _without_footage(times, kept, gone)]
    return np.select(holds, [EXPIRED, AMBIGUOUS, NOT_WORN, EXPIRED, NO_FOOTAGE], NOT_LINKED)


def _without_footage(times: np.ndarray, kept: _Book, gone: _Book | None) -> np.ndarray:
    """An officer is known, and neither officer has a clip that touches the local day."""
    asked = np.flatnonzero((times != NO_TIME) & (kept.who[:, :2] != kernels.NO_KEY).any(axis=1))
    seen = np.zeros(asked.size, dtype=np.uint8)
    low, high = _local_day(times[asked])
    for book in (kept, gone):
        if book is not None:
            who = np.ascontiguousarray(book.who[asked])
            kernels.touched(low, high, who, book.by_officer.first, book.by_officer.spans, book.up, seen)
    without = np.zeros(times.size, dtype=bool)
    without[asked] = seen == 0
    return without


def _local_day(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First second of the UK local day, and of the next. Clocks change after midnight, never at it."""
    day = london_seconds(times) // DAY
    return _midnight(day), _midnight(day + 1)


def _midnight(days: np.ndarray) -> np.ndarray:
    """Instant at which a local day begins: an hour early where summer time holds by then."""
    early = days * DAY - 3600
    return early + 3600 - (london_seconds(early) - early)
