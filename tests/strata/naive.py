"""Slow truth for strata and areas: plain Python over lists, one stratum at a time. Imports nothing from disprop.

A stratum is (a, n1, c, n0): events and exposure of the group, events and exposure of the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import asin, atan2, cos, exp, fsum, inf, lgamma, log, nan, pi, radians, sin, sqrt
from statistics import NormalDist

Stratum = tuple[float, float, float, float]
Limits = tuple[float, float, float]


def z_of(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


# limits of one count


def byar(x: float, confidence: float) -> tuple[float, float]:
    if x < 10:
        return garwood(x, confidence)
    z = z_of(confidence)
    low = x * (1 - 1 / (9 * x) - z / (3 * sqrt(x))) ** 3
    return low, (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * sqrt(x + 1))) ** 3


def garwood(x: float, confidence: float) -> tuple[float, float]:
    """Means under which x or more, and x or fewer, have probability of half the error; x is whole."""
    tail = (1 - confidence) / 2
    low = halved(lambda mean: 1 - at_most(x - 1, mean) < tail) if x else 0.0
    return low, halved(lambda mean: at_most(x, mean) > tail)


def at_most(x: float, mean: float) -> float:
    return fsum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(int(x) + 1))


def halved(is_below: Callable[[float], bool], low: float = 1e-12, high: float = 1e5) -> float:
    """The point up to which `is_below` is true."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


LIMITS = {"byar": byar, "exact": garwood}


# standardised


def direct(
    strata: Sequence[tuple[float, float, float]], confidence: float, method: str
) -> tuple[float, float, float, float]:
    """Rate, low, high and variance of (events, exposure, standard) strata; all NaN when not given."""
    strata = [(x, n, w) for x, n, w in strata if w > 0]
    events, whole = sum(x for x, _, _ in strata), sum(w for _, _, w in strata)
    if events < 10 or any(n == 0 for _, n, _ in strata):
        return nan, nan, nan, nan
    rate = sum(w * x / n for x, n, w in strata) / whole
    variance = sum((w / n) ** 2 * x for x, n, w in strata) / whole**2
    low, high = (rate + sqrt(variance / events) * (limit - events) for limit in LIMITS[method](events, confidence))
    return rate, max(low, 0.0), high, variance


def indirect(strata: Sequence[Stratum], confidence: float, method: str) -> Limits:
    observed = sum(a for a, _, _, _ in strata)
    expected = sum(n1 * c / n0 for _, n1, c, n0 in strata if n1 or n0)
    return (observed / expected, *(limit / expected for limit in LIMITS[method](observed, confidence)))


# a ratio of rates from two counts that need not be whole


def score_ratio(a: float, n1: float, c: float, n0: float, confidence: float, dispersion: float = 1.0) -> Limits:
    """Ratios r that (a - (a + c) p)^2 <= z^2 (a + c) p (1 - p) allows, p = r n1 / (r n1 + n0), by halving."""
    z, a, c = z_of(confidence), a / dispersion, c / dispersion

    def far(ratio: float) -> bool:
        p = ratio * n1 / (ratio * n1 + n0)
        return (a - (a + c) * p) ** 2 > z * z * (a + c) * p * (1 - p)

    estimate = (a / n1) / (c / n0)
    low = exp(halved(lambda log_ratio: far(exp(log_ratio)), -40, log(estimate))) if a else 0.0
    high = exp(halved(lambda log_ratio: not far(exp(log_ratio)), log(estimate) if a else -40, 40))
    return estimate, low, high


def direct_ratio(
    group: Sequence[tuple[float, float, float]],
    reference: Sequence[tuple[float, float, float]],
    confidence: float,
    dispersion: float = 1.0,
) -> Limits:
    (d1, _, _, v1), (d0, _, _, v0) = (direct(side, confidence, "byar") for side in (group, reference))
    if d1 != d1 or d0 != d0:
        return nan, nan, nan
    return score_ratio(d1**2 / v1, d1 / v1, d0**2 / v0, d0 / v0, confidence, dispersion)


# one ratio over strata


def mantel_haenszel_rates(strata: Sequence[Stratum], confidence: float, dispersion: float = 1.0) -> Limits:
    strata = [s for s in strata if s[1] and s[3]]
    above = sum(a * n0 / (n1 + n0) for a, n1, c, n0 in strata)
    below = sum(c * n1 / (n1 + n0) for a, n1, c, n0 in strata)
    spread = sum((a + c) * n1 * n0 / (n1 + n0) ** 2 for a, n1, c, n0 in strata)
    return log_limits(above, below, dispersion * spread, confidence)


def mantel_haenszel_risks(strata: Sequence[Stratum], confidence: float) -> Limits:
    strata = [s for s in strata if s[1] and s[3]]
    above = sum(a * n0 / (n1 + n0) for a, n1, c, n0 in strata)
    below = sum(c * n1 / (n1 + n0) for a, n1, c, n0 in strata)
    spread = sum((n1 * n0 * (a + c) - a * c * (n1 + n0)) / (n1 + n0) ** 2 for a, n1, c, n0 in strata)
    return log_limits(above, below, spread, confidence)


def log_limits(above: float, below: float, spread: float, confidence: float) -> Limits:
    if below == 0 or above == 0:
        return nan if below == 0 else 0.0, 0.0, inf
    half = z_of(confidence) * sqrt(spread / (above * below))
    return above / below, exp(log(above / below) - half), exp(log(above / below) + half)


def breslow_day(strata: Sequence[Stratum]) -> tuple[float, int]:
    """Statistic and degrees of freedom; the fitted count is found by halving."""
    strata = [(a, n1, c, n0) for a, n1, c, n0 in strata if n1 and n0 and 0 < a + c < n1 + n0]
    above = sum(a * (n0 - c) / (n1 + n0) for a, n1, c, n0 in strata)
    below = sum(c * (n1 - a) / (n1 + n0) for a, n1, c, n0 in strata)
    odds, total = above / below, 0.0
    for a, n1, c, n0 in strata:
        m = a + c

        def too_few(x: float, n1: float = n1, n0: float = n0, m: float = m) -> bool:
            return x * (n0 - m + x) < odds * (n1 - x) * (m - x)

        x = halved(too_few, max(0, m - n0), min(n1, m))
        total += (a - x) ** 2 * (1 / x + 1 / (n1 - x) + 1 / (m - x) + 1 / (n0 - m + x))
    return total, len(strata) - 1


def breslow_day_of_rates(strata: Sequence[Stratum]) -> tuple[float, int]:
    strata = [(a, n1, c, n0) for a, n1, c, n0 in strata if n1 and n0 and a + c]
    ratio, total = mantel_haenszel_rates(strata, 0.95)[0], 0.0
    for a, n1, c, n0 in strata:
        p = ratio * n1 / (ratio * n1 + n0)
        total += (a - (a + c) * p) ** 2 / ((a + c) * p * (1 - p))
    return total, len(strata) - 1


# within strata, and the decomposition


def expected(strata: Sequence[Stratum]) -> tuple[float, float, float]:
    """Observed, expected, variance of the expected; strata without reference residents left out."""
    strata = [s for s in strata if s[3]]
    return (
        sum(a for a, _, _, _ in strata),
        sum(n1 * c / n0 for _, n1, c, n0 in strata),
        sum((n1 / n0) ** 2 * c for _, n1, c, n0 in strata),
    )


def within_ratio(strata: Sequence[Stratum], confidence: float, dispersion: float = 1.0) -> Limits:
    observed, e, variance = expected(strata)
    if e == 0:
        return nan, 0.0, inf
    return score_ratio(observed, e, e * e / variance, e * e / variance, confidence, dispersion)


def within_excess(strata: Sequence[Stratum], confidence: float, dispersion: float = 1.0) -> Limits:
    observed, e, variance = expected(strata)
    half = z_of(confidence) * sqrt(dispersion * (observed + variance))
    return observed - e, observed - e - half, observed - e + half


def pooled(strata: Sequence[Stratum]) -> Stratum:
    return tuple(sum(s[i] for s in strata) for i in range(4))  # type: ignore[return-value]


def levels(strata: Sequence[Stratum], force: Sequence[str]) -> tuple[float, float, float]:
    """Events expected with all areas as one, with the areas of each force as one, and area by area."""
    kept = [(s, f) for s, f in zip(strata, force) if s[3]]
    parts = [pooled([s for s, f in kept if f == one]) for one in sorted({f for _, f in kept})]
    return (
        expected([pooled([s for s, _ in kept])])[1],
        expected(parts)[1],
        expected([s for s, _ in kept])[1],
    )


# places


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two (longitude, latitude) in degrees."""
    (x1, y1), (x2, y2) = (tuple(map(radians, point)) for point in (one, other))
    h = sin((y2 - y1) / 2) ** 2 + cos(y1) * cos(y2) * sin((x2 - x1) / 2) ** 2
    return 2 * 6_371_000 * asin(sqrt(h))


def winding(point: tuple[float, float], ring: Sequence[tuple[float, float]]) -> bool:
    """Whether the angles under which a point sees the ring's sides add up to a full turn."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(ring, ring[1:]):
        turn = atan2(y2 - point[1], x2 - point[0]) - atan2(y1 - point[1], x1 - point[0])
        total += (turn + pi) % (2 * pi) - pi
    return abs(total) > pi


def metres_to_segment(point: tuple[float, float], one: tuple[float, float], other: tuple[float, float]) -> float:
    """Least distance to a straight side: it falls and then rises along the side, so thirds that cannot hold it go."""

    def away(share: float) -> float:
        return metres_between(point, tuple(a + (b - a) * share for a, b in zip(one, other)))  # type: ignore[arg-type]

    low, high = 0.0, 1.0
    for _ in range(60):
        third = (high - low) / 3
        low, high = (low, high - third) if away(low + third) < away(high - third) else (low + third, high)
    return away(low)
