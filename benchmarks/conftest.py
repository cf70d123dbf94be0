"""Records to measure on: the real files where they are, else an invented year."""

import os
from pathlib import Path

import pytest

import disprop as dp

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def invented(tmp_path_factory):
    """An invented year of one force: monthly files, and the residents that go with them."""
    return dp.synthetic.write_police_uk(tmp_path_factory.mktemp("invented")), dp.synthetic.population()


@pytest.fixture(scope="session")
def files(request):
    """Monthly files and a population: all 541 real files when timing and they are there, else the invented year."""
    folder = Path(os.environ.get("DISPROP_REAL_DATA") or CHECKOUT.parent / "shared" / "data") / "police_uk"
    timed = request.config.getoption("--benchmark-enable") or request.config.getoption("--benchmark-only")
    if timed and folder.is_dir():
        return sorted(folder.glob("20*/*.csv")), dp.census(2021)
    return request.getfixturevalue("invented")
