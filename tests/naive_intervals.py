"""Interval methods as their definitions say, in slow plain Python. Imports nothing from disprop.

A limit is the edge of the values that the data do not reject: each is found by halving a bracket. Tail
probabilities are sums of terms, fitted values are found by halving too. Counts are whole and small.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from math import comb, cos, exp, fsum, inf, lgamma, log, pi, sin, sqrt
from statistics import NormalDist

Limits = tuple[float, float]


def normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def edge(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """The point between low and high up to which `is_below` is true."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def edge_unbounded(is_below: Callable[[float], bool]) -> float:
    """The same among the positive numbers."""
    return exp(edge(lambda logarithm: is_below(exp(logarithm)), -60.0, 60.0))


# tails


def poisson_at_most_to_40_digits(x: int, mean: Decimal) -> Decimal:
    """Tail probability of many events, term by term."""
    with localcontext(prec=60):
        term = total = (-mean).exp()
        for k in range(1, x + 1):
            term = term * mean / k
            total += term
        return total


def binomial(k: int, n: int, p: float) -> float:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def poisson(k: int, mean: float) -> float:
    return exp(k * log(mean) - mean - lgamma(k + 1))


def binomial_at_least(x: int, n: int, p: float, weight_of_x: float) -> float:
    return weight_of_x * binomial(x, n, p) + fsum(binomial(k, n, p) for k in range(x + 1, n + 1))


def binomial_at_most(x: int, n: int, p: float, weight_of_x: float) -> float:
    return weight_of_x * binomial(x, n, p) + fsum(binomial(k, n, p) for k in range(x))


def poisson_at_most(x: int, mean: float, weight_of_x: float) -> float:
    return weight_of_x * poisson(x, mean) + fsum(poisson(k, mean) for k in range(x))


def poisson_at_least(x: int, mean: float, weight_of_x: float) -> float:
    return 1 - poisson_at_most(x, mean, 1 - weight_of_x)


# one proportion


def binomial_tails(x: int, n: int, confidence: float, weight_of_x: float) -> Limits:
    tail = (1 - confidence) / 2
    low = edge(lambda p: binomial_at_least(x, n, p, weight_of_x) < tail, 0, 1) if x else 0.0
    high = edge(lambda p: binomial_at_most(x, n, p, weight_of_x) > tail, 0, 1) if x < n else 1.0
    return low, high


def clopper_pearson(x: int, n: int, confidence: float) -> Limits:
    return binomial_tails(x, n, confidence, 1.0)


def mid_p(x: int, n: int, confidence: float) -> Limits:
    return binomial_tails(x, n, confidence, 0.5)


def score_limits(x: float, n: float, z: float, gap: float = 0.0) -> Limits:
    """Where |x / n - p| less `gap` is z standard errors, those of p itself."""

    def far(p: float) -> bool:
        return max(abs(x / n - p) - gap, 0) > z * sqrt(p * (1 - p) / n)

    low = edge(far, 0, x / n) if x else 0.0
    high = edge(lambda p: not far(p), x / n, 1) if x < n else 1.0
    return low, high


def wilson(x: int, n: int, confidence: float) -> Limits:
    return score_limits(x, n, normal_quantile(confidence))


def wilson_cc(x: int, n: int, confidence: float) -> Limits:
    return score_limits(x, n, normal_quantile(confidence), gap=1 / (2 * n))


def wald(x: float, n: float, confidence: float) -> Limits:
    p, z = x / n, normal_quantile(confidence)
    half = z * sqrt(p * (1 - p) / n)
    return max(p - half, 0), min(p + half, 1)


def agresti_coull(x: int, n: int, confidence: float) -> Limits:
    z = normal_quantile(confidence)
    return wald(x + z**2 / 2, n + z**2, confidence)


def jeffreys(x: int, n: int, confidence: float) -> Limits:
    """The beta(x + 1/2, n - x + 1/2) share below p = sin² angle, by Simpson's rule over the angle."""

    def density(angle: float) -> float:
        return sin(angle) ** (2 * x) * cos(angle) ** (2 * (n - x))

    def area(angle: float, steps: int = 800) -> float:
        width = angle / steps
        inner = fsum((4 if i % 2 else 2) * density(i * width) for i in range(1, steps))
        return width / 3 * (density(0.0) + inner + density(angle))

    whole, tail = area(pi / 2), (1 - confidence) / 2
    low = sin(edge(lambda angle: area(angle) < tail * whole, 0, pi / 2)) ** 2 if x else 0.0
    high = sin(edge(lambda angle: area(angle) < (1 - tail) * whole, 0, pi / 2)) ** 2 if x < n else 1.0
    return low, high


# one rate


def poisson_tails(x: int, t: float, confidence: float, weight_of_x: float) -> Limits:
    tail = (1 - confidence) / 2
    low = edge_unbounded(lambda mean: poisson_at_least(x, mean, weight_of_x) < tail) if x else 0.0
    high = edge_unbounded(lambda mean: poisson_at_most(x, mean, weight_of_x) > tail)
    return low / t, high / t


def garwood(x: int, t: float, confidence: float) -> Limits:
    return poisson_tails(x, t, confidence, 1.0)


def rate_mid_p(x: int, t: float, confidence: float) -> Limits:
    return poisson_tails(x, t, confidence, 0.5)


def byar(x: int, t: float, confidence: float) -> Limits:
    if x < 10:
        return garwood(x, t, confidence)
    z = normal_quantile(confidence)
    low = x * (1 - 1 / (9 * x) - z / (3 * sqrt(x))) ** 3
    high = (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * sqrt(x + 1))) ** 3
    return low / t, high / t


def rate_score(x: int, t: float, confidence: float) -> Limits:
    z = normal_quantile(confidence)
    low = edge(lambda mean: x - mean > z * sqrt(mean), 0, x)
    high = edge_unbounded(lambda mean: mean <= x or mean - x < z * sqrt(mean))
    return low / t, high / t


def rate_normal(x: int, t: float, confidence: float) -> Limits:
    half = normal_quantile(confidence) * sqrt(x)
    return (x - half) / t, (x + half) / t


# two rates


def conditional(a: int, n1: float, c: int, n0: float, share: Limits) -> Limits:
    """Limits for the ratio from limits for the group's share of all events."""
    low, high = (p / (1 - p) * n0 / n1 if p < 1 else inf for p in share)
    return low, high


def rate_ratio_exact(a: int, n1: float, c: int, n0: float, confidence: float) -> Limits:
    return conditional(a, n1, c, n0, clopper_pearson(a, a + c, confidence))


def rate_ratio_mid_p(a: int, n1: float, c: int, n0: float, confidence: float) -> Limits:
    return conditional(a, n1, c, n0, mid_p(a, a + c, confidence))


def rate_ratio_score(a: int, n1: float, c: int, n0: float, confidence: float) -> Limits:
    """Where the chi-square of both counts against those expected under the ratio is z²."""
    z = normal_quantile(confidence)

    def signed(ratio: float) -> float:
        expected = (a + c) * ratio * n1 / (ratio * n1 + n0)
        chi_square = (a - expected) ** 2 * (1 / expected + 1 / (a + c - expected))
        return sqrt(chi_square) if a > expected else -sqrt(chi_square)

    low = edge_unbounded(lambda ratio: signed(ratio) > z) if a else 0.0
    high = edge_unbounded(lambda ratio: signed(ratio) > -z) if c else inf
    return low, high


def rate_ratio_log_wald(a: int, n1: float, c: int, n0: float, confidence: float) -> Limits:
    if a == 0 or c == 0:
        return 0.0, inf
    half = normal_quantile(confidence) * sqrt(1 / a + 1 / c)
    return exp(log(a / n1 / (c / n0)) - half), exp(log(a / n1 / (c / n0)) + half)


def rate_difference_score(a: int, n1: float, c: int, n0: float, confidence: float) -> Limits:
    """The reference rate most likely under each difference is found by halving, then the difference itself."""
    z, observed, widest = normal_quantile(confidence), a / n1 - c / n0, 1e4 * (a + c + 1) / min(n1, n0)

    def fitted(difference: float) -> float:
        def rising(rate: float) -> bool:
            group = a / (rate + difference) if a else 0.0
            return group + (c / rate if c else 0.0) > n1 + n0

        return edge(rising, max(0.0, -difference), widest * 10)

    def signed(difference: float) -> float:
        rate = fitted(difference)
        variance = (rate + difference) / n1 + rate / n0
        return (observed - difference) / sqrt(variance) if variance > 0 else inf

    low = edge(lambda d: signed(d) > z, observed - widest, observed)
    high = edge(lambda d: signed(d) > -z, observed, observed + widest)
    return low, high


def rate_difference_wald(a: int, n1: float, c: int, n0: float, confidence: float) -> Limits:
    observed, half = a / n1 - c / n0, normal_quantile(confidence) * sqrt(a / n1**2 + c / n0**2)
    return observed - half, observed + half


# two proportions


def fitted_reference(
    a: int, n1: int, c: int, n0: int, group_of: Callable[[float], float], slope: float, ends: Limits
) -> float:
    """The reference proportion most likely when the group's is `group_of` it: there the log likelihood is level."""

    def rising(p0: float) -> bool:
        p1 = group_of(p0)
        up = (slope * a / p1 if a else 0.0) + (c / p0 if c else 0.0)
        down = (slope * (n1 - a) / (1 - p1) if a < n1 else 0.0) + ((n0 - c) / (1 - p0) if c < n0 else 0.0)
        return up > down

    return edge(rising, *ends)


def proportion_difference_score(a: int, n1: int, c: int, n0: int, confidence: float, inflation: float) -> Limits:
    z, observed = normal_quantile(confidence), a / n1 - c / n0

    def signed(d: float) -> float:
        ends = max(0.0, -d), min(1.0, 1 - d)
        p0 = fitted_reference(a, n1, c, n0, lambda p0: p0 + d, 1.0, ends)
        p1 = p0 + d
        variance = inflation * (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
        return (observed - d) / sqrt(variance) if variance > 0 else (inf if observed > d else -inf)

    return edge(lambda d: signed(d) > z, -1, observed), edge(lambda d: signed(d) > -z, observed, 1)


def mee(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    return proportion_difference_score(a, n1, c, n0, confidence, 1.0)


def difference_miettinen_nurminen(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    return proportion_difference_score(a, n1, c, n0, confidence, (n1 + n0) / (n1 + n0 - 1))


def newcombe(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    p1, p0 = a / n1, c / n0
    (l1, u1), (l0, u0) = wilson(a, n1, confidence), wilson(c, n0, confidence)
    return p1 - p0 - sqrt((p1 - l1) ** 2 + (u0 - p0) ** 2), p1 - p0 + sqrt((u1 - p1) ** 2 + (p0 - l0) ** 2)


def difference_wald(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    p1, p0 = a / n1, c / n0
    half = normal_quantile(confidence) * sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    return max(p1 - p0 - half, -1), min(p1 - p0 + half, 1)


def proportion_ratio_score(a: int, n1: int, c: int, n0: int, confidence: float, inflation: float) -> Limits:
    """The statistic is Koopman's chi-square, cell by cell, with the sign of the observed contrast."""
    z = normal_quantile(confidence)

    def signed(ratio: float) -> float:
        p0 = fitted_reference(a, n1, c, n0, lambda p0: ratio * p0, ratio, (0.0, min(1.0, 1 / ratio)))
        p1 = ratio * p0
        chi_square = part(a, n1, p1) + part(c, n0, p0)
        return sqrt(chi_square / inflation) * (1 if a / n1 > ratio * c / n0 else -1)

    def part(x: int, n: int, p: float) -> float:
        return (x - n * p) ** 2 / (n * p * (1 - p)) if 0 < p < 1 else 0.0

    low = edge_unbounded(lambda ratio: signed(ratio) > z) if a else 0.0
    high = edge_unbounded(lambda ratio: signed(ratio) > -z) if c else inf
    return low, high


def koopman(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    return proportion_ratio_score(a, n1, c, n0, confidence, 1.0)


def ratio_miettinen_nurminen(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    return proportion_ratio_score(a, n1, c, n0, confidence, (n1 + n0) / (n1 + n0 - 1))


def katz_log(a: int, n1: int, c: int, n0: int, confidence: float) -> Limits:
    if a == 0 or c == 0:
        return 0.0, inf
    half = normal_quantile(confidence) * sqrt(1 / a - 1 / n1 + 1 / c - 1 / n0)
    return exp(log(a / n1 / (c / n0)) - half), exp(log(a / n1 / (c / n0)) + half)


NAIVE: dict[str, dict[str, Callable[..., Limits]]] = {
    "proportion_interval": {
        "wilson": wilson,
        "clopper_pearson": clopper_pearson,
        "jeffreys": jeffreys,
        "mid_p": mid_p,
        "agresti_coull": agresti_coull,
        "wilson_cc": wilson_cc,
        "wald": wald,
    },
    "rate_interval": {
        "exact": garwood,
        "mid_p": rate_mid_p,
        "byar": byar,
        "score": rate_score,
        "normal": rate_normal,
    },
    "rate_ratio_interval": {
        "score": rate_ratio_score,
        "mid_p": rate_ratio_mid_p,
        "exact": rate_ratio_exact,
        "log_wald": rate_ratio_log_wald,
    },
    "rate_difference_interval": {"score": rate_difference_score, "wald": rate_difference_wald},
    "proportion_ratio_interval": {
        "koopman": koopman,
        "miettinen_nurminen": ratio_miettinen_nurminen,
        "katz_log": katz_log,
    },
    "proportion_difference_interval": {
        "newcombe": newcombe,
        "miettinen_nurminen": difference_miettinen_nurminen,
        "mee": mee,
        "wald": difference_wald,
    },
}
