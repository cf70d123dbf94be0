"""The command line through its entry point: what it prints, what it writes, its exit codes, one line an error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import pytest

import disprop as dp
from disprop import cli
from disprop.months import month_number
from disprop.tallies import load

MONTHS = ("2023-04", "2023-05", "2023-06", "2023-07", "2023-08", "2023-09")
ENTRY = Path(sys.executable).parent / "disprop"


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """Six months of an invented force in the public format, and its residents."""
    folder = tmp_path_factory.mktemp("records")
    dp.synthetic.write_police_uk(folder / "files", months=MONTHS)
    dp.synthetic.population().save(folder / "residents.parquet")
    return folder


def options(records):
    return [records / "files", "--population", records / "residents.parquet"]


def test_help_lists_the_commands_and_exit_codes(run):
    code, out, _ = run("--help")
    assert code == 0
    for word in ("report", "measure", "tally", "census", "demo", "Exit codes"):
        assert word in out


def test_measure_help_lists_every_measure(run):
    from disprop.measures import MEASURES

    words = run("measure", "--help")[1].replace(",", " ").split()
    assert set(MEASURES) <= set(words)


@pytest.mark.parametrize("name", ["find_rate_ratio", "tipping_share", "rate_ratio_imputed", "agreement_matrix"])
def test_every_kind_of_measure_runs_from_the_command_line(run, records, name):
    code, out, _ = run("measure", name, *options(records), "--by", "force,ethnicity_self", "--format", "json")
    assert code == 0
    assert {row["measure"] for row in json.loads(out)} == {name}


def test_rates_by_perceived_ethnicity_are_given_when_asked_for_and_flagged(run, records):
    arguments = ["measure", "rate_ratio", *options(records), "--by", "force,ethnicity_officer", "--format", "json"]
    code, out, _ = run(*arguments, "--perceived")
    assert code == 0
    assert all("perceived ethnicity against self-described Census" in row["flag"] for row in json.loads(out))


def test_the_inspectorates_figures_are_by_group_whatever_is_asked(run, records):
    code, out, _ = run("measure", "hmicfrs", *options(records), "--by", "force", "--vintage", "2021_22")
    assert code == 0
    assert "ethnic minorities combined" in out


def test_the_inspectorates_figures_need_a_vintage(run, records):
    arguments = ["measure", "hmicfrs", *options(records), "--by", "force,ethnicity_self", "--format", "json"]
    code, out, _ = run(*arguments, "--vintage", "2021_22")
    assert code == 0
    assert {row["method"] for row in json.loads(out)} >= {"replica hmicfrs 2021_22", "exact"}
    assert run(*arguments)[0] == 2


def test_version(run):
    assert run("--version")[1] == f"disprop, version {dp.__version__}\n"


def test_the_installed_command_and_python_m_are_the_same():
    ours = [subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
            for command in ([str(ENTRY)], [sys.executable, "-m", "disprop"])]  # fmt: skip
    assert ours[0] == ours[1]


def test_starting_up_loads_nothing_heavy():
    script = (
        "import sys, disprop, disprop.cli\n"
        "sys.argv = ['disprop', '--help']\n"
        "try: disprop.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'numba', 'scipy', 'rich.progress', 'matplotlib', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("before", "wanted"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_a_command_starts_one_thread_for_linear_algebra_unless_told_otherwise(before, wanted):
    code = (
        "import os, sys, disprop.cli\n"
        "assert 'numpy' not in sys.modules, 'it would have started its threads'\n"
        "try: disprop.cli.main()\n"
        "except SystemExit: print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    others = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    run = [sys.executable, "-c", code, "--version"]
    found = subprocess.run(run, env=others | before, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == wanted


@pytest.mark.parametrize("name", ["rate_ratio", "search_rate", "excess_searches"])
def test_measure_prints_the_rows_of_the_library(run, records, name):
    code, out, _ = run("measure", name, *options(records), "--by", "force,ethnicity_self", "--format", "json")
    tally = dp.tally([records / "files"], by=["ethnicity_self"])
    library = getattr(dp, name)(tally, dp.synthetic.population(), by=["force", "ethnicity_self"])
    assert code == 0
    assert [row["estimate"] for row in json.loads(out)] == pytest.approx(library["estimate"].tolist())


def test_measure_of_shares_with_its_own_choices(run, records):
    code, out, _ = run(
        "measure", "find_rate", records / "files", "--by", "object", "--rule", "linked", "--format", "csv"
    )
    assert code == 0
    assert out.startswith("object,measure,numerator")
    assert "flag alone, whatever the outcome" in out


def test_measure_refuses_a_choice_that_it_does_not_have(run, records):
    code, _, err = run("measure", "arrest_share", records / "files", "--by", "object", "--rule", "linked")
    assert code == 2
    assert err == "disprop: arrest_share does not take rule\n"


def test_reference_and_period_and_force(run, records):
    arguments = ["measure", "rate_ratio", *options(records), "--by", "force", "--reference", "everyone else"]
    period = ["--from", "2023-04", "--to", "2023-06"]
    code, out, _ = run(*arguments, *period, "--force", "synthetic-shire", "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert {row["reference"] for row in rows} == {"everyone else"}
    assert {row["period_months"] for row in rows} == {3}
    assert len(rows) == 5


def test_a_hole_is_withheld_and_covered_gives_it(run, records):
    arguments = ["measure", "search_rate", *options(records), "--by", "force", "--from", "2023-04", "--to", "2023-10"]
    withheld = json.loads(run(*arguments, "--format", "json")[1])[0]
    assert withheld["estimate"] is None
    assert "missing 2023-10" in withheld["flag"]
    assert "ask for the covered months, --covered, to have the rate" in withheld["flag"]
    assert "holes=" not in withheld["flag"]
    given = json.loads(run(*arguments, "--covered", "--format", "json")[1])[0]
    assert given["estimate"] > 0
    assert (given["covered_months"], given["period_months"]) == (6, 7)


def test_table_is_readable(run, records):
    code, out, _ = run("measure", "rate_ratio", *options(records), "--by", "force,ethnicity_self")
    assert code == 0
    assert "verdict" in out.splitlines()[0]
    assert len(out.splitlines()) == 5


def test_parquet_needs_a_file_and_holds_the_same_rows(run, records, tmp_path):
    arguments = ["measure", "rate_ratio", *options(records), "--by", "force", "--format", "parquet"]
    assert run(*arguments)[0] == 2
    assert run(*arguments, "--out", tmp_path / "rows.parquet")[0] == 0
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) == 4


def test_tally_shows_counts_and_saves_a_tally(run, records, tmp_path):
    code, out, _ = run("tally", records / "files", "--by", "gender", "--format", "csv")
    assert code == 0
    assert out.splitlines()[0] == "force,month,gender,n"
    saved = ["--format", "parquet", "--out", tmp_path / "t.parquet"]
    assert run("tally", records / "files", "--by", "gender", *saved)[0] == 0
    assert load(tmp_path / "t.parquet") == dp.tally([records / "files"], by=["gender"])


def test_census_shows_residents_and_digests(run):
    code, out, _ = run("census", "--by", "force,ethnicity_self", "--format", "csv")
    assert code == 0
    assert "west-midlands,Black,236047" in out
    assert len(run("census", "--digests")[1].splitlines()[0].split()[0]) == 64


def test_report_writes_a_page_its_tables_and_a_manifest(run, records, tmp_path):
    code, out, _ = run("report", *options(records), "--out", tmp_path / "r")
    page = Path(out.strip().removeprefix("The report is at "))
    assert code == 0
    assert page.suffix == ".html"
    assert "SYNTHETIC" in page.read_text()
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest
    assert list((tmp_path / "r").rglob("*.csv"))


def test_report_is_about_one_force(run, records):
    code, _, err = run("report", records / "files", "--force", "kent", "--force", "essex", "--out", "unused")
    assert (code, err) == (2, "disprop: a report is about one force; give --force once\n")


def test_report_on_a_force_that_is_not_there_is_refused(run, records, tmp_path):
    code, _, err = run("report", records / "files", "--force", "kent", "--out", tmp_path / "r")
    assert code == 3
    assert err == "disprop: no file of kent was found; check the path and --force\n"
    assert not (tmp_path / "r").exists()


def test_demo_says_where_its_report_is(run, tmp_path):
    code, out, _ = run("demo", "--out", tmp_path / "demo")
    assert code == 0
    page = Path(out.splitlines()[-1].removeprefix("The report is at "))
    assert "SYNTHETIC" in page.read_text()
    assert len(list((tmp_path / "demo" / "records").rglob("*.csv"))) == 12
    assert load(tmp_path / "demo" / "residents.parquet") == dp.synthetic.population()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["measure", "rate_rati", "x", "--by", "force"], 2, "did you mean 'rate_ratio'?"),
        (["measure", "rate_ratio", "{files}", "--by", "forse"], 2, "did you mean 'force'?"),
        (["measure", "rate_ratio", "{files}", "--by", "force", "--from", "2023-04"], 2, "give both --from and --to"),
        (["measure", "rate_ratio", "no-such-folder", "--by", "force"], 3, "no-such-folder"),
        (["tally", "{files}", "--by", "ethnicity"], 2, "ethnicity_self, ethnicity_self_19 or ethnicity_officer"),
        (["report", "{files}"], 2, "--out"),
        (["measure", "find_rate", "{files}", "--by", "force", "--force", "kent"], 3, "no file of the forces asked for"),
        (["measure", "find_rate", "{files}", "--by", "force", "--out", "no-such/x", "--format", "csv"], 3, "no-such/x"),
        (["measure", "search_rate", "{files}", "--by", "ethnicity_officer"], 3, "--perceived"),
        (
            ["report", "{files}", "--from", "2017-01", "--to", "2017-02", "--out", "unused"],
            3,
            "no file is of the period",
        ),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_errors_are_one_line_with_a_documented_code(run, records, arguments, code, said):
    filled = [argument.replace("{files}", str(records / "files")) for argument in arguments]
    got, out, err = run(*filled)
    assert got == code
    assert said in err
    assert out == ""
    assert "Traceback" not in err


def test_debug_shows_the_traceback(monkeypatch):
    from disprop.errors import InputRefused

    monkeypatch.setattr(cli, "_start_short_process", lambda: None)
    monkeypatch.setattr(sys, "argv", ["disprop", "--debug", "tally", "no-such-folder", "--by", "gender"])
    with pytest.raises(InputRefused):
        cli.main()


def test_rows_that_cannot_be_read_end_in_warnings_and_a_quarantine_file(run, records, tmp_path):
    source = next((records / "files").rglob("2023-04-*.csv"))
    broken = tmp_path / "2023-04-synthetic-shire-stop-and-search.csv"
    broken.write_text(source.read_text() + "Person search,yesterday" + "," * 13 + "\n")
    code, _, err = run("tally", broken, "--by", "gender", "--quarantine", tmp_path / "aside.csv")
    assert code == 4
    assert "warning: 1 rows could not be read" in err
    assert "yesterday" in (tmp_path / "aside.csv").read_text()


def test_labels_that_nobody_knows_end_in_warnings(run, records, tmp_path):
    source = next((records / "files").rglob("2023-04-*.csv"))
    strange = tmp_path / "2023-04-synthetic-shire-stop-and-search.csv"
    strange.write_text(source.read_text().replace(",Male,", ",Robot,"))
    code, _, err = run("tally", strange, "--by", "gender")
    assert code == 4
    assert "have a label that no codelist knows: gender: Robot" in err


def test_months_of_the_fixture_are_those_asked_for(records):
    parts = dp.tally([records / "files"], by=[]).parts
    assert sorted(parts["month"].tolist()) == [month_number(month) for month in MONTHS]


def test_the_list_of_commands_says_what_each_says_of_itself():
    context = click.Context(cli.cli)
    for name, (_, line) in cli.Commands.later.items():
        command = cli.cli.get_command(context, name)
        assert (command.name, command.get_short_help_str(cli.LISTED)) == (name, line)


def test_help_imports_no_command_that_it_lists():
    code = "import sys; sys.argv[1:] = ['--help']; import disprop.cli as c\ntry: c.main()\nexcept SystemExit: pass\n"
    code += "loaded = {name for name in sys.modules if name.startswith(('disprop.commands.', 'disprop.audit'))}\n"
    code += "assert loaded == {'disprop.commands.options'}, loaded"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
