"""Counting into cells: the slow truth, numpy and the compiled kernel agree on every input.

These tests also run with NUMBA_DISABLE_JIT=1 (see test_jit.py), so inputs are small.
"""

import naive_counts
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop.kernels import counts
from disprop.kernels.counts import count_cells


def numpy_way(columns, tables, out):
    counts._count_numpy(columns, tables, out)


def kernel_way(workers):
    return lambda columns, tables, out: counts._count_compiled(columns, tables, out, workers=workers)


WAYS = {
    "public": count_cells,
    "numpy": numpy_way,
    "kernel, 1 thread": kernel_way(1),
    "kernel, 2 threads": kernel_way(2),
    "kernel, 8 threads": kernel_way(8),
}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@st.composite
def problems(draw):
    """Columns with nulls, and tables with the strides of their axes folded in."""
    sizes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=8))
    rows = draw(st.integers(0, 40))
    columns = [
        np.array(draw(st.lists(st.integers(-1, size - 1), min_size=rows, max_size=rows)), dtype=np.int32)
        for size in sizes
    ]
    widths = [draw(st.integers(1, 3)) for _ in sizes]
    tables, stride = [], 1
    for size, width in zip(sizes, widths):
        codes = draw(st.lists(st.integers(0, width - 1), min_size=size + 1, max_size=size + 1))
        tables.append(np.array(codes, dtype=np.int64) * stride)
        stride *= width
    return columns, tables, np.arange(stride, dtype=np.int64)


def random_problem(rows, columns=3, labels=5):
    rng = np.random.default_rng(20240229)
    found = [rng.integers(-1, labels, rows).astype(np.int32) for _ in range(columns)]
    return found, [np.arange(labels + 1) * (labels + 1) ** j for j in range(columns)], (labels + 1) ** columns


@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_way_agrees_with_the_slow_truth(problem):
    columns, tables, held = problem
    wanted = naive_counts.count_cells(columns, tables, held)
    for name, way in WAYS.items():
        out = held.copy()
        way(columns, tables, out)
        assert out.tolist() == wanted, name


@pytest.mark.parametrize("k", range(1, 9))
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_one_to_eight_columns_with_and_without_rows(way, k, rows):
    columns, tables, cells = random_problem(rows, columns=k, labels=2)
    out = np.zeros(cells, dtype=np.int64)
    way(columns, tables, out)
    assert out.tolist() == naive_counts.count_cells(columns, tables, [0] * cells)
    assert out.sum() == rows


@pytest.mark.parametrize("start", [2**31 - 2, 2**32 - 2, 2**40])
def test_cells_count_beyond_32_bits(way, start):
    out = np.array([start, 5], dtype=np.int64)
    way([np.array([0, 0, 0, 0, 1], dtype=np.int32)], [np.array([0, 0, 1])], out)
    assert out.tolist() == [start + 4, 6]


def test_offsets_beyond_32_bits_are_added_in_64(way):
    """Two entries whose sum needs 33 bits, brought back to a small cell by a third."""
    column = np.array([0, 0], dtype=np.int32)
    tables = [np.array([0, 2**31 - 1]), np.array([0, 2**31 - 1]), np.array([0, 3 - 2**32])]
    out = np.zeros(2, dtype=np.int64)
    way([column] * 3, tables, out)
    assert out.tolist() == [0, 2]


def test_chunks_in_any_order_add_up_to_the_whole(way):
    columns, tables, cells = random_problem(rows=501)
    whole, pieces = np.zeros((2, cells), dtype=np.int64)
    way(columns, tables, whole)
    for first in (420, 0, 60):
        last = {0: 60, 60: 420, 420: 501}[first]
        way([column[first:last] for column in columns], tables, pieces)
    assert whole.tolist() == pieces.tolist()
    assert whole.sum() == 501


@pytest.mark.parametrize(
    ("index", "table", "message"),
    [
        (2, [0, 1, 1], "for a table of 3 entries"),
        (-2, [0, 1, 1], "for a table of 3 entries"),
        (2**31 - 1, [0, 1, 1], "for a table of 3 entries"),
        (1, [0, 1, 2], "there are 2 cells"),
        (1, [0, 1, -1], "there are 2 cells"),
    ],
)
def test_a_row_without_a_cell_is_refused(way, index, table, message):
    out = np.zeros(2, dtype=np.int64)
    with pytest.raises(ValueError, match=message):
        way([np.array([0, index], dtype=np.int32)], [np.array(table)], out)


@pytest.mark.parametrize(
    ("columns", "tables", "out", "error"),
    [
        ([], [], np.zeros(1, np.int64), ValueError),
        ([np.zeros(2, np.int32)], [], np.zeros(1, np.int64), ValueError),
        ([np.zeros(2, np.int32), np.zeros(3, np.int32)], [np.zeros(2, int)] * 2, np.zeros(1, np.int64), ValueError),
        ([np.zeros(2, np.int64)], [np.zeros(2, int)], np.zeros(1, np.int64), TypeError),
        ([np.zeros((2, 2), np.int32)], [np.zeros(2, int)], np.zeros(1, np.int64), TypeError),
        ([np.zeros(2, np.int32)], [np.zeros(2, int)], np.zeros(1, np.int32), TypeError),
        ([np.zeros(2, np.int32)], [np.zeros(2, int)], np.zeros(4, np.int64)[::2], TypeError),
    ],
)
def test_arrays_that_do_not_fit_are_refused(columns, tables, out, error):
    with pytest.raises(error, match="want"):
        count_cells(columns, tables, out)


def test_columns_may_be_read_only_and_strided(way):
    column = np.array([0, 1, 1, 0, 0, 1], dtype=np.int32)
    column.flags.writeable = False
    out = np.zeros(3, dtype=np.int64)
    count_cells([column[::2]], [np.arange(3)], out)
    assert out.tolist() == [0, 2, 1]
    way([column], [np.arange(3)], out)
    assert out.tolist() == [0, 5, 4]


def test_the_kernel_takes_over_when_numpy_has_cost_as_much(monkeypatch):
    chosen = []
    monkeypatch.setattr(counts, "_count_numpy", lambda *_: chosen.append("numpy"))
    monkeypatch.setattr(counts, "_count_compiled", lambda *_, workers: chosen.append(f"kernel {workers}"))
    monkeypatch.setattr(counts, "_workers", lambda rows, cells: 2)
    monkeypatch.setattr(counts, "_counted_by_numpy", 0)
    monkeypatch.setattr(counts, "FEWEST_ROWS", 3)
    monkeypatch.setattr(counts, "ROWS_BEFORE_LOADING", 10)
    for rows in (4, 4, 4, 2, 4):
        count_cells([np.zeros(rows, np.int32)], [np.zeros(2, int)], np.zeros(1, np.int64))
    assert chosen == ["numpy", "numpy", "kernel 2", "numpy", "kernel 2"]


def test_threads_are_used_only_where_they_pay(monkeypatch):
    monkeypatch.setattr(counts, "ROWS_A_THREAD", 100)
    monkeypatch.setattr(counts, "cores", lambda: 4)
    assert [counts._workers(rows, 10) for rows in (0, 199, 200, 399, 10_000)] == [1, 1, 2, 3, 4]
    assert counts._workers(10_000, 5_000) == 2
