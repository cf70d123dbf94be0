"""Links kept beside the records of a store: complete, made again only where something changed, blank when stale."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

import disprop as dp
from disprop.cli import cli
from disprop.errors import InputRefused
from disprop.io.store import add, durable, open_store, verify
from disprop.io.store.durable import locked
from disprop.io.store.manifest import current, ledger_path
from disprop.linkage import NO_TIME, Clips, Events, LinkSettings, link, video_link
from disprop.linking import link_store
from disprop.months import month_number
from tests.video.conftest import DAY, MONTHS, NEAR, VIDEO, blank_months, by_label, columns, seconds


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
