"""The cluster bootstrap: 1,000,000 records of 300,000 persons, 2,000 replicates, the log ratio of two of 5 groups.

Two ways of ours, each beside numpy. Persons are drawn by sort (exact multinomial), which has its own random numbers, so
numpy's limits must agree as two seeds agree. Weights hashed from keys are the same in both, so every total must.
"""

from typing import NamedTuple

import numpy as np
import pytest

from disprop.kernels import resample
from disprop.resampling import alike_clusters, bootstrap_interval, hashed_replicates

ROUNDS = 5
SEED = 20_240_229
GROUPS = 5


class Problem(NamedTuple):
    """Records by person and group, and how often to draw again."""

    keys: np.ndarray
    groups: np.ndarray
    replicates: int


@pytest.fixture(scope="module")
def problem(request):
    timed = request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")
    records, persons, replicates = (1_000_000, 300_000, 2_000) if timed else (20_000, 6_000, 60)
    rng = np.random.default_rng(SEED)
    person = rng.integers(0, persons, records)
    group = rng.choice(GROUPS, persons, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    return Problem(rng.integers(0, 2**64, persons, dtype=np.uint64)[person], group[person], replicates)


def log_ratio(totals):
    """The second group's records over the first's."""
    return np.log(totals[..., 1] / totals[..., 0])


# Persons drawn again with replacement.


def by_sort(problem):
    """Ours, from records to limits."""
    clusters = alike_clusters(keys=problem.keys, cells=problem.groups, n_cells=GROUPS)
    return bootstrap_interval(clusters, log_ratio, seed=SEED, replicates=problem.replicates)[1:]


def numpy_by_record(problem):
    """Draw persons, and weigh each record by how often its person came up."""
    distinct, person = np.unique(problem.keys, return_inverse=True)
    rng = np.random.default_rng(SEED)
    totals = np.zeros((problem.replicates, GROUPS))
    for replicate in range(problem.replicates):
        drawn = np.bincount(rng.integers(0, distinct.size, distinct.size), minlength=distinct.size)
        totals[replicate] = np.bincount(problem.groups, weights=drawn[person], minlength=GROUPS)
    return np.quantile(log_ratio(totals), [0.025, 0.975])


def numpy_by_person(problem):
    """The same with the records of each person counted by group first."""
    held = counted_by_person(problem)[1].astype(float)
    rng = np.random.default_rng(SEED)
    draws = (rng.integers(0, len(held), len(held)) for _ in range(problem.replicates))
    totals = np.array([np.bincount(drawn, minlength=len(held)) @ held for drawn in draws])
    return np.quantile(log_ratio(totals), [0.025, 0.975])


def counted_by_person(problem):
    distinct, person = np.unique(problem.keys, return_inverse=True)
    counts = np.bincount(person * GROUPS + problem.groups, minlength=distinct.size * GROUPS)
    return distinct, counts.reshape(-1, GROUPS)


DRAWN = {"disprop, by sort": by_sort, "numpy, by record": numpy_by_record, "numpy, by person": numpy_by_person}


@pytest.fixture(scope="module")
def limits(problem):
    return by_sort(problem)


@pytest.mark.parametrize("name", DRAWN)
def test_persons_drawn_again(benchmark, problem, limits, name):
    """From records to limits, persons told apart included."""
    benchmark.group = f"cluster bootstrap, exact, {problem.keys.size:,} records, {problem.replicates:,} replicates"
    found = benchmark.pedantic(DRAWN[name], args=(problem,), rounds=ROUNDS)
    chance = (limits[1] - limits[0]) / np.sqrt(problem.replicates)  # about the standard error between two seeds
    np.testing.assert_allclose(found, limits, atol=4 * chance)


# Weights hashed from keys.


def hashed(problem):
    """Ours, from records to the totals of every replicate."""
    return hashed_replicates(
        keys=problem.keys, cells=problem.groups, n_cells=GROUPS, replicates=problem.replicates, seed=SEED
    )


def numpy_hashed(problem):
    """The same random words, weights and totals by numpy, a person a row, four replicates at a time."""
    keys, held = counted_by_person(problem)
    limits = poisson_limits()
    totals = np.zeros((problem.replicates, GROUPS), dtype=np.int64)
    for block in range(-(-problem.replicates // 4)):
        for lane, word in enumerate(numpy_philox(keys, block)):
            if 4 * block + lane < problem.replicates:
                totals[4 * block + lane] = np.searchsorted(limits, word, side="right") @ held
    return totals


def poisson_limits():
    return np.floor(2.0**32 * np.cumsum(np.exp(-1) / np.cumprod([1, *range(1, 13)]))).astype(np.uint64)


def numpy_philox(keys, block):
    """Philox 4x32 with 10 rounds over all keys; 32-bit words in 64 bits."""
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    a, b = keys & low, keys >> half
    c, d = np.full(keys.size, block, dtype=np.uint64), np.full(keys.size, resample.WEIGHT)
    for i in range(10):
        k, m = (SEED + i * 0x9E3779B9) & 0xFFFFFFFF, ((SEED >> 32) + i * 0xBB67AE85) & 0xFFFFFFFF
        left, right = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (right >> half) ^ b ^ np.uint64(k), right & low, (left >> half) ^ d ^ np.uint64(m), left & low
    return a, b, c, d


def numpy_poisson(problem):
    """Poisson weights from numpy's own generator: quicker than hashing, but they cannot be made in parts."""
    held = counted_by_person(problem)[1].astype(float)
    rng = np.random.default_rng(SEED)
    return np.array([rng.poisson(1.0, len(held)) @ held for _ in range(problem.replicates)])


HASHED = {"disprop, hashed": hashed, "numpy, hashed": numpy_hashed, "numpy, own Poisson": numpy_poisson}


@pytest.fixture(scope="module")
def totals(problem):
    return hashed(problem)


@pytest.mark.parametrize("name", HASHED)
def test_weights_from_keys(benchmark, problem, totals, name):
    """From records to the totals of every replicate."""
    benchmark.group = f"cluster bootstrap, hashed, {problem.keys.size:,} records, {problem.replicates:,} replicates"
    found = benchmark.pedantic(HASHED[name], args=(problem,), rounds=ROUNDS)
    if name == "numpy, own Poisson":
        np.testing.assert_allclose(log_ratio(found).std(), log_ratio(totals).std(), rtol=8 / np.sqrt(len(found)))
    else:
        np.testing.assert_array_equal(found, totals)
