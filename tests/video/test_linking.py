"""Links kept beside the records of a store: complete, made again only where something changed, blank when stale."""

import io
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import disprop as dp
from disprop import linking
from disprop.cli import cli
from disprop.errors import InputRefused, Refused, UsageError
from disprop.io.store import add, compact, durable, export, open_store, purge, verify
from disprop.io.store.durable import locked
from disprop.io.store.manifest import current, ledger_path
from disprop.linkage import NO_TIME, Clips, Events, LinkSettings, link, video_link
from disprop.linking import link_store
from disprop.months import month_number
from disprop.synthetic.sources import TableSource
from tests.video.conftest import MONTHS, seconds

DAY = 86_400
NEAR = LinkSettings(contradicted_within=2 * DAY)
"""Settings of which a month reaches only the months beside it."""
VIDEO = ["video_link", "video_clips", "video_seconds", "video_from_start"]


def columns(path, kind="search", names=VIDEO):
    """The video columns of every record of a kind, by row of the source."""
    batches = list(open_store(path, kind=kind).batches({*names}))
    return {name: [value for batch in batches for value in batch.column(name).to_pylist()] for name in names}


def by_label(path, kind="search"):
    counted = dp.tally(open_store(path, kind=kind), by=["video_link"]).project(["month", "video_link"])
    return {(row.month, row.video_link): row.n for row in counted.frame().itertuples()}


def blank_months(path, kind="search"):
    found = by_label(path, kind)
    return [month for month in MONTHS if (month, "blank") in found]


def linked_at_once(made, kind, settings):
    """All records of a kind against all clips, by the array function."""
    records, footage = made.tables[kind], made.tables["footage"]
    order = np.argsort(records["month"].to_numpy(), kind="stable")
    records = records.take(order)
    keys = {name: records[name].fill_null(0).to_numpy() for name in ("officer", "other_officer", "reference")}
    said = [{"yes": 1, "no": 0}.get((value or "").lower(), -1) for value in records["video_recorded"].to_pylist()]
    known = records["event_time"].is_valid().to_numpy()
    time = np.where(known, seconds(records["event_time"]), NO_TIME)
    events = Events(time=time, said=np.array(said, np.int8), **keys)
    clips = Clips(
        start=seconds(footage["event_time"]), end=seconds(footage["end_time"]),
        officer=footage["officer"].fill_null(0).to_numpy(), reference=footage["reference"].fill_null(0).to_numpy(),
        system=np.zeros(footage.num_rows, np.int16), deleted=seconds(footage["deleted_time"]),
    )  # fmt: skip
    return link(events, clips, settings)


@pytest.fixture
def linked(made, tmp_path, plain_clocks):
    """A store of five months whose records are linked."""
    path = made.store(tmp_path / "force.store")
    link_store(path, settings=NEAR)
    return path


# What is found


@pytest.mark.parametrize("kind", ["search", "force_report"])
@pytest.mark.parametrize("settings", [LinkSettings(), NEAR])
def test_part_by_part_gives_what_all_at_once_gives(made, tmp_path, plain_clocks, kind, settings):
    path = made.store(tmp_path / "force.store")
    done = link_store(path, settings=settings)
    expected = linked_at_once(made, kind, settings)
    found = columns(path, kind)
    codes = dp.tally(open_store(path, kind=kind), by=["video_link"]).axis("video_link").codes
    assert found["video_link"] == [codes[i] for i in video_link(expected)]
    assert found["video_clips"] == expected.clips.tolist()
    assert found["video_seconds"] == expected.seconds.tolist()
    assert found["video_from_start"] == [{1: "yes", 0: "no", -1: None}[start] for start in expected.from_start.tolist()]
    assert done.records == sum(made.tables[one].num_rows for one in ("search", "force_report"))
    assert sum(done.found.values()) == done.records


def test_the_tally_by_what_was_found_counts_every_record_once(made, linked):
    counted = dp.tally(open_store(linked, kind="search"), by=["ethnicity_self", "video_link", "video_from_start"])
    persons = dp.tally(open_store(linked, kind="search"), by=["ethnicity_self"])
    assert counted.project(["force", "month", "ethnicity_self"]).difference(persons) is None
    frame = dp.share_linked_to_video(counted, by=["ethnicity_self"])
    assert frame["estimate"].dropna().between(0, 1).all()


def test_a_shared_footage_of_two_datasets_counts_whole(made, tmp_path, plain_clocks):
    """Two systems, each with an extract of its own a month."""
    footage = made.tables["footage"]
    path = made.store(tmp_path / "force.store", "search")
    for system in ("system A", "system B"):
        (source,) = made.but("footage", footage.filter(pc.equal(footage["system"].cast(pa.string()), system))).sources(
            "footage"
        )
        source.dataset = system
        add(path, source)
    link_store(path, settings=NEAR)
    one = made.store(tmp_path / "one.store", "search", "footage")
    link_store(one, settings=NEAR)
    assert columns(path) == columns(one)


def test_footage_of_another_force_is_not_looked_at(made, tmp_path, plain_clocks):
    footage = made.tables["footage"]
    other = footage.set_column(0, "force", pa.array(["kent"] * footage.num_rows).dictionary_encode())
    path = made.but("footage", other).store(tmp_path / "force.store", "search", "footage")
    done = link_store(path)
    assert (done.parts, done.without_footage) == (0, len(MONTHS))
    assert set(columns(path)["video_link"] if "video_link" in open_store(path, kind="search").columns else [None]) == {
        None
    }


def test_a_month_without_an_extract_of_footage_is_blank_and_not_without_video(made, tmp_path, plain_clocks):
    path = made.without_months("footage", "2023-05").store(tmp_path / "force.store")
    done = link_store(path)
    assert done.without_footage == 2  # searches and force reports
    assert blank_months(path) == ["2023-05"]
    assert ("2023-05", "no footage") not in by_label(path)


KEYS = ("officer", "other_officer", "reference")


def without(table, *names, rows=None):
    """The records with these columns emptied, of all rows or some."""
    for name in names:
        kept = np.ones(table.num_rows, bool) if rows is None else rows
        emptied = pc.if_else(pa.array(kept), pa.scalar(None, table[name].type), table[name])
        table = table.set_column(table.column_names.index(name), name, emptied)
    return table


@pytest.mark.parametrize("how", ["blank", "absent"])
def test_an_extract_with_nothing_to_look_by_is_blank_and_its_measure_says_unknown(made, tmp_path, how):
    searches = made.tables["search"]
    table = without(searches, *KEYS) if how == "blank" else searches.drop_columns([*KEYS])
    path = made.but("search", table).store(tmp_path / "force.store", "search", "footage")
    run = CliRunner().invoke(cli, ["link", str(path)], standalone_mode=False)
    assert run.return_value == 4
    assert f"{table.num_rows:,} records have nothing to look by" in run.stderr
    assert "not linked" not in run.stdout
    assert {label for _, label in by_label(path)} == {"blank"}
    share = dp.share_linked_to_video(dp.tally(open_store(path, kind="search"), by=["video_link"]), by=[]).iloc[0]
    assert share.n_unknown == share.denominator > 8000  # all but those of vehicles alone
    assert np.isnan(share.estimate)


def test_each_record_with_nothing_to_look_by_is_blank_and_the_others_are_as_they_were(made, tmp_path, plain_clocks):
    searches = made.tables["search"]
    rng = np.random.default_rng(8)
    gone = {name: rng.random(searches.num_rows) < 0.5 for name in KEYS}
    for name, rows in gone.items():
        searches = without(searches, name, rows=rows)
    changed = made.but("search", searches)
    path = changed.store(tmp_path / "force.store", "search", "footage")
    done = link_store(path, settings=NEAR)
    kept = columns(path, names=[*VIDEO, *KEYS])
    nothing = [not any(keys) for keys in zip(*(kept[name] for name in KEYS))]
    places = video_link(linked_at_once(changed, "search", NEAR)).tolist()
    codes = dp.tally(open_store(path, kind="search"), by=["video_link"]).axis("video_link").codes
    assert kept["video_link"] == [None if blank else codes[at] for blank, at in zip(nothing, places)]
    assert done.nothing_to_look_by == sum(nothing) > 500
    assert sum(done.found.values()) == done.records - sum(nothing)


def test_a_record_of_which_the_time_of_day_is_not_known_is_blank(made, tmp_path, plain_clocks):
    table = without(made.tables["search"], "event_time")
    path = made.but("search", table).store(tmp_path / "force.store", "search", "footage")
    assert link_store(path, settings=NEAR).nothing_to_look_by == table.num_rows
    assert {label for _, label in by_label(path)} == {"blank"}


def test_a_clip_that_claims_more_than_a_day_is_taken_as_its_start(made, tmp_path, plain_clocks):
    footage = made.tables["footage"]
    at = footage.column_names.index("end_time")
    ends = seconds(footage["end_time"]).copy()
    ends[::50] += 400 * DAY
    broken = footage.set_column(at, "end_time", pa.array(ends).cast(pa.timestamp("s", "UTC")))
    ends = ends.copy()
    ends[::50] = seconds(footage["event_time"])[::50]
    cut = footage.set_column(at, "end_time", pa.array(ends).cast(pa.timestamp("s", "UTC")))
    one, two = (
        made.but("footage", table).store(tmp_path / name, "search", "footage")
        for name, table in (("one", broken), ("two", cut))
    )
    assert link_store(one, settings=NEAR).overlong > 0
    assert link_store(two, settings=NEAR).overlong == 0
    assert columns(one) == columns(two)


def test_a_known_clock_is_taken_off(made, tmp_path, plain_clocks):
    one = made.store(tmp_path / "one", "search", "footage")
    late = made.but("footage", shifted(made.tables["footage"], "system B", 420))
    two = late.store(tmp_path / "two", "search", "footage")
    link_store(one, settings=NEAR)
    link_store(two, settings=NEAR, clocks={"system B": 420})
    assert columns(one) == columns(two)


def shifted(footage, system, by):
    """The footage, with the clock of one system ahead by so many seconds."""
    is_it = np.array(footage["system"].to_pylist()) == system
    for name in ("event_time", "end_time"):
        values = pa.array(seconds(footage[name]) + np.where(is_it, by, 0)).cast(pa.timestamp("s", "UTC"))
        footage = footage.set_column(footage.column_names.index(name), name, values)
    return footage


def test_a_clock_seven_minutes_ahead_is_found_and_taken_off_and_reported(made, tmp_path):
    one = made.store(tmp_path / "one", "search", "footage")
    late = made.but("footage", shifted(made.tables["footage"], "system B", 420))
    two = late.store(tmp_path / "two", "search", "footage")
    before, after = link_store(one, settings=NEAR), link_store(two, settings=NEAR)
    found = {clock.month: clock for clock in after.clocks if clock.system == "system B"}
    was = {clock.month: clock for clock in before.clocks if clock.system == "system B"}
    assert list(found) == list(MONTHS)
    assert all(clock.corrected for clock in found.values())
    assert all(abs(clock.seconds - was[month].seconds - 420) <= 15 for month, clock in found.items())
    assert not any(clock.corrected for clock in after.clocks if clock.system != "system B")
    same = [a == b for a, b in zip(columns(one)["video_link"], columns(two)["video_link"])]
    assert sum(same) / len(same) > 0.995
    _, *lines = [json.loads(line) for line in ledger_path(two, current(two)["number"]).read_text().splitlines()]
    assert [line["clocks"][0]["system"] for line in lines] == ["system B"] * len(MONTHS)


# What is made again


def keys(path):
    """Month and kind of each part -> key of its links."""
    rows = {row["part"].decode(): row for row in open_store(path, kind="search").manifest.rows()}
    found = open_store(path, kind="search").manifest.sidecars()
    return {(rows[one["part"]]["kind"], rows[one["part"]]["month"]): one["key"] for one in found}


def test_a_second_run_changes_nothing(linked):
    before = current(linked)
    done = link_store(linked, settings=NEAR)
    assert (done.parts, done.unchanged) == (0, 10)
    assert current(linked) == before


def test_a_changed_month_of_footage_links_again_just_what_it_can_reach(made, linked, tmp_path):
    footage = made.tables["footage"]
    month = month_number("2023-05")
    keep = np.ones(footage.num_rows, bool)
    keep[np.flatnonzero(footage["month"].to_numpy() == month)[::7]] = False
    changed = made.but("footage", footage.filter(pa.array(keep)))
    before = keys(linked)
    add(linked, *changed.sources("footage"))
    assert blank_months(linked) == ["2023-04", "2023-05", "2023-06"]  # stale: not known until linked again
    done = link_store(linked, settings=NEAR)
    assert (done.parts, done.unchanged) == (6, 4)
    after = keys(linked)
    assert {month for (_, month), key in after.items() if key != before[_, month]} == {month - 1, month, month + 1}
    fresh = changed.store(tmp_path / "fresh.store")
    link_store(fresh, settings=NEAR)
    for kind in ("search", "force_report"):
        assert columns(linked, kind) == columns(fresh, kind)
    assert verify(linked) == []


def test_a_changed_month_of_searches_links_again_only_itself(made, linked):
    searches = made.tables["search"]
    drop = np.flatnonzero(searches["month"].to_numpy() == month_number("2023-05"))[:5]
    keep = np.ones(searches.num_rows, bool)
    keep[drop] = False
    add(linked, *made.but("search", searches.filter(pa.array(keep))).sources("search"))
    assert blank_months(linked) == ["2023-05"]
    done = link_store(linked, settings=NEAR)
    assert (done.parts, done.unchanged) == (1, 9)


def test_a_month_that_comes_later_makes_stale_what_it_can_reach(made, tmp_path, plain_clocks):
    path = made.first_months(3).store(tmp_path / "force.store")
    link_store(path, settings=NEAR)
    add(path, *made.sources("footage"))
    assert blank_months(path) == ["2023-05"]


def test_other_settings_link_everything_again(linked):
    done = link_store(linked, settings=LinkSettings(before=600, after=600, another_before=600, another_after=600))
    assert (done.parts, done.unchanged) == (10, 0)


def test_a_wide_reach_takes_in_the_months_that_it_touches():
    from disprop.linking import reach_of

    march = month_number("2023-03")
    near, far = reach_of(march, march, 3600), reach_of(march, march, 33 * DAY)
    assert (near.first - march, near.last - march) == (-1, 1)
    assert (far.first - march, far.last - march) == (-2, 2)  # February has 28 days
    july = month_number("2023-07")
    assert reach_of(july, july, 29 * DAY).first == july - 1


def test_many_sidecars_are_one_transaction(made, tmp_path, plain_clocks):
    path = made.store(tmp_path / "force.store")
    before = current(path)["number"]
    link_store(path)
    assert current(path)["number"] == before + 1
    head, *lines = [json.loads(line) for line in ledger_path(path, before + 1).read_text().splitlines()]
    assert head["action"] == "sidecar"
    assert len(lines) == 10
    assert sum(sum(line["found"].values()) for line in lines) == sum(line["records"] for line in lines)


def test_stopped_after_any_step_the_store_is_the_old_one_or_the_new_one(made, tmp_path, plain_clocks, monkeypatch):
    class Stopped(BaseException):
        pass

    path = made.store(tmp_path / "force.store", "search", "footage")
    old = keys(path)
    seen, limit = 0, 0

    def after_step(step):
        nonlocal seen
        seen += 1
        if seen == limit:
            raise Stopped

    monkeypatch.setattr(durable, "after_step", after_step)
    for limit in range(1, 40):
        seen, number = 0, current(path)["number"]
        try:
            link_store(path, settings=LinkSettings(before=600 + limit))
        except Stopped:
            assert verify(path) == []
            found = keys(path)
            assert found == old if current(path)["number"] == number else not set(found.values()) & set(old.values())
            assert len(found) in (0, 5)
            old = found
            continue
        break
    assert limit >= 12
    assert "blank" not in {label for _, label in by_label(path)}


def test_two_writers_at_once_are_refused(linked):
    with locked(linked), pytest.raises(InputRefused, match="another process"):
        link_store(linked, settings=LinkSettings())


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
