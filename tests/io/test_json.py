"""Answers of the JSON interface."""

import json

import pytest
from police_files import balances, record, rows_of, write_json, write_text

import disprop.io.archive
import disprop.io.json_rows
from disprop.errors import InputRefused
from disprop.io import rules
from disprop.io.police_uk import read_police_uk

NAME = "2023-01-kent.json"


def test_values_are_as_the_csv_would_write_them(tmp_path):
    (row,) = rows_of(read_police_uk(write_json(tmp_path / NAME, [record()])))
    assert row["linked"] == "True"
    assert row["more_thorough"] == "False"
    assert row["operation"] is None
    assert row["legislation"] is None
    assert (row["latitude"], row["longitude"]) == (51.5, -0.1)
    assert row["search_type"] == "Person search"


def test_null_is_never_false(tmp_path):
    """Many public clients turn the nullable flags to false."""
    nothing = record(outcome_linked_to_object_of_search=None, removal_of_more_than_outer_clothing=None, outcome="")
    (row,) = rows_of(read_police_uk(write_json(tmp_path / NAME, [nothing])))
    assert row["linked"] is None
    assert row["more_thorough"] is None
    assert row["outcome"] is None


def test_the_older_outcome_false_is_kept_as_a_label(tmp_path):
    (row,) = rows_of(read_police_uk(write_json(tmp_path / NAME, [record(outcome=False)])))
    assert row["outcome"] == "False"


def test_a_record_without_a_place(tmp_path):
    (row,) = rows_of(read_police_uk(write_json(tmp_path / NAME, [record(location=None)])))
    assert row["latitude"] is None


def test_rows_may_name_their_force(tmp_path):
    file = write_json(tmp_path / "2023-01.json", [record(force_id="kent"), record(force_id="essex")])
    source = read_police_uk(file)
    assert [row["force"] for row in rows_of(source)] == ["kent", "essex"]
    assert {(part["force"], part["month"]) for part in source.parts} == {("kent", 636), ("essex", 636)}
    assert source.account.notes == {}


def test_without_a_force_it_must_be_given(tmp_path):
    file = write_json(tmp_path / "2023-01.json", [record()])
    with pytest.raises(InputRefused, match="--force ID"):
        rows_of(read_police_uk(file))
    assert len(rows_of(read_police_uk(file, force="kent"))) == 1


def test_an_empty_answer_is_no_observed_month(tmp_path):
    """The interface answers [] for a force it does not know, too."""
    source = read_police_uk(write_json(tmp_path / "stops.json", []), force="kent")
    assert rows_of(source) == []
    assert source.account.notes == {rules.NOTHING_OBSERVED: 1, rules.FORCE_GIVEN: 1, rules.FORCE_NOT_USED: 1}
    assert len(source.parts) == 0


def test_keys_that_are_no_column_and_columns_that_are_no_key_are_named(tmp_path):
    short = record(borough="Here")
    del short["gender"]
    source = read_police_uk(write_json(tmp_path / NAME, [short, record()]))
    assert [row["gender"] for row in rows_of(source)] == [None, "Male"]
    assert source.account.notes == {f"{rules.UNKNOWN_COLUMN}: borough": 1}
    del short["borough"]
    alone = read_police_uk(write_json(tmp_path / "alone" / NAME, [short]))
    assert rows_of(alone)
    assert alone.account.notes == {f"{rules.MISSING_COLUMN}: Gender": 1}


def test_numbers_lists_and_lone_surrogates_become_labels(tmp_path):
    odd = record(outcome=7, gender=["Male"], operation_name="\ud800")
    (row,) = rows_of(read_police_uk(write_json(tmp_path / NAME, [odd])))
    assert (row["outcome"], row["gender"], row["operation_name"]) == ("7", '["Male"]', "?")


@pytest.mark.parametrize("chunk", [7, 100, 1000])
@pytest.mark.parametrize("indent", [None, 4])
def test_the_pieces_do_not_matter(tmp_path, monkeypatch, chunk, indent):
    monkeypatch.setattr(disprop.io.archive, "CHUNK", chunk)
    monkeypatch.setattr(disprop.io.json_rows, "BATCH", 3)
    file = write_text(tmp_path / NAME, json.dumps([record(gender=f"é{i}") for i in range(10)], indent=indent))
    source = read_police_uk(file)
    assert [row["gender"] for row in rows_of(source)] == [f"é{i}" for i in range(10)]
    assert balances(source)
    assert source.account.read == 10


@pytest.mark.parametrize(
    "text",
    [
        "[",
        '[{"type": "x"',
        "[1 2]",
        "[1,]",
        "[,1]",
        "[] []",
        "[NaN}",
        '{"error": "too many"}',
        '["' + "x" * 2_000_000,
        "[" * 100_000,
        "[" + "9" * 5_000 + "]",
    ],
)
def test_what_is_no_list_is_refused(tmp_path, text):
    with pytest.raises(InputRefused, match=NAME):
        rows_of(read_police_uk(write_text(tmp_path / NAME, text)))


def test_a_broken_answer_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(disprop.io.archive, "CHUNK", 100_000)
    seen = []
    file = write_text(tmp_path / NAME, '["' + "x" * 5_000_000)
    with pytest.raises(InputRefused):
        rows_of(read_police_uk(file, progress=lambda done, total, name: seen.append(done)))
    assert seen[-1] < 1_500_000


def test_records_without_type_or_date_are_refused(tmp_path):
    with pytest.raises(InputRefused, match=rules.REQUIRED_COLUMN):
        rows_of(read_police_uk(write_json(tmp_path / NAME, [{"id": 1, "datetime": "2023-01-01T00:00:00Z"}])))


def test_the_quarantine_row_is_the_record(tmp_path):
    source = read_police_uk(write_json(tmp_path / NAME, [record(), record(datetime="soon")]))
    rows_of(source)
    (row,) = source.quarantined
    assert (row.line, row.column, row.value) == (2, "datetime", "soon")
    assert json.loads(row.row)["datetime"] == "soon"
