"""Intervals for one proportion: events among trials.

Inside this module x is events, y = trials - events, n = x + y, and `tail` the error left outside each limit.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincc, betainccinv, betaincinv, betaln, expit, log_expit, ndtri

from disprop.intervals import quantiles
from disprop.intervals.distinct import on_distinct, quick_or_slow
from disprop.intervals.interval import FloatArray, Interval, Limits, aligned, choose, interval, refuse_more
from disprop.intervals.roots import root

_SMALLEST = np.nextafter(0, 1)  # stands for a share too small to be held


def proportion_interval(
    *, events: ArrayLike, trials: ArrayLike, confidence: ArrayLike = 0.95, method: str = "wilson"
) -> Interval:
    """How large the proportion behind `events` among `trials` may be: events / trials between two limits.

    Corner cases first. No trials: no estimate (NaN), limits 0 and 1. No events: the low limit is exactly 0;
    every trial an event: the high limit is exactly 1; the other limit stays away from it (only `wald` shrinks
    to a point there). A missing count (NaN) gives NaN throughout. Fractional counts, such as an effective
    sample size, are accepted by every method (tail sums become their beta integrals).

    Methods, with p̂ = x / n and z the normal quantile of the confidence (1.96 for 0.95):

    - `wilson` (default): all p with (p̂ - p)² <= z² p (1 - p) / n.
    - `clopper_pearson`: all p under which x or more, and x or fewer, both have probability of at least half the
      error; beta quantiles. Coverage is never below the confidence, at the price of width.
    - `jeffreys`: quantiles of beta(x + 1/2, n - x + 1/2), the low one set to 0 at x = 0, the high one to 1 at x = n.
    - `mid_p`: Clopper-Pearson with only half the probability of x itself counted.
    - `agresti_coull`: `wald` after adding z² / 2 events and z² / 2 non-events, cut to 0 and 1.
    - `wilson_cc`: Wilson with continuity correction, x moved by 1/2 away from p.
    - `wald`: p̂ -+ z sqrt(p̂ (1 - p̂) / n), cut to 0 and 1. A replica of published figures, never for new work.

    Shapes: scalars, arrays and pandas Series broadcast together, by position (a Series' index is not used);
    `confidence` may be an array too. All scalars give Python floats, anything else float64 arrays.

    Raises UsageError for a negative or infinite count, events > trials, a confidence outside 0 to 1, an unknown
    method, or shapes that do not go together.

    Sources: Wilson (1927) J Am Stat Assoc 22:209; Clopper and Pearson (1934) Biometrika 26:404; Agresti and Coull
    (1998) Am Stat 52:119; Newcombe (1998) Stat Med 17:857; Brown, Cai and DasGupta (2001) Stat Sci 16:101; for mid-P,
    Berry and Armitage (1995) The Statistician 44:417.

    An audit that found reasonable grounds in 84 of 97 searches, and in 35 of the 41 of ethnic minorities:

    >>> found = proportion_interval(events=[84, 35], trials=[97, 41])
    >>> (100 * found.estimate).round(2), (100 * found.low).round(2), (100 * found.high).round(2)
    (array([86.6 , 85.37]), array([78.41, 71.56]), array([92.  , 93.12]))
    >>> none = proportion_interval(events=0, trials=12, method="clopper_pearson")
    >>> none.low, round(none.high, 4)
    (0.0, 0.2646)
    """
    limits = choose(method, METHODS, "proportion_interval")
    x, n, tail = aligned(events=events, trials=trials, confidence=confidence)
    refuse_more("events", x, "trials", n)
    with np.errstate(all="ignore"):
        low, high = on_distinct(limits, x, n - x, tail) if method in SLOW else limits(x, n - x, tail)
        return interval(x / n, np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high))


def wilson_low(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Smaller root of (p̂ - p)² = z² p (1 - p) / n, in a form that keeps all digits near 0."""
    n = x + y
    return 2 * x * x / n / (2 * x + z * z + z * np.sqrt(z * z + 4 * x * y / n))


def wilson_high(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Larger root of the same equation; 1 - wilson_low(y, x, z), without that subtraction."""
    n = x + y
    return (2 * x + z * z + z * np.sqrt(z * z + 4 * x * y / n)) / (2 * (n + z * z))


def exact_odds_low(x: FloatArray, y: FloatArray, tail: FloatArray) -> FloatArray:
    """Odds p / (1 - p) at which `x` events or more have probability `tail`; 0 for no events."""
    return np.where(x == 0, 0.0, np.exp(_beta_log_odds(x, y + 1, tail)))


def mid_p_odds_low(x: FloatArray, y: FloatArray, tail: FloatArray) -> FloatArray:
    """Odds at which half the probability of `x` and all that of more events sum to `tail`.

    No events: 0.
    """
    log_odds = quick_or_slow(quantiles.mid_beta_log_odds, _mid_p_log_odds, x, y, tail)
    return np.where(x == 0, 0.0, np.exp(log_odds))


def _mid_p_log_odds(x: FloatArray, y: FloatArray, tail: FloatArray) -> FloatArray:
    """The sum lies between P(X >= x) / 2 and P(X >= x), which gives the ends."""
    ends = (_beta_log_odds_by_scipy(x, y + 1, share * tail) for share in (1, 2))
    return root(_mid_p_excess, *ends, x, y, tail)


def _mid_p_excess(log_odds: FloatArray, x: FloatArray, y: FloatArray, tail: FloatArray) -> FloatArray:
    return (_beta_below(log_odds, x, y + 1) + _beta_below(log_odds, x + 1, y)) / 2 - tail


def _beta_log_odds(a: FloatArray, b: FloatArray, tail: FloatArray) -> FloatArray:
    """Log odds of the beta(a, b) quantile below which `tail` lies."""
    return quick_or_slow(quantiles.beta_log_odds, _beta_log_odds_by_scipy, a, b, tail)


def _beta_log_odds_by_scipy(a: FloatArray, b: FloatArray, tail: FloatArray) -> FloatArray:
    """The same from scipy's quantile.

    scipy's quantile has 5 digits only for some whole a with b in the millions: two Newton steps mend it.
    From p and 1 - p apart, no digit is lost where one count dwarfs the other.
    """
    p, q = (np.maximum(share, _SMALLEST) for share in (betaincinv(a, b, tail), betainccinv(b, a, tail)))
    log_odds = np.log(p) - np.log(q)
    for _ in range(2):
        slope = np.exp(a * log_expit(log_odds) + b * log_expit(-log_odds) - betaln(a, b))
        step = (_beta_below(log_odds, a, b) - tail) / slope
        log_odds = np.where(np.abs(step) < 1, log_odds - step, log_odds)  # mends, does not search
    return log_odds


def _beta_below(log_odds: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Beta(a, b) probability below those odds, from whichever of p and 1 - p is small."""
    p, q = expit(log_odds), expit(-log_odds)
    return np.where(p < q, betainc(a, b, p), betaincc(b, a, q))


def _wilson(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    z = -ndtri(tail)
    return wilson_low(x, y, z), wilson_high(x, y, z)


def _wilson_cc(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    """Wilson on a count moved by one half, down for the low limit and up for the high one."""
    z = -ndtri(tail)
    low = np.where(x <= 0.5, 0.0, wilson_low(x - 0.5, y + 0.5, z))
    return low, np.where(y <= 0.5, 1.0, wilson_high(x + 0.5, y - 0.5, z))


def _clopper_pearson(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    return expit(_beta_log_odds(x, y + 1, tail)), expit(-_beta_log_odds(y, x + 1, tail))


def _jeffreys(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    low, complement = _beta_log_odds(x + 0.5, y + 0.5, tail), _beta_log_odds(y + 0.5, x + 0.5, tail)
    return expit(low), expit(-complement)


def _mid_p(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    low, complement = mid_p_odds_low(x, y, tail), mid_p_odds_low(y, x, tail)
    return low / (1 + low), 1 / (1 + complement)


def _agresti_coull(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    z = -ndtri(tail)
    return _wald(x + z * z / 2, y + z * z / 2, tail)


def _wald(x: FloatArray, y: FloatArray, tail: FloatArray) -> Limits:
    n = x + y
    half = -ndtri(tail) * np.sqrt(x * y / n) / n
    return np.maximum(x / n - half, 0), np.minimum(x / n + half, 1)


METHODS: dict[str, Callable[[FloatArray, FloatArray, FloatArray], Limits]] = {
    "wilson": _wilson,
    "clopper_pearson": _clopper_pearson,
    "jeffreys": _jeffreys,
    "mid_p": _mid_p,
    "agresti_coull": _agresti_coull,
    "wilson_cc": _wilson_cc,
    "wald": _wald,
}
SLOW = ("clopper_pearson", "jeffreys", "mid_p")  # worth finding each distinct cell once
