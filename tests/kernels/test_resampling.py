"""Clusters, replicates and intervals from them, against the slow truth, scipy and printed examples."""

from fractions import Fraction

import naive_resample as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from disprop import resampling
from disprop.errors import UsageError
from disprop.kernels import clusters
from disprop.kernels._jit import interpreted
from disprop.resampling import (
    Clusters,
    alike_clusters,
    bootstrap_interval,
    hashed_replicates,
    records_as_clusters,
    resample_counts,
)

FEW = 399

records = st.lists(st.tuples(st.integers(0, 9).map(lambda q: q * 2**60 + 5), st.integers(0, 3)), max_size=40)


def columns(pairs):
    return np.array([key for key, _ in pairs], dtype=np.uint64), [cell for _, cell in pairs]


def log_ratio(totals):
    return np.log(totals[..., 0] / totals[..., 1])


def naive_log_ratio(totals):
    return float(np.log(totals[0] / totals[1])) if totals[1] else None


def one_by_one(clusters):
    return [held for held, n in zip(clusters.held.tolist(), clusters.n_clusters) for _ in range(n)]


PEOPLE = Clusters(np.array([[0, 1], [1, 0], [1, 3], [5, 2]]), np.array([9, 12, 4, 2]))


# Clusters.


@given(records)
def test_alike_clusters_are_those_of_the_slow_truth(pairs):
    keys, cells = columns(pairs)
    found = alike_clusters(keys=keys, cells=cells, n_cells=4)
    rows = [tuple(held) for held in found.held.tolist()]
    assert dict(zip(rows, found.n_clusters.tolist())) == naive.alike_clusters(keys.tolist(), cells, 4)
    assert rows == sorted(set(rows))
    assert found.totals.tolist() == [cells.count(cell) for cell in range(4)]


@settings(deadline=None)
@given(records, st.integers(1, 3))
def test_the_kernel_sorts_clusters_as_numpy_does(pairs, threads):
    keys, cells = columns(pairs or [(1, 1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "cores", lambda: threads)
        found = resampling._alike_by_kernel(keys, np.array(cells), 4)
    wanted = resampling._alike_by_numpy(keys, np.array(cells), 4)
    assert found.held.tolist() == wanted.held.tolist()
    assert found.n_clusters.tolist() == wanted.n_clusters.tolist()


@pytest.mark.parametrize(
    "kind", ["hashed", "numbered", "one key", "all different", "one key on half", "low bits equal"]
)
def test_the_kernel_takes_keys_of_every_kind(kind):
    rows = 300 if interpreted() else 30_000
    rng = np.random.default_rng(9)
    hashed = rng.integers(0, 2**64, rows, dtype=np.uint64)
    keys = {
        "hashed": hashed[rng.integers(0, rows // 3, rows)],
        "numbered": rng.integers(0, rows // 3, rows).astype(np.uint64),
        "one key": np.full(rows, 7, dtype=np.uint64),
        "all different": hashed,
        "one key on half": np.where(rng.random(rows) < 0.5, hashed[0], hashed),
        "low bits equal": hashed // np.uint64(2**40) * np.uint64(2**40),
    }[kind]
    cells = rng.integers(0, 3, rows)
    found = resampling._alike_by_kernel(keys, cells, 3)
    wanted = resampling._alike_by_numpy(keys, cells, 3)
    assert found.held.tolist() == wanted.held.tolist()
    assert found.n_clusters.tolist() == wanted.n_clusters.tolist()
    assert found.n_clusters.sum() == np.unique(keys).size
    assert found.held.shape == np.unique(found.held, axis=0).shape


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize(("n_cells", "most"), [(1, 5000), (2, 300), (5, 4095), (8, 254), (8, 255), (9, 30), (40, 256)])
def test_packed_counters_of_every_width(monkeypatch, n_cells, most, threads):
    """Counters of 8 to 32 bits, one word a cluster or several, and clusters that need the wider ones."""
    monkeypatch.setattr(resampling, "cores", lambda: threads)
    rng = np.random.default_rng(n_cells)
    keys = np.concatenate([rng.integers(0, 40, 200), np.full(most, 99)]).astype(np.uint64)
    cells = np.concatenate([rng.integers(0, n_cells, 200), np.full(most, n_cells - 1)])
    found = resampling._alike_by_kernel(keys, cells, n_cells)
    wanted = resampling._alike_by_numpy(keys, cells, n_cells)
    assert found.held.max() == most
    assert found.held.tolist() == wanted.held.tolist()
    assert found.n_clusters.tolist() == wanted.n_clusters.tolist()


@pytest.mark.parametrize("few", [1, 10, 1 << 15])
def test_more_sorts_than_there_was_room_for(monkeypatch, few, many_records):
    monkeypatch.setattr(resampling, "FEW_SORTS", few)
    found = resampling._alike_by_kernel(*many_records, 5)
    wanted = resampling._alike_by_numpy(*many_records, 5)
    assert found.held.tolist() == wanted.held.tolist()
    assert found.n_clusters.tolist() == wanted.n_clusters.tolist()


def test_more_cells_than_a_record_can_name_go_to_numpy(monkeypatch):
    monkeypatch.setattr(resampling, "FEWEST_RECORDS", 1)
    monkeypatch.delattr(resampling, "_alike_by_kernel")
    n_cells = clusters.MOST_CELLS + 1
    assert alike_clusters(keys=[3], cells=[n_cells - 1], n_cells=n_cells).held[0, -1] == 1


def test_many_records_go_to_the_kernel_and_many_cells_to_numpy(monkeypatch):
    went = []
    monkeypatch.setattr(resampling, "_alike_by_kernel", lambda *_: went.append("kernel"))
    monkeypatch.setattr(resampling, "_alike_by_numpy", lambda *_: went.append("numpy"))
    monkeypatch.setattr(resampling, "FEWEST_RECORDS", 3)
    monkeypatch.setattr(resampling, "MOST_NUMBERS", 12)
    for rows, n_cells in ((2, 1), (3, 1), (3, 4), (3, 5)):
        alike_clusters(keys=range(rows), cells=[0] * rows, n_cells=n_cells)
    assert went == ["numpy", "kernel", "kernel", "numpy"]


@given(records, st.randoms())
def test_the_order_of_records_does_not_matter(pairs, random):
    mixed = random.sample(pairs, len(pairs))
    one, other = (alike_clusters(keys=k, cells=c, n_cells=4) for k, c in (columns(pairs), columns(mixed)))
    assert one.held.tolist() == other.held.tolist()
    assert one.n_clusters.tolist() == other.n_clusters.tolist()


@pytest.mark.parametrize(
    ("keys", "cells", "n_cells", "message"),
    [
        ([1, 2], [0], 2, "one of each for every record"),
        ([1, 2], [0, 2], 2, "from 0 to 1"),
        ([1, 2], [0, -1], 2, "from 0 to 1"),
        ([1, 2], [0, 0], 0, "n_cells is 0"),
        ([1.5, 2], [0, 0], 1, "whole numbers"),
        ([[1, 2]], [[0, 0]], 1, "whole numbers"),
    ],
)
def test_records_that_do_not_fit_are_refused(keys, cells, n_cells, message):
    with pytest.raises(UsageError, match=message):
        alike_clusters(keys=keys, cells=cells, n_cells=n_cells)


# Replicates.


@settings(max_examples=20, deadline=None)
@given(records, st.integers(0, 2**64 - 1), st.integers(1, 9))
def test_hashed_replicates_are_those_of_the_slow_truth(pairs, seed, replicates):
    keys, cells = columns(pairs)
    found = hashed_replicates(keys=keys, cells=cells, n_cells=4, replicates=replicates, seed=seed)
    assert found.tolist() == naive.hashed_replicates(keys.tolist(), cells, 4, replicates, seed)


@pytest.fixture(scope="module")
def many_records():
    rng = np.random.default_rng(3)
    rows = 60 if interpreted() else 3000
    return rng.integers(0, 2**64, rows // 3, dtype=np.uint64)[rng.integers(0, rows // 3, rows)], rng.integers(
        0, 5, rows
    )


def test_parts_in_any_order_add_up_to_the_whole(many_records, monkeypatch):
    keys, cells = many_records
    given = {"n_cells": 5, "replicates": 50, "seed": 11}
    whole = hashed_replicates(keys=keys, cells=cells, **given)
    parts = np.array_split(np.random.default_rng(1).permutation(keys.size), 3)
    assert (sum(hashed_replicates(keys=keys[p], cells=cells[p], **given) for p in parts) == whole).all()


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("columns", [1, 3, 64])
def test_threads_and_tiles_do_not_change_a_bit(many_records, monkeypatch, threads, columns):
    keys, cells = (column[:40] for column in many_records)
    hashed = hashed_replicates(keys=keys, cells=cells, n_cells=5, replicates=30, seed=11)
    drawn = resample_counts([40, 3, 0, 7], replicates=30, seed=11)
    monkeypatch.setattr(resampling, "cores", lambda: threads)
    monkeypatch.setattr(resampling, "COLUMNS", columns)
    assert (hashed_replicates(keys=keys, cells=cells, n_cells=5, replicates=30, seed=11) == hashed).all()
    assert (resample_counts([40, 3, 0, 7], replicates=30, seed=11) == drawn).all()


def test_a_longer_run_begins_with_the_shorter():
    given = {"keys": np.array([3, 3, 2**63], dtype=np.uint64), "cells": [0, 1, 1], "n_cells": 2, "seed": 4}
    assert (hashed_replicates(replicates=9, **given) == hashed_replicates(replicates=30, **given)[:9]).all()
    for method in ("multinomial", "poisson"):
        short, long = (resample_counts([5, 70], replicates=n, seed=4, method=method) for n in (9, 30))
        assert (short == long[:9]).all()


def test_hashed_weights_behave_like_poisson_counts_of_mean_one():
    clusters = 30 if interpreted() else 2000
    found = hashed_replicates(keys=range(clusters), cells=range(clusters), n_cells=clusters, replicates=60, seed=8)
    shares = np.bincount(found.ravel(), minlength=20)[:4] / found.size
    assert shares == pytest.approx(stats.poisson.pmf(range(4), 1), abs=4 / np.sqrt(found.size))
    between = np.corrcoef(found.T[:30])[np.triu_indices(30, 1)]
    assert abs(between.mean()) < 0.02
    assert abs(between).max() < 0.65


def test_both_cluster_bootstraps_agree_on_the_spread(many_records):
    keys, cells = many_records
    exact = alike_clusters(keys=keys, cells=cells, n_cells=5)
    drawn = resample_counts(exact.n_clusters, replicates=FEW, seed=1) @ exact.held
    hashed = hashed_replicates(keys=keys, cells=cells, n_cells=5, replicates=FEW, seed=2)
    spread = [log_ratio(totals).std() for totals in (drawn, hashed)]
    assert spread[0] == pytest.approx(spread[1], rel=0.35 if interpreted() else 0.12)


@pytest.mark.parametrize(
    ("counts", "replicates", "seed", "method", "message"),
    [
        ([1, -1], 5, 1, "multinomial", "counts has -1"),
        ([1.5], 5, 1, "multinomial", "whole numbers"),
        ([1], 0, 1, "multinomial", "replicates is 0"),
        ([1], 5, -1, "multinomial", "seed is -1"),
        ([1], 5, 2**64, "multinomial", "seed is 18446744073709551616"),
        ([1], 5, 1, "poison", "Did you mean 'poisson'"),
    ],
)
def test_draws_that_cannot_be_made_are_refused(counts, replicates, seed, method, message):
    with pytest.raises(UsageError, match=message):
        resample_counts(counts, replicates=replicates, seed=seed, method=method)


# Intervals.


def replicate_totals(clusters, replicates, seed):
    return (resample_counts(clusters.n_clusters, replicates=replicates, seed=seed) @ clusters.held).tolist()


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_percentile_limits_are_those_of_the_slow_truth(confidence):
    figures = [naive_log_ratio(totals) for totals in replicate_totals(PEOPLE, FEW, 6)]
    found = bootstrap_interval(PEOPLE, log_ratio, seed=6, replicates=FEW, confidence=confidence)
    assert found.estimate == pytest.approx(naive_log_ratio(PEOPLE.totals.tolist()))
    assert found[1:] == pytest.approx(naive.percentile_limits(figures, Fraction(str(confidence))))


def test_bca_limits_are_those_of_the_slow_truth():
    figures = [naive_log_ratio(totals) for totals in replicate_totals(PEOPLE, FEW, 6)]
    acceleration = naive.acceleration(one_by_one(PEOPLE), naive_log_ratio)
    wanted = naive.bca_limits(naive_log_ratio(PEOPLE.totals.tolist()), figures, acceleration, 0.9)
    found = bootstrap_interval(PEOPLE, log_ratio, seed=6, replicates=FEW, confidence=0.9, method="bca")
    assert found[1:] == pytest.approx(wanted)
    assert found[1:] != bootstrap_interval(PEOPLE, log_ratio, seed=6, replicates=FEW, confidence=0.9)[1:]


def test_studentised_limits_are_those_of_the_slow_truth():
    drawn = resample_counts(PEOPLE.n_clusters, replicates=79, seed=6)
    figures, errors = [], []
    for numbers in drawn:
        people = one_by_one(Clusters(PEOPLE.held, numbers))
        figures.append(naive_log_ratio([sum(column) for column in zip(*people)]))
        errors.append(naive.jackknife_error(people, naive_log_ratio))
    estimate = naive_log_ratio(PEOPLE.totals.tolist())
    error = naive.jackknife_error(one_by_one(PEOPLE), naive_log_ratio)
    wanted = naive.studentised_limits(estimate, error, figures, errors, Fraction(9, 10))
    found = bootstrap_interval(PEOPLE, log_ratio, seed=6, replicates=79, confidence=0.9, method="studentised")
    assert found[1:] == pytest.approx(wanted)


SCORES = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]


def variance(totals):
    n, total, squares = np.moveaxis(totals, -1, 0)
    return squares / n - (total / n) ** 2


def test_efron_and_tibshirani_spatial_test():
    """An Introduction to the Bootstrap, section 14.3: estimate 171.5, acceleration 0.061."""
    children = Clusters(np.array([[1, x, x * x] for x in SCORES]), np.ones(26, dtype=np.int64))
    assert variance(children.totals) == pytest.approx(171.5, abs=0.05)
    assert resampling._jackknife(variance, *children)[1] == pytest.approx(0.061, abs=0.0005)


@pytest.mark.skipif(interpreted(), reason="too slow as plain Python")
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_scipy_gives_the_same_intervals_up_to_chance(method):
    children = Clusters(np.array([[1, x, x * x] for x in SCORES]), np.ones(26, dtype=np.int64))
    ours = bootstrap_interval(children, variance, seed=1, replicates=39_999, confidence=0.9, method=method)
    theirs = stats.bootstrap(
        (SCORES,), np.var, n_resamples=39_999, confidence_level=0.9, method=method, rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours[1:] == pytest.approx(tuple(theirs), abs=1.5)


def test_records_as_clusters_is_the_binomial_bootstrap():
    """With one record a cluster the share's replicates are Binomial(n, p) / n, so the limits are its quantiles."""
    found = bootstrap_interval(
        records_as_clusters([300, 700]), lambda totals: totals[..., 0] / 1000, seed=3, replicates=FEW, confidence=0.9
    )
    wanted = stats.binom(1000, 0.3).ppf([0.05, 0.95]) / 1000
    assert found[1:] == pytest.approx(tuple(wanted), abs=0.004)


def test_wider_clusters_give_wider_intervals():
    single = bootstrap_interval(records_as_clusters([200, 200]), log_ratio, seed=1, replicates=FEW)
    tens = bootstrap_interval(
        Clusters(np.array([[0, 10], [10, 0]]), np.array([20, 20])), log_ratio, seed=1, replicates=FEW
    )
    assert (tens.high - tens.low) / (single.high - single.low) == pytest.approx(np.sqrt(10), rel=0.3)


@pytest.mark.parametrize("method", ["bca", "studentised"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_figure_that_drawing_again_only_lowers_has_no_corrected_limits(method, sign):
    """How many sorts there are: no replicate has as many, and leaving out any one cluster takes one away."""
    found = bootstrap_interval(
        records_as_clusters([1] * 60),
        lambda totals: sign * (totals > 0).sum(axis=-1),
        seed=1,
        replicates=39,
        method=method,
    )
    assert found.estimate == sign * 60
    assert np.isnan(found[1:]).all()


def test_limits_follow_a_rising_function():
    plain = bootstrap_interval(PEOPLE, log_ratio, seed=2, replicates=FEW)
    ratio = bootstrap_interval(PEOPLE, lambda totals: totals[..., 0] / totals[..., 1], seed=2, replicates=FEW)
    assert np.exp(plain) == pytest.approx(tuple(ratio))


def test_replicates_without_a_value_widen_both_ends():
    rare = Clusters(np.array([[0, 1], [1, 0]]), np.array([1, 1]))
    found = bootstrap_interval(
        rare, lambda totals: np.where(totals[..., 1] == 0, np.nan, totals[..., 0]), seed=1, replicates=FEW
    )
    assert found[1:] == (-np.inf, np.inf)


def test_no_limits_where_a_cluster_cannot_be_left_out():
    people = Clusters(np.array([[0, 1], [1, 0]]), np.array([1, 30]))
    for method in ("bca", "studentised"):
        assert np.isnan(bootstrap_interval(people, log_ratio, seed=1, replicates=FEW, method=method)[1:]).all()


METHODS = ("percentile", "bca", "studentised")


def share(totals):
    return totals[..., 0] / totals.sum(axis=-1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("held", "n_clusters", "statistic", "estimate"),
    [
        ([[2, 1]], [30], log_ratio, np.log(2)),  # clusters all alike
        ([[3, 7]], [1], share, 0.3),  # one cluster
        ([[0, 1], [0, 4]], [60, 20], share, 0.0),  # a group without events
        ([[0, 1], [0, 4]], [60, 20], log_ratio, -np.inf),
        ([[0, 0], [0, 0]], [6, 2], share, np.nan),  # no figure at all
        (np.zeros((0, 2), dtype=np.int64), [], share, np.nan),
        ([[1, 3], [3, 9]], [10, 20], lambda totals: (totals / 3).sum(-1) / totals.sum(-1), 1 / 3),  # but for rounding
    ],
)
def test_no_limits_where_drawing_again_cannot_tell(held, n_clusters, statistic, estimate, method):
    clusters = Clusters(np.array(held), np.array(n_clusters, dtype=np.int64))
    found = bootstrap_interval(clusters, statistic, seed=1, replicates=FEW, method=method)
    assert found == pytest.approx((estimate, np.nan, np.nan), nan_ok=True)


ONE_WITH_HALF = Clusters(np.array([[0, 1], [1, 0], [60, 0]]), np.array([40, 20, 1]))


@pytest.mark.parametrize("method", METHODS)
def test_one_person_with_half_of_the_records(method):
    found = bootstrap_interval(ONE_WITH_HALF, share, seed=1, replicates=FEW, method=method)
    assert found.low < 20 / 60 < 80 / 120 <= found.high


@pytest.mark.parametrize("method", METHODS)
def test_a_statistic_never_sees_counts_below_0(method):
    def careful(totals):
        assert (totals >= 0).all()
        return share(totals)

    assert bootstrap_interval(ONE_WITH_HALF, careful, seed=1, replicates=FEW, method=method).low < 2 / 3


def test_ranks_beyond_the_ends():
    values = np.array([3.0, 1.0, 2.0])
    assert resampling._limits(values, 0.0, 1.0) == (-np.inf, np.inf)
    assert resampling._limits(values, 1.0, 1.0) == (3.0, np.inf)
    assert resampling._limits(values, 0.0, 0.0) == (-np.inf, 1.0)
    assert np.isnan(resampling._limits(values, np.nan, 1.0)).all()


def test_room_does_not_change_the_answer(monkeypatch):
    wanted = [bootstrap_interval(PEOPLE, log_ratio, seed=2, replicates=79, method=m) for m in ("bca", "studentised")]
    monkeypatch.setattr(resampling, "ROOM", 40)
    assert wanted == [
        bootstrap_interval(PEOPLE, log_ratio, seed=2, replicates=79, method=m) for m in ("bca", "studentised")
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"replicates": 38}, "ask for 39 or more"),
        ({"replicates": 198, "confidence": 0.99}, "ask for 199 or more"),
        ({"replicates": 99.5}, "replicates is 99.5: it must be a whole number"),
        ({"seed": 1.5}, "seed is 1.5: it must be a whole number"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"method": "BCA"}, "percentile, bca, studentised"),
        ({"statistic": lambda totals: totals}, "the statistic gave figures of shape"),
    ],
)
def test_intervals_that_cannot_be_made_are_refused(more, message):
    with pytest.raises(UsageError, match=message):
        bootstrap_interval(PEOPLE, **{"statistic": log_ratio, "seed": 1} | more)


@pytest.mark.parametrize(
    ("held", "n_clusters", "message"),
    [
        ([[1, 0]], [1, 2], "of shape \\(1, 2\\) for 2 sorts"),
        ([1, 0], [1, 2], "of shape \\(2,\\) for 2 sorts"),
        ([[1.5, 0]], [3], "clusters.held is float64"),
        ([[1, 0]], [-3], "n_clusters has -3"),
        ([[1, 0]], [0.5], "n_clusters is float64"),
    ],
)
def test_clusters_that_do_not_fit_are_refused(held, n_clusters, message):
    with pytest.raises(UsageError, match=message):
        bootstrap_interval(Clusters(np.array(held), np.array(n_clusters)), log_ratio, seed=1)


def test_enough_replicates_are_enough():
    assert np.isfinite(bootstrap_interval(PEOPLE, log_ratio, seed=1, replicates=39)).all()
