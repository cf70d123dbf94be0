"""The page on real files: the figures that the method book names, as a panel member would read them."""

import pytest

import disprop as dp
from tests.report.reading import Page

pytestmark = pytest.mark.real


@pytest.fixture(scope="session")
def page_of(real_data, tmp_path_factory):
    def page_of(force, first="2019-04", last="2020-03", **more):
        files = str(real_data / "police_uk" / "*" / f"*-{force}-stop-and-search.csv")
        folder = tmp_path_factory.mktemp(force)
        written = dp.make_report(files, folder, population=dp.census(2021), force=force, period=(first, last), **more)
        return Page(written[0].read_text(encoding="utf-8"))

    return page_of


def test_west_midlands_bounds_only(page_of):
    page = page_of("west-midlands")
    assert "West Midlands recorded 23,043 searches of people from April 2019 to March 2020" in page.text
    assert "Black people were searched at about 2.9 times the rate of White people" in page.text
    assert "95% interval 2.7 to 3.1; 3,684 searches of Black people, 9,629 of White people" in page.text
    assert "holds whatever the ethnicity of the people in the 1,120 searches" in page.text
    assert "Between 3.8% and 23% of searches found the item searched for" in page.text
    assert "for 4,482 of 23,043 it is not known" in page.text
    assert page.body("linked-find")[-1] == [
        "All searches", "870", "23,043", "[x]", "[x]", "4,482", "3.8% to 23.2%",
    ]  # fmt: skip
    other = next(cells for cells in page.body("ratios") if cells[0] == "Other")
    assert set(other[1:]) == {"[x]", "Cannot be given"}


def test_metropolitan_refused(page_of):
    page = page_of("metropolitan", "2018-04", "2018-12")
    assert "Linked finds: refused." in page.text
    assert "none of the 31,563 records that should answer this does" in page.text
    assert "linked-find-table" not in page.tables


def test_hertfordshire_given(page_of):
    page = page_of("hertfordshire")
    assert "About 21% of searches found the item searched for and had a recorded outcome (1,617 of 7,655" in page.text


def test_derbyshire_two_rules_differ_and_say_why(page_of):
    page = page_of("derbyshire")
    assert "it is 91% (1,620 of 1,773 searches); here it is 21% (377 of 1,769 searches)" in page.text
    assert "flagged as linked although nothing further was done" in page.text


def test_gwent_with_a_hole(page_of):
    whole, covered = page_of("gwent"), page_of("gwent", holes="covered")
    assert "cannot be given: no records were submitted for August 2019" in whole.text
    assert "ratios-table" not in whole.tables
    assert "counted on 11 of 12 months" in covered.text.lower()
    arrests = 'But no record of the force carries the outcome "Arrest": its list of outcomes may lack it.'
    assert arrests in whole.text
    assert arrests in covered.text
    for page in (whole, covered):
        assert page.months.count(("state", "not submitted")) == 1


def test_british_transport_police_has_no_rates(page_of):
    page = page_of("btp")
    assert "there is no count of residents to compare with" in page.text
    assert {"ratios-table", "excess-table"}.isdisjoint(page.tables)
    assert "arrest-table" in page.tables


def test_city_of_london_is_flagged(page_of):
    assert page_of("city-of-london").text.count("Far more people are in the City of London by day") == 1
