"""Many cells: the quick way gives the limits of the slow one, whatever repeats, is missing or lies at a corner."""

import itertools
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist

import golden_table
import naive_intervals as naive
import numpy as np
import pytest
from test_intervals_golden import LINES, columns, computed

from disprop.errors import UsageError
from disprop.intervals import distinct, proportion_interval, quantiles, rate_interval, rate_ratio_interval

RNG = np.random.default_rng(20_240_229)
N = 3_000
QUICK = {"clopper_pearson", "jeffreys", "mid_p", "exact", "byar"}
GOLDEN = [line for line in LINES if line["method"] in QUICK]


@pytest.fixture
def slowly(monkeypatch):
    """Calls a function of intervals without the quick way."""

    def call(function, **counts):
        with monkeypatch.context() as patch:
            patch.setattr(distinct, "FEWEST_CELLS", 1 << 60)
            return function(**counts)

    return call


def assert_same(one, other):
    for mine, theirs in zip(one, other):
        np.testing.assert_allclose(mine, theirs, rtol=2e-12, atol=0)


def counts_of_all_sizes(n):
    return np.floor(10 ** RNG.uniform(0, 6, n)) - 1


@pytest.mark.parametrize("line", GOLDEN, ids=lambda line: f"{line['measure']}-{line['golden_method']}")
def test_golden_values_the_quick_way(line, monkeypatch):
    monkeypatch.setattr(distinct, "FEWEST_CELLS", 0)
    golden = columns(line)
    ours = computed(line, golden)
    assert len(golden_table.rows(line)) > 0
    for mine, theirs in ((ours.low, golden["low_hp"]), (ours.high, golden["high_hp"])):
        given = ~np.isnan(theirs)
        np.testing.assert_allclose(mine[given], theirs[given], rtol=1e-12, atol=0)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("method", ["clopper_pearson", "jeffreys", "mid_p"])
def test_proportions(slowly, method, confidence):
    x, y = counts_of_all_sizes(N), counts_of_all_sizes(N)
    case = {"events": x, "trials": x + y, "method": method, "confidence": confidence}
    assert_same(proportion_interval(**case), slowly(proportion_interval, **case))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("method", ["exact", "mid_p", "byar"])
def test_rates(slowly, method, confidence):
    case = {"events": counts_of_all_sizes(N), "exposure": 1.0, "method": method, "confidence": confidence}
    assert_same(rate_interval(**case), slowly(rate_interval, **case))


@pytest.mark.parametrize("method", ["exact", "mid_p"])
def test_rate_ratios(slowly, method):
    case = {"events": counts_of_all_sizes(N), "exposure": 2.0, "method": method}
    case |= {"reference_events": counts_of_all_sizes(N), "reference_exposure": 3.0}
    assert_same(rate_ratio_interval(**case), slowly(rate_ratio_interval, **case))


@pytest.mark.parametrize(("function", "whole", "method"), [
    (proportion_interval, "trials", "clopper_pearson"),
    (proportion_interval, "trials", "mid_p"),
    (rate_interval, "exposure", "exact"),
    (rate_interval, "exposure", "mid_p"),
])  # fmt: skip
@pytest.mark.parametrize("what", ["fractions", "missing", "huge", "repeats", "two dimensions", "confidence"])
def test_cells_of_every_kind(slowly, function, whole, method, what):
    n = distinct.FEWEST_CELLS + 1 if what == "huge" else N
    x, y = np.floor(RNG.gamma(1, 30, n)), np.floor(RNG.gamma(1, 60, n))
    case = {"events": x, whole: x + y, "method": method}
    if what == "fractions":
        case |= {"events": x * 0.97, whole: (x + y) * 0.97}
    elif what == "missing":
        case |= {"events": np.where(x % 3 == 0, np.nan, x), whole: np.where(x % 5 == 0, np.nan, x + y)}
    elif what == "huge":
        case |= {"events": x * 1e10 + 1, whole: (x + y) * 1e11 + 1}
    elif what == "repeats":
        case |= {"events": x % 7, whole: x % 7 + y % 5}
    elif what == "two dimensions":
        case |= {"events": x.reshape(-1, 3), whole: (x + y).reshape(-1, 3)}
    else:
        case |= {"confidence": np.where(x % 2, 0.9, 0.99)}
    quick = function(**case)
    assert quick.low.shape == np.shape(case["events"])
    assert_same(quick, slowly(function, **case))


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_threads_and_blocks_change_no_bit(monkeypatch, workers):
    events = RNG.permutation(20_000).astype(float)
    one = rate_interval(events=events, exposure=1.0)
    monkeypatch.setattr(distinct, "cores", lambda: workers)
    monkeypatch.setattr(distinct, "BLOCK", 1_000)
    other = rate_interval(events=events, exposure=1.0)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other))


def test_the_expansion_solves_the_equation_of_a_gamma_quantile():
    """L L" + z L L' = (1 + a (L - 1)) L' L' for L the gamma(a) quantile over a: no other polynomials solve it."""
    terms = {m: {m - 2 * i: Fraction(n, whole) for i, n in enumerate(ns)} for m, whole, ns in quantiles._EXPANSION}
    one = {0: {0: Fraction(1)}}
    first = {m: slope(term) for m, term in terms.items()}
    second = {m: slope(term) for m, term in first.items()}
    z = {0: {1: Fraction(1)}}
    left = times(one | terms, plus(second, times(z, first)))
    right = plus(times(first, first), {m - 2: p for m, p in times(terms, first, first).items()})
    for m in range(1, 9):
        assert plus({0: left[m]}, {0: right.get(m, {})}, -1) == {0: {}}
    assert left[9] != right[9]  # where it is broken off


def slope(polynomial):
    return {power - 1: power * number for power, number in polynomial.items() if power}


def plus(one, other, sign=1):
    """Sums of polynomials in z, by power of 1 / sqrt(a)."""
    powers = {m: set(one.get(m, {})) | set(other.get(m, {})) for m in set(one) | set(other)}
    sums = {m: {p: one.get(m, {}).get(p, 0) + sign * other.get(m, {}).get(p, 0) for p in powers[m]} for m in powers}
    return {m: {p: number for p, number in sums[m].items() if number} for m in sums}


def times(one, other, *more):
    product = {}
    for (m, p), (n, q) in itertools.product(one.items(), other.items()):
        for (i, a), (j, b) in itertools.product(p.items(), q.items()):
            product = plus(product, {m + n: {i + j: a * b}})
    return times(product, *more) if more else product


@pytest.mark.parametrize("confidence", [0.02, 0.95, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("times_the_least", [1, 3.7])
@pytest.mark.parametrize("fewest", [0, 2])
def test_large_counts_against_sums_of_40_digits(monkeypatch, confidence, times_the_least, fewest):
    monkeypatch.setattr(distinct, "FEWEST_CELLS", fewest)
    tail = (1 - confidence) / 2
    x = int((601 + 200 * NormalDist().inv_cdf(tail) ** 2) * times_the_least)
    low, high = rate_interval(events=[x], exposure=1, confidence=confidence)[1:]
    near = Decimal("2e-15")
    for limit, sign, most in ((low[0], -1, x - 1), (high[0], 1, x)):
        wanted = Decimal(tail) if sign > 0 else 1 - Decimal(tail)
        inner, outer = (naive.poisson_at_most_to_40_digits(most, Decimal(limit) * (1 + w * near)) for w in (-1, 1))
        assert outer < wanted < inner


def test_each_distinct_cell_is_worked_out_once():
    seen = []

    def limits(x, y):
        seen.append(list(zip(x.tolist(), y.tolist())))
        return x - y, x + y

    x, y = RNG.integers(0, 20, N).astype(float), RNG.integers(0, 30, N).astype(float)
    low, high = distinct.on_distinct(limits, x, y)
    assert seen == [sorted(set(zip(x.tolist(), y.tolist())))]
    assert np.array_equal(low, x - y)
    assert np.array_equal(high, x + y)


def test_keys_that_would_overflow_are_not_made():
    huge = np.full(N, 2.0**40)
    assert distinct._keys((huge, huge)) is None
    assert distinct._keys((huge,)) is not None


def test_no_cell_at_all():
    assert rate_interval(events=[], exposure=[]).low.size == 0


def test_bad_counts_are_refused_among_many():
    with pytest.raises(UsageError, match="row 7"):
        rate_interval(events=np.where(np.arange(N) == 7, -1, 1), exposure=1)
