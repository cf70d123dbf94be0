"""Every rule of reading, by name: what came, and what is done."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from police_files import (
    HEADER,
    KENT,
    balances,
    csv_text,
    fields,
    kent,
    noted,
    record,
    rows_of,
    write_csv,
    write_json,
    write_text,
)

from disprop.errors import InputRefused
from disprop.io import rules
from disprop.io.frames import read_frame
from disprop.io.police_uk import read_police_uk
from disprop.io.published import read_ethnicity_facts
from disprop.plan import tally

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reading.md"
PLAIN = fields()
TWO = [PLAIN, fields(Gender="Female")]
AGAIN = csv_text(TWO)


# Notes: case name -> (text of the file, rows read, how often noted)

TEXTS = {
    rules.BYTE_ORDER_MARK: ("\ufeff" + AGAIN, 2, 1),
    rules.UTF_16: (AGAIN.encode("utf-16"), 2, 1),
    rules.WINDOWS_1252: (csv_text([fields(Policing="Op \u2013 Sceptre"), PLAIN]).encode("cp1252"), 2, 1),
    rules.LONE_CR: (csv_text(TWO, end="\r"), 2, 3),
    rules.LINE_BREAK: (csv_text([fields(Policing="Sceptre\nweek 2"), PLAIN]), 2, 1),
    rules.BLANK_LINE: (AGAIN.replace("\n", "\n\n") + "  \n", 2, 4),
    rules.NO_LINE_END: (AGAIN.rstrip("\n"), 2, 1),
    rules.EXTRA_BLANKS: (csv_text([[*row, "", ""] for row in TWO]), 2, 2),
    rules.DELIMITER: (csv_text(TWO, delimiter=";"), 2, 1),
    rules.SPELLING: (csv_text(TWO, header=[name.lower().replace(" ", "_").replace("-", "_") for name in HEADER]), 2, 1),
    rules.ORDER: (csv_text([row[::-1] for row in TWO], header=HEADER[::-1]), 2, 1),
    rules.INDEX_COLUMN: (csv_text([[str(i), *row] for i, row in enumerate(TWO)], header=["", *HEADER]), 2, 1),
    rules.UNKNOWN_COLUMN: (csv_text([[*row, "B"] for row in TWO], header=[*HEADER, "Borough"]), 2, 1),
    rules.MISSING_COLUMN: (csv_text([row[:10] for row in TWO], header=HEADER[:10]), 2, 5),
    rules.COLUMN_TWICE: (csv_text([[*row, row[6]] for row in TWO], header=[*HEADER, "Gender"]), 2, 1),
    rules.BLANK_WORD: (csv_text([fields(Gender="NA"), fields(Outcome="null", Object="None")]), 2, 3),
    rules.NUMBER_FLAG: (csv_text([fields(Removal="1.0"), fields(Removal="0.0", Part="0")]), 2, 3),
    rules.SWAPPED: (csv_text([fields(Latitude="-0.1", Longitude="51.5"), PLAIN]), 2, 1),
    rules.OUTSIDE: (csv_text([fields(Latitude="0", Longitude="0"), PLAIN]), 2, 1),
    rules.NOT_A_NUMBER: (csv_text([fields(Latitude="north"), PLAIN]), 2, 1),
    rules.DECIMAL_COMMA: (csv_text([fields(Latitude="51,5", Longitude="-0,1"), PLAIN], delimiter=";"), 2, 2),
    rules.NO_OFFSET: (csv_text([fields(Date="2019-04-01 03:40:12.000"), PLAIN]), 2, 1),
    rules.FRACTION: (csv_text([fields(Date="2019-04-01T03:40:12.250+00:00"), PLAIN]), 2, 1),
    rules.DATE_ONLY: (csv_text([fields(Date="2019-04-01"), PLAIN]), 2, 1),
    rules.DATE_FROM_FILE: (csv_text([fields(Date=""), PLAIN]), 2, 1),
    rules.LONDON_MONTH: (csv_text([fields(Date="2019-04-30T23:30:00+00:00"), PLAIN]), 2, 1),
}

BESIDE = {rules.DECIMAL_COMMA: (rules.DELIMITER,)}

EXCLUDED = {
    rules.REPEATED_HEADER: AGAIN + "\ufeff" + AGAIN,
    rules.EMPTY_ROW: AGAIN + "," * 14 + "\n",
}

QUARANTINED = {
    rules.WIDTH: AGAIN + "Person search,2019-04-10T12:00:00+00:00\n" + csv_text([PLAIN]).splitlines()[1] + "\n",
    rules.TRUNCATED: AGAIN.rstrip("\n")[:-3],
    rules.TOO_LONG: AGAIN + csv_text([fields(Policing="x" * 70_000), PLAIN]).partition("\n")[2],
    rules.OPEN_QUOTE: AGAIN + ",".join(PLAIN).replace("Male", '"Male') + "\n" + ",".join(PLAIN) + "\n",
    rules.NUL: AGAIN + ",".join(PLAIN).replace("Male", "Ma\0le") + "\n" + ",".join(PLAIN) + "\n",
    rules.DATE_UNREADABLE: csv_text([*TWO, fields(Date="01/04/2019 10:39")]),
    rules.DATE_RANGE: csv_text([*TWO, fields(Date="0019-04-01T10:00:00+00:00")]),
    rules.COLUMNS_DISAGREE: csv_text(
        [[*PLAIN, "Male"], [*PLAIN, "Female"], [*PLAIN, "Male"]], header=[*HEADER, "Gender"]
    ),
    rules.FORCE_UNKNOWN: csv_text(
        [["kent", *PLAIN], ["Kent Police", *PLAIN], ["Nowhere", *PLAIN]], header=["force", *HEADER]
    ),
    rules.FORCE_DIFFERS: csv_text([["kent", *PLAIN], ["", *PLAIN], ["essex", *PLAIN]], header=["Force", *HEADER]),
}

NAMELESS_QUARANTINED = {
    rules.FORCE_MISSING: csv_text([["kent", *PLAIN], ["essex", *PLAIN], ["", *PLAIN]], header=["force", *HEADER]),
    rules.DATE_BLANK: csv_text(
        [["kent", *PLAIN], ["kent", *PLAIN], ["kent", *fields(Date="")]], header=["force", *HEADER]
    ),
}

NOT_TABLES = {
    rules.EMPTY_FILE: b"",
    rules.NOT_CSV: b"<!DOCTYPE html><html>404</html>",
    rules.NO_HEADER: AGAIN.partition("\n")[2].encode(),
    rules.REQUIRED_COLUMN: csv_text(TWO, header=["Type", "When", *HEADER[2:]]).encode(),
    rules.OTHER_KIND: b"Crime ID,Month,Reported by,Location\n1,2019-04,Kent Police,Here\n",
    rules.BAD_JSON: b'[{"type": "Person search", "datetime": "2019-04-10T12:00:00+00:00"',
    rules.NO_ROW_READABLE: csv_text([fields(Date="01/04/2019")] * 10).encode(),
}


@pytest.mark.parametrize("rule", TEXTS)
def test_noted(tmp_path, rule):
    text, rows, times = TEXTS[rule]
    source = read_police_uk(kent(tmp_path, text))
    assert len(rows_of(source)) == rows
    assert noted(source, rule) == times
    assert {note.partition(": ")[0] for note in source.account.notes} == {rule, *BESIDE.get(rule, ())}
    assert source.account.read == rows
    assert not source.account.excluded
    assert not source.account.quarantined
    assert balances(source)


@pytest.mark.parametrize("rule", EXCLUDED)
def test_excluded(tmp_path, rule):
    source = read_police_uk(kent(tmp_path, EXCLUDED[rule]))
    rows = len(rows_of(source))
    assert source.account.excluded == {rule: 1}
    assert source.account.read == rows + 1
    assert source.parts["rows"].tolist() == [rows]


@pytest.mark.parametrize("rule", QUARANTINED)
def test_quarantined(tmp_path, rule):
    put_aside = tmp_path / "aside.csv"
    source = read_police_uk(kent(tmp_path, QUARANTINED[rule]), quarantine=put_aside)
    rows = rows_of(source)
    assert source.account.quarantined == {rule: 1}
    assert source.account.read == len(rows) + 1
    assert len(rows) >= 1
    assert balances(source)
    with put_aside.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["reason"] == rule
    assert row["file"].endswith(KENT)
    assert row["row"][:100] == line_of(QUARANTINED[rule], int(row["line"]))[:100]


def line_of(text: str, line: int) -> str:
    return text.split("\n")[line - 1]


@pytest.mark.parametrize("rule", NAMELESS_QUARANTINED)
def test_quarantined_where_the_path_names_nothing(tmp_path, rule):
    source = read_police_uk(write_text(tmp_path / "stops.csv", NAMELESS_QUARANTINED[rule]))
    assert len(rows_of(source)) == 2
    assert source.account.quarantined == {rule: 1}


@pytest.mark.parametrize("rule", NOT_TABLES)
def test_refused(tmp_path, rule):
    with pytest.raises(InputRefused, match=rule) as refusal:
        rows_of(read_police_uk(kent(tmp_path, NOT_TABLES[rule])))
    assert KENT in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_over_long_row_is_cut_in_the_quarantine_file(tmp_path):
    put_aside = tmp_path / "aside.csv"
    rows_of(read_police_uk(kent(tmp_path, QUARANTINED[rules.TOO_LONG]), quarantine=put_aside))
    assert "[cut: 70,160 characters or more]" in put_aside.read_text(encoding="utf-8")
    assert put_aside.stat().st_size < 11_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8"])
def test_encodings_give_the_same_records(tmp_path, encoding):
    text = csv_text([fields(Policing="Op \u2013 Sceptre \U0001f600"), PLAIN])
    rows = rows_of(read_police_uk(kent(tmp_path, text.encode(encoding))))
    assert [row["operation_name"] for row in rows] == ["Op \u2013 Sceptre \U0001f600", None]


def test_windows_1252_is_read_as_its_characters(tmp_path):
    source = read_police_uk(kent(tmp_path, csv_text([fields(Policing="A?B")]).encode().replace(b"?", b"\x96\x81")))
    assert [row["operation_name"] for row in rows_of(source)] == ["A\u2013\ufffdB"]
    assert noted(source, rules.WINDOWS_1252) == 2


def test_quarantine_names_column_and_value(tmp_path):
    source = read_police_uk(kent(tmp_path, QUARANTINED[rules.DATE_UNREADABLE]))
    rows_of(source)
    (row,) = source.quarantined
    assert (row.line, row.column, row.value) == (4, "Date", "01/04/2019 10:39")


def test_a_quarantine_file_is_written_anew_by_each_read(tmp_path):
    put_aside = write_text(tmp_path / "aside.csv", "left from an older read\n")
    rows_of(read_police_uk(kent(tmp_path, AGAIN), quarantine=put_aside))
    assert put_aside.read_bytes() == b"file,line,reason,column,value,row\r\n"


# Time


def local(tmp_path, date: str):
    return read_police_uk(kent(tmp_path, csv_text([fields(Date=date)])), time_zone="Europe/London")


def test_local_time(tmp_path):
    source = local(tmp_path, "2019-04-10 12:00:00")
    assert rows_of(source)[0]["event_time"].hour == 11
    assert noted(source, rules.LOCAL_TIME) == 1


def test_repeated_clock_hour(tmp_path):
    source = local(tmp_path, "2019-10-27 01:30:00")
    assert rows_of(source)[0]["event_time"].strftime("%H:%M") == "00:30"
    assert noted(source, rules.REPEATED_HOUR) == 1


def test_missing_clock_hour(tmp_path):
    source = local(tmp_path, "2019-03-31 01:30:00")
    assert rows_of(source)[0]["event_time"].strftime("%H:%M") == "01:30"
    assert noted(source, rules.MISSING_HOUR) == 1


def test_clock_changes_do_not_concern_dates_with_an_offset(tmp_path):
    rows = [fields(Date="2019-10-27T01:30:00+01:00"), fields(Date="2019-10-27T01:30:00+00:00")]
    source = read_police_uk(kent(tmp_path, csv_text(rows)))
    assert [row["event_time"].strftime("%H:%M") for row in rows_of(source)] == ["00:30", "01:30"]
    assert noted(source, rules.REPEATED_HOUR) == 0


# Force, month and folder


def test_force_given(tmp_path):
    file = write_csv(tmp_path / "stops.csv", TWO)
    source = read_police_uk(file, force="Kent Police")
    assert {row["force"] for row in rows_of(source)} == {"kent"}
    assert noted(source, rules.FORCE_GIVEN) == 1


def test_force_given_not_used(tmp_path):
    source = read_police_uk(kent(tmp_path, AGAIN), force="essex")
    assert {row["force"] for row in rows_of(source)} == {"kent"}
    assert noted(source, rules.FORCE_NOT_USED) == 1


def test_no_force(tmp_path):
    with pytest.raises(InputRefused, match=rf"{rules.NO_FORCE}; .*give --force ID \(or force=\)"):
        rows_of(read_police_uk(write_csv(tmp_path / "stops.csv", TWO)))


def test_unknown_is_a_force_by_name(tmp_path):
    source = read_police_uk(write_csv(tmp_path / "stops.csv", TWO), force="unknown")
    assert {row["force"] for row in rows_of(source)} == {"unknown"}


def test_force_in_the_name_not_known(tmp_path):
    file = write_csv(tmp_path / "2019-04-west-midland-stop-and-search.csv", TWO)
    with pytest.raises(InputRefused, match=f"{rules.STRANGE_FORCE}.*west-midlands"):
        read_police_uk(file)
    assert len(rows_of(read_police_uk(file, force="west-midlands"))) == 2


def test_folder_names_another_month(tmp_path):
    source = read_police_uk(write_csv(tmp_path / "2019-05" / KENT, TWO))
    rows_of(source)
    assert noted(source, rules.FOLDER_DIFFERS) == 1
    assert source.parts["month"].tolist() == [591]


def test_no_rows_and_no_month(tmp_path):
    source = read_police_uk(write_csv(tmp_path / "kent.csv", []))
    assert rows_of(source) == []
    assert noted(source, rules.NOTHING_OBSERVED) == 1
    assert len(source.parts) == 0


# JSON, tables


def test_json_item_that_is_no_record(tmp_path):
    file = write_json(tmp_path / "2023-01-kent.json", [record(), "hello", record()])
    source = read_police_uk(file)
    assert len(rows_of(source)) == 2
    assert source.account.quarantined == {rules.NOT_A_RECORD: 1}


def test_table_without_dates():
    import pandas as pd

    with pytest.raises(InputRefused, match=rules.BAD_TABLE):
        read_frame(pd.DataFrame({"force": ["kent"]}))


def test_table_month_not_understood():
    import pandas as pd

    source = read_frame(pd.DataFrame({"force": "kent", "month": ["2019-04", "spring"]}))
    assert len(rows_of(source)) == 1
    assert source.account.quarantined == {rules.MONTH_UNREADABLE: 1}


FACTS = ",".join(
    [
        "Time,Ethnicity,Ethnicity_type,Geography, Number of stop and searches ,Population by ethnicity",
        '"Rate per 1,000 population by ethnicity"',
    ]
)


@pytest.mark.parametrize(
    ("row", "rule"), [("2006/07,All,All,Kent,many,1,1", rules.BAD_CELL), ("2006/07,All", rules.WIDTH_TABLE)]
)
def test_published_table_of_another_form(tmp_path, row, rule):
    with pytest.raises(InputRefused, match=rf"line 2: {rule}"):
        read_ethnicity_facts(write_text(tmp_path / "facts.csv", f"{FACTS}\n{row}\n"))


# Parquet


def test_row_groups_skipped_and_weak_digests_are_noted(tmp_path):
    months = pa.array([500, 500, 591], pa.int32())
    pq.write_table(pa.table({"force": ["kent"] * 3, "month": months}), tmp_path / "x.parquet", row_group_size=2)
    notes = tally(tmp_path / "x.parquet", by=[], period=("2019-04", "2019-04")).account.notes
    assert notes == {rules.SKIPPED_GROUP: 1, rules.WEAK_DIGEST: 1}


# The rules as a whole


def test_every_rule_has_a_test():
    files = Path(__file__).with_name("test_rules_of_files.py"), Path(__file__).parents[1] / "mapping" / "test_mapped.py"
    here = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__), *files))
    names = {value: name for name, value in vars(rules).items() if isinstance(value, str) and value in rules.RULES}
    assert set(names) == set(rules.RULES)
    assert [name for name in names.values() if f"rules.{name}" not in here] == []


def test_the_docs_print_the_rules_as_they_are():
    assert rules.rules_table() in DOCS.read_text(encoding="utf-8")


def test_a_rule_of_another_kind_cannot_refuse():
    with pytest.raises(KeyError):
        rules.refuse(rules.FRACTION, "a file", "")
