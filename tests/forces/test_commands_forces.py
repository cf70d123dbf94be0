"""The commands on forces, months, looks and sentinels, through the entry point."""

import json

import pytest

import disprop as dp
from disprop import cli
from disprop.commands import forces

MONTHS = ("2022-04", "2022-05", "2022-06", "2022-07", "2022-08", "2022-09", "2022-10", "2022-11")


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forces")
    dp.synthetic.write_police_uk(folder / "files", months=MONTHS)
    dp.synthetic.population().save(folder / "residents.parquet")
    (folder / "groups.csv").write_text("force,member,dated\nsynthetic-shire,synthetic-shire,2022-01\n")
    (folder / "breaks.csv").write_text("month,note,force\n2022-07,new form,\n")
    return folder


@pytest.fixture
def run(records, run):
    """Run a command on the records: exit code, rows, standard error."""

    def run_on_records(*arguments, population=True):
        people = ["--population", records / "residents.parquet"] if population else []
        code, out, err = run(*arguments, records / "files", *people, "--format", "json")
        return code, json.loads(out) if out.startswith("[") else out, err

    return run_on_records


@pytest.mark.parametrize("kind", ["funnel", "outlier_lines", "rank_range"])
@pytest.mark.parametrize("measure", forces.MEASURED)
def test_forces(run, kind, measure):
    code, rows, _ = run("forces", kind, "--measure", measure, population=True)
    assert code == 0
    said = "linked_find" if measure == "find_rate" else measure
    assert {row["measure"] for row in rows} == {f"{kind}, {said}"}


@pytest.mark.parametrize("kind", ["similar_group_average", "against_similar"])
def test_similar_forces(run, records, kind):
    code, rows, _ = run("forces", kind, "--groups", records / "groups.csv")
    assert code == 0
    assert {row["force"] for row in rows} == {"synthetic-shire"}
    assert run("forces", kind)[0] == cli.USAGE


@pytest.mark.parametrize(
    ("kind", "options", "rows"),
    [
        ("control_chart", ["--by", "force"], 4 * 8),
        ("change_points", ["--by", "force"], 4),
        ("rolling", ["--measure", "search_rate", "--from", "2022-04", "--to", "2022-11"], None),
        ("rate_change", ["--by", "force", "--before", "2022-04:2022-06", "--after", "2022-07:2022-09"], 1),
        ("rate_ratio_change", ["--by", "force", "--before", "2022-04:2022-06", "--after", "2022-07:2022-09"], 4),
    ],
)
def test_months(run, kind, options, rows):
    code, found, err = run("months", kind, *options)
    if rows is None:
        assert (code, "does not fit" in err) == (cli.USAGE, True)
    else:
        assert (code, len(found)) == (0, rows)


def test_breaks_are_read_and_drawn(run, records):
    _, rows, _ = run("months", "control_chart", "--breaks", records / "breaks.csv")
    drawn = [row for row in rows if "a break declared here: new form" in (row["flag"] or "")]
    assert {row["month"] for row in drawn} == {"2022-07"}


@pytest.mark.parametrize("kind", forces.LOOKS)
def test_looks(run, kind):
    code, rows, _ = run("looks", kind, "--by", "force,ethnicity_self" if kind == "shrunken_rates" else "force")
    assert code == 0
    assert rows


def test_sentinels(run):
    code, rows, _ = run("sentinels", population=False)
    assert code == 0
    assert {row["measure"] for row in rows} == {"clock_conventions"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["forces", "league_table"],
        ["forces", "funnel", "--groups", "groups"],
        ["months", "rate_change", "--before", "2022-04:2022-06"],
        ["months", "rate_change", "--before", "2022-04", "--after", "2022-05"],
        ["forces", "ratio_against_rest"],
    ],
)
def test_usage_errors(run, records, arguments):
    arguments = [records / "groups.csv" if one == "groups" else one for one in arguments]
    assert run(*arguments)[0] == cli.USAGE
