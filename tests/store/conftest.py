"""Stores made of a few invented rows."""

import pytest

from disprop.io.store import add, open_store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "some.store"


@pytest.fixture
def stored(folder):
    """Puts sources into one store; returns it opened."""

    def put(*sources, **chosen):
        add(folder, *sources)
        return open_store(folder, **chosen)

    return put
