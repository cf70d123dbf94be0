"""Scanning: one pass, several tallies, labels bound late, rules in order, strange labels listed."""

import pytest

import disprop as dp
from disprop.errors import UsageError
from disprop.plan import VEHICLE_RULE, as_source, scan
from tests.invent import many
from tests.sources import Rows


def test_several_tallies_from_one_pass_equal_one_at_a_time():
    some = many(200)
    both = scan(Rows(some), [["ethnicity_self"], ["gender", "object"]])
    assert both == [dp.tally(Rows(some), by=["ethnicity_self"]), dp.tally(Rows(some), by=["gender", "object"])]


def test_force_and_month_are_always_there_and_named_once():
    assert dp.tally(Rows(many(5)), by=["gender", "force", "gender"]).names == ("force", "month", "gender")


def test_vehicle_only_searches_are_left_out_by_type_not_by_blanks():
    some = many(50, search_type="Person search", gender=None, ethnicity_self=None) + many(
        7, search_type="Vehicle search"
    )
    tally = dp.tally(Rows(some), by=["ethnicity_self"])
    assert tally[{"ethnicity_self": "blank"}] == 50
    assert tally.account.excluded == {VEHICLE_RULE: 7}
    assert dp.tally(Rows(some), by=["search_type"], vehicle_only=True).total == 57


def test_the_first_rule_that_fits_takes_the_row():
    some = many(40, force=("kent", "btp"), month=("2019-04", "2019-11"))
    account = dp.tally(Rows(some), by=[], force="kent", period=("2019-04", "2019-06")).account
    away = [r for r in some if r["force"] == "btp"]
    late = [r for r in some if r["force"] == "kent" and r["month"] == "2019-11"]
    assert account.excluded["not selected: force"] == len(away)
    assert account.excluded["outside the period"] == len(late)


def test_strange_labels_are_unmapped_listed_and_never_other():
    some = many(30, search_type="Person search", ethnicity_self=("Martian", "White - Irish"))
    tally = dp.tally(Rows(some), by=["ethnicity_self"])
    n = sum(r["ethnicity_self"] == "Martian" for r in some)
    assert tally[{"ethnicity_self": "unmapped"}] == n
    assert tally[{"ethnicity_self": "Other"}] == 0
    assert tally.account.unmapped == {"ethnicity_self: Martian": n}


def test_labels_are_bound_by_the_declared_scheme():
    row = {"force": "kent", "month": "2019-04", "search_type": "Person search", "ethnicity_self": "O1"}
    for scheme, group in (("16+1", "Asian"), ("pace2023", "Other")):
        assert dp.tally(Rows([row], scheme=scheme), by=["ethnicity_self"])[{"ethnicity_self": group}] == 1
    assert dp.tally(Rows([row]), by=["ethnicity_self"])[{"ethnicity_self": "unmapped"}] == 1


def test_a_column_that_the_source_lacks_is_blank():
    class NoVideo(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                yield batch.drop_columns(["video_recorded"])

    tally = dp.tally(NoVideo(many(20, search_type="Person search")), by=["video_recorded"])
    assert tally[{"video_recorded": "blank"}] == 20


def test_empty_months_have_parts_and_an_axis_code():
    tally = dp.tally(Rows(many(5, month="2019-04", force="kent"), empty=[("kent", "2019-05")]), by=[])
    assert tally.axis("month").codes == ("2019-04", "2019-05")
    assert sorted(tally.parts["rows"].tolist()) == [0, 5]


def test_no_records_at_all_is_an_empty_tally():
    tally = dp.tally(Rows([]), by=["gender"])
    assert tally.total == 0
    assert len(tally.axis("force")) == 0


def test_an_axis_that_does_not_exist_is_named_and_ethnicity_alone_is_refused():
    with pytest.raises(UsageError, match="did you mean 'gender'"):
        dp.tally(Rows([]), by=["gendr"])
    with pytest.raises(UsageError, match="ethnicity_self, ethnicity_self_19 or ethnicity_officer"):
        dp.tally(Rows([]), by=["ethnicity"])


def test_periods_and_forces_are_checked():
    with pytest.raises(UsageError, match="backwards"):
        dp.tally(Rows([]), by=[], period=("2020-03", "2019-04"))
    with pytest.raises(UsageError, match="YYYY-MM"):
        dp.tally(Rows([]), by=[], period=("April", "May"))
    with pytest.raises(UsageError, match="did you mean"):
        dp.tally(Rows([]), by=[], force="west-midland")


def test_what_is_not_a_source_is_refused():
    with pytest.raises(UsageError, match="cannot read records from int"):
        as_source(3)


def test_areas_are_those_that_occur_and_no_place_is_blank():
    places = ["E08000025", None, "W06000015", "E08000025", " ", "unmapped"]
    some = [{**row, "area": area} for row, area in zip(many(6, search_type="Person search", force="kent"), places)]
    tally = dp.tally(Rows(some, batch_rows=2), by=["gender", "area", "ethnicity_self"])
    area = tally.axis("area")
    assert tally.names == ("force", "month", "gender", "area", "ethnicity_self")
    assert area.codes == ("E08000025", "W06000015", "blank", "unmapped")
    assert area.groups == ("E08000025", "W06000015")
    assert tally.project(["area"]).counts.tolist() == [2, 1, 2, 1]
    assert tally.project(["gender", "ethnicity_self"]) == dp.tally(
        Rows(some, batch_rows=2), by=["gender", "ethnicity_self"]
    ).project(["gender", "ethnicity_self"])


def test_areas_of_no_records_are_none():
    tally = dp.tally(Rows([]), by=["area", "gender"])
    assert tally.counts.shape == (0, 0, 0, 5)
    without = dp.tally(Rows(many(9, search_type="Person search")), by=["area"])
    assert without.axis("area").codes == ("blank",)
