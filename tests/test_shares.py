"""Find rates and other shares: three states, what is refused, and which records count."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import disprop as dp
from disprop.errors import UsageError
from tests import naive
from tests.invent import (
    CHOICES,
    SELF,
    rows,
)
from tests.kent import MONTHS, PERIOD, counted, kent
from tests.sources import Rows


@given(rows)
def test_linked_finds_are_the_plain_three_states(some):
    tally = dp.tally(Rows(some), by=["ethnicity_self", "outcome", "linked"])
    frame = dp.find_rate(tally, by=[]) if tally.total else pd.DataFrame({"n_unknown": []})
    states = [naive.linked_positive(r) for r in naive.persons(some)]
    if len(frame):
        found = frame.iloc[0]
        assert found.n_unknown == states.count("unknown")
        positive = [r for r in naive.persons(some) if naive.outcome_class(r["outcome"]) == "positive"]
        blank = [r for r in positive if naive.flag(r["linked"]) == "unknown"]
        if positive and len(blank) / len(positive) >= 0.95:
            assert np.isnan(found.bound_low)
            assert "refused" in found.flag
        else:
            assert found.bound_low == states.count("yes") / len(states)
            assert found.bound_high == (states.count("yes") + states.count("unknown")) / len(states)


def finds(n, **fixed):
    return dp.tally(Rows(kent(n, **fixed)), by=["outcome", "linked"])


def test_a_find_rate_is_given_when_nearly_all_is_known():
    found = dp.find_rate(finds(500, linked=("True", "False"), outcome=CHOICES["outcome"][:2])).iloc[0]
    assert found.estimate == found.numerator / found.denominator
    assert found.low < found.estimate < found.high
    assert found.bound_low == found.bound_high == found.estimate


def test_more_than_five_percent_unknown_leaves_bounds_only():
    known = kent(900, linked=("True", "False"), outcome="Arrest")
    for blanks, given_ in ((47, True), (48, False)):
        tally = dp.tally(Rows(known + kent(blanks, linked=None, outcome="Arrest")), by=["outcome", "linked"])
        found = dp.find_rate(tally).iloc[0]
        assert (not np.isnan(found.estimate)) == given_
        assert found.bound_low < found.bound_high
        assert ("bounds only" in found.flag) != given_


def test_a_force_that_leaves_the_flag_blank_is_refused():
    found = dp.find_rate(finds(300, linked=None)).iloc[0]
    assert "refused" in found.flag
    assert np.isnan([found.estimate, found.bound_low, found.bound_high, found.numerator]).all()


def test_a_group_is_never_given_where_the_force_is_refused():
    good = kent(20, ethnicity_self=SELF[5], linked="True", outcome="Arrest")
    bad = kent(2000, ethnicity_self=SELF[0], linked=None, outcome="Arrest")
    frame = dp.find_rate(counted(good + bad, "outcome", "linked"))
    assert frame["estimate"].isna().all()


def test_the_two_rules_differ_where_flags_stand_on_no_action_records():
    tally = finds(400, linked=("True",), outcome=CHOICES["outcome"][:2])
    ours, flag_alone = (dp.find_rate(tally, rule=rule).iloc[0] for rule in ("linked_positive", "linked"))
    assert flag_alone.estimate == 1
    assert ours.estimate < 0.7
    with pytest.raises(UsageError, match="linked_positive"):
        dp.find_rate(tally, rule="any")


def test_where_known_is_refused_when_blanks_depend_on_the_outcome():
    uneven = kent(300, outcome="Arrest", linked="True") + kent(300, outcome=CHOICES["outcome"][0], linked=None)
    tally = dp.tally(Rows(uneven), by=["outcome", "linked"])
    found = dp.linked_find_where_known(tally).iloc[0]
    assert np.isnan(found.estimate)
    assert "refused" in found.flag
    even = finds(400, linked=("True", "False"), outcome=CHOICES["outcome"][:2])
    assert dp.linked_find_where_known(even).iloc[0].estimate > 0


def test_where_known_is_refused_when_there_is_nothing_to_compare_blanks_with():
    found = dp.linked_find_where_known(finds(100, linked=("True", None), outcome=("Arrest",))).iloc[0]
    assert np.isnan(found.estimate)
    assert found.flag.startswith("refused: without records of both kinds")


def test_any_find_is_known_from_old_labels_only():
    new = finds(300, outcome=("A no further action disposal", "Arrest"))
    assert "refused" in dp.find_rate(new, find="any_find").iloc[0].flag
    old = finds(300, outcome=("Nothing found - no further action", "Article found - Detailed outcome unavailable"))
    found = dp.find_rate(old, find="any_find").iloc[0]
    assert 0 < found.estimate < 1
    with pytest.raises(UsageError, match="any_find"):
        dp.find_rate(old, find="find")


def test_linked_finds_are_never_more_than_any_finds_where_both_are_known():
    labels = ("Nothing found - no further action", "Article found - Detailed outcome unavailable")
    tally = finds(500, outcome=labels, linked=("True", "False"))
    linked, any_ = dp.find_rate(tally).iloc[0], dp.find_rate(tally, find="any_find").iloc[0]
    assert linked.bound_low <= any_.estimate


def test_positive_outcomes_and_arrests_are_shares_of_the_known_with_bounds():
    some = kent(600)
    tally = dp.tally(Rows(some), by=["outcome"])
    kinds = [naive.outcome_class(r["outcome"]) for r in some]
    found = dp.positive_outcome_share(tally).iloc[0]
    known = kinds.count("positive") + kinds.count("no_action")
    assert found.estimate == kinds.count("positive") / known
    assert found.bound_high == (kinds.count("positive") + kinds.count("unknown")) / len(kinds)
    arrests = sum(r["outcome"] == "Arrest" for r in some)
    assert dp.arrest_share(tally).iloc[0].numerator == arrests


def test_more_thorough_searches_and_those_of_children():
    some = kent(600, more_thorough=("True", "False"))
    tally = dp.tally(Rows(some), by=["more_thorough", "age_band"])
    everyone = dp.more_thorough_search_share(tally, by=[]).iloc[0]
    assert everyone.estimate == sum(r["more_thorough"] == "True" for r in some) / 600
    children = [r for r in some if r["age_band"] == "10-17"]
    found = dp.more_thorough_search_share(tally, by=[], age_band="10-17").iloc[0]
    assert found.denominator == len(children)
    assert found.flag == "ages 10-17"


def test_blank_is_not_no():
    tally = dp.tally(Rows(kent(100, more_thorough=None)), by=["more_thorough", "age_band"])
    assert "refused" in dp.more_thorough_search_share(tally, by=[]).iloc[0].flag


def test_share_on_video_reads_the_tick_box():
    some = kent(400, video_recorded=("yes", "no"))
    found = dp.share_on_video(dp.tally(Rows(some), by=["video_recorded"])).iloc[0]
    assert found.numerator == sum(r["video_recorded"] == "yes" for r in some)
    assert found.flag == "by tick-box"


def test_a_share_on_months_that_are_not_all_there_says_so():
    some = kent(200, month=MONTHS[:6])
    found = dp.positive_outcome_share(dp.tally(Rows(some), by=["outcome"], period=PERIOD)).iloc[0]
    assert (found.covered_months, found.period_months) == (6, 8)
    assert "on the months there are" in found.flag


def test_a_share_counts_what_the_rate_counts_and_says_how_many_months_are_behind_each_row():
    full = [row for month in MONTHS[:7] for row in kent(100, month=(month,))]
    partial = kent(5, month=(MONTHS[7],))
    tally = dp.tally(Rows(full + partial), by=["outcome", "linked"])
    whole = dp.find_rate(tally, by=["force"], rule="linked").iloc[0]
    assert whole.denominator == 700
    assert (whole.covered_months, whole.period_months) == (7, 8)
    months = dp.find_rate(tally, by=["month"], rule="linked")
    assert len(months) == 7
    assert months[["covered_months", "period_months"]].eq(1).to_numpy().all()
    assert not months.flag.str.contains("on the months there are").any()


def test_a_hole_in_one_force_is_not_said_of_another():
    rows = kent(200, month=MONTHS) + [dict(row, force="surrey") for row in kent(100, month=MONTHS[:6])]
    found = dp.positive_outcome_share(dp.tally(Rows(rows), by=["outcome"], period=PERIOD), by=["force"])
    flags = found.set_index("force").flag
    assert "on the months there are" in flags["surrey"]
    assert "on the months there are" not in flags["kent"]


def test_limits_of_an_outcome_share_do_not_stand_alone_where_many_outcomes_are_unknown():
    few = dp.tally(Rows(kent(100, outcome=("Arrest",))), by=["outcome"])
    many = dp.tally(Rows(kent(100, outcome=(*["A no further action disposal"] * 9, None))), by=["outcome"])
    assert dp.arrest_share(few).iloc[0].flag == ""
    assert dp.arrest_share(many).iloc[0].flag == "more than 5% of outcomes are not known: see the bounds"
