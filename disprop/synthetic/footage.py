"""Invented footage: what cameras recorded at encounters, and what is left of it on the day of an extract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from disprop.months import london_seconds
from disprop.synthetic.draw import DAY
from disprop.synthetic.noise import SYSTEMS, Noise

Columns = dict[str, np.ndarray]

NOBODY = -1
RECORDED, NOT_WORN, NOT_RECORDED = 0, 1, 2
RIGHT, MISSING, WRONG = 0, 1, 2

BOTH, FIRST_ONLY = 0.60, 0.30
"""Where two officers record: share of encounters that both recorded, and that only the first did."""

UPLOAD_MEDIAN, UPLOAD_SPREAD = 6 * 3600.0, 0.8
SHORTEST = 60
"""Seconds that a recording switched on late has at least."""


@dataclass(frozen=True)
class Encounters:
    """Encounters of one month, one entry each: true start and length (seconds), officers, how it was filmed.

    `number` is the reference of the encounter; `second` is `NOBODY` where one officer was alone.
    `filmed` is RECORDED, NOT_WORN or NOT_RECORDED. `on_record` says whether there is a search or a force report.
    """

    number: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    officer: np.ndarray
    second: np.ndarray
    filmed: np.ndarray
    on_record: np.ndarray


def spaced(start: np.ndarray, seconds: np.ndarray, crew: np.ndarray, gap: float) -> np.ndarray:
    """Starts moved later where a crew would otherwise still be busy: its encounters are `gap` seconds apart.

    start[i] = max(start[i], start[i - 1] + seconds[i - 1] + gap) within each crew, in time order.
    """
    order = np.lexsort((start, crew))
    took = seconds[order] + int(np.ceil(gap / 60) * 60)
    before = took.cumsum() - took
    first = np.concatenate([[True], crew[order][1:] != crew[order][:-1]]) if len(crew) else np.zeros(0, bool)
    before -= np.repeat(before[first], np.diff(np.append(np.flatnonzero(first), len(crew))))
    apart = np.cumsum(first) * (1 << 40)
    earliest = np.maximum.accumulate(start[order] - before + apart) - apart
    moved = np.empty_like(start)
    moved[order] = earliest + before
    return moved


def record(rng: np.random.Generator, met: Encounters, noise: Noise) -> Columns:
    """Clips as they truly were: encounter (position), officer, start, end; in order of the encounter."""
    which = np.flatnonzero(met.filmed == RECORDED)
    chance = rng.random(len(which))
    alone = met.second[which] == NOBODY
    first, second = alone | (chance < BOTH + FIRST_ONLY), ~alone & ((chance < BOTH) | (chance >= BOTH + FIRST_ONLY))
    encounter = np.concatenate([which[first], which[second]])
    officer = np.concatenate([met.officer[which[first]], met.second[which[second]]])
    n = len(encounter)
    late = rng.random(n) < noise.late_start
    begins, length = met.start[encounter], met.seconds[encounter]
    lead = np.where(late, -np.minimum(rng.integers(30, 180, n), length - SHORTEST), rng.integers(5, 120, n))
    clips = {"encounter": encounter, "officer": officer, "start": begins - lead, "end": begins + length}
    clips = _split(rng, clips, noise.split)
    order = np.lexsort((clips["start"], clips["officer"], clips["encounter"]))
    return {name: values[order] for name, values in clips.items()}


def _split(rng: np.random.Generator, clips: Columns, share: float) -> Columns:
    """Some clips in two, 1 to 5 seconds apart."""
    n = len(clips["start"])
    torn = np.flatnonzero(rng.random(n) < share)
    length = clips["end"][torn] - clips["start"][torn]
    cut = clips["start"][torn] + (length * rng.uniform(0.2, 0.8, len(torn))).astype(np.int64)
    rest = {name: values[torn] for name, values in clips.items()} | {"start": cut + rng.integers(1, 6, len(torn))}
    end = clips["end"].copy()
    end[torn] = cut
    return {name: np.concatenate([values, rest[name]]) for name, values in (clips | {"end": end}).items()}


def file_away(rng: np.random.Generator, met: Encounters, clips: Columns, noise: Noise) -> Columns:
    """What the systems say of the clips: recorded times, tags, uploads.

    Adds system, said_start, said_end, reference (an encounter's number, or NOBODY), tagged (RIGHT, MISSING, WRONG),
    uploaded, by_upload (whether the start is that of the upload).
    """
    n = len(clips["start"])
    system = np.where(clips["officer"] % 4 == 3, 1, 0)
    wait = np.exp(rng.normal(np.log(UPLOAD_MEDIAN), UPLOAD_SPREAD, n))
    wait += np.where(rng.random(n) < noise.late_upload, rng.uniform(2 * DAY, 30 * DAY, n), 0)
    uploaded = clips["end"] + wait.astype(np.int64)
    by_upload = rng.random(n) < noise.upload_clock
    shift = _clocks(noise)[system] + _summer(clips["start"], system, noise)
    said = np.where(by_upload, uploaded, clips["start"] + shift)
    tags = _tags(rng, met, clips["encounter"], noise)
    times = {"said_start": said, "said_end": said + clips["end"] - clips["start"], "uploaded": uploaded}
    return clips | times | tags | {"system": system, "by_upload": by_upload}


def _clocks(noise: Noise) -> np.ndarray:
    return np.array([round(noise.clock.get(system, 0)) for system in SYSTEMS], dtype=np.int64)


def _summer(start: np.ndarray, system: np.ndarray, noise: Noise) -> np.ndarray:
    """Seconds by which a system that writes local time is ahead of the UTC that it claims."""
    local = np.array([name in noise.local_as_utc for name in SYSTEMS])
    return np.where(local[system], london_seconds(start) - start, 0)


def _tags(rng: np.random.Generator, met: Encounters, encounter: np.ndarray, noise: Noise) -> Columns:
    """The reference that each clip was tagged with; footage of nothing on record has one of its own or none."""
    n = len(encounter)
    chance = rng.random(n)
    tagged = np.select([chance < noise.missing_reference, chance < noise.missing_reference + noise.wrong_reference],
                       [MISSING, WRONG], RIGHT)  # fmt: skip
    own, named = met.number[encounter], np.flatnonzero(met.on_record)
    other = own + 50_000  # within the month, and nobody's
    if len(named) > 1:
        shifted = (np.searchsorted(named, encounter) + rng.integers(1, len(named), n)) % len(named)
        other = np.where(rng.random(n) < 0.5, met.number[named[shifted]], other)
        other = np.where(other == own, own + 50_000, other)
    reference = np.select([tagged == MISSING, tagged == WRONG], [NOBODY, other], own)
    return {"tagged": tagged, "reference": reference}


def left(rng: np.random.Generator, clips: Columns, noise: Noise, as_of: int | None) -> Columns:
    """The fate of each clip on the day of the extract: `deleted` (0: kept), `listed` (in the extract), `waiting`.

    as_of: UTC seconds of the extract; None: long after, with every clip uploaded and none deleted.
    """
    n = len(clips["start"])
    stays = rng.random(n) < noise.expired_rows
    if as_of is None:
        return {"deleted": np.zeros(n, np.int64), "listed": np.ones(n, bool), "waiting": np.zeros(n, bool)}
    ends = clips["end"] + (noise.retention_days or 0) * DAY
    gone = np.zeros(n, bool) if noise.retention_days is None else ends <= as_of
    waiting = clips["uploaded"] > as_of
    return {"deleted": np.where(gone, ends, 0), "listed": ~waiting & (~gone | stays), "waiting": waiting}
