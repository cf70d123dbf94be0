"""The page of golden values says what the fixtures hold."""

import golden_table
import pytest


def test_page_is_not_stale():
    found = golden_table.PAGE.read_text(encoding="utf-8")
    assert found == golden_table.page(), "run: python -m tests.golden_table"


def test_every_list_names_each_method_once():
    seen = [(line["file"], line["measure"], line["golden_method"], line["note"]) for line in golden_table.methods()]
    assert len(seen) == len(set(seen)) > 0


@pytest.mark.parametrize("file", ["a_single_proportion", "b_poisson_rate", "c_two_rates", "c_two_proportions"])
def test_no_fixture_row_is_left_out_of_the_lists(file):
    lines = [line for line in golden_table.methods() if line["file"] == file and line["function"]]
    in_lists = {row["case_id"] for line in lines for row in golden_table.rows(line)}
    in_fixture = {row["case_id"] for row in golden_table.read(golden_table.FOLDER / f"{file}.csv")}
    assert in_lists == in_fixture
