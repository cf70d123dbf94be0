"""Counting keys: the slow truth, numpy and the compiled kernels agree, for any threads, batches and order.

These tests also run with NUMBA_DISABLE_JIT=1 (see test_jit.py), so inputs are small.
"""

import naive_keyed
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop.kernels import keyed
from disprop.kernels.keyed import LEFT_OUT, KeyCounts, KeyScan, count_keys, make_keys, merge_all, scan_keys

keys_of = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 5000), st.integers(0, 2**62)), max_size=40)


@pytest.fixture
def always_compiled(monkeypatch):
    monkeypatch.setattr(keyed, "FEWEST_KEYS", 0)


def as_list(counted):
    return list(zip(counted[0].tolist(), counted[1].tolist()))


@pytest.mark.parametrize("fewest", [0, 1000])
@given(keys=keys_of)
@settings(max_examples=60)
def test_every_key_once_and_in_order(fewest, keys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyed, "FEWEST_KEYS", fewest)
        assert as_list(count_keys(np.array(keys, dtype=np.int64))) == naive_keyed.count(keys)


@pytest.mark.parametrize("fewest", [0, 1000])
@given(batches=st.lists(keys_of, max_size=6), chunk=st.integers(1, 30))
@settings(max_examples=40)
def test_batches_in_any_order(fewest, batches, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyed, "FEWEST_KEYS", fewest)
        patch.setattr(keyed, "CHUNK", chunk)
        for several in (batches, batches[::-1]):
            counts = KeyCounts()
            for keys in several:
                counts.add(np.array(keys, dtype=np.int64))
            assert as_list(counts.result()) == naive_keyed.count([key for keys in batches for key in keys])


def test_many_keys_whose_bits_differ_far_apart(always_compiled):
    keys = [(1 << 61) * (i % 3) + (1 << 30) * (i % 5) + i % 7 for i in range(300)]
    assert as_list(count_keys(np.array(keys, dtype=np.int64))) == naive_keyed.count(keys)


def test_runs_that_follow_each_other_are_put_together(always_compiled):
    one, other = (np.array([1, 5]), np.array([2, 1])), (np.array([9]), np.array([4]))
    assert as_list(merge_all([one, other])) == [(1, 2), (5, 1), (9, 4)]
    assert as_list(merge_all([other, one])) == [(1, 2), (5, 1), (9, 4)]
    assert as_list(merge_all([one, other, one])) == [(1, 4), (5, 2), (9, 4)]
    assert as_list(merge_all([])) == []


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=20))
@settings(max_examples=30)
def test_keys_of_rows(rows):
    tables = [[5, 1 << 40, None], [0, 3]]
    columns = [np.array([row[c] for row in rows], dtype=np.int32) for c in range(2)]
    arrays = [np.array([LEFT_OUT if e is None else e for e in table], dtype=np.int64) for table in tables]
    expected, _, _ = naive_keyed.scan([(rows, [0] * len(rows))], tables)
    assert naive_keyed.count(make_keys(columns, arrays).tolist()) == expected


def test_an_index_without_an_entry_is_refused():
    for bad in (-1, 2):
        with pytest.raises(ValueError, match="for a table of 2 entries"):
            make_keys([np.array([0, bad], dtype=np.int32)], [np.array([0, 1])])


FIRST = 500


@st.composite
def problems(draw):
    """Parts as lists for the slow truth, and the same as a scan."""
    sizes = draw(st.lists(st.integers(1, 4), max_size=3))
    widths = [draw(st.sampled_from([1, 2])) for _ in sizes]
    tables = [[draw(st.one_of(st.none(), st.integers(0, 1 << 40))) for _ in range(size)] for size in sizes]
    months = [draw(st.one_of(st.none(), st.integers(0, 5))) for _ in range(3)]
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        rows = [[draw(st.integers(0, size - 1)) for size in sizes] for _ in range(draw(st.integers(0, 9)))]
        of = [draw(st.integers(0, 2)) for _ in rows] if draw(st.booleans()) else None
        parts.append((rows, of, draw(st.integers(0, 5))))
    truth = [
        (rows, [None if months[m] is None else months[m] << 42 for m in of] if of else [first << 42] * len(rows))
        for rows, of, first in parts
    ]
    return (truth, tables), as_scan(parts, widths, tables, months)


def as_scan(parts, widths, tables, months):
    pieces, columns, at = [], [], 0
    for rows, of, _ in parts:
        own = []
        by_column = list(zip(*rows)) if rows else [()] * len(widths)
        for values, width in [*zip(by_column, widths), ([m + FIRST for m in of or [0] * len(rows)], 2)]:
            pieces.append(np.array(values, dtype=f"<u{width}").view(np.uint8))
            own.append((at, width))
            at += pieces[-1].size
        columns.append(own)
    return KeyScan(
        files=[np.concatenate([*pieces, np.zeros(1, np.uint8)])],
        parts=np.array([(0, len(rows), -1 if of else first << 42) for rows, of, first in parts], dtype=np.int64),
        columns=np.array(columns, dtype=np.int64),
        slices=np.array([[LEFT_OUT if which is None else which << 42 for which in months]], dtype=np.int64),
        slice_row=np.zeros(len(parts), dtype=np.int64),
        first_month=FIRST,
        tables=[np.array([LEFT_OUT if e is None else e for e in table], dtype=np.int64) for table in tables],
    )


@given(problems(), st.integers(1, 20))
@settings(max_examples=80)
def test_parts_as_the_definition_says_for_any_threads(problem, room):
    (parts, tables), scan = problem
    counts, left_out, outside = naive_keyed.scan(parts, tables)
    ways = [np.array([0, len(parts)]), np.array([0, 0, len(parts) // 2, len(parts)])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyed, "FEWEST_KEYS", 0)
        patch.setattr(keyed, "CHUNK", room)
        found = [keyed.scan_keys_numpy(scan), *(scan_keys(scan, cuts) for cuts in ways)]
    for counted, left, out, damaged in found:
        assert as_list(counted) == counts
        assert (left, out, damaged) == (left_out, outside, 0)
