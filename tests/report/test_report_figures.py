"""Rounding: against a slow twin on exact decimals, and the promises that printed figures keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disprop.report import figures
from tests.report import naive_report as naive

numbers = st.floats(min_value=0, max_value=2e6, allow_nan=False)
ratios = st.one_of(st.floats(min_value=0, max_value=3), st.sampled_from([0.0, 0.8, 1.0, 1.25, 0.7999, 1.2501, 1.00004]))
shares = st.one_of(
    st.floats(min_value=0, max_value=1), st.sampled_from([0.0, 1.0, 0.0999, 0.09951, 0.995, 0.9995, 1e-9])
)


@given(numbers)
def test_counts_and_rates(value):
    assert figures.count(value) == naive.count(value)
    assert figures.rate(value) == naive.rate(value)


@given(ratios)
def test_ratios(value):
    assert figures.ratio(value) == naive.ratio(value)
    assert figures.ratio_2(value) == naive.ratio(value, 2)


@given(shares)
def test_percentages(share):
    assert figures.percent(share) == naive.percent(share)
    assert figures.percent_1(share) == naive.percent_1(share)


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_differences(value):
    assert figures.more_or_fewer(value) == naive.more_or_fewer(value)


@given(st.floats(min_value=0.0006, max_value=50))
def test_a_ratio_stays_on_its_side_of_every_threshold(value):
    shown = float(figures.ratio(value).replace(",", ""))
    for edge in (0.8, 1.0, 1.25):
        if abs(value - edge) > 0.0005:
            assert (shown > edge) == (value > edge)
            assert (shown < edge) == (value < edge)
    assert shown > 0


@pytest.mark.parametrize("style", ["count", "rate", "ratio", "ratio_2", "percent", "percent_1", "more_or_fewer"])
def test_nothing_is_never_a_number(style):
    assert getattr(figures, style)(None) == "[x]"


@pytest.mark.parametrize(
    ("months", "said"),
    [
        (["2019-04"], "April 2019"),
        (["2019-12", "2020-01"], "December 2019 and January 2020"),
        (["2020-01", "2019-11", "2019-12"], "November 2019 to January 2020"),
        (["2019-04", "2019-06", "2019-08"], "April 2019, June 2019 and August 2019"),
    ],
)
def test_months_in_words(months, said):
    assert figures.months_named(months) == said


def test_a_period_of_one_month_is_one_month():
    assert figures.period_name("2019-04", "2019-04") == "April 2019"


@pytest.mark.parametrize(
    ("confidence", "name", "right"),
    [
        (0.95, "95% interval", "95 times in 100"),
        (0.9, "90% interval", "90 times in 100"),
        (0.998, "99.8% interval", "998 times in 1,000"),
    ],
)
def test_confidence_in_words(confidence, name, right):
    assert figures.interval_name(confidence) == name
    assert figures.times_in_100(confidence) == right
