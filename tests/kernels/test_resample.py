"""Random numbers, samplers and weights: published values, exact distributions, and the slow truth.

Seeds are fixed, so nothing here fails by chance. These tests also run with NUMBA_DISABLE_JIT=1 (see test_jit.py).
"""

from fractions import Fraction

import naive_resample as naive
import numpy as np
import pytest
from scipy import stats

from disprop.kernels import resample
from disprop.kernels._jit import interpreted, kernel

SEED = np.uint64(0x299F31D0_A4093822)
MANY = 2_000 if interpreted() else 40_000  # plain Python takes its time


@kernel("void(uint64[::1], uint64[::1], uint64[::1])", wraps=True)
def words(counter, key, out):
    out[0], out[1], out[2], out[3] = resample_philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@kernel("void(uint64[::1], float64[::1])")
def uniforms(pairs, out):
    for i in range(out.size):
        out[i] = resample_uniform(pairs[2 * i], pairs[2 * i + 1])


@kernel("void(uint32[::1], uint32[::1])")
def weights(given, out):
    for i in range(out.size):
        out[i] = resample_weight(given[i])


@kernel("void(int64, int64, int64, uint64, int64[::1])", wraps=True)
def binomials(n, part, whole, seed, out):
    for replicate in range(out.size):
        u, v = resample_uniforms(seed, replicate, 0, 0, MULTINOMIAL)
        miss = resample_miss(part, whole)
        out[replicate] = resample_binomial(n, part, whole, miss, u, v, seed, replicate, 0)


resample_philox, resample_uniform = resample.philox, resample.uniform
resample_weight, resample_binomial = resample.weight, resample.binomial
resample_miss, resample_uniforms, MULTINOMIAL = resample.log_miss, resample.two_uniforms, resample.MULTINOMIAL


def philox(counter, key):
    out = np.zeros(4, dtype=np.uint64)
    words(np.array(counter, dtype=np.uint64), np.array(key, dtype=np.uint64), out)
    return out.tolist()


# The authors' known answers (Random123, kat_vectors, philox4x32 with 10 rounds).
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "wanted"), KNOWN)
def test_philox_gives_the_published_words(counter, key, wanted):
    assert philox(counter, key) == naive.philox(counter, key) == wanted


def test_philox_agrees_with_the_slow_truth():
    rng = np.random.default_rng(5)
    for counter, key in zip(rng.integers(0, 2**32, (50, 4)).tolist(), rng.integers(0, 2**32, (50, 2)).tolist()):
        assert philox(counter, key) == naive.philox(counter, key)


def test_uniforms_are_strictly_between_0_and_1():
    top = 2**32 - 1
    out = np.zeros(3)
    uniforms(np.array([0, 0, 2**31, 0, top, top], dtype=np.uint64), out)
    assert out.tolist() == [2.0**-53, 0.5 + 2.0**-53, 1 - 2.0**-53]


def test_weights_are_poisson_quantiles():
    limits = naive.poisson_limits()
    assert len(limits) == 13
    given = sorted({word for limit in limits for word in (limit - 1, limit)} | {0, 2**32 - 1})
    out = np.zeros(len(given), dtype=np.uint32)
    weights(np.array(given, dtype=np.uint32), out)
    assert out.tolist() == [sum(word >= limit for limit in limits) for word in given]
    shares = np.diff([0, *limits, 2**32]) / 2**32
    assert shares == pytest.approx(stats.poisson.pmf(range(14), 1), abs=2.0**-31)
    assert (shares * range(14)).sum() == pytest.approx(1, abs=1e-8)


def fits(draws, distribution, *, kept=1e-4):
    """Whether draws look like the distribution: chi-square over values with 5 or more expected, tails pooled."""
    low, high = int(distribution.ppf(8 / draws.size)), int(distribution.ppf(1 - 8 / draws.size)) - 1
    edges = np.unique(np.linspace(low, high, min(high - low + 1, 40)).astype(int))
    expected = np.diff([0, *distribution.cdf(edges), 1]) * draws.size
    observed = np.histogram(draws, [-np.inf, *(edges + 0.5), np.inf])[0]
    return stats.chisquare(observed, expected).pvalue > kept


BINOMIALS = [
    (5, 1, 2),
    (30, 1, 30),
    (99, 1, 10),
    (100, 1, 10),
    (101, 9, 10),
    (40, 20, 40),
    (1000, 15, 1000),
    (300_000, 7, 10),
    (2**40, 1, 2**38),
    (2**40, 1, 3),
]


@pytest.mark.parametrize(("n", "part", "whole"), BINOMIALS)
def test_binomials_have_the_binomial_distribution(n, part, whole):
    out = np.zeros(MANY, dtype=np.int64)
    binomials(n, part, whole, SEED, out)
    assert fits(out, stats.binom(n, part / whole))
    assert (out >= 0).all()
    assert (out <= n).all()


@pytest.mark.parametrize(("n", "part", "whole", "wanted"), [(7, 3, 3, 7), (7, 0, 3, 0), (0, 1, 3, 0)])
def test_certain_binomials(n, part, whole, wanted):
    out = np.full(5, -1, dtype=np.int64)
    binomials(n, part, whole, SEED, out)
    assert out.tolist() == [wanted] * 5


@pytest.mark.parametrize(("n", "part", "whole"), [(5, 1, 2), (12, 1, 7), (90, 1, 10), (20, 4, 5)])
def test_small_binomials_are_quantiles_of_their_uniform(n, part, whole):
    out = np.zeros(40, dtype=np.int64)
    binomials(n, part, whole, SEED, out)
    rare = Fraction(min(part, whole - part), whole)
    for replicate, drawn in enumerate(out.tolist()):
        high, low, _, _ = naive.philox([replicate, 0, 0, 1], [0xA4093822, 0x299F31D0])
        u = (high * 2**20 + low // 2**12 + 0.5) / 2**52
        hits = naive.binomial_quantile(n, rare, u)
        assert drawn == (hits if 2 * part <= whole else n - hits)


@pytest.mark.parametrize("mean", [1, 3, 9, 10, 11, 250, 10**6, 10**9])
def test_poissons_have_the_poisson_distribution(mean):
    out = np.zeros((MANY, 1), dtype=np.int64)
    resample.poissons(np.array([mean]), SEED, 0, out)
    assert fits(out[:, 0], stats.poisson(mean))


@pytest.mark.parametrize("mean", [1, 4, 9])
def test_small_poissons_are_quantiles_of_their_uniform(mean):
    out = np.zeros((40, 2), dtype=np.int64)
    resample.poissons(np.array([0, mean]), SEED, 0, out)
    for replicate, (nothing, drawn) in enumerate(out.tolist()):
        high, low, _, _ = naive.philox([replicate, 1, 0, 2], [0xA4093822, 0x299F31D0])
        assert drawn == naive.poisson_quantile(mean, (high * 2**20 + low // 2**12 + 0.5) / 2**52)
        assert nothing == 0


def multinomials(counts, seed, first, out, tile=7):
    resample.multinomials(counts, seed, first, np.empty((2, tile)), np.empty(tile, dtype=np.int64), out)


def test_multinomials_share_out_the_whole():
    counts = np.array([0, 500, 3, 0, 1, 90, 0])
    out = np.full((MANY, counts.size), -1, dtype=np.int64)
    multinomials(counts, SEED, 0, out, tile=256)
    assert (out.sum(axis=1) == 594).all()
    assert (out[:, counts == 0] == 0).all()
    for cell in (1, 2, 4, 5):
        assert fits(out[:, cell], stats.binom(594, counts[cell] / 594))
    together = np.cov(out[:, 1], out[:, 5])[0, 1]
    assert together == pytest.approx(-500 * 90 / 594, rel=0.25 if interpreted() else 0.03)


@pytest.mark.parametrize("sampler", [multinomials, resample.poissons])
def test_a_replicate_depends_on_its_number_and_on_nothing_else(sampler):
    counts = np.array([40, 5, 0, 1000])
    whole, late = np.zeros((20, 4), dtype=np.int64), np.zeros((5, 4), dtype=np.int64)
    sampler(counts, SEED, 0, whole)
    sampler(counts, SEED, 15, late)
    assert late.tolist() == whole[15:].tolist()
    sampler(counts, SEED + np.uint64(1), 15, late)
    assert late.tolist() != whole[15:].tolist()


@pytest.mark.parametrize("tile", [1, 3, 20, 64])
def test_tiles_do_not_change_a_bit(tile):
    counts = np.array([40, 5, 0, 1000, 3])
    one, other = np.zeros((20, 5), dtype=np.int64), np.zeros((20, 5), dtype=np.int64)
    multinomials(counts, SEED, 0, one)
    multinomials(counts, SEED, 0, other, tile=tile)
    assert one.tolist() == other.tolist()


def test_nothing_to_share_out():
    out = np.full((3, 2), -1, dtype=np.int64)
    multinomials(np.array([0, 0]), SEED, 0, out)
    assert out.tolist() == [[0, 0]] * 3


def test_counts_beyond_32_bits():
    out = np.zeros((50, 2), dtype=np.int64)
    multinomials(np.array([2**41, 2**41]), SEED, 0, out)
    assert (out.sum(axis=1) == 2**42).all()
    assert abs(out[:, 0] / 2**41 - 1).max() < 1e-5
    weighed = np.zeros((1, 4, 1), dtype=np.int64)
    one = np.array([0, 1]), np.array([0]), np.array([2**40])
    resample.weigh(np.array([9], dtype=np.uint64), *one, SEED, 0, np.zeros((4, 1), dtype=np.uint32), weighed)
    assert weighed[0, :, 0].tolist() == [2**40 * naive.cluster_weight(int(SEED), 9, r) for r in range(4)]
