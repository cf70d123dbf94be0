"""Keys that come in no order: the slow truth, numpy and the compiled kernels agree, for any batches, order and threads.

These tests also run with NUMBA_DISABLE_JIT=1 (see test_jit.py), so inputs are small.
"""

import naive_keyed
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop.kernels import blocks
from disprop.kernels.blocks import ROOM, Cells, KeyCounts, block_of, make_keys
from disprop.kernels.keyed import LEFT_OUT

keys_of = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 5000), st.integers(0, 2**62)), max_size=40)
WAYS = {
    "numpy": {},
    "compiled": {"FEWEST_KEYS": 0},
    "in small blocks": {"FEWEST_KEYS": 0, "CHUNK": 7, "STEPS": 3},
    "made one again and again": {"CHUNK": 3, "LOOSE": 5},
    "on three threads": {"FEWEST_KEYS": 0, "CHUNK": 2, "STEPS": 2, "cores": lambda: 3},
}


@pytest.fixture(params=WAYS, scope="module")
def way(request):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WAYS[request.param].items():
            patch.setattr(blocks, name, value)
        yield request.param


def as_list(counted):
    return list(zip(counted[0].tolist(), counted[1].tolist()))


def counts_of(batches):
    counts = KeyCounts()
    for keys in batches:
        counts.add(np.array(keys, dtype=np.int64))
    return counts


@given(batches=st.lists(keys_of, max_size=6))
@settings(max_examples=25)
def test_batches_in_any_order(way, batches):
    expected = naive_keyed.count([key for keys in batches for key in keys])
    for several in (batches, batches[::-1]):
        assert as_list(counts_of(several).result()) == expected
        halves = counts_of(several[:2]), counts_of(several[2:])
        halves[0].compact()
        halves[0].slices(), halves[1].slices()
        halves[1].take(halves[0].blocks)
        assert as_list(halves[1].result()) == expected


def test_a_key_that_occurs_more_often_than_a_byte_holds(way):
    keys = [1 << 40] * 254 + [5] * 255 + [6] * 256 + [7] * 800 + [1]
    counts = counts_of([keys[:700], keys[700:]])
    one = counts.compact()
    assert sorted(one.times[one.low == 7].tolist()) == [800 - 3 * 255, 255, 255, 255]
    counts.add(np.array([7, 5], dtype=np.int64))
    assert as_list(counts.result()) == naive_keyed.count([*keys, 7, 5])


def test_many_keys_whose_bits_differ_far_apart(way):
    keys = [(1 << 61) * (i % 3) + (1 << 30) * (i % 5) + i % 7 for i in range(300)]
    assert as_list(counts_of([keys]).result()) == naive_keyed.count(keys)


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 5)), max_size=60),
    order=st.permutations(range(4)),
    inside=st.sampled_from([1, 2, 3, 6]),
    wide=st.booleans(),
)
@settings(max_examples=40)
def test_cells_on_axes_in_another_order(way, rows, order, inside, wide):
    """Slice, place and rest of each key; places go where `order` says, rest is cut in two by the axis of places."""
    size = (1 << 33) + 6 if wide else 6
    inside = size if wide and inside == 6 else inside
    counts = counts_of(
        [[(s * 7 << ROOM) + place * size + rest for s, place, rest in part] for part in (rows[::2], rows[1::2])]
    )
    slices = counts.slices()
    assert slices.tolist() == sorted({7 * s for s, _, _ in rows})
    first = np.arange(len(slices)) * 4 * size
    found = counts.cells(Cells(slices, first, np.array(order), length=4, size=size, inside=inside))
    expected = [
        slices.tolist().index(7 * s) * 4 * size + (rest // inside * 4 + order[place]) * inside + rest % inside
        for s, place, rest in rows
    ]
    assert as_list(found) == naive_keyed.count(expected)
    assert counts.blocks == []


def test_places_of_keys():
    for size in (3, (1 << 32) + 5):
        keys = [place * size + 2 for place in (0, 9, 1)]
        assert sorted(block_of(np.array(keys)).places(size).tolist()) == [0, 1, 9]


def test_no_key_at_all(way):
    assert as_list(KeyCounts().result()) == []
    assert as_list(counts_of([[]]).result()) == []
    assert KeyCounts().compact().low.size == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=20))
@settings(max_examples=30)
def test_keys_of_rows(way, rows):
    tables = [[5, 1 << 40, None], [0, 3]]
    columns = [np.array([row[c] for row in rows], dtype=np.int32) for c in range(2)]
    arrays = [np.array([LEFT_OUT if e is None else e for e in table], dtype=np.int64) for table in tables]
    expected, _, _ = naive_keyed.scan([(rows, [0] * len(rows))], tables)
    assert naive_keyed.count(make_keys(columns, arrays).tolist()) == expected


def test_an_index_without_an_entry_is_refused(way):
    for bad in (-1, 2):
        with pytest.raises(ValueError, match="for a table of 2 entries"):
            make_keys([np.array([0, bad], dtype=np.int32)], [np.array([0, 1])])
