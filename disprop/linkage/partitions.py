"""Linking more than fits in memory: rows go to a file in order of day, and are linked some days at a time.

A partition is the records of some days and every clip that can change their answer: the clips near in time, and those
farther off that carry one of their references. So the answers are those of `link`, to the last value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from disprop.linkage.columns import DAY, NO_TIME, RECORDS, Clips, Events, Links, LinkSettings, corrected_times
from disprop.linkage.join import link, slots_of, table_of

ROWS_A_SLICE = 1_000_000
_EVENT = np.dtype(
    [
        ("row", "<i8"),
        ("time", "<i8"),
        ("officer", "<u8"),
        ("other_officer", "<u8"),
        ("reference", "<u8"),
        ("said", "i1"),
    ]
)
_CLIP = np.dtype(
    [("start", "<i8"), ("end", "<i8"), ("officer", "<u8"), ("reference", "<u8"), ("system", "<i2"), ("deleted", "<i8")]
)


def link_partitioned(
    events: Iterable[Events],
    clips: Iterable[Clips],
    settings: LinkSettings | None = None,
    *,
    folder: Path | str,
    clips_at_a_time: int = 4_000_000,
    threads: int | None = None,
) -> Links:
    """What `link` gives, for records and clips that come in chunks, of any size and in any order.

    Results are in the order in which the records came. Chunks are asked for once. About 42 bytes a clip and 41 a record
    are written into a temporary folder within `folder`, and removed. Memory is some 150 bytes for each of
    `clips_at_a_time` (a partition has one day at least, and three on each side), one chunk, and 9 bytes a record.

    >>> import numpy as np
    >>> one, none = np.ones(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    >>> noon = 1_700_000_000
    >>> searches = [Events(np.array([noon + day * 86_400]), one, none, none, np.array([1])) for day in (0, 40)]
    >>> clip = Clips(np.array([noon - 60]), np.array([noon + 240]), one, none, np.array([0]), np.array([0]))
    >>> link_partitioned(searches, [clip], folder=".", clips_at_a_time=10).tier
    array([2, 0], dtype=uint8)
    """
    settings = settings or LinkSettings()
    plain = replace(settings, offsets={}, summer_offsets={})
    with TemporaryDirectory(dir=folder, prefix="linkage-") as own:
        records, timeless = _spill_events(events, settings, Path(own, "events"))
        spilled = _spill_clips(clips, settings, Path(own))
        n = records.rows + sum(chunk.size for chunk in timeless)
        found = Links(*(np.zeros(n, dtype=dtype) for dtype in Links._TYPES.values()))
        for rows in timeless:
            _put(found, rows["row"], link(_events(rows), _clips(np.zeros(0, dtype=_CLIP)), plain, threads=threads))
        for first, last in _periods(records, spilled[0], clips_at_a_time):
            rows = records.read(first, last)
            near = _in_reach(rows, first, last, spilled, plain)
            _put(found, rows["row"], link(_events(rows), _clips(near), plain, threads=threads))
    return found


class _Days:
    """Rows in a file, each chunk in order of its days, and where in the file the days of each chunk begin."""

    def __init__(self, path: Path, dtype: np.dtype) -> None:
        self.path, self.dtype = path, dtype
        self.rows = 0
        self._chunks: list[tuple[np.ndarray, np.ndarray]] = []
        path.touch()

    def write(self, rows: np.ndarray, days: np.ndarray) -> None:
        order = _order(days)
        ordered = days[order]
        at = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
        distinct = ordered[at]
        with self.path.open("ab") as file:
            rows.take(order).tofile(file)
        self._chunks.append((distinct, np.append(at, rows.size) + self.rows))
        self.rows += rows.size

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Days, and rows of each."""
        if not self._chunks:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        days, inverse = np.unique(np.concatenate([days for days, _ in self._chunks]), return_inverse=True)
        rows = np.concatenate([np.diff(at) for _, at in self._chunks])
        return days, np.bincount(inverse, weights=rows, minlength=days.size).astype(np.int64)

    def slices(self, first: int, last: int) -> Iterator[np.ndarray]:
        """The rows of days first to last, in pieces."""
        for days, at in self._chunks:
            low, high = at[np.searchsorted(days, [first, last + 1])].tolist()
            for start in range(low, high, ROWS_A_SLICE):
                count = min(ROWS_A_SLICE, high - start)
                yield np.fromfile(self.path, dtype=self.dtype, count=count, offset=start * self.dtype.itemsize)

    def read(self, first: int, last: int) -> np.ndarray:
        return np.concatenate([np.zeros(0, dtype=self.dtype), *self.slices(first, last)])


def _order(days: np.ndarray) -> np.ndarray:
    """Rows in order of their day; numpy sorts narrow numbers by counting."""
    if days.size and (first := days.min()) + 65_535 >= days.max():
        days = (days - first).astype(np.uint16)
    return np.argsort(days, kind="stable")


def _spill_events(chunks: Iterable[Events], settings: LinkSettings, path: Path) -> tuple[_Days, list[np.ndarray]]:
    """Records by day, by the right clock; and those without a time."""
    days, timeless, row = _Days(path, _EVENT), [], 0
    for chunk in chunks:
        rows = _packed(chunk, _EVENT)
        rows["row"] = np.arange(row, row + len(chunk))
        rows["time"] = corrected_times(chunk.time, RECORDS, settings)
        known = rows["time"] != NO_TIME
        days.write(rows[known], rows["time"][known] // DAY)
        timeless.append(rows[~known])
        row += len(chunk)
    return days, timeless


def _spill_clips(chunks: Iterable[Clips], settings: LinkSettings, folder: Path) -> tuple[_Days, _Days]:
    """Clips by the day of their start, by the right clock; those of more than a day apart."""
    usual, long = _Days(folder / "clips", _CLIP), _Days(folder / "long", _CLIP)
    for chunk in chunks:
        rows = _packed(chunk, _CLIP)
        for name in ("start", "end"):
            rows[name] = corrected_times(getattr(chunk, name), chunk.system, settings)
        rows = rows.take(np.flatnonzero(rows["start"] != NO_TIME))
        rows["end"] = np.maximum(rows["start"], rows["end"])
        is_long = rows["end"] - rows["start"] > DAY
        for days, which in ((usual, ~is_long), (long, is_long)):
            chosen = rows.take(np.flatnonzero(which))
            days.write(chosen, chosen["start"] // DAY)
    return usual, long


def _packed(chunk: Events | Clips, dtype: np.dtype) -> np.ndarray:
    rows = np.empty(len(chunk), dtype=dtype)
    for column in fields(chunk):
        rows[column.name] = getattr(chunk, column.name)
    return rows


def _periods(records: _Days, clips: _Days, most: int) -> Iterator[tuple[int, int]]:
    """First and last day of each partition: as many days as `most` clips allow, counting records too."""
    days, counts = records.counts()
    clip_days, clip_counts = clips.counts()
    counts = counts + _count_at(clip_days, clip_counts, days)
    start = 0
    for end in range(1, days.size + 1):
        if end == days.size or counts[start : end + 1].sum() > most:
            yield int(days[start]), int(days[end - 1])
            start = end


def _count_at(days: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    at = np.minimum(np.searchsorted(days, wanted), max(0, days.size - 1))
    return np.where(days[at] == wanted, counts[at], 0) if days.size else np.zeros(wanted.size, dtype=np.int64)


def _in_reach(
    records: np.ndarray, first: int, last: int, spilled: tuple[_Days, _Days], settings: LinkSettings
) -> np.ndarray:
    """Clips near these days, and those within `contradicted_within` that carry a reference of these records."""
    near = max(int(settings.limits()[:5].max()), 2 * DAY)
    far = max(settings.contradicted_within, near)
    low, high = first * DAY, (last + 1) * DAY
    references = table_of([np.ascontiguousarray(records["reference"])])
    usual, long = spilled
    days = (low - far) // DAY - 1, (high + far) // DAY
    always = (int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max) - 1)
    chosen = [np.zeros(0, dtype=_CLIP)]
    for pieces in (usual.slices(*days), long.slices(*always)):
        for rows in pieces:
            close = (rows["start"] <= high + near) & (rows["end"] >= low - near)
            slots, _ = slots_of(np.ascontiguousarray(rows["reference"]), references, 1)
            chosen.append(rows.take(np.flatnonzero(close | (slots >= 0))))
    return np.concatenate(chosen)


def _events(rows: np.ndarray) -> Events:
    return Events(*(rows[name] for name in Events._TYPES))


def _clips(rows: np.ndarray) -> Clips:
    return Clips(*(rows[name] for name in Clips._TYPES))


def _put(found: Links, rows: np.ndarray, links: Links) -> None:
    for name in Links._TYPES:
        getattr(found, name)[rows] = getattr(links, name)
