"""Resampling: random numbers that are addressed rather than drawn in turn, and the samplers made of them.

A random word is a function of the seed and of what it is for (replicate, cell, attempt; or replicate and cluster).
So a result depends on the seed alone: not on threads, on chunks, or on the order in which records come.

The function is Philox 4x32 with 10 rounds (Salmon and others 2011, "Parallel random numbers: as easy as 1, 2, 3"):
a counter of four 32-bit words and a key of two (the seed, low word first) give four words. The counters here:

    replicate, cell, attempt, MULTINOMIAL     the cell's share of a resampled whole
    replicate, cell, attempt, POISSON         the cell's count around its own mean
    key low, key high, replicate // 4, WEIGHT word `replicate % 4` is the weight of a cluster in a replicate

Words are 32 bits held in 64, because a product of two needs 64.
"""

from __future__ import annotations

import math

import numpy as np

from disprop.kernels._jit import inner, kernel

MULTINOMIAL, POISSON, WEIGHT = np.uint64(1), np.uint64(2), np.uint64(3)
LANES = 4  # words, so replicates, of one counter

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_TIMES_A, _TIMES_C = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEP_K, _STEP_M = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOG_ROOT_TWO_PI = 0.9189385332046727
_TWO_20, _TWELVE = np.uint64(1 << 20), np.uint64(12)


@inner
def philox(a, b, c, d, k, m):
    """The four words of counter (a, b, c, d) under key (k, m)."""
    for _ in range(10):
        left, right = _TIMES_A * (a & _LOW), _TIMES_C * (c & _LOW)
        a, b, c, d = (right >> _HALF) ^ b ^ k, right & _LOW, (left >> _HALF) ^ d ^ m, left & _LOW
        k, m = (k + _STEP_K) & _LOW, (m + _STEP_M) & _LOW
    return a, b, c, d


@inner
def uniform(high, low):
    """A number strictly between 0 and 1 from 52 bits of two words."""
    return (np.float64(high * _TWO_20 + (low >> _TWELVE)) + 0.5) * 2.0**-52


@inner
def two_uniforms(seed, replicate, cell, attempt, purpose):
    a, b, c, d = philox(np.uint64(replicate), np.uint64(cell), np.uint64(attempt), purpose, seed & _LOW, seed >> _HALF)
    return uniform(a, b), uniform(c, d)


@inner
def stirling_rest(k):
    """log k! - [log sqrt(2 pi) + (k + 1/2) log(k + 1) - (k + 1)], to 1e-10."""
    if k < 10:
        product = 1.0
        for i in range(2, k + 1):
            product *= i
        return math.log(product) - (_LOG_ROOT_TWO_PI + (k + 0.5) * math.log(k + 1.0) - (k + 1.0))
    square = (k + 1.0) * (k + 1.0)
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)


@inner
def log_miss(part, whole):
    """The log of 1 - p, p the chance of the rarer of hit and miss: the same for all rows, so worked out once."""
    return math.log1p(-(min(part, whole - part) / whole)) if part < whole else 0.0


@inner
def binomial(n, part, whole, miss, u, v, seed, replicate, cell):
    """Binomial(n, part / whole), the rarer of hit and miss being drawn.

    `miss` is log_miss(part, whole); u and v are the uniforms of the first attempt.
    """
    if part >= whole or n == 0:
        return n
    rare = min(part, whole - part)
    p = rare / whole
    hits = _binomial_near(n, p, miss, u) if n * p < 10.0 else _binomial_far(n, p, u, v, seed, replicate, cell)
    return hits if rare == part else n - hits


@inner
def _binomial_near(n, p, miss, u):
    """The quantile of one uniform, adding up probabilities from 0."""
    odds = p / (1.0 - p)
    chance = math.exp(n * miss)
    hits = 0
    while u > chance and hits < n:
        u -= chance
        hits += 1
        chance *= (n - hits + 1) * odds / hits
    return hits


@inner
def _binomial_far(n, p, u, v, seed, replicate, cell):
    """Hormann's transformed rejection (1993), BTRS: exact, whatever n; needs n p >= 10 and p <= 1/2."""
    odds = p / (1.0 - p)
    spread = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    fast = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    mode = np.int64(math.floor((n + 1) * p))
    peak = stirling_rest(mode) + stirling_rest(n - mode) + (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1)))
    attempt = 0
    while True:
        if attempt:
            u, v = two_uniforms(seed, replicate, cell, attempt, MULTINOMIAL)
        attempt += 1
        u -= 0.5
        edge = 0.5 - abs(u)
        hits = np.int64(math.floor((2.0 * a / edge + b) * u + centre))
        if edge >= 0.07 and v <= fast:
            return hits
        if hits < 0 or hits > n:
            continue
        height = math.log(v * alpha / (a / (edge * edge) + b))
        bound = peak - stirling_rest(hits) - stirling_rest(n - hits)
        bound += (n + 1) * math.log((n - mode + 1) / (n - hits + 1))
        bound += (hits + 0.5) * math.log(odds * (n - hits + 1) / (hits + 1))
        if height <= bound:
            return hits


@inner
def poisson(mean, seed, replicate, cell):
    return _poisson_near(mean, seed, replicate, cell) if mean < 10.0 else _poisson_far(mean, seed, replicate, cell)


@inner
def _poisson_near(mean, seed, replicate, cell):
    """The quantile of one uniform, adding up probabilities from 0 (below mean 10, 100 is never reached)."""
    u, _ = two_uniforms(seed, replicate, cell, 0, POISSON)
    chance = math.exp(-mean)
    hits = 0
    while u > chance and hits < 100:
        u -= chance
        hits += 1
        chance *= mean / hits
    return hits


@inner
def _poisson_far(mean, seed, replicate, cell):
    """Hormann's transformed rejection (1993), PTRS: exact; needs a mean of at least 10."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    alpha = 1.1239 + 1.1328 / (b - 3.4)
    fast = 0.9277 - 3.6224 / (b - 2.0)
    attempt = 0
    while True:
        u, v = two_uniforms(seed, replicate, cell, attempt, POISSON)
        attempt += 1
        u -= 0.5
        edge = 0.5 - abs(u)
        hits = np.int64(math.floor((2.0 * a / edge + b) * u + mean + 0.43))
        if edge >= 0.07 and v <= fast:
            return hits
        if hits < 0 or (edge < 0.013 and v > edge):
            continue
        height = math.log(v * alpha / (a / (edge * edge) + b))
        bound = hits * math.log(mean / (hits + 1.0)) + (hits + 1.0 - mean) - 0.5 * math.log(hits + 1.0)
        if height <= bound - _LOG_ROOT_TWO_PI - stirling_rest(hits):
            return hits


@kernel("void(int64[::1], uint64, int64, float64[:,::1], int64[::1], int64[:,::1])", wraps=True)
def multinomials(counts, seed, first, out_uniforms, out_draws, out):
    """Row i of `out`: replicate first + i of sum(counts) draws among cells as likely as their counts.

    A tile of rows is drawn cell by cell, since rows need not wait for one another, as cells must. Room for a tile:
    `out_uniforms`, (2, rows), and `out_draws`, (rows,): the draws that a row has left.
    """
    for start in range(0, out.shape[0], out_draws.size):
        rows = min(out_draws.size, out.shape[0] - start)
        left = counts.sum()
        for i in range(rows):
            out_draws[i] = left
        for cell in range(counts.size):
            part, miss = counts[cell], log_miss(counts[cell], left)
            for i in range(rows):
                u, v = two_uniforms(seed, first + start + i, cell, 0, MULTINOMIAL)
                out_uniforms[0, i], out_uniforms[1, i] = u, v
            for i in range(rows):
                hits, n = 0, out_draws[i]
                if n > 0 and part > 0:
                    u, v = out_uniforms[0, i], out_uniforms[1, i]
                    hits = binomial(n, part, left, miss, u, v, seed, first + start + i, cell)
                out[start + i, cell] = hits
                out_draws[i] = n - hits
            left -= part


@kernel("void(int64[::1], uint64, int64, int64[:,::1])", wraps=True)
def poissons(counts, seed, first, out):
    """Row i of `out`: replicate first + i of counts that vary each around its own mean."""
    for i in range(out.shape[0]):
        for cell in range(counts.size):
            out[i, cell] = poisson(np.float64(counts[cell]), seed, first + i, cell) if counts[cell] else 0


@inner
def weight(word):
    """The Poisson(1) quantile of a 32-bit word: how many of floor(2^32 P(X <= k)), k = 0 to 12, are not above it.

    All in 32 bits and without branches, so that sixteen words are weighed at a time.
    """
    return np.uint32(
        np.uint32(word >= np.uint32(1580030168))
        + np.uint32(word >= np.uint32(3160060337))
        + np.uint32(word >= np.uint32(3950075421))
        + np.uint32(word >= np.uint32(4213413783))
        + np.uint32(word >= np.uint32(4279248373))
        + np.uint32(word >= np.uint32(4292415291))
        + np.uint32(word >= np.uint32(4294609777))
        + np.uint32(word >= np.uint32(4294923276))
        + np.uint32(word >= np.uint32(4294962463))
        + np.uint32(word >= np.uint32(4294966817))
        + np.uint32(word >= np.uint32(4294967252))
        + np.uint32(word >= np.uint32(4294967292))
        + np.uint32(word >= np.uint32(4294967295))
    )


@kernel(
    "void(uint64[::1], int64[::1], int64[::1], int64[::1], uint64, int64, uint32[:,::1], int64[:,:,::1])", wraps=True
)
def weigh(keys, starts, cells, counts, seed, block, out_words, out):
    """Add every cluster's counts, times its weight in each replicate, to `out[cell, lane, i]`.

    Cluster p has key `keys[p]` and holds `counts[e]` records in `cells[e]`, e from starts[p] to starts[p + 1]. Lane l
    of column i is replicate 4 (block + i) + l. `out_words` is room for the words of one cluster, (4, columns).
    """
    columns = out.shape[2]
    for p in range(keys.size):
        for i in range(columns):
            a, b, c, d = philox(
                keys[p] & _LOW, keys[p] >> _HALF, np.uint64(block + i), WEIGHT, seed & _LOW, seed >> _HALF
            )
            out_words[0, i], out_words[1, i], out_words[2, i], out_words[3, i] = a, b, c, d
        for lane in range(LANES):
            for i in range(columns):
                out_words[lane, i] = weight(out_words[lane, i])
        for e in range(starts[p], starts[p + 1]):
            for lane in range(LANES):
                for i in range(columns):
                    out[cells[e], lane, i] += counts[e] * np.int64(out_words[lane, i])
