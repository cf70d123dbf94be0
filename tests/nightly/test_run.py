"""A night: what it publishes, what it leaves alone, what it refuses; on invented extracts as data.police.uk's."""

import json
import shutil
import threading
from pathlib import Path

import pandas as pd
import pytest

import disprop as dp
from disprop.errors import InputRefused, OverlapError, RevisionError
from disprop.io.police_uk import read_police_uk
from disprop.io.store import open_store, purge
from disprop.measures.ratios import rate_ratio
from disprop.nightly import check, read_config
from disprop.nightly.tallying import TallyCache
from disprop.plan import scan
from disprop.synthetic import population, write_police_uk
from tests.nightly.night import MONTHS, SEARCHES, config, content, is_whole, log, night, published, revise, world


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def last(home, step):
    return log(home, step)[-1]


def test_what_is_published_is_what_the_measures_say(home):
    night(world(home))
    records = read_police_uk(home / "searches")
    expected = rate_ratio(dp.tally(records, by=["ethnicity_self"]), population(), by=["force", "ethnicity_self"])
    folder = home / "out" / "current"
    found = pd.read_parquet(folder / "rate_ratio.parquet")
    assert set(found.pop("synthetic")) == {"SYNTHETIC: invented records"}
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    as_text = pd.read_csv(folder / "rate_ratio.csv")
    assert as_text["estimate"].round(9).tolist() == found["estimate"].round(9).tolist()
    assert is_whole(folder)


def test_a_second_night_on_the_same_extracts_changes_nothing(home):
    path = world(home)
    first = night(path)
    before, stored, tallies = published(home), content(home), sorted((home / "out" / ".nightly").rglob("*"))
    ledgers = sorted((home / "store" / "ledger").iterdir())
    again = night(path)
    assert (first.published, again.published, again.run) == (True, False, first.run)
    assert (published(home), content(home)) == (before, stored)
    assert sorted((home / "store" / "ledger").iterdir()) == ledgers
    assert sorted((home / "out" / ".nightly").rglob("*")) == tallies
    assert last(home, "read")["extracts_read"] == 0


def test_the_place_of_the_files_does_not_matter(home, tmp_path):
    night(world(home))
    night(world(tmp_path / "elsewhere" / "deep"))
    assert published(home) == published(tmp_path / "elsewhere" / "deep")


def test_a_month_published_again_replaces_and_is_all_that_is_tallied(home, tmp_path):
    path = world(home)
    night(path)
    old = (home / "out" / "current").resolve()
    revise(home)
    assert night(path).published
    assert (last(home, "read")["parts_added"], last(home, "read")["parts_replaced"]) == (0, 1)
    assert (last(home, "tally")["parts_tallied"], last(home, "tally")["parts_known"]) == (1, 1)
    ledger = [json.loads(line) for line in sorted((home / "store" / "ledger").iterdir())[-1].read_text().splitlines()]
    assert [(line["change"], line["month"]) for line in ledger if "change" in line] == [("replaced", MONTHS[-1])]
    afresh = world(tmp_path / "afresh")
    revise(tmp_path / "afresh")
    night(afresh)
    assert published(home) == published(tmp_path / "afresh")
    assert is_whole(old), "the night before stays as it was"


def test_a_new_month_is_added(home):
    path = world(home)
    night(path)
    revise(home, "2023-06")
    night(path)
    assert (last(home, "read")["parts_added"], last(home, "read")["parts_replaced"]) == (1, 0)
    assert (last(home, "tally")["parts_tallied"], last(home, "tally")["parts_known"]) == (1, 2)


def test_what_is_taken_back_is_published_again(home):
    path = world(home)
    first = night(path)
    revise(home)
    assert night(path).run != first.run
    write_police_uk(home / "searches", months=MONTHS, seed=1)
    back = night(path)
    assert back.published
    assert (back.run, (home / "out" / "current").readlink().name) == (first.run, first.run)


def test_other_settings_are_another_run_of_the_same_store(home):
    first = night(world(home))
    then = night(config(home, head='report = false\nfrom = "2023-05"\nto = "2023-05"'))
    assert then.run != first.run
    assert last(home, "read")["extracts_read"] == 0
    assert last(home, "tally")["parts_tallied"] == 0
    coverage = pd.read_csv(home / "out" / "current" / "coverage_search.csv")
    assert coverage["month"].tolist() == ["2023-05"]


def test_the_last_months_end_with_the_last_that_came(home):
    night(world(home, months=("2023-04", "2023-05", "2023-06"), head="report = false\nlast_months = 2"))
    coverage = pd.read_csv(home / "out" / "current" / "coverage_search.csv")
    assert coverage["month"].tolist() == ["2023-05", "2023-06"]


def test_the_pages_are_those_of_the_report(home):
    night(world(home, head="report = true"))
    folder = home / "out" / "current" / "report" / "synthetic-shire"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in page
    assert str(home) not in page
    made = dp.make_report(read_police_uk(home / "searches"), home / "made", population=population())
    for name in ("rate_ratio.csv", "search_rate.csv", "linked_find.csv", "coverage.csv"):
        assert (folder / name).read_text() == (made[0].parent / name).read_text(), name
    accounts = [(place / "account.csv").read_text().splitlines() for place in (folder, made[0].parent)]
    assert [line for line in accounts[1] if "not stop and search" not in line] == accounts[0]


# What the tallies are ------------------------------------------------------------------------------------------------

AXES = [("ethnicity_self",), ("object", "outcome", "linked"), ("hour",), ()]


def test_tallies_of_parts_add_up_to_a_full_scan(home, tmp_path):
    night(world(home, months=("2023-04", "2023-05", "2023-06")))
    store = open_store(home / "store")
    expected = scan(store, AXES)
    cache = TallyCache(tmp_path / "kept")
    cache.folder.mkdir()
    assert [cache.tallies(store, AXES), cache.made, cache.found] == [expected, 3, 0]
    again = TallyCache(cache.folder)
    assert [again.tallies(store, AXES), again.made, again.found] == [expected, 0, 3]
    assert again.used == cache.used == {path.name for path in cache.folder.iterdir()}


@pytest.mark.parametrize("harm", ["cut", "changed", "swapped"])
def test_a_saved_tally_that_is_not_whole_is_not_believed(harm, home, tmp_path):
    night(world(home))
    store, folder = open_store(home / "store"), tmp_path / "kept"
    folder.mkdir()
    expected = TallyCache(folder).tallies(store, AXES[:1])
    one, other = sorted(folder.iterdir())
    whole = one.read_bytes()
    one.write_bytes(
        {
            "cut": whole[:-9],
            "changed": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
            "swapped": other.read_bytes(),
        }[harm]
    )
    cache = TallyCache(folder)
    assert [cache.tallies(store, AXES[:1]), cache.made, cache.found] == [expected, 1, 1]


def test_tallies_that_are_no_longer_used_are_deleted(home):
    path = world(home)
    night(path)
    before = set((home / "out" / ".nightly" / "tallies").iterdir())
    revise(home)
    night(path)
    after = set((home / "out" / ".nightly" / "tallies").iterdir())
    assert len(before) == len(after) == 4
    assert len(before & after) == 2


# What is refused, and what is warned of ------------------------------------------------------------------------------


def broken(home: Path) -> Path:
    """One of several files that no one can read."""
    path = home / "searches" / "2023-06" / "2023-06-synthetic-shire-stop-and-search.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 this is no table")
    return path


def test_a_file_that_cannot_be_read_stops_the_night_and_is_named(home):
    path = world(home)
    night(path)
    before, stored = published(home), content(home)
    revise(home)
    name = broken(home).name
    with pytest.raises(InputRefused, match=name):
        night(path)
    assert (published(home), content(home)) == (before, stored)
    assert last(home, "read")["stopped"] == "InputRefused"


def test_or_it_is_left_out_with_a_warning(home, tmp_path):
    path = world(home, head='report = false\non_error = "skip"')
    name = broken(home).name
    done = night(path)
    assert done.published
    assert [name in warning for warning in done.warnings] == [True]
    assert last(home, "read")["files_left_out"] == 1
    told = json.loads(published(home)["manifest.json"])
    assert told["made_from"]["extracts"][0]["left_out"] == [f"2023-06/{name}"]
    assert not night(path).published
    broken_name = home / "searches" / "2023-06" / name
    broken_name.unlink()
    revise(home, "2023-06")
    assert night(path).warnings == ()


def test_an_empty_file_is_left_out_likewise(home):
    path = world(home, head='report = false\non_error = "skip"')
    broken(home).write_bytes(b"")
    assert len(night(path).warnings) == 1


def test_rows_that_cannot_be_read_are_counted_in_the_manifest(home):
    path = world(home)
    file = home / "searches" / MONTHS[0] / f"{MONTHS[0]}-synthetic-shire-stop-and-search.csv"
    lines = file.read_text().splitlines(keepends=True)
    date = lines[3].split(",")[1]
    lines[3] = lines[3].replace(date, "some day")
    file.write_text("".join(lines))
    done = night(path)
    assert done.warnings == ("1 rows could not be read: date not understood",)
    account = json.loads(published(home)["manifest.json"])["made_from"]["extracts"][0]["account"]
    assert account["quarantined"] == {"date not understood": 1}
    extracts = pd.read_csv(home / "out" / "current" / "extracts.csv")
    assert extracts["quarantined"].tolist() == [1, 0]
    assert (extracts["read"] == extracts["yielded"] + extracts["excluded"] + extracts["quarantined"]).all()


@pytest.mark.parametrize("when", ["together", "one night later"])
def test_two_extracts_may_not_feed_one_month(when, home):
    path = world(home)
    if when == "one night later":
        night(path)
    shutil.copytree(home / "searches", home / "more")
    file = next((home / "more").glob(f"{MONTHS[0]}/*.csv"))
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:50]))
    config(home, extracts=SEARCHES + SEARCHES.replace("searches", "more"))
    with pytest.raises((InputRefused, RevisionError, OverlapError), match=r"two|both sides"):
        night(path)


def test_a_path_without_files_is_refused(home):
    with pytest.raises(InputRefused, match="nowhere"):
        night(world(home, extracts=SEARCHES.replace("searches", "nowhere")))
    assert not (home / "store").exists()


def test_current_must_be_a_link(home):
    path = world(home)
    (home / "out" / "current").mkdir(parents=True)
    with pytest.raises(InputRefused, match="no link"):
        night(path)


# Retention -----------------------------------------------------------------------------------------------------------


def test_what_retention_removes_stays_removed(home):
    tail = '\n[retention]\nbefore = "2023-05"\n'
    path = world(home, extracts=SEARCHES + tail)
    night(path)
    months = {row["month"] for row in open_store(home / "store").rows()}
    assert last(home, "retention")["records_removed"] > 1_000
    assert len(months) == 1
    before = published(home)
    assert not night(path).published
    assert last(home, "retention")["records_removed"] == 0
    revise(home, "2023-06")
    night(path)
    assert {row["first"] for row in open_store(home / "store").rows()} == {640, 641}
    assert before.keys() == published(home).keys()


def test_records_removed_by_hand_are_not_brought_back(home):
    path = world(home)
    night(path)
    part = open_store(home / "store").rows()[0]["part"].decode()
    purge(home / "store", reason="expunged", rows={part: [0, 1]})
    stored = content(home)
    assert night(path).published
    assert last(home, "read")["extracts_read"] == 0
    assert content(home) == stored


def test_nor_when_the_extract_is_read_again(home):
    path = world(home)
    night(path)
    for reason in ("expunged", "expunged too"):
        part = open_store(home / "store").rows()[0]["part"].decode()
        purge(home / "store", reason=reason, rows={part: [0, 1]})
    stored = open_store(home / "store").rows()[0]
    revise(home, "2023-06")
    night(path)
    assert last(home, "read")["extracts_read"] == 1
    rows = open_store(home / "store").rows()
    assert (rows[0]["part"], rows[0]["records"]) == (stored["part"], stored["records"])
    assert len(rows) == 3
    revise(home, MONTHS[0])
    night(path)
    assert open_store(home / "store").rows()[0]["part"] != stored["part"], "a revision of the month itself replaces"


def test_a_store_that_was_deleted_is_filled_again(home):
    path = world(home)
    night(path)
    before, stored = published(home), content(home)
    shutil.rmtree(home / "store")
    assert not night(path).published
    assert (published(home), content(home)) == (before, stored)


def test_what_is_kept_between_nights_can_be_deleted(home):
    path = world(home)
    night(path)
    before = published(home)
    shutil.rmtree(home / "out" / ".nightly")
    assert not night(path).published
    assert published(home) == before


# A reader ------------------------------------------------------------------------------------------------------------


def test_a_reader_always_finds_a_whole_folder(home):
    path = world(home)
    night(path)
    found, done = [], threading.Event()

    def read():
        while not done.is_set():
            found.append(is_whole((home / "out" / "current").resolve()))

    reader = threading.Thread(target=read)
    reader.start()
    for seed in (2, 1, 3):
        revise(home, seed=seed)
        night(path)
    done.set()
    reader.join()
    assert len(found) > 10
    assert all(found)


def test_check_writes_nothing(home):
    path = world(home)
    before = sorted(home.rglob("*"))
    assert check(read_config(path)) == [f"{home / 'searches'}: 2 files, by the layout of data.police.uk"]
    assert sorted(home.rglob("*")) == before
