"""People from where records are kept to where ratios are read: the store, and the report."""

import naive_encounters as naive
import pandas as pd
import pytest
from test_commands_persons import MAPPING

import disprop as dp
from disprop.io.mapping.extracts import read_mapped
from disprop.io.store import add
from disprop.keys import KeyedHash
from disprop.persons import names_people, person_tally
from disprop.report import foot
from disprop.synthetic import write_encounters

MONTHS = ("2023-04", "2023-05")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    write_encounters(folder, months=MONTHS, repeat_share=0.8)
    (folder / "searches.toml").write_text(MAPPING, encoding="utf-8")
    add(folder / "store", extracts(folder))
    return folder


def extracts(folder):
    return read_mapped(folder / "searches", mapping=folder / "searches.toml", key=KeyedHash(b"an invented secret"))


def test_people_of_a_store_are_those_of_the_files(folder):
    stored = dp.open_store(folder / "store")
    assert names_people(stored)
    assert names_people(extracts(folder))
    kept, read = (person_tally(records, by=["ethnicity_self"]) for records in (stored, extracts(folder)))
    for measure in (dp.repeat_search_share, dp.people_searched):
        pd.testing.assert_frame_equal(measure(kept), measure(read))
    rows = [row for month in naive.extracts(folder, "search").values() for row in month if row["Nominal Ref"]]
    assert dp.people_searched(kept, by=[]).iloc[0]["estimate"] == len({row["Nominal Ref"] for row in rows})


def test_a_report_allows_for_people_searched_again(folder):
    out = folder / "report"
    dp.make_report(dp.open_store(folder / "store"), out, population=dp.synthetic.population())
    ratios = pd.read_csv(out / "rate_ratio.csv")
    stored = dp.open_store(folder / "store")
    people = person_tally(stored, by=["ethnicity_self"])
    expected = dp.rate_ratio(people.counted, dp.synthetic.population(), by=["force"], persons=people)
    assert ratios["method"].tolist() == expected["method"].tolist()
    assert ratios["method"].str.contains("person-clustered").any()
    page = (out / "report.html").read_text(encoding="utf-8")
    number = next(method for method in ratios["method"] if "person-clustered" in method).rpartition(" ")[2]
    assert f"(×{number}, people)" in page


def test_methods_say_what_widened_them():
    assert foot._widened("score, month dispersion 4.38") == ("score", "×4.38, months")
    assert foot._widened("score, person-clustered 1.23") == ("score", "×1.23, people")
    assert foot._widened("mid_p") == ("mid_p", "")
