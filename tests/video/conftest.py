"""Stores of invented encounters, and how to change them."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import disprop as dp
from disprop.io.store import add, open_store
from disprop.linkage import LinkSettings
from disprop.linking import link_store
from disprop.months import month_label, month_number
from disprop.synthetic.sources import TableSource

MONTHS = ("2023-03", "2023-04", "2023-05", "2023-06", "2023-07")
TABLES = {"search": "searches", "force_report": "force_reports", "footage": "footage", "custody": "custody"}
DAY = 86_400
NEAR = LinkSettings(contradicted_within=2 * DAY)
"""Settings of which a month reaches only the months beside it."""
VIDEO = ["video_link", "video_clips", "video_seconds", "video_from_start"]


@dataclass(frozen=True)
class Made:
    """Tables of records by kind, to be put into stores."""

    tables: dict[str, pa.Table]

    def sources(self, *kinds):
        for kind in kinds or self.tables:
            table = self.tables[kind]
            months = sorted({month_label(month) for month in table["month"].to_pylist()})
            yield TableSource(kind, table, months)

    def store(self, path, *kinds):
        add(path, *self.sources(*kinds))
        return path

    def but(self, kind, table):
        """The same, with another table of one kind."""
        return replace(self, tables={**self.tables, kind: table})

    def without_months(self, kind, *months):
        table = self.tables[kind]
        gone = pa.array([month_number(month) for month in months], pa.int32())
        return self.but(kind, table.filter(pc.invert(pc.is_in(table["month"], gone))))

    def first_months(self, n):
        last = month_number(MONTHS[n - 1])
        within = {kind: table.filter(pc.less_equal(table["month"], last)) for kind, table in self.tables.items()}
        return replace(self, tables=within)


@pytest.fixture(scope="session")
def made():
    """Five months of a small force. Late forms of the last night lie in a month of their own: left out."""
    truth = dp.synthetic.default_truth()
    found = dp.synthetic.make_encounters(truth, months=MONTHS, seed=3)
    tables = {kind: getattr(found, name) for kind, name in TABLES.items()}
    wanted = pa.array([month_number(month) for month in MONTHS], pa.int32())
    return Made({kind: table.filter(pc.is_in(table["month"], wanted)) for kind, table in tables.items()})


@pytest.fixture
def plain_clocks(monkeypatch):
    """Clocks taken as they are, so that one part's links can be set beside all links at once."""
    monkeypatch.setattr("disprop.linking.estimate_offsets", lambda events, clips, settings: [])
    monkeypatch.setattr("disprop.linking.corrected", lambda settings, found: settings)


def seconds(column):
    """A time column as seconds UTC, 0 for none."""
    return np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy())


def columns(path, kind="search", names=VIDEO):
    """The video columns of every record of a kind, by row of the source."""
    batches = list(open_store(path, kind=kind).batches({*names}))
    return {name: [value for batch in batches for value in batch.column(name).to_pylist()] for name in names}


def by_label(path, kind="search"):
    counted = dp.tally(open_store(path, kind=kind), by=["video_link"]).project(["month", "video_link"])
    return {(row.month, row.video_link): row.n for row in counted.frame().itertuples()}


def blank_months(path, kind="search"):
    found = by_label(path, kind)
    return [month for month in MONTHS if (month, "blank") in found]


@pytest.fixture
def linked(made, tmp_path, plain_clocks):
    """A store of five months whose records are linked."""
    path = made.store(tmp_path / "force.store")
    link_store(path, settings=NEAR)
    return path
