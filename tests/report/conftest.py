from functools import cache

import pytest

from disprop.report.page import render_page
from tests.report.cases import CASES, case
from tests.report.reading import Page


@pytest.fixture(scope="session")
def rendered():
    """Case name -> the HTML of its page, each made once."""
    return cache(lambda name: render_page(case(name)))


@pytest.fixture(scope="session")
def read(rendered):
    """Case name -> its page, read back once."""
    return cache(lambda name: Page(rendered(name)))


@pytest.fixture(params=CASES)
def name(request):
    return request.param


@pytest.fixture
def inputs(name):
    return case(name)


@pytest.fixture
def page(name, read):
    return read(name)
