"""Extracts read by a mapping: what becomes of every row and value, and that no raw identifier comes through."""

from collections import Counter
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_extracts import invented
from kent_searches import HEAD, HEADER, KEY, MAPPING, ROW, balanced, read, rows, wrote

from disprop.errors import InputRefused, UsageError
from disprop.io import rules
from disprop.io.mapping.columns import parse_mapping
from disprop.io.mapping.extracts import read_mapped
from disprop.plan import tally

# What a row becomes


def test_a_record_and_its_pseudonyms(tmp_path):
    source = read(wrote(tmp_path / "x.csv", HEADER + ROW))
    assert rows(source) == [{
        "force": "kent", "month": 591, "event_time": datetime(2019, 4, 1, 22, 15, tzinfo=UTC), "gender": "Male",
        "ethnicity_self": "W1", "officer": KEY.hash("C4412", of="officer"), "reference": KEY.hash("S1", of="reference"),
    }]  # fmt: skip
    batch = next(source.batches())
    assert batch.schema.field("officer").type == pa.uint64()
    assert (source.kind, source.unit, source.dataset, source.scheme, source.key_id) == (
        "search", "searches", "kent-searches", "pace2023", KEY.key_id,
    )  # fmt: skip


def test_a_row_that_cannot_be_read_is_put_aside_by_reason_and_the_books_balance(tmp_path):
    text = (
        HEADER + ROW
        + "S2,C4412,31/02/2019 10:00,Male,W1\n"  # no such day
        + "S3,C4412,,Male,W1\n"
        + "S4,C4412,01/04/1950 10:00,Male,W1\n"
        + "S5,C4412,01/04/2019 10:00,Male\n"  # too few fields
        + HEADER + ",,,,\n" + "\n"
        + ROW.replace("S1", "S6").rstrip("\n")
    )  # fmt: skip
    source = read(wrote(tmp_path / "x.csv", text))
    assert len(rows(source)) == 2
    assert source.account.quarantined == {
        rules.DATE_UNREADABLE: 1, rules.DATE_BLANK: 1, rules.DATE_RANGE: 1, rules.WIDTH: 1,
    }  # fmt: skip
    assert source.account.excluded == {rules.REPEATED_HEADER: 1, rules.EMPTY_ROW: 1}
    assert source.account.notes[rules.NO_LINE_END] == 1
    assert source.account.read == 8
    assert balanced(source)


def test_forces_of_rows(tmp_path):
    mapping = (
        MAPPING.replace('force = "kent"\n', "") + 'Where = "force"\n[values.force]\n"Garden of England" = "kent"\n'
    )
    text = HEADER.replace("\n", ",Where\n") + "".join(
        ROW.replace("\n", f",{where}\n") for where in ("Kent", "garden of england", "Essex", "Nowhere", "")
    )
    source = read(wrote(tmp_path / "x.csv", text), mapping)
    assert Counter(row["force"] for row in rows(source)) == {"kent": 2, "essex": 1}
    assert source.account.quarantined == {rules.FORCE_UNKNOWN: 1, rules.FORCE_MISSING: 1}
    given = read(tmp_path / "x.csv", mapping, force="kent")
    assert Counter(row["force"] for row in rows(given)) == {"kent": 3, "essex": 1}
    assert given.account.quarantined == {rules.FORCE_UNKNOWN: 1}


def test_a_force_is_needed_from_somewhere(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    bare = MAPPING.replace('force = "kent"\n', "")
    with pytest.raises(InputRefused, match=rules.NO_FORCE):
        rows(read(path, bare))
    source = read(path, bare, force="Kent")
    assert rows(source)[0]["force"] == "kent"
    assert source.account.notes[rules.FORCE_GIVEN] == 1
    unused = read(path, force="essex")
    assert rows(unused)[0]["force"] == "kent"
    assert unused.account.notes[rules.FORCE_NOT_USED] == 1


def test_values_blanks_and_what_nobody_knows(tmp_path):
    mapping = MAPPING + '[values.gender]\nM = "Male"\nX = ""\n[values.officer]\nTBC = ""\n'
    text = HEADER + "".join(f"S,{officer},01/04/2019 10:00,{sex},NS\n" for officer, sex in
                            [("TBC", "m"), ("n/a", "X"), ("C1", "Robot"), ("C1", ""), ("c1 ", "N/A")])  # fmt: skip
    source = read(wrote(tmp_path / "x.csv", text), mapping)
    assert [row["gender"] for row in rows(source)] == ["Male", None, "Robot", None, None]
    officer = KEY.hash("C1", of="officer")
    assert [row["officer"] for row in rows(source)] == [None, None, officer, officer, officer]
    assert tally(source, by=["gender"]).account.unmapped == {"gender: Robot": 1}


def test_none_is_a_finding_where_the_codelist_has_it(tmp_path):
    mapping = (
        HEAD.replace('"search"', '"force_report"') + '[columns]\nWhen = "event_time"\nH = "health"\nT = "tactics"\n'
    )
    text = "When,H,T\n01/04/2019 10:00,None,None\n01/04/2019 10:00,,Shield; Shield ;Baton used;\n"
    found = rows(read(wrote(tmp_path / "x.csv", text), mapping, key=None))
    assert [row["health"] for row in found] == ["None", None]
    assert [row["tactics"] for row in found] == [None, "Baton used | Shield"]


def test_items_from_cells_and_from_flags_together(tmp_path):
    mapping = HEAD.replace('"search"', '"force_report"') + (
        '[columns]\nWhen = "event_time"\nT1 = "tactics"\nT2 = "tactics"\n'
        '[values.tactics]\n"Cuffs" = "Compliant handcuffing"\n'
        '[items.tactics]\n"Taser?" = "CED fired"\n"Dog?" = "Dog bite"\n'
    )
    text = (
        "When,T1,T2,Taser?,Dog?\n01/04/2019 10:00,Cuffs,Shield,Y,0\n01/04/2019 10:00,,,no,\n"
        "01/04/2019 10:00,cuffs;Shield,Shield,maybe,TRUE\n"
    )
    source = read(wrote(tmp_path / "x.csv", text), mapping, key=None)
    assert [row["tactics"] for row in rows(source)] == [
        "CED fired | Compliant handcuffing | Shield", None, "Compliant handcuffing | Dog bite | Shield | Taser?: maybe",
    ]  # fmt: skip
    counted = tally(source, by=["tactic"])
    assert counted.account.unmapped == {"tactics: Taser?: maybe": 1}
    n = dict(zip(counted.frame()["tactic"], counted.frame()["n"]))
    assert (n["Compliant handcuffing"], n["Shield"], n["any"], n["none"]) == (2, 2, 2, 1)


def test_ages_in_years_become_bands(tmp_path):
    mapping = MAPPING + 'Age = "age_band:years"\n'
    ages = ("9", "10", "17.0", "18", "35", "120", "121", "unknown", "")
    text = HEADER.replace("\n", ",Age\n") + "".join(ROW.replace("\n", f",{age}\n") for age in ages)
    bands = [row["age_band"] for row in rows(read(wrote(tmp_path / "x.csv", text), mapping))]
    assert bands == ["under 10", "10-17", "10-17", "18-24", "over 34", "over 34", "121", "unknown", None]


@pytest.mark.parametrize(("age", "band"), [("10", "Under 11"), ("11", "11-17"), ("64", "50-64"), ("65", "65 and over")])
def test_ages_of_force_reports_have_their_own_bands(tmp_path, age, band):
    mapping = HEAD.replace('"search"', '"force_report"') + '[columns]\nWhen = "event_time"\nAge = "age_band:years"\n'
    source = read(wrote(tmp_path / "x.csv", f"When,Age\n01/04/2019 10:00,{age}\n"), mapping, key=None)
    assert rows(source)[0]["age_band"] == band


# Code schemes


@pytest.mark.parametrize(("scheme", "group"), [("pace2023", "Arab"), ("16+1", "Chinese"), ("hmpps", "Chinese")])
def test_one_code_two_meanings(tmp_path, scheme, group):
    path = wrote(tmp_path / "x.csv", HEADER + ROW.replace("W1", "O1"))
    counted = tally(read(path, MAPPING.replace("pace2023", scheme)), by=["ethnicity_self_19"]).frame()
    assert counted["ethnicity_self_19"].tolist() == [group]


def test_a_code_that_all_schemes_read_alike_is_refused_with_one_that_they_do_not(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    with pytest.raises(InputRefused, match=r"'W1' in ethnicity_self is a code; 'O1' is .* under pace2023, ") as why:
        rows(read(path, MAPPING.replace('scheme = "pace2023"\n', "")))
    said = str(why.value).partition("'O1' is ")[2].partition(";")[0]
    assert len({one.partition(" under ")[0] for one in said.split(", ")}) > 1, said


@pytest.mark.parametrize("code", ["W1", "O1", "W4", "IC3"])
def test_coded_ethnicity_needs_a_declared_scheme(tmp_path, code):
    path = wrote(tmp_path / "x.csv", HEADER + ROW.replace("W1", code))
    with pytest.raises(InputRefused, match=f"{rules.NO_SCHEME}.*'{code}'.*declare `scheme`"):
        rows(read(path, MAPPING.replace('scheme = "pace2023"\n', "")))


def test_labels_in_words_need_no_scheme(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW.replace("W1", "White - Irish") + ROW.replace("W1", "Martian"))
    source = read(path, MAPPING.replace('scheme = "pace2023"\n', ""))
    assert [row["ethnicity_self"] for row in rows(source)] == ["White - Irish", "Martian"]


def test_two_columns_of_two_schemes(tmp_path):
    """IC codes beside W1: each column by its own scheme; a code of the wrong scheme is unmapped, never borrowed."""
    mapping = MAPPING + 'IC = "ethnicity_officer"\n[schemes]\nethnicity_officer = "pnc"\n'
    text = HEADER.replace("\n", ",IC\n") + "".join(ROW.replace("\n", f",{code}\n") for code in ("IC3", "W1", "Tall"))
    source = read(wrote(tmp_path / "x.csv", text), mapping)
    counted = tally(source, by=["ethnicity_officer"])
    assert dict(zip(counted.frame()["ethnicity_officer"], counted.frame()["n"])) == {"Black": 1, "unmapped": 2}
    assert counted.account.unmapped == {"ethnicity_officer: W1 (not pnc)": 1, "ethnicity_officer: Tall": 1}


def test_a_story_is_no_label(tmp_path):
    text = HEADER + "".join(ROW.replace("Male", f"story {i}") for i in range(501))
    with pytest.raises(InputRefused, match=rules.FREE_TEXT) as refused:
        rows(read(wrote(tmp_path / "x.csv", text)))
    assert "story 4" not in str(refused.value)


# Times


def test_times_without_offset_need_a_declared_zone(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    bare = MAPPING.replace('time_zone = "Europe/London"\n', "")
    with pytest.raises(InputRefused, match=rules.NO_TIME_ZONE):
        rows(read(path, bare))
    wrote(path, HEADER + ROW.replace("01/04/2019 23:15", "2019-04-01T23:15:00+00:00"))
    assert rows(read(path, bare))[0]["event_time"] == datetime(2019, 4, 1, 23, 15, tzinfo=UTC)
    wrote(path, HEADER + ROW.replace("01/04/2019 23:15", "2019-04-01"))
    source = read(path, bare)
    assert rows(source)[0]["month"] == 591
    assert source.account.notes[rules.DATE_ONLY] == 1


@pytest.mark.parametrize(("zone", "month"), [("Europe/London", "2019-04"), ("UTC", "2019-05")])
def test_the_clock_decides_the_month(tmp_path, zone, month):
    path = wrote(tmp_path / "x.csv", HEADER + ROW.replace("01/04/2019", "30/04/2019"))
    assert tally(read(path, MAPPING.replace("Europe/London", zone)), by=[]).frame()["month"].tolist() == [month]


def test_a_date_and_a_time_of_day(tmp_path):
    mapping = MAPPING.replace('When = "event_time"', 'When = "event_time:date"\nAt = "event_time:time"').replace(
        " %H:%M", ""
    )
    text = HEADER.replace("\n", ",At\n") + "".join(
        ROW.replace("01/04/2019 23:15", "01/04/2019").replace("\n", f",{at}\n") for at in ("23:15", "", "2515", "0015")
    )
    source = read(wrote(tmp_path / "x.csv", text), mapping, quarantine=tmp_path / "aside.csv")
    assert [row["event_time"].isoformat()[11:16] for row in rows(source)] == ["22:15", "23:00", "23:15"]
    assert source.account.quarantined == {rules.TIME_UNREADABLE: 1}
    assert [row.column for row in source.quarantined] == ["At"]
    assert balanced(source)


FOOTAGE = (
    HEAD.replace('"search"', '"footage"')
    + """
[columns]
Clip = "media"
Start = "event_time"
End = "end_time"
Up = "uploaded_time"
"""
)


def test_further_times_may_be_blank(tmp_path):
    text = (
        "Clip,Start,End,Up\ne1,01/04/2019 10:00,01/04/2019 10:05,02/04/2019 09:00\n"
        "e2,01/04/2019 10:00,01/04/2019 09:00,soon\ne3,01/04/2019 10:00,,\n"
    )
    source = read(wrote(tmp_path / "x.csv", text), FOOTAGE)
    found = rows(source)
    assert [row["end_time"] and row["end_time"].hour for row in found] == [9, 8, None]
    assert [row["uploaded_time"] is None for row in found] == [False, True, True]
    assert source.account.notes[rules.BEFORE_START] == 1
    assert source.account.notes[f"{rules.TIME_LEFT_BLANK}: uploaded_time"] == 1


def test_a_note_counts_a_row_once_however_many_times_it_has(tmp_path):
    text = "Clip,Start,End,Up\n" + "e1,01/04/2019 10:00,01/04/2019 10:05,02/04/2019 09:00\n" * 4
    source = read(wrote(tmp_path / "x.csv", text), FOOTAGE)
    assert len(rows(source)) == 4
    assert {name: n for name, n in source.account.notes.items() if name.startswith(rules.LOCAL_TIME)} == {
        rules.LOCAL_TIME: 4, f"{rules.LOCAL_TIME}: end_time": 4, f"{rules.LOCAL_TIME}: uploaded_time": 4,
    }  # fmt: skip


def test_a_clip_by_its_length(tmp_path):
    mapping = FOOTAGE.replace('End = "end_time"', 'Length = "end_time:duration"')
    text = "Clip,Start,Length,Up\ne1,01/04/2019 10:00,5:12,\ne2,01/04/2019 10:00,,\ne3,01/04/2019 10:00,long,\n"
    source = read(wrote(tmp_path / "x.csv", text), mapping)
    ends = [row["end_time"] for row in rows(source)]
    assert ends == [datetime(2019, 4, 1, 9, 5, 12, tzinfo=UTC), None, None]
    assert source.account.notes[f"{rules.TIME_LEFT_BLANK}: end_time"] == 1


def test_months_alone(tmp_path):
    mapping = HEAD + '[columns]\nMonth = "month"\nSex = "gender"\n'
    source = read(wrote(tmp_path / "x.csv", "Month,Sex\n2019-04,Male\nApril,Male\n,Male\n"), mapping, key=None)
    assert [row["month"] for row in rows(source)] == [591]
    assert source.account.quarantined == {rules.MONTH_UNREADABLE: 1, rules.DATE_BLANK: 1}


# Files


@pytest.mark.parametrize(
    "how", [{"encoding": "utf-8-sig"}, {"encoding": "utf-16"}, {"encoding": "cp1252"}, {"delimiter": ";"},
            {"delimiter": "\t"}, {"end": "\r\n"}],
)  # fmt: skip
def test_however_it_is_written_it_says_the_same(tmp_path, how):
    header, row = HEADER.replace("Sex", "Sex \u00e9"), ROW
    text = (header + row).replace(",", how.get("delimiter", ",")).replace("\n", how.get("end", "\n"))
    path = wrote(tmp_path / "x.csv", text, encoding=how.get("encoding", "utf-8"))
    mapping = MAPPING.replace("Sex =", '"sex  \u00c9" =')
    assert rows(read(path, mapping))[0]["gender"] == "Male"
    declared = {"delimiter": how.get("delimiter", ","), "encoding": how.get("encoding", "utf-8")}
    lines = "".join(f'{name} = "{value}"\n'.replace("\t", "\\t") for name, value in declared.items())
    assert rows(read(path, lines + mapping))[0]["gender"] == "Male"


def test_an_encoding_that_does_not_fit_is_refused(tmp_path):
    path = wrote(tmp_path / "x.csv", (HEADER + ROW).replace("S1", "S\u00e9"), encoding="cp1252")
    with pytest.raises(InputRefused, match="not all utf-8"):
        rows(read(path, 'encoding = "utf-8"\n' + MAPPING))


def test_two_columns_of_one_name_are_told_apart(tmp_path):
    path = wrote(tmp_path / "x.csv", "Ref,Collar,When,Sex,Eth,sex\nS1,C1,01/04/2019 10:00,Male,W1,Female\n")
    assert rows(read(path))[0]["gender"] == "Male"
    second = read(path, MAPPING.replace("Sex =", '"Sex [2]" ='))
    assert rows(second)[0]["gender"] == "Female"
    assert second.account.notes[f"{rules.DUPLICATE_NAME}: sex"] == 1


def test_a_missing_column_is_refused_and_others_are_named(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER.replace("Collar", "Colar") + ROW)
    with pytest.raises(InputRefused, match="no column 'Collar'; did you mean 'Colar'"):
        rows(read(path))
    wrote(path, HEADER.replace("\n", ",Remarks,Shift\n") + ROW.replace("\n", ",secret,late\n"))
    assert f"{rules.UNMAPPED_COLUMN}: Remarks" in read(path).account.notes
    quiet = read(path, 'ignore = ["remarks", "Gone"]\n' + MAPPING)
    assert [note for note in quiet.account.notes if note.startswith(rules.UNMAPPED_COLUMN)] == [
        f"{rules.UNMAPPED_COLUMN}: Shift"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", rules.EMPTY_FILE), (b"PK\x03\x04rest", rules.BAD_EXTRACT), (b"one\ntwo\n", rules.BAD_EXTRACT),
     (b"PAR1 but no more", "cannot be decoded")],
)  # fmt: skip
def test_what_is_no_extract(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputRefused, match=message):
        rows(read(path))


def test_paths(tmp_path):
    with pytest.raises(InputRefused, match=rules.MISSING_FILE):
        read(tmp_path / "gone.csv")
    with pytest.raises(InputRefused, match=rules.NOTHING_TO_READ):
        read(tmp_path)
    with pytest.raises(UsageError, match="no path"):
        read_mapped(mapping=parse_mapping(MAPPING))
    wrote(tmp_path / "a.csv", HEADER + ROW)
    wrote(tmp_path / "b.txt", HEADER + ROW.replace("01/04/2019", "01/05/2019"))
    wrote(tmp_path / "again.csv", HEADER + ROW)
    wrote(tmp_path / ".hidden.csv", "x")
    source = read(tmp_path)
    assert len(rows(source)) == 2
    assert source.account.notes[rules.SAME_CONTENT] == 1
    assert len(rows(read(tmp_path / "?.*"))) == 2


def test_parquet_says_the_same(tmp_path):
    made_up = invented("search", seed=2)
    table = pd.DataFrame(made_up.rows, columns=made_up.header)
    when = next(name for name, target in made_up.is_what.items() if target == "event_time")
    columns = "\n".join(f'"{name}" = "{target}"' for name, target in made_up.is_what.items())
    mapping = (
        HEAD
        + f'[columns]\n{columns}\n[schemes]\nethnicity_officer = "pnc"\n[values.gender]\nM = "Male"\nF = "Female"\n'
    )
    text = read(wrote(tmp_path / "x.csv", made_up.text()), mapping)
    table[when] = pd.to_datetime(table[when], dayfirst=True)
    table.to_parquet(tmp_path / "x.parquet", row_group_size=70)
    typed = read(tmp_path / "x.parquet", mapping)
    assert rows(typed) == rows(text)
    assert typed.account.read == 300
    pq.write_table(pa.table({"When": pa.array([1, 2])}), tmp_path / "y.parquet")
    with pytest.raises(InputRefused, match=rules.NO_SUCH_COLUMN):
        rows(read(tmp_path / "y.parquet"))


def test_not_one_row_readable_is_refused_without_saying_whose(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + "S1,C4412,Ann Example 12,Male,W1\n" * 10)
    with pytest.raises(InputRefused, match=rules.NO_ROW_READABLE) as refused:
        rows(read(path))
    assert "'Aaa Aaaaaaa 99'" in str(refused.value)


# The protocol


def test_asking_for_columns(tmp_path):
    source = read(wrote(tmp_path / "x.csv", HEADER + ROW))
    assert set(rows(source, {"gender"})[0]) == {"force", "month", "gender"}
    assert set(rows(source, {"part_month"})[0]) == {"force", "month", "part_month"}
    with pytest.raises(UsageError, match="no column 'gneder' of searches; did you mean 'gender'"):
        rows(source, {"gneder"})


def test_two_reads_must_see_the_same_bytes(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    source = read(path)
    assert len(rows(source)) == 1
    wrote(path, HEADER + ROW.replace("Male", "male"))
    with pytest.raises(InputRefused, match=rules.CHANGED):
        rows(source)


def test_progress_and_a_header_alone(tmp_path):
    seen = []
    source = read(wrote(tmp_path / "x.csv", HEADER), progress=lambda *told: seen.append(told))
    assert rows(source) == []
    assert len(seen) == 1
    assert seen[0][0] == seen[0][1] == len(HEADER)
    assert source.account.notes[rules.NOTHING_OBSERVED] == 1
    assert len(source.parts) == 0
