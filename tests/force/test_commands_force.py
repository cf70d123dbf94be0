"""`disprop force` and `disprop measure` of force reports, through the entry point."""

import json

import pytest
from met_files import write

from tests.invent import force_reports, many

HEAD = "Police Force,Type of force,Tactic,White,Black (or Black British),Not reported"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Reports in canonical columns, searches beside them, a published table, a file in the Metropolitan layout."""
    folder = tmp_path_factory.mktemp("force")
    some = [row for row in force_reports(600) if row["force"] == "kent"]
    names = list(some[0])
    lines = [",".join(f'"{row[name] or ""}"' for name in names) for row in some]
    (folder / "reports.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    rows = ["Kent,Restraint,*Total Restraint,40,20,3", "Kent,Restraint,Ground restraint,40,20,3"]
    (folder / "april2018-march2019.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    looked = [row for row in many(900) if row["force"] == "kent" and row["search_type"] != "Vehicle search"]
    head = "Type,Date,Officer-defined ethnicity"
    lines = [
        f"{row['search_type']},{row['month']}-05T10:00:00+00:00,{row['ethnicity_officer'] or ''}" for row in looked
    ]
    for month in sorted({row["month"] for row in looked}):
        own = [line for line in lines if f",{month}-" in line]
        (folder / f"{month}-kent-stop-and-search.csv").write_text("\n".join([head, *own]) + "\n")
    write(folder / "met.csv", {}, {"IncidentTime": "10:00"}, {"IncidentTime": "11:00"})
    return folder


def test_measures_of_force_read_canonical_columns_and_flag_perception(run, files):
    arguments = ["measure", "force_ratio", files / "reports.csv", "--by", "force,tactic", "--format", "json"]
    code, out, _ = run(*arguments, "--perceived")
    assert code == 4  # `Bolas` is no tactic that anybody knows
    rows = json.loads(out)
    assert {row["tactic"] for row in rows} >= {"CED drawn", "CED fired", "any"}
    assert all("perceived ethnicity" in row["flag"] for row in rows)
    assert run(*arguments)[0] == 3


@pytest.mark.parametrize(
    "name", ["compliant_handcuffing_share", "effect_search_share", "officer_injury_share", "person_injury_share"]
)
def test_shares_of_reports(run, files, name):
    code, out, _ = run("measure", name, files / "reports.csv", "--by", "force", "--format", "json")
    assert code in (0, 4)
    assert {row["measure"] for row in json.loads(out)} == {name}


def test_rates_by_age_use_the_bands_of_the_collection(run, files):
    code, out, _ = run("measure", "force_rate", files / "reports.csv", "--by", "age_band", "--format", "json")
    assert code == 0
    assert "11-17" in {row["age_band"] for row in json.loads(out)}


@pytest.mark.parametrize("show", ["uses", "apart", "rate", "ratio"])
def test_published_tables(run, files, show):
    path = files / "april2018-march2019.csv"
    code, out, _ = run("force", "published", path, "--show", show, "--perceived", "--format", "json")
    assert code == 0
    if show == "uses":
        assert {(row["ethnicity_officer"], row["n"]) for row in json.loads(out)} == {
            ("White", 40), ("Black", 20), ("not stated", 3),
        }  # fmt: skip


def test_the_group_of_a_published_table_may_be_named_among_the_axes(run, files):
    path = files / "april2018-march2019.csv"
    code, plain, _ = run("force", "published", path, "--by", "force", "--format", "json")
    assert (code, json.loads(plain)[0]["ethnicity_officer"]) == (0, "White")
    for by in ("force,ethnicity_officer", "force,force"):
        code, out, _ = run("force", "published", path, "--by", by, "--format", "json")
        assert (code, out) == (0, plain)


def test_beside_searches(run, files):
    arguments = ["force", "beside", "searches", *sorted(files.glob("2019*.csv")), "--reports", files / "reports.csv"]
    code, out, _ = run(*arguments, "--format", "json", "--force", "kent")
    assert code == 0
    assert {row["unit"] for row in json.loads(out)} == {"force reports per 100 searches"}


def test_incidents_of_the_metropolitan_layout_are_a_sensitivity(run, files):
    code, out, _ = run("force", "incidents", files / "met.csv", "--guess", "--format", "json")
    assert code == 0
    (row,) = json.loads(out)
    assert (row["numerator"], row["bound_low"], row["bound_high"], row["estimate"]) == (2, None, None, None)
    assert "nor a bound" in row["flag"]


def test_people_and_recording_run(run, files):
    code, out, _ = run("force", "people", files / "reports.csv", "--format", "json")
    assert (code, json.loads(out)[0]["numerator"]) == (0, None)
    assert run("force", "recording", files / "reports.csv", "--format", "csv")[0] == 4
    assert "No jump was found" in run("force", "recording", files / "reports.csv")[1]


def test_a_wrong_kind_is_one_line(run, files, tmp_path):
    import disprop as dp
    from disprop.io.store import add

    add(tmp_path / "store", dp.read_frame(dp.synthetic.make_records(months=["2023-04"])))
    code, _, err = run("force", "recording", tmp_path / "store")
    assert code == 2
    assert err.count("\n") == 1
