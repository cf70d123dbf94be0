"""Nights over searches, force reports, footage and custody, each by a mapping, linked to footage."""

import base64
import csv
import json

import pandas as pd
import pytest

import disprop as dp
from disprop.io.store import open_store
from disprop.nightly import read_config
from disprop.nightly.figures import axes_of
from disprop.nightly.tallying import TallyCache
from disprop.plan import scan
from disprop.synthetic import population
from tests.nightly import encounters
from tests.nightly.encounters import FOLDERS, revise
from tests.nightly.night import MONTHS, config, content, is_whole, log, night, published

KINDS = tuple(FOLDERS)
EVERY_TABLE = """
[[tables]]
measure = "share_on_video"
by = ["force", "video_link"]

[[tables]]
measure = "share_on_video"
kind = "force_report"
by = ["force", "hour"]
name = "force_on_video_by_hour"

[[tables]]
measure = "force_ratio"
by = ["force", "ethnicity_officer"]
options = { perceived = true }

[[tables]]
measure = "compliant_handcuffing_share"
by = ["force"]

[[tables]]
measure = "share_on_video"
by = ["officer"]
name = "video_by_officer"
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def last(home, step):
    return log(home, step)[-1]


def everything(home):
    return [content(home, kind) for kind in KINDS]


def test_every_kind_comes_in_is_linked_and_measured(home):
    path = encounters.world(home, tables=EVERY_TABLE)
    done = night(path)
    assert done.warnings == ()
    assert last(home, "read")["parts_added"] == 8
    assert last(home, "link")["parts_linked"] == 4
    folder = home / "out" / "current"
    assert is_whole(folder)
    video = pd.read_csv(folder / "share_on_video.csv").set_index("video_link")
    assert video.loc["exact reference", "denominator"] > 100
    assert len(pd.read_csv(folder / "force_on_video_by_hour.csv")) > 20
    assert pd.read_csv(folder / "force_ratio.csv")["estimate"].notna().any()
    assert not night(path).published
    assert last(home, "link") == last(home, "link") | {"parts_linked": 0, "parts_unchanged": 4}


def test_tallies_of_every_kind_equal_a_full_scan(home):
    path = encounters.world(home, tables=EVERY_TABLE)
    night(path)
    revise(home, "footage", MONTHS[0])
    night(path)
    for table in read_config(path).tables:
        store, axes = open_store(home / "store", kind=table.records), axes_of(table)
        cache = TallyCache(home / "out" / ".nightly" / "tallies")
        assert cache.tallies(store, [axes]) == scan(store, [axes])
        assert (cache.made, cache.found) == (0, 2)


def test_footage_exported_again_links_and_tallies_what_it_can_reach(home, tmp_path):
    months = ("2023-04", "2023-05", "2023-06", "2023-07")
    path = encounters.world(home, months=months)
    night(path)
    revise(home, "footage", "2023-04")
    night(path)
    assert last(home, "read")["parts_replaced"] == 1
    linked, tallied = last(home, "link"), last(home, "tally")
    assert 4 <= linked["parts_linked"] <= 6, "April, May, and what early clips of May may reach: of both kinds"
    assert linked["parts_linked"] + linked["parts_unchanged"] == 8
    assert tallied["parts_tallied"] == linked["parts_linked"] // 2
    assert tallied["parts_tallied"] + tallied["parts_known"] == 4
    afresh = encounters.world(tmp_path / "afresh", months=months)
    revise(tmp_path / "afresh", "footage", "2023-04")
    night(afresh)
    assert everything(home) == everything(tmp_path / "afresh")
    assert published(home) == published(tmp_path / "afresh")


def test_without_footage_or_settings_nothing_is_linked(home):
    path = encounters.world(home, link="")
    night(path)
    assert log(home, "link") == []
    config(home, extracts=encounters.extracts(("search",)) + encounters.LINK, tables="")
    night(path)
    assert log(home, "link") != []  # the store still has footage


def test_no_row_shows_an_officer_of_few_records(home):
    night(encounters.world(home, tables=EVERY_TABLE))
    rows = pd.read_csv(home / "out" / "current" / "video_by_officer.csv")
    shown = rows[rows["officer"] != "[c]"]
    assert (shown["denominator"] >= 10).all()
    assert len(shown) < len(rows)
    config(home, head="report = false\ndisclosure_threshold = 3", extracts=encounters.extracts() + encounters.LINK,
           tables=EVERY_TABLE)  # fmt: skip
    assert night(home / "nightly.toml").warnings == ("disclosure_threshold is 3; 10 or more is advised",)
    more = pd.read_csv(home / "out" / "current" / "video_by_officer.csv")
    assert len(more[more["officer"] != "[c]"]) > len(shown)
    assert more.loc[more["officer"] != "[c]", "denominator"].between(3, 9).any()
    assert json.loads(published(home)["manifest.json"])["warnings"] == [
        "disclosure_threshold is 3; 10 or more is advised"
    ]


def test_no_raw_identifier_is_in_anything_that_a_night_leaves(home):
    path = encounters.world(home, tables=EVERY_TABLE)
    bad = home / "searches" / f"searches-{MONTHS[0]}.csv"
    lines = bad.read_text().splitlines(keepends=True)
    lines[5] = lines[5].replace("/2023", "/some")
    bad.write_text("".join(lines))
    assert night(path).warnings
    rows = list(csv.DictReader(lines[:200]))
    names = ("Searching Officer", "Nominal Ref", "Search URN")
    identifiers = {row[name].encode() for row in rows for name in names} - {b""}
    assert len(identifiers) > 100
    left = [one for folder in ("out", "store") for one in (home / folder).rglob("*") if one.is_file()]
    assert len(left) > 30
    assert "index.html" in {one.name for one in left}
    for file in left:
        held = file.read_bytes()
        assert not any(one in held or base64.b64encode(one) in held for one in identifiers), file
    for file in (one for one in left if one.suffix == ".parquet"):
        text = pd.read_parquet(file).to_csv().encode()
        assert not any(one in text for one in identifiers), file


def test_another_key_is_another_reading(home):
    path = encounters.world(home)
    first = night(path)
    (home / "secret.key").write_text("another example, not a secret either")
    assert night(path).run != first.run
    assert last(home, "read")["parts_replaced"] == 8


def test_the_report_allows_for_people_searched_again(home):
    path = encounters.world(home)
    config(home, head="report = true", extracts=encounters.extracts() + encounters.LINK, tables="")
    night(path)
    made = dp.make_report(open_store(home / "store", kind="search"), home / "made", population=population())
    folder = home / "out" / "current" / "report" / "synthetic-shire"
    for name in ("rate_ratio.csv", "search_rate.csv", "linked_find.csv", "share_on_video.csv"):
        assert (folder / name).read_text() == (made[0].parent / name).read_text(), name


def test_the_manifest_names_no_key_and_no_place(home):
    night(encounters.world(home))
    told = json.loads(published(home)["manifest.json"])
    assert [one["kind"] for one in told["made_from"]["extracts"]] == list(KINDS)
    text = json.dumps(told)
    assert "secret" not in text
    assert str(home) not in text
