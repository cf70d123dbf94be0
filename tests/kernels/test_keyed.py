"""Counting keys: the slow truth, numpy and the compiled kernels agree, for any threads, batches and order.

These tests also run with NUMBA_DISABLE_JIT=1 (see test_jit.py), so inputs are small.
"""

import naive_keyed
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop.kernels import keyed
from disprop.kernels.keyed import LEFT_OUT, KeyScan, merge_all, scan_keys


@pytest.fixture
def always_compiled(monkeypatch):
    monkeypatch.setattr(keyed, "FEWEST_KEYS", 0)


def as_list(counted):
    return list(zip(counted[0].tolist(), counted[1].tolist()))


def test_runs_that_follow_each_other_are_put_together(always_compiled):
    one, other = (np.array([1, 5]), np.array([2, 1])), (np.array([9]), np.array([4]))
    assert as_list(merge_all([one, other])) == [(1, 2), (5, 1), (9, 4)]
    assert as_list(merge_all([other, one])) == [(1, 2), (5, 1), (9, 4)]
    assert as_list(merge_all([one, other, one])) == [(1, 4), (5, 2), (9, 4)]
    assert as_list(merge_all([])) == []


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
