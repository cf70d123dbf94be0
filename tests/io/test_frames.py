"""Tables in memory as a source: pandas, Arrow, anything with the Arrow stream protocol."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from police_files import HEADER, KENT, fields, rows_of, write_csv

import disprop as dp
import disprop.io.frames
from disprop.errors import BalanceError, InputRefused, UsageError
from disprop.io import frames, rules
from disprop.io.frames import read_frame
from disprop.io.police_uk import read_police_uk
from disprop.months import month_label, month_number

SEARCHES = {
    "force": ["kent", "Kent Police", "essex"],
    "month": ["2019-04", "2019-04", "2019-05"],
    "gender": ["Male", None, ""],
    "video_recorded": ["Yes", "No", None],
}


class Stream:
    """Anything that gives an Arrow stream, and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


TABLES = {
    "pandas": pd.DataFrame(SEARCHES),
    "categories": pd.DataFrame(SEARCHES).astype("category"),
    "arrow": pa.table(SEARCHES),
    "large": pa.table({name: pa.array(values, pa.large_string()) for name, values in SEARCHES.items()}),
    "views": pa.table({name: pa.array(values, pa.string_view()) for name, values in SEARCHES.items()}),
    "polars": pl.DataFrame(SEARCHES),
    "stream": Stream(pa.table(SEARCHES)),
    "reader": pa.table(SEARCHES).to_reader(),
    "chunks": pa.concat_tables([pa.table(SEARCHES).slice(0, 1), pa.table(SEARCHES).slice(1)]),
    "batch": pa.RecordBatch.from_pydict(SEARCHES),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_gives_the_same_records(kind):
    source = read_frame(TABLES[kind])
    rows = rows_of(source)
    assert [(row["force"], month_label(row["month"])) for row in rows] == [
        ("kent", "2019-04"),
        ("kent", "2019-04"),
        ("essex", "2019-05"),
    ]
    assert [row["gender"] for row in rows] == ["Male", None, None]
    assert [row["video_recorded"] for row in rows] == ["Yes", "No", None]
    assert {(part["force"], part["rows"]) for part in source.parts} == {("kent", 2), ("essex", 1)}
    assert source.account.read == source.account.counted == 3


def test_batches_have_the_columns_of_the_kind():
    (batch,) = read_frame(TABLES["categories"]).batches({"gender", "outcome"})
    label = pa.dictionary(pa.int32(), pa.string())
    assert [(field.name, field.type) for field in batch.schema] == [
        ("force", label),
        ("month", pa.int32()),
        ("gender", label),
        ("outcome", label),
    ]
    assert batch["outcome"].to_pylist() == [None] * 3


def test_police_uk_headers_give_what_the_file_gives(tmp_path):
    rows = [
        fields(),
        fields(Date="2019-04-30T23:30:00+00:00", Gender="", Removal="1.0"),
        fields(Latitude="-1", Longitude="52"),
    ]
    file = write_csv(tmp_path / KENT, rows)
    from_file = rows_of(read_police_uk(file))
    from_text = rows_of(read_frame(pd.read_csv(file, dtype=str), force="kent"), {*from_file[0]})
    assert from_text == from_file


@pytest.mark.parametrize(
    "months",
    [
        ["2019-04", None],
        pd.PeriodIndex(["2019-04", None], freq="M"),
        [date(2019, 4, 3), None],
        pd.to_datetime(["2019-04-03", None]),
        pd.array([591, None], dtype="Int64"),
    ],
)
def test_months_in_every_form(months):
    source = read_frame(pd.DataFrame({"force": "kent", "month": months}))
    assert [row["month"] for row in rows_of(source)] == [591]
    assert source.account.quarantined == {rules.DATE_BLANK: 1}


@pytest.mark.parametrize("month", ["2019-4", "April 2019", "201904", "9999-01", "1950-01"])
def test_months_that_are_none(month):
    source = read_frame(pd.DataFrame({"force": "kent", "month": [month]}))
    assert rows_of(source) == []
    assert source.account.quarantined == {rules.MONTH_UNREADABLE: 1}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York"])
def test_times_with_a_zone(unit, zone):
    moment = datetime(2019, 4, 30, 23, 30, tzinfo=ZoneInfo("UTC"))
    times = pa.array([moment, None], pa.timestamp(unit, zone))
    source = read_frame(pa.table({"event_time": times}), force="kent")
    (row,) = rows_of(source)
    assert row["event_time"] == moment
    assert month_label(row["month"]) == "2019-05"
    assert source.account.quarantined == {rules.DATE_BLANK: 1}
    assert source.account.notes == {}


def test_times_without_a_zone_are_utc_unless_said_otherwise():
    table = pd.DataFrame({"event_time": [datetime(2019, 4, 30, 23, 30), datetime(2019, 10, 27, 1, 30), None]})
    utc = read_frame(table, force="kent")
    assert [month_label(row["month"]) for row in rows_of(utc)] == ["2019-05", "2019-10"]
    assert utc.account.notes == {rules.NO_OFFSET: 2}
    local = read_frame(table, force="kent", time_zone="Europe/London")
    assert [month_label(row["month"]) for row in rows_of(local)] == ["2019-04", "2019-10"]
    assert local.account.notes == {rules.LOCAL_TIME: 2, rules.REPEATED_HOUR: 1}


def test_dates_fractions_and_text():
    days = read_frame(pa.table({"event_time": pa.array([date(2019, 4, 30)])}), force="kent")
    assert month_label(rows_of(days)[0]["month"]) == "2019-04"
    assert days.account.notes == {rules.DATE_ONLY: 1}
    broken = pa.array([datetime(2019, 4, 3, 10, 0, 0, 250_000)], pa.timestamp("us", "UTC"))
    fraction = read_frame(pa.table({"event_time": broken}), force="kent")
    assert rows_of(fraction)[0]["event_time"].microsecond == 0
    assert fraction.account.notes == {rules.FRACTION: 1}
    text = read_frame(pa.table({"event_time": ["2019-04-03T10:00:00Z", "03/04/2019"]}), force="kent")
    assert len(rows_of(text)) == 1
    assert text.account.quarantined == {rules.DATE_UNREADABLE: 1}


def test_month_names_the_part_and_event_time_the_month_counted():
    table = {"month": ["2019-04", "2019-04"], "event_time": ["2019-04-30T23:30:00Z", None]}
    source = read_frame(pa.table(table), force="kent")
    assert [month_label(row["month"]) for row in rows_of(source)] == ["2019-05", "2019-04"]
    assert source.parts["month"].tolist() == [month_number("2019-04")]
    assert source.account.notes == {rules.LONDON_MONTH: 1}


def test_forces_that_are_none_are_put_aside():
    source = read_frame(pa.table({"force": ["kent", None, "Nowhere"], "month": ["2019-04"] * 3}))
    assert len(rows_of(source)) == 1
    assert source.account.quarantined == {rules.FORCE_MISSING: 1, rules.FORCE_UNKNOWN: 1}
    assert [(row.line, row.reason, row.value) for row in source.quarantined] == [
        (2, rules.FORCE_MISSING, ""),
        (3, rules.FORCE_UNKNOWN, "Nowhere"),
    ]
    given = read_frame(pa.table({"force": ["kent", None], "month": ["2019-04"] * 2}), force="essex")
    assert [row["force"] for row in rows_of(given)] == ["kent", "essex"]


def test_flags_and_places_of_any_type():
    table = pd.DataFrame(
        {
            "month": "2019-04",
            "linked": [True, None, "False"],
            "more_thorough": [1.0, None, 0.0],
            "latitude": [51.5, None, -1.0],
            "longitude": [-0.1, None, 52.0],
            "shift": [1, 2, 3],
        }
    )
    source = read_frame(table, force="kent")
    rows = rows_of(source)
    assert [row["linked"] for row in rows] == ["True", None, "False"]
    assert [row["more_thorough"] for row in rows] == ["1", None, "0"]
    assert [row["latitude"] for row in rows] == [51.5, None, 52.0]
    assert source.account.notes == {
        f"{rules.UNKNOWN_COLUMN}: shift": 1,
        rules.NUMBER_FLAG: 2,
        rules.SWAPPED: 1,
    }


def test_the_part_is_a_digest_of_the_content():
    table = pa.table(SEARCHES)
    parts = read_frame(table).parts.tolist()
    assert read_frame(TABLES["chunks"]).parts.tolist() == parts
    changed = table.set_column(2, "gender", pa.array(["Male", None, "Female"]))
    assert read_frame(changed).parts.tolist() != parts


def test_many_batches_balance(monkeypatch):
    monkeypatch.setattr(disprop.io.frames, "BATCH", 7)
    months = [f"2019-{i % 12 + 1:02d}" if i % 5 else "?" for i in range(60)]
    source = read_frame(pa.table({"force": ["kent"] * 60, "month": months}))
    assert len(rows_of(source)) == 48
    assert source.account.quarantined == {rules.MONTH_UNREADABLE: 12}
    assert [row.line for row in source.quarantined][:3] == [1, 6, 11]
    assert len(source.parts) == 12


def test_a_row_lost_inside_makes_the_balance_fail(monkeypatch):
    original = disprop.io.frames.TableRead._count

    def losing(self, codes, force, dates):
        original(self, codes, force[1:], dates.kept(slice(1, None)))

    monkeypatch.setattr(disprop.io.frames.TableRead, "_count", losing)
    with pytest.raises(BalanceError):
        rows_of(read_frame(TABLES["pandas"]))


def test_an_empty_table_has_no_parts():
    source = read_frame(pa.table({"force": pa.array([], pa.string()), "month": pa.array([], pa.string())}))
    assert rows_of(source) == []
    assert len(source.parts) == 0


def test_a_table_of_which_nothing_can_be_read_is_refused():
    with pytest.raises(InputRefused, match=f"{rules.NO_ROW_READABLE}; row 1: {rules.MONTH_UNREADABLE}"):
        rows_of(read_frame(pd.DataFrame({"force": "kent", "month": ["April"] * 10})))


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"month": ["2019-04"]}),
        pd.DataFrame({"force": ["kent"], "gender": ["Male"]}),
        pd.DataFrame([["kent", "kent", "2019-04"]], columns=["force", "force", "month"]),
        pa.table({"force": ["kent"], "month": ["2019-04"], "Gender": ["Male"], "gender": ["Male"]}),
        7,
        [1, 2],
    ],
    ids=str,
)
def test_tables_that_are_refused(table):
    with pytest.raises(InputRefused, match=rules.BAD_TABLE):
        read_frame(table)


def test_arguments_that_are_not_choices():
    with pytest.raises(UsageError, match="code scheme"):
        read_frame(TABLES["pandas"], scheme="pace")
    with pytest.raises(UsageError, match="no force"):
        read_frame(TABLES["pandas"], force="Nowhere")
    assert read_frame(TABLES["pandas"], scheme="16+1").scheme == "16+1"


def test_headers_of_the_public_file_are_known():
    table = pa.table({name: pa.array([value]) for name, value in zip(HEADER, fields())})
    source = read_frame(table, force="kent")
    assert rows_of(source)[0]["ethnicity_self"] == "White - Irish"
    assert source.account.notes == {}


def test_the_quarantine_file(tmp_path):
    aside = tmp_path / "aside.csv"
    rows_of(read_frame(pa.table({"force": ["kent", "?"], "month": ["2019-04"] * 2}), quarantine=aside))
    assert aside.read_text(encoding="utf-8").splitlines()[1].startswith("the table,2,force not known,force,?,")


# Counted without decoding text -------------------------------------------------------------------------------------


def odd_rows(n):
    """Rows of which some have no readable month, no force, labels that nobody knows."""
    return pd.DataFrame(
        {
            "force": [("kent", "Essex Police", "btp", "mars" if i == 71 else "kent")[i % 4] for i in range(n)],
            "month": ["April" if i in (9, 10) else f"2019-{1 + i % 12:02d}" for i in range(n)],
            "search_type": [("Person search", "Vehicle search", "Person and Vehicle search")[i % 3] for i in range(n)],
            "gender": [("Male", None, "Robot", "")[i * 7 % 4] for i in range(n)],
            "linked": [(True, False, None)[i % 3] for i in range(n)],
            "area": [(None, "E08000025", "E09000001")[i * 5 % 3] for i in range(n)],
        }
    )


WITH_TIMES = pa.table(
    {
        "force": pa.array([("kent", "essex")[i % 2] for i in range(300)]).dictionary_encode(),
        "event_time": pa.array([1_556_665_200 + 9_000 * i for i in range(300)]).cast(pa.timestamp("s", "UTC")),
        "gender": pa.array([("Male", "Female", None)[i % 3] for i in range(300)]).dictionary_encode(),
    }
)


@pytest.mark.parametrize("by", [["gender", "linked"], ["area", "gender"], []])
@pytest.mark.parametrize(
    "table", [odd_rows(300), pa.Table.from_pandas(odd_rows(300)), WITH_TIMES], ids=["pandas", "arrow", "times"]
)
@pytest.mark.parametrize("asked", [{}, {"force": "kent", "period": ("2019-03", "2019-06")}, {"vehicle_only": True}])
def test_large_tables_are_counted_as_small_ones_are(monkeypatch, table, by, asked):
    monkeypatch.setattr(frames, "BATCH", 40)
    plain = dp.tally(read_frame(table), by=by, **asked)
    monkeypatch.setattr(frames, "FEWEST_ROWS", 0)
    quick = dp.tally(read_frame(table), by=by, **asked)
    assert quick.difference(plain) is None
    assert plain.total > 0


def test_large_tables_of_any_kind(monkeypatch):
    months = [f"2023-0{1 + i % 6}" for i in range(120)]
    reports = pd.DataFrame({"month": months, "gender": ["Male", "Female"] * 60, "tactics": ["Shield"] * 120})
    plain = [dp.tally(read_frame(reports, kind="force_report", force="kent"), by=[by]) for by in ("gender", "tactic")]
    monkeypatch.setattr(frames, "FEWEST_ROWS", 0)
    quick = [dp.tally(read_frame(reports, kind="force_report", force="kent"), by=[by]) for by in ("gender", "tactic")]
    assert quick == plain


def test_hours_and_open_lists_of_many_rows_are_those_of_few(monkeypatch):
    """Above so many rows a table is counted from its codes; blanks, zeros and nulls are no code there either."""
    times = [1_554_073_199, 1_554_073_200, 1_572_134_400, 1_572_138_000]
    table = pa.table({
        "force": ["kent", "surrey", "kent", "kent"] * 3,
        "event_time": pa.array(times * 3, pa.timestamp("s", "UTC")),
        "command_unit": ["North", " North", "", None] * 3,
        "officer": pa.array([7, 0, None, 2**64 - 1] * 3, pa.uint64()),
    })  # fmt: skip
    wanted = [["hour"], ["command_unit", "hour"], ["officer"], ["area"]]
    few = dp.scan(read_frame(table), wanted)
    monkeypatch.setattr(frames, "FEWEST_ROWS", 0)
    monkeypatch.setattr(frames.TableRead, "batch", None)  # the careful reader is not asked
    assert dp.scan(read_frame(table), wanted) == few
    hours = few[0].project(["hour"]).frame()  # 23:59 and midnight of summer, then the hour that comes twice
    assert dict(zip(hours["hour"], hours["n"])) == {"23": 3, "00": 3, "01": 6}
    assert few[2].axis("officer").codes == ("0000000000000007", "ffffffffffffffff", "blank")
