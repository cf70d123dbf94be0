"""A second maker of records and footage, which shares nothing with `disprop.synthetic`, not even its distributions.

Officers work shifts, some jobs in pairs that both record, one job in each step of a shift; a job lasts a gamma time.
Forms are late by an even share of an hour or two, cameras cut their footage into lengths, a wrong reference is mostly
that of the same crew's job before, and cameras fail by officer and not by job. Used to check linkage only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from disprop.linkage import Clips, Events

BEGINS = 1_672_531_200  # 1 January 2023
SHIFT = 9 * 3600


class SecondNoise(NamedTuple):
    """Shares, but: `late_most`: the latest that a late form is (seconds); `clock`: seconds that every third officer's
    system is ahead; `piece`: the longest clip (seconds; 0: any); `jobs`: jobs of a shift; `extra`: clips of nothing for
    each job."""

    late: float = 0.05
    late_most: int = 600
    clock: int = 0
    no_reference: float = 0.2
    wrong_reference: float = 0.0
    piece: int = 0
    jobs: int = 2
    paired: float = 0.3
    failed: float = 0.0
    extra: float = 0.2


class Made(NamedTuple):
    """Records and clips, and which belong together: rows of the record and of the clip."""

    events: Events
    clips: Clips
    event: np.ndarray
    clip: np.ndarray


def make(noise: SecondNoise, *, crews: int = 120, shifts: int = 60, seed: int = 1) -> Made:
    """One record a job, one clip or more for each officer present whose camera works."""
    rng = np.random.default_rng(seed)
    crew, shift, job = (grid.ravel() for grid in np.indices((crews, shifts, noise.jobs)))
    n = crew.size
    step = SHIFT // noise.jobs
    length = np.clip(rng.gamma(4.0, 150.0, n), 120, 0.6 * step).astype(np.int64)
    begins = BEGINS + shift * 3 * 86_400 + (crew % 3) * 28_800 + job * step
    begins = begins + (rng.random(n) * (step - length)).astype(np.int64)
    paired = rng.random(n) < noise.paired
    late = np.where(rng.random(n) < noise.late, rng.uniform(0, noise.late_most, n), 0).astype(np.int64)
    swapped = rng.random(n) < 0.5
    officers = np.column_stack([2 * crew + 1, 2 * crew + 2]).astype(np.uint64)
    officer = np.where(swapped & paired, officers[:, 1], officers[:, 0])
    other = np.where(paired, np.where(swapped, officers[:, 0], officers[:, 1]), 0).astype(np.uint64)
    events = Events(
        begins + rng.integers(0, 90, n) + late, officer, other, (np.arange(n) + 1).astype(np.uint64),
        np.full(n, -1, dtype=np.int8),
    )  # fmt: skip
    return _with_clips(rng, noise, events, begins, length, officers, paired)


def _with_clips(
    rng: np.random.Generator, noise: SecondNoise, events: Events, begins: np.ndarray, length: np.ndarray,
    officers: np.ndarray, paired: np.ndarray,
) -> Made:  # fmt: skip
    n = begins.size
    works = rng.random(int(officers.max()) + 1) >= noise.failed
    job = np.concatenate([np.arange(n), np.flatnonzero(paired)])
    wearer = np.concatenate([officers[:, 0], officers[paired, 1]])
    job, wearer = job[works[wearer]], wearer[works[wearer]]
    start = begins[job] - rng.integers(0, 60, job.size)
    end = begins[job] + length[job] + rng.integers(0, 60, job.size)
    start, end, job, wearer = _in_pieces(noise.piece, start, end, job, wearer)
    reference = _references(rng, noise, job, n)
    extra = rng.choice(n, int(noise.extra * n))
    away = np.where(rng.random(extra.size) < 0.5, -1, 1) * rng.integers(5400, 14_400, extra.size)
    start = np.concatenate([start, begins[extra] + away])
    end = np.concatenate([end, begins[extra] + away + 240])
    wearer = np.concatenate([wearer, officers[extra, 0]])
    reference = np.concatenate([reference, np.zeros(extra.size, dtype=np.uint64)])
    system = (wearer % 3 == 0).astype(np.int16)
    ahead = np.where(system == 1, noise.clock, 0)
    order = rng.permutation(start.size)
    clips = Clips(start + ahead, end + ahead, wearer, reference, system, np.zeros(start.size, dtype=np.int64)).take(
        order
    )
    place = np.argsort(order)[: job.size]
    return Made(events, clips, job, place)


def _in_pieces(piece: int, start: np.ndarray, end: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    if not piece:
        return (start, end, *others)
    count = np.maximum(1, -(-(end - start) // piece))
    row = np.repeat(np.arange(start.size), count)
    nth = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    begin = start[row] + nth * piece
    return (begin, np.minimum(begin + piece, end[row]), *(values[row] for values in others))


def _references(rng: np.random.Generator, noise: SecondNoise, job: np.ndarray, n: int) -> np.ndarray:
    """Jobs are numbered crew by crew, so that the number before is mostly the same crew's last job."""
    chance = rng.random(job.size)
    wrong = np.clip(job + np.where(rng.random(job.size) < 0.7, -1, rng.integers(2, 2000, job.size)), 0, n - 1)
    chosen = np.where(chance < noise.wrong_reference, wrong, job) + 1
    return np.where(chance > 1 - noise.no_reference, 0, chosen).astype(np.uint64)
