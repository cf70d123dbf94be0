"""Areas and very large tallies from Parquet, counted by number: the counts are those of the rows, on every road."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from naive_parquet import count
from pyarrow import parquet

import disprop as dp
from disprop import cells, partial
from disprop.cells import Keyed
from disprop.io.parquet import read_parquet
from disprop.kernels import blocks
from disprop.partial import merged, unpack
from disprop.plan import explain, scan
from disprop.records import axis_spec
from tests.parquet.test_parquet import only_counts, same_as_table

AREAS = ["E01000001", None, " W01000002", "W01000002", "E01000003", "", "unmapped"]
WANTED = [["area", "gender"], ["gender", "linked"], ["linked", "area", "ethnicity_self_19"], ["hour", "area"], ["hour"]]


@pytest.fixture(scope="module")
def placed(searches):
    """The searches with an area, whose labels come in another order in each row group."""
    areas = [AREAS[(i * i + i // 700) % (3 + i // 700)] for i in range(len(searches))]
    return searches.append_column("area", pa.array(areas))


@pytest.fixture(scope="module")
def path(placed, tmp_path_factory):
    path = tmp_path_factory.mktemp("keyed") / "searches.parquet"
    parquet.write_table(placed, path, row_group_size=700)
    return path


@pytest.fixture(params=["as it is", "everything by number", "everything keyed"])
def way(request, monkeypatch):
    if request.param != "as it is":
        monkeypatch.setattr(partial, "LARGEST_BLOCK", 0)
    if request.param == "everything keyed":
        monkeypatch.setattr(cells, "KEYED_FROM", 1)
        monkeypatch.setattr(cells, "FULL", 0)
    return request.param


ASKED = [{}, {"vehicle_only": True}, {"force": "kent"}, {"period": ("2019-04", "2019-05"), "force": ["kent", "surrey"]}]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_as_if_the_table_had_been_read_from_memory(placed, path, way, asked):
    of_table = scan(parquet.read_table(path), WANTED, **asked)
    for counted, plain in zip(scan(path, WANTED, **asked), of_table, strict=True):
        same_as_table(counted, plain)
    assert isinstance(of_table[0].cells, Keyed) is (way == "everything keyed")


def test_equal_to_the_slow_truth(records, placed, path, way):
    tally = dp.tally(path, by=["area", "gender", "linked"])
    frame = tally.project(["force", "month", "gender", "linked"]).frame()
    found = Counter({(row.force, row.month, row.gender, row.linked): row.n for row in frame.itertuples()})
    assert found == Counter(
        {(k[0].replace("Avon & Somerset", "avon-and-somerset"), *k[1:]): n for k, n in count(records).items()}
    )
    of_area = Counter()
    for row, area in zip(records, placed["area"].to_pylist()):
        if row["search_type"] != "Vehicle search":
            of_area[(area or "").strip() or "blank"] += 1
    assert {code: tally[{"area": code}] for code in tally.axis("area").codes} == of_area


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_no_batch_is_left_and_no_thread_changes_a_count(path, way, threads):
    specs = [axis_spec("area"), axis_spec("gender")]
    assert only_counts(read_parquet(path), specs, threads=threads)
    one, other = read_parquet(path), read_parquet(path)
    other._threads = threads
    assert dp.tally(one, by=["area", "gender"]) == dp.tally(other, by=["area", "gender"])


@pytest.mark.parametrize("small", [{}, {"FEWEST_KEYS": 0, "CHUNK": 90}, {"CHUNK": 90, "LOOSE": 200}], ids=str)
@pytest.mark.parametrize("size", [130, 3000])
def test_no_order_of_rows_files_or_row_groups_changes_a_count(placed, path, tmp_path, monkeypatch, small, size):
    """Also where the kernel sorts them in many small blocks, and where blocks are counted into one on the way."""
    whole = dp.tally(path, by=["area", "gender"])
    for name, value in small.items():
        monkeypatch.setattr(blocks, name, value)
    shuffled = placed.take(np.random.default_rng(size).permutation(len(placed)))
    for i, start in enumerate(range(0, 3000, 1000)):
        parquet.write_table(shuffled.slice(start, 1000), tmp_path / f"{9 - i}.parquet", row_group_size=size)
    counted = dp.tally(tmp_path, by=["area", "gender"])
    assert counted.axes == whole.axes
    assert np.array_equal(counted.counts, whole.counts)


def test_pieces_merged_in_any_order_are_the_whole(path, way):
    from disprop.plan import _count_piece, make_request

    specs = [(axis_spec("area"), axis_spec("gender")), (axis_spec("gender"),)]
    pieces = read_parquet(path).split(4)
    counted = [
        _count_piece(i, piece, specs=specs, request=make_request(None, None, False)) for i, piece in enumerate(pieces)
    ]
    assert len(counted) > 2
    tree = merged([merged(counted[:2]), *counted[2:]]), merged(counted[::-1])
    first, second = (unpack(one).tallies for one in tree)
    places = [dict(cells.number.places) for cells in (first[0], second[0])]
    assert places[0] != places[1], "the order of areas differs, or the test shows nothing"
    found = [_by_code(cells) for cells in (first[0], second[0])]
    assert found[0] == found[1]
    whole = dp.tally(path, by=["area"])
    assert sum(found[0].values()) == whole.total


def _by_code(cells):
    number = cells.number
    (forces, months), codes = number.slices(), sorted(number.codes())
    width = len(codes) * number.size
    at, n = number.cells(np.arange(len(forces)) * width, codes, number.size)
    slices, place, cell = at // width, at % width // number.size, at % number.size
    rows = zip(forces[slices].tolist(), months[slices].tolist(), place.tolist(), cell.tolist(), n.tolist())
    return {(f, m, codes[p], c): count for f, m, p, c, count in rows}


def test_explain_says_what_is_read_and_how(path, monkeypatch):
    said = explain(path, WANTED, period=("2021-06", "2021-07"))
    assert said["source"] == "Parquet, files: 1, of search records"
    assert said["row groups"] == "0 read, 5 skipped by their statistics"
    said = explain(path, WANTED)
    assert (said["row groups"], said["records"]) == (
        "5 read, 0 skipped by their statistics",
        "3,000 in row groups read, 0 in those skipped",
    )
    assert said["kernel"].startswith("dictionary indices and instants straight to cells")
    monkeypatch.setattr("disprop.io.parquet.FEWEST_ROWS", 10_000)
    assert explain(path, WANTED)["kernel"].startswith("one batch at a time")
    assert explain(path, [["hour"]])["kernel"].startswith("one batch at a time")
