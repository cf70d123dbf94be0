"""What linkage takes and gives: plain arrays, one value a record or clip, and the settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Self

import numpy as np

from disprop.errors import UsageError
from disprop.months import london_seconds

NO_TIME = int(np.iinfo(np.int64).min)
"""A time that is not known."""
RECORDS = -1
"""Stands, among systems, for the records' own clock."""
DAY = 86_400

TIERS = ("", "exact reference", "officer and time", "another officer")
REASONS = ("", "no footage", "not linked", "not worn", "expired", "ambiguous")
NO_FOOTAGE, NOT_LINKED, NOT_WORN, EXPIRED, AMBIGUOUS = range(1, 6)


class _Rows:
    """Arrays of one length; each is made the type that its name has in `_TYPES`."""

    _TYPES: ClassVar[Mapping[str, type[np.generic]]] = {}

    def __post_init__(self) -> None:
        for name, dtype in self._TYPES.items():
            object.__setattr__(self, name, _column(name, getattr(self, name), dtype))
        lengths = {name: len(getattr(self, name)) for name in self._TYPES}
        if len(set(lengths.values())) > 1:
            raise UsageError(f"columns of different lengths: {lengths}; want one value a row in each")

    def __len__(self) -> int:
        return len(getattr(self, next(iter(self._TYPES))))

    def take(self, rows: np.ndarray | slice) -> Self:
        """These rows only."""
        return type(self)(**{name: getattr(self, name)[rows] for name in self._TYPES})


def _column(name: str, values: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """The values as they are, or in the right type where that holds each of them."""
    values = np.asarray(values)
    made = np.ascontiguousarray(values, dtype=dtype) if values.dtype.kind in "iu" and values.ndim == 1 else None
    if made is None or (made.dtype != values.dtype and not np.array_equal(made, values)):
        raise UsageError(f"{name} is {values.dtype} of shape {values.shape}; want one-dimensional {np.dtype(dtype)}")
    return made


@dataclass(frozen=True)
class Events(_Rows):
    """Searches or force reports, n of them.

    time: int64, seconds UTC; NO_TIME = not known. officer, other_officer, reference: uint64, 0 = none.
    said: int8, the tick-box: 1 video, 0 no video, -1 unknown.
    """

    _TYPES: ClassVar = {
        "time": np.int64,
        "officer": np.uint64,
        "other_officer": np.uint64,
        "reference": np.uint64,
        "said": np.int8,
    }
    time: np.ndarray
    officer: np.ndarray
    other_officer: np.ndarray
    reference: np.ndarray
    said: np.ndarray


@dataclass(frozen=True)
class Clips(_Rows):
    """Pieces of footage, m of them.

    start, end: int64, seconds UTC; NO_TIME = not known. officer, reference: uint64, 0 = none. system: int16, code of
    the system that keeps it. deleted: int64, seconds UTC of its deletion, 0 = kept.
    """

    _TYPES: ClassVar = {
        "start": np.int64,
        "end": np.int64,
        "officer": np.uint64,
        "reference": np.uint64,
        "system": np.int16,
        "deleted": np.int64,
    }
    start: np.ndarray
    end: np.ndarray
    officer: np.ndarray
    reference: np.ndarray
    system: np.ndarray
    deleted: np.ndarray


@dataclass(frozen=True)
class Links(_Rows):
    """One value a record. `tier`: place in TIERS, 0 = not linked; `reason`: place in REASONS, 0 = linked; `clips`: how
    many (65,535 stands for more); `seconds` covered in the record's window; `from_start`: 1 yes, 0 no, -1 not linked.
    """

    _TYPES: ClassVar = {
        "tier": np.uint8,
        "reason": np.uint8,
        "clips": np.uint16,
        "seconds": np.uint32,
        "from_start": np.int8,
    }
    tier: np.ndarray
    reason: np.ndarray
    clips: np.ndarray
    seconds: np.ndarray
    from_start: np.ndarray


@dataclass(frozen=True)
class Pairs(_Rows):
    """Every link: row of the record, row of the clip, and the tier by which this clip links (place in TIERS)."""

    _TYPES: ClassVar = {"event": np.int64, "clip": np.int64, "tier": np.uint8}
    event: np.ndarray
    clip: np.ndarray
    tier: np.ndarray


@dataclass(frozen=True)
class LinkSettings:
    """What is in reach of what. All in whole seconds, but `retention_days`.

    before, after: how far before a clip's start, after its end, the time of the officer's own record may lie.
    another_before, another_after: the same for the second officer's clips; where wider, before and after count.
    reference_within: the most distance at which an exact reference is believed; no narrower than before and after.
    contradicted_within: a clip with the record's reference that lies farther away is not looked at, so that a link
        depends on near months alone (`reach`).
    retention_days: days that footage is kept, judged at `as_of`; None: not known.
    as_of: instant (seconds UTC) at which deletion and retention are judged; None: every deletion counts.
    offsets: seconds that a system's clock is ahead (RECORDS: the records' own), subtracted from its times.
    summer_offsets: the same, on top, for times in UK summer time only.

    Raises UsageError when the limits contradict each other, or retention comes without `as_of`.

    >>> LinkSettings(before=600, after=900, another_before=300, another_after=300).reach
    2678400
    >>> LinkSettings(offsets={2: 420}).digest() == LinkSettings().digest()
    False
    """

    before: int = 1800
    after: int = 1800
    another_before: int = 900
    another_after: int = 900
    reference_within: int = DAY // 2
    contradicted_within: int = 31 * DAY
    retention_days: int | None = None
    as_of: int | None = None
    offsets: Mapping[int, int] = field(default_factory=dict)
    summer_offsets: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = self.limits()
        if limits.min() < 0 or limits.max() > 3650 * DAY:
            raise UsageError(f"limits {limits.tolist()} are seconds from 0 to ten years")
        if not max(self.before, self.after) <= self.reference_within <= self.contradicted_within:
            raise UsageError("want before and after <= reference_within <= contradicted_within")
        if self.retention_days is not None and self.as_of is None:
            raise UsageError("retention_days needs as_of, the day on which retention is judged")

    def limits(self) -> np.ndarray:
        """before, after, another_before, another_after, reference_within, contradicted_within (int64) as they count."""
        another = min(self.another_before, self.before), min(self.another_after, self.after)
        own = self.before, self.after
        return np.array([*own, *another, self.reference_within, self.contradicted_within], dtype=np.int64)

    @property
    def reach(self) -> int:
        """The most seconds between a record and the nearer end of a clip that may change its link, clocks corrected."""
        return max(self.contradicted_within, 2 * DAY)

    def digest(self) -> str:
        """SHA-256 of all settings, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def video_link(links: Links) -> np.ndarray:
    """The place of every record in the codelist `video_link` (int8): tiers 1 to 3, then the reasons.

    >>> found = Links(*(np.array(values) for values in ([1, 0], [0, 3], [2, 0], [600, 0], [1, -1])))
    >>> video_link(found)
    array([0, 5], dtype=int8)
    """
    return np.where(links.tier > 0, links.tier.astype(np.int8) - 1, links.reason.astype(np.int8) + 2).astype(np.int8)


def corrected_times(times: np.ndarray, systems: np.ndarray | int, settings: LinkSettings) -> np.ndarray:
    """Times with the offset of each system's clock taken off; NO_TIME stays. Summer is judged on the clock as it is."""
    own = systems if isinstance(systems, int) else None
    wrong = [code for code in {*settings.offsets, *settings.summer_offsets} if own is None or code == own]
    for code in wrong:
        chosen = times != NO_TIME if own is not None else (times != NO_TIME) & (systems == code)
        if chosen.any():
            off = settings.offsets.get(code, 0) + np.where(
                london_seconds(times[chosen]) != times[chosen], settings.summer_offsets.get(code, 0), 0
            )
            times = _with(times, chosen, times[chosen] - off)
    return times


def _with(values: np.ndarray, chosen: np.ndarray, new: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[chosen] = new
    return values
