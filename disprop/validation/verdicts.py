"""How often a verdict is wrong: true ratios inside the band or on its edge, with and without dispersion by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disprop.measures.dispersion import judged_dispersion, month_dispersion
from disprop.measures.ratios import widest_limits
from disprop.measures.verdicts import HIGHER, LOWER, verdict
from disprop.validation.intervals import CONFIDENCE

MONTHS = (6, 12, 24)
GROUP_EXPECTED = (20, 100, 1000)
DISPERSIONS = (1.0, 2.0, 4.5)
TRUE_RATIOS = (0.8, 1.0, 1.25)
DRAWS = 4000
REFERENCE_SIZE = 4.0


@dataclass(frozen=True)
class Verdicts:
    """How often `higher` and `lower` were said at one truth where neither is true.

    `printed_higher` and `printed_lower`: how often they would be, were verdicts read off the printed limits.
    """

    months: int
    ratio: float
    expected: float
    dispersion: float
    higher: float
    lower: float
    printed_higher: float
    printed_lower: float


def verdict_errors(*, draws: int = DRAWS, seed: int = 1, months: Sequence[int] = MONTHS) -> list[Verdicts]:
    """Wrong verdicts at true ratios inside the band, edges included, with and without dispersion between months.

    Each month's count of group and reference together is Poisson, and the group's share of it is beta-distributed so
    that its variance is `dispersion` times the binomial's.
    """
    rng = np.random.Generator(np.random.Philox(key=seed))
    return [
        _verdict_errors(k, ratio, expected, dispersion, draws, rng)
        for k in months
        for ratio in TRUE_RATIOS
        for expected in GROUP_EXPECTED
        for dispersion in DISPERSIONS
    ]


def _verdict_errors(
    months: int, ratio: float, expected: float, dispersion: float, draws: int, rng: np.random.Generator
) -> Verdicts:
    share = ratio / (ratio + REFERENCE_SIZE)
    total = rng.poisson(expected / share / months, size=(draws, months))
    group = rng.binomial(total, month_shares(share, total, dispersion, rng))
    used = np.ones(months, dtype=bool)
    phi = month_dispersion(group, total - group, used)
    judged = judged_dispersion(phi, group, total - group, used, confidence=CONFIDENCE)
    said, printed = (_said(group.sum(axis=1), (total - group).sum(axis=1), wide) for wide in (judged, phi))
    rates = [float((words == wrong).mean()) for words in (said, printed) for wrong in (HIGHER, LOWER)]
    return Verdicts(months, ratio, expected, dispersion, *rates)


def _said(a: np.ndarray, c: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """The verdict on each draw, by limits with that dispersion."""
    years: dict[str, Any] = {
        "exposure": np.ones(a.shape),
        "reference_exposure": np.full(a.shape, REFERENCE_SIZE),
    }
    low, high, _ = widest_limits(events=a, reference_events=c, **years, dispersion=dispersion, confidence=CONFIDENCE)
    counts: dict[str, Any] = {"count": a, "reference_count": c, "expected": c / REFERENCE_SIZE}
    return verdict(low=low, high=high, **counts, computable=np.ones(a.shape, dtype=bool))


def month_shares(share: float, total: np.ndarray, dispersion: float, rng: np.random.Generator) -> np.ndarray:
    """Month shares whose binomial counts have `dispersion` times the variance of a fixed share's."""
    if dispersion == 1:
        return np.full(total.shape, share)
    rho = np.clip((dispersion - 1) / np.maximum(total.mean() - 1, 1), 1e-9, 0.5)
    weight = 1 / rho - 1
    return rng.beta(share * weight, (1 - share) * weight, size=total.shape)
