"""Rows about one officer or person: shown from ten records on, otherwise emptied of every figure and of who it is."""

import io

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import disprop as dp
from disprop.cli import cli
from disprop.disclosure import CONFIDENTIAL, suppressed
from disprop.errors import UsageError
from disprop.records import PERSONAL
from disprop.results import COLUMNS, result_frame
from tests.invent import many, with_video
from tests.sources import Rows

WHY = "[c] fewer than 10 records"


def result(**more):
    """Rows of a share by officer, with every figure filled in."""
    n = len(more["denominator"])
    filled = {column.name: 0.5 for column in COLUMNS if column.dtype == "number"}
    filled |= {column.name: 7 for column in COLUMNS if column.dtype == "count"}
    filled |= {column.name: "text" for column in COLUMNS if column.dtype == "text"}
    groups = {"officer": more.pop("officer", [f"{i:016x}" for i in range(n)]), "gender": ["Male"] * n}
    return result_frame(groups, {**filled, "unit": "share of searches", "measure": "a share", **more})


def hidden(frame):
    return (frame["officer"] == CONFIDENTIAL).tolist()


@pytest.mark.parametrize(("records", "shown"), [(0, False), (1, False), (9, False), (10, True), (11, True)])
def test_ten_records_are_needed_and_a_zero_is_too_few(records, shown):
    assert hidden(suppressed(result(denominator=[records, 50]))) == [not shown, False]


def test_an_emptied_row_keeps_no_figure_and_nobody():
    before = result(denominator=[9.0, 50.0], numerator=[9.0, 20.0])
    after = suppressed(before)
    one = after.iloc[0]
    for column in COLUMNS:
        if column.dtype != "text" and column.name != "confidence":
            assert pd.isna(one[column.name]), column.name
    for name in ("verdict", "verdict_holds", "point_against_band"):
        assert pd.isna(one[name])
    assert (one.officer, one.gender, one.flag, one.confidence, one.unit) == (
        CONFIDENTIAL, "Male", WHY, 0.5, "share of searches",
    )  # fmt: skip
    assert f"{0:016x}" not in after.to_csv()
    pd.testing.assert_series_equal(after.iloc[1], before.iloc[1], check_dtype=False)


def test_a_flag_that_tells_the_count_goes_too():
    frame = result(denominator=[8], flag="refused: 3 of 8 records that should say carry no answer")
    assert suppressed(frame)["flag"].tolist() == [WHY]


def test_what_counts_as_records():
    share = result(denominator=[9], numerator=[9])
    rate = result(denominator=[2e6], numerator=[9], unit="searches per 1,000 residents a year")
    busy = result(denominator=[0.5], numerator=[40], unit="searches per 1,000 residents a year")
    unsaid = result(denominator=[np.nan], numerator=[40])
    tally = pd.DataFrame({"officer": ["a", "b"], "n": [9, 10]})
    assert [hidden(suppressed(one)) for one in (share, rate, busy, unsaid, tally)] == [
        [True], [True], [False], [True], [True, False],
    ]  # fmt: skip


def test_a_row_that_says_no_count_is_emptied():
    assert suppressed(pd.DataFrame({"person": ["a"], "share": [0.5]}))["person"].tolist() == [CONFIDENTIAL]


@pytest.mark.parametrize("axis", PERSONAL)
def test_every_axis_of_people_is_one(axis):
    frame = pd.DataFrame({axis: ["a"], "n": [3]})
    assert suppressed(frame)[axis].tolist() == [CONFIDENTIAL]


def test_what_is_about_nobody_or_public_comes_back_as_it_is():
    groups = pd.DataFrame({"gender": ["Male"], "n": [3]})
    nobody = pd.DataFrame({"officer": ["blank", "unmapped"], "n": [3, 2]})
    few = pd.DataFrame({"officer": ["a"], "n": [3]})
    empty = few.iloc[:0]
    assert suppressed(groups) is groups
    assert suppressed(nobody) is nobody
    assert suppressed(few, source_public=True) is few
    assert suppressed(empty) is empty


@pytest.mark.parametrize("axis", PERSONAL)
def test_people_named_in_a_column_of_axes_are_people(axis):
    """A table of many looks has the axis and its code in two columns."""
    rows = pd.DataFrame({
        "axis": [axis, axis, axis, "gender"], "category": ["07f3aa", "00c2e1", "blank", "Male"],
        "numerator": [1.0, 12.0, 2.0, 3.0], "denominator": 100.0, "estimate": 0.1, "unit": "difference of shares",
    })  # fmt: skip
    shown = suppressed(rows)
    assert shown["category"].tolist() == [CONFIDENTIAL, "00c2e1", "blank", "Male"]
    assert shown["axis"].tolist() == rows["axis"].tolist()
    assert shown[["numerator", "denominator", "estimate"]].isna().to_numpy().tolist() == [
        [True] * 3,
        *[[False] * 3] * 3,
    ]
    assert shown["flag"].tolist() == [WHY, "", "", ""]
    groups = rows[rows["axis"] == "gender"]
    assert suppressed(groups) is groups


def test_a_row_of_two_officers_hides_both():
    frame = pd.DataFrame({"officer": ["a", "blank"], "other_officer": ["b", "c"], "n": [3, 4]})
    assert suppressed(frame)[["officer", "other_officer"]].to_numpy().tolist() == [["[c]", "[c]"], ["blank", "[c]"]]


def test_the_threshold_is_an_argument_and_suppressing_twice_is_suppressing_once():
    frame = pd.DataFrame({"officer": ["a", "b"], "n": [3, 30]})
    assert hidden(suppressed(frame, fewest=3)) == [False, False]
    once = suppressed(frame)
    pd.testing.assert_frame_equal(suppressed(once), once)
    with pytest.raises(UsageError, match="must be 1 or more"):
        suppressed(frame, fewest=0)


def test_it_comes_after_the_measure_and_changes_none():
    """The common figure is made of all officers, those that are hidden too."""
    rows = with_video(many(600, 2, force="kent", search_type="Person search"))
    rows = [{**row, "officer": f"{i % 25:016x}" if i < 500 else f"{1000 + i // 8:016x}"} for i, row in enumerate(rows)]
    tally = dp.tally(Rows(rows), by=["officer", "video_link"])
    before = tally.frame()
    shown = suppressed(dp.shrunken_share_linked_to_video(tally))
    assert sum(hidden(shown)) == 13
    pd.testing.assert_frame_equal(tally.frame(), before)
    full = dp.shrunken_share_linked_to_video(tally)
    kept = ~np.array(hidden(shown))
    assert shown["estimate"][kept].equals(full["estimate"][kept])


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_commands_hide_officers_with_few_records(tmp_path, form):
    from disprop.io.store import add
    from disprop.synthetic.sources import TableSource

    made = dp.synthetic.make_encounters(months=["2023-04"]).searches
    made = made.filter([month == made["month"][0].as_py() for month in made["month"].to_pylist()])
    add(tmp_path / "kent.store", TableSource("search", made, ["2023-04"]))
    words = ["tally", str(tmp_path / "kent.store"), "--by", "officer", "--format", form]
    run = CliRunner().invoke(cli, words)
    assert run.exit_code == 0, run.output
    counted = dp.tally(tmp_path / "kent.store", by=["officer"]).frame()
    few = counted[(counted["n"] < 10) & (counted["officer"] != "blank")]["officer"].tolist()
    many_ = counted[(counted["n"] >= 10) & (counted["officer"] != "blank")]["officer"].tolist()
    assert few
    assert many_
    assert not [officer for officer in few if officer in run.stdout]
    assert all(officer in run.stdout for officer in many_)
    assert WHY in run.stdout
    if form == "csv":
        table = pd.read_csv(io.StringIO(run.stdout))
        assert table[table["officer"] == CONFIDENTIAL]["n"].isna().all()
