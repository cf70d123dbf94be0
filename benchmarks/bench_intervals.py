"""Exact limits of a million cells: realistic counts, which repeat, and cells that are all distinct.

The rivals are scipy's quantiles over whole arrays, as statsmodels takes them for `proportion_confint(method="beta")`
and `confint_poisson(method="exact-c")`, without the checks around them; for mid-P, where neither has an array function,
the same equations by scipy's vectorised root finder.
"""

import numpy as np
import pytest
from scipy import special
from scipy.optimize.elementwise import find_root

from disprop.intervals import proportion_interval, rate_interval

ROUNDS = 5
SEED = 20_240_229
TAIL = 0.025


def exact_poisson(events, trials):
    return special.gammaincinv(events, TAIL), special.gammainccinv(events + 1, TAIL)


def clopper_pearson(events, trials):
    others = trials - events
    return special.betaincinv(events, others + 1, TAIL), special.betaincinv(events + 1, others, 1 - TAIL)


def mid_poisson(events, trials):
    def above(mean, x):
        return (special.gammainc(x, mean) + special.gammainc(x + 1, mean)) / 2 - TAIL

    def below(mean, x):
        return (special.gammaincc(x, mean) + special.gammaincc(x + 1, mean)) / 2 - TAIL

    few, many = (
        special.gammaincinv(events, [[TAIL], [2 * TAIL]]),
        special.gammainccinv(events + 1, [[TAIL], [2 * TAIL]]),
    )
    return find_root(above, (few[0], few[1]), args=(events,)).x, find_root(below, (many[1], many[0]), args=(events,)).x


def mid_binomial(events, trials):
    def above(p, x, y):
        return (special.betainc(x, y + 1, p) + special.betainc(x + 1, y, p)) / 2 - TAIL

    def low(x, y):
        ends = special.betaincinv(x, y + 1, [[TAIL], [2 * TAIL]])
        return find_root(above, (ends[0], ends[1]), args=(x, y)).x

    return low(events, trials - events), 1 - low(trials - events, events)


def ours(function, method, whole):
    def limits(events, trials):
        found = function(events=events, method=method, **{whole: trials if whole == "trials" else 1.0})
        return found.low, found.high

    return limits


METHODS = {
    "exact Poisson": (ours(rate_interval, "exact", "exposure"), exact_poisson),
    "Clopper-Pearson": (ours(proportion_interval, "clopper_pearson", "trials"), clopper_pearson),
    "mid-P Poisson": (ours(rate_interval, "mid_p", "exposure"), mid_poisson),
    "mid-P binomial": (ours(proportion_interval, "mid_p", "trials"), mid_binomial),
}


def realistic(n, rng):
    """Searches of a force, month, group and age band, and the finds among them: mostly few."""
    trials = np.floor(rng.gamma(0.5, 60, n)) + 2
    return np.clip(rng.binomial(trials.astype(int), 0.25), 1, trials - 1).astype(float), trials


def all_distinct(n, rng):
    """No count of events twice, so no pair either; trials in the same range."""
    events = rng.permutation(n).astype(float) + 1
    return events, events + np.floor(rng.gamma(2, 50_000, n)) + 1


CELLS = {"realistic counts": realistic, "all distinct": all_distinct}


@pytest.fixture(scope="module")
def timed(request):
    return request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")


@pytest.mark.parametrize("whose", ["disprop", "scipy"])
@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("method", METHODS)
def test_limits(benchmark, timed, method, cells, whose):
    """Both limits of every cell, checks of the arguments included; mid-P of fewer, since its rival takes minutes."""
    n = (100_000 if "mid-P" in method else 1_000_000) if timed else 3_000
    mine, theirs = METHODS[method]
    counts = CELLS[cells](n, np.random.default_rng(SEED))
    few = slice(0, n // 20)
    agree(mine(*counts), theirs(*(column[few] for column in counts)))
    benchmark.group = f"{method}, {cells}, {n:,} cells"
    rounds = 2 if whose == "scipy" and "mid-P" in method else ROUNDS
    benchmark.pedantic(mine if whose == "disprop" else theirs, args=counts, rounds=rounds)


def agree(limits, others):
    """To the digits that scipy's quantiles have: five for some large counts, ten or more for nearly all."""
    for one, other in zip(limits, others):
        wrong = np.abs(one[: other.size] - other) > 1e-9 * np.abs(other)
        assert wrong.mean() < 1e-3
        np.testing.assert_allclose(one[: other.size], other, rtol=1e-4)
