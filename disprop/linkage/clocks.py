"""How far each system's clock is off, from records and clips that belong together.

Every clip that belongs to a record starts at some usual distance from the record's time: the camera goes on, the search
follows, the form is filled in. The distance is the same for every system, so a system whose clips start elsewhere has
a clock that is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from disprop.linkage.columns import NO_TIME, RECORDS, Clips, Events, LinkSettings, corrected_times
from disprop.linkage.join import linked_pairs
from disprop.months import london_seconds

FEWEST_PAIRS = 30
LEAST = 60
"""Seconds; a smaller offset is not corrected."""
SURE = 2
"""Standard errors; an offset of fewer is not corrected."""
WIDTH = 600
"""Seconds: the usual distance is looked for in a window of this width."""
SEARCHED = 3 * 3600
"""Seconds on each side in which clips without a reference are looked at."""
MOST_RECORDS = 200_000
HOUR, ABOUT = 3600, 600
USUAL = 1500
"""Seconds; records that lie farther from the start of most clips have a clock of their own that is off."""

REFERENCE, OFFICER, NOTHING = "exact reference", "officer and time", "not known"
LOCAL_AS_UTC = "local time written as UTC"
UTC_AS_LOCAL = "UTC read as local time"
SUMMER_ALL_YEAR = "summer time kept all year"
WHOLE_HOUR = "a whole hour"


@dataclass(frozen=True)
class ClockOffset:
    """One system's clock (RECORDS: the records' own).

    seconds: how far it is ahead, in winter where that differs. summer_seconds: how much farther in UK summer time.
    n_pairs: pairs of record and clip that lie about the usual distance. spread: seconds between their quartiles.
    by: what the pairs share (REFERENCE, OFFICER), or NOTHING when they are too few to say.
    pattern: the name of an error of a whole hour, or "".
    """

    system: int
    seconds: int
    summer_seconds: int
    n_pairs: int
    spread: int
    by: str
    pattern: str


def estimate_offsets(
    events: Events, clips: Clips, settings: LinkSettings | None = None, *, threads: int | None = None
) -> list[ClockOffset]:
    """The offset of every system's clock, and of the records' own first, on top of the offsets in `settings`.

    Pairs with the same reference are used where a system has 30, else all pairs of an officer's record and clips
    within three hours, among which those that belong together stand out (at least twice what chance would bring); else
    the offset is `not known` and 0. The usual distance of record and clip start is where the densest ten minutes are.
    A system is set against the one in the middle, by number of pairs: the clock of most footage is held to be right,
    and two systems alone cannot say which is. When even that distance is beyond 25 minutes, the records' clock is off.

    An offset that differs between summer and winter by an hour is named: `local time written as UTC`, `UTC read as
    local time`, `summer time kept all year`; one of an hour the whole time, or where one season has too few pairs, is
    `a whole hour`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> officer, reference = np.arange(1, 1001, dtype=np.uint64), np.arange(1, 1001, dtype=np.uint64)
    >>> start, system = 1_700_000_000 + 7200 * np.arange(1000), np.arange(1000) % 3
    >>> searches = Events(start + rng.integers(60, 240, 1000), officer, np.zeros(1000, dtype=np.uint64), reference,
    ...                   np.ones(1000, dtype=np.int8))
    >>> wrong = start + np.where(system == 2, 420, 0)        # seven minutes ahead
    >>> clips = Clips(wrong, wrong + 600, officer, reference, system, np.zeros(1000, dtype=np.int64))
    >>> [(found.system, round(found.seconds, -2), found.by) for found in estimate_offsets(searches, clips)]
    [(-1, 0, 'exact reference'), (0, 0, 'exact reference'), (1, 0, 'exact reference'), (2, 400, 'exact reference')]
    """
    settings = settings or LinkSettings()
    peaks = _peaks(events, clips, settings, threads)
    usual = {season: _middle([one[season] for one in peaks.values()]) for season in _SEASONS}
    off = {season: _records_off(distance) for season, distance in usual.items()}
    found = [_records_offset(peaks, off)]
    for system in np.unique(clips.system).tolist():
        ahead = {
            season: usual[season] - peak.distance if (peak := peaks[system][season]) is not None else None
            for season in _SEASONS
        }
        found.append(_named(system, ahead, peaks[system]))
    return found


def corrected(settings: LinkSettings, found: Sequence[ClockOffset]) -> LinkSettings:
    """Settings with these offsets added, those that are sure: a minute or more, and two standard errors or more.

    A correction that is not sure moves right clocks as often as it mends wrong ones. An offset that is not known is
    not added.

    Standard error: spread / sqrt(n_pairs), near that of the median of as many normal distances whose quartiles lie
    `spread` apart (0.93 of this).

    >>> corrected(LinkSettings(offsets={2: 100}), [ClockOffset(2, 320, 0, 50, 90, REFERENCE, "")]).offsets
    {2: 420}
    >>> corrected(LinkSettings(), [ClockOffset(2, 20, 3600, 50, 90, REFERENCE, LOCAL_AS_UTC)]).summer_offsets
    {2: 3600}

    Of 36 pairs whose quartiles are 300 s apart the standard error is 50 s, and 90 s may be chance:

    >>> corrected(LinkSettings(), [ClockOffset(2, 90, 0, 36, 300, OFFICER, "")]).offsets
    {}
    """
    return replace(
        settings,
        offsets=_added(settings.offsets, [(one, one.seconds) for one in found]),
        summer_offsets=_added(settings.summer_offsets, [(one, one.summer_seconds) for one in found]),
    )


def _added(before: Mapping[int, int], more: Sequence[tuple[ClockOffset, int]]) -> dict[int, int]:
    made = dict(before)
    for one, seconds in more:
        if one.n_pairs and abs(seconds) >= max(LEAST, SURE * one.spread / one.n_pairs**0.5):
            made[one.system] = made.get(one.system, 0) + seconds
    return made


# Distances between records and clips


@dataclass(frozen=True)
class _Peak:
    """The usual distance (record's time less clip's start), from n pairs near it."""

    distance: float
    n: int
    spread: float
    by: str


_SEASONS = ("all", "winter", "summer")
_Peaks = dict[int, dict[str, "_Peak | None"]]


def _peaks(events: Events, clips: Clips, settings: LinkSettings, threads: int | None) -> _Peaks:
    systems = np.unique(clips.system).tolist()
    narrow = replace(settings, before=0, after=0)
    found = dict(_peaks_of(events, clips, narrow, REFERENCE, systems, threads))
    rest = [system for system in systems if found[system]["all"] is None]
    if rest:
        chosen = _some(events)
        without = replace(events.take(chosen), reference=np.zeros(chosen.size, dtype=np.uint64))
        wide = LinkSettings(
            before=SEARCHED, after=SEARCHED, offsets=settings.offsets, summer_offsets=settings.summer_offsets
        )
        theirs = np.flatnonzero(np.isin(clips.system, rest))
        found.update(_peaks_of(without, clips.take(theirs), wide, OFFICER, rest, threads))
    return found


def _peaks_of(
    events: Events, clips: Clips, settings: LinkSettings, by: str, systems: list[int], threads: int | None
) -> Iterator[tuple[int, dict[str, _Peak | None]]]:
    wanted = 1 if by == REFERENCE else 2
    kept = replace(clips, deleted=np.zeros(len(clips), dtype=np.int64))
    pairs = linked_pairs(events, kept, settings, threads=threads)
    chosen = pairs.tier == wanted
    event, clip = pairs.event[chosen], pairs.clip[chosen]
    distance, summer = _distances(events, clips, event, clip, settings)
    for system in systems:
        own = clips.system[clip] == system
        seasons = {"all": own, "winter": own & ~summer, "summer": own & summer}
        yield system, {season: _peak(distance[rows], by) for season, rows in seasons.items()}


def _distances(
    events: Events, clips: Clips, event: np.ndarray, clip: np.ndarray, settings: LinkSettings
) -> tuple[np.ndarray, np.ndarray]:
    times = corrected_times(events.time, RECORDS, settings)[event]
    starts = corrected_times(clips.start, clips.system, settings)[clip]
    return times - starts, london_seconds(starts) != starts


def _some(events: Events) -> np.ndarray:
    """Rows of at most about MOST_RECORDS records, the same whatever their order: by their officer and time, stirred."""
    with np.errstate(over="ignore"):
        stirred = (events.time.view(np.uint64) + events.officer) * np.uint64(0x9E3779B97F4A7C15)
    share = min(1.0, MOST_RECORDS / max(1, len(events)))
    return np.flatnonzero((events.time != NO_TIME) & (stirred >> np.uint64(32) <= np.uint64(share * 0xFFFFFFFF)))


def _peak(distances: np.ndarray, by: str) -> _Peak | None:
    """The densest ten minutes of distances, unless they are too few, or no more than chance would bring."""
    if distances.size < FEWEST_PAIRS:
        return None
    ordered = np.sort(distances)
    inside = np.searchsorted(ordered, ordered + WIDTH, side="right") - np.arange(ordered.size)
    at = int(np.argmax(inside))
    near = ordered[at : at + inside[at]]
    by_chance = ordered.size * WIDTH / max(WIDTH, float(ordered[-1] - ordered[0]))
    if near.size < FEWEST_PAIRS or (by == OFFICER and near.size < 2 * by_chance):
        return None
    low, middle, high = np.quantile(near, [0.25, 0.5, 0.75])
    return _Peak(float(middle), int(near.size), float(high - low), by)


def _middle(peaks: Sequence[_Peak | None]) -> float:
    """The distance in the middle, by number of pairs; 0 when there is none."""
    known = sorted((peak.distance, peak.n) for peak in peaks if peak is not None)
    if not known:
        return 0.0
    before = np.cumsum([n for _, n in known])
    return known[int(np.searchsorted(2 * before, before[-1]))][0]


# What the differences mean


def _records_off(distance: float) -> float:
    """How far the records' clock is off: hours where it is about an hour, since some distance is usual."""
    if abs(distance) <= USUAL:
        return 0.0
    hours = HOUR * round(distance / HOUR)
    return float(hours) if abs(distance - hours) <= USUAL else distance


def _records_offset(peaks: _Peaks, off: dict[str, float]) -> ClockOffset:
    known = {
        season: off[season] if any(one[season] is not None for one in peaks.values()) else None for season in _SEASONS
    }
    largest = {
        season: max((peak for one in peaks.values() if (peak := one[season])), key=lambda peak: peak.n, default=None)
        for season in _SEASONS
    }
    return _named(RECORDS, known, largest)


def _named(system: int, ahead: dict[str, float | None], peaks: dict[str, _Peak | None]) -> ClockOffset:
    peak = peaks["all"] or peaks["winter"] or peaks["summer"]
    if peak is None:
        return ClockOffset(system, 0, 0, 0, 0, NOTHING, "")
    winter, summer, whole = ahead["winter"], ahead["summer"], ahead["all"]
    if winter is not None and summer is not None and _about(abs(summer - winter), HOUR):
        step = HOUR if summer > winter else -HOUR
        seconds, pattern = winter, _pattern(step, winter)
    else:
        seconds = whole if whole is not None else winter if winter is not None else summer or 0.0
        step, pattern = 0, WHOLE_HOUR if _about(abs(seconds), HOUR) else ""
    return ClockOffset(system, round(seconds), step, peak.n, round(peak.spread), peak.by, pattern)


def _pattern(step: int, winter: float) -> str:
    if step > 0:
        return LOCAL_AS_UTC if _about(winter, 0) else ""
    return UTC_AS_LOCAL if _about(winter, 0) else SUMMER_ALL_YEAR if _about(winter, HOUR) else ""


def _about(seconds: float, wanted: float) -> bool:
    return abs(seconds - wanted) <= ABOUT
