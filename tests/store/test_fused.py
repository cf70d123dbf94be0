"""The fused scan equals the plain one, batch by batch, on every input: cells, parts, account and all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import disprop as dp
from disprop.errors import InputRefused
from disprop.fused import arrays, count_fused, plan_fused
from disprop.io.store import add, open_store
from disprop.plan import explain, make_request, scan_batches
from disprop.records import AXES, axis_spec
from tests import invent
from tests.invent import many
from tests.sources import Rows
from tests.store.slots import filed

NAMES = [spec.name for spec in AXES if spec.by_label and spec.name not in ("force", "month")]
WANTED = [["ethnicity_self"], ["ethnicity_self", "outcome", "linked"], [], ["object", "gender", "age_band", "outcome"]]


def both_ways(store, wanted, threads=None, **asked):
    request = make_request(asked.get("force"), asked.get("period"), asked.get("vehicle_only", False))
    specs = [tuple(axis_spec(name) for name in by) for by in wanted]
    plan = plan_fused(store, specs, request.scope, vehicle_only=request.vehicle_only)
    return count_fused(plan, threads=threads), scan_batches(store, specs, request)


def check(store, wanted=WANTED, threads=None, **asked):
    for quick, plain in zip(*both_ways(store, wanted, threads, **asked), strict=True):
        assert quick.difference(plain) is None


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Parts of one month and of several, strange labels, blanks, empty months, two segments a year."""
    folder = tmp_path_factory.mktemp("fused") / "store"
    rows = many(900)
    for i, row in enumerate(rows):
        row["file_month"] = "2019-05" if row["month"] == "2019-06" and i % 3 else row["month"]
    add(folder, filed(rows[:500], empty=[("kent", "2020-02")]))
    later = [row | {"force": "btp", "month": f"2021-0{1 + i % 9}"} for i, row in enumerate(many(300, 3))]
    add(folder, filed(later))
    return open_store(folder)


ASKED = [
    {},
    {"vehicle_only": True},
    {"force": "kent"},
    {"force": ["kent", "west-midlands"], "period": ("2019-05", "2019-05")},
    {"period": ("2019-06", "2020-12")},
    {"period": ("2030-01", "2030-12")},
    {"force": "surrey"},
]


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_equal_to_the_plain_scan(store, asked, threads):
    check(store, threads=threads, **asked)


@pytest.mark.parametrize("name", NAMES)
def test_every_axis(store, name):
    check(store, [[name]])
    check(store, [[name]], threads=2)


def test_two_axes_of_one_column(store):
    check(store, [["ethnicity_self", "ethnicity_self_19"]])
    check(store, [["ethnicity_self", "ethnicity_self_19"]], threads=2)


@pytest.mark.parametrize("largest", [1, 40, 1000])
def test_more_axes_than_one_packed_number_holds(store, largest, monkeypatch):
    monkeypatch.setattr("disprop.fused.plan.LARGEST_GROUP", largest)
    by = ["ethnicity_self", "outcome", "gender", "linked", "video_recorded", "search_type"]
    plan = plan_fused(store, [tuple(map(axis_spec, by))], make_request(None, None, False).scope, vehicle_only=False)
    assert len(plan.groups) >= {1: 6, 40: 3, 1000: 2}[largest]
    check(store, [by[:4], by[2:], by[:1]])
    check(store, [by[:4], by[2:], by[:1]], threads=2)


@given(rows=invent.rows, late=st.integers(1, 5))
@settings(max_examples=40)
def test_any_rows(tmp_path_factory, rows, late):
    rows = [row | {"file_month": row["month"] if i % late else "2019-04"} for i, row in enumerate(rows)]
    folder = tmp_path_factory.mktemp("any") / "store"
    add(
        folder, filed([row for row in rows if row["force"] == "kent"]), filed([r for r in rows if r["force"] != "kent"])
    )
    opened = open_store(folder)
    for threads in (None, 2):
        check(opened, [["ethnicity_self", "linked"], ["video_recorded"]], threads)
        check(opened, [["ethnicity_self"]], threads, period=("2019-05", "2019-07"), force=["kent", "btp"])
    assert dp.tally(opened, by=["gender"]).difference(dp.tally(filed(rows), by=["gender"])) is None


def test_a_month_that_only_left_out_records_are_of_is_no_code(tmp_path):
    rows = many(5, force="kent", month="2019-04", search_type="Person search")
    rows += [row | {"month": "2019-07"} for row in many(2, force="kent", search_type="Vehicle search")]
    add(tmp_path / "s", filed([row | {"file_month": "2019-04"} for row in rows]))
    store = open_store(tmp_path / "s")
    for threads in (None, 1):
        check(store, threads=threads)
    assert dp.tally(store, by=[]).axis("month").codes == ("2019-04",)


def test_a_column_that_no_part_has(tmp_path):
    class NoVideo(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                yield batch.drop_columns(["video_recorded", "search_type"])

    add(tmp_path / "s", NoVideo(many(30)))
    for threads in (None, 1):
        check(open_store(tmp_path / "s"), [["video_recorded", "gender"], ["video_recorded"]], threads)


def test_a_column_that_some_parts_lack(tmp_path):
    class NoVideo(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                yield batch.drop_columns(["video_recorded"])

    add(tmp_path / "s", NoVideo(many(30, force="kent")), Rows(many(30, force="btp")))
    for threads in (None, 1):
        check(open_store(tmp_path / "s"), [["video_recorded", "gender"]], threads)


def test_parts_that_cannot_match_are_not_read(store):
    request = make_request("btp", ("2021-01", "2021-03"), False)
    plan = plan_fused(store, [(axis_spec("gender"),)], request.scope, vehicle_only=False)
    assert {store.manifest.words("force")[0][i] for i in plan.mapped.force[plan.read]} == {"btp"}
    assert len(plan.read) == 3
    read = {int(plan.mapped.segment[i]) for i in plan.read}
    fresh = open_store(store.folder)
    dp.tally(fresh, by=["gender"], force="btp", period=("2021-01", "2021-03"))
    assert set(fresh._opened) == read


def test_explain_tells_columns_parts_and_rules(store):
    said = explain(store, [["gender", "linked"]], force="btp", period=("2021-01", "2021-03"))
    assert said["columns"] == "joint (ethnicity_self search_type linked gender age_band video_recorded)"
    assert said["parts"].startswith("3 read, ")
    assert "force x month x gender x linked" in said["tallies"]
    assert said["threads"] == "1"


@pytest.mark.parametrize(("column", "by"), [("gender", ["gender", "outcome"]), ("joint", ["gender"])])
def test_a_damaged_code_is_refused_not_counted(tmp_path, column, by):
    add(tmp_path / "s", Rows(many(50, force="kent", month="2019-04")))
    store = open_store(tmp_path / "s")
    (row,) = store.rows()
    (segment,) = (tmp_path / "s" / "segments").iterdir()
    raw = bytearray(segment.read_bytes())
    raw[row[f"{column}:offset"] + row[f"{column}:width"] - 1] = 250
    segment.write_bytes(raw)
    for threads in (None, 1):
        with pytest.raises(InputRefused, match="have no label"):
            both_ways(open_store(tmp_path / "s"), [by], threads)


@pytest.mark.parametrize("place", [1 << 40, 1])
def test_a_manifest_that_points_beyond_its_file_or_between_two_codes_is_refused(store, place):
    plan = plan_fused(store, [(axis_spec("gender"),)], make_request(None, None, False).scope, vehicle_only=False)
    columns = arrays._columns(plan)
    columns[0, -1, 0] = place  # months take two bytes
    files = store.mapped().files(np.unique(plan.mapped.segment[plan.read]))
    with pytest.raises(InputRefused, match="where no column can be"):
        arrays._check_inside(files, np.zeros(len(plan.read), int), columns, plan.mapped.records[plan.read])


def test_large_jobs_go_to_the_kernel(store, monkeypatch):
    monkeypatch.setattr("disprop.kernels.scan.ROWS_BEFORE_LOADING", 100)
    said = explain(store, [["gender"]])
    assert said["kernel"] == "compiled, packed columns"
    check(store)
