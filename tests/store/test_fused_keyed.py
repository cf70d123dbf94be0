"""Open lists, hours and keyed cells through the fused scan: equal to the plain one, whatever the form of the cells."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import disprop as dp
from disprop import cells, fused
from disprop.cells import Keyed
from disprop.errors import InputRefused
from disprop.io.store import add, open_store
from disprop.kernels import keyed
from disprop.plan import explain
from disprop.records import axis_spec
from disprop.tallies import Scope
from tests.invent import many
from tests.store.slots import Filed, filed
from tests.store.test_fused import ASKED, both_ways, check

AREAS = ["E01000001", "W01000002", " E01000003 ", "E01000003", None, "", "blank", "unmapped", "E02000009"]
WANTED = [["area", "ethnicity_self_19"], ["hour"], ["hour", "area", "gender"], ["gender"], ["command_unit", "linked"]]
START = datetime(2019, 3, 30, 22, 30, tzinfo=UTC)


class Timed(Filed):
    """Rows with an instant beside their month, every fifth without."""

    def batches(self, columns=None):
        for batch, start in zip(super().batches(columns), range(0, len(self.rows), self.batch_rows)):
            own = self.rows[start : start + self.batch_rows]
            yield batch.append_column("event_time", pa.array([row["time"] for row in own], pa.timestamp("s", "UTC")))


def with_places(rows):
    for i, row in enumerate(rows):
        row["area"], row["command_unit"] = AREAS[i % 9 % (1 + i % 11)], ("North", "South", None)[i % 3]
        row["time"] = None if i % 5 == 4 else START + timedelta(minutes=47 * i)
        row["file_month"] = "2019-05" if row["month"] == "2019-06" and i % 3 else row["month"]
    return rows


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyed") / "store"
    rows = with_places(many(700))
    add(folder, Timed(rows[:400], empty=[("kent", "2020-02")]))
    add(folder, Timed([row | {"force": "surrey"} for row in rows[400:]]))
    return open_store(folder)


@pytest.fixture
def everything_keyed(monkeypatch):
    monkeypatch.setattr(cells, "KEYED_FROM", 1)
    monkeypatch.setattr(cells, "FULL", 0)


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_open_lists_and_hours_as_arrays(store, asked, threads):
    check(store, WANTED, threads=threads, **asked)


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_open_lists_and_hours_keyed(store, asked, threads, everything_keyed):
    quick, plain = both_ways(store, WANTED, threads, **asked)
    for one, other in zip(quick, plain, strict=True):
        assert one.difference(other) is None
    assert isinstance(quick[0].cells, Keyed) or quick[0].total == 0


@pytest.mark.parametrize("room", [1, 7, 100])
def test_however_many_parts_are_sorted_at_a_time(store, room, everything_keyed, monkeypatch):
    monkeypatch.setattr(keyed, "CHUNK", room)
    for threads in (1, 2):
        check(store, WANTED, threads=threads)


@given(rows=st.lists(st.sampled_from(AREAS), max_size=30), late=st.integers(1, 4))
@settings(max_examples=25)
def test_any_areas(tmp_path_factory, rows, late):
    several = [row | {"area": area} for row, area in zip(many(len(rows), seed=late), rows)]
    folder = tmp_path_factory.mktemp("any") / "store"
    add(folder, filed([row | {"file_month": row["month"] if i % late else "2019-04"} for i, row in enumerate(several)]))
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            for threads in (None, 2):
                check(open_store(folder), [["area"], ["gender", "area"]], threads)
            patch.setattr(cells, "KEYED_FROM", 1)
            patch.setattr(cells, "FULL", 0)


def test_a_store_without_instants_has_no_hours(tmp_path):
    add(tmp_path / "s", filed(many(20)))
    store = open_store(tmp_path / "s")
    assert fused.plan_fused(store, [(axis_spec("hour"),)], Scope(), vehicle_only=False) is None
    assert dp.tally(store, by=["hour"])[{"hour": "blank"}] == dp.tally(store, by=[]).total


def test_a_damaged_code_is_refused_in_keyed_cells_too(tmp_path, everything_keyed):
    add(tmp_path / "s", filed(with_places(many(50, force="kent", month="2019-04"))))
    (row,) = open_store(tmp_path / "s").rows()
    (segment,) = (tmp_path / "s" / "segments").iterdir()
    raw = bytearray(segment.read_bytes())
    raw[row["gender:offset"]] = 250
    segment.write_bytes(raw)
    for threads in (None, 1):
        with pytest.raises(InputRefused, match="have no label"):
            both_ways(open_store(tmp_path / "s"), [["area", "gender"]], threads)


def test_explain_says_which_tallies_are_keyed(store, everything_keyed):
    assert "only those that are not 0 are kept" in explain(store, [["area"]])["tallies"]
