"""Outcomes that a force never records: refused where other forces show how many to expect, else remarked on."""

import numpy as np
import pytest

import disprop as dp
from disprop.measures.outcome_labels import FEWEST_EXPECTED, LEAST_SHARE
from tests.invent import many
from tests.kent import row
from tests.sources import Rows

NONE, ARREST, RESOLVED = "A no further action disposal", "Arrest", "Community resolution"
NEVER = "no label of Arrest occurs in any month of kent: its list of outcomes may lack it"


def searches(force, n, *outcomes, seed=1):
    return many(n, seed=seed, force=force, search_type="Person search", outcome=outcomes)


def shares(rows, measure=dp.arrest_share, by=("force",)):
    return measure(dp.tally(Rows(rows), by=["outcome", "ethnicity_self"]), by=list(by))


ELSEWHERE = searches("west-midlands", 400, NONE, NONE, NONE, ARREST)


def test_a_force_without_the_label_has_no_share_of_0():
    rows = ELSEWHERE + searches("kent", 300, NONE, RESOLVED)
    kent, other = (row(shares(rows), force=force) for force in ("kent", "west-midlands"))
    assert np.isnan(kent.estimate)
    assert np.isnan(kent.low)
    assert np.isnan(kent.bound_low)
    assert kent.flag == f"refused: {NEVER}"
    assert other.estimate > 0.2
    assert other.flag == ""


@pytest.mark.parametrize(("n", "refused"), [(39, False), (41, True)])
def test_a_true_zero_is_kept_where_fewer_than_10_are_expected(n, refused):
    """One in four of the others: 39 known outcomes expect 9.75, 41 expect 10.25."""
    others = searches("west-midlands", 300, NONE) + searches("west-midlands", 100, ARREST)
    kent = row(shares(others + searches("kent", n, NONE)), force="kent")
    assert kent.flag == (f"refused: {NEVER}" if refused else "")
    assert (kent.estimate == 0) is not refused


def test_expected_is_of_the_known_outcomes_alone():
    others = searches("west-midlands", 300, NONE) + searches("west-midlands", 100, ARREST)
    kent = row(shares(others + searches("kent", 39, NONE) + searches("kent", 1, None)), force="kent")
    assert kent.estimate == 0


def test_groups_of_the_force_are_refused_with_it_and_groups_of_all_are_remarked_on():
    rows = ELSEWHERE + searches("kent", 300, NONE)
    by_both = shares(rows, by=("force", "ethnicity_self"))
    assert by_both[by_both["force"] == "kent"]["estimate"].isna().all()
    together = shares(rows, by=("ethnicity_self",))
    assert together["estimate"].notna().all()
    assert together["flag"].str.contains(NEVER).all()


@pytest.mark.parametrize(("n", "said"), [(199, ""), (200, NEVER)])
def test_without_other_forces_the_share_stays_and_the_flag_says_it(n, said):
    assert n * LEAST_SHARE >= FEWEST_EXPECTED if said else n * LEAST_SHARE < FEWEST_EXPECTED
    kent = row(shares(searches("kent", n, NONE)), force="kent")
    assert (kent.estimate, kent.flag) == (0, said)


def test_the_opposite_that_never_occurs_is_no_share_of_1():
    rows = searches("west-midlands", 400, NONE, ARREST) + searches("kent", 300, ARREST)
    kent = row(shares(rows, dp.positive_outcome_share), force="kent")
    assert np.isnan(kent.estimate)
    assert kent.flag.startswith("refused: no label of no action occurs in any month of kent")


def test_one_record_with_the_label_is_enough():
    rows = ELSEWHERE + searches("kent", 300, NONE) + searches("kent", 1, ARREST)
    assert row(shares(rows), force="kent").estimate == pytest.approx(1 / 301)
