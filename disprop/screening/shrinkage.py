"""Many small cells: each figure drawn towards the common one, by as much as its own count cannot stand alone."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, betaln, expit, gammainc, gammaincinv, gammaln, logit

from disprop.errors import Refused, UsageError
from disprop.intervals.interval import FloatArray, aligned, refuse_more, refuse_narrower
from disprop.intervals.roots import root

FEWEST_CELLS = 10
FEWEST_EXPECTED = 5.0
"""Events expected of a cell at the common rate; below, it is not given."""
FEWEST_TRIALS = 10.0

STRENGTHS = 24
"""Points of the grid over how strongly cells are drawn together."""
_NODES = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])
_WEIGHTS = np.array([1 / 6, 2 / 3, 1 / 6])


class Shrunken(NamedTuple):
    """Shrunken figures and their limits; `weight` is how much of each is the common figure, `centre` that figure.

    `given` is False for cells with too little exposure: their figures are NaN.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    weight: FloatArray
    centre: float
    given: NDArray[np.bool_]


class _Mixture(NamedTuple):
    """What is not known about the cells as a whole: prior parameters a and b, and how credible each pair is."""

    a: FloatArray
    b: FloatArray
    credible: FloatArray


def shrunken_rate_interval(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    dispersion: ArrayLike = 1.0,
    confidence: float = 0.95,
    fewest: float = FEWEST_EXPECTED,
) -> Shrunken:
    """Rates of many cells, each shrunk towards the common rate: gamma-Poisson, empirical Bayes.

    Corner cases first. A cell without exposure, or with a missing count, has none of it (NaN), and so has a cell of
    which fewer than `fewest` events are expected at the common rate: it is refused, not shrunk to say the same as all
    others. No events in a cell that has exposure gives a low rate, above 0. Fewer than 10 cells cannot show how far
    cells differ, and no events at all no rate: both are refused as a whole.

    The true rates are supposed gamma with mean m and shape k, the counts Poisson, so that a cell's rate given its
    count is gamma with shape k + x and rate k / m + t, its mean (1 - B) x / t + B m with weight B = (k / m) / (k / m +
    t). m is estimated by maximum likelihood given k. k is averaged over, not plugged in: k = e (1 - u)^-1 u with u
    uniform on a grid (e the median expected count), weighted by the likelihood of all counts, and m by three points
    of its own uncertainty. Plugging in one k makes intervals too short, and of no width where cells look alike.
    Limits are quantiles of that mixture. They hold on average over the cells, not for each: an unusual cell is drawn
    too far in, which is the price of not chasing chance. For a list of limits, never a ranking.

    With a `dispersion`, counts and exposures are divided by it. Shapes: (cells,). Returns Shrunken.
    Raises Refused as above, UsageError for negative counts or a dispersion below 1.

    Sources: Clayton and Kaldor (1987) Biometrics 43:671; Christiansen and Morris (1997) J Am Stat Assoc 92:618 (the
    averaging over k).

    Twelve wards, 100 searches expected in the first and 10 in each of the others:

    >>> counts = [150, 20, 8, 9, 11, 10, 12, 7, 10, 13, 9, 11]
    >>> found = shrunken_rate_interval(events=counts, exposure=[100] + [10] * 11)
    >>> found.estimate[:3].round(2).tolist(), found.weight[:3].round(2).tolist()
    ([1.42, 1.43, 1.08], [0.26, 0.71, 0.71])
    """
    x, t, phi = aligned(events=events, exposure=exposure, dispersion=dispersion, confidence=confidence)[:3]
    refuse_narrower(phi)
    x, t = x / phi, t / phi
    used = _usable(x, t)
    rate = x[used].sum() / t[used].sum()
    given = used & (t * rate >= fewest / phi)
    mixture = _mixture(x[used], t[used], float(np.median(t[used]) * rate), gamma_centre, _gamma_likelihood)
    return _shrunken(x, t, given, mixture, confidence, gamma_mean, _gamma_cdf, _gamma_quantile)


def shrunken_proportion_interval(
    *, events: ArrayLike, trials: ArrayLike, confidence: float = 0.95, fewest: float = FEWEST_TRIALS
) -> Shrunken:
    """Proportions of many cells, each shrunk towards the common one: beta-binomial, empirical Bayes.

    Corner cases as `shrunken_rate_interval`; a cell with fewer than `fewest` trials is refused. None or all events
    give a proportion inside 0 to 1. Proportions that are all 0, or all 1, are refused as a whole.

    The true proportions are supposed beta with mean p and strength k (like k trials), so that a cell's proportion
    given its count is beta with a = k p + x and b = k (1 - p) + n - x, weight on the common figure k / (k + n). p given
    k is the mean of the cells' proportions weighted by n (k + 1) / (k + n); k is averaged over as for rates, with e
    the median number of trials.

    Shapes: (cells,). Returns Shrunken. Raises Refused as above, UsageError for events above trials.

    Sources: Kleinman (1973) J Am Stat Assoc 68:46 (the weighted mean); Christiansen and Morris (1997).

    >>> finds = [30, 2, 0, 5, 4, 3, 6, 4, 5, 2, 3, 4]
    >>> found = shrunken_proportion_interval(events=finds, trials=[100] + [20] * 11)
    >>> found.estimate[:3].round(3).tolist(), found.low[:3].round(3).tolist()
    ([0.264, 0.168, 0.136], [0.191, 0.065, 0.027])
    """
    x, n = aligned(events=events, trials=trials, confidence=confidence)[:2]
    refuse_more("events", x, "trials", n)
    used = _usable(x, n)
    share = x[used].sum() / n[used].sum()
    if share == 1:
        raise Refused("every share is 100%, so that they do not differ and none is drawn towards the others")
    mixture = _mixture(x[used], n[used], float(np.median(n[used])), _beta_centre, _beta_likelihood)
    given = used & (n >= fewest)
    return _shrunken(x, n, given, mixture, confidence, _beta_mean, _beta_cdf, _beta_quantile)


def _usable(x: FloatArray, n: FloatArray) -> NDArray[np.bool_]:
    if x.ndim != 1:
        raise UsageError("give one row of counts and as many exposures")
    used = ~np.isnan(x) & (n > 0)
    if used.sum() < FEWEST_CELLS:
        raise Refused(f"shrinkage needs at least {FEWEST_CELLS} cells; {used.sum()} have a count and an exposure")
    if not x[used].any():
        raise Refused("every count is 0, so that there is no common figure to draw the cells towards")
    return used


def _mixture(x: FloatArray, n: FloatArray, typical: float, centre: Callable, likelihood: Callable) -> _Mixture:
    """The grid of prior parameters, each with its credibility given all counts."""
    u = (np.arange(STRENGTHS) + 0.5) / STRENGTHS
    k = np.repeat(typical * u / (1 - u), len(_NODES))[:, None]
    a, b = centre(x, n, k, np.tile(_NODES, STRENGTHS)[:, None])
    log = likelihood(x, n, a, b).sum(axis=1)
    middle = np.repeat(log[1 :: len(_NODES)], len(_NODES))
    credible = np.exp(middle - middle.max()) * np.tile(_WEIGHTS, STRENGTHS)
    return _Mixture(a, b, (credible / credible.sum())[:, None])


def _shrunken(
    x: FloatArray,
    n: FloatArray,
    given: NDArray[np.bool_],
    mixture: _Mixture,
    confidence: float,
    mean: Callable,
    cdf: Callable,
    quantile: Callable,
) -> Shrunken:
    """Mean and quantiles of each given cell's mixture of posteriors."""

    def below(value: FloatArray, events: FloatArray, base: FloatArray, tail: FloatArray) -> FloatArray:
        return (mixture.credible * cdf(value, events, base, mixture.a, mixture.b)).sum(axis=0) - tail

    y, base = x[given], n[given]
    estimate, weight = ((mixture.credible * part).sum(axis=0) for part in mean(y, base, mixture.a, mixture.b))
    limits = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        each = quantile(tail, y, base, mixture.a, mixture.b)
        limits.append(root(below, each.min(axis=0), each.max(axis=0), y, base, np.full(y.shape, tail)))
    common, _ = mean(np.zeros(1), np.zeros(1), mixture.a, mixture.b)
    estimate, low, high, weight = (_placed(column, given) for column in (estimate, *limits, weight))
    return Shrunken(estimate, low, high, weight, float((mixture.credible * common).sum()), given)


def _placed(values: FloatArray, given: NDArray[np.bool_]) -> FloatArray:
    out = np.full(given.shape, np.nan)
    out[given] = values
    return out


def gamma_centre(x: FloatArray, t: FloatArray, k: FloatArray, node: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shape k and rate k / m of the prior, m the likeliest mean given k, moved by `node` standard errors."""
    m = np.full(k.shape, x.sum() / t.sum())
    for _ in range(50):
        w = k / (k + t * m)
        m = (w * x).sum(axis=1, keepdims=True) / (w * t).sum(axis=1, keepdims=True)
    error = 1 / np.sqrt((t * m * k / (k + t * m)).sum(axis=1, keepdims=True))
    return k, k / (m * np.exp(node * error))


def _gamma_likelihood(x: FloatArray, t: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return gammaln(a + x) - gammaln(a) - a * np.log1p(t / b) - x * np.log(b + t)


def gamma_mean(x: FloatArray, t: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    return (a + x) / (b + t), b / (b + t)


def _gamma_cdf(value: FloatArray, x: FloatArray, t: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return gammainc(a + x, value * (b + t))


def _gamma_quantile(tail: float, x: FloatArray, t: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return gammaincinv(a + x, tail) / (b + t)


def _beta_centre(x: FloatArray, n: FloatArray, k: FloatArray, node: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Parameters of the prior: strength k about the weighted mean, moved by `node` standard errors of its logit."""
    w = n * (k + 1) / (k + n)
    p = (w * (x / n)).sum(axis=1, keepdims=True) / w.sum(axis=1, keepdims=True)
    error = 1 / np.sqrt(w.sum(axis=1, keepdims=True) * p * (1 - p))
    p = expit(logit(p) + node * error)
    return k * p, k * (1 - p)


def _beta_likelihood(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return betaln(a + x, b + n - x) - betaln(a, b)


def _beta_mean(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    return (a + x) / (a + b + n), (a + b) / (a + b + n)


def _beta_cdf(value: FloatArray, x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(betainc(a + x, b + n - x, value), dtype=float)


def _beta_quantile(tail: float, x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(betaincinv(a + x, b + n - x, tail), dtype=float)
