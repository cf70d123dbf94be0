"""How often encounters turn out as they do: footage, noise, persons met again, tactics, the inspectorate's sample."""

from collections import Counter
from dataclasses import replace

import naive_encounters as naive
import numpy as np
import pytest
from naive_encounters import Z, off

from disprop.codelists import BLANK, code_lookup
from disprop.errors import UsageError
from disprop.records import split_items
from disprop.synthetic import (
    CLEAN,
    YEAR,
    Noise,
    make_encounters,
    make_inspected,
    write_encounters,
)
from disprop.synthetic import force_forms as forms
from disprop.synthetic.encounters import TABLES
from disprop.synthetic.inspected import FACTORS
from disprop.synthetic.known_people import CAUGHT, REPEAT_SHARE
from disprop.synthetic.noise import SHARES


@pytest.fixture(scope="module")
def year():
    return make_encounters(seed=3)


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
