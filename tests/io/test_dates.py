"""Dates as written -> instants, against the standard library's datetime."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disprop.errors import UsageError
from disprop.io import rules
from disprop.io.dates import check_time_zone, from_clock, instants

LONDON = ZoneInfo("Europe/London")
moments = st.datetimes(datetime(1972, 1, 2), datetime(2100, 12, 30)).map(lambda moment: moment.replace(microsecond=0))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ODD = "2019-04-01"  # not in the plain form, so that its neighbours are read one by one


@given(st.lists(st.tuples(moments, offsets), max_size=20))
def test_instants_are_those_of_datetime(dates):
    dates = [moment.replace(tzinfo=offset) for moment, offset in dates]
    found = instants([date.isoformat() for date in dates])
    assert found.seconds.tolist() == [int(date.timestamp()) for date in dates]
    assert not found.refused


mangled = st.builds(
    lambda text, at, new: text[:at] + new + text[at + 1 :],
    st.sampled_from(
        ["2019-03-31T23:19:00+00:00", "2019-03-31 23:19:00.250Z", "2019-02-28T24:00:00-05", "2019-12-01 03:40:12.000"]
    ),
    st.integers(0, 27),
    st.sampled_from(["", "0", "9", ":", "-", "+", "T", "Z", " ", ".", "x", "٣"]),
)


@given(mangled)
def test_how_a_date_is_read_does_not_depend_on_its_neighbours(text):
    """The whole column at once and one by one are the same reader."""
    alone, beside = instants([text]), instants([text, ODD])
    assert alone.refused.get(0) == beside.refused.get(0)
    if 0 not in alone.refused:
        assert alone.seconds[0] == beside.seconds[0]


@given(mangled)
def test_a_date_is_only_read_where_datetime_reads_the_same(text):
    found = instants([text])
    if 0 in found.refused:
        return
    theirs = datetime.fromisoformat(text.strip().replace(" Z", "Z"))
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    assert found.seconds[0] == int(theirs.timestamp())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", rules.DATE_BLANK),
        ("NA", rules.DATE_BLANK),
        ("2019-02-29T00:00:00+00:00", rules.DATE_UNREADABLE),
        ("2019-04-01T24:00:00+00:00", rules.DATE_UNREADABLE),
        ("2019-04-01T23:59:60+00:00", rules.DATE_UNREADABLE),
        ("2019-04-01T10:00:00+00:60", rules.DATE_UNREADABLE),
        ("20190401", rules.DATE_UNREADABLE),
        ("43556.5", rules.DATE_UNREADABLE),
        ("1 April 2019", rules.DATE_UNREADABLE),
        ("2019-04", rules.DATE_UNREADABLE),
        ("0000-04-01T10:00:00+00:00", rules.DATE_RANGE),
        ("1971-12-31T23:59:59+00:00", rules.DATE_RANGE),
        ("2101-01-01T00:00:00+00:00", rules.DATE_RANGE),
        ("9999-12-31T23:59:59-14:00", rules.DATE_RANGE),
    ],
)
def test_what_is_not_read(text, reason):
    assert instants([text]).refused == {0: reason}
    assert instants([text, ODD]).refused == {0: reason}


@pytest.mark.parametrize("text", ["1972-01-01T00:00:00Z", "2100-12-31T23:59:59Z", "2101-01-01T00:30:00+01:00"])
def test_the_ends_of_the_range(text):
    assert not instants([text]).refused
    assert not instants([text, ODD]).refused


@given(st.lists(moments, min_size=1, max_size=20))
def test_the_uk_clock_is_that_of_zoneinfo(moments):
    """Skipped times included: `zoneinfo`, too, takes the first of two and the hour before a gap."""
    clock = np.array([int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments])
    found = from_clock(clock, time_zone="Europe/London")
    assert found.seconds.tolist() == [int(moment.replace(tzinfo=LONDON).timestamp()) for moment in moments]


@pytest.mark.parametrize("minute", range(-60, 180, 15))
def test_the_hours_around_each_change_of_the_clock(minute):
    for day in (datetime(2019, 3, 31, 1), datetime(2019, 10, 27, 1)):
        moment = day + timedelta(minutes=minute)
        found = from_clock(np.array([int(moment.replace(tzinfo=UTC).timestamp())]), time_zone="Europe/London")
        assert found.seconds[0] == int(moment.replace(tzinfo=LONDON).timestamp())
        changed = 0 <= minute < 60
        assert (found.notes[rules.MISSING_HOUR] == 1) == (changed and day.month == 3)
        assert (found.notes[rules.REPEATED_HOUR] == 1) == (changed and day.month == 10)


def test_a_day_without_a_time_begins_at_its_midnight():
    assert instants(["2019-07-01"]).seconds[0] == int(datetime(2019, 7, 1, tzinfo=UTC).timestamp())
    local = instants(["2019-07-01"], time_zone="Europe/London")
    assert local.seconds[0] == int(datetime(2019, 7, 1, tzinfo=LONDON).timestamp())
    assert local.notes == {rules.DATE_ONLY: 1}


def test_other_time_zones_are_refused():
    with pytest.raises(UsageError, match="Europe/London"):
        check_time_zone("Europe/Paris")
