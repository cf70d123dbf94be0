"""Resampling as the definitions say, in slow plain Python. Imports nothing from disprop.

Random numbers are addressed, not drawn in turn: a word depends on the seed and on what it is for, on nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from math import comb, exp, factorial
from statistics import NormalDist

CLUSTER_WEIGHT = 3


def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox 4x32 with 10 rounds: four 32-bit words for a counter of four words and a key of two."""
    a, b, c, d = counter
    for i in range(10):
        k, m = (key[0] + i * 0x9E3779B9) % 2**32, (key[1] + i * 0xBB67AE85) % 2**32
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right // 2**32) ^ b ^ k, right % 2**32, (left // 2**32) ^ d ^ m, left % 2**32
    return [a, b, c, d]


def poisson_limits() -> list[int]:
    """The 32-bit words below which a Poisson(1) quantile is 0, at most 1, at most 2, ...: floor(2^32 P(X <= k))."""
    with localcontext() as context:
        context.prec = 40
        limits, total = [], Decimal(0)
        while True:
            total += Decimal(-1).exp() / factorial(len(limits))
            limits.append(int((total * 2**32).to_integral_value(rounding=ROUND_FLOOR)))
            if limits[-1] == 2**32 - 1:
                return limits


def cluster_weight(seed: int, key: int, replicate: int) -> int:
    """How often a cluster stands in a replicate: the Poisson(1) quantile of a word addressed by key and replicate."""
    counter = [key % 2**32, key // 2**32, replicate // 4, CLUSTER_WEIGHT]
    word = philox(counter, [seed % 2**32, seed // 2**32])[replicate % 4]
    return sum(word >= limit for limit in poisson_limits())


def hashed_replicates(
    keys: Sequence[int], cells: Sequence[int], n_cells: int, replicates: int, seed: int
) -> list[list[int]]:
    totals = [[0] * n_cells for _ in range(replicates)]
    for replicate in range(replicates):
        for key, cell in zip(keys, cells):
            totals[replicate][cell] += cluster_weight(seed, key, replicate)
    return totals


def alike_clusters(keys: Iterable[int], cells: Iterable[int], n_cells: int) -> dict[tuple[int, ...], int]:
    """What a cluster holds in each cell -> how many clusters hold exactly that."""
    held: dict[int, list[int]] = {}
    for key, cell in zip(keys, cells):
        held.setdefault(key, [0] * n_cells)[cell] += 1
    return dict(Counter(tuple(counts) for counts in held.values()))


def binomial_quantile(n: int, p: Fraction, u: float) -> int:
    total = Fraction(0)
    for k in range(n + 1):
        total += comb(n, k) * p**k * (1 - p) ** (n - k)
        if u <= total:
            return k
    return n


def poisson_quantile(mean: float, u: float) -> int:
    k, total = 0, exp(-mean)
    while u > total:
        k += 1
        total += exp(-mean) * mean**k / factorial(k)
    return k


# Intervals. A statistic takes the totals of all cells and returns a number, or None where it has none.

Statistic = Callable[[Sequence[int]], float | None]


def ranked(values: Sequence[float | None], rank: int, lowest: float) -> float:
    """The value of that rank, from 1; those without a value stand at `lowest`, and beyond the ends is infinity."""
    ordered = sorted(lowest if value is None else value for value in values)
    if rank < 1:
        return -float("inf")
    return ordered[rank - 1] if rank <= len(ordered) else float("inf")


def limits(values: Sequence[float | None], low_share: Fraction, high_share: Fraction) -> tuple[float, float]:
    places = len(values) + 1
    low = places * low_share
    high = places * high_share
    return (
        ranked(values, low.numerator // low.denominator, -float("inf")),
        ranked(values, -(-high.numerator // high.denominator), float("inf")),
    )


def percentile_limits(replicates: Sequence[float | None], confidence: Fraction) -> tuple[float, float]:
    return limits(replicates, (1 - confidence) / 2, (1 + confidence) / 2)


def without_each(clusters: Sequence[Sequence[int]], statistic: Statistic) -> list[float]:
    """The statistic with each cluster left out in turn."""
    found = []
    for left_out in range(len(clusters)):
        rest = [counts for i, counts in enumerate(clusters) if i != left_out]
        value = statistic([sum(column) for column in zip(*rest)])
        assert value is not None
        found.append(value)
    return found


def jackknife_error(clusters: Sequence[Sequence[int]], statistic: Statistic) -> float:
    found = without_each(clusters, statistic)
    n, mean = len(found), sum(found) / len(found)
    return float(((n - 1) / n * sum((value - mean) ** 2 for value in found)) ** 0.5)


def acceleration(clusters: Sequence[Sequence[int]], statistic: Statistic) -> float:
    found = without_each(clusters, statistic)
    mean = sum(found) / len(found)
    distances = [mean - value for value in found]
    return float(sum(d**3 for d in distances) / (6 * sum(d**2 for d in distances) ** 1.5))


def bca_limits(estimate: float, replicates: Sequence[float], a: float, confidence: float) -> tuple[float, float]:
    normal = NormalDist()
    below = sum(value < estimate for value in replicates) + sum(value == estimate for value in replicates) / 2
    bias = normal.inv_cdf(below / len(replicates))
    shares = []
    for z in (normal.inv_cdf((1 - confidence) / 2), normal.inv_cdf((1 + confidence) / 2)):
        shares.append(Fraction(normal.cdf(bias + (bias + z) / (1 - a * (bias + z)))))
    return limits(replicates, shares[0], shares[1])


def studentised_limits(
    estimate: float, error: float, replicates: Sequence[float], errors: Sequence[float], confidence: Fraction
) -> tuple[float, float]:
    distances = [(value - estimate) / each for value, each in zip(replicates, errors)]
    low, high = percentile_limits(distances, confidence)
    return estimate - error * high, estimate - error * low
