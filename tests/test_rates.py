"""Search rates against the plain definition, and every corner in the open."""

import numpy as np
import pytest

import disprop as dp
from disprop.errors import AxisMismatch, CodelistMismatch, Refused, UsageError
from disprop.intervals import rate_interval
from disprop.measures.exposed import PERCEIVED
from disprop.tallies import Axis, Tally
from tests import naive
from tests.invent import (
    PEOPLE,
    POPULATION,
    many,
    residents,
)
from tests.kent import KNOWN, MONTHS, PERIOD, counted, kent, row
from tests.sources import Rows


def test_search_rate_equals_the_plain_definition():
    some = kent()
    frame = dp.search_rate(counted(some, period=PERIOD), POPULATION)
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    unknown = sum(c for (group,), c in n.items() if group not in naive.GROUPS)
    for group in naive.GROUPS:
        people, found = PEOPLE["kent"][group], row(frame, ethnicity_self=group)
        assert found.numerator == n[(group,)]
        assert found.estimate == pytest.approx(naive.rate(n[(group,)], people, 8), rel=1e-12)
        assert found.bound_high == pytest.approx(naive.rate(n[(group,)] + unknown, people, 8), rel=1e-12)
        assert found.n_unknown == unknown
        limits = rate_interval(events=n[(group,)], exposure=people * 8 / 12 / 1000)
        assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-12)


def test_a_hole_in_a_named_period_withholds_the_rate_and_covered_gives_it_on_the_months_there_are():
    some = kent(1000, month=MONTHS[:7])
    tally = counted(some, period=PERIOD)
    withheld = dp.search_rate(tally, POPULATION)
    assert withheld["estimate"].isna().all()
    assert withheld["flag"].str.startswith("not computable: missing 2019-11").all()
    given_ = dp.search_rate(tally, POPULATION, holes="covered")
    white = row(given_, ethnicity_self="White")
    assert white.estimate == pytest.approx(naive.rate(white.numerator, PEOPLE["kent"]["White"], 7))
    assert white.flag.startswith("on 7 of 8 months, per year; missing 2019-11")
    assert (white.covered_months, white.period_months) == (7, 8)


def test_a_suspected_partial_month_is_a_hole_for_counts_and_exposure_alike():
    some = kent(1400, month=MONTHS[:7]) + kent(5, month=MONTHS[7])
    frame = dp.search_rate(counted(some, period=PERIOD), POPULATION, holes="covered")
    whole = dp.search_rate(counted(kent(1400, month=MONTHS[:7])), POPULATION)
    assert frame["estimate"].tolist() == pytest.approx(whole["estimate"].tolist())
    assert frame["flag"].str.contains("suspected partial 2019-11").all()


def test_an_unnamed_period_uses_the_span_as_covered():
    some = kent(900, month=(MONTHS[0], MONTHS[2]))
    white = row(dp.search_rate(counted(some), POPULATION), ethnicity_self="White")
    assert white.estimate == pytest.approx(naive.rate(white.numerator, PEOPLE["kent"]["White"], 2))
    assert white.flag.startswith("on 2 of 3 months")


def test_rates_by_month_are_yearly_rates_of_each_month():
    some = kent(2000)
    frame = dp.search_rate(counted(some, period=PERIOD), POPULATION, by=["month", "ethnicity_self"])
    n = naive.counts(some, lambda r: r["month"], lambda r: naive.group5(r["ethnicity_self"]))
    june = row(frame, month="2019-06", ethnicity_self="Black")
    assert june.estimate == pytest.approx(naive.rate(n[("2019-06", "Black")], PEOPLE["kent"]["Black"], 1))
    assert (june.covered_months, june.period_months) == (1, 1)
    assert june.n_unknown == sum(c for (m, g), c in n.items() if m == "2019-06" and g not in naive.GROUPS)


def test_pooled_forces_leave_out_those_without_residents_by_name():
    some = many(3000, search_type="Person search")
    tally = dp.tally(Rows(some), by=["ethnicity_self"], period=PERIOD)
    frame = dp.search_rate(tally, POPULATION, by=["ethnicity_self"])
    white = row(frame, ethnicity_self="White")
    both = [r for r in some if r["force"] != "btp" and naive.group5(r["ethnicity_self"]) == "White"]
    people = PEOPLE["kent"]["White"] + PEOPLE["west-midlands"]["White"]
    assert white.estimate == pytest.approx(naive.rate(len(both), people, 8))
    without = sum(r["force"] != "btp" for r in some)
    totals = f"{without:,} searches in all, with it {len(some):,}"
    assert f"without British Transport Police (force without residents): {totals}" in white.flag
    assert (white.covered_months, white.period_months) == (16, 16)


def test_a_force_without_residents_has_no_rate_but_the_reason():
    some = many(100, force="btp", search_type="Person search")
    frame = dp.search_rate(counted(some, force="btp"), POPULATION)
    assert frame["estimate"].isna().all()
    assert frame["flag"].str.contains("denominator unavailable").all()
    assert frame["numerator"].sum() > 0


def test_city_of_london_is_flagged():
    some = many(300, force="city-of-london", search_type="Person search")
    people = residents({"city-of-london": {"White": 6000, "Black": 200, "Asian": 1400, "Mixed": 400, "Other": 500}})
    frame = dp.search_rate(counted(some, force="city-of-london"), people)
    assert frame["flag"].str.contains("residents are not the people who are there by day").all()


def test_rates_by_what_residents_are_not_known_by_use_all_residents():
    some = kent(1000)
    tally = counted(some, "object", period=PERIOD)
    drugs = row(dp.search_rate(tally, POPULATION), ethnicity_self="White", object="Controlled drugs")
    assert drugs.denominator == pytest.approx(PEOPLE["kent"]["White"] * 8 / 12)
    assert {*dp.search_rate(tally, POPULATION)["object"]} == {"Controlled drugs", "Stolen goods", "blank"}


def test_officer_defined_rates_are_refused_unless_asked_for():
    tally = dp.tally(Rows(kent(500)), by=["ethnicity_officer"])
    with pytest.raises(Refused, match="no matching Census base"):
        dp.search_rate(tally, POPULATION)
    frame = dp.search_rate(tally, POPULATION, perceived=True)
    assert frame["flag"].str.contains(PERCEIVED).all()
    assert np.isnan(row(frame, ethnicity_officer="Mixed").estimate)
    assert row(frame, ethnicity_officer="White").estimate > 0


def test_numerator_and_denominator_must_define_groups_alike():
    ethnicity = POPULATION.axis("ethnicity_self")
    older = Axis(ethnicity.name, "ethnicity_5@0.9", ethnicity.codes)
    other = Tally((POPULATION.axes[0], older), POPULATION.counts, "residents", "residents", account=POPULATION.account)
    with pytest.raises(CodelistMismatch, match="define groups alike"):
        dp.search_rate(counted(kent(50)), other)


def test_projecting_the_month_away_leaves_nothing_to_judge_coverage_by():
    with pytest.raises(AxisMismatch, match="month is wanted"):
        dp.search_rate(counted(kent(50)).project(["force", "ethnicity_self"]), POPULATION)


def test_an_axis_twice_and_an_unknown_choice_are_usage_errors():
    with pytest.raises(UsageError, match="twice"):
        dp.search_rate(counted(kent(50)), POPULATION, by=["force", "force"])
    with pytest.raises(UsageError, match="'whole' or 'covered'"):
        dp.search_rate(counted(kent(50)), POPULATION, holes="ignore")


def test_a_group_whose_labels_never_occur_is_withheld_with_the_reason():
    some = kent(40_000, ethnicity_self=tuple(k for k in KNOWN if not k.startswith("Other")))
    frame = dp.search_rate(counted(some), POPULATION)
    other = row(frame, ethnicity_self="Other")
    assert np.isnan(other.estimate)
    assert "no label of Other occurs in any month of kent" in other.flag
    ratio = row(dp.rate_ratio(counted(some), POPULATION), ethnicity_self="Other")
    assert ratio.verdict == "not computable"


def test_a_tally_of_some_groups_only_is_divided_by_those_residents():
    some = kent(1000)
    two = counted(some).select(ethnicity_self=["White", "Black"])
    both, all_ = (dp.search_rate(tally, POPULATION).set_index("ethnicity_self") for tally in (two, counted(some)))
    assert both["estimate"].tolist() == all_.loc[["White", "Black"], "estimate"].tolist()
    assert dp.rate_ratio(two, POPULATION, by=["force"])["ethnicity_self"].tolist() == ["Black"]
