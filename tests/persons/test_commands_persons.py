"""`disprop persons` on invented extracts, read by a mapping: from raw files to figures about people."""

import json
from collections import Counter

import naive_encounters as naive
import pytest

import disprop as dp
from disprop.io.store import add
from disprop.synthetic import write_encounters

MONTHS = ("2023-04", "2023-05")
MAPPING = """
name = "invented-searches"
kind = "search"
force = "synthetic-shire"
scheme = "pace2023"
time_zone = "Europe/London"
date_formats = ["%d/%m/%Y"]

[columns]
"Date of Search" = "event_time:date"
"Time of Search" = "event_time:time"
"Search Type" = "search_type"
"Searching Officer" = "officer"
"Nominal Ref" = "person"
"Self Class Ethnicity" = "ethnicity_self"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_encounters(folder, months=MONTHS, repeat_share=0.5)
    (folder / "searches.toml").write_text(MAPPING, encoding="utf-8")
    (folder / "secret.key").write_text("an invented secret, for this test", encoding="utf-8")
    dp.synthetic.population().save(folder / "residents.parquet")
    return folder


@pytest.fixture
def run(folder, run):
    def run_persons(measure, *options, source=()):
        mapped = [folder / "searches", "--mapping", folder / "searches.toml", "--key-file", folder / "secret.key"]
        code, out, err = run("persons", measure, *(source or mapped), "--format", "json", *options)
        return code, json.loads(out) if out.startswith("[") else out, err

    return run_persons


def searches(folder):
    return [
        row
        for rows in naive.extracts(folder, "search").values()
        for row in rows
        if row["Search Type"] != "Vehicle search"
    ]


def test_repeats_and_people_are_those_of_the_files(run, folder):
    repeats, total = naive.repeat_share(searches(folder))
    code, rows, _ = run("repeat_search_share", "--by", "force")
    assert (code, rows[0]["numerator"], rows[0]["denominator"]) == (0, repeats, total)
    assert repeats > 100
    code, rows, _ = run("people_searched", "--by", "force")
    assert (code, rows[0]["estimate"]) == (0, len({row["Nominal Ref"] for row in searches(folder)}))


def test_rates_and_ratios_are_of_the_people_in_the_files(run, folder):
    residents = ("--population", folder / "residents.parquet")
    _, rows, _ = run("person_rate", *residents)
    people = {(row["ethnicity_self"], row["measure"]): row["numerator"] for row in rows}
    black = {row["Nominal Ref"] for row in searches(folder) if row["Self Class Ethnicity"] in ("B1", "B2", "B9")}
    assert people["Black", "person_rate"] == len(black) < people["Black", "search_rate"]
    code, rows, _ = run("rate_ratio", "--reference", "everyone else", *residents)
    times = Counter(r["Nominal Ref"] for r in searches(folder) if r["Self Class Ethnicity"] in ("B1", "B2", "B9"))
    row = next(row for row in rows if row["ethnicity_self"] == "Black")
    assert (code, row["numerator"]) == (0, times.total())
    assert row["method"].startswith("score, person-clustered")


def test_no_identifier_is_shown(run, folder):
    _, rows, err = run("repeat_search_share")
    shown = json.dumps(rows) + err
    assert not any(row["Nominal Ref"] in shown or row["Searching Officer"] in shown for row in searches(folder))


def test_unknown_measure_is_a_usage_error(run):
    code, _, err = run("people_rate")
    assert code == 2
    assert "people_rate" in err


def test_a_store_of_several_kinds_gives_the_people_searched(run, folder, tmp_path):
    made = dp.synthetic.make_encounters(months=MONTHS[:1], repeat_share=0.5)
    store = tmp_path / "all.store"
    add(store, made.source("search"), made.source("force_report"))
    searched = [key for key in made.searches["person"].to_pylist() if key]
    for options in ((), ("--kind", "search")):
        code, rows, _ = run("people_searched", "--by", "force", *options, source=[store])
        assert (code, rows[0]["estimate"]) == (0, len(set(searched)))


def test_people_searched_are_no_figure_of_force_reports(run):
    code, _, err = run("people_searched", "--kind", "force_report")
    assert (code, "leave out --kind force_report" in err) == (2, True)
