"""Coverage of every interval, worked out by adding up the chance of every outcome: no drawing, so no noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from disprop import intervals

CONFIDENCE = 0.95

TRIALS = (10, 20, 41, 97, 221, 500)
SHARES = tuple(np.round(np.arange(0.002, 1, 0.002), 3).tolist())
EXPECTED = tuple(np.round(np.geomspace(1, 200, 60), 3).tolist())
PAIRS_EXPECTED = (10, 20, 50, 100)
RATIOS = (0.5, 0.8, 1.0, 1.25, 2.0, 3.0)
PAIRS_TRIALS = (20, 50, 100)
PAIRS_SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Coverage:
    """What one method did over its grid: coverage, misses on each side and mean length, one value a truth."""

    function: str
    method: str
    covered: np.ndarray
    below: np.ndarray
    above: np.ndarray
    length: np.ndarray

    def row(self) -> list[str]:
        return [
            f"`{self.function}`",
            f"`{self.method}`",
            str(self.covered.size),
            f"{self.covered.mean():.2%}",
            f"{self.covered.min():.2%}",
            f"{self.below.mean():.2%}",
            f"{self.above.mean():.2%}",
            f"{max(self.below.max(), self.above.max()):.2%}",
            f"{self.length.mean():.3g}",
        ]


def binomial_chances(trials: int, share: float) -> np.ndarray:
    """Chance of 0 to `trials` events."""
    x = np.arange(trials + 1)
    logs = gammaln(trials + 1) - gammaln(x + 1) - gammaln(trials - x + 1)
    return np.asarray(np.exp(logs + xlogy(x, share) + xlogy(trials - x, 1 - share)))


def poisson_chances(mean: float, most: int) -> np.ndarray:
    """Chance of 0 to `most` events."""
    x = np.arange(most + 1)
    return np.asarray(np.exp(xlogy(x, mean) - mean - gammaln(x + 1)))


def _against(
    truth: float, low: np.ndarray, high: np.ndarray, chances: np.ndarray, *, ratio: bool = False
) -> tuple[float, float, float, float]:
    """Coverage, truth below the interval, truth above it, and mean length (ln high / low of a ratio) where finite."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        length = np.log(high / low) if ratio else high - low
    finite = np.isfinite(length)
    under, over = float(chances[truth < low].sum()), float(chances[truth > high].sum())
    return 1 - under - over, under, over, float((chances[finite] * length[finite]).sum() / chances[finite].sum())


def _collect(function: str, method: str, found: Iterator[tuple[float, float, float, float]]) -> Coverage:
    return Coverage(function, method, *np.array(list(found)).T)


def proportions(method: str, trials: Sequence[int] = TRIALS, shares: Sequence[float] = SHARES) -> Coverage:
    """Coverage of `proportion_interval` over trials x true shares, exactly."""

    def found() -> Iterator[tuple[float, float, float, float]]:
        for n in trials:
            made = intervals.proportion_interval(
                events=np.arange(n + 1), trials=n, confidence=CONFIDENCE, method=method
            )
            for share in shares:
                yield _against(share, made.low, made.high, binomial_chances(n, share))

    return _collect("proportion_interval", method, found())


def rates(method: str, expected: Sequence[float] = EXPECTED) -> Coverage:
    """Coverage of `rate_interval` over expected counts, exactly (to a chance of 1e-12)."""
    most = int(max(expected) + 12 * max(expected) ** 0.5 + 20)
    made = intervals.rate_interval(events=np.arange(most + 1), exposure=1.0, confidence=CONFIDENCE, method=method)
    found = (_against(mean, made.low, made.high, poisson_chances(mean, most)) for mean in expected)
    return _collect("rate_interval", method, found)


def rate_pairs(
    function: str, method: str, expected: Sequence[float] = PAIRS_EXPECTED, ratios: Sequence[float] = RATIOS
) -> Coverage:
    """Coverage of the ratio or difference of two rates over expected reference counts x true ratios, exactly.

    The reference has 8 times the group's exposure. Pairs in which the group's expected count is below 10 are left out:
    there the verdict says "too few".
    """
    size = 8.0
    most = int(max(expected) * max(1.0, max(ratios) / 1.0) + 12 * (max(expected) * max(ratios)) ** 0.5 + 20)
    a, c = np.meshgrid(np.arange(most + 1), np.arange(most + 1), indexing="ij")
    counts: dict[str, Any] = {"events": a, "reference_events": c, "exposure": 1.0, "reference_exposure": size}
    made = getattr(intervals, function)(**counts, confidence=CONFIDENCE, method=method)
    low, high = np.nan_to_num(made.low, nan=0.0), np.nan_to_num(made.high, nan=np.inf)

    def found() -> Iterator[tuple[float, float, float, float]]:
        for mean in expected:
            for ratio in ratios:
                group = mean * ratio
                if group < 10:
                    continue
                chances = np.outer(poisson_chances(group, most), poisson_chances(mean, most))
                truth = ratio * size if function == "rate_ratio_interval" else group - mean / size
                yield _against(truth, low, high, chances, ratio=function == "rate_ratio_interval")

    return _collect(function, method, found())


def proportion_pairs(
    function: str, method: str, trials: Sequence[int] = PAIRS_TRIALS, shares: Sequence[float] = PAIRS_SHARES
) -> Coverage:
    """Coverage of the ratio or difference of two proportions over trials x trials x shares x shares, exactly."""

    ratio = function == "proportion_ratio_interval"

    def found() -> Iterator[tuple[float, float, float, float]]:
        for n1 in trials:
            for n0 in trials:
                a, c = np.meshgrid(np.arange(n1 + 1), np.arange(n0 + 1), indexing="ij")
                counts: dict[str, Any] = {"events": a, "trials": n1, "reference_events": c, "reference_trials": n0}
                made = getattr(intervals, function)(**counts, confidence=CONFIDENCE, method=method)
                for p1 in shares:
                    for p0 in shares:
                        chances = np.outer(binomial_chances(n1, p1), binomial_chances(n0, p0))
                        truth = p1 / p0 if ratio else p1 - p0
                        yield _against(truth, made.low, made.high, chances, ratio=ratio)

    return _collect(function, method, found())


def every_interval() -> Iterator[Coverage]:
    """Coverage of every method of every interval over its full grid."""
    for function, methods in intervals.METHODS.items():
        for method in methods:
            if function == "proportion_interval":
                yield proportions(method)
            elif function == "rate_interval":
                yield rates(method)
            elif function.startswith("rate"):
                yield rate_pairs(function, method)
            elif function.startswith("proportion"):
                yield proportion_pairs(function, method)
