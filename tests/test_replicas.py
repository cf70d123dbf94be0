"""The inspectorate's figures by its own rules: plain arithmetic, ours beside, nothing withheld in silence."""

from collections import Counter

import numpy as np
import pytest

import disprop as dp
from disprop.errors import UsageError
from disprop.measures.pairs import COMBINED
from tests import naive
from tests.invent import PEOPLE, POPULATION, many
from tests.sources import Rows

SOME = many(3000, search_type="Person search", force=("kent", "btp"))
TALLY = dp.tally(Rows(SOME), by=["ethnicity_self", "outcome", "linked"], period=("2019-04", "2019-11"))
KENT = [row for row in SOME if row["force"] == "kent"]
COUNTS = Counter(naive.group5(row["ethnicity_self"]) for row in KENT)
KNOWN = sum(COUNTS[group] for group in naive.GROUPS)


def replica(vintage, measure, group="everyone", force="kent"):
    both = dp.hmicfrs(TALLY, POPULATION, vintage=vintage)
    rows = both[(both["force"] == force) & (both["measure"] == measure) & (both["ethnicity_self"] == group)]
    assert rows["method"].str.startswith("replica").tolist()[0]
    return rows


def test_the_earlier_vintage_leaves_unknown_ethnicity_out_of_the_forces_rate():
    residents = sum(PEOPLE["kent"].values())
    for vintage, n in (("2018_19", KNOWN), ("2021_22", len(KENT))):
        theirs, ours = replica(vintage, "search_rate").itertuples()
        assert theirs.estimate == pytest.approx(naive.rate(n, residents, 8))
        assert ours.estimate == pytest.approx(naive.rate(len(KENT), residents, 8))
        assert np.isnan(theirs.low)


def test_ratios_are_points_against_the_band_with_ours_beside():
    theirs, ours = replica("2021_22", "rate_ratio", "Black").itertuples()
    ratio = naive.ratio(COUNTS["Black"], PEOPLE["kent"]["Black"], COUNTS["White"], PEOPLE["kent"]["White"])
    assert theirs.estimate == pytest.approx(ratio)
    assert theirs.point_against_band == "above"
    assert (ours.verdict, np.isnan(theirs.low), ours.low > 0) == ("higher", True, True)


def test_minorities_combined_is_everyone_but_white():
    theirs = next(replica("2021_22", "rate_ratio", COMBINED).itertuples())
    a = KNOWN - COUNTS["White"]
    n1 = sum(PEOPLE["kent"].values()) - PEOPLE["kent"]["White"]
    assert theirs.estimate == pytest.approx(naive.ratio(a, n1, COUNTS["White"], PEOPLE["kent"]["White"]))


def test_the_find_rate_is_given_where_we_refuse_one():
    blank = [dict(row, outcome="Arrest", linked=None) for row in KENT[:200]]
    both = dp.hmicfrs(dp.tally(Rows(blank), by=["ethnicity_self", "outcome", "linked"]), POPULATION, vintage="2021_22")
    theirs, ours = both[both["measure"] == "linked_find"].itertuples()
    assert (theirs.estimate, theirs.numerator, theirs.denominator) == (0, 0, 200)
    assert np.isnan(ours.estimate)
    assert "we withhold it: refused: 200 of 200" in theirs.flag


def test_the_find_rate_counts_a_blank_as_no_find():
    theirs, ours = replica("2021_22", "linked_find").itertuples()
    yes = sum(naive.linked_positive(row) == "yes" for row in KENT)
    assert theirs.estimate == pytest.approx(yes / len(KENT))
    assert np.isnan(ours.estimate)
    assert "we withhold it: bounds only" in theirs.flag


def test_transport_police_is_out_of_the_earlier_vintage_only():
    early, late = (dp.hmicfrs(TALLY, POPULATION, vintage=vintage) for vintage in ("2018_19", "2021_22"))
    theirs = early[early["method"].str.startswith("replica", na=False)]
    assert {*theirs["force"]} == {"kent"}
    assert {*late["force"]} == {"kent", "btp"}


def test_another_population_than_the_report_used_is_named():
    theirs = next(replica("2018_19", "rate_ratio", "Black").itertuples())
    assert "the report used mid-year estimates" in theirs.flag


def test_a_figure_that_we_withhold_is_given_with_our_reason():
    rows = many(40_000, force="kent", search_type="Person search", ethnicity_self=tuple(naive_labels()))
    tally = dp.tally(Rows(rows), by=["ethnicity_self", "outcome", "linked"])
    both = dp.hmicfrs(tally, POPULATION, vintage="2021_22")
    theirs, ours = both[(both["ethnicity_self"] == "Other")].itertuples()
    assert theirs.estimate == 0
    assert "we withhold it: not computable: no label of Other" in theirs.flag
    assert ours.verdict == "not computable"


def naive_labels():
    from tests.invent import SELF

    return [label for label in SELF if naive.group5(label) in ("White", "Black", "Asian", "Mixed")]


def test_an_unknown_vintage_is_named():
    with pytest.raises(UsageError, match="did you mean '2021_22'"):
        dp.hmicfrs(TALLY, POPULATION, vintage="2021-22")
