"""Cells as an array and cells by their numbers are one thing: every operation, and every tally made of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import disprop as dp
from disprop import cells
from disprop.cells import Keyed
from disprop.errors import DispropError, UsageError
from disprop.provenance import Account
from disprop.tallies import Tally, load
from tests.invent import many
from tests.sources import Rows


@pytest.fixture
def everything_keyed(monkeypatch):
    """Every result of more than one cell is kept keyed, however full."""
    monkeypatch.setattr(cells, "KEYED_FROM", 1)
    monkeypatch.setattr(cells, "FULL", 0)


@st.composite
def arrays(draw, most=4):
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=most))
    size = int(np.prod(shape))
    narrow = draw(st.sampled_from([np.int64, np.int32]))
    return np.array(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), dtype=narrow).reshape(shape)


def naive(counts):
    """Cells that are not 0, as the definition says."""
    return {at: int(counts[at]) for at in product(*map(range, counts.shape)) if counts[at]}


def as_dict(counts):
    where, n = cells.nonzero(counts)
    return {tuple(int(i[k]) for i in where): int(n[k]) for k in range(len(n))}


def test_narrow_counts_become_wide_before_they_can_be_too_large():
    most = np.array([[(1 << 31) - 1, 0], [0, 0]], dtype=np.int32)
    twice = cells.add(most, most)
    assert twice.dtype == np.int64
    assert twice[0, 0] == 2 * int(most[0, 0]) == cells.total(twice)
    assert cells.total(most) == cells.total(most.T) == cells.total(most[:, :1]) == (1 << 31) - 1
    assert cells.total(np.array([1 << 30, (1 << 30) - 1], dtype=np.int32)) == (1 << 31) - 1
    for made in (
        cells.dense(most), cells.nonzero(most)[1], cells.keyed(most).n, cells.project(most, [0]),
        cells.regroup(most, 0, np.array([0, 0]), 1), cells.spread(most, [[0, 1], [0, 1]], (2, 2)), cells.settled(most),
    ):  # fmt: skip
        assert made.dtype == np.int64


def test_the_counts_of_a_narrow_tally_are_wide():
    narrow = Tally((), np.array(7, dtype=np.int32), "searches", account=Account(read=7))
    assert narrow.counts.dtype == np.int64
    assert narrow.difference(Tally((), np.array(7), "searches", account=Account(read=7))) is None
    with pytest.raises(DispropError, match="want int64"):
        Tally((), np.array(7.0), "searches", account=Account(read=7))


@given(arrays(), st.data())
@settings(max_examples=150)
def test_both_shapes_give_the_same(counts, data):
    by_number = cells.keyed(counts)
    assert as_dict(counts) == as_dict(by_number) == naive(counts)
    np.testing.assert_array_equal(cells.dense(by_number), counts)
    assert cells.total(by_number) == cells.total(counts) == counts.sum()
    axis = data.draw(st.integers(0, counts.ndim - 1))
    length = counts.shape[axis]
    order = data.draw(st.permutations(range(counts.ndim)))[: data.draw(st.integers(0, counts.ndim))]
    keep = sorted(data.draw(st.sets(st.integers(0, length - 1))))
    lookup = np.array(data.draw(st.lists(st.integers(0, 2), min_size=length, max_size=length)), dtype=np.int64)
    places = [sorted(data.draw(st.permutations(range(n + 2)))[:n]) for n in counts.shape]
    for work in (
        lambda c: cells.project(c, order),
        lambda c: cells.take(c, keep, axis),
        lambda c: cells.regroup(c, axis, lookup, 3),
        lambda c: cells.spread(c, places, [n + 2 for n in counts.shape]),
        lambda c: cells.add(c, by_number),
        lambda c: cells.placed(counts.shape, *cells.nonzero(c)),
    ):
        with pytest.MonkeyPatch.context() as patch:
            array = work(counts)
            patch.setattr(cells, "KEYED_FROM", 0)
            patch.setattr(cells, "FULL", 0)
            sparse = work(by_number)
        if 0 not in sparse.shape:
            assert isinstance(sparse, Keyed)
        assert as_dict(sparse) == as_dict(array)
        assert tuple(sparse.shape) == tuple(array.shape)
        assert cells.unlike(sparse, array) is None


@given(arrays(most=2), st.data())
@settings(max_examples=60)
def test_the_first_difference_is_the_same(counts, data):
    other = counts.copy()
    for _ in range(data.draw(st.integers(0, 2))):
        other[tuple(data.draw(st.integers(0, n - 1)) for n in counts.shape)] = data.draw(st.integers(0, 3))
    told = cells.unlike(counts, other)
    assert cells.unlike(cells.keyed(counts), other) == told
    assert (told is None) == (naive(counts) == naive(other))
    if told is not None:
        assert told[0] == sum(counts[at] != other[at] for at in np.ndindex(*counts.shape))
        assert (told[2], told[3]) == (counts[told[1]], other[told[1]])


def test_a_cube_too_large_for_memory_is_refused_in_words():
    sparse = Keyed((100_000, 100_000), np.array([7]), np.array([1]))
    with pytest.raises(UsageError, match=r"10,000,000,000 cells.* 75 GiB; project it"):
        cells.dense(sparse)
    assert cells.total(cells.project(sparse, [1])) == 1


def test_keyed_where_many_and_mostly_empty():
    assert not cells.is_keyed(cells.KEYED_FROM, 0)
    assert cells.is_keyed(cells.KEYED_FROM + 1, 10)
    assert not cells.is_keyed(cells.KEYED_FROM + 1, cells.KEYED_FROM)
    assert cells.is_keyed(cells.LARGEST + 1, cells.LARGEST)
    assert isinstance(cells.settled(np.ones((2, 2), dtype=np.int64)), np.ndarray)


# Tallies -------------------------------------------------------------------------------------------------------------


def keyed_twin(tally):
    return Tally(
        **{**{name: getattr(tally, name) for name in tally.__dataclass_fields__}, "cells": cells.keyed(tally.cells)}
    )


@pytest.fixture(scope="module")
def tally():
    return dp.tally(Rows(many(400)), by=["ethnicity_self_19", "outcome"])


def test_a_keyed_tally_does_what_a_tally_does(tally, tmp_path, everything_keyed):
    sparse = keyed_twin(tally)
    assert sparse == tally
    assert tally == sparse
    assert repr(sparse) == repr(tally)
    assert sparse.frame().equals(tally.frame())
    assert sparse.frame(zeros=True).equals(tally.frame(zeros=True))
    key = {"ethnicity_self_19": tally.axis("ethnicity_self_19").codes[0], "force": "kent"}
    assert sparse[key] == tally[key] > 0
    sparse.save(tmp_path / "t.parquet")
    again = load(tmp_path / "t.parquet")
    assert isinstance(again.cells, Keyed)
    assert again == tally


@pytest.mark.parametrize(
    "work",
    [
        lambda t: t.project(["outcome", "month"]),
        lambda t: t.project([]),
        lambda t: t.recode("ethnicity_self_19", "ethnicity_5", rename="ethnicity_self"),
        lambda t: t.select(force="kent"),
        lambda t: t.select(force=("kent", "btp"), outcome=["Arrest"]),
        lambda t: t.between("2019-05", "2019-06"),
        lambda t: t.widen("force", ("surrey",)),
        lambda t: t.select(force="kent") + t.select(force="btp"),
        lambda t: dp.fold([t.select(force="btp"), t.select(force="west-midlands"), t.select(force="kent")]),
    ],
)
def test_every_operation_on_a_keyed_tally(tally, work, everything_keyed):
    ours, plain = work(keyed_twin(tally)), work(tally)
    assert ours.difference(plain) is None
    assert ours.total == plain.total


def test_a_difference_between_keyed_tallies_is_told_as_between_others(tally, everything_keyed):
    changed = tally.cells.copy()
    changed[0, 0, 0, 0] += 1
    changed[0, 0, 0, 1] -= 1
    other = Tally(**{**{n: getattr(tally, n) for n in tally.__dataclass_fields__}, "cells": changed})
    assert keyed_twin(tally).difference(other) == tally.difference(other)
    assert tally.difference(other).startswith("2 cells differ")
