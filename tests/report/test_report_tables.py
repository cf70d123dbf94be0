"""CSV files: the frames, whole; marked where invented; safe to open."""

import csv
import io

import pandas as pd
import pytest

from disprop.provenance import Account
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
