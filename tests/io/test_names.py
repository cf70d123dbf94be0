"""What paths claim."""

import pytest

from disprop.io.names import claim, is_other_police_uk
from disprop.io.rules import FOLDER_DIFFERS
from disprop.months import month_number

APRIL = month_number("2019-04")


@pytest.mark.parametrize(
    ("path", "force", "month"),
    [
        ("2019-04-kent-stop-and-search.csv", "kent", APRIL),
        ("data/2019-04/2019-04-avon-and-somerset-stop-and-search.csv", "avon-and-somerset", APRIL),
        ("2019-04-kent-stop-and-search (1).csv", "kent", APRIL),
        ("2019-04-btp-stop-and-search.csv", "btp", APRIL),
        ("2019-04.json", None, APRIL),
        ("2019-04-kent.csv", "kent", APRIL),
        ("2019-04/kent.csv", "kent", APRIL),
        ("2019-04/kent-stop-and-search.csv", "kent", APRIL),
        ("kent/2019-04.csv", "kent", APRIL),
        ("2019-04/stops.csv", None, APRIL),
        ("kent.csv", "kent", None),
        ("Kent Police.csv", "kent", None),
        ("stops.csv", None, None),
        ("stops-Jan2023.json", None, None),
        ("export-2020-03.csv", None, None),
        ("2020-03-export.csv", None, None),
        ("2020-02-01.csv", None, None),
        ("2019-13-kent-stop-and-search.csv", None, None),
        ("stop_and_searches_2024-01.json", None, None),
    ],
)
def test_force_and_month(path, force, month):
    found = claim(path)
    assert (found.force, found.month) == (force, month)
    assert found.notes == ()


@pytest.mark.parametrize("path", ["2019-05/2019-04-kent-stop-and-search.csv", "essex/2019-04-kent-stop-and-search.csv"])
def test_a_folder_that_says_otherwise(path):
    found = claim(path)
    assert (found.force, found.month) == ("kent", APRIL)
    assert found.notes == (FOLDER_DIFFERS,)


def test_a_strange_force_is_kept_for_the_message():
    found = claim("kent/2019-04-kentt-stop-and-search.csv")
    assert (found.force, found.strange) == (None, "kentt")


def test_other_files_of_the_archive():
    assert is_other_police_uk("2019-04/2019-04-kent-street.csv")
    assert is_other_police_uk("2019-04-avon-and-somerset-outcomes.csv")
    assert not is_other_police_uk("2019-04-kent-stop-and-search.csv")
    assert not is_other_police_uk("street.csv")
