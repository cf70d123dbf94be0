"""Scanning parts: the slow truth, numpy and the compiled kernel agree, for any number of threads.

These tests also run with NUMBA_DISABLE_JIT=1 (see test_jit.py), so inputs are small.
"""

from dataclasses import replace
from itertools import product

import naive_scan
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop.kernels import scan as kernels
from disprop.kernels.scan import LEFT_OUT, Scan, cut, scan_numpy, scan_parts

FIRST = 500


@st.composite
def problems(draw):
    """A scan of a few parts, and the same as lists for the slow truth."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=0, max_size=4))
    widths = [draw(st.sampled_from([1, 2])) for _ in sizes]
    n_slices = draw(st.integers(1, 5))
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        rows = [[draw(st.integers(0, size - 1)) for size in sizes] for _ in range(draw(st.integers(0, 12)))]
        mixed = draw(st.booleans())
        months = [draw(st.integers(0, 3)) for _ in rows] if mixed else [0] * len(rows)
        parts.append((rows, months, draw(st.integers(0, n_slices - 1)), mixed))
    table = [draw(st.one_of(st.none(), st.integers(0, n_slices - 1))) for _ in range(4)]
    cells = draw(st.sampled_from([7, 600, 20_000]))  # counted near in four copies, near in one, far
    entries = [[draw(st.one_of(st.none(), st.integers(0, 1))) for _ in range(size)] for size in sizes]
    split = sorted(draw(st.lists(st.integers(0, len(sizes)), max_size=2)))
    return sizes, widths, parts, table, cells, entries, [0, *split, len(sizes)], n_slices


def as_scan(problem):
    sizes, widths, parts, table, cells, entries, groups, n_slices = problem
    pieces, columns, at = [], [], 0
    for rows, months, _, _ in parts:
        own = []
        by_column = list(zip(*rows)) if rows else [()] * len(sizes)
        for values, width in [*zip(by_column, widths), ([m + FIRST for m in months], 2)]:
            codes = np.array(values, dtype=f"<u{width}").view(np.uint8)
            pieces.append(np.pad(codes, (0, codes.size % 2)))  # codes of two bytes begin at even places
            own.append((at, width))
            at += pieces[-1].size
        columns.append(own)
    tables = []
    for first, last in zip(groups, groups[1:]):
        sums = [[LEFT_OUT if e is None else e for e in column] for column in entries[first:last]]
        table_of_group = [max(sum(one), LEFT_OUT) for one in product(*sums)]
        tables.append(np.array(table_of_group, dtype=np.int32) if last > first else None)
    return Scan(
        files=[np.concatenate([*pieces, np.zeros(1, np.uint8)])],
        parts=np.array(
            [(0, len(rows), -1 if mixed else which) for rows, _, which, mixed in parts], dtype=np.int64
        ).reshape(-1, 3),
        columns=np.array(columns, dtype=np.int64).reshape(len(parts), len(sizes) + 1, 2),
        slices=np.array([[-1 if which is None else which for which in table]], dtype=np.int64),
        slice_row=np.zeros(len(parts), dtype=np.int64),
        first_month=FIRST,
        group_start=np.array([*groups, len(sizes) + 1], dtype=np.int64),
        sizes=np.array([*sizes, FIRST + 4], dtype=np.int64),
        tables=[tables],
        cells=np.array([cells], dtype=np.int64),
        n_slices=n_slices,
    )


def truth(problem):
    _, _, parts, table, cells, entries, _, n_slices = problem
    listed = [
        (rows, [table[m] for m in months] if mixed else [which] * len(rows)) for rows, months, which, mixed in parts
    ]
    counts, outside, left_out = naive_scan.scan(listed, entries, cells)
    dense = np.zeros((n_slices, cells), dtype=np.int64)
    for (which, cell), n in counts.items():
        dense[which, cell] = n
    return dense, outside, left_out


@given(problems())
@settings(max_examples=60)
def test_every_way_counts_as_the_definition_says(problem):
    dense, outside, left_out = truth(problem)
    scan = as_scan(problem)
    for counted in (scan_numpy(scan), scan_parts(scan, np.array([0, len(scan.parts)]))):
        np.testing.assert_array_equal(counted.counts[0], dense)
        assert (counted.outside, counted.left_out, counted.damaged) == (outside, left_out, 0)


@given(problems(), problems())
@settings(max_examples=20)
def test_two_tallies_in_one_pass_are_those_of_two_passes(problem, other):
    scan = as_scan(problem)
    none = [None] * len(scan.tables[0])
    both = replace(scan, tables=[*scan.tables, none], cells=np.array([scan.cells[0], 3]))
    together = scan_parts(both, np.array([0, len(scan.parts)]))
    alone = scan_numpy(replace(scan, tables=[none], cells=np.array([3])))
    np.testing.assert_array_equal(together.counts[0], truth(problem)[0])
    np.testing.assert_array_equal(together.counts[1], alone.counts[0])


@given(problems())
@settings(max_examples=40)
def test_neighbours_of_one_number_are_counted_by_one_look_up(problem):
    scan = as_scan(problem)
    twice = replace(scan, tables=[*scan.tables, *scan.tables], cells=np.repeat(scan.cells, 2))
    counted = scan_parts(twice, np.array([0, len(scan.parts)]))
    dense, outside, left_out = truth(problem)
    for counts in counted.counts:
        np.testing.assert_array_equal(counts, dense)
    assert (counted.outside, counted.left_out) == (outside, left_out)


@pytest.mark.parametrize("cells", [3, 600])
@pytest.mark.parametrize("tallies", [1, 2, 3])
def test_codes_of_two_bytes_are_counted_where_they_stand(cells, tallies):
    rows = kernels.CARRY * kernels.BLOCK + 3
    scan = uniform(rows, parts=2)
    wide = np.concatenate([np.zeros(6, np.uint8), scan.files[0].astype("<u2").view(np.uint8)])
    columns = np.array([[(6 + 2 * p * rows, 2), (0, 0)] for p in range(2)], dtype=np.int64)
    scan = replace(scan, files=[wide], columns=columns, tables=scan.tables * tallies, cells=np.array([cells] * tallies))
    ways = kernels._ways(scan, np.arange(tallies + 1), np.zeros(tallies, np.int64))
    assert kernels._stand_as_one(scan, ways)
    assert (kernels.WITH_NEXT in ways) == (cells == 600 and tallies > 1)
    expected = [np.bincount(scan.files[0][6:].view("<u2")[p * rows : (p + 1) * rows], minlength=cells) for p in (0, 1)]
    for threads in (1, 2):
        counted = scan_parts(scan, np.linspace(0, 2, threads + 1).astype(np.int64))
        for counts in counted.counts:
            np.testing.assert_array_equal(counts, expected)
    wide[6 + 2 * rows] = 200
    assert scan_parts(scan, np.array([0, 2])).damaged == scan_numpy(scan).damaged == 1


def uniform(rows, parts=6):
    """Parts of equal length in slices of their own, one column of 3 codes."""
    codes = (np.arange(rows * parts) % 3).astype(np.uint8)
    return Scan(
        files=[codes],
        parts=np.array([(0, rows, p) for p in range(parts)], dtype=np.int64),
        columns=np.array([[(p * rows, 1), (0, 0)] for p in range(parts)], dtype=np.int64),
        slices=np.zeros((1, 1), dtype=np.int64),
        slice_row=np.zeros(parts, dtype=np.int64),
        first_month=0,
        group_start=np.array([0, 1, 2]),
        sizes=np.array([3, 1]),
        tables=[[np.array([0, 1, 2], dtype=np.int32)]],
        cells=np.array([3]),
        n_slices=parts,
    )


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_threads_change_nothing(threads):
    scan = uniform(50)
    cuts = cut(scan.parts[:, 1], np.ones(6, dtype=bool), threads)
    assert len(cuts) == threads + 1
    np.testing.assert_array_equal(scan_parts(scan, cuts).counts[0], scan_numpy(scan).counts[0])


def test_more_rows_than_a_block():
    scan = uniform(kernels.BLOCK + 904, parts=1)
    np.testing.assert_array_equal(scan_parts(scan, np.array([0, 1])).counts[0], [[1667, 1667, 1666]])


def test_parts_are_divided_only_at_breaks():
    rows = np.array([10, 10, 10, 70])
    assert cut(rows, np.array([True, False, False, True]), 2).tolist() == [0, 3, 4]
    assert cut(rows, np.array([True, False, False, False]), 2).tolist() in ([0, 0, 4], [0, 4, 4])
    assert cut(np.array([], dtype=int), np.array([], dtype=bool), 2).tolist() == [0, 0, 0]


@pytest.mark.parametrize("way", [scan_numpy, lambda scan: scan_parts(scan, np.array([0, 6]))])
def test_a_code_without_a_label_is_reported_and_its_rows_are_not_counted(way):
    scan = uniform(50)
    scan.files[0][60] = 200
    counted = way(scan)
    assert counted.damaged == 1
    assert counted.counts[0].sum() in (250, 299), "its block, or it alone"


def test_a_cell_beyond_two_to_the_31(monkeypatch):
    """Rows beyond what 32 bits hold are counted in pieces, and the pieces added in 64."""
    scan = uniform(50)
    whole = scan_parts(scan, np.array([0, 6]))
    assert whole.counts[0].dtype == np.int32
    monkeypatch.setattr(kernels, "MOST_ROWS", 100)
    pieces = scan_parts(scan, np.array([0, 6]))
    assert pieces.counts[0].dtype == np.int64
    np.testing.assert_array_equal(pieces.counts[0], whole.counts[0])
    monkeypatch.setattr(kernels, "MOST_ROWS", 49)
    with pytest.raises(ValueError, match="a part has 50 rows; 49 are the most"):
        scan_parts(scan, np.array([0, 6]))


def test_a_part_of_more_rows_than_a_near_counter_holds():
    """The counters near are of 16 bits: they are carried before any of them can pass its end."""
    assert kernels.CARRY * kernels.BLOCK < 1 << 16
    scan = replace(uniform(70_000, parts=1), tables=[[np.zeros(3, dtype=np.int32)]])
    assert scan_parts(scan, np.array([0, 1])).counts[0].tolist() == [[70_000, 0, 0]]
