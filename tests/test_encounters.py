"""Invented encounters: the files say what the truth says, the truth is that asked for, and the seed decides it all."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import naive_encounters as naive
import numpy as np
import pyarrow as pa
import pytest
from naive_encounters import Z, off

import disprop as dp
from disprop.codelists import ANY, NONE, UNMAPPED, code_lookup, codelist
from disprop.errors import UsageError
from disprop.records import KINDS, split_items
from disprop.synthetic import (
    CLEAN,
    MILD,
    Noise,
    default_truth,
    make_encounters,
    make_records,
    write_encounters,
)
from disprop.synthetic.encounters import LATER, TABLES
from disprop.synthetic.footage import spaced

MONTHS = ("2023-10", "2023-11")
"""October has the hour that comes twice."""
NOISY = Noise(clock={"system A": -30, "system B": 420}, retention_days=20, wrong_reference=0.05, upload_clock=0.02)
AS_OF = "2023-11-20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encounters")
    write_encounters(folder, months=MONTHS, seed=5, noise=NOISY, as_of=AS_OF)
    return folder


@pytest.fixture(scope="module")
def year():
    return make_encounters(seed=3)


# Form ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TABLES)
def test_tables_have_the_canonical_columns(year, kind):
    table = getattr(year, TABLES[kind])
    assert table.column_names == [column.name for column in KINDS[kind].columns if column.name not in LATER]
    assert table.schema.metadata[b"dataset"] == b"synthetic"
    types = {"label": pa.dictionary(pa.int32(), pa.string()), "items": pa.dictionary(pa.int32(), pa.string())}
    types |= {"key": pa.uint64(), "month": pa.int32(), "degrees": pa.float64(), "time": pa.timestamp("s", "UTC")}
    for column in KINDS[kind].columns:
        if column.name not in LATER:
            assert table.schema.field(column.name).type == types[column.dtype], column.name


@pytest.mark.parametrize("kind", TABLES)
def test_raw_tables_differ_in_identifiers_alone(year, kind):
    hashed, raw = getattr(year, TABLES[kind]), year.raw[TABLES[kind]]
    for column in KINDS[kind].columns:
        if column.name in LATER:
            continue
        if column.dtype != "key":
            assert raw[column.name].equals(hashed[column.name])
            continue
        texts, keys = raw[column.name].to_pylist(), hashed[column.name].to_pylist()
        assert {text is None for text, key in zip(texts, keys) if key is None} <= {True}
        pairs = set(zip(texts, keys))
        assert len(pairs) == len({text for text, _ in pairs}) == len({key for _, key in pairs}), "one key an identifier"


def test_an_officer_has_one_key_everywhere(year):
    def named(table: str, column: str) -> dict:
        return dict(zip(year.raw[table][column].to_pylist(), getattr(year, table)[column].to_pylist()))

    searches, seconds, footage = (
        named("searches", "officer"),
        named("searches", "other_officer"),
        named("footage", "officer"),
    )
    assert all(footage[officer] == key for officer, key in (searches | seconds).items() if officer in footage)
    assert len(searches.keys() & footage.keys()) > 400
    devices = named("footage", "device")
    assert not set(devices.values()) & set(footage.values()), "the same number of another sort has another key"


@pytest.mark.parametrize("kind", TABLES)
def test_no_label_is_strange_to_the_codelists(year, kind):
    for axis in KINDS[kind].axes:
        derived = axis.column not in getattr(year, TABLES[kind]).column_names
        if derived or axis.name in ("force", "month") or not (axis.by_label or axis.multi):
            continue
        column = getattr(year, TABLES[kind])[axis.column].combine_chunks()
        labels = column.dictionary.to_pylist()
        if axis.multi:
            labels = sorted({item for label in labels for item in split_items(label)})
        codes = {codelist(axis.codelist).codes[i] for i in code_lookup(axis.codelist, "police.uk", labels)}
        assert UNMAPPED not in codes, (axis.name, labels)


def test_a_source_is_tallied_like_its_rows(year):
    counted = dp.tally(year.source("force_report"), by=["tactic"])
    items = Counter(item for label in year.force_reports["tactics"].to_pylist() for item in split_items(label))
    assert {code: counted[{"tactic": code}] for code in items} == items
    assert counted[{"tactic": ANY}] + counted[{"tactic": NONE}] == year.force_reports.num_rows
    searches = dp.tally(year.source("search"), by=["gender"], vehicle_only=True)
    assert searches.total == year.searches.num_rows
    assert searches.parts["rows"].sum() == year.searches.num_rows
    assert len(searches.parts) == 12
    with pytest.raises(UsageError, match="no kind of record 'clip'"):
        year.source("clip")


# What decides ------------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_whichever_other_months_are_made(tmp_path, folder):
    paths = write_encounters(tmp_path, months=[MONTHS[1]], seed=5, noise=NOISY, as_of=AS_OF)
    for path in paths:
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes()
    other = make_encounters(months=MONTHS[1:], seed=6)
    assert not other.searches.equals(make_encounters(months=MONTHS[1:], seed=5).searches)


def test_months_are_made_apart():
    both, one = make_encounters(months=MONTHS), make_encounters(months=MONTHS[1:])
    for name in TABLES.values():
        table = getattr(both, name)
        assert table.slice(table.num_rows - getattr(one, name).num_rows).to_pylist() == getattr(one, name).to_pylist()


def test_another_day_of_extract_changes_footage_alone():
    early, late = (make_encounters(months=MONTHS[:1], noise=NOISY, as_of=day) for day in ("2023-10-15", "2023-11-01"))
    for name in ("searches", "force_reports", "custody"):
        assert getattr(early, name).equals(getattr(late, name))
    clips = [
        dict(zip(made.raw["footage"]["media"].to_pylist(), made.raw["footage"].to_pylist())) for made in (early, late)
    ]
    assert set(clips[1]) - set(clips[0])
    both = set(clips[0]) & set(clips[1])
    changes = {
        tuple(name for name in row if row[name] != clips[1][media][name])
        for media, row in clips[0].items()
        if media in both
    }
    assert changes == {(), ("status", "deleted_time")}


def test_searches_are_those_of_make_records_but_for_what_is_said():
    made = make_encounters(months=MONTHS, noise=CLEAN, repeat_share=0.0).searches
    plain = make_records(months=MONTHS)
    same = [
        name for name in plain.column_names if name not in ("event_time", "month", "video_recorded", "possession_only")
    ]
    rows = [Counter(map(str, table.select(same).to_pylist())) for table in (made, plain)]
    assert rows[0] == rows[1]


def test_clean_encounters_are_recorded_in_full():
    made = make_encounters(months=MONTHS[:1], noise=CLEAN)
    records = made.truth.records
    assert set(records["footage"].to_pylist()) == {"footage"}
    assert set(records["n_clips"].to_pylist()) == {1}
    assert all(records["from_start"].to_pylist())
    assert records["true_time"].to_pylist() == [
        *made.searches["event_time"].to_pylist(), *made.force_reports["event_time"].to_pylist()
    ]  # fmt: skip
    assert set(made.truth.links["by"].to_pylist()) == {"exact reference"}
    assert set(made.searches["other_officer"].to_pylist()) == {None}
    assert made.truth.clocks["system B"] + 1 > 0


@pytest.mark.parametrize("noise", [CLEAN, MILD, Noise()])
def test_an_officer_is_at_one_place_at_a_time(noise):
    made = make_encounters(months=MONTHS[:1], noise=noise)
    truth = made.truth.clips
    clips = zip(
        *(made.raw["footage"]["officer"].to_pylist(),),
        *(truth[n].to_pylist() for n in ("true_start", "true_end", "encounter")),
    )
    by_officer: dict[str, list] = {}
    for officer, start, end, encounter in clips:
        by_officer.setdefault(officer, []).append((start, end, encounter))
    least = timedelta(seconds=noise.gap - 120)  # a camera is switched on up to two minutes before
    for worn in by_officer.values():
        worn.sort()
        for (_, end, encounter), (start, _, after) in zip(worn, worn[1:]):
            assert start > end
            assert encounter == after or start - end >= least


def test_spaced_is_the_definition():
    rng = np.random.default_rng(4)
    start, crew = rng.integers(0, 40_000, 300), rng.integers(0, 7, 300)
    seconds = 60 * rng.integers(4, 20, 300)
    moved = spaced(start, seconds, crew, 290.0)
    for one in range(7):
        last = None
        for i in sorted(np.flatnonzero(crew == one), key=lambda i: (start[i], i)):
            expected = start[i] if last is None else max(start[i], moved[last] + seconds[last] + 300)
            assert moved[i] == expected
            last = i


# The files and their truth -------------------------------------------------------------------------------------------


def test_a_file_holds_its_month_by_the_local_clock(folder):
    for kind in naive.TIMES:
        for month, rows in naive.extracts(folder, kind).items():
            assert rows
            assert {naive.form_month(kind, row) for row in rows} == {month}
    for month, rows in naive.extracts(folder, "footage").items():
        local = {naive.utc(row["Recorded On"]).astimezone(naive.LONDON).strftime("%Y-%m") for row in rows}
        assert local == {month}


def test_links_are_those_of_a_slow_join(folder):
    found: dict = {key: {} for key in naive.links(folder)}
    for link in naive.truth(folder, "links"):
        found[link["kind"], link["month"], link["row"]][link["clip_month"], link["clip"]] = link["by"]
    assert found == naive.links(folder)
    assert {by for best in found.values() for by in best.values()} == {
        "exact reference",
        "officer and time",
        "another officer",
    }


def test_records_state_what_their_clips_say(folder):
    links, clips = naive.links(folder), {(c["month"], c["row"]): c for c in naive.truth(folder, "clips")}
    for record in naive.truth(folder, "records"):
        shown = [clips[at] for at in links[record["kind"], record["month"], record["row"]]]
        assert int(record["n_clips"]) == len(shown)
        spans = [(naive.utc(c["true_start"].rstrip("Z")), naive.utc(c["true_end"].rstrip("Z"))) for c in shown]
        assert int(record["seconds"]) == sum((end - start).seconds for start, end in spans)
        true_time = naive.utc(record["true_time"].rstrip("Z"))
        assert record["from_start"] == str(any(start <= true_time for start, _ in spans)).lower()
        if shown:
            assert record["footage"] == "footage"


def test_forms_are_on_time_or_late(folder):
    forms_of = {kind: naive.extracts(folder, kind) for kind in ("search", "force_report")}
    delays = []
    for record in naive.truth(folder, "records"):
        form = forms_of[record["kind"]][record["month"]][int(record["row"])]
        true_time = naive.utc(record["true_time"].rstrip("Z"))
        since = [(time - true_time).total_seconds() for time in naive.form_times(record["kind"], form)]
        delays.append(min((delay for delay in since if delay >= 0), default=-1))
    assert min(delays) == 0
    late = [delay for delay in delays if delay > 0]
    assert abs(off(len(late), len(delays), NOISY.late)) < Z
    middle = 1.2533 * NOISY.late_spread / np.sqrt(len(late))  # standard error of the median of a normal
    assert abs(np.log(np.median(late) / NOISY.late_median)) < Z * middle


def test_clocks_are_fast_by_what_is_stated(folder):
    fast = {"system A": set(), "system B": set()}
    files = naive.extracts(folder, "footage")
    for clip in naive.truth(folder, "clips"):
        row = files[clip["month"]][int(clip["row"])]
        if row["Recorded On Source"] == "device":
            shift = naive.utc(row["Recorded On"]) - naive.utc(clip["true_start"].rstrip("Z"))
            fast[row["Source System"]].add(shift.total_seconds())
        else:
            assert row["Recorded On"] == row["Uploaded On"]
    assert fast == {"system A": {-30.0}, "system B": {420.0}}


def test_the_extract_is_of_its_day(folder):
    day = naive.utc(AS_OF)
    for rows in naive.extracts(folder, "footage").values():
        for row in rows:
            assert naive.utc(row["Uploaded On"]) <= day
            if row["Status"] == "Deleted":
                assert naive.utc(row["Deleted On"]) <= day
            else:
                assert row["Deleted On"] == ""
    told = Counter((r["month"], r["footage"]) for r in naive.truth(folder, "records"))
    assert told["2023-10", "expired"] > 10 * told["2023-10", "footage"]
    assert told["2023-11", "not uploaded"] > told["2023-11", "expired"] == 0
    kept = {naive.utc(r["true_time"].rstrip("Z")) for r in naive.truth(folder, "records") if r["footage"] == "footage"}
    assert min(kept) > day - timedelta(days=20, hours=1)


def test_local_time_written_as_utc_is_an_hour_fast_in_summer():
    noise = replace(CLEAN, local_as_utc=("system A",))
    for month, hours in (("2023-07", 1), ("2023-12", 0)):
        made = make_encounters(months=[month], noise=noise)
        start, said = made.truth.clips["true_start"].to_pylist(), made.footage["event_time"].to_pylist()
        systems = made.footage["system"].to_pylist()
        shifts = {(system, b - a) for a, b, system in zip(start, said, systems)}
        assert shifts == {("system A", timedelta(hours=hours)), ("system B", timedelta(0))}


# Refusals ------------------------------------------------------------------------------------------------------------


def test_noise_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match=r"late is 1\.5"):
        Noise(late=1.5)
    with pytest.raises(UsageError, match="gap is -1"):
        Noise(gap=-1)
    with pytest.raises(UsageError, match="no system system C; there are"):
        Noise(clock={"system C": 5})
    with pytest.raises(UsageError, match="may not pass 1"):
        Noise(missing_reference=0.9, wrong_reference=0.2)


def test_arguments_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="give as_of"):
        make_encounters(months=["2023-06"], noise=Noise(retention_days=84))
    with pytest.raises(UsageError, match="'20/11/2023' is not a day"):
        make_encounters(months=["2023-06"], as_of="20/11/2023")
    with pytest.raises(UsageError, match="no month"):
        make_encounters(months=[])
    with pytest.raises(UsageError, match="is not a month"):
        make_encounters(months=["2023-13"])


def test_another_truth_makes_other_encounters():
    quiet = replace(default_truth(), rate={group: rate / 4 for group, rate in default_truth().rate.items()})
    made = make_encounters(quiet, months=["2023-06"])
    assert 300 < made.searches.num_rows < 600
    assert len(set(made.raw["searches"]["officer"].to_pylist())) < 130


# The second maker ----------------------------------------------------------------------------------------------------


def test_the_second_maker_keeps_its_word():
    world = naive.other_world(400, seed=1, offsets=(0, 420), late=0.2, mistagged=0.02, dark=0.05)
    shown = Counter(event for event, _ in world.shows)
    assert 0.9 < len(shown) / len(world.events) < 0.99
    for event, clip in world.shows:
        start = world.clips[clip]["start"] - world.offsets[world.clips[clip]["system"]]
        assert start - 1_500 < world.events[event]["time"] < start + 1_500 + 900 + 90
    assert world.shows == naive.other_world(400, seed=1, offsets=(0, 420), late=0.2, mistagged=0.02, dark=0.05).shows
