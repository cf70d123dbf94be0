"""CSV files: the frames, whole; marked where invented; safe to open."""

import csv
import io
from dataclasses import replace

import pandas as pd
import pytest

from disprop.provenance import Account
from disprop.report.caveats import caveats
from disprop.report.sections import result_sections
from disprop.report.tables import account_rows, csv_tables, files_table, frame_csv, row_notes
from tests.report.cases import case


def read(text, **options):
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""], **options)


def test_csv_files_are_the_frames(inputs):
    texts = csv_tables(inputs)
    for name, frame in [*inputs.results.items(), ("coverage", inputs.coverage), ("files", inputs.files)]:
        back = read(texts[f"{name}.csv"])
        if inputs.synthetic:
            assert (back.pop("synthetic") == "SYNTHETIC: invented records").all()
        assert list(back.columns) == list(frame.columns)
        for column in frame.columns:
            wanted = frame[column].astype(object).where(frame[column].notna() & (frame[column] != ""), None).tolist()
            got = back[column].astype(object).where(back[column].notna(), None).tolist()
            assert got == wanted, (name, column)


def test_numbers_are_in_full():
    third = pd.DataFrame({"estimate": [1 / 3, float("nan")], "n_unknown": pd.array([7, None], dtype="Int64")})
    assert frame_csv(third, False) == "estimate,n_unknown\n0.3333333333333333,7\n,\n"


def test_the_account_line_by_line():
    account = Account(read=10, excluded={"a": 3}, quarantined={"b": 2}, notes={"c": 1}, unmapped={"d": 4})
    rows = account_rows(account)
    assert rows[:4] == [("read", "", 10), ("counted", "", 5), ("excluded", "a", 3), ("quarantined", "b", 2)]
    assert rows[4:] == [("notes", "c", 1), ("unmapped", "d", 4)]


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_a_label_is_never_a_formula(label):
    text = frame_csv(pd.DataFrame({"label": [label], "estimate": [-1.5]}), False)
    (row,) = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert row == [f"'{label}".replace("\r", " "), "-1.5"]


def test_an_invented_table_without_rows_still_says_so_in_its_head():
    assert frame_csv(pd.DataFrame({"a": []}), True) == "synthetic,a\n"


def test_notes_on_every_row_stand_before_those_on_some():
    rows = [{"group": "Mixed", "flag": "no residents; all"}, {"group": "Black", "flag": "all"}]
    assert row_notes(rows) == ("All.", "Mixed: the Census counts no residents of this group here.")
    assert row_notes(rows, but=("all",)) == ("Mixed: the Census counts no residents of this group here.",)


def test_only_the_own_files_are_printed_and_no_folder():
    table, others = files_table(case("small").files, "west-midlands")
    assert (table.head, table.rows, others) == (("File", "Rows read"), (("2019-04-x.csv", "40"),), True)
    windows = pd.DataFrame({"name": ["C:\\x\\a.csv"], "sha256": ["ab" * 32], "rows": [1_000], "notes": [None]})
    table, others = files_table(windows, "west-midlands")
    assert table.head == ("Name", "SHA-256", "Rows")
    assert (table.rows, others) == ((("a.csv", "abababababab…", "1,000"),), False)


def test_a_file_of_two_forces_is_listed_for_each_of_them():
    files = pd.DataFrame({"file": ["both.csv", "theirs.csv", "whose.csv"], "force": ["gwent, kent", "kent", None]})
    note = "A file that holds records of other forces too is listed with all its rows; files.csv names the forces."
    table, others = files_table(files, "gwent")
    assert (table.rows, table.notes, others) == ((("both.csv",),), (note,), True)
    table, _ = files_table(files, "kent")
    assert (table.rows, table.notes) == ((("both.csv",), ("theirs.csv",)), (note,))
    table, _ = files_table(files, "went")
    assert table.rows == (), "a name within another is not that force"
    assert files_table(files[1:], "kent")[0].notes == ()


# People searched again -----------------------------------------------------------------------------------------------


def clustered(inputs, *groups):
    """The same with the ratios of some groups by limits that allow for people searched again."""
    ratios = inputs.results["rate_ratio"].copy()
    ratios.loc[ratios["ethnicity_self"].isin(groups), "method"] = "score, person-clustered 1.80"
    within = inputs.results["rate_ratio"].assign(measure="rate_ratio_within_areas")
    return replace(inputs, results=inputs.results | {"rate_ratio": ratios, "rate_ratio_within_areas": within})


def about_people(inputs):
    """Tables with a note on people searched again -> the note."""
    tables = [block for section in result_sections(inputs) for block in section.blocks if block.kind == "table"]
    assert {"ratios", "within-areas", "excess", "rates", "arrest"} <= {table.name for table in tables}
    return {table.name: note for table in tables for note in table.notes if "searched again" in note}


def test_a_table_whose_intervals_are_not_widened_for_people_searched_again_says_so():
    notes = about_people(clustered(case("whole"), "Black", "Asian"))
    assert notes.keys() == {"excess", "within-areas"}
    assert "of these groups are widened for that: Asian and Black." in notes["excess"]
    assert "The intervals of the differences here are not; widened likewise, they would be wider." in notes["excess"]
    assert "The intervals of the ratios within areas here are not" in notes["within-areas"]
    assert about_people(clustered(case("whole"))) == {}


def test_and_the_limits_of_the_report_name_all_that_is_not_widened():
    said = dict(caveats(clustered(case("whole"), "Black")))["Searched again"]
    for figure in ("rates", "shares", "differences", "within areas"):
        assert figure in said
    assert "Searched again" not in dict(caveats(case("whole")))
