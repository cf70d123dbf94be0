"""Times as extracts write them: declared formats against Python's own calendar, both clocks, two columns, durations."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from disprop.io.mapping.times import placed, read_dates_and_times, read_durations, read_times
from disprop.io.rules import DATE_BLANK, DATE_ONLY, DATE_RANGE, DATE_UNREADABLE, FRACTION, NO_OFFSET

LONDON = ZoneInfo("Europe/London")

FORMS = {
    "%d/%m/%Y %H:%M": "07/04/2019 23:05",
    "%d/%m/%y %H:%M": "7/4/19 23:05",
    "%d-%b-%Y %I:%M %p": "07-Apr-2019 11:05 pm",
    "%d %b %Y %I:%M:%S %p": "7 april 2019   11:05:00 P.M.",
    "%b %d, %Y %H:%M": "Apr 7, 2019 23:05",
    "%m/%d/%Y %H:%M:%S": "04/07/2019 23:05:00.000",
    "iso": "2019-04-07T23:05:00",
    "%d.%m.%Y": "2019-04-07 23:05",
}


def seconds(found, time_zone):
    placed_at = placed(found, time_zone)
    assert not placed_at.refused
    return placed_at.seconds.tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "zone"), [("UTC", UTC), ("Europe/London", LONDON)])
def test_forms_and_clocks(form, name, zone):
    found = read_times(pa.array([FORMS[form], FORMS[form]]), [form])
    assert seconds(found, name) == [int(datetime(2019, 4, 7, 23, 5, tzinfo=zone).timestamp())] * 2


@pytest.mark.parametrize(
    "text", ["31/02/2019 10:00", "13/13/2019 10:00", "07/04/2019 24:00", "07/04/2019 10:60", "soon", "7/4/19 10:00",
             "07/04/2019", "43562.5", "2019-02-30"],
)  # fmt: skip
def test_what_is_no_time(text):
    found = placed(read_times(pa.array([text, "07/04/2019 10:00"]), ["%d/%m/%Y %H:%M"]), "UTC")
    assert found.refused == {0: DATE_UNREADABLE}


def test_blank_strange_and_undeclared():
    found = placed(read_times(pa.array([None, " ", "n/a", "07/04/1960 10:00"]), ["%d/%m/%Y %H:%M"]), "UTC")
    assert found.refused == {0: DATE_BLANK, 1: DATE_BLANK, 2: DATE_BLANK, 3: DATE_RANGE}
    found = placed(read_times(pa.array(["2019-04-07 10:00", "2019-04-07T10:00:00+01:00"]), []), None)
    assert found.refused == {0: NO_OFFSET}
    assert found.seconds[1] == datetime(2019, 4, 7, 9, tzinfo=UTC).timestamp()


def test_a_date_alone_is_the_day_that_begins_in_the_uk():
    for form, text in (("%d/%m/%Y", "01/07/2019"), ("iso", "2019-07-01")):
        found = placed(read_times(pa.array([text]), [form]), None)
        assert found.seconds[0] == datetime(2019, 7, 1, tzinfo=LONDON).timestamp()
        assert found.notes == {DATE_ONLY: 1}


def test_fractions_are_noted_once_a_row():
    found = placed(read_times(pa.array(["2019-04-07 10:00:00.5"] * 3 + ["2019-04-07 10:00:00.000"]), []), "UTC")
    assert found.notes[FRACTION] == 3


@pytest.mark.parametrize(
    ("text", "hour", "minute", "second"),
    [("23:05", 23, 5, 0), ("2305", 23, 5, 0), ("9:05", 9, 5, 0), ("23.05", 23, 5, 0), ("23:05:09.000", 23, 5, 9),
     ("11:05 PM", 23, 5, 0), ("12:05am", 0, 5, 0), ("30/12/1899 23:05:00", 23, 5, 0), ("1899-12-30T23:05", 23, 5, 0)],
)  # fmt: skip
def test_times_of_day(text, hour, minute, second):
    found = read_dates_and_times(pa.array(["07/04/2019"]), pa.array([text]), ["%d/%m/%Y"])
    assert seconds(found, "UTC") == [int(datetime(2019, 4, 7, hour, minute, second, tzinfo=UTC).timestamp())]


@pytest.mark.parametrize("text", ["24:00", "23:60", "15", "noon", "13:00 pm", "23:05:61"])
def test_what_is_no_time_of_day(text):
    found = placed(read_dates_and_times(pa.array(["07/04/2019"]), pa.array([text]), ["%d/%m/%Y"]), "UTC")
    assert found.refused == {0: DATE_UNREADABLE}


def test_a_date_column_may_carry_a_midnight_of_its_own():
    found = read_dates_and_times(pa.array(["07/04/2019 00:00"]), pa.array(["23:05"]), ["%d/%m/%Y %H:%M"])
    assert seconds(found, "UTC") == [int(datetime(2019, 4, 7, 23, 5, tzinfo=UTC).timestamp())]


def test_durations():
    texts = ["5", "1:05", "1:00:05", "00:01:05.9", "", None, "5 min", "-3"]
    assert read_durations(pa.array(texts)).tolist() == [5, 65, 3605, 65, -1, -1, -2, -2]
