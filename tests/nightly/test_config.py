"""What a nightly is told, and the exit codes of the command that reads it."""

import fcntl
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from disprop.errors import InputRefused, UsageError
from disprop.linkage import LinkSettings
from disprop.nightly import check, read_config
from disprop.nightly.config import Config, Extracts, Retention, Table
from tests.nightly import encounters
from tests.nightly.night import SEARCHES, TABLES, config, night, published, world

PAGE = Path(__file__).parent.parent.parent / "docs" / "nightly.md"
SHORT = 'store = "s"\nout = "o"\n'


def told(folder: Path, text: str) -> Config:
    path = folder / "night.toml"
    path.write_text(text)
    return read_config(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as refused:
        told(folder, text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raport = true\n" + SEARCHES, "unknown key 'raport'; did you mean 'report'?"),
        ("first = '2023-04'\n" + SEARCHES, "unknown key 'first'"),
        (SEARCHES + "maping = 'a.toml'", "[[extracts]] has an unknown key 'maping'; did you mean 'mapping'?"),
        (SEARCHES + "[[tables]]\nmesure = 'x'\nby = []", "[[tables]] has an unknown key 'mesure'"),
        (SEARCHES + "[[tables]]\nmeasure = 'rate_ration'\nby = []", "did you mean 'rate_ratio'?"),
        (SEARCHES + "[[tables]]\nmeasure = 'find_rate'\nby = ['forse']", "did you mean 'force'?"),
        (SEARCHES + "[[tables]]\nmeasure = 'find_rate'\nby = ['ethnicity']", "ambiguous"),
        (SEARCHES + "[[tables]]\nmeasure = 'find_rate'\nby = []\n[tables.options]\nrole = 1", "did you mean 'rule'?"),
        (SEARCHES + "[[tables]]\nmeasure = 'find_rate'\nby = []\nkind = 'serch'", "did you mean 'search'?"),
        (SEARCHES + "[[tables]]\nmeasure = 'find_rate'\nby = []\nname = '../up'", "is no file name"),
        (SEARCHES + "[[tables]]\nmeasure = 'find_rate'\nby = []\n" * 2, "two [[tables]] are named 'find_rate'"),
        (SEARCHES + "[[tables]]\nmeasure = 'force_rate'\nby = []\nkind = 'search'", "force reports, not of searches"),
        (SEARCHES + "[[tables]]\nmeasure = 'force_in_search_share'\nby = []", "does not join"),
        (SEARCHES + "[link]\nbefor = 3", "[link] has an unknown key 'befor'; did you mean 'before'?"),
        (SEARCHES + "[link]\nclocks = 3", "a table of systems"),
        (SEARCHES + "[link]\nretention_days = 3", "as_of"),
        (SEARCHES + "[retention]\nbefor = '2020-01'", "[retention] has an unknown key 'befor'"),
        (SEARCHES + "[retention]\nbefore = '2020'", "2020"),
        ("force = 'kant'\n" + SEARCHES, "did you mean 'kent'?"),
        ("from = '2023-04'\n" + SEARCHES, "both from and to"),
        ("from = '2023-04'\nto = '2023-03'\n" + SEARCHES, "backwards"),
        ("from = '2023-04'\nto = '2023-05'\nlast_months = 2\n" + SEARCHES, "not both"),
        ("last_months = 0\n" + SEARCHES, "1 or more"),
        ("disclosure_threshold = 2\n" + SEARCHES, "3 or more"),
        ("on_error = 'go on'\n" + SEARCHES, "stop or skip"),
        ("report = 'yes'\n" + SEARCHES, "Expected `bool`"),
        ("extracts = []\n", "no [[extracts]]"),
        ("extracts = [3]\n", "Expected `object`"),
        ("= 3", "is no TOML"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text, said, tmp_path):
    message = refusal(tmp_path, SHORT + text)
    assert message.startswith("night.toml")
    assert said in message


def test_a_key_that_is_missing_and_a_file_that_is(tmp_path):
    assert "`store`" in refusal(tmp_path, 'out = "o"\n' + SEARCHES)
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


def test_defaults_and_places(tmp_path):
    found = told(tmp_path, SHORT + SEARCHES)
    assert (found.report, found.on_error, found.disclosure_threshold, found.link) == (True, "stop", 10, None)
    assert (found.store, found.extracts[0].path) == (str(tmp_path / "s"), str(tmp_path / "searches"))


def test_settings_of_the_link(tmp_path):
    found = told(tmp_path, SHORT + SEARCHES + encounters.LINK + 'clocks = { "Axon" = 420 }\n')
    settings = LinkSettings(retention_days=365, as_of=1_688_083_200)
    assert found.link_arguments == {"settings": settings, "clocks": {"Axon": 420}}
    assert told(tmp_path, SHORT + SEARCHES + "[link]").link_arguments == {"settings": LinkSettings(), "clocks": {}}


def test_the_figures_depend_on_everything_but_places(tmp_path):
    text = SHORT + SEARCHES + TABLES
    one, other = told(tmp_path, text), told(tmp_path, text.replace('"s"', '"elsewhere"'))
    assert one.said == other.said
    assert told(tmp_path, text.replace('"object"', '"legislation"')).said != one.said


# Documentation -------------------------------------------------------------------------------------------------------


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found
    return found[1]


def test_the_example_of_the_docs_is_understood_and_names_every_key(tmp_path):
    found = told(tmp_path, example())
    assert len(found.extracts) > 1
    text = PAGE.read_text(encoding="utf-8")
    for struct in (Config, Extracts, Table, Retention):
        assert [key for key in struct.__struct_encode_fields__ if f"`{key}`" not in text] == []


def test_the_example_of_the_docs_runs(tmp_path):
    encounters.world(tmp_path)
    for name in ("searches", "force_reports", "footage", "custody"):
        (tmp_path / "extracts").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "extracts" / name)
    (tmp_path / "mappings").mkdir()
    for kind, name in encounters.FOLDERS.items():
        (tmp_path / f"{kind}.toml").rename(tmp_path / "mappings" / f"{name}.toml")
    path = tmp_path / "nightly.toml"
    path.write_text(example())
    assert night(path).published
    assert "report/synthetic-shire/report.html" in published(tmp_path, out="published")


# The command ---------------------------------------------------------------------------------------------------------


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and output, with errors as the command line gives them."""
    from disprop.cli import cli

    done = CliRunner().invoke(cli, ["nightly", *map(str, arguments)], standalone_mode=False)
    if isinstance(done.exception, UsageError | InputRefused):
        return (2 if isinstance(done.exception, UsageError) else 3), str(done.exception)
    assert done.exception is None, done.exception
    return done.return_value or 0, done.output


def test_exit_codes(tmp_path):
    path = world(tmp_path)
    assert run(path, "--check") == (0, f"{tmp_path / 'searches'}: 2 files, by the layout of data.police.uk\n")
    assert not (tmp_path / "out").exists()
    code, said = run(path)
    assert code == 0
    assert said.splitlines()[-1].startswith("published: ")
    code, said = run(path)
    assert (code, said.splitlines()[-1]) == (0, "nothing new")
    file = next((tmp_path / "searches").glob("2023-04/*.csv"))
    file.write_text(file.read_text().replace("Person search,2023-04-0", "Person search,some-0", 3))
    code, said = run(path)
    assert code == 4
    assert "warning: 3 rows could not be read: date not understood" in said
    file.write_bytes(b"")
    assert run(path)[0] == 3
    path.write_text("story = 1")
    assert run(path)[0] == 2


def test_a_second_night_at_work_is_refused(tmp_path):
    path = world(tmp_path)
    run(path)
    before = published(tmp_path)
    with (tmp_path / "out" / ".nightly" / "LOCK").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, said = run(path)
    assert code == 5
    assert "another night is at work" in said
    assert published(tmp_path) == before
    assert run(path)[0] == 0


def test_check_reads_mappings_keys_and_paths(tmp_path):
    path = encounters.world(tmp_path)
    assert [line.split(": ")[1] for line in check(read_config(path))] == [
        f"2 files, by {tmp_path / kind}.toml" for kind in encounters.FOLDERS
    ]
    assert not (tmp_path / "store").exists()
    (tmp_path / "secret.key").write_text("short")
    assert run(path, "--check")[0] == 2
    (tmp_path / "secret.key").unlink()
    assert run(path, "--check")[0] == 3
    config(tmp_path, extracts=SEARCHES.replace("searches", "nowhere"))
    assert run(path, "--check")[0] == 3
