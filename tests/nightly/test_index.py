"""The page that leads to the others: what it says, read back from its HTML as a stranger would."""

import csv
import re
import shutil

import pytest

from disprop.nightly.index import plain_warning
from tests.nightly import encounters
from tests.nightly.night import MONTHS, config, night, published, revise, world
from tests.report.reading import Page
from tests.test_writing import forbidden, uses

ONE_TABLE = '[[tables]]\nmeasure = "find_rate"\nby = ["force"]\n'
OF_FORCE = '[[tables]]\nmeasure = "share_on_video"\nkind = "force_report"\nname = "other"\nby = ["force"]\n'
SHARE = 0.1


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def html(home):
    return published(home)["index.html"].decode()


def row(home):
    """The only row of the table."""
    (cells,) = Page(html(home)).body("forces")
    return cells


def records(home, kind="searches"):
    """Rows of the extracts but searches of a vehicle alone, counted by the words of their type."""
    lines = [
        one for path in sorted((home / kind).rglob("*.csv")) for one in csv.DictReader(path.read_text().splitlines())
    ]
    return sum(one.get("Type") != "Vehicle search" for one in lines)


def as_force(home, force, months, *, fewer):
    """The same searches but the last ones, as another force's."""
    for month in months:
        name = f"{month}-{{}}-stop-and-search.csv"
        folder = home / "searches" / month
        lines = (folder / name.format("synthetic-shire")).read_text().splitlines(keepends=True)
        (folder / name.format(force)).write_text("".join(lines[:-fewer]))


def test_a_row_leads_to_the_page_of_its_force_and_every_link_to_a_file(home):
    night(world(home, head="report = true", share=SHARE))
    page, files = Page(html(home)), published(home)
    assert row(home) == ["Syntheticshire (invented)", "2 of 2", f"{records(home):,}", "Nothing"]
    assert "report/synthetic-shire/report.html" in page.links
    assert "The table below leads to a page on the searches of each force." in page.text
    outside = [link for link in page.links if not link.startswith("#")]
    assert set(outside) <= files.keys()
    assert {"rate_ratio.csv", "find_rate.csv", "coverage_search.csv", "extracts.csv", "manifest.json"} <= set(outside)
    said = files["report/synthetic-shire/report.html"].decode()
    assert f"recorded {records(home):,} searches of people" in said, "the page it leads to has the same number"


def test_the_page_is_sound_and_needs_no_other_file(home):
    night(world(home, share=SHARE, tables=ONE_TABLE))
    page, text = Page(html(home)), html(home)
    tags = [tag for tag, _ in page.tags]
    assert dict(page.tags)["html"] == {"lang": "en-GB"}
    assert all(tags.count(one) == 1 for one in ("header", "main", "footer", "h1", "caption", "thead"))
    assert not {"script", "link", "img", "iframe", "nav"} & set(tags)
    assert not re.findall(r"https?://|@import|\{\{|\{%", text)
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert page.scopes == ["col"] * 4 + ["row"]
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    landmarks = {"header", "main", "footer", "aside"}
    outside = [words for words, inside in page.placed if "body" in inside and not landmarks & set(inside)]
    assert outside == ["Skip to the forces"]
    assert not [phrase for phrase in forbidden() if uses(phrase, page.text)]


def test_it_says_the_period_and_which_publication_and_no_day_of_making(home):
    done = night(world(home, share=SHARE, tables=ONE_TABLE))
    text = Page(html(home)).text
    assert "The period is April 2023 to May 2023." in text
    assert "The last month of records is May 2023. No day of making stands on this page" in text
    assert f"Publication {done.run}" in text
    assert "It does not compare forces" in text
    assert "which these pages do not answer" in text


def test_without_reports_nothing_leads_to_one(home):
    night(world(home, share=SHARE, tables=ONE_TABLE))
    assert not [link for link in Page(html(home)).links if "report" in link]
    assert "leads to a page" not in html(home)


def test_what_is_missing_and_what_became_less_is_said_in_words(home):
    path = world(home, share=SHARE, tables=ONE_TABLE)
    night(path)
    shutil.rmtree(home / "searches" / MONTHS[0])
    revise(home, share=SHARE / 3)
    revise(home, "2023-08", share=SHARE)
    night(path)
    assert row(home)[1] == "3 of 5"
    assert row(home)[3] == "Searches were not submitted for June 2023 and July 2023."
    text = Page(html(home)).text
    assert (
        "The searches of these months come from no file that is there any more; they are kept: Syntheticshire "
        "(invented) April 2023."
    ) in text
    assert re.search(r"searches of Syntheticshire \(invented\) in May 2023 came again with \d+ records;", text)
    assert "Nothing else came up" not in text


def test_forces_stand_by_name_each_with_its_own_months(home):
    path = world(home, share=SHARE, tables=ONE_TABLE)
    as_force(home, "west-midlands", MONTHS, fewer=20)
    as_force(home, "gwent", MONTHS[:1], fewer=10)
    night(path)
    rows = Page(html(home)).body("forces")
    assert [cells[0] for cells in rows] == ["Gwent", "Syntheticshire (invented)", "West Midlands"]
    assert [cells[1] for cells in rows] == ["1 of 2", "2 of 2", "2 of 2"]
    assert [cells[3] for cells in rows] == ["Searches were not submitted for May 2023.", "Nothing", "Nothing"]
    gwent, shire, midlands = (int(cells[2]) for cells in rows)
    assert gwent < midlands < shire, "the numbers do not decide the order"
    assert "SYNTHETIC" not in html(home), "some of the records are not invented"
    assert "Open Government Licence" in html(home)


def test_months_that_seem_incomplete_or_are_small_are_not_like_others(home):
    months = [f"2023-{month:02}" for month in range(1, 10)]
    path = world(home, months=months, share=SHARE, tables=ONE_TABLE)
    revise(home, months[7], share=SHARE / 3)
    revise(home, months[8], share=SHARE / 30)
    night(path)
    assert row(home)[1:] == [
        "8 of 9",
        f"{records(home):,}",
        "Searches seem incomplete for September 2023. Searches are fewer than 60% of those of the months before in "
        "August 2023.",
    ]


def test_force_reports_have_columns_where_there_are_figures_of_them(home):
    path = encounters.world(home, share=SHARE)
    night(path)
    assert "Force reports" not in html(home)
    config(home, extracts=encounters.extracts() + encounters.LINK, tables=encounters.TABLES + OF_FORCE)
    night(path)
    head = Page(html(home)).tables["forces-table"][0]
    assert head[1:5] == ["Months with searches", "Searches", "Months with force reports", "Force reports"]
    assert row(home)[4] == f"{records(home, 'force_reports'):,}"
    assert "linked to footage" not in html(home)


def test_that_nothing_could_be_linked_is_said(home):
    night(encounters.world(home, share=SHARE))
    assert "No record is linked to footage" not in html(home)
    kinds = [kind for kind in encounters.FOLDERS if kind != "footage"]
    shutil.rmtree(home / "store")
    shutil.rmtree(home / "out")
    night(config(home, extracts=encounters.extracts(kinds) + encounters.LINK, tables=ONE_TABLE))
    assert "No record is linked to footage: no footage has come." in Page(html(home)).text


def test_what_a_file_says_cannot_break_out_of_the_text(home):
    path = world(home, share=SHARE, tables=ONE_TABLE)
    file = next((home / "searches").rglob("*.csv"))
    hostile = "<script>alert(1)</script>&"
    text = file.read_text()
    assert "Arrest" in text
    file.write_text(text.replace("Arrest", hostile))
    night(path)
    page = Page(html(home))
    assert "script" not in {tag for tag, _ in page.tags}
    assert hostile in page.text


def test_a_warning_that_no_rule_knows_is_said_as_it_is():
    assert plain_warning("disclosure_threshold is 3; 10 or more is advised") == (
        "Disclosure_threshold is 3; 10 or more is advised."
    )
    some = "force reports of kent 2023-04, kent 2023-05, kent 2023-06 and 7 more come from no file that is there; their"
    assert plain_warning(f"{some} records stay") == (
        "The force reports of these months come from no file that is there any more; they are kept: Kent April 2023, "
        "Kent May 2023, Kent June 2023 and 7 more."
    )
