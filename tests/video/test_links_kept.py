"""Links beside the records of a store: compacted, exported and purged with them; refusals; the command."""

import io
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import disprop as dp
from disprop import linking
from disprop.cli import cli
from disprop.errors import Refused, UsageError
from disprop.io.store import add, compact, export, open_store, purge, verify
from disprop.io.store.manifest import current, ledger_path
from disprop.linkage import LinkSettings
from disprop.linking import link_store
from disprop.months import month_number
from disprop.synthetic.sources import TableSource
from tests.video.conftest import MONTHS, NEAR, VIDEO, blank_months, by_label, columns

# With the rest of the store


def test_compacting_keeps_links_and_sweeps_old_ones(linked):
    before = columns(linked)
    link_store(linked, settings=LinkSettings())
    link_store(linked, settings=NEAR)
    compact(linked, grace_days=0)
    assert columns(linked) == before
    live = {one["segment"] for one in open_store(linked, kind="search").manifest.sidecars()}
    live |= {name for name, _ in open_store(linked, kind="search").manifest.segments}
    assert {path.name for path in (linked / "segments").iterdir()} == live
    assert verify(linked) == []


def test_compacting_puts_the_links_of_many_nights_into_one_file_a_kind(made, tmp_path, plain_clocks):
    path = made.first_months(2).store(tmp_path / "force.store", "search", "force_report", "footage")
    for n in (3, 4, 5):
        link_store(path, settings=NEAR)
        add(path, *made.first_months(n).sources("search", "force_report", "footage"))
    link_store(path, settings=NEAR)

    def files():
        return {one["segment"] for one in open_store(path, kind="search").manifest.sidecars()}

    before = {kind: columns(path, kind) for kind in ("search", "force_report")}
    assert len(files()) > 2
    compact(path, grace_days=0)
    assert len(files()) == 2
    assert {kind: columns(path, kind) for kind in before} == before
    assert link_store(path, settings=NEAR).parts == 0
    number = current(path)["number"]
    compact(path, grace_days=0)
    assert current(path)["number"] == number
    assert verify(path) == []


def test_a_damaged_file_of_links_is_seen(linked):
    name = open_store(linked, kind="search").manifest.sidecars()[0]["segment"]
    file = linked / "segments" / name
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert verify(linked) == [f"segments/{name} (sidecar): its bytes are not those that it was written with"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_export_carries_what_was_found(linked, tmp_path, ending):
    out = tmp_path / f"searches.{ending}"
    export(open_store(linked, kind="search"), out)
    if ending == "csv":
        from pyarrow import csv

        table = csv.read_csv(out, convert_options=csv.ConvertOptions(strings_can_be_null=True))
    else:
        table = pq.read_table(out)
    for name, values in columns(linked).items():
        assert table[name].to_pylist() == values


def test_a_purged_person_leaves_no_link_and_the_others_keep_theirs(made, linked):
    person = next(key for key in made.tables["search"]["person"].to_pylist() if key)
    store = open_store(linked, kind="search")
    has = [row["month"] for row in store.rows() if person in store.codes(row, {"person": "key"})["person"].tolist()]
    tallied = dp.tally(store, by=["ethnicity_self"])
    counted = tallied.total
    files = {one["segment"] for one in store.manifest.sidecars()}
    done = purge(linked, persons=[person], reason="expunged")
    assert done.records >= 1
    assert set(map(month_number, blank_months(linked))) == set(has)
    assert files.isdisjoint({one["segment"] for one in open_store(linked, kind="search").manifest.sidecars()})
    assert verify(linked) == []
    for kind in ("search", "force_report", "custody"):
        left = open_store(linked, kind=kind)
        assert not any(person in left.codes(row, {"person": "key"})["person"].tolist() for row in left.rows())
    assert tallied.total == counted  # a tally made before stays as it was
    head, *_ = [json.loads(line) for line in ledger_path(linked, current(linked)["number"]).read_text().splitlines()]
    assert (head["action"], head["reason"], head["removed"]) == ("purge", "expunged", done.records)
    assert f"{person:016x}" not in ledger_path(linked, current(linked)["number"]).read_text()
    compact(linked, grace_days=0)
    assert not any(person.to_bytes(8, "little") in path.read_bytes() for path in linked.rglob("*") if path.is_file())
    link_store(linked, settings=NEAR)
    assert blank_months(linked) == []


def test_purging_footage_makes_stale_what_was_linked_to_it(linked):
    purge(linked, before="2023-04", reason="kept for a while")
    assert blank_months(linked) == ["2023-04"]  # March is gone, and with it April's neighbour


def test_a_purge_by_a_key_that_nobody_has_changes_nothing(linked):
    before = current(linked)
    assert purge(linked, persons=[1], reason="expunged").records == 0
    assert current(linked) == before


def test_the_command_purges_a_pseudonym_and_repeats_no_identifier(linked):
    person = next(key for key in columns(linked, names=["person"])["person"] if key)
    words = ["store", "purge", str(linked), "--reason", "expunged", "--person"]
    run = CliRunner().invoke(cli, [*words, f"{person:016X}"])
    assert run.exit_code == 0, run.output
    assert "records removed" in run.output
    wrong = CliRunner().invoke(cli, [*words, "P00000412"])
    assert isinstance(wrong.exception, UsageError)
    assert "P00000412" not in str(wrong.exception)
    assert isinstance(CliRunner().invoke(cli, words[:-1]).exception, UsageError)


def test_months_without_rows_link_to_nothing(made, tmp_path):
    """An extract that came and is empty says that there was no footage."""
    path = tmp_path / "force.store"
    footage = TableSource("footage", made.tables["footage"].slice(0, 0), MONTHS)
    add(path, *made.sources("search"), footage)
    done = link_store(path)
    assert done.parts == len(MONTHS)
    assert {label for _, label in by_label(path)} <= {"no footage", "not worn", "not linked"}


# Refusals and the command


def test_what_cannot_be_linked_is_refused(linked):
    with pytest.raises(UsageError, match="custody cannot be linked"):
        link_store(linked, kinds=["custody"])
    with pytest.raises(UsageError, match="give clocks="):
        link_store(linked, settings=LinkSettings(offsets={0: 5}))


def test_a_clock_of_a_system_that_the_store_has_not_is_refused_with_the_nearest_name(made, tmp_path):
    path = made.store(tmp_path / "force.store", "search", "footage")
    with pytest.raises(UsageError, match=r"no footage of a system 'system Z'; did you mean 'system [AB]'"):
        link_store(path, clocks={"system Z": 60})
    refused = CliRunner().invoke(cli, ["link", str(path), "--clock", "system Z=60"])
    assert isinstance(refused.exception, UsageError)
    assert {label for _, label in by_label(path)} == {"blank"}
    bare = made.store(tmp_path / "bare.store", "search")
    with pytest.raises(UsageError, match="no footage of a system 'system A'; known: records"):
        link_store(bare, clocks={"system A": 60})
    assert link_store(bare, clocks={"records": 60}).without_footage == len(MONTHS)


def test_what_records_say_of_links_is_left_out_when_they_are_added(made, tmp_path, plain_clocks):
    """An export carries what was found; a store that takes it in makes that again from its own footage."""
    table = made.tables["search"]
    own = table.append_column("video_link", pa.array(["not worn"] * table.num_rows).dictionary_encode())
    path = made.but("search", own).store(tmp_path / "force.store", "search", "footage")
    assert not {*VIDEO} & {*open_store(path, kind="search").columns}
    assert {label for _, label in by_label(path)} == {"blank"}
    link_store(path, settings=NEAR)
    one = made.store(tmp_path / "one.store", "search", "footage")
    link_store(one, settings=NEAR)
    assert columns(path) == columns(one)


def test_the_command_says_what_was_found(made, tmp_path, plain_clocks):
    path = made.store(tmp_path / "force.store")
    run = CliRunner().invoke(cli, ["link", str(path), "--clock", "system B=40"])
    assert run.exit_code == 0, run.output
    assert "10 parts linked, 0 linked before" in run.output
    assert "exact reference" in run.output
    again = CliRunner().invoke(cli, ["link", str(path), "--clock", "system B=40"])
    assert "0 parts linked, 10 linked before" in again.output
    for wrong in (["--clock", "soon"], ["--as-of", "June"], ["--retention-days", "84"]):
        refused = CliRunner().invoke(cli, ["link", str(path), *wrong])
        assert isinstance(refused.exception, UsageError)


def test_the_command_says_how_sure_a_clock_is_and_which_are_not_known(made, tmp_path):
    """System B has footage of a hundred records a month, at most; system C of one clip."""
    footage, half = made.tables["footage"], made.first_months(2)
    named = np.array(footage["system"].to_pylist(), dtype=object)
    named[0] = "system C"
    table = footage.set_column(footage.column_names.index("system"), "system", pa.array(named).dictionary_encode())
    path = half.but("footage", table).store(tmp_path / "force.store", "search", "footage")
    run = CliRunner().invoke(cli, ["link", str(path)])
    lines = {line.split(" (")[0]: line for line in run.output.splitlines() if line.startswith("clock of")}
    assert lines["clock of system C"].endswith("search): not known (fewer than 30 pairs that agree)")
    assert re.search(r": [+-]\d.* s, spread \d+ to \d+ s, from [\d,]+ pairs; corr", lines["clock of system A"])
    assert "from 0 pairs" not in run.output


def test_a_measure_of_video_by_month_needs_its_retention_on_the_command_line_too(linked):
    words = ["measure", "share_linked_to_video", str(linked), "--kind", "search", "--by", "month", "--format", "csv"]
    refused = CliRunner().invoke(cli, words)
    assert isinstance(refused.exception, Refused)
    how = ["--retention", "84 until 2023-06, 365", "--as-of", "2023-08-01"]
    run = CliRunner().invoke(cli, [*words, *how])
    assert run.exit_code == 0, run.output
    rows = pd.read_csv(io.StringIO(run.stdout))
    living = rows[rows["video_link"] == "linked"].set_index("month")["flag"]
    assert list(living.index) == ["2023-06", "2023-07"]  # May's first day is 92 days old
    counted = rows[rows["video_link"] == "expired"].set_index("month")
    assert (counted["numerator"] == counted["denominator"])[["2023-03", "2023-04", "2023-05"]].all()
    wrong = CliRunner().invoke(cli, [*words, "--retention", "twelve weeks", "--as-of", "2023-08-01"])
    assert isinstance(wrong.exception, UsageError)
    several = CliRunner().invoke(cli, [*words[:3], *words[5:]])
    assert isinstance(several.exception, UsageError)
    assert "--kind" in str(several.exception)


def test_the_command_warns_of_months_without_footage(made, tmp_path, plain_clocks):
    path = made.without_months("footage", "2023-05").store(tmp_path / "force.store", "search", "footage")
    run = CliRunner().invoke(cli, ["link", str(path)], standalone_mode=False)
    assert run.return_value == 4
    assert "1 parts are of months without a footage extract: they stay blank (never linked)" in run.stderr


def test_the_sidecar_of_links_is_named(linked):
    assert {one["name"] for one in open_store(linked, kind="search").manifest.sidecars()} == {linking.VIDEO}
