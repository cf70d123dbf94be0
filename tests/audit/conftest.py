"""A small invented period, drawn once: what the tests of the ledger, the sheets and the estimates start from."""

import numpy as np
import pyarrow as pa
import pytest
from invented_period import BEACON, COLUMNS, SALT, VALUE, date

from disprop.audit.commitment import commit
from disprop.audit.drawn import draw
from disprop.audit.planning import plan


@pytest.fixture(scope="session")
def period():
    """600 records: two large groups, a small one, and one of three records."""
    chance = np.random.default_rng(11)
    group = ["White"] * 340 + ["Black"] * 180 + ["Mixed"] * 77 + ["Other"] * 3
    return pa.table(
        {
            "record_id": [f"{i:05}" for i in range(600)],
            "ethnicity": group,
            "unit": chance.choice(["North", "South"], 600),
            "time": [f"2024-03-{1 + i % 31:02} 12:00" for i in range(600)],
            "grounds": [f"seen to pass an item, {i}" for i in range(600)],
        }
    )


@pytest.fixture(scope="session")
def made(period):
    return plan(period, period="2024-03", columns=COLUMNS, sample=80, minimum=6, reserve_share=0.3)


@pytest.fixture
def ledger(tmp_path, period, made):
    """A ledger with one commitment, not drawn yet."""
    folder = tmp_path / "ledger"
    commit(made, period, ledger=folder, beacon=BEACON, salt=SALT, committed_on=date(2), store_count=600)
    return folder


@pytest.fixture
def drawn(ledger):
    return draw(ledger, beacon_value=VALUE)
