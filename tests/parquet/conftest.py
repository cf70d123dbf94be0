"""Invented searches to write as Parquet in many ways, and the fast road forced for few rows."""

import random
from datetime import timedelta

import pyarrow as pa
import pytest
from naive_parquet import instant

import disprop.io.parquet

FORCES = ("kent", "surrey", "Avon & Somerset")


@pytest.fixture(autouse=True)
def counted_fast(monkeypatch):
    """However few the rows, the fast road is taken where it can be."""
    monkeypatch.setattr(disprop.io.parquet, "FEWEST_ROWS", 0)


def rows(n=3000, seed=7):
    """Searches as plain rows, over the summer-time edge and with every label column null at times."""
    rng = random.Random(seed)
    start = instant(2019, 3, 30)
    return [
        {
            "force": rng.choice(FORCES),
            "event_time": start + timedelta(seconds=rng.randrange(70 * 86_400)),
            "search_type": rng.choice(("Person search", "Vehicle search", "Person and Vehicle search", None)),
            "gender": rng.choice(("Male", "Female", "Other", None)),
            "ethnicity_self": rng.choice(("White - Irish", "Black/African/Caribbean/Black British - African", None)),
            "age_band": rng.choice(("10-17", "18-24", "over 34", None)),
            "linked": rng.choice((True, False, None)),
            "object": rng.choice(("Stolen goods", "Controlled drugs", None)),
        }
        for _ in range(n)
    ]


def table(records):
    """An Arrow table of rows, times in seconds with a zone, flags as booleans, labels as text."""
    columns = {name: [row[name] for row in records] for name in records[0]}
    return pa.table(columns | {"event_time": pa.array(columns["event_time"], pa.timestamp("s", "UTC"))})


@pytest.fixture(scope="session")
def records():
    return rows()


@pytest.fixture(scope="session")
def searches(records):
    return table(records)
