"""Agreement: the slow definitions, and corners where kappa misleads or cannot be given."""

import math

import naive_audit
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from disprop.audit.reviewers import (
    agreement,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    raw_agreement,
)
from disprop.errors import UsageError

answer = st.sampled_from(["yes", "no", "part"])
two = st.lists(st.tuples(answer, answer), min_size=3, max_size=15)
three = st.lists(st.tuples(*[st.one_of(answer, st.none())] * 3), min_size=3, max_size=15)


@given(two)
def test_cohen_against_the_definition(rows):
    assume(len({one for row in rows for one in row}) > 1)
    try:
        slow = naive_audit.cohen(rows)
    except ZeroDivisionError:
        return
    assert cohen_kappa(rows).estimate == pytest.approx(slow, abs=1e-12)


@given(three)
def test_ac1_and_alpha_against_the_definition(rows):
    answers = {one for row in rows for one in row if one}
    paired = [row for row in rows if sum(one is not None for one in row) > 1]
    assume(len(answers) > 1)
    assume(len({one for row in paired for one in row if one}) > 1)
    assert gwet_ac1(rows).estimate == pytest.approx(naive_audit.gwet_ac1(rows), abs=1e-12)
    assert krippendorff_alpha(rows).estimate == pytest.approx(naive_audit.krippendorff_nominal(rows), abs=1e-12)


@given(two)
def test_swapping_reviewers_changes_nothing(rows):
    assume(len({one for row in rows for one in row}) > 1)
    swapped = [(second, first) for first, second in rows]
    for found, again in zip(agreement(rows), agreement(swapped)):
        assert found == pytest.approx(again, nan_ok=True) or found[1:] == pytest.approx(again[1:], nan_ok=True)


def test_kappa_misleads_where_nearly_all_answers_are_the_same():
    rows = [("yes", "yes")] * 96 + [("yes", "no")] * 2 + [("no", "yes")] * 2
    raw, kappa, _, ac1, _ = agreement(rows)
    assert raw.estimate == 0.96
    assert kappa.estimate < 0
    assert ac1.estimate > 0.95


def test_limits_hold_their_estimate_and_stay_in_range():
    for found in agreement([("yes", "yes")] * 20 + [("no", "no")] * 5 + [("yes", "no")] * 2):
        assert -1 <= found.low <= found.estimate <= found.high <= 1
        assert found.items == 27


def test_one_answer_only():
    rows = [("yes", "yes")] * 5
    raw, kappa, fleiss, ac1, alpha = agreement(rows)
    assert raw.estimate == ac1.estimate == 1
    assert math.isnan(kappa.estimate)
    assert math.isnan(fleiss.estimate)
    assert math.isnan(alpha.estimate)


def test_nothing_reviewed_twice():
    for rows in ([], [("yes", None), (None, "no")]):
        for found in agreement(rows):
            assert math.isnan(found.estimate)
            assert found.items == 0


def test_a_data_frame_and_missing_values():
    frame = pd.DataFrame({"A": ["yes", "no", "yes", None], "B": ["yes", "no", "no", "yes"]})
    assert raw_agreement(frame).items == 3
    assert gwet_ac1(frame) == gwet_ac1(frame.to_numpy().tolist())


def test_wrong_arguments():
    with pytest.raises(UsageError, match="none, linear, squared"):
        cohen_kappa([("a", "b")], weights="cubic")
    with pytest.raises(UsageError, match="weights are for two raters"):
        cohen_kappa([("a", "b", "a")], weights="linear")
    with pytest.raises(UsageError, match="nominal, ordinal, interval, ratio"):
        krippendorff_alpha([("a", "b")], level="other")
    with pytest.raises(UsageError, match="longer than others"):
        fleiss_kappa([("a", "b"), ("a",)])
