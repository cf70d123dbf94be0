"""Simulated audits: the chain of draws and the limits, against plain loops. Also run with NUMBA_DISABLE_JIT=1."""

import math

import numpy as np
import pytest

from disprop.kernels import audits

SAMPLE = np.array([3, 2])
CHANCES = np.array(
    [0.1, 0.4, 0.9, 1.0]  # stratum 0, link 0, three to draw
    + [1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.2, 0.6, 1.0, 1.0, 0.1, 0.3, 0.8, 1.0]  # link 1: none, one, two, three
    + [0.3, 0.7, 1.0]  # stratum 1, link 0, two to draw
    + [1.0, 1.0, 1.0, 0.6, 1.0, 1.0, 0.2, 0.9, 1.0]  # link 1
)
START = np.array([[0 - 3 * 4, 4], [20 - 2 * 3, 23]])


def drawn(first, number, seed=7):
    counts = np.zeros((number, 2, 3), np.int64)
    audits.draw(np.uint64(seed), first, SAMPLE, START, CHANCES, counts)
    return counts


def test_every_audit_draws_its_sample():
    counts = drawn(0, 200)
    assert (counts.sum(axis=2) == SAMPLE).all()
    assert (counts >= 0).all()


def test_an_audit_is_the_same_wherever_its_run_begins():
    whole = drawn(0, 60)
    np.testing.assert_array_equal(whole[20:], drawn(20, 40))
    assert (whole != drawn(0, 60, seed=8)).any()


def test_draws_follow_the_tables():
    counts = drawn(0, 2000)
    first = np.bincount(counts[:, 0, 0], minlength=4) / 2000
    assert first == pytest.approx([0.1, 0.3, 0.5, 0.1], abs=0.04)
    two_left = counts[counts[:, 0, 0] == 1]
    second = np.bincount(two_left[:, 0, 1], minlength=3) / len(two_left)
    assert second == pytest.approx([0.2, 0.4, 0.4], abs=0.08)


def slow_limits(counts, group, sample, weight, kept, squared, capped):
    cells = range(counts.shape[1]) if group < 0 else (2 * group, 2 * group + 1)
    rows = [(s, c % 2 == 0) for s in range(len(sample)) for c in cells for _ in range(counts[s, c])]
    if not rows:
        return math.nan, math.nan
    size = sum(weight[s] for s, _ in rows)
    share = sum(weight[s] for s, met in rows if met) / size
    noise = sum(kept[s] * weight[s] ** 2 for s, _ in rows)
    if noise == 0:
        return share, share
    variance = 0.0
    for s in range(len(sample)):
        scores = [weight[s] * (met - share) / size for at, met in rows if at == s]
        scores += [0.0] * (int(sample[s]) - len(scores))
        centre = sum(scores) / sample[s] if sample[s] > 1 else 0.0
        factor = sample[s] / (sample[s] - 1) if sample[s] > 1 else 1.0
        variance += kept[s] * factor * sum((score - centre) ** 2 for score in scores)
    n = size**2 / noise
    if 0 < share < 1 and variance > 1e-24 and len(rows) > 1:
        precise = len(rows) / (len(rows) - 1) * share * (1 - share) / variance
        n = min(n, precise) if capped else precise
    half = math.sqrt(squared * (share * (1 - share) / n + squared / (4 * n * n))) / (1 + squared / n)
    centre = (share + squared / (2 * n)) / (1 + squared / n)
    return (0.0 if share == 0 else centre - half), (1.0 if share == 1 else centre + half)


@pytest.mark.parametrize("capped", [0, 1])
@pytest.mark.parametrize("group", [-1, 0, 1])
def test_limits_against_plain_loops(group, capped):
    chance = np.random.default_rng(2)
    sample = np.array([6.0, 4.0, 1.0])
    counts = np.array([[chance.multinomial(int(n), [0.4, 0.2, 0.3, 0.1]) for n in sample] for _ in range(60)])
    weight, kept = np.array([10.0, 2.0, 5.0]), np.array([0.9, 0.5, 0.0])
    low, high = np.empty(60), np.empty(60)
    audits.wilson(counts, group, sample, weight, kept, 3.84, capped, low, high)
    slow = [slow_limits(each, group, sample, weight, kept, 3.84, capped) for each in counts]
    np.testing.assert_allclose(np.column_stack([low, high]), slow, rtol=1e-10, atol=1e-12)


def test_empty_groups_and_whole_draws():
    counts = np.array([[[0, 0, 3, 1]], [[2, 2, 0, 0]]])
    low, high = np.empty(2), np.empty(2)
    audits.wilson(counts, 0, np.array([4.0]), np.array([1.0]), np.array([0.0]), 3.84, 1, low, high)
    assert math.isnan(low[0])
    assert (low[1], high[1]) == (0.5, 0.5)
