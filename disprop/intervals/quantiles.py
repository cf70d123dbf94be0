"""Quantiles of beta and gamma tails for many cells: a closed start, then steps of fourth order.

Gamma quantiles of large counts need no steps: Cornish and Fisher's expansion of them is exact to the last digit.

A step of fourth order needs the tail once: its derivatives of every order follow from the density. From the starts
of Carter (AS 109) and of Wilson and Hilferty most cells are exact after one or two, while scipy's quantiles take four
tails or more. What does not settle is left NaN, for the caller to find the slow way.

Source of the starts: Majumder and Bhattacharjee (1973) Applied Statistics 22:411 (AS 109), Wilson and Hilferty (1931)
PNAS 17:684; of the steps: Householder (1970), by reversion of the Taylor series; of the expansion: Temme (1992)
Mathematics of Computation 58:755, whose series of inversion gives its polynomials in powers of 1 / sqrt(x).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import (
    betainc,
    betaincc,
    betaln,
    expit,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_expit,
    ndtri,
)

from disprop.intervals.interval import FloatArray

# Steps are measured in standard deviations; what is left after one of d is about d to the fourth.
_SETTLED = 2e-4
_MOST_STEPS = 5
# Where 1 - betainc has too few digits: for a small tail, and for few of one kind beside very many of the other. There
# betaincc is taken, which costs four times as much.
_SMALL_TAIL = 1e-3
_VERY_MANY = 10_000

# The quantile of gamma(x) over x is 1 plus, for m = 1 to 8, a polynomial in z over the square root of x to the m.
# Here m, the denominator, and the numerators of z to the m, m - 2, and so on.
_EXPANSION: tuple[tuple[int, int, Sequence[int]], ...] = (
    (1, 1, [1]),
    (2, 3, [1, -1]),
    (3, 36, [1, -7]),
    (4, 810, [-3, -7, 16]),
    (5, 38_880, [9, 256, -433]),
    (6, 204_120, [12, -243, -923, 1_472]),
    (7, 146_966_400, [-3_753, -4_353, 289_517, 289_717]),
    (8, 55_112_400, [270, 4_614, -9_513, -104_989, 35_968]),
)

_Slopes = tuple[FloatArray, FloatArray, FloatArray]


def settled(
    slopes: Callable[..., _Slopes], start: FloatArray, deviation: FloatArray, *columns: FloatArray
) -> FloatArray:
    """The roots near `start`, NaN where the steps do not settle.

    `slopes(at, *columns)` gives the distance to the wanted tail over the density, the density's logarithmic derivative,
    and the derivative of that.
    """
    out, at, which = np.empty(start.shape), start, np.arange(start.size)
    for _ in range(_MOST_STEPS):
        e, u, v = slopes(at, *columns)
        at = at + e * (1 - e * (u / 2 - e * (2 * u * u - v) / 6))
        out[which] = at
        far = np.abs(e) >= _SETTLED * deviation
        if not far.any():
            return out
        which, at, deviation = which[far], at[far], deviation[far]
        columns = tuple(column[far] for column in columns)
    out[which] = np.nan
    return out


def beta_log_odds(a: FloatArray, b: FloatArray, tail: FloatArray) -> FloatArray:
    """Log odds of the beta(a, b) quantile below which `tail` lies."""
    return settled(_beta_slopes, _carter(a, b, tail), np.sqrt(1 / a + 1 / b), a, b, tail, betaln(a, b))


def _beta_slopes(at: FloatArray, a: FloatArray, b: FloatArray, tail: FloatArray, constant: FloatArray) -> _Slopes:
    p, q = expit(at), expit(-at)
    density = np.exp(a * log_expit(at) + b * log_expit(-at) - constant)
    return (tail - _below(p, q, a, b, tail)) / density, a * q - b * p, -(a + b) * p * q


def mid_beta_log_odds(x: FloatArray, y: FloatArray, tail: FloatArray) -> FloatArray:
    """Log odds at which half the probability of `x` events and all that of more, with `y` others, sum to `tail`."""
    all_events = np.log(2 * tail) / x  # log p where every trial is an event: half of p to the x is the tail
    constant, deviation = betaln(x + 1, y + 1) + np.log(x + y + 1), np.sqrt(1 / (x + 0.5) + 1 / (y + 0.5))
    found = settled(_mid_beta_slopes, _carter(x + 0.5, y + 0.5, tail), deviation, x, y, tail, constant)
    return np.where(y == 0, all_events - np.log(-np.expm1(all_events)), found)


def _mid_beta_slopes(at: FloatArray, x: FloatArray, y: FloatArray, tail: FloatArray, constant: FloatArray) -> _Slopes:
    p, q = expit(at), expit(-at)
    exactly = np.exp(x * log_expit(at) + y * log_expit(-at) - constant)
    weight, turn = x * q + y * p, (y - x) * p * q
    above = (_below(p, q, x, y + 1, tail) + _below(p, q, x + 1, y, tail)) / 2  # `exactly` has too few digits to add
    e = (tail - above) / (exactly * weight / 2)
    v = -(x + y) * p * q + turn * ((q - p) - turn / weight) / weight
    return e, x * q - y * p + turn / weight, v


def gamma_quantile(x: FloatArray, tail: FloatArray, *, sign: int) -> FloatArray:
    """The gamma(x) quantile below which (`sign` 1) or above which (-1) `tail` lies."""
    same = tail.size > 0 and (tail == tail[0]).all()
    z = sign * float(ndtri(tail[0])) if same else sign * ndtri(tail)
    found = _cornish_fisher(x, z)
    few = np.flatnonzero(~_many(x, z))
    if few.size:
        found[few] = np.exp(_gamma_log(x[few], tail[few], sign))
    return found


def gamma_quantile_slowly(x: FloatArray, tail: FloatArray, *, sign: int) -> FloatArray:
    """The same, by scipy's quantile of few events; of very many, scipy's tail has eight digits at small tails."""
    z, by_scipy = sign * ndtri(tail), gammaincinv if sign > 0 else gammainccinv
    return np.where(_many(x, z), _cornish_fisher(x, z), by_scipy(x, tail))


def _many(x: FloatArray, z: FloatArray | float) -> NDArray[np.bool_]:
    """Where all that the expansion leaves out is below 1e-15."""
    return x > 600 + 200 * z * z


def _cornish_fisher(x: FloatArray, z: FloatArray | float) -> FloatArray:
    """The gamma(x) quantile at the normal quantile z, of many events."""
    step, beyond = 1 / np.sqrt(x), np.zeros(x.shape)
    for power, whole, numbers in reversed(_EXPANSION):
        beyond = (beyond + _polynomial(numbers, z * z) * (z if power % 2 else 1.0) / whole) * step
    return x + x * beyond


def _polynomial(numbers: Sequence[int], x: FloatArray | float) -> FloatArray | float:
    total: FloatArray | float = 0.0
    for number in numbers:
        total = total * x + number
    return total


def _gamma_log(x: FloatArray, tail: FloatArray, sign: int) -> FloatArray:
    start = _wilson_hilferty(x, sign * ndtri(tail))
    return settled(partial(_gamma_slopes, sign), start, 1 / np.sqrt(x), x, tail, gammaln(x))


def _gamma_slopes(sign: int, at: FloatArray, x: FloatArray, tail: FloatArray, constant: FloatArray) -> _Slopes:
    mean = np.exp(at)
    return sign * (tail - _beyond(x, mean, sign)) / np.exp(x * at - mean - constant), x - mean, -mean


def mid_gamma_log(x: FloatArray, tail: FloatArray, *, sign: int) -> FloatArray:
    """Log of the mean at which half of `x`'s probability, and all that of more (`sign` 1) or fewer (-1), are `tail`."""
    start = _wilson_hilferty(x + 0.5, sign * ndtri(tail))
    return settled(partial(_mid_gamma_slopes, sign), start, 1 / np.sqrt(x + 0.5), x, tail, gammaln(x + 1))


def _mid_gamma_slopes(sign: int, at: FloatArray, x: FloatArray, tail: FloatArray, constant: FloatArray) -> _Slopes:
    mean = np.exp(at)
    exactly, both = np.exp(x * at - mean - constant), x + mean
    distance = sign * (tail - _beyond(x + 1, mean, sign)) - exactly / 2
    return distance / (exactly * both / 2), x - mean + mean / both, -mean + x * mean / (both * both)


def _beyond(x: FloatArray, mean: FloatArray, sign: int) -> FloatArray:
    """Gamma(x) probability below the mean, or above where the sign is negative."""
    return gammainc(x, mean) if sign > 0 else gammaincc(x, mean)


def _below(p: FloatArray, q: FloatArray, a: FloatArray, b: FloatArray, tail: FloatArray) -> FloatArray:
    """Beta(a, b) probability below odds p / q, from whichever of p and q is small."""
    swap = p > 0.5
    inner = betainc(np.where(swap, b, a), np.where(swap, a, b), np.where(swap, q, p))
    found = np.where(swap, 1 - inner, inner)
    fine = np.flatnonzero(swap & ((tail < _SMALL_TAIL) | ((a > _VERY_MANY) & (a > 100 * b))))
    if fine.size:
        found[fine] = betaincc(b[fine], a[fine], q[fine])
    return found


def _carter(a: FloatArray, b: FloatArray, tail: FloatArray) -> FloatArray:
    z = -ndtri(tail)
    r, s, t = (z * z - 3) / 6, 1 / (2 * a - 1), 1 / (2 * b - 1)
    h = 2 / (s + t)
    w = z * np.sqrt(h + r) / h - (t - s) * (r + 5 / 6 - 2 / (3 * h))
    return np.log(a) - np.log(b) - 2 * w


def _wilson_hilferty(x: FloatArray, z: FloatArray) -> FloatArray:
    return np.log(x) + 3 * np.log(1 - 1 / (9 * x) + z / (3 * np.sqrt(x)))
