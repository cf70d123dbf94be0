"""How many records are enough: sample sizes, power, and the sharing out of a sample among strata."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from disprop.errors import UsageError

TARGET_POWER = 0.8


def check_open(**shares: float) -> None:
    """Refuse, by name, anything that is not strictly between 0 and 1."""
    for name, value in shares.items():
        if not 0 < value < 1:
            raise UsageError(f"{name} came as {value}; wanted a share strictly between 0 and 1")


def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal quantile: 1.96 for 0.95."""
    return float(ndtri(0.5 + confidence / 2))


def sample_size(*, half_width: float, records: int | None = None, share: float = 0.5, confidence: float = 0.95) -> int:
    """Records to draw so that the normal interval is no wider than the estimate plus or minus `half_width`.

    Never more than `records`. n = ceil(n0 / (1 + (n0 - 1) / N)) with n0 = z^2 p (1 - p) / d^2 left unrounded; p = 0.5
    is the widest case. Without `records` the population is taken as endless.

    Raises: UsageError unless half_width, share and confidence lie strictly between 0 and 1.
    Source: Cochran (1977), Sampling Techniques, section 4.4.

    >>> [sample_size(half_width=d) for d in (0.10, 0.07, 0.05, 0.03)]
    [97, 196, 385, 1068]
    >>> [sample_size(half_width=d, records=9540) for d in (0.10, 0.07, 0.05, 0.03)]
    [96, 193, 370, 960]
    """
    check_open(half_width=half_width, share=share, confidence=confidence)
    endless = normal_quantile(confidence) ** 2 * share * (1 - share) / half_width**2
    if records is None:
        return math.ceil(endless)
    return min(records, math.ceil(endless / (1 + (endless - 1) / records)))


def sample_size_to_compare(share: float, other: float, *, power: float = TARGET_POWER, confidence: float = 0.95) -> int:
    """Records needed in each of two groups to tell two shares apart with the power given (two-sided test).

    The pooled normal formula (Fleiss, Levin and Paik 2003, chapter 4, without continuity correction).

    >>> sample_size_to_compare(0.229, 0.200)
    3144
    """
    check_open(share=share, other=other, power=power, confidence=confidence)
    if share == other:
        raise UsageError(f"both shares are {share}: no sample is large enough to tell them apart")
    pooled = (share + other) / 2
    under_null = normal_quantile(confidence) * math.sqrt(2 * pooled * (1 - pooled))
    under_difference = ndtri(power) * math.sqrt(share * (1 - share) + other * (1 - other))
    return math.ceil(((under_null + under_difference) / (share - other)) ** 2)


def power_to_compare(
    share: float, other: float, *, sample: float, other_sample: float, confidence: float = 0.95
) -> float:
    """The chance that the pooled two-sided test tells two shares apart (the far tail left out)."""
    pooled = (share * sample + other * other_sample) / (sample + other_sample)
    null_se = math.sqrt(pooled * (1 - pooled) * (1 / sample + 1 / other_sample))
    true_se = math.sqrt(share * (1 - share) / sample + other * (1 - other) / other_sample)
    return float(ndtr((abs(share - other) - normal_quantile(confidence) * null_se) / true_se))


def smallest_difference(*, share: float, sample: float, other_sample: float, confidence: float = 0.95) -> float | None:
    """The smallest true difference below `share` that would be noticed with 80% power; None if none would.

    >>> round(smallest_difference(share=0.229, sample=3144, other_sample=3144), 3)
    0.029
    >>> round(smallest_difference(share=0.85, sample=41, other_sample=56), 2)
    0.25
    """
    if min(sample, other_sample) <= 0:
        return None
    low, high = 0.0, share
    if power_to_compare(1e-9, share, sample=sample, other_sample=other_sample, confidence=confidence) < TARGET_POWER:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        reached = power_to_compare(
            share - middle, share, sample=sample, other_sample=other_sample, confidence=confidence
        )
        low, high = (low, middle) if reached >= TARGET_POWER else (middle, high)
    return high


def allocate(total: int, *, weights: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Whole numbers that add to `total` (or to the nearest total the bounds allow), in proportion to `weights`.

    A stratum that would get more than it has is taken whole, one that would get less than its minimum gets the
    minimum, and the others share the rest. Rounding is by largest remainder, the earlier stratum first.

    >>> allocate(10, weights=np.array([8.0, 1.0, 1.0]), least=np.array([2, 2, 2]), most=np.array([5, 90, 90]))
    array([5, 3, 2])
    """
    total = int(np.clip(total, least.sum(), most.sum()))
    low, high = 0.0, float((most / weights).max()) + 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * weights, least, most).sum() < total else (low, middle)
    exact = np.clip(high * weights, least, most)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    spare = order[whole[order] < most[order]]
    whole[spare[: total - whole.sum()]] += 1
    return whole
