"""Mappings from the command line: init, check, and extracts as a source of every command that reads records."""

import json

import pytest
from click.testing import CliRunner
from edits import made
from invented_extracts import invented

from disprop.cli import cli
from disprop.errors import InputRefused
from disprop.io.mapping.extracts import read_mapped
from disprop.io.mapping.propose import propose_mapping
from disprop.io.store.reader import open_store
from disprop.keys import KeyedHash
from disprop.plan import tally

SECRET = "an invented secret"
ANSWERS = {"force": '"kent"', "scheme": '"pace2023"', "time_zone": '"Europe/London"'}


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("DISPROP_KEY", raising=False)

    def run(*arguments):
        done = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.return_value, done.stdout, done.stderr

    return run


@pytest.fixture
def extract(tmp_path):
    """An extract of searches, its mapping and a key, as files."""
    made_up = invented("search", seed=4)
    (tmp_path / "extract.csv").write_text(made_up.text())
    proposal = propose_mapping(tmp_path / "extract.csv", kind="search")
    (tmp_path / "kent.toml").write_text(made(proposal, ANSWERS, made_up.is_what, {}, {}))
    (tmp_path / "secret.key").write_text(SECRET)
    return tmp_path


def options(folder):
    return [folder / "extract.csv", "--mapping", folder / "kent.toml", "--key-file", folder / "secret.key"]


def counted(folder, by):
    return tally(
        read_mapped(folder / "extract.csv", mapping=folder / "kent.toml", key=KeyedHash(SECRET.encode())), by=[by]
    )


def test_init_shows_or_writes_and_lists_the_edits(run, extract):
    code, out, err = run("mapping", "init", extract / "extract.csv", "--kind", "search")
    assert code == 4
    assert 'kind = "search"' in out
    assert "edit 1: force: which force is it?" in err
    assert run("mapping", "init", extract / "extract.csv", "--out", extract / "new.toml")[0] == 4
    assert (extract / "new.toml").read_text() == out
    with pytest.raises(ValueError, match="there already"):
        run("mapping", "init", extract / "extract.csv", "--out", extract / "new.toml")


def test_init_of_a_file_that_says_everything(run, tmp_path):
    (tmp_path / "x.csv").write_text("Force,Search Date Time,SDE\nKent,2023-01-05T10:00:00Z,White - Irish\n")
    code, _, err = run("mapping", "init", tmp_path / "x.csv", "--kind", "search")
    assert (code, err) == (0, "")


def test_check_covers_columns_values_and_rows(run, extract):
    code, out, _ = run("mapping", "check", extract / "kent.toml", extract / "extract.csv")
    assert code == 0
    assert "300 rows read: 300 searches" in out
    assert "17 columns placed" in out
    assert "  left out: Remarks" in out
    assert "gender: 300 understood, 0 not" in out


def test_check_says_what_is_not_understood(run, extract):
    text = (extract / "kent.toml").read_text()
    (extract / "kent.toml").write_text(text.replace('"F" = "Female"\n', ""))
    extra = (extract / "extract.csv").read_text().splitlines()
    (extract / "extract.csv").write_text("\n".join([*extra, extra[1].rpartition(",")[0]]) + "\n")
    code, out, _ = run("mapping", "check", extract / "kent.toml", extract / "extract.csv")
    assert code == 4
    assert "not understood: F" in out
    assert "1 put aside: wrong number of fields" in out
    assert f"extract.csv, line {len(extra) + 1}: wrong number of fields" in out


def test_tally_report_and_measure_take_an_extract(run, extract):
    code, out, _ = run("tally", *options(extract), "--by", "ethnicity_self", "--format", "json")
    assert code == 0
    assert json.loads(out) == json.loads(counted(extract, "ethnicity_self").frame().to_json(orient="records"))
    code, out, _ = run("measure", "find_rate", *options(extract), "--by", "force,object", "--format", "json")
    assert code == 0
    assert sum(row["denominator"] for row in json.loads(out)) > 0
    assert run("report", *options(extract), "--out", extract / "report", "--from", "2023-01", "--to", "2023-12")[0] == 0
    pages = "".join(
        path.read_text() for path in (extract / "report").rglob("*") if path.suffix in (".html", ".json", ".csv")
    )
    assert "Kent" in pages
    assert [one for one in invented("search", seed=4).identifiers if one in pages] == []


def test_the_key_may_come_from_the_environment(run, extract, monkeypatch):
    arguments = ["tally", *options(extract)[:3], "--by", "officer", "--format", "json"]
    with pytest.raises(Exception, match="no key to hash identifiers with"):
        run(*arguments)
    monkeypatch.setenv("DISPROP_KEY", SECRET)
    by_environment = run(*arguments)[1]
    assert by_environment == run("tally", *options(extract), "--by", "officer", "--format", "json")[1]


def test_a_store_takes_an_extract_once(run, extract):
    arguments = ["store", "add", extract / "kent.store", *options(extract)]
    code, out, _ = run(*arguments)
    assert code == 0
    assert "12 parts added, 0 replaced" in out
    assert "12 there already" in run(*arguments)[1]
    stored = open_store(extract / "kent.store")
    assert stored.dataset == "extract"
    for axis in ("ethnicity_self_19", "ethnicity_officer", "age_band", "linked"):
        assert tally(stored, by=[axis]).frame().equals(counted(extract, axis).frame())


def test_a_header_alone_is_stored_as_nothing_with_a_warning(run, extract):
    text = (extract / "extract.csv").read_text()
    (extract / "extract.csv").write_text(text.splitlines()[0] + "\n")
    code, out, err = run("store", "add", extract / "kent.store", *options(extract))
    assert code == 4
    assert "0 parts added" in out
    assert err == f"warning: no rows in {extract / 'extract.csv'}: no month is known, nothing observed\n"
    (extract / "more.csv").write_text(text)
    code, out, err = run("store", "add", extract / "kent.store", extract / "more.csv", *options(extract))
    assert (code, "12 parts added" in out, err.count("warning")) == (4, True, 1)


@pytest.mark.parametrize(
    ("name", "dataset"),
    [("searches-2023-04", "searches"), ("Stop_Search_202304", "stop-search"), ("2023-04", "extract"),
     ("uof 2023", "uof-2023"),
     ("batch-120230412", "batch-120230412")],
)  # fmt: skip
def test_the_dataset_is_not_named_after_one_month(run, extract, name, dataset):
    path = (extract / "extract.csv").rename(extract / f"{name}.csv")
    assert f'name = "{dataset}"\n' in run("mapping", "init", path, "--kind", "search")[1]


def test_init_takes_a_folder_as_check_does(run, extract):
    """Its first files count together: what only the second one says is asked about, other columns are named."""
    folder = extract / "searches"
    folder.mkdir()
    header, *lines = (extract / "extract.csv").read_text().splitlines()
    (folder / "a-2023-04.csv").write_text("\n".join([header, *lines[:100]]) + "\n")
    (folder / "b-2023-05.csv").write_text("\n".join([header, *lines[100:]]) + "\n")
    (folder / "c.csv").write_text("Another,Column\n1,2\n")
    code, out, _ = run("mapping", "init", folder, "--kind", "search")
    whole = run("mapping", "init", extract / "extract.csv", "--kind", "search")[1]
    assert code == 4
    assert 'name = "searches"\n' in out
    assert "# Noted: c.csv has other columns and was not looked at" in out
    assert out.partition("kind =")[2] == whole.partition("kind =")[2]


def test_another_key_replaces_and_never_mixes(run, extract):
    run("store", "add", extract / "kent.store", *options(extract))
    (extract / "secret.key").write_text("another invented secret")
    assert "0 parts added, 12 replaced" in run("store", "add", extract / "kent.store", *options(extract))[1]
    assert open_store(extract / "kent.store").key_id == KeyedHash(b"another invented secret").key_id


def test_a_month_under_another_key_is_refused_and_nothing_is_stored(run, extract):
    run("store", "add", extract / "kent.store", *options(extract))
    before = open_store(extract / "kent.store").parts
    header, *lines = (extract / "extract.csv").read_text().splitlines()
    later = [line.replace("/2023", "/2024") for line in lines[:20]]
    (extract / "extract.csv").write_text("\n".join([header, *later]) + "\n")
    (extract / "secret.key").write_text("another invented secret")
    with pytest.raises(InputRefused, match="pseudonyms of kent would be of two keys"):
        run("store", "add", extract / "kent.store", *options(extract))
    assert (open_store(extract / "kent.store").parts == before).all()
    (extract / "secret.key").write_text(SECRET)
    assert run("store", "add", extract / "kent.store", *options(extract))[0] == 0
