"""Coverage: the four states of a force-month, exposure over covered months, groups whose labels vanish."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import disprop as dp
from disprop.coverage import STATES, covered_only, lacks_support, month_coverage, resident_months, without_residents
from disprop.errors import UsageError
from disprop.months import month_label
from disprop.provenance import Account, part_row, parts
from disprop.tallies import Scope, Tally
from tests import naive
from tests.invent import POPULATION, many
from tests.sources import Rows

START = 580


def of_months(rows_by_month, force="kent", scope=None):
    """A tally with nothing in its cells but parts of the given sizes."""
    table = parts(
        part_row(dataset="police.uk", kind="search", force=force, month=m, files=[str(m)], rows=n)
        for m, n in rows_by_month.items()
    )
    return Tally((), np.array(0), "searches", parts=table, account=Account(), scope=scope or Scope())


@given(st.dictionaries(st.integers(START, START + 23), st.one_of(st.just(0), st.integers(0, 300)), min_size=1))
def test_states_are_those_of_the_plain_rule(rows_by_month):
    cover = month_coverage(of_months(rows_by_month, scope=Scope(START, START + 23)))
    months = list(range(START, START + 24))
    assert [STATES[s] for s in cover.state[0]] == naive.month_states(rows_by_month, months)


def test_the_four_states_and_the_warning():
    sizes = dict.fromkeys(range(START, START + 6), 1000) | {
        START + 6: 199,
        START + 7: 200,
        START + 8: 599,
        START + 9: 600,
    }
    cover = month_coverage(of_months(sizes | {START + 10: 0}, scope=Scope(START, START + 11)))
    assert [STATES[s] for s in cover.state[0, 6:]] == [
        "suspected partial",
        "submitted",
        "submitted",
        "submitted",
        "suspected partial",
        "missing",
    ]
    assert cover.low[0].tolist() == [False] * 7 + [True, True, False, False, False]
    assert cover.holes(0) == "missing 2019-04; suspected partial 2018-11, 2019-03"


def test_five_months_before_are_not_enough_to_call_a_month_partial():
    sizes = dict.fromkeys(range(START, START + 5), 1000) | {START + 5: 1}
    assert month_coverage(of_months(sizes)).covered.all()


def test_a_named_month_that_never_came_is_missing_and_an_unnamed_period_is_the_span():
    sizes = {START: 5, START + 2: 5}
    assert month_coverage(of_months(sizes, scope=Scope(START, START + 3))).state.tolist() == [[3, 0, 3, 0]]
    assert month_coverage(of_months(sizes)).state.tolist() == [[3, 0, 3]]


def test_a_force_that_was_asked_for_and_never_came_is_all_missing():
    cover = month_coverage(of_months({START: 5}, scope=Scope(START, START, ("btp", "kent"))))
    assert cover.forces == ("kent", "btp")
    assert cover.covered.tolist() == [[True], [False]]


def test_frame_says_it_in_words():
    frame = month_coverage(of_months({START: 5, START + 2: 0})).frame()
    assert frame["state"].tolist() == ["submitted", "missing", "empty"]
    assert frame["month"].tolist() == [month_label(START + i) for i in range(3)]


def test_exposure_is_residents_times_covered_months():
    tally = of_months({START: 5, START + 2: 5})
    exposure = resident_months(POPULATION, month_coverage(tally))
    assert exposure.unit == "resident-months"
    assert exposure[{"ethnicity_self": "Black"}] == 2 * 50_000
    assert not exposure.missing.any()


def test_a_force_without_a_population_has_no_denominator():
    exposure = resident_months(POPULATION, month_coverage(of_months({START: 5}, force="essex")))
    assert exposure.missing.all()
    assert without_residents(POPULATION, ("btp", "essex", "kent")) == ("btp", "essex")


def test_only_residents_can_be_a_population():
    with pytest.raises(UsageError, match="counts residents"):
        resident_months(of_months({}), month_coverage(of_months({START: 5})))


def test_counts_in_holes_are_cut_and_accounted_for():
    some = many(100, force="kent", month=("2019-04", "2019-06"), search_type="Person search")
    tally = dp.tally(Rows(some), by=["gender"], period=("2019-04", "2019-06"))
    cover = month_coverage(tally)
    cover.state[0, 0] = 1
    cut = covered_only(tally, cover)
    april = sum(r["month"] == "2019-04" for r in some)
    assert cut.account.excluded["month not covered"] == april
    assert cut.total == 100 - april
    assert cut.axis("month").codes == ("2019-04", "2019-05", "2019-06")


def rows_of(counts_by_month, group="Black/African/Caribbean/Black British - African", others=200):
    rows = []
    for month, n in counts_by_month.items():
        base = {"force": "kent", "month": month, "search_type": "Person search"}
        rows += [{**base, "ethnicity_self": group}] * n
        rows += [{**base, "ethnicity_self": "White - Irish"}] * others
    return rows


MONTHS = ("2019-04", "2019-05", "2019-06", "2019-07")


def lacking(rows, population=None):
    tally = dp.tally(Rows(rows), by=["ethnicity_self"])
    table = lacks_support(tally, "ethnicity_self", population)
    return [(tally.axis("month").codes[m], tally.axis("ethnicity_self").codes[g]) for _, m, g in np.argwhere(table)]


def test_a_group_whose_labels_vanish_lacks_support():
    assert lacking(rows_of(dict(zip(MONTHS, (20, 20, 20, 0))))) == [("2019-07", "Black")]


def test_nine_expected_is_a_true_zero():
    assert lacking(rows_of(dict(zip(MONTHS, (9, 9, 9, 0))))) == []


def test_two_other_months_are_not_enough_to_say():
    assert lacking(rows_of(dict(zip(MONTHS[1:], (20, 20, 0))))) == []


def test_a_group_that_never_occurs_lacks_support_where_that_is_incredible():
    rows = rows_of(dict.fromkeys(MONTHS, 20))
    assert lacking(rows) == []
    groups = {group for _, group in lacking(rows, POPULATION)}
    # 880 known searches of 1,690,000 residents: of 80,000 Asian residents 42 would be expected, a fifth is 8: a zero.
    assert groups == set()
    many_more = rows_of(dict.fromkeys(MONTHS, 20), others=400)
    assert {group for _, group in lacking(many_more, POPULATION)} == {"Asian"}
