"""Invented encounters: the files say what the truth says, the truth is that asked for, and the seed decides it all."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import naive_encounters as naive
import numpy as np
import pyarrow as pa
import pytest

import disprop as dp
from disprop.codelists import ANY, BLANK, NONE, UNMAPPED, code_lookup, codelist
from disprop.errors import UsageError
from disprop.records import KINDS, split_items
from disprop.synthetic import (
    CLEAN,
    MILD,
    YEAR,
    Noise,
    default_truth,
    make_encounters,
    make_inspected,
    make_records,
    write_encounters,
)
from disprop.synthetic import force_forms as forms
from disprop.synthetic.encounters import LATER, TABLES
from disprop.synthetic.footage import spaced
from disprop.synthetic.inspected import FACTORS
from disprop.synthetic.known_people import CAUGHT, REPEAT_SHARE
from disprop.synthetic.noise import SHARES

Z = 4.5
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


def off(found: int, trials: int, share: float) -> float:
    """Standard deviations between a count and what its share of the trials lets expect."""
    return (found - trials * share) / np.sqrt(trials * share * (1 - share))


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


# Shares --------------------------------------------------------------------------------------------------------------


def test_shares_of_noise_are_those_asked_for(year):
    clips, noise = year.truth.clips, Noise()
    tags = Counter(clips["reference_is"].to_pylist())
    assert abs(off(tags["missing"], clips.num_rows, noise.missing_reference)) < Z
    assert abs(off(tags["wrong"], clips.num_rows, noise.wrong_reference)) < Z
    uploads = Counter(year.footage["recorded_on_source"].to_pylist())
    assert abs(off(uploads["upload"], clips.num_rows, noise.upload_clock)) < Z
    records = {row["encounter"]: row["footage"] for row in year.truth.records.to_pylist()}
    why = Counter(records.values())
    assert abs(off(why["not worn"], len(records), noise.not_worn)) < Z
    assert abs(off(why["no footage"], len(records), noise.not_recorded)) < Z
    second = {}
    for reference, other in zip(
        year.raw["searches"]["reference"].to_pylist(), year.searches["other_officer"].to_pylist()
    ):
        second[reference] = other is not None
    assert abs(off(sum(second.values()), len(second), noise.double_crewed)) < Z


def test_a_spoilt_share_is_caught(year):
    tags = Counter(year.truth.clips["reference_is"].to_pylist())
    assert abs(off(tags["missing"], year.truth.clips.num_rows, 0.43)) > Z
    why = Counter({row["encounter"]: row["footage"] for row in year.truth.records.to_pylist()}.values())
    assert abs(off(why["not worn"], why.total(), 0.026)) > Z


@pytest.mark.parametrize("share", SHARES)
def test_each_share_moves_what_it_names(share):
    noise = replace(CLEAN, retention_days=10, **{share: 0.5})
    base = make_encounters(months=["2023-06"], noise=replace(CLEAN, retention_days=10), as_of="2023-07-01")
    made = make_encounters(months=["2023-06"], noise=noise, as_of="2023-07-01")
    assert not all(getattr(made, name).equals(getattr(base, name)) for name in TABLES.values())


def test_ticks_follow_the_footage(year):
    filmed = np.array([why != "not worn" and why != "no footage" for why in year.truth.records["footage"].to_pylist()])
    ticks = [*year.searches["video_recorded"].to_pylist(), *year.force_reports["video_recorded"].to_pylist()]
    known = [(tick == "yes") == is_filmed for tick, is_filmed in zip(ticks, filmed) if tick is not None]
    assert abs(off(len(known) - sum(known), len(known), Noise().tick_wrong)) < Z


def test_busy_crews_attend_more():
    busy = Counter(
        make_encounters(months=["2023-06"], noise=replace(CLEAN, busy=0.2)).raw["searches"]["officer"].to_pylist()
    )
    even = Counter(make_encounters(months=["2023-06"], noise=CLEAN).raw["searches"]["officer"].to_pylist())
    assert max(busy.values()) > 40 > 20 > max(even.values())


# Persons -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [REPEAT_SHARE, 0.3, 0.0])
def test_share_of_searches_on_repeat_individuals_is_that_asked_for(tmp_path, share):
    folders = tmp_path / "a"
    write_encounters(folders, months=YEAR, seed=11, repeat_share=share)
    rows = [row for month in naive.extracts(folders, "search").values() for row in month]
    repeats, total = naive.repeat_share(rows)
    # searches of one person go together: about 4 of them on a person met again
    assert abs(repeats - share * total) <= Z * np.sqrt(4 * total * share * (1 - share))
    with pytest.raises(UsageError, match=r"repeat_share is 0\.95"):
        make_encounters(repeat_share=0.95)
    assert pytest.approx(8 / 9) == CAUGHT


def test_persons_of_the_truth_are_those_searched(year):
    times = Counter(person for person in year.raw["searches"]["person"].to_pylist() if person)
    assert {row["person"]: row["searches"] for row in year.truth.persons.to_pylist()} == times
    known = {row["person"] for row in year.truth.persons.to_pylist() if row["known"]}
    assert {person for person, n in times.items() if n > 1} <= known
    vehicle = [kind == "Vehicle search" for kind in year.searches["search_type"].to_pylist()]
    assert all((person is None) == alone for person, alone in zip(year.raw["searches"]["person"].to_pylist(), vehicle))


def test_a_person_is_described_alike(year):
    known = {row["person"] for row in year.truth.persons.to_pylist() if row["known"]}
    for column in ("gender", "age_band", "ethnicity_self"):
        said: dict[str, set] = {}
        for person, label in zip(year.raw["searches"]["person"].to_pylist(), year.searches[column].to_pylist()):
            if person in known and label is not None and "Not stated" not in label:
                said.setdefault(person, set()).add(label)
        assert {len(labels) for labels in said.values()} == {1}, column


# Use of force --------------------------------------------------------------------------------------------------------


def test_tactics_have_the_published_shape(year):
    reports = year.force_reports.num_rows
    sets = [split_items(label) for label in year.force_reports["tactics"].to_pylist()]
    counts = Counter(item for one in sets for item in one)
    shares = {name: share for family in forms.TACTIC_FAMILIES for name, share in family.items()}
    for name, share in (shares | {forms.COMMUNICATION: forms.COMMUNICATION_SHARE}).items():
        allowed = Z * np.sqrt(reports * share * (1 - share)) + 1
        assert abs(counts[name] - reports * share) < allowed, name
    assert counts.most_common(1)[0][0] in ("Compliant handcuffing", forms.COMMUNICATION)
    force = [[item for item in one if item != forms.COMMUNICATION] for one in sets]
    assert min(map(len, force)) == 1
    assert np.mean([len(one) for one in force]) == pytest.approx(715_276 / 491_984, rel=0.05)


def test_some_force_effects_a_search(year):
    searched = {row["reference"] for row in year.raw["searches"].select(["reference"]).to_pylist()}
    of_search = [reference in searched for reference in year.raw["force_reports"]["reference"].to_pylist()]
    effect = ["Effect search" in split_items(label) for label in year.force_reports["reasons"].to_pylist()]
    both = sum(a and b for a, b in zip(of_search, effect))
    assert abs(off(both, sum(of_search), forms.EFFECT_SEARCH_SHARE)) < Z
    officers = {row["reference"]: {row["officer"], row["other_officer"]} for row in year.raw["searches"].to_pylist()}
    for row, here in zip(year.raw["force_reports"].to_pylist(), of_search):
        assert not here or row["officer"] in officers[row["reference"]]


def test_several_reports_are_one_incident(year):
    incidents = Counter(year.raw["force_reports"]["incident"].to_pylist())
    assert set(incidents.values()) == {1, 2}
    pairs: dict[str, set] = {}
    for row in year.raw["force_reports"].to_pylist():
        pairs.setdefault(row["incident"], set()).add((row["person"], row["officer"]))
    assert all(len({person for person, _ in met}) == 1 for met in pairs.values())
    assert all(len({officer for _, officer in met}) == incidents[incident] for incident, met in pairs.items())


def test_arrests_follow_from_searches_and_force(year):
    arrested = Counter(year.raw["custody"]["reference"].to_pylist())
    for row in year.raw["searches"].to_pylist():
        if row["outcome"] == "Arrest" and row["person"]:
            assert arrested[row["reference"]]


# The inspectorate's sample -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unlinked", [272, 277, 281])
def test_sample_prints_as_published(unlinked):
    sample = make_inspected(unlinked, seed=2)
    clips = sample["video_clips"].to_numpy()
    assert len(clips) == 9_540
    assert (clips == 0).sum() == unlinked
    assert f"{(clips > 0).mean():.1%}" == "97.1%"
    links = sample["video_link"].to_pylist()
    assert {link for link, n in zip(links, clips) if n} == {"exact reference", "officer and time", "another officer"}
    assert {code_lookup("video_link", "police.uk", [link])[0] for link in set(links)} < set(range(8))
    assert BLANK not in links


def test_the_unlinked_differ_as_stated():
    sample = make_inspected(2_000)
    without = sample["video_clips"].to_numpy() == 0
    for column, label in (("ethnicity_officer", "Black"), ("command_unit", "West")):
        has = np.array([one == label for one in sample[column].to_pylist()])
        odds = without[has].mean() / without[~has].mean()
        assert 1.2 < odds < FACTORS[label] * 1.15
    with pytest.raises(UsageError, match="9541 searches cannot lack footage"):
        make_inspected(9_541)


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
