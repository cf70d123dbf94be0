"""What became less since earlier nights is warned of: in the manifest, in the outcome and in the log."""

import json
import shutil

import pytest

from disprop.io.store import open_store, purge
from disprop.synthetic import write_police_uk
from tests.nightly import encounters
from tests.nightly.night import MONTHS, SEARCHES, config, few, log, night, published, revise, world
from tests.nightly.test_config import run

FILE = "2023-04/2023-04-synthetic-shire-stop-and-search.csv"
STAY = "searches of synthetic-shire 2023-04 come from no file that is there; their records stay"
GONE = f"file {FILE} that an earlier night read is gone; its records stay"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def in_manifest(home) -> list[str]:
    return json.loads(published(home)["manifest.json"])["warnings"]


def sizes(home) -> dict[int, int]:
    return {row["month"]: row["records"] for row in open_store(home / "store").rows()}


def test_a_file_that_is_gone_is_named_and_its_month_too(home):
    path = world(home, share=0.1)
    first = night(path)
    assert first.warnings == ()
    shutil.move(home / "searches" / "2023-04", home / "aside")
    done = night(path)
    assert done.warnings == (STAY, GONE)
    assert in_manifest(home) == [STAY], "names of earlier files follow from no input, and are not published"
    assert log(home, "look back")[-1] | {"files_gone": 1, "warnings_unfed": 1} == log(home, "look back")[-1]
    assert not night(path).published
    assert in_manifest(home) == [STAY]
    shutil.move(home / "aside", home / "searches" / "2023-04")
    back = night(path)
    assert (back.warnings, back.run) == ((), first.run)


def test_the_exit_code_says_so(home):
    path = world(home, share=0.1)
    assert run(path)[0] == 0
    shutil.rmtree(home / "searches" / "2023-04")
    code, said = run(path)
    assert code == 4
    assert f"warning: {STAY}" in said
    assert f"warning: {GONE}" in said


def test_a_file_of_another_name_with_the_same_months_is_no_loss(home):
    path = encounters.world(home, months=("2023-04",), share=0.1)
    night(path)
    (home / "searches" / "searches-2023-04.csv").rename(home / "searches" / "again.csv")
    assert night(path).warnings == ()


def test_what_no_extract_brings_is_warned_of_by_kind_and_without_what_was_kept(home):
    path = encounters.world(home, share=0.1)
    night(path)
    shutil.rmtree(home / "out")
    config(home, extracts=encounters.extracts(("search", "footage")), tables="")
    where = "synthetic-shire 2023-04, synthetic-shire 2023-05 come from no file that is there; their records stay"
    assert night(path).warnings == (f"arrests of {where}", f"force reports of {where}")


def test_what_is_of_another_force_is_not_warned_of(home):
    night(world(home, share=0.1))
    write_police_uk(home / "more", [few(0.1)], months=["2023-06"])
    (file,) = (home / "more").rglob("*stop-and-search.csv")
    file.rename(home / "more" / "2023-06-kent-stop-and-search.csv")
    shutil.rmtree(home / "more" / "2023-06")
    extracts = SEARCHES.replace("searches", "more/*.csv")
    path = config(home, head='report = false\nforce = "kent"', extracts=extracts, tables="")
    assert night(path).warnings == ()
    assert len(night(config(home, extracts=extracts, tables="")).warnings) == 1


@pytest.mark.parametrize(("share", "warned"), [(0.05, True), (0.09, False)])
def test_a_month_that_came_again_smaller(share, warned, home):
    path = world(home, share=0.1)
    night(path)
    before = sizes(home)
    revise(home, share=share)
    done = night(path)
    now = sizes(home)
    month = max(now)
    said = f"search synthetic-shire 2023-05 came again with {now[month]:,} records, it had {before[month]:,}"
    assert (now[month] < 0.6 * before[month]) == warned
    assert done.warnings == ((said,) if warned else ())
    assert in_manifest(home) == list(done.warnings)
    assert not night(path).published
    revise(home, "2023-06", share=0.1)
    assert night(path).warnings == done.warnings, "until the month comes again"
    revise(home, seed=3, share=0.1)
    assert night(path).warnings == ()


def test_a_month_that_came_again_empty(home):
    path = world(home, share=0.1)
    night(path)
    (file,) = (home / "searches" / MONTHS[-1]).iterdir()
    file.write_text(file.read_text().splitlines(keepends=True)[0])
    assert " came again with 0 records, it had " in night(path).warnings[0]


def test_what_a_purge_took_is_not_missed(home):
    path = world(home, share=0.1)
    night(path)
    row = open_store(home / "store").rows()[-1]
    purge(home / "store", reason="expunged", rows={row["part"].decode(): range(row["records"] // 2)})
    assert night(path).warnings == ()
    revise(home, share=0.06)
    assert night(path).warnings == (), "less than 0.6 of what there was, more than 0.6 of what the purge left"
