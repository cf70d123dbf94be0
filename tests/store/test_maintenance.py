"""Compacting, checking, purging, sidecars, exchange."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import disprop as dp
from disprop.cli import cli
from disprop.errors import InputRefused, UsageError
from disprop.io.store import (
    add,
    add_sidecar,
    compact,
    export,
    open_store,
    purge,
    read_sidecar,
    sidecar_key,
    sources,
    verify,
)
from disprop.io.store.manifest import current, ledger_path
from tests.invent import many
from tests.store.slots import filed

BY = ["ethnicity_self", "gender", "linked"]
MONTHS = ("2019-04", "2019-05", "2019-06", "2020-01")


def some(seed=1, force=("kent", "btp")):
    return [row for i, month in enumerate(MONTHS) for row in many(25, seed + i, force=force, month=month)]


@pytest.fixture
def nights(folder):
    """A store to which each month was added apart."""
    for month in MONTHS:
        add(folder, filed([row for row in some() if row["month"] == month]))
    return folder


def segments(folder):
    return sorted(path.name for path in (folder / "segments").iterdir())


# Compact


def test_compacting_merges_by_year_and_changes_no_count(nights):
    before = dp.tally(nights, by=BY)
    assert len(segments(nights)) == 8
    done = compact(nights, grace_days=0)
    assert (done.segments_before, done.segments_after) == (8, 2)
    assert len(segments(nights)) == 2
    assert dp.tally(nights, by=BY) == before == dp.tally(filed(some()), by=BY)
    assert verify(nights) == []


def test_compacting_twice_is_compacting_once(nights):
    compact(nights, grace_days=0)
    number, files = current(nights)["number"], segments(nights)
    assert compact(nights, grace_days=0).deleted == 0
    assert (current(nights)["number"], segments(nights)) == (number, files)


def test_files_in_their_grace_period_stay_for_readers_that_need_them(nights):
    reader = open_store(nights)
    expected = dp.tally(nights, by=BY)
    assert compact(nights).deleted == 0
    assert dp.tally(reader, by=BY) == expected


# Verify


def damage(path, at, to=b"\x7f"):
    raw = bytearray(path.read_bytes())
    raw[at : at + 1] = to if raw[at : at + 1] != to else b"\x01"
    path.write_bytes(raw)


def test_a_sound_store_has_no_faults(nights):
    assert verify(nights) == []


@pytest.mark.parametrize("at", [9, 400, -400])
def test_a_changed_byte_in_a_segment_is_found(nights, at):
    name = segments(nights)[0]
    damage(nights / "segments" / name, at)
    assert verify(nights) == [f"segments/{name}: its bytes are not those that it was written with"]


def test_a_missing_or_shortened_segment_is_found(nights):
    gone, short = segments(nights)[:2]
    (nights / "segments" / gone).unlink()
    path = nights / "segments" / short
    path.write_bytes(path.read_bytes()[:-8])
    first, second = verify(nights)
    assert first == f"segments/{gone}: missing"
    assert second.startswith(f"segments/{short}: has ")


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_rewritten_ledger_is_found_wherever_it_is(nights, number):
    path = ledger_path(nights, number)
    path.write_text(path.read_text().replace("added", "adapt"))
    assert verify(nights) == [f"ledger/{path.name} is missing, or is not the file that its successor names"]


def test_a_changed_manifest_is_found(nights):
    damage(nights / "manifests" / "00000004.arrow", -400)
    assert verify(nights) == ["manifests/00000004.arrow is not the file that CURRENT names"]


def test_an_unreadable_current_is_refused(nights):
    (nights / "CURRENT").write_text("{")
    with pytest.raises(InputRefused, match="restore the store from a copy"):
        open_store(nights)


# Purge


def test_old_months_go_and_the_ledger_says_how_many_and_why(nights):
    expected = [row for row in some() if row["month"] >= "2019-06"]
    done = purge(nights, before="2019-06", reason="kept for a year")
    assert (done.records, done.parts, done.emptied) == (50, 4, 4)
    assert dp.tally(nights, by=BY) == dp.tally(filed(expected), by=BY)
    head, *lines = map(json.loads, ledger_path(nights, 5).read_text().splitlines())
    assert (head["action"], head["removed"], head["reason"]) == ("purge", 50, "kept for a year")
    assert sum(line["removed"] for line in lines) == 50
    assert {line["change"] for line in lines} == {"removed"}


def test_single_records_go_and_the_rest_keep_their_order(folder):
    rows = many(20, force="kent", month="2019-04")
    add(folder, filed(rows))
    (before,) = open_store(folder).rows()
    purge(folder, rows={before["part"].decode(): [3, 7]}, reason="request 12")
    store = open_store(folder)
    (after,) = store.rows()
    assert (after["records"], after["rows"]) == (18, 18)
    assert after["part"] != before["part"]
    left = [row for batch in store.batches({"ethnicity_self"}) for row in batch["ethnicity_self"].to_pylist()]
    assert left == [row["ethnicity_self"] for i, row in enumerate(rows) if i not in (3, 7)]


def test_purged_bytes_are_gone_after_the_grace_period(nights):
    compact(nights, grace_days=0)
    old = segments(nights)
    purge(nights, before="2019-05", reason="age")
    compact(nights, grace_days=0)
    assert len(set(old) & set(segments(nights))) == 1, "that of 2020 stays, that of 2019 is gone"
    assert verify(nights) == []
    assert sum(row["records"] for row in open_store(nights).rows()) == 75


def test_records_of_a_file_whose_own_month_is_old_go_from_a_newer_slot(folder):
    rows = [row | {"file_month": "2019-05"} for row in many(30, force="kent", month=("2019-04", "2019-05"))]
    add(folder, filed(rows))
    purge(folder, before="2019-05", reason="age")
    assert dp.tally(folder, by=[]).axis("month").codes == ("2019-05",)


def test_nothing_to_purge_is_no_transaction(nights):
    assert purge(nights, before="2000-01", reason="age").records == 0
    assert current(nights)["number"] == 4


def test_a_purge_needs_a_reason_and_rows_that_are_there(nights):
    part = open_store(nights).rows()[0]["part"].decode()
    with pytest.raises(UsageError, match="needs a reason"):
        purge(nights, before="2019-06", reason=" ")
    with pytest.raises(UsageError, match="no part 'x'"):
        purge(nights, rows={"x": [1]}, reason="r")
    with pytest.raises(UsageError, match="has rows 0 to"):
        purge(nights, rows={part: [10_000]}, reason="r")


# Sidecars


def test_a_sidecar_is_found_by_its_key_and_goes_stale_with_inputs_settings_and_part(folder):
    add(folder, filed(many(20, force="kent", month="2019-04")))
    part = open_store(folder).rows()[0]["part"].decode()
    tier = np.arange(20, dtype=np.uint8)
    key = add_sidecar(folder, part, {"tier": tier}, name="video", settings="5 minutes", inputs=["b", "a"])
    assert key == sidecar_key(part, settings="5 minutes", inputs=["a", "b"])
    assert read_sidecar(folder, part, name="video", key=key)["tier"].to_pylist() == tier.tolist()
    for other in (sidecar_key(part, settings="6 minutes", inputs=["a", "b"]), sidecar_key(part, settings="5 minutes")):
        assert read_sidecar(folder, part, name="video", key=other) is None
    compact(folder, grace_days=0)
    assert read_sidecar(folder, part, name="video", key=key) is not None
    assert verify(folder) == []
    add(folder, filed(many(25, 2, force="kent", month="2019-04"), "2"))
    assert read_sidecar(folder, part, name="video", key=key) is None
    assert open_store(folder).manifest.sidecars() == []


def test_a_purge_drops_the_sidecars_of_the_part(folder):
    add(folder, filed(many(20, force="kent", month="2019-04")))
    part = open_store(folder).rows()[0]["part"].decode()
    add_sidecar(folder, part, {"tier": np.zeros(20)}, name="video", settings="s")
    purge(folder, rows={part: [0]}, reason="request")
    assert open_store(folder).manifest.sidecars() == []


def test_a_sidecar_must_fit_its_part(folder):
    add(folder, filed(many(20, force="kent", month="2019-04")))
    part = open_store(folder).rows()[0]["part"].decode()
    with pytest.raises(UsageError, match="20 records; the columns have"):
        add_sidecar(folder, part, {"tier": np.zeros(19)}, name="video", settings="s")
    with pytest.raises(UsageError, match="no part"):
        add_sidecar(folder, "x", {"tier": np.zeros(20)}, name="video", settings="s")


# Exchange


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_is_exported_and_added_again_gives_the_same_counts(tmp_path, ending):
    table = dp.synthetic.make_records(months=("2023-04", "2023-05"))
    add(tmp_path / "one", dp.read_frame(table))
    out = tmp_path / f"records.{ending}"
    assert export(open_store(tmp_path / "one"), out) == table.num_rows
    if ending == "parquet":
        add(tmp_path / "two", *sources([out]))
        again = open_store(tmp_path / "two")
        assert pq.read_table(out)["gender"].to_pylist() == table["gender"].to_pylist()
    else:
        again = dp.read_frame(pd.read_csv(out).drop(columns=["month", "part_month"]))
    one, two = dp.tally(tmp_path / "one", by=BY), dp.tally(again, by=BY)
    np.testing.assert_array_equal(one.counts, two.counts)
    assert one.axes == two.axes


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("kind", ["force_report", "footage", "custody"])
def test_every_kind_is_exported_and_added_again(tmp_path, kind, ending):
    made = dp.synthetic.make_encounters(months=("2023-04", "2023-05"))
    add(tmp_path / "one", made.source(kind))
    out = tmp_path / f"records.{ending}"
    n = export(open_store(tmp_path / "one"), out)
    add(tmp_path / "two", *sources([out], kind=kind))
    one, two = (plain_rows(tmp_path / name) for name in ("one", "two"))
    assert len(one) == n == len(getattr(made, made_name(kind)))
    assert one == two


def made_name(kind):
    return {"force_report": "force_reports"}.get(kind, kind)


def plain_rows(folder):
    """Every record as a dict of what it has, in the order of the store."""
    batches = open_store(folder).batches()
    return [{k: v for k, v in row.items() if v is not None} for batch in batches for row in batch.to_pylist()]


def test_csv_that_is_broken_or_of_no_known_kind_is_refused(tmp_path):
    (tmp_path / "bad.csv").write_text("month,officer\n639,not a number\n", encoding="utf-8")
    with pytest.raises(InputRefused, match=r"bad\.csv cannot be read as CSV"):
        add(tmp_path / "s", *sources([tmp_path / "bad.csv"], kind="footage"))
    with pytest.raises(UsageError, match="no kind of record 'clips'"):
        sources([tmp_path / "bad.csv"], kind="clips")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefused, match="neither"):
        sources([tmp_path / "empty"], kind="footage")


def test_an_ending_that_is_neither_is_refused(nights, tmp_path):
    with pytest.raises(UsageError, match=r"neither in \.parquet nor in \.csv"):
        export(open_store(nights), tmp_path / "x.xlsx")


def test_parquet_that_is_broken_is_named_and_nothing_is_stored(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputRefused, match=r"bad\.parquet cannot be read as Parquet"):
        add(tmp_path / "s", *sources([tmp_path / "bad.parquet"]))
    assert current(tmp_path / "s")["number"] == 0


# Commands


def run(*words):
    result = CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False, catch_exceptions=False)
    return result.output, result.return_value


def test_the_commands(tmp_path):
    store = tmp_path / "searches.store"
    files = dp.synthetic.write_police_uk(tmp_path / "data")
    said, code = run("store", "add", store, *files)
    assert (said.split(";")[0], code) == ("12 parts added, 0 replaced, 0 there already", 0)
    listed = run("store", "list", store)[0].splitlines()
    assert len(listed) == 12
    assert listed[0].split("\t")[:2] == ["police.uk", "search"]
    assert run("store", "verify", store) == ("sound\n", 0)
    assert "2 now" in run("store", "compact", store, "--grace-days", 0)[0]
    assert run("tally", store, "--by", "gender", "--format", "csv") == run(
        "tally", *files, "--by", "gender", "--format", "csv"
    )
    assert run("store", "export", store, tmp_path / "x.csv")[0].endswith("written to " + str(tmp_path / "x.csv") + "\n")
    assert "are gone" in run("store", "purge", store, "--before", "2023-06", "--reason", "age")[0]
    explained = run("measure", "rate_ratio", store, "--by", "force,ethnicity_self", "--explain")[0]
    assert "parts    10 read, 0 skipped" in explained
    damage(next((store / "segments").iterdir()), 300)
    assert run("store", "verify", store)[1] == 3


@pytest.fixture
def two_kinds(tmp_path):
    """A store of searches and of reports of force of the same month."""
    made = dp.synthetic.make_encounters(months=["2023-06"])
    add(tmp_path / "both", made.source("search"), made.source("force_report"))
    return tmp_path / "both", made


def test_a_store_of_two_kinds_is_listed_whole_and_by_kind(two_kinds):
    store, made = two_kinds
    said, code = run("store", "list", store)
    lines = [line.split("\t") for line in said.splitlines()]
    assert code == 0
    assert [(line[1], int(line[4])) for line in lines] == [
        ("force_report", made.force_reports.num_rows), ("search", made.searches.num_rows),
    ]  # fmt: skip
    assert run("store", "list", store, "--kind", "search")[0].splitlines() == said.splitlines()[1:]
    with pytest.raises(UsageError, match="no kind 'searches'; did you mean"):
        run("store", "list", store, "--kind", "searches")


@pytest.mark.parametrize("name", ["find_rate", "possession_only_share", "drug_find_rate", "bounds_with_video"])
def test_a_measure_of_one_kind_takes_it_from_a_store_of_several(two_kinds, name):
    asked = ("measure", name, two_kinds[0], "--by", "force", "--format", "csv")
    said, code = run(*asked)
    assert code == 0
    assert said == run(*asked, "--kind", "search")[0]
    with pytest.raises(UsageError, match="of the kind search; leave out --kind force_report"):
        run(*asked, "--kind", "force_report")


def test_a_measure_of_several_kinds_asks_which(two_kinds):
    with pytest.raises(UsageError, match="kinds force_report, search; name one with"):
        run("measure", "share_on_video", two_kinds[0], "--by", "force")
    assert run("measure", "share_on_video", two_kinds[0], "--by", "force", "--kind", "force_report")[1] == 0


@pytest.mark.parametrize(
    ("kind", "others"), [("search", {"tactics", "incident"}), ("force_report", {"outcome", "object"})]
)
def test_an_export_has_the_columns_of_its_kind_only(two_kinds, tmp_path, kind, others):
    store, made = two_kinds
    run("store", "export", store, tmp_path / "x.parquet", "--kind", kind)
    found = pq.read_table(tmp_path / "x.parquet")
    columns = {"search": made.searches, "force_report": made.force_reports}[kind].column_names
    assert not others & set(found.column_names)
    assert {name for name in columns if name != "month"} <= set(found.column_names)
    assert set(found.column_names) <= {*columns, "part_month", "month"}


def test_explain_of_files_says_what_is_read(tmp_path):
    files = dp.synthetic.write_police_uk(tmp_path)
    explained = run("measure", "rate_ratio", files[0], "--by", "force,ethnicity_self", "--explain")[0]
    assert "PoliceUk: search records" in explained
